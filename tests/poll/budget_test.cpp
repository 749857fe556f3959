// SPDX-License-Identifier: BSL-1.0
#include "noria/poll/budget.hpp"

#include <gtest/gtest.h>

namespace {

constexpr noria::poll_budget defaults;
static_assert(defaults.packets == 300 && defaults.weight == 64 && defaults.time == 2'000'000);

TEST(PollBudget, EndsACycleAtEitherLimit) {
    EXPECT_FALSE(defaults.spent(0, 0));
    EXPECT_FALSE(defaults.spent(299, 1'999'999));
    EXPECT_TRUE(defaults.spent(300, 0));
    EXPECT_TRUE(defaults.spent(363, 0));
    EXPECT_TRUE(defaults.spent(0, 2'000'000));
}

} // namespace
