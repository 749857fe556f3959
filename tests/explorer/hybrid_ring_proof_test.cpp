// SPDX-License-Identifier: BSL-1.0
#include "explorer/bodies/hybrid_ring.hpp"

#include <gtest/gtest.h>

#include "explorer/proof.hpp"

namespace {

using explorer::expect_proved;
using explorer::sync;
using namespace bodies;

TEST(hybrid_ring_proof, who_takes_one_at_a_time_goes_by_the_bits) {
    expect_proved<hybrid_ring_there<sync, taking::singly, 1, 1>>();
    expect_proved<hybrid_ring_there<sync, taking::singly, 2, 2>>();
    expect_proved<hybrid_ring_there<sync, taking::singly, 3, 2>>();
}

TEST(hybrid_ring_proof, who_takes_bursts_goes_by_the_index_too) {
    expect_proved<hybrid_ring_there<sync, taking::in_bursts, 1, 1>>();
    expect_proved<hybrid_ring_there<sync, taking::in_bursts, 2, 2>>();
    expect_proved<hybrid_ring_there<sync, taking::in_bursts, 3, 2>>();
    expect_proved<hybrid_ring_there<sync, taking::in_bursts, 4, 3>>();
}

} // namespace
