// SPDX-License-Identifier: BSL-1.0
#include "noria/core/clock.hpp"

#include <chrono>

#include <gtest/gtest.h>

namespace {

using namespace noria;

struct archetype {
    nanoseconds now() noexcept { return 7; }
};
struct throwing {
    nanoseconds now() { return 7; }
};
struct inexact {
    double now() noexcept { return 7; }
};

static_assert(clock_source<archetype>);
static_assert(!clock_source<throwing> && !clock_source<inexact> && !clock_source<int>);
static_assert(!clock_source<const archetype>, "now() may move a clock on");

TEST(monotonic_clock, never_goes_backwards) {
    const monotonic_clock clock;
    nanoseconds last = clock.now();
    for (int i = 0; i != 10'000; ++i) {
        const nanoseconds now = clock.now();
        ASSERT_GE(now, last);
        last = now;
    }
}

// std::chrono reads the same clock through another door, so a mistake in the unit shows without waiting.
TEST(monotonic_clock, counts_nanoseconds) {
    const auto other = [] {
        return static_cast<nanoseconds>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                            std::chrono::steady_clock::now().time_since_epoch())
                                            .count());
    };
    const nanoseconds before = other();
    const nanoseconds now = monotonic_clock{}.now();
    EXPECT_GE(now, before);
    EXPECT_LE(now, other());
}

TEST(manual_clock, moves_only_when_told) {
    manual_clock clock;
    EXPECT_EQ(clock.now(), 0u);
    clock.advance(5);
    clock.advance(1'000'000'000'000);
    EXPECT_EQ(clock.now(), 1'000'000'000'005u);
    EXPECT_EQ(clock.now(), 1'000'000'000'005u);
}

} // namespace
