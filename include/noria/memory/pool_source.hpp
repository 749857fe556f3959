// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include "noria/core/contract.hpp"
#include "noria/core/sync.hpp"
#include "noria/memory/page.hpp"
#include "noria/memory/page_pool_counters.hpp"
#include "noria/memory/recycler.hpp"
#include "noria/memory/source_ref.hpp"

namespace noria::inline NORIA_ABI {

// How many pages a pool with a source keeps, and where.
struct page_pool_limits {
    static constexpr std::uint32_t all = ~0u; // as many as there can be

    std::uint32_t cache = all; // on the owner's stack
    std::uint32_t refill = 64; // moved to the empty stack at a time, from the ring or from the source
    std::uint32_t ring = all;  // in the ring: freed elsewhere, or by the owner when its stack was full
};

// As a network driver on Linux has it.
inline constexpr page_pool_limits linux_page_pool{.cache = 128, .refill = 64, .ring = 1024};

// What stands between a page pool and its block source: the ring of bounded length, and the rules by which
// pages move from the source over the ring to the owner's stack, and back.
//
// Only the owner may use the source, and on Linux a return that finds the ring full gives the page to the
// system at once, on any thread. So there are two rings here. The recycler's return ring is the letter box:
// it has a slot for every page there can be, takes what any thread frees, and never refuses. This one is the
// owner's, and no longer than it was asked to be. The owner sorts the letter box into it, in order, before it
// looks; what finds no room goes to the source. As only the owner takes from either, and sorts first, it
// finds the same pages, and the same counts, as if each had been sorted when it came. (docs/decisions/0014)
//
// Thread: the owner. Source: Linux 6.12, net/core/page_pool.c (its behaviour, not its text).
template <class Sync = std_sync>
class basic_pool_source {
    using page_type = basic_page<Sync>;
    using owner_type = basic_page_owner<Sync>;
    using recycler = basic_recycler<page_type, Sync>;
    using counts = basic_page_pool_counts<Sync>;

  public:
    // Who takes home the pages that are recycled, and those that go back to the source instead.
    struct owners {
        const owner_type& recycled;
        const owner_type& emergency;
    };

    basic_pool_source(source_ref source, unsigned order, page_pool_limits limits, owners to,
                      counts& counted) noexcept
        : source_(source), order_(order), limits_(limits), recycled_(to.recycled), emergency_(to.emergency),
          counts_(counted) {}
    basic_pool_source(const basic_pool_source&) = delete;
    basic_pool_source& operator=(const basic_pool_source&) = delete;
    ~basic_pool_source() { delete[] ring_; }

    // Set-up. One record for each block that the source's memory has, in order of address; they stay the
    // pool's. False when the system has no memory for the ring.
    [[nodiscard]] bool reserve(std::span<page_type> records) noexcept {
        records_ = records;
        const auto blocks = static_cast<std::uint32_t>(records.size());
        limits_.cache = limits_.cache < blocks ? limits_.cache : blocks;
        limits_.refill = limits_.refill < limits_.cache ? limits_.refill : limits_.cache;
        limits_.ring = limits_.ring < blocks ? limits_.ring : blocks;
        const std::uint32_t slots = std::bit_ceil(limits_.ring == 0 ? 1u : limits_.ring);
        mask_ = slots - 1;
        ring_ = new (std::nothrow) page_type*[slots];
        return ring_ != nullptr;
    }

    // A page that was never taken from the source, or has gone back there, belongs to nobody.
    [[nodiscard]] static const owner_type& nobody() noexcept { return nobodys; }

    // With an empty stack: pages onto it, at least one, or false. Counts how it got them, but for failure.
    [[nodiscard]] bool fetch(recycler& free) noexcept {
        sort(free);
        if (in_ring() == 0)
            counts_.alloc_empty.add(1);
        else if (from_ring(free))
            return counted(counts_.alloc_refill);
        if (order_ != 0)
            return from_source(free, 1) && counted(counts_.alloc_slow_high_order);
        return from_source(free, limits_.refill) && counted(counts_.alloc_slow);
    }

    // The letter box into the ring.
    void sort(recycler& free) noexcept {
        free.collect([this](page_type& back) noexcept {
            if (is_emergency(back))
                release(back);
            else if (in_ring() != limits_.ring)
                put_into_ring(back);
            else
                give(back, counts_.recycle_ring_full);
        });
    }

    // The owner's own returns: onto the stack, or after the others into the letter box.
    void recycle(recycler& free, page_type& back) noexcept {
        if (free.cached().size() < limits_.cache) [[likely]] {
            free.give_cached(back);
            counts_.recycle_cached.add(1);
        } else {
            counts_.recycle_cache_full.add(1);
            free.send(back);
        }
    }
    void recycle(recycler& free, std::span<page_type* const> back) noexcept {
        const std::size_t room = limits_.cache - free.cached().size();
        const std::size_t fits = back.size() < room ? back.size() : room;
        free.give_cached(back.first(fits));
        counts_.recycle_cached.add(fits);
        if (fits != back.size()) {
            counts_.recycle_cache_full.add(back.size() - fits);
            free.send(back.subspan(fits));
        }
    }
    // A page that is not to be kept.
    [[nodiscard]] bool is_emergency(const page_type& back) const noexcept {
        return &back.owner() == &emergency_;
    }
    void release(page_type& back) noexcept { give(back, counts_.recycle_released_ref); }

