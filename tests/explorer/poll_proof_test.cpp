// SPDX-License-Identifier: BSL-1.0
#include "explorer/bodies/poll.hpp"

#include <gtest/gtest.h>

#include "explorer/proof.hpp"

namespace {

using explorer::expect_proved;
using explorer::sync;
using namespace bodies;

// Bodies of three threads that sleep have many executions.
constexpr explorer::bounds narrower{.preemptions = 2, .stale_reads = 2};

TEST(poll_proof, a_device_that_raises_at_any_point_is_served) {
    expect_proved<raised_at_any_point<sync, model_futex, 1>>();
    expect_proved<raised_at_any_point<sync, model_futex, 2>>();
    expect_proved<raised_at_any_point<sync, model_eventfd, 1>>();
    expect_proved<raised_at_any_point<sync, model_eventfd, 2>>();
}

TEST(poll_proof, a_call_in_a_turn_or_between_turns_is_answered) {
    expect_proved<called_by_two<sync, 1>>();
    expect_proved<called_by_two<sync, 2>>();
    expect_proved<enabled_and_called<sync>>();
}

TEST(poll_proof, nobody_polls_what_is_disabled_and_no_call_is_forgotten) {
    expect_proved<waited_for<sync>>();
    expect_proved<disabled_between_turns<sync>>();
    expect_proved<disabled_and_called<sync>>(narrower);
    expect_proved<disabled_on_its_own_thread<sync, false>>();
    expect_proved<disabled_on_its_own_thread<sync, true>>(narrower);
}

TEST(poll_proof, no_call_is_lost_in_a_move) {
    expect_proved<moved_between_pollers<sync>>();
    expect_proved<moved_before_its_poller_goes<sync>>();
}

TEST(poll_proof, one_at_a_time_polls_reader_or_poller) {
    expect_proved<polled_by_its_reader<sync>>();
}

TEST(poll_proof, each_arming_is_answered_once) {
    expect_proved<armed_by_a_loop<sync>>();
}

TEST(poll_proof, foreground_and_background_drive_in_turn) {
    expect_proved<passed_to_a_sleeper<sync>>();
    expect_proved<shared_with_the_background<sync, model_futex>>(narrower);
    expect_proved<shared_with_the_background<sync, model_eventfd>>(narrower);
}

} // namespace
