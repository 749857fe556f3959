// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "noria/core/config.hpp"

// Integers in network byte order at any address: no alignment asked for, one move and one swap paid.

namespace noria::inline NORIA_ABI {

// g++ 12 has no std::byteswap; both compilers turn this into one instruction.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T byte_swap(T value) noexcept {
    if constexpr (sizeof(T) == 1)
        return value;
    else if constexpr (sizeof(T) == 2)
        return __builtin_bswap16(value);
    else if constexpr (sizeof(T) == 4)
        return __builtin_bswap32(value);
    else
        return __builtin_bswap64(value);
}

// Host to network order and back: the same swap.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T big_endian(T value) noexcept {
    return std::endian::native == std::endian::big ? value : byte_swap(value);
}

// The big-endian integer that starts at `from`.
template <std::unsigned_integral T>
[[nodiscard]] inline T load_big(const std::byte* from) noexcept {
    T value;
    std::memcpy(&value, from, sizeof value);
    return big_endian(value);
}

template <std::unsigned_integral T>
inline void store_big(std::byte* to, T value) noexcept {
    value = big_endian(value);
    std::memcpy(to, &value, sizeof value);
}

} // namespace noria::inline NORIA_ABI
