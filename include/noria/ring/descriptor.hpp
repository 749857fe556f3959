// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "noria/core/config.hpp"

// A descriptor that says in one bit of its own whose it is, and its form in memory shared with a device.

namespace noria::inline NORIA_ABI {

// Names the 32-bit word of D whose top bit belongs to the ring. The program specialises it:
//   template <> struct noria::descriptor_traits<post> {
//       static constexpr std::size_t word_offset = offsetof(post, length);
//   };
template <class D>
struct descriptor_traits;

// Plain data made of 32-bit words, the one at descriptor_traits<D>::word_offset with its top bit to spare.
template <class D>
concept owned_descriptor = std::is_trivially_copyable_v<D> && sizeof(D) > 4 &&
                           sizeof(D) % 4 == 0 && descriptor_traits<D>::word_offset % 4 == 0 &&
                           descriptor_traits<D>::word_offset + 4 <= sizeof(D);

namespace detail {

// Some of the words of a descriptor, copied as bytes: the descriptor's own type need not be an array of
// words.
template <std::size_t Count>
struct words {
    static constexpr std::size_t bytes = 4 * Count;
    std::uint32_t word[Count];
};
template <>
struct words<0> {
    static constexpr std::size_t bytes = 0;
};

} // namespace detail

// A descriptor in the ring: laid out as D is, its ownership word atomic.
template <owned_descriptor D, class Sync>
struct descriptor_slot {
    static constexpr std::size_t word_offset = descriptor_traits<D>::word_offset;
    using front_type = detail::words<word_offset / 4>;
    using back_type = detail::words<sizeof(D) / 4 - word_offset / 4 - 1>;

    [[no_unique_address]] typename Sync::template cell<front_type> front;
    typename Sync::template atomic<std::uint32_t> word;
    [[no_unique_address]] typename Sync::template cell<back_type> back;

    // The payload of D in and out of the cells; the ownership word is the ring's.
    void put(const D& descriptor) noexcept {
        const auto* bytes = reinterpret_cast<const std::byte*>(&descriptor);
        front_type ahead;
        back_type behind;
        std::memcpy(&ahead, bytes, front_type::bytes);
        std::memcpy(&behind, bytes + word_offset + 4, back_type::bytes);
        Sync::write(front, ahead);
        Sync::write(back, behind);
    }
    void get(D& descriptor) const noexcept {
        auto* bytes = reinterpret_cast<std::byte*>(&descriptor);
        front_type ahead;
        back_type behind;
        Sync::read(front, ahead);
        Sync::read(back, behind);
        std::memcpy(bytes, &ahead, front_type::bytes);
        std::memcpy(bytes + word_offset + 4, &behind, back_type::bytes);
    }

    // The ownership word of a D that is not in a ring.
    [[nodiscard]] static std::uint32_t word_of(const D& descriptor) noexcept {
        std::uint32_t value;
        std::memcpy(&value, reinterpret_cast<const std::byte*>(&descriptor) + word_offset, sizeof value);
        return value;
    }
    static void set_word(D& descriptor, std::uint32_t value) noexcept {
        std::memcpy(reinterpret_cast<std::byte*>(&descriptor) + word_offset, &value, sizeof value);
    }
};

} // namespace noria::inline NORIA_ABI