    // Pages on other nodes are not wanted any more. A change of node empties the stack; the ring is looked
    // through as it is used.
    void set_node(recycler& free, int node) noexcept {
        if (node_ == node)
            return;
        node_ = node;
        give_stack(free);
    }

    [[nodiscard]] bool is_here(const page_type& record) const noexcept { return &record.owner() != &nobodys; }
    [[nodiscard]] std::uint32_t in_ring() const noexcept { return last_ - first_; }
    [[nodiscard]] page_type& ring_at(std::uint32_t i) const noexcept { return *ring_[(first_ + i) & mask_]; }
    // Pages that came from the source and have not gone back.
    [[nodiscard]] std::uint32_t here() const noexcept {
        return static_cast<std::uint32_t>(counts_.taken.value() - counts_.released.value());
    }

    // The pool goes, and no return gets in any more: what is at home goes back to the source. Says how many
    // are not at home.
    [[nodiscard]] std::uint32_t give_home(recycler& free) noexcept {
        give_stack(free);
        while (in_ring() != 0)
            give(take_from_ring());
        return here();
    }
    // Whoever brought the last one home, on whatever thread: those that were out when the pool went.
    void give_rest() noexcept {
        for (page_type& each : records_)
            if (is_here(each))
                give(each);
    }

  private:
    using counter_type = basic_counter<Sync>;

    [[nodiscard]] static bool counted(counter_type& first) noexcept {
        first.add(1);
        return true;
    }

    [[nodiscard]] bool from_ring(recycler& free) noexcept {
        std::uint32_t moved = 0;
        for (; moved != limits_.refill && in_ring() != 0; ++moved) {
            page_type& next = take_from_ring();
            if (is_far(next)) {
                give(next, counts_.alloc_waive);
                break;
            }
            free.give_cached(next);
        }
        return moved != 0;
    }

    // Part of it is success. An emergency page is the last: who asks gets it at once, and none waits here.
    [[nodiscard]] bool from_source(recycler& free, std::uint32_t most) noexcept {
        std::uint32_t moved = 0;
        for (bool emergency = false; moved != most && !emergency; ++moved) {
            std::byte* const block = source_.take(order_);
            if (block == nullptr)
                break;
            emergency = source_.is_emergency(block);
            page_type& taken = record_of(block);
            taken.set_owner(emergency ? emergency_ : recycled_);
            free.give_cached(taken);
        }
        counts_.taken.add(moved);
        return moved != 0;
    }

    [[nodiscard]] page_type& record_of(const std::byte* block) const noexcept {
        const page_type& first = records_.front();
        const auto offset = static_cast<std::size_t>(block - first.data());
        NORIA_EXPECTS(offset % first.size() == 0 && offset / first.size() < records_.size(),
                      "a source's blocks lie in its memory(), at multiples of their size from its start");
        return records_[offset / first.size()];
    }

    [[nodiscard]] bool is_far(const page_type& back) const noexcept {
        if (node_ == source_ref::any_node)
            return false;
        const int node = source_.node_of(back.data());
        return node != node_ && node != source_ref::any_node;
    }

    void give(page_type& back) noexcept {
        back.set_owner(nobodys);
        source_.give(back.data(), order_);
        counts_.released.add(1);
    }
    void give(page_type& back, counter_type& why) noexcept {
        give(back);
        why.add(1);
    }
    void give_stack(recycler& free) noexcept {
        while (!free.cached().empty())
            give(free.take_cached());
    }

    void put_into_ring(page_type& back) noexcept {
        ring_[last_++ & mask_] = &back;
        counts_.recycle_ring.add(1);
    }
    [[nodiscard]] page_type& take_from_ring() noexcept { return *ring_[first_++ & mask_]; }

    static void not_here(void*, page_type&) noexcept {
        NORIA_EXPECTS(false, "this page went back to its source: it was released twice");
    }
    static constexpr owner_type nobodys{nullptr, &not_here};

    source_ref source_;
    unsigned order_;
    page_pool_limits limits_;
    int node_ = source_ref::any_node;
    const owner_type& recycled_;
    const owner_type& emergency_;
    counts& counts_;
    std::span<page_type> records_;
    page_type** ring_ = nullptr;
    std::uint32_t mask_ = 0;
    std::uint32_t first_ = 0; // both run on and wrap
    std::uint32_t last_ = 0;
};

} // namespace noria::inline NORIA_ABI
