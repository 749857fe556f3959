// SPDX-License-Identifier: BSL-1.0
#include "explorer/bodies/shared.hpp"

#include <gtest/gtest.h>

#include "explorer/proof.hpp"

namespace {

using explorer::expect_proved;
using explorer::sync;
using namespace bodies;

TEST(shared_proof, a_ring_is_found_when_it_is_whole) {
    expect_proved<create_and_attach<sync, 1>>();
    expect_proved<create_and_attach<sync, 2>>();
    expect_proved<create_and_attach<sync, 3>>();
}

TEST(shared_proof, a_role_goes_from_hand_to_hand) {
    expect_proved<role_handed_on<sync, 1>>({.preemptions = 2});
    expect_proved<role_handed_on<sync, 2>>({.preemptions = 2});
    expect_proved<role_handed_on<sync, 3>>({.preemptions = 2});
}

TEST(shared_proof, a_role_is_taken_from_the_dead) {
    expect_proved<role_of_the_dead<sync, 1>>();
    expect_proved<role_of_the_dead<sync, 3>>();
}

} // namespace
