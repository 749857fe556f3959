// SPDX-License-Identifier: BSL-1.0
#include "explorer/bodies/device_ring.hpp"

#include <gtest/gtest.h>

#include "explorer/proof.hpp"

namespace {

using explorer::expect_proved;
using explorer::sync;
using namespace bodies;

TEST(device_ring_proof, there_and_back_by_done_bit) {
    expect_proved<device_ring_there_and_back<sync, done_descriptor, 1>>();
    expect_proved<device_ring_there_and_back<sync, done_descriptor, 2>>();
    expect_proved<device_ring_there_and_back<sync, done_descriptor, 3>>();
    expect_proved<device_ring_there_and_back<sync, done_descriptor, 4>>(); // a whole line at once
}

TEST(device_ring_proof, there_and_back_by_phase) {
    expect_proved<device_ring_there_and_back<sync, lap_descriptor, 1>>();
    expect_proved<device_ring_there_and_back<sync, lap_descriptor, 2>>();
    expect_proved<device_ring_there_and_back<sync, lap_descriptor, 3>>();
}

TEST(device_ring_proof, one_report_for_several) {
    expect_proved<device_ring_there_and_back<sync, done_descriptor, 2, 2>>();
    expect_proved<device_ring_there_and_back<sync, done_descriptor, 3, 2>>();
    expect_proved<device_ring_there_and_back<sync, lap_descriptor, 3, 4>>();
}

TEST(device_ring_proof, who_hears_the_bell_finds_what_it_rang_for) {
    expect_proved<device_ring_there_and_back<sync, done_descriptor, 1, 1, true>>();
    expect_proved<device_ring_there_and_back<sync, lap_descriptor, 3, 2, true>>();
}

} // namespace
