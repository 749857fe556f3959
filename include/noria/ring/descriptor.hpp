// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "noria/core/cacheline.hpp"
#include "noria/core/config.hpp"

// A descriptor that says in one bit of its own whose it is, and its form in memory shared with a device.

namespace noria::inline NORIA_ABI {

// What the bit of a descriptor says once it is handed over.
enum class ownership : unsigned char {
    phase,   // the opposite of the lap before, so that nobody has to clear it (NVMe, virtio, mlx5)
    done_bit // "done": the driver clears it as it posts, the device sets it as it completes (e1000, 82599)
};

// Where D keeps its ownership bit. The program specialises it:
//   template <> struct noria::descriptor_traits<nic_descriptor> {
//       static constexpr std::size_t word_offset = offsetof(nic_descriptor, status); // of a 32-bit word
//       static constexpr std::uint32_t owner_bit = 1;             // in that word; the top bit if not stated
//       static constexpr noria::ownership kind = noria::ownership::done_bit; // a phase if not stated
//   };
template <class D>
struct descriptor_traits;

namespace detail {

template <class D>
[[nodiscard]] consteval std::uint32_t owner_bit_of() noexcept {
    if constexpr (requires { descriptor_traits<D>::owner_bit; })
        return descriptor_traits<D>::owner_bit;
    else
        return std::uint32_t{1} << 31;
}

template <class D>
[[nodiscard]] consteval ownership ownership_of() noexcept {
    if constexpr (requires { descriptor_traits<D>::kind; })
        return descriptor_traits<D>::kind;
    else
        return ownership::phase;
}

} // namespace detail

// Plain data made of 32-bit words, one bit to spare in the one at descriptor_traits<D>::word_offset.
// Requires: D(), trivial copies, descriptor_traits<D>.
template <class D>
concept owned_descriptor =
    std::is_trivially_copyable_v<D> && std::is_nothrow_default_constructible_v<D> && sizeof(D) > 4 &&
    sizeof(D) % 4 == 0 && descriptor_traits<D>::word_offset % 4 == 0 &&
    descriptor_traits<D>::word_offset + 4 <= sizeof(D) && std::has_single_bit(detail::owner_bit_of<D>());

// A descriptor whose bit means the opposite on every lap: it can travel one way, with nobody to clear it.
template <class D>
concept phase_descriptor = owned_descriptor<D> && detail::ownership_of<D>() == ownership::phase;

// The ownership bit of the descriptor that is handed over at `index` of a ring of mask + 1 slots. A phase is
// set on the first lap: the bit of the index above the mask counts laps, and changes sides once a lap across
// the wrap at 2^32 too.
template <owned_descriptor D>
[[nodiscard]] constexpr std::uint32_t owner_at(std::uint32_t index, std::uint32_t mask) noexcept {
    return !phase_descriptor<D> || (index & (mask + 1)) == 0 ? detail::owner_bit_of<D>() : 0;
}

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
    static constexpr std::uint32_t owner_bit = detail::owner_bit_of<D>();
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

    // All of D, with the ownership bit clear.
    void take(D& descriptor) const noexcept {
        get(descriptor);
        set_word(descriptor, word.load(std::memory_order_relaxed) & ~owner_bit);
    }

    // Gives the slot to the other side: what was put here, and what was done before, is there first.
    void hand_over(std::uint32_t value) noexcept {
        // Partner: the load in is_handed_over().
        word.store(value, std::memory_order_release);
    }

    // Whether the ownership bit is `owner`: what the other side put here, and did before, can then be read.
    [[nodiscard]] bool is_handed_over(std::uint32_t owner) const noexcept {
        // Partner: the store in hand_over().
        const std::uint32_t value = word.load(std::memory_order_acquire);
        return ((value ^ owner) & owner_bit) == 0;
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

namespace detail {

// How many of the `most` slots from `index` on are handed over before the first that is not. Where a whole
// cache line is asked for, one branch decides on it. Precondition: most <= mask + 1.
template <owned_descriptor D, class Sync>
[[nodiscard]] inline std::uint32_t handed_over(const descriptor_slot<D, Sync>* slots, std::uint32_t index,
                                               std::uint32_t most, std::uint32_t mask) noexcept {
    constexpr std::size_t in_line = std::bit_floor(cache_line / sizeof(descriptor_slot<D, Sync>));
    std::uint32_t found = 0;
    while (found != most) {
        const std::uint32_t owner = owner_at<D>(index + found, mask);
        const auto* const slot = slots + ((index + found) & mask);
        if constexpr (in_line > 1) {
            if (most - found >= in_line && (index + found) % in_line == 0) {
                bool all = true;
                for (std::size_t i = 0; i != in_line; ++i)
                    all &= slot[i].is_handed_over(owner);
                if (all) {
                    found += in_line;
                    continue;
                }
            }
        }
        if (!slot->is_handed_over(owner))
            break;
        ++found;
    }
    return found;
}

} // namespace detail

} // namespace noria::inline NORIA_ABI
