// SPDX-License-Identifier: BSL-1.0
#include "explorer/bodies/fan_in.hpp"

#include <gtest/gtest.h>

#include "explorer/proof.hpp"

namespace {

using explorer::sync;
using namespace bodies;

template <class Body>
void holds() {
    explorer::expect_proved<Body>({.preemptions = 2, .stale_reads = 2});
}

TEST(fan_in_proof, no_item_waits_for_a_bell) {
    holds<fan_in_body<sync, 1, 2>>();
    holds<fan_in_body<sync, 2, 3>>();
    holds<fan_in_body<sync, 3, 2>>();
}

} // namespace
