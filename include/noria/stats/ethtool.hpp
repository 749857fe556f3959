// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "noria/stats/link.hpp"
#include "noria/stats/text.hpp"
#include "noria/stats/vocabulary.hpp"

namespace noria::inline NORIA_ABI {

// A number and its canonical name, which outlives it.
struct named_count {
    std::string_view name;
    std::uint64_t value;
};

// The whole set with its names, in its own order.
[[nodiscard]] constexpr auto named(const link_values& link) noexcept {
    std::array<named_count, std::size(link_fields<std::uint64_t>)> counts;
    for (std::size_t i = 0; i != counts.size(); ++i)
        counts[i] = {link_fields<std::uint64_t>[i].name, link.*link_fields<std::uint64_t>[i].count};
    return counts;
}

// Writes counts the way `ethtool -S` prints those of a driver, in the words of a vocabulary. What it has no
// word for keeps its canonical name, so that nothing is left out; where it has several words for parts, the
// whole stands under the first. `queue` is what # becomes. Returns the size needed, as all exporters.
[[nodiscard]] inline std::size_t export_ethtool(std::span<char> to, std::span<const named_count> counts,
                                                vocabulary words = {}, std::uint32_t queue = 0) noexcept {
    detail::text_writer out(to);
    out.put("NIC statistics:\n");
    for (const named_count& count : counts) {
        const std::string_view word = word_for(words, count.name);
        out.put("     ");
        for (const char c : word.empty() ? count.name : word)
            if (c == '#')
                out.put(std::uint64_t{queue});
            else
                out.put(c);
        out.put(": ");
        out.put(count.value);
        out.put('\n');
    }
    return out.size();
}

} // namespace noria::inline NORIA_ABI
