// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace noria::inline NORIA_ABI {

namespace detail {

// Copies the first and the last sizeof(Word) bytes, which overlap when there are fewer than two of them. All
// is loaded before anything is stored.
template <class Word>
inline void copy_both_ends(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
    Word first, last;
    std::memcpy(&first, from, sizeof first);
    std::memcpy(&last, from + bytes - sizeof last, sizeof last);
    std::memcpy(to, &first, sizeof first);
    std::memcpy(to + bytes - sizeof last, &last, sizeof last);
}

} // namespace detail

// memcpy for lengths that are mostly those of headers: up to 64 bytes it is a few moves in place, where a
// call would cost more than the copy. The two ranges do not overlap; with no bytes either address may be
// null.
inline void copy_bytes(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
    using vector [[gnu::vector_size(16)]] = std::uint64_t;
    if (bytes > 64) {
        std::memcpy(to, from, bytes);
    } else if (bytes >= 32) {
        detail::copy_both_ends<vector>(to, from, 32);
        detail::copy_both_ends<vector>(to + bytes - 32, from + bytes - 32, 32);
    } else if (bytes >= 16) {
        detail::copy_both_ends<vector>(to, from, bytes);
    } else if (bytes >= 8) {
        detail::copy_both_ends<std::uint64_t>(to, from, bytes);
    } else if (bytes >= 4) {
        detail::copy_both_ends<std::uint32_t>(to, from, bytes);
    } else if (bytes >= 2) {
        detail::copy_both_ends<std::uint16_t>(to, from, bytes);
    } else if (bytes == 1) {
        *to = *from;
    }
}

} // namespace noria::inline NORIA_ABI
