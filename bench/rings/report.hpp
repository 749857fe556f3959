// SPDX-License-Identifier: BSL-1.0
#pragma once

// The results as JSON (one shape for every suite) and as tables.

#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "rings/explain.hpp"
#include "rings/goals.hpp"
#include "rings/measure.hpp"

namespace bench {

[[nodiscard]] nlohmann::json rows_of(const std::vector<series>& results);
[[nodiscard]] nlohmann::json json_of(const std::vector<goal_result>& goals);
[[nodiscard]] nlohmann::json json_of(const std::vector<finding_result>& findings);

void print_tables(const std::vector<series>& results);
void print(const std::vector<goal_result>& goals);
void print(const std::vector<finding_result>& findings);

} // namespace bench
