// SPDX-License-Identifier: BSL-1.0
#include "explorer/bodies/foreign_ring.hpp"

#include <gtest/gtest.h>

#include "explorer/proof.hpp"

namespace {

using explorer::expect_proved;
using explorer::sync;
using namespace bodies;

// Powers of two only: a foreign ring uses all its slots.
TEST(foreign_ring_proof, halves_understand_each_other) {
    expect_proved<foreign_halves<sync, 1>>();
    expect_proved<foreign_halves<sync, 2>>();
    expect_proved<foreign_halves<sync, 4>>();
}

} // namespace
