// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "noria/ring/descriptor.hpp"

// What the rings carry. Every item says which one it is and who sent it, and every consumer checks both: a
// ring that loses, repeats, swaps or tears items has no figure. Both types have the top bit of a word to
// spare.

namespace bench {

// A packet descriptor, 16 bytes.
struct descriptor {
    std::uint64_t address;
    std::uint32_t length;
    std::uint32_t flags;

    [[nodiscard]] static descriptor make(std::uint64_t number, std::uint32_t from) noexcept {
        return {number, static_cast<std::uint32_t>(number) & 0xffffu, from};
    }
    [[nodiscard]] std::uint32_t from() const noexcept { return flags; }
    // Zero if this is item `number` of that sender.
    [[nodiscard]] std::uint64_t differs(std::uint64_t number, std::uint32_t sender) const noexcept {
        return (address ^ number) | (length ^ (static_cast<std::uint32_t>(number) & 0xffffu)) |
               (flags ^ sender);
    }
};
static_assert(sizeof(descriptor) == 16);

// For rings that carry no more than a word; never zero, which some of them keep for themselves.
struct word {
    std::uint64_t bits = 0;

    [[nodiscard]] static word make(std::uint64_t number, std::uint32_t from) noexcept {
        return {(number << 1 | from) + 2};
    }
    [[nodiscard]] std::uint32_t from() const noexcept { return static_cast<std::uint32_t>(bits) & 1; }
    [[nodiscard]] std::uint64_t differs(std::uint64_t number, std::uint32_t sender) const noexcept {
        return bits ^ make(number, sender).bits;
    }
};
static_assert(sizeof(word) == 8);

} // namespace bench

template <>
struct noria::descriptor_traits<bench::descriptor> {
    static constexpr std::size_t word_offset = offsetof(bench::descriptor, flags);
};
