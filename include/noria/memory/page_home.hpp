// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include "noria/core/cacheline.hpp"
#include "noria/core/clock.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/sync.hpp"
#include "noria/memory/page.hpp"
#include "noria/memory/page_pool_counters.hpp"
#include "noria/memory/pool_source.hpp"
#include "noria/memory/recycler.hpp"
#include "noria/memory/source_ref.hpp"

namespace noria::inline NORIA_ABI {

struct page_pool_options {
    bool track_ages = false; // for outstanding(): 8 bytes a page, and a store each time one is handed out
};

// What the pages of a pool point to, and where they go when nobody holds them. It stays put while the pool's
// handle moves, and when that has gone, until the last page is home.
//
// Of the owner, but for the ways home, which any thread takes.
template <class Sync = std_sync>
class basic_page_home {
    template <class>
    friend class basic_page_pool;

    using page_type = basic_page<Sync>;
    using source_type = basic_pool_source<Sync>;

    static constexpr nanoseconds not_out = ~nanoseconds{0};

    basic_page_home() = default;
    basic_page_home(const basic_page_home&) = delete;
    basic_page_home& operator=(const basic_page_home&) = delete;
    ~basic_page_home() {
        delete source_;
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
        void* raw = ::operator new[](pages * sizeof(page_type), std::align_val_t{cache_line}, std::nothrow);
        if (raw == nullptr || !free_.reserve(pages)) {
            ::operator delete[](raw, std::align_val_t{cache_line});
            return false;
        }
        pages_ = static_cast<page_type*>(raw);
        count_ = pages;
        return true;
    }
    void own_all() noexcept {
        owner_ = {this, &take_back, &take_back_burst};
        make_pages(owner_);
        for (std::uint32_t i = count_; i-- != 0;) // the stack then hands them out in address order
            free_.put_first(pages_[i]);
    }
    [[nodiscard]] bool draw_from(source_ref source, unsigned order, page_pool_limits limits) noexcept {
        owner_ = {this, &recycle, &recycle_burst};
        emergency_ = {this, &release};
        make_pages(source_type::nobody());
        source_ = new (std::nothrow) source_type(source, order, limits, {owner_, emergency_}, counts_);
        return source_ != nullptr && source_->reserve({pages_, count_});
    }
    void make_pages(const basic_page_owner<Sync>& owner) noexcept {
        for (std::uint32_t i = 0; i != count_; ++i)
            ::new (&pages_[i]) page_type(memory_ + std::size_t{i} * page_bytes_, page_bytes_, owner);
    }

    void hand_out(page_type& taken) noexcept {
        if constexpr (page_type::at_home != 1)
            taken.start(1);
        if (since_ != nullptr) [[unlikely]]
            since_[&taken - pages_] = now_;
    }

    void come_back([[maybe_unused]] page_type& unused) noexcept {
        if constexpr (page_type::at_home != 1) {
            NORIA_EXPECTS(unused.references() == 1,
                          "only a page that was never shared is given back: release() one that was");
            unused.start(page_type::at_home);
        }
    }

    // There is one on the stack.
    [[nodiscard]] page_type& take_cached() noexcept {
        page_type& taken = free_.take_cached();
        hand_out(taken);
        return taken;
    }
    // The rest of allocate and allocate_burst, with an empty stack. Calls, so that those stay short.
    [[nodiscard, gnu::noinline]] page_type* fetch_one() noexcept {
        if (fetch())
            return &take_cached();
        counts_.alloc_fail.add(1);
        return nullptr;
    }
    [[nodiscard, gnu::noinline]] std::uint32_t fetch_rest(std::span<page_type*> to,
                                                          std::uint32_t got) noexcept {
        while (got != to.size()) {
            if (!fetch()) {
                counts_.alloc_fail.add(to.size() - got);
                break;
            }
            const std::uint32_t more = free_.take_cached(to.subspan(got));
            counts_.alloc_fast.add(more - 1);
            got += more;
        }
        return got;
    }
    // Pages onto the empty stack, or false. Counts where the first one came from.
    [[nodiscard]] bool fetch() noexcept {
        if (source_ != nullptr)
            return source_->fetch(free_);
        const bool found = collect() != 0;
        (found ? counts_.alloc_refill : counts_.alloc_empty).add(1);
        return found;
    }
    std::uint32_t collect() noexcept {
        const std::uint32_t returned = free_.collect();
        counts_.recycle_ring.add(returned);
        return returned;
    }

