// SPDX-License-Identifier: BSL-1.0
#pragma once

// The results as JSON (one shape for every suite) and as a table.

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "copy_or_not/answer.hpp"

namespace bench {

[[nodiscard]] nlohmann::json rows_of(const std::vector<cell_result>& results);

void print_table(const std::vector<cell_result>& results);

} // namespace bench
