// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <utility>

#include "noria/core/cacheline.hpp"
#include "noria/core/clock.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/result.hpp"
#include "noria/core/sync.hpp"
#include "noria/memory/page.hpp"
#include "noria/memory/recycler.hpp"
#include "noria/stats/counter.hpp"

namespace noria::inline NORIA_ABI {

struct page_pool_options {
    bool track_ages = false; // for outstanding(): 8 bytes a page, and a store each time one is handed out
};

// What became of requests and returns, one count a page. Pages that find no room, that come from the system
// one day and go back there on another, or lie on the wrong node are not counted, as there are none: all
// pages of a pool are its own from set-up on, and both ways home have room for all of them.
//
//   handed out    = alloc_fast + alloc_refill
//   asked for     = handed out + alloc_fail
//   handed out    = recycle_cached + recycle_ring + in_flight()
struct page_pool_counters {
    std::uint64_t alloc_fast = 0;     // off the owner's stack
    std::uint64_t alloc_refill = 0;   // the first one after the stack was filled from the return ring
    std::uint64_t alloc_empty = 0;    // looks into the ring that found nothing (looks, not pages)
    std::uint64_t alloc_fail = 0;     // not handed out, for want of any
    std::uint64_t recycle_cached = 0; // straight back onto the owner's stack
    std::uint64_t recycle_ring = 0;   // through the return ring; counted where it is emptied
};

// Equal pages cut from memory that is mapped once and never given back to the system meanwhile.
//
// One thread at a time allocates (see basic_recycler::owner_section); any thread frees, by releasing the last
// reference to a page. Neither waits, calls the system, or can fail but for "dry".
//
// The pool may go while pages are out: they stay good, the last one to come home frees the bookkeeping (on
// whatever thread that happens: the one time that a release calls the system's allocator), and a release may
// race with the end of the pool. The memory is the caller's, and must outlive the pages.
template <class Sync = std_sync>
class basic_page_pool {
  public:
    using page_type = basic_page<Sync>;

    // Set-up. As many pages of `page_bytes` as fit in `memory`, which stays the caller's. `page_bytes` is a
    // multiple of the cache line, so that no two pages share one.
    [[nodiscard]] static result<basic_page_pool> create(std::span<std::byte> memory, std::uint32_t page_bytes,
                                                        page_pool_options options = {}) noexcept {
        if (page_bytes == 0 || page_bytes % cache_line != 0)
            return make_error(std::errc::invalid_argument,
                              "a page is a multiple of the cache line and not empty: round page_bytes up");
        if (reinterpret_cast<std::uintptr_t>(memory.data()) % cache_line != 0)
            return make_error(std::errc::invalid_argument, "a pool's memory begins on a cache line, so that "
                                                           "no two pages share one: align it");
        const std::size_t pages = memory.size() / page_bytes;
        if (pages == 0 || pages > (1u << 31))
            return make_error(std::errc::invalid_argument,
                              "a pool holds between 1 and 2^31 pages: give it at least page_bytes of memory");
        basic_page_pool pool;
        pool.body_ = new (std::nothrow) body;
        if (pool.body_ == nullptr ||
            !pool.body_->set_up(memory.data(), page_bytes, static_cast<std::uint32_t>(pages), options))
            return make_error(std::errc::not_enough_memory,
                              "the system has no memory for the pool's bookkeeping (about 48 bytes a page)");
        return pool;
    }

    basic_page_pool(basic_page_pool&& other) noexcept : body_(std::exchange(other.body_, nullptr)) {}
    basic_page_pool& operator=(basic_page_pool&& other) noexcept {
        basic_page_pool(std::move(other)).swap(*this);
        return *this;
    }
    // The owner, outside all sections. Waits for returns that another thread is in the middle of.
    ~basic_page_pool() {
        if (body_ != nullptr && body_->free_.close(body_->count_))
            delete body_;
    }
    void swap(basic_page_pool& other) noexcept { std::swap(body_, other.body_); }

