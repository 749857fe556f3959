// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "explorer/explorer.hpp"
#include "mutants/check.hpp"

// What no order of calls in one thread shows, the explorer does.

namespace check {

template <class Body>
void explored() {
    that(explorer::explore<Body>({.preemptions = 2, .stale_reads = 2, .executions = 3'000}).held);
    that(explorer::explore_at_random<Body>(3'000, 1).held);
}

} // namespace check
