// SPDX-License-Identifier: BSL-1.0
// This unit aborts with a message; contract_off.cpp and contract_trap.cpp are compiled the other two ways.
// That the three link into one program shows as well that modes do not mix.
#undef NORIA_CONTRACT
#define NORIA_CONTRACT 2
#include "noria/core/contract.hpp"

#include <csignal>
#include <cstdlib>

#include <gtest/gtest.h>

int evaluations_with_contracts_off();
void trap_unless(bool kept);

namespace {

static_assert(noria::contracts_on && noria::checked_mode);

// Usable where constants are computed: a broken contract there does not compile.
constexpr int half(int even) {
    return NORIA_EXPECTS(even % 2 == 0, "even numbers only"), even / 2;
}
static_assert(half(8) == 4);

TEST(contract, one_that_is_kept_is_evaluated_once_and_does_nothing) {
    int evaluations = 0;
    NORIA_EXPECTS(++evaluations == 1, "");
    EXPECT_EQ(evaluations, 1);
    trap_unless(true);
}

TEST(contract, costs_nothing_when_off) {
    EXPECT_EQ(evaluations_with_contracts_off(), 0);
}

TEST(contract_death_test, says_where_what_and_what_to_do) {
    EXPECT_EXIT(static_cast<void>(half(7)), testing::KilledBySignal(SIGABRT),
                "contract_test.cpp:[0-9]+\n.*even % 2 == 0\n.*even numbers only");
}

TEST(contract_death_test, traps_without_a_word) {
    if (std::getenv("NORIA_TEST_EMULATED") != nullptr)
        GTEST_SKIP() << "the emulator has a word to say";
    EXPECT_DEATH(trap_unless(false), "^$");
}

} // namespace
