// SPDX-License-Identifier: BSL-1.0
#include "explorer/bodies/memory.hpp"

#include <gtest/gtest.h>

#include "explorer/proof.hpp"

namespace {

using explorer::expect_proved;
using explorer::sync;
using namespace bodies;

TEST(memory_proof, a_page_goes_home_once_and_after_all_who_held_it) {
    expect_proved<page_of_three<sync>>();
    expect_proved<page_held_again<sync>>();
}

TEST(memory_proof, a_slot_of_the_return_ring_is_free_when_its_turn_comes_again) {
    expect_proved<return_ring_lapped<sync>>({.preemptions = 2, .stale_reads = 2});
}

TEST(memory_proof, a_ring_that_closes_has_what_got_in) {
    expect_proved<return_ring_closed<sync>>();
}

TEST(memory_proof, a_pool_that_goes_is_freed_once_and_last) {
    expect_proved<pool_that_goes<sync>>();
}

TEST(memory_proof, a_pool_gives_all_back_to_its_source_one_thread_at_a_time) {
    expect_proved<pool_with_source<sync>>({.preemptions = 2, .stale_reads = 2});
}

TEST(memory_proof, a_recycler_loses_nothing) {
    expect_proved<recycled<sync>>();
}

} // namespace
