// SPDX-License-Identifier: BSL-1.0
#include "noria/core/bits.hpp"

#include <cstdint>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

namespace {

using namespace noria;

static_assert(round_up(0u, 64u) == 0 && round_up(1u, 64u) == 64 && round_up(64u, 64u) == 64 &&
              round_up(65u, 64u) == 128);
static_assert(divide_up(0u, 7u) == 0 && divide_up(1u, 7u) == 1 && divide_up(7u, 7u) == 1 &&
              divide_up(8u, 7u) == 2);
static_assert(log2_exact(1u) == 0 && log2_exact(std::uint64_t{1} << 63) == 63);

TEST(round_up, is_the_first_multiple_found_by_walking) {
    for (std::uint16_t step = 1; step != 512; step = static_cast<std::uint16_t>(2 * step))
        for (std::uint16_t value = 0; value != 1000; ++value) {
            std::uint16_t multiple = 0;
            while (multiple < value)
                multiple = static_cast<std::uint16_t>(multiple + step);
            ASSERT_EQ(round_up(value, step), multiple) << value << " in steps of " << step;
        }
}

RC_GTEST_PROP(divide_up, covers_and_no_step_is_spare, (std::uint64_t value)) {
    const auto step = *rc::gen::inRange<std::uint64_t>(1, ~std::uint64_t{0});
    const std::uint64_t steps = divide_up(value, step); // value and step may be too large to add
    RC_ASSERT(steps == value / step || (steps - 1 == value / step && value % step != 0));
    RC_ASSERT(steps * step >= value || value / step == steps - 1);
    RC_ASSERT(value == 0 || (steps - 1) * step < value);
}

TEST(divide_up, does_not_overflow_at_the_top) {
    EXPECT_EQ(divide_up(~0u, 2u), 1u << 31);
    EXPECT_EQ(divide_up(~0u, ~0u), 1u);
    EXPECT_EQ(divide_up<std::uint8_t>(255, 254), 2);
}

TEST(log2_exact, undoes_the_shift) {
    for (unsigned exponent = 0; exponent != 64; ++exponent)
        EXPECT_EQ(log2_exact(std::uint64_t{1} << exponent), exponent);
}

#if NORIA_CONTRACT == 2
TEST(bits_death_test, steps_that_are_no_powers_of_two) {
    EXPECT_DEATH(static_cast<void>(round_up(5u, 3u)), "divide_up");
    EXPECT_DEATH(static_cast<void>(round_up(5u, 0u)), "powers of two");
    EXPECT_DEATH(static_cast<void>(divide_up(5u, 0u)), "above zero");
    EXPECT_DEATH(static_cast<void>(log2_exact(6u)), "power of two");
}
#endif

} // namespace
