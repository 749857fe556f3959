// SPDX-License-Identifier: BSL-1.0
#include "noria/poll/flow_limiter.hpp"

#include <algorithm>
#include <deque>

#include <gtest/gtest.h>

#include "support/random.hpp"

namespace {

// The definition: of the last 128 packets, this one among them, more than 64 in this bucket. What the history
// names before it is full is bucket 0, and that bucket's first 128 packets are forgotten too early.
TEST(FlowLimiter, IsOverWhenMoreThanHalfOfTheLast128AreOfOneBucket) {
    random_steps random;
    noria::flow_limiter limit;
    std::deque<std::uint32_t> last;
    std::uint64_t over = 0;
    for (std::uint64_t step = random_steps::count(20'000, 2'000); step != 0; --step) {
        const std::uint32_t share = 1 + static_cast<std::uint32_t>(step / 200 % 4);
        const std::uint32_t hash =
            random.below(4) < share ? 17 + 4096 * random.below(1000) : 1 + random.below(4095);
        last.push_back(hash % 4096);
        if (last.size() > 128)
            last.pop_front();
        const bool expected = std::count(last.begin(), last.end(), hash % 4096) > 64;
        ASSERT_EQ(limit.over(hash), expected);
        over += expected;
        ASSERT_EQ(limit.count(), over);
    }
    EXPECT_GT(over, 100u);
}

} // namespace
