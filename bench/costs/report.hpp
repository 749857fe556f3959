// SPDX-License-Identifier: BSL-1.0
#pragma once

// The results as JSON (one shape for every suite) and as tables.

#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "costs/measure.hpp"

namespace bench::costs {

[[nodiscard]] nlohmann::json rows_of(const std::vector<series>& results);
[[nodiscard]] nlohmann::json json_of(const std::vector<goal_result>& goals);

void print(const std::vector<series>& results);
void print(const std::vector<goal_result>& goals);

} // namespace bench::costs