    // The owner. A page with one reference, or null when all are out. O(1).
    [[nodiscard]] page_type* allocate() noexcept {
        if (!body_->free_.cached().empty()) {
            body_->alloc_fast_.add(1);
        } else if (body_->collect() != 0) {
            body_->alloc_refill_.add(1);
        } else {
            body_->count_dry(1);
            return nullptr;
        }
        page_type& taken = body_->free_.take_cached();
        body_->hand_out(taken);
        return &taken;
    }

    // The owner. As many pages with one reference each as there are, up to all that `to` has room for; says
    // how many. O(count).
    [[nodiscard]] std::uint32_t allocate_burst(std::span<page_type*> to) noexcept {
        std::uint32_t got = body_->free_.take_cached(to);
        body_->alloc_fast_.add(got);
        while (got != to.size()) {
            if (body_->collect() == 0) {
                body_->count_dry(to.size() - got);
                break;
            }
            const std::uint32_t more = body_->free_.take_cached(to.subspan(got));
            body_->alloc_refill_.add(1);
            body_->alloc_fast_.add(more - 1);
            got += more;
        }
        if (page_type::at_home != 1 || body_->since_ != nullptr)
            for (page_type* const each : to.first(got))
                body_->hand_out(*each);
        return got;
    }

    // The owner. Pages that nobody else ever had a reference to go back without a look at their count.
    void give_back(page_type& unused) noexcept {
        page_type* const pointer = &unused;
        give_back({&pointer, 1});
    }
    void give_back(std::span<page_type* const> unused) noexcept {
        if constexpr (page_type::at_home != 1)
            for (page_type* const each : unused) {
                NORIA_EXPECTS(each->references() == 1,
                              "only a page that was never shared is given back: release() one that was");
                each->start(page_type::at_home);
            }
        body_->free_.give_cached(unused);
        body_->recycle_cached_.add(unused.size());
    }

    // While one lives, its thread is the owner: it allocates, and frees without atomics. A poll makes one.
    class [[nodiscard]] owner_section {
      public:
        explicit owner_section(basic_page_pool& pool) noexcept : section_(pool.body_->free_) {}

      private:
        typename basic_recycler<page_type, Sync>::owner_section section_;
    };
    [[nodiscard]] owner_section enter() noexcept { return owner_section(*this); }

    // Any thread. The page an address lies in, or null when it is not of this pool: how a completion that
    // names its buffer by address finds its page. O(1), one division.
    [[nodiscard]] page_type* page_of(const std::byte* address) const noexcept {
        const auto distance =
            reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(body_->memory_);
        const std::size_t index = distance / body_->page_bytes_;
        return index < body_->count_ ? &body_->pages_[index] : nullptr;
    }

    [[nodiscard]] std::uint32_t page_bytes() const noexcept { return body_->page_bytes_; }
    [[nodiscard]] std::uint32_t pages() const noexcept { return body_->count_; }

    // The owner. Pages that nobody holds, and pages that somebody does.
    [[nodiscard]] std::uint32_t free() const noexcept {
        body_->collect();
        return static_cast<std::uint32_t>(body_->free_.cached().size());
    }
    [[nodiscard]] std::uint32_t in_flight() const noexcept { return body_->count_ - free(); }

    // The owner, say once a poll: what time it is, for the pages handed out from here on. Never less than
    // before.
    void set_now(nanoseconds now) noexcept { body_->now_ = now; }

    // The owner of a pool made with .track_ages: visit(page, age) for each page that is out; its age is
    // how long ago it was handed out, in order of address. A page that comes home meanwhile may be visited
    // still. O(pages): for somebody who looks for a leak, not for the data path.
    template <class Visit>
    void outstanding(Visit&& visit) const noexcept {
        NORIA_EXPECTS(body_->since_ != nullptr,
                      "ages are kept when they are asked for: create the pool with {.track_ages = true}");
        body_->collect();
        for (const page_type* home : body_->free_.cached())
            body_->since_[home - body_->pages_] = body::not_out;
        for (std::uint32_t i = 0; i != body_->count_; ++i)
            if (body_->since_[i] != body::not_out)
                visit(body_->pages_[i], body_->now_ - body_->since_[i]);
    }

