// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/watermarks.hpp"

#include <gtest/gtest.h>

#include "support/random.hpp"

namespace {

using namespace noria;
using who = allocation_class;

constexpr bool are(watermarks marks, std::uint64_t min, std::uint64_t low, std::uint64_t high) {
    return marks.min == min && marks.low == low && marks.high == high;
}

// While a quarter of min is more than the share of all pages: low is 5/4 min and high 3/2 min.
static_assert(are(watermarks::from(100'000, 1000), 1000, 1250, 1500));
static_assert(are(watermarks::from(0, 1003), 1003, 1253, 1503));
// And not on a machine of 128 GiB with a min of 45 MiB: low is about four times min.
static_assert(are(watermarks::from(33'554'432, 11'520), 11'520, 45'074, 78'628));
static_assert(are(watermarks::from(19'999, 0), 0, 19, 38), "rounded down");
static_assert(are(watermarks::from(20'000, 4, 3000), 4, 6004, 12'004));
static_assert(are(watermarks::from(1ull << 62, 0, 10'000), 0, 1ull << 62, 1ull << 63), "without overflow");

static_assert(watermarks::default_min_kb(0) == 128);
static_assert(watermarks::default_min_kb(1024) == 128);
static_assert(watermarks::default_min_kb(1040) == 128);
static_assert(watermarks::default_min_kb(1041) == 129, "129 x 129 = 16641 = 16 x 1040.06");
static_assert(watermarks::default_min_kb(16ull << 20) == 16'384);
static_assert(watermarks::default_min_kb(128ull << 20) == 46'340, "45 MiB at 128 GiB");
static_assert(watermarks::default_min_kb((1ull << 32) - 1) == 262'143);
static_assert(watermarks::default_min_kb(1ull << 32) == 262'144);
static_assert(watermarks::default_min_kb(~0ull) == 262'144);

TEST(watermarks, default_min_is_the_root_rounded_down) {
    random_steps random;
    for (std::uint64_t step = 0; step != random_steps::count(100'000); ++step) {
        const std::uint64_t kb = random.below(~0u) >> random.below(24);
        const std::uint64_t root = watermarks::default_min_kb(kb);
        ASSERT_TRUE(root == 128 || root * root <= 16 * kb) << kb;
        ASSERT_GT((root + 1) * (root + 1), 16 * kb);
    }
}

static_assert(mark_of(who::blocking, 1000) == 1000);
static_assert(mark_of(who::no_wait, 1000) == 1000);
static_assert(mark_of(who::high_priority, 1000) == 500);
static_assert(mark_of(who::atomic, 1000) == 375);
static_assert(mark_of(who::out_of_memory_victim, 1000) == 500);
static_assert(mark_of(who::emergency, 1000) == 1000, "its third try has none");
static_assert(mark_of(who::high_priority, 7) == 4, "7 - 3");
static_assert(mark_of(who::atomic, 7) == 3, "4 - 1");

TEST(allocation_class, has_a_name_each) {
    EXPECT_STREQ(name(who::blocking), "blocking");
    EXPECT_STREQ(name(who::atomic), "atomic");
    EXPECT_STREQ(name(who::emergency), "emergency");
    EXPECT_STREQ(name(static_cast<who>(6)), "?");
}

static_assert(!is_privileged(who::blocking) && !is_privileged(who::no_wait) &&
              !is_privileged(who::emergency));
static_assert(is_privileged(who::high_priority) && is_privileged(who::atomic) &&
              is_privileged(who::out_of_memory_victim));
static_assert(may_wait(who::blocking) && may_wait(who::high_priority) && may_wait(who::out_of_memory_victim));
static_assert(!may_wait(who::no_wait) && !may_wait(who::atomic) && !may_wait(who::emergency));

} // namespace
