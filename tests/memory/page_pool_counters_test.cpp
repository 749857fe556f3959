// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/page_pool_counters.hpp"

#include <gtest/gtest.h>

#include "support/strict_sync.hpp"

namespace {

using namespace noria;

// Each a different power of two, so that a sum says which were added.
constexpr page_pool_counters powers{.alloc_fast = 1,
                                    .alloc_slow = 2,
                                    .alloc_slow_high_order = 4,
                                    .alloc_empty = 8,
                                    .alloc_refill = 16,
                                    .alloc_waive = 32,
                                    .alloc_fail = 64,
                                    .recycle_cached = 128,
                                    .recycle_ring = 256,
                                    .recycle_ring_full = 512,
                                    .recycle_released_ref = 1024,
                                    .recycle_cache_full = 2048,
                                    .taken = 4096,
                                    .released = 8192};
static_assert(powers.handed_out() == 1 + 2 + 4 + 16);
static_assert(powers.came_home() == 128 + 256 + 512 + 1024);

TEST(page_pool_counters, are_read_each_from_its_own_count) {
    basic_page_pool_counts<strict_sync> counted;
    EXPECT_EQ(counted.values().handed_out() + counted.values().came_home(), 0u);
    counted.alloc_fast.add(powers.alloc_fast);
    counted.alloc_slow.add(powers.alloc_slow);
    counted.alloc_slow_high_order.add(powers.alloc_slow_high_order);
    counted.alloc_empty.add(powers.alloc_empty);
    counted.alloc_refill.add(powers.alloc_refill);
    counted.alloc_waive.add(powers.alloc_waive);
    counted.alloc_fail.add(powers.alloc_fail);
    counted.recycle_cached.add(powers.recycle_cached);
    counted.recycle_ring.add(powers.recycle_ring);
    counted.recycle_ring_full.add(powers.recycle_ring_full);
    counted.recycle_released_ref.add(powers.recycle_released_ref);
    counted.recycle_cache_full.add(powers.recycle_cache_full);
    counted.taken.add(powers.taken);
    counted.released.add(powers.released);
    const page_pool_counters now = counted.values();
    EXPECT_EQ(now.alloc_fast, powers.alloc_fast);
    EXPECT_EQ(now.alloc_slow, powers.alloc_slow);
    EXPECT_EQ(now.alloc_slow_high_order, powers.alloc_slow_high_order);
    EXPECT_EQ(now.alloc_empty, powers.alloc_empty);
    EXPECT_EQ(now.alloc_refill, powers.alloc_refill);
    EXPECT_EQ(now.alloc_waive, powers.alloc_waive);
    EXPECT_EQ(now.alloc_fail, powers.alloc_fail);
    EXPECT_EQ(now.recycle_cached, powers.recycle_cached);
    EXPECT_EQ(now.recycle_ring, powers.recycle_ring);
    EXPECT_EQ(now.recycle_ring_full, powers.recycle_ring_full);
    EXPECT_EQ(now.recycle_released_ref, powers.recycle_released_ref);
    EXPECT_EQ(now.recycle_cache_full, powers.recycle_cache_full);
    EXPECT_EQ(now.taken, powers.taken);
    EXPECT_EQ(now.released, powers.released);
}

} // namespace