    // Any thread; each is right by itself, and the sums are when nobody allocates or frees.
    [[nodiscard]] page_pool_counters counters() const noexcept {
        return {.alloc_fast = body_->alloc_fast_.value(),
                .alloc_refill = body_->alloc_refill_.value(),
                .alloc_empty = body_->alloc_empty_.value(),
                .alloc_fail = body_->alloc_fail_.value(),
                .recycle_cached = body_->recycle_cached_.value(),
                .recycle_ring = body_->recycle_ring_.value()};
    }
    // Any thread. Pages ever handed out, and pages asked for when there was none.
    [[nodiscard]] std::uint64_t allocated() const noexcept {
        return body_->alloc_fast_.value() + body_->alloc_refill_.value();
    }
    [[nodiscard]] std::uint64_t dry() const noexcept { return body_->alloc_fail_.value(); }

  private:
    // What the pages point to stays put while the handle moves, and until the last page is home.
    struct body {
        static constexpr nanoseconds not_out = ~nanoseconds{0};

        body() noexcept : owner_{this, &take_back, &take_back_burst} {}
        body(const body&) = delete;
        body& operator=(const body&) = delete;
        ~body() {
            ::operator delete[](static_cast<void*>(pages_), std::align_val_t{cache_line});
            delete[] since_;
        }

        [[nodiscard]] bool set_up(std::byte* memory, std::uint32_t page_bytes, std::uint32_t pages,
                                  page_pool_options options) noexcept {
            memory_ = memory;
            page_bytes_ = page_bytes;
            if (options.track_ages) {
                since_ = new (std::nothrow) nanoseconds[pages];
                if (since_ == nullptr)
                    return false;
            }
            void* raw =
                ::operator new[](pages * sizeof(page_type), std::align_val_t{cache_line}, std::nothrow);
            if (raw == nullptr || !free_.reserve(pages)) {
                ::operator delete[](raw, std::align_val_t{cache_line});
                return false;
            }
            pages_ = static_cast<page_type*>(raw);
            count_ = pages;
            for (std::uint32_t i = pages;
                 i-- != 0;) // backwards: the stack then hands them out in address order
                free_.put_first(*::new (&pages_[i])
                                    page_type(memory + std::size_t{i} * page_bytes, page_bytes, owner_));
            return true;
        }

        void hand_out(page_type& taken) noexcept {
            if constexpr (page_type::at_home != 1)
                taken.start(1);
            if (since_ != nullptr) [[unlikely]]
                since_[&taken - pages_] = now_;
        }
        std::uint32_t collect() noexcept {
            const std::uint32_t returned = free_.collect();
            recycle_ring_.add(returned);
            return returned;
        }
        void count_dry(std::uint64_t pages) noexcept {
            alloc_empty_.add(1);
            alloc_fail_.add(pages);
        }

        static void take_back(void* pool, page_type& returned) noexcept {
            body& home = *static_cast<body*>(pool);
            home.note(home.free_.give(returned), 1);
        }
        static void take_back_burst(void* pool, std::span<page_type* const> returned) noexcept {
            body& home = *static_cast<body*>(pool);
            home.note(home.free_.give(returned), returned.size());
        }
        // A page in the ring, or late and not the last, may be the end of the body: it is not touched then.
        void note(way_home went, std::size_t pages) noexcept {
            if (went == way_home::cached)
                recycle_cached_.add(pages);
            else if (went == way_home::last)
                delete this;
        }

        std::byte* memory_ = nullptr;
        page_type* pages_ = nullptr;
        std::uint32_t page_bytes_ = 0;
        std::uint32_t count_ = 0;
        nanoseconds* since_ = nullptr; // when each page was handed out; null when ages are not kept
        basic_page_owner<Sync> owner_;
        basic_recycler<page_type, Sync> free_;
        basic_counter<Sync> alloc_fast_;
        basic_counter<Sync> alloc_refill_;
        basic_counter<Sync> alloc_empty_;
        basic_counter<Sync> alloc_fail_;
        basic_counter<Sync> recycle_cached_;
        basic_counter<Sync> recycle_ring_;
        nanoseconds now_ = 0;
    };

    basic_page_pool() = default;

    body* body_ = nullptr;
};

using page_pool = basic_page_pool<>;

} // namespace noria::inline NORIA_ABI