    // What came home meanwhile is put where it belongs first.
    [[nodiscard]] std::uint32_t free() noexcept {
        std::uint32_t in_ring = 0;
        if (source_ != nullptr) {
            source_->sort(free_);
            in_ring = source_->in_ring();
        } else {
            collect();
        }
        return static_cast<std::uint32_t>(free_.cached().size()) + in_ring;
    }
    [[nodiscard]] std::uint32_t here() const noexcept {
        return source_ != nullptr ? source_->here() : count_;
    }

    void forget_ages_at_home() noexcept {
        static_cast<void>(free());
        for (const page_type* home : free_.cached())
            since_[home - pages_] = not_out;
        if (source_ == nullptr)
            return;
        for (std::uint32_t i = 0; i != source_->in_ring(); ++i)
            since_[&source_->ring_at(i) - pages_] = not_out;
        for (std::uint32_t i = 0; i != count_; ++i)
            if (!source_->is_here(pages_[i]))
                since_[i] = not_out;
    }

    // The pool goes, and what is at home with it. True when nobody has a page: then finish().
    [[nodiscard]] bool close() noexcept {
        free_.close();
        const std::uint32_t out = source_ != nullptr
                                      ? source_->give_home(free_)
                                      : count_ - static_cast<std::uint32_t>(free_.cached().size());
        return free_.leave(out);
    }
    // Once, by whoever sees that the pool is gone and its last page home.
    [[gnu::cold]] void finish() noexcept {
        if (source_ != nullptr)
            source_->give_rest();
        delete this;
    }

    // What the owner gives back to a pool with a source.
    [[gnu::noinline]] void keep_or_release(page_type& unused) noexcept {
        if (source_->is_emergency(unused))
            source_->release(unused);
        else
            source_->recycle(free_, unused);
    }
    [[gnu::noinline]] void keep_or_release(std::span<page_type* const> unused) noexcept {
        for (page_type* const each : unused)
            keep_or_release(*each);
    }

    // The ways home of a pool without a source, ...
    static void take_back(void* pool, page_type& returned) noexcept {
        auto& home = *static_cast<basic_page_home*>(pool);
        if (home.free_.entered()) {
            home.counts_.recycle_cached.add(1); // first: measured to be a tenth faster
            home.free_.give_cached(returned);
        } else {
            home.send(returned);
        }
    }
    static void take_back_burst(void* pool, std::span<page_type* const> returned) noexcept {
        auto& home = *static_cast<basic_page_home*>(pool);
        if (home.free_.entered()) {
            home.free_.give_cached(returned);
            home.counts_.recycle_cached.add(returned.size());
        } else {
            home.send(returned);
        }
    }
    // ... of one with a source, ...
    static void recycle(void* pool, page_type& returned) noexcept {
        auto& home = *static_cast<basic_page_home*>(pool);
        if (home.free_.entered())
            home.source_->recycle(home.free_, returned);
        else
            home.send(returned);
    }
    static void recycle_burst(void* pool, std::span<page_type* const> returned) noexcept {
        auto& home = *static_cast<basic_page_home*>(pool);
        if (home.free_.entered())
            home.source_->recycle(home.free_, returned);
        else
            home.send(returned);
    }
    // ... and of the pages that the source wants back.
    static void release(void* pool, page_type& returned) noexcept {
        auto& home = *static_cast<basic_page_home*>(pool);
        if (home.free_.entered())
            home.source_->release(returned);
        else
            home.send(returned);
    }
    // Through the ring, of any thread. A page in there, or late and not the last, may be the end of all this:
    // nothing is touched then. Calls, so that the owner's ways stay short.
    [[gnu::noinline]] void send(page_type& returned) noexcept {
        if (free_.send(returned) == way_home::last)
            finish();
    }
    [[gnu::noinline]] void send(std::span<page_type* const> returned) noexcept {
        if (free_.send(returned) == way_home::last)
            finish();
    }

    std::byte* memory_ = nullptr;
    page_type* pages_ = nullptr;
    std::uint32_t page_bytes_ = 0;
    std::uint32_t count_ = 0;
    nanoseconds* since_ = nullptr; // when each page was handed out; null when ages are not kept
    source_type* source_ = nullptr;
    basic_page_owner<Sync> owner_{};
    basic_page_owner<Sync> emergency_{};
    basic_recycler<page_type, Sync> free_;
    basic_page_pool_counts<Sync> counts_;
    nanoseconds now_ = 0;
};

} // namespace noria::inline NORIA_ABI
