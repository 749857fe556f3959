// SPDX-License-Identifier: BSL-1.0
#include "explorer/bodies/mpsc_ring.hpp"

#include <gtest/gtest.h>

#include "explorer/proof.hpp"

namespace {

using explorer::sync;
using namespace bodies;

template <class Body>
void holds() {
    explorer::expect_proved<Body>({.preemptions = 2, .stale_reads = 2});
}

TEST(mpsc_ring_proof, items_come_once_and_in_the_order_of_each_producer) {
    holds<mpsc_ring_body<sync, 1, 1, 2>>();
    holds<mpsc_ring_body<sync, 2, 1, 3>>();
    holds<mpsc_ring_body<sync, 3, 1, 2>>();
}

TEST(mpsc_ring_proof, a_burst_comes_whole) {
    holds<mpsc_ring_body<sync, 2, 2, 2>>();
    holds<mpsc_ring_body<sync, 3, 2, 2>>();
    holds<mpsc_ring_body<sync, 4, 2, 2>>();
}

TEST(mpsc_ring_proof, what_is_abandoned_is_passed) {
    holds<mpsc_ring_body<sync, 1, 1, 2, true>>();
    holds<mpsc_ring_body<sync, 2, 2, 2, true>>();
    holds<mpsc_ring_body<sync, 3, 2, 2, true>>();
}

TEST(mpsc_ring_proof, a_full_ring_has_nothing_to_reserve) {
    holds<mpsc_ring_short_body<sync, 1, 2>>();
    holds<mpsc_ring_short_body<sync, 2, 2>>();
    holds<mpsc_ring_short_body<sync, 3, 2>>();
}

TEST(mpsc_ring_proof, what_was_pushed_before_leaves_before) {
    holds<mpsc_ring_order_body<sync>>();
}

} // namespace
