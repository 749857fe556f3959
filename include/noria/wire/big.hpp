// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "noria/core/endian.hpp"

namespace noria::inline NORIA_ABI {

// An unsigned integer, or an enumeration over one, kept as the bytes that go over the wire: most significant
// first, alignment 1. It reads and is assigned like the number itself. Cost: one move and one swap.
template <class T>
    requires std::unsigned_integral<T> || std::is_enum_v<T>
class big {
    template <class U>
    struct number_of {
        using type = U;
    };
    template <class U>
        requires std::is_enum_v<U>
    struct number_of<U> : std::underlying_type<U> {};
    using number = typename number_of<T>::type;
    using bytes = std::array<std::byte, sizeof(T)>;

  public:
    // Leaves the bytes as they are, so that a header can be laid over a frame.
    big() noexcept = default;
    constexpr big(T value) noexcept : bytes_(std::bit_cast<bytes>(big_endian(static_cast<number>(value)))) {}

    [[nodiscard]] constexpr operator T() const noexcept {
        return static_cast<T>(big_endian(std::bit_cast<number>(bytes_)));
    }

  private:
    bytes bytes_;
};

using big16 = big<std::uint16_t>;
using big32 = big<std::uint32_t>;

// A wire_header is a layout that may be laid over bytes at any address.
template <class Header>
concept wire_header = std::is_trivially_copyable_v<Header> &&
                      std::is_trivially_default_constructible_v<Header> && alignof(Header) == 1;

static_assert(wire_header<big16> && wire_header<big32>);

// The header that starts `offset` bytes into `bytes`, in place, or null where it does not fit inside.
// Thread: as the bytes. Lifetime: as the bytes. Cost: one comparison.
template <wire_header Header>
[[nodiscard]] inline const Header* header_at(std::span<const std::byte> bytes,
                                             std::size_t offset = 0) noexcept {
    if (offset > bytes.size() || bytes.size() - offset < sizeof(Header))
        return nullptr;
    return reinterpret_cast<const Header*>(bytes.data() + offset);
}
template <wire_header Header>
[[nodiscard]] inline Header* header_at(std::span<std::byte> bytes, std::size_t offset = 0) noexcept {
    return const_cast<Header*>(header_at<Header>(std::span<const std::byte>(bytes), offset));
}

} // namespace noria::inline NORIA_ABI
