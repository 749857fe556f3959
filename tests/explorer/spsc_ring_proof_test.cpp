// SPDX-License-Identifier: BSL-1.0
#include "explorer/bodies/spsc_ring.hpp"

#include <gtest/gtest.h>

#include "explorer/proof.hpp"

namespace {

using explorer::expect_proved;
using explorer::sync;
using namespace bodies;

constexpr explorer::bounds wide{.preemptions = 4, .stale_reads = 4};

TEST(spsc_ring_proof, one_by_one) {
    expect_proved<spsc<sync, one_by_one, 1>>(wide);
    expect_proved<spsc<sync, one_by_one, 2>>(wide);
    expect_proved<spsc<sync, one_by_one, 3>>(wide);
}

TEST(spsc_ring_proof, slots_returned_in_chunks) {
    expect_proved<spsc<sync, one_by_one, 2, 2>>(wide);
    expect_proved<spsc<sync, in_bursts, 3, 2>>(wide);
}

TEST(spsc_ring_proof, in_bursts) {
    expect_proved<spsc<sync, in_bursts, 1>>(wide);
    expect_proved<spsc<sync, in_bursts, 2>>(wide);
    expect_proved<spsc<sync, in_bursts, 3>>(wide);
}

TEST(spsc_ring_proof, all_or_nothing) {
    expect_proved<spsc<sync, in_bulk, 2>>(wide);
    expect_proved<spsc<sync, in_bulk, 3>>(wide);
}

TEST(spsc_ring_proof, in_place_and_in_part) {
    expect_proved<spsc<sync, in_part, 1>>(wide);
    expect_proved<spsc<sync, in_part, 2>>(wide);
    expect_proved<spsc<sync, in_part, 3>>(wide);
}

} // namespace
