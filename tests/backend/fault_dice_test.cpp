// SPDX-License-Identifier: BSL-1.0
#include "noria/backend/fault_dice.hpp"

#include <gtest/gtest.h>

namespace {

using namespace noria;

TEST(fault_dice, strike_as_often_as_they_are_told) {
    for (const std::uint64_t seed : {0u, 7u})
        for (const std::uint32_t one_in : {1u, 2u, 10u, 100u}) {
            backend::fault_dice dice(seed);
            std::uint32_t struck = 0;
            for (int i = 0; i != 100'000; ++i)
                struck += dice.strikes(one_in);
            EXPECT_NEAR(struck, 100'000.0 / one_in, 1000);
        }
}

TEST(fault_dice, never_strike_for_0_and_are_not_moved_by_it) {
    backend::fault_dice one(3);
    backend::fault_dice other(3);
    for (int i = 0; i != 1000; ++i) {
        EXPECT_FALSE(one.strikes(0));
        EXPECT_EQ(one.strikes(3), other.strikes(3));
    }
}

} // namespace
