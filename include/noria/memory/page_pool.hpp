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
#include "noria/memory/page_home.hpp"
#include "noria/memory/page_pool_counters.hpp"
#include "noria/memory/pool_source.hpp"
#include "noria/memory/recycler.hpp"
#include "noria/memory/source_ref.hpp"

namespace noria::inline NORIA_ABI {

// Equal pages: either cut from memory that the pool has from set-up on and keeps, or taken from a block
// source as they are wanted, and given back to it when the pool has enough.
//
// One thread at a time allocates (see basic_recycler::owner_section); any thread frees, by releasing the last
// reference to a page. Neither waits, calls the system, or can fail but for "dry". A pool with a source also
// uses that on the owner's thread, and no faster than the source is.
//
// The memory of both is mapped for a device once, as a whole, and stays so: a page that goes to its source
// and comes back is not mapped again. (Linux maps each page as it enters the pool.)
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
        result<basic_page_pool> made = make(memory, page_bytes, options);
        if (made)
            made->home_->own_all();
        return made;
    }

    // Set-up. Pages are blocks of `order` from `source`, which stays where it is; the pool begins with none.
    // Bookkeeping: about 56 bytes for each block that the source's memory has, out or not.
    //
    // The source is used on the owner's thread, as long as there is a pool. If pages are out when the pool
    // goes, the thread that brings the last one home gives all those to the source. So from the end of the
    // pool to that last release nobody else may use the source, and it outlives the pages: whoever goes on
    // with it has to know that they are home (has joined the threads that held them, say), unless none was
    // out, or the source is one that locks.
    template <block_source Source>
    [[nodiscard]] static result<basic_page_pool> create(Source& source, unsigned order = 0,
                                                        page_pool_limits limits = {},
                                                        page_pool_options options = {}) noexcept {
        if (order >= 32 || std::uint64_t{source.page_bytes()} << order > ~std::uint32_t{0})
            return make_error(std::errc::invalid_argument,
                              "a page is smaller than 4 GiB: ask the source for a smaller order");
        if (limits.cache == 0 || limits.refill == 0)
            return make_error(std::errc::invalid_argument,
                              "the owner's stack is filled with at least one page at a time, and has room "
                              "for it: make cache and refill 1 or more");
        result<basic_page_pool> made = make(source.memory(), source.page_bytes() << order, options);
        if (made && !made->home_->draw_from(source_ref(source), order, limits)) {
            delete std::exchange(made->home_, nullptr);
            return no_memory();
        }
        return made;
    }

    basic_page_pool(basic_page_pool&& other) noexcept : home_(std::exchange(other.home_, nullptr)) {}
    basic_page_pool& operator=(basic_page_pool&& other) noexcept {
        basic_page_pool(std::move(other)).swap(*this);
        return *this;
    }
    // The owner, outside all sections. Waits for returns that another thread is in the middle of.
    ~basic_page_pool() {
        if (home_ != nullptr && home_->close())
            home_->finish();
    }
    void swap(basic_page_pool& other) noexcept { std::swap(home_, other.home_); }

    // The owner. A page with one reference, or null when there is none to be had. O(1); with a source, up to
    // `refill` takes and a look through the returns.
    [[nodiscard]] page_type* allocate() noexcept {
        home_type& home = *home_;
        if (home.free_.cached().empty()) [[unlikely]]
            return home.fetch_one();
        page_type& taken = home.take_cached();
        home.counts_.alloc_fast.add(1);
        return &taken;
    }

    // The owner. As many pages with one reference each as there are, up to all that `to` has room for; says
    // how many. O(count).
    [[nodiscard]] std::uint32_t allocate_burst(std::span<page_type*> to) noexcept {
        const std::uint32_t cached = home_->free_.take_cached(to);
        home_->counts_.alloc_fast.add(cached);
        const std::uint32_t got = cached == to.size() ? cached : home_->fetch_rest(to, cached);
        if (page_type::at_home != 1 || home_->since_ != nullptr)
            for (page_type* const each : to.first(got))
                home_->hand_out(*each);
        return got;
    }

    // The owner. Pages that nobody else ever had a reference to go back without a look at their count.
    void give_back(page_type& unused) noexcept {
        home_->come_back(unused);
        if (home_->source_ != nullptr) [[unlikely]]
            return home_->keep_or_release(unused);
        home_->free_.give_cached(unused);
        home_->counts_.recycle_cached.add(1);
    }
    void give_back(std::span<page_type* const> unused) noexcept {
        if constexpr (page_type::at_home != 1)
            for (page_type* const each : unused)
                home_->come_back(*each);
        if (home_->source_ != nullptr) [[unlikely]]
            return home_->keep_or_release(unused);
        home_->free_.give_cached(unused);
        home_->counts_.recycle_cached.add(unused.size());
    }

    // While one lives, its thread is the owner: it allocates, and frees without atomics. A poll makes one.
    class [[nodiscard]] owner_section {
      public:
        explicit owner_section(basic_page_pool& pool) noexcept : section_(pool.home_->free_) {}

      private:
        typename basic_recycler<page_type, Sync>::owner_section section_;
    };
    [[nodiscard]] owner_section enter() noexcept { return owner_section(*this); }

    // The owner. From here on, pages on other NUMA nodes are not wanted; source_ref::any_node: all are. On a
    // change what lies on the stack goes back to the source, and of the ring, as it is used, what the source
    // says lies elsewhere. A pool without a source keeps what it has.
    void set_node(int node) noexcept {
        if (home_->source_ != nullptr)
            home_->source_->set_node(home_->free_, node);
    }

    // Any thread. The page an address lies in, or null when it is not of this pool: how a completion that
    // names its buffer by address finds its page. Whether somebody holds the page, or the pool even has it
    // from its source just now, this does not say. O(1), one division.
    [[nodiscard]] page_type* page_of(const std::byte* address) const noexcept {
        const auto distance =
            reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(home_->memory_);
        const std::size_t index = distance / home_->page_bytes_;
        return index < home_->count_ ? &home_->pages_[index] : nullptr;
    }

    // The owner. Whether a page that is out came out of the source's emergency reserve: it is not to be kept.
    [[nodiscard]] bool is_emergency(const page_type& out) const noexcept {
        return home_->source_ != nullptr && home_->source_->is_emergency(out);
    }

    [[nodiscard]] std::uint32_t page_bytes() const noexcept { return home_->page_bytes_; }
    // Any thread. All pages there can be: those of the pool, or all blocks of the source's memory.
    [[nodiscard]] std::uint32_t pages() const noexcept { return home_->count_; }

    // The owner. Pages of the pool that nobody holds: at once to be had, without a source. And pages that
    // somebody does hold. Together: pages(), or what was taken from the source and is not given back.
    [[nodiscard]] std::uint32_t free() const noexcept { return home_->free(); }
    [[nodiscard]] std::uint32_t in_flight() const noexcept {
        const std::uint32_t at_home = free(); // first: it may give some to the source
        return home_->here() - at_home;
    }

    // The owner. Whether so many more can be had: for certain without a source; with one, that has the last
    // word, and this is true.
    [[nodiscard]] bool may_have(std::uint32_t more) const noexcept {
        return home_->source_ != nullptr || free() >= more;
    }

    // The owner, say once a poll: what time it is, for the pages handed out from here on. Never less than
    // before.
    void set_now(nanoseconds now) noexcept { home_->now_ = now; }

    // The owner of a pool made with .track_ages: visit(page, age) for each page that is out; its age is
    // how long ago it was handed out, in order of address. A page that comes home meanwhile may be visited
    // still. O(pages): for somebody who looks for a leak, not for the data path.
    template <class Visit>
    void outstanding(Visit&& visit) const noexcept {
        NORIA_EXPECTS(home_->since_ != nullptr,
                      "ages are kept when they are asked for: create the pool with {.track_ages = true}");
        home_->forget_ages_at_home();
        for (std::uint32_t i = 0; i != home_->count_; ++i)
            if (home_->since_[i] != home_type::not_out)
                visit(home_->pages_[i], home_->now_ - home_->since_[i]);
    }

    // Any thread; each is right by itself. The sums are right when nobody allocates or frees and the owner
    // has collected: pages that other threads freed lie in the ring and count as out until it does, in
    // in_flight(), free() or an allocation. So ask for in_flight() first, and for the counters then.
    [[nodiscard]] page_pool_counters counters() const noexcept { return home_->counts_.values(); }
    // Any thread. Pages ever handed out, and pages asked for when there was none.
    [[nodiscard]] std::uint64_t allocated() const noexcept { return counters().handed_out(); }
    [[nodiscard]] std::uint64_t dry() const noexcept { return home_->counts_.alloc_fail.value(); }

  private:
    using home_type = basic_page_home<Sync>;

    [[nodiscard]] static result<basic_page_pool> make(std::span<std::byte> memory, std::uint32_t page_bytes,
                                                      page_pool_options options) noexcept {
        if (page_bytes == 0)
            return make_error(std::errc::invalid_argument,
                              "a page of 0 bytes was asked for: say how large your buffers are");
        if (page_bytes % cache_line != 0)
            return make_error(std::errc::invalid_argument,
                              "no two pages share a cache line: round page_bytes up to a multiple of "
                              "noria::cache_line");
        if (reinterpret_cast<std::uintptr_t>(memory.data()) % cache_line != 0)
            return make_error(std::errc::invalid_argument, "a pool's memory begins on a cache line, so that "
                                                           "no two pages share one: align it");
        const std::size_t pages = memory.size() / page_bytes;
        if (pages == 0 || pages > (1u << 31))
            return make_error(std::errc::invalid_argument,
                              "a pool holds between 1 and 2^31 pages: give it at least page_bytes of memory");
        basic_page_pool pool;
        pool.home_ = new (std::nothrow) home_type;
        if (pool.home_ == nullptr ||
            !pool.home_->set_up(memory.data(), page_bytes, static_cast<std::uint32_t>(pages), options))
            return no_memory();
        return pool;
    }
    [[nodiscard]] static error no_memory() noexcept {
        return make_error(std::errc::not_enough_memory,
                          "the system has no memory for the pool's bookkeeping (about 56 bytes a page)");
    }

    basic_page_pool() = default;

    home_type* home_ = nullptr;
};

using page_pool = basic_page_pool<>;

} // namespace noria::inline NORIA_ABI
