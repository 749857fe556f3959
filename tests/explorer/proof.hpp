// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <gtest/gtest.h>

#include "explorer/explorer.hpp"

namespace explorer {

// The body holds in every execution within the bounds, and in some thousand beyond them.
template <class Body>
void expect_proved(bounds within = {}) {
    const verdict found = explore<Body>(within);
    EXPECT_TRUE(found.held) << found.story;
    EXPECT_TRUE(!found.held || found.exhaustive) << "not all tried after " << found.executions;
    const verdict beyond = explore_at_random<Body>(5'000, 1);
    EXPECT_TRUE(beyond.held) << beyond.story;
}

} // namespace explorer
