// SPDX-License-Identifier: BSL-1.0
#include "explorer/bodies/backlog.hpp"

#include <gtest/gtest.h>

#include "explorer/proof.hpp"

namespace {

using explorer::expect_proved;
using explorer::sync;
using namespace bodies;

// Bodies of three threads have many executions.
constexpr explorer::bounds narrower{.preemptions = 2, .stale_reads = 2};

TEST(backlog_proof, no_call_is_lost_and_none_is_made_twice) {
    expect_proved<backlog_rearmed<sync>>(narrower);
}

TEST(backlog_proof, what_is_passed_is_delivered_and_tails_count_on) {
    expect_proved<backlog_passed<sync, 0, 1>>();
    expect_proved<backlog_passed<sync, 1, 1>>();
    expect_proved<backlog_passed<sync, 0, 2>>(narrower);
    expect_proved<backlog_passed<sync, 1, 2>>(narrower);
}

} // namespace
