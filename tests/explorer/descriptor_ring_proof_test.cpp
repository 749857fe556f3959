// SPDX-License-Identifier: BSL-1.0
#include "explorer/bodies/descriptor_ring.hpp"

#include <gtest/gtest.h>

#include "explorer/proof.hpp"

namespace {

using explorer::expect_proved;
using explorer::sync;
using namespace bodies;

TEST(descriptor_ring_proof, descriptors_go_one_way) {
    expect_proved<descriptor_ring_one_way<sync, 1, 1>>();
    expect_proved<descriptor_ring_one_way<sync, 2, 1>>();
    expect_proved<descriptor_ring_one_way<sync, 3, 1>>();
}

TEST(descriptor_ring_proof, bursts_come_whole) {
    expect_proved<descriptor_ring_one_way<sync, 2, 2>>();
    expect_proved<descriptor_ring_one_way<sync, 3, 2>>();
    expect_proved<descriptor_ring_one_way<sync, 4, 2>>(); // a whole line at once
    expect_proved<descriptor_ring_one_way<sync, 4, 3>>();
}

} // namespace
