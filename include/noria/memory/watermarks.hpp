// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "noria/core/config.hpp"

// How far free memory may fall, and for whom. Integers, rounded as a kernel rounds them, so that its numbers
// come out of here. Source: Linux 6.12, mm/page_alloc.c (its behaviour, not its text).

namespace noria::inline NORIA_ABI {

// Pages that have to be free: above `low` everybody is served at once, below it background reclaim is woken
// and runs until `high`; what is below `min` is a reserve.
struct watermarks {
    std::uint64_t min = 0;
    std::uint64_t low = 0;
    std::uint64_t high = 0;

    // The steps from min to low and on to high are each a quarter of min, or `scale` ten-thousandths of all
    // pages where that is more: on a big machine it is, and low is then far above 5/4 min.
    [[nodiscard]] static constexpr watermarks from(std::uint64_t managed_pages, std::uint64_t min,
                                                   std::uint32_t scale = 10) noexcept {
        // In two parts, so that the product does not overflow.
        const std::uint64_t share =
            managed_pages / 10000 * scale + managed_pages % 10000 * std::uint64_t{scale} / 10000;
        const std::uint64_t step = min / 4 > share ? min / 4 : share;
        return {min, min + step, min + step + step};
    }

    // The floor a kernel chooses for itself: the square root of 16 x managed KiB, from 128 KiB to 256 MiB.
    [[nodiscard]] static constexpr std::uint64_t default_min_kb(std::uint64_t managed_kb) noexcept {
        constexpr std::uint64_t least = 128;
        constexpr std::uint64_t most = 262144;
        if (managed_kb >= most * most / 16)
            return most;
        std::uint64_t root = 0; // bit by bit, from the highest: no floating point, so exact
        for (std::uint64_t bit = most / 2; bit != 0; bit /= 2)
            if ((root + bit) * (root + bit) <= 16 * managed_kb)
                root += bit;
        return root < least ? least : root;
    }
};

// Who asks, and so how far below min it may go and what it may wait for.
enum class allocation_class : unsigned char {
    blocking,             // to min; reclaims in the call, and then it is out of memory
    no_wait,              // to min; reclaims nothing
    high_priority,        // to half of min; reclaims in the call
    atomic,               // to about 3/8 of min; reclaims nothing: receive paths
    out_of_memory_victim, // to half of min, as it is about to free all it has; reclaims in the call
    emergency             // to min, then to the last page, flagged: reclaim itself asks so
};
inline constexpr std::size_t allocation_classes = 6;

[[nodiscard]] constexpr const char* name(allocation_class who) noexcept {
    constexpr const char* names[allocation_classes] = {
        "blocking", "no wait", "high priority", "atomic", "out-of-memory victim", "emergency"};
    const auto index = static_cast<std::size_t>(who);
    return index < allocation_classes ? names[index] : "?";
}

// The mark of a class's second try, in pages. Integers, rounded as the kernel rounds: min 1000, atomic: 375.
[[nodiscard]] constexpr std::uint64_t mark_of(allocation_class who, std::uint64_t min) noexcept {
    const std::uint64_t half = min - min / 2;
    switch (who) {
    case allocation_class::blocking:
    case allocation_class::no_wait:
    case allocation_class::emergency:
        return min;
    case allocation_class::high_priority:
    case allocation_class::out_of_memory_victim:
        return half;
    case allocation_class::atomic:
        return half - half / 4;
    }
    return 0;
}

// Those who may go below min may also use what is reserved for atomic blocks of more than one page.
[[nodiscard]] constexpr bool is_privileged(allocation_class who) noexcept {
    return who == allocation_class::high_priority || who == allocation_class::atomic ||
           who == allocation_class::out_of_memory_victim;
}

// Those who may wait reclaim for themselves before they give up.
[[nodiscard]] constexpr bool may_wait(allocation_class who) noexcept {
    return who == allocation_class::blocking || who == allocation_class::high_priority ||
           who == allocation_class::out_of_memory_victim;
}

} // namespace noria::inline NORIA_ABI
