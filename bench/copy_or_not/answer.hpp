// SPDX-License-Identifier: BSL-1.0
#pragma once

// From figures to sentences: who wins where, where the line runs, what choosing wrong costs, and how far
// `adaptive` is behind.

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "copy_or_not/cell.hpp"
#include "copy_or_not/subject.hpp"

namespace bench {

// All repetitions of one strategy in one cell.
struct series {
    std::string strategy;
    std::vector<measurement> repetitions;

    [[nodiscard]] std::vector<double> nanoseconds() const;
    [[nodiscard]] double median_ns() const;
    [[nodiscard]] std::uint64_t drops() const; // in all repetitions
};

struct cell_result {
    cell where;
    std::uint32_t frame_bytes = 0; // 0: a mix
    double mean_bytes = 0;
    double floor_ns = 0; // of a plain memcpy
    std::vector<series> all;

    [[nodiscard]] const series* find(const std::string& strategy) const;
};

// Whether a strategy copies whole frames of this length (a mix: whether it copies all).
[[nodiscard]] bool copies(const std::string& strategy, std::uint32_t frame_bytes);

// {"sentences", "by_hold", "map", "cost_of_wrong"}
[[nodiscard]] nlohmann::json answer(const std::vector<cell_result>& results);

// {"median", "worst", "noise_median", "cells"}; null when adaptive or the fixed strategies were not run.
[[nodiscard]] nlohmann::json regret(const std::vector<cell_result>& results);

} // namespace bench
