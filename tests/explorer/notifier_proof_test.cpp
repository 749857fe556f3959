// SPDX-License-Identifier: BSL-1.0
#include "explorer/bodies/notifier.hpp"

#include <gtest/gtest.h>

#include "explorer/proof.hpp"

namespace {

using explorer::expect_proved;
using explorer::sync;
using namespace bodies;

TEST(notifier_proof, no_wake_up_is_lost_between_two_sleepers) {
    expect_proved<two_sleepers<sync, model_futex, 1, 3>>();
    expect_proved<two_sleepers<sync, model_futex, 2, 3>>();
    expect_proved<two_sleepers<sync, model_futex, 3, 4>>();
}

TEST(notifier_proof, no_wake_up_is_lost_in_a_descriptor_that_counts) {
    expect_proved<two_sleepers<sync, model_eventfd, 1, 3>>();
    expect_proved<two_sleepers<sync, model_eventfd, 2, 3>>();
}

TEST(notifier_proof, no_wake_up_is_lost_where_two_producers_share_a_bell) {
    expect_proved<one_bell<sync, model_futex>>();
    expect_proved<one_bell<sync, model_eventfd>>();
}

} // namespace
