// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstring>

#include "mutants/check.hpp"
#include "noria/ring/descriptor.hpp"

// Descriptors whose ownership word lies in front, in the middle and behind.

namespace check {

struct two_words {
    std::uint32_t word;
    std::uint32_t number;
};
struct four_words {
    std::uint32_t number;
    std::uint32_t word;
    std::uint64_t inverse;
};
struct done_last {
    std::uint32_t number;
    std::uint32_t inverse;
    std::uint32_t more;
    std::uint32_t word;
};

} // namespace check

template <>
struct noria::descriptor_traits<check::two_words> {
    static constexpr std::size_t word_offset = offsetof(check::two_words, word);
};
template <>
struct noria::descriptor_traits<check::four_words> {
    static constexpr std::size_t word_offset = offsetof(check::four_words, word);
};
template <>
struct noria::descriptor_traits<check::done_last> {
    static constexpr std::size_t word_offset = offsetof(check::done_last, word);
    static constexpr std::uint32_t owner_bit = 4;
    static constexpr noria::ownership kind = noria::ownership::done_bit;
};

namespace check {

template <class D>
D numbered(std::uint64_t number) {
    const auto n = static_cast<std::uint32_t>(number);
    if constexpr (std::is_same_v<D, two_words>)
        return {n * 3 & 0x7fff'ffff, n};
    else if constexpr (std::is_same_v<D, four_words>)
        return {n, n * 5 & 0x7fff'ffff, ~number};
    else
        return {n, ~n, n + 1, n * 8};
}

template <class D>
bool same(const D& left, const D& right) {
    return std::memcmp(&left, &right, sizeof left) == 0;
}

// Whether the slot behind that of `index` lies in the same cache line.
template <class D>
bool more_in_line(std::uint64_t index) {
    return (index + 1) % (64 / sizeof(D)) != 0;
}

} // namespace check
