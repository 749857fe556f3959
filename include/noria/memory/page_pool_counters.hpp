// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "noria/core/sync.hpp"
#include "noria/stats/counter.hpp"

namespace noria::inline NORIA_ABI {

// What became of requests and returns, one count a page unless it says otherwise. The names and meanings are
// those of Linux's page pool, with alloc_fail, taken and released added. What a pool without a source cannot
// do stays 0.
//
//   asked for        = handed_out() + alloc_fail
//   handed_out()     = came_home() + in_flight()
//   taken - released = in_flight() + free()        of a pool with a source
//
// Returns through the ring are counted by the owner, when it finds them there.
struct page_pool_counters {
    std::uint64_t alloc_fast = 0;            // off the owner's stack
    std::uint64_t alloc_slow = 0;            // the first one after the stack was filled from the source
    std::uint64_t alloc_slow_high_order = 0; // straight from the source: blocks of an order come singly
    std::uint64_t alloc_empty = 0;           // looks into the ring that found nothing (looks, not pages)
    std::uint64_t alloc_refill = 0;          // the first one after the stack was filled from the ring
    std::uint64_t alloc_waive = 0;           // found in the ring on a wrong node, and given to the source
    std::uint64_t alloc_fail = 0;            // not handed out, for want of any

    // Each page that comes home is counted in one of these, and in no other:
    std::uint64_t recycle_cached = 0;       // straight back onto the owner's stack
    std::uint64_t recycle_ring = 0;         // into the ring
    std::uint64_t recycle_ring_full = 0;    // to the source, as the ring was full
    std::uint64_t recycle_released_ref = 0; // to the source, as an emergency page is not kept
    // And this one comes on top:
    std::uint64_t recycle_cache_full = 0; // the owner's own, for which its stack had no room

    std::uint64_t taken = 0;    // blocks that ever came from the source
    std::uint64_t released = 0; // blocks that ever went back to it

    [[nodiscard]] constexpr std::uint64_t handed_out() const noexcept {
        return alloc_fast + alloc_refill + alloc_slow + alloc_slow_high_order;
    }
    [[nodiscard]] constexpr std::uint64_t came_home() const noexcept {
        return recycle_cached + recycle_ring + recycle_ring_full + recycle_released_ref;
    }
};

// The same, while it is counted: the owner moves them, and any thread reads. What every request and return
// moves lies in front.
template <class Sync>
struct basic_page_pool_counts {
    basic_counter<Sync> alloc_fast;
    basic_counter<Sync> alloc_refill;
    basic_counter<Sync> alloc_empty;
    basic_counter<Sync> alloc_fail;
    basic_counter<Sync> recycle_cached;
    basic_counter<Sync> recycle_ring;
    basic_counter<Sync> recycle_ring_full;
    basic_counter<Sync> recycle_released_ref;
    basic_counter<Sync> recycle_cache_full;
    basic_counter<Sync> alloc_slow;
    basic_counter<Sync> alloc_slow_high_order;
    basic_counter<Sync> alloc_waive;
    basic_counter<Sync> taken;
    basic_counter<Sync> released;

    // Any thread. Each is right by itself, and the sums are when nobody allocates or frees.
    [[nodiscard]] page_pool_counters values() const noexcept {
        return {.alloc_fast = alloc_fast.value(),
                .alloc_slow = alloc_slow.value(),
                .alloc_slow_high_order = alloc_slow_high_order.value(),
                .alloc_empty = alloc_empty.value(),
                .alloc_refill = alloc_refill.value(),
                .alloc_waive = alloc_waive.value(),
                .alloc_fail = alloc_fail.value(),
                .recycle_cached = recycle_cached.value(),
                .recycle_ring = recycle_ring.value(),
                .recycle_ring_full = recycle_ring_full.value(),
                .recycle_released_ref = recycle_released_ref.value(),
                .recycle_cache_full = recycle_cache_full.value(),
                .taken = taken.value(),
                .released = released.value()};
    }
};

} // namespace noria::inline NORIA_ABI
