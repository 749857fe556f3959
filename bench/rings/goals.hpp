// SPDX-License-Identifier: BSL-1.0
#pragma once

// What Noria's rings are to reach: each figure divided by the best neighbour's of equal item size.

#include <optional>
#include <string>
#include <vector>

#include "rings/measure.hpp"

namespace bench {

struct goal_result {
    std::string goal; // in words
    double limit = 0;
    std::string ours;
    std::string against;         // whose figure ours was divided by
    std::optional<double> ratio; // empty: one of the two was not measured

    [[nodiscard]] bool met() const { return ratio && *ratio <= limit; }
};

[[nodiscard]] std::vector<goal_result> judge(const std::vector<series>& results);

} // namespace bench
