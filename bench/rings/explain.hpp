// SPDX-License-Identifier: BSL-1.0
#pragma once

// The five findings of docs/explanation/rings.md: each is one thing switched off, and what that costs. Both
// sides are compared in the same way of waiting, without pause, which shows best what polling does; the
// figures with pause are in the JSON.

#include <string>
#include <vector>

#include "rings/measure.hpp"

namespace bench {

struct finding {
    std::string name;
    std::string switched_off; // how
    work what;
    std::uint32_t capacity;
    subject with;
    subject without;
};

struct finding_result {
    const finding* what;
    series with;
    series without;
};

[[nodiscard]] const std::vector<finding>& findings();

[[nodiscard]] std::vector<finding_result> explain(unsigned repetitions, double seconds);

} // namespace bench
