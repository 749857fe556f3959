// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <utility>

#include "noria/core/contract.hpp"
#include "noria/core/result.hpp"
#include "noria/memory/source.hpp"
#include "noria/memory/watermarks.hpp"

// What happens to a receive path when memory is short, as on a live kernel, but on one thread, counted, and
// the same each time: watermarks, who may go how far below them, and reclaim that runs only when it is told
// to. Source: Linux 6.12, mm/page_alloc.c (its behaviour, not its text).

namespace noria::inline NORIA_ABI {

// An atomic take that found memory short, and what there was just then. All but `order` in pages. Takes that
// fail_nth made fail, or that asked for more than there can ever be, are counted as failed and not reported.
struct allocation_failure {
    unsigned order;
    allocation_class who;
    std::uint64_t mark;
    std::uint64_t free;
    watermarks marks;
};

struct budget_options {
    watermarks marks;
    std::uint64_t lowmem_reserve = 0;      // pages on top of every mark
    std::uint64_t reserved_highatomic = 0; // free pages that count only for those who may go below min
    std::uint64_t pages_per_tick = 32;     // the speed of background reclaim
    std::uint32_t reports_per_tick = 1;    // failures handed to `report` between two ticks
    void (*report)(void* context, const allocation_failure& failure) noexcept = nullptr;
    void* report_context = nullptr;
};

// Every take ends in exactly one of `taken` and `failed` of its class.
struct budget_counters {
    std::uint64_t taken[allocation_classes] = {};
    std::uint64_t failed[allocation_classes] = {};
    std::uint64_t given = 0;
    std::uint64_t below_low = 0;            // takes for which the first try was not enough
    std::uint64_t wakeups = 0;              // of background reclaim, when it slept
    std::uint64_t background_reclaimed = 0; // pages
    std::uint64_t direct_reclaims = 0;      // takes that had to reclaim themselves: stalls
    std::uint64_t direct_reclaimed = 0;     // pages
    std::uint64_t out_of_memory = 0;        // takes that failed after there was nothing left to reclaim
    std::uint64_t emergency = 0;            // takes served from below min, for the class of that name
    std::uint64_t injected = 0;             // takes that failed because fail_nth said so
    std::uint64_t reports = 0;
    std::uint64_t reports_suppressed = 0; // beyond reports_per_tick; none where there is no `report`

    [[nodiscard]] constexpr std::uint64_t taken_by(allocation_class who) const noexcept {
        return taken[static_cast<std::size_t>(who)];
    }
    [[nodiscard]] constexpr std::uint64_t failed_by(allocation_class who) const noexcept {
        return failed[static_cast<std::size_t>(who)];
    }
};

// A source under watermarks. The backing stays the caller's, stays where it is and outlives the allocator.
//
// Every class first tries at low. Who fails there wakes background reclaim and tries once more at the mark of
// its class; what then happens is the class's. Reclaim takes from a stand-in for the page cache: pages which
// fill_cache() took from the backing and which hold nothing. Background reclaim runs in tick() alone, so a
// test decides how fast it is.
//
// Thread: one at a time. Nothing here waits: the stall of a blocking class is a count of pages. Cost of take
// and give: those of the backing and a few comparisons; a direct reclaim gives back 32 pages or more.
template <block_source Backing>
class budget_allocator {
  public:
    // Set-up. The allocator manages all of the backing's memory.
    [[nodiscard]] static result<budget_allocator> create(Backing& backing, budget_options options) noexcept {
        const std::uint64_t pages = backing.memory().size() / backing.page_bytes();
        const watermarks& marks = options.marks;
        if (marks.min > marks.low || marks.low > marks.high)
            return make_error(std::errc::invalid_argument,
                              "watermarks rise from min to low to high: make them "
                              "with watermarks::from(pages, min)");
        if (marks.high > pages)
            return make_error(std::errc::invalid_argument,
                              "the high mark is above all the pages there are: take a smaller min",
                              marks.high, pages);
        if (options.lowmem_reserve > pages || options.reserved_highatomic > pages)
            return make_error(std::errc::invalid_argument,
                              "a reserve is at most the pages there are: to let nobody in, reserve them all");
        if (backing.page_bytes() < sizeof(std::byte*))
            return make_error(std::errc::invalid_argument,
                              "a page has room for an address at least: make pages larger");
        auto* flags = new (std::nothrow) std::uint64_t[pages / flags_each + 1]();
        if (flags == nullptr)
            return make_error(std::errc::not_enough_memory,
                              "the system has no memory for the budget's bookkeeping (one bit a page)");
        return budget_allocator(backing, options, flags);
    }

    budget_allocator(budget_allocator&& other) noexcept
        : backing_(other.backing_), options_(other.options_), counters_(other.counters_),
          flags_(std::exchange(other.flags_, nullptr)), cache_(std::exchange(other.cache_, nullptr)),
          cached_(std::exchange(other.cached_, 0)), fail_in_(other.fail_in_),
          reports_left_(other.reports_left_), awake_(other.awake_) {}
    budget_allocator& operator=(budget_allocator&&) = delete;
    // The cache goes back to the backing. What was taken stays out.
    ~budget_allocator() {
        static_cast<void>(reclaim(cached_));
        delete[] flags_;
    }

    // A block of 2^order pages, or null: who is short of memory, and how it was, is in counters().
    [[nodiscard]] std::byte* take(unsigned order, allocation_class who) noexcept {
        if (to_be_failed()) {
            ++counters_.injected;
            ++counters_.failed[static_cast<std::size_t>(who)];
            return nullptr;
        }
        // Nothing that could be reclaimed would help, so nobody is woken and nothing is spent on it.
        if (!can_ever_have(order)) {
            ++counters_.failed[static_cast<std::size_t>(who)];
            return nullptr;
        }
        std::byte* block = try_at(options_.marks.low, order, false);
        if (block == nullptr)
            block = take_below_low(order, who);
        ++(block != nullptr ? counters_.taken : counters_.failed)[static_cast<std::size_t>(who)];
        return block;
    }

    // Precondition: as the backing's give.
    void give(std::byte* block, unsigned order) noexcept {
        backing_->give(block, order);
        flag_word(block) &= ~flag_bit(block);
        ++counters_.given;
    }

    // Whether the block came out of the emergency reserve: whoever holds it gives it back soon, and no pool
    // keeps it. Precondition: `block` is out.
    [[nodiscard]] bool is_emergency(const std::byte* block) const noexcept {
        return (flag_word(block) & flag_bit(block)) != 0;
    }

    // The allocator as a block source in which one class asks: what a page pool can draw from. It is a
    // pointer and the class; the allocator stays where it is and outlives it.
    class class_view {
      public:
        [[nodiscard]] std::byte* take(unsigned order) noexcept { return budget_->take(order, who_); }
        void give(std::byte* block, unsigned order) noexcept { budget_->give(block, order); }
        [[nodiscard]] bool has_block(unsigned order) const noexcept {
            return budget_->backing_->has_block(order);
        }
        [[nodiscard]] std::uint64_t free_pages() const noexcept { return budget_->free_pages(); }
        [[nodiscard]] std::uint32_t page_bytes() const noexcept { return budget_->backing_->page_bytes(); }
        [[nodiscard]] std::span<std::byte> memory() const noexcept { return budget_->backing_->memory(); }
        [[nodiscard]] bool is_emergency(const std::byte* block) const noexcept {
            return budget_->is_emergency(block);
        }
        [[nodiscard]] int node_of(const std::byte* address) const noexcept
            requires knows_nodes<Backing>
        {
            return budget_->backing_->node_of(address);
        }

      private:
        friend class budget_allocator;
        class_view(budget_allocator& budget, allocation_class who) noexcept : budget_(&budget), who_(who) {}

        budget_allocator* budget_;
        allocation_class who_;
    };
    [[nodiscard]] class_view as(allocation_class who) noexcept { return class_view(*this, who); }

    // As if so many pages of files had been read: takes single pages from the backing until `pages` are
    // cached or none is free, whatever the marks say, or gives some back. Returns how many are cached now.
    std::uint64_t fill_cache(std::uint64_t pages) noexcept {
        if (cached_ > pages)
            static_cast<void>(reclaim(cached_ - pages));
        while (cached_ < pages) {
            std::byte* const read = backing_->take(0);
            if (read == nullptr)
                break;
            std::memcpy(read, static_cast<const void*>(&cache_), sizeof cache_);
            cache_ = read;
            ++cached_;
        }
        return cached_;
    }

    // One step of background reclaim, if it is awake: at most pages_per_tick, and to sleep at high. Returns
    // the pages reclaimed.
    std::uint64_t tick() noexcept {
        reports_left_ = options_.reports_per_tick;
        if (!awake_)
            return 0;
        const std::uint64_t free = free_pages();
        const std::uint64_t missing = free < options_.marks.high ? options_.marks.high - free : 0;
        const std::uint64_t freed =
            reclaim(missing < options_.pages_per_tick ? missing : options_.pages_per_tick);
        counters_.background_reclaimed += freed;
        awake_ = freed < missing;
        return freed;
    }

    // The n-th take from now fails, whatever is free, and wakes nothing: 1 is the next one, 0 takes it back.
    void fail_nth(std::uint64_t n) noexcept { fail_in_ = n; }

    [[nodiscard]] std::uint64_t free_pages() const noexcept { return backing_->free_pages(); }
    [[nodiscard]] std::uint64_t cached_pages() const noexcept { return cached_; }
    [[nodiscard]] bool reclaiming() const noexcept { return awake_; } // in the background
    [[nodiscard]] const watermarks& marks() const noexcept { return options_.marks; }
    [[nodiscard]] const budget_counters& counters() const noexcept { return counters_; }

  private:
    static constexpr std::uint64_t flags_each = 64;
    static constexpr std::uint64_t direct_batch = 32; // the least a direct reclaim asks for, as in the kernel

    budget_allocator(Backing& backing, const budget_options& options, std::uint64_t* flags) noexcept
        : backing_(&backing), options_(options), flags_(flags), reports_left_(options.reports_per_tick) {}

    [[nodiscard]] bool can_ever_have(unsigned order) const noexcept {
        if constexpr (knows_max_order<Backing>)
            if (order > backing_->max_order())
                return false;
        return order < 64 && backing_->memory().size() >> order >= backing_->page_bytes();
    }

    [[nodiscard]] std::byte* try_at(std::uint64_t mark, unsigned order, bool all_reserves) noexcept {
        if (!backing_->has_block(order))
            return nullptr;
        // What is left after the worst page of the block, and more than the mark: never just as much.
        const std::uint64_t not_for_us = ((std::uint64_t{1} << order) - 1) +
                                         (all_reserves ? 0 : options_.reserved_highatomic) + mark +
                                         options_.lowmem_reserve;
        return free_pages() > not_for_us ? backing_->take(order) : nullptr;
    }

    [[nodiscard]] std::byte* take_below_low(unsigned order, allocation_class who) noexcept {
        ++counters_.below_low;
        if (!awake_)
            ++counters_.wakeups;
        awake_ = true;
        const std::uint64_t mark = mark_of(who, options_.marks.min);
        std::byte* block = try_at(mark, order, is_privileged(who));
        if (block == nullptr && who == allocation_class::emergency)
            block = take_from_emergency_reserve(order);
        if (block == nullptr && may_wait(who))
            block = reclaim_and_try(mark, order, who);
        if (block == nullptr && who == allocation_class::atomic)
            report({order, who, mark, free_pages(), options_.marks});
        return block;
    }

    [[nodiscard]] std::byte* take_from_emergency_reserve(unsigned order) noexcept {
        std::byte* const block = backing_->take(order);
        if (block != nullptr) {
            flag_word(block) |= flag_bit(block);
            ++counters_.emergency;
        }
        return block;
    }

    [[nodiscard]] std::byte* reclaim_and_try(std::uint64_t mark, unsigned order,
                                             allocation_class who) noexcept {
        ++counters_.direct_reclaims;
        const std::uint64_t size = std::uint64_t{1} << order;
        while (const std::uint64_t freed = reclaim(size > direct_batch ? size : direct_batch)) {
            counters_.direct_reclaimed += freed;
            if (std::byte* const block = try_at(mark, order, is_privileged(who)))
                return block;
        }
        // A victim is what running out of memory has come to already.
        if (who != allocation_class::out_of_memory_victim)
            ++counters_.out_of_memory;
        return nullptr;
    }

    [[nodiscard]] bool to_be_failed() noexcept {
        if (fail_in_ == 0)
            return false;
        --fail_in_;
        return fail_in_ == 0;
    }

    // Up to so many pages of the cache go back, the last read first. Returns how many.
    [[nodiscard]] std::uint64_t reclaim(std::uint64_t pages) noexcept {
        std::uint64_t freed = 0;
        for (; freed != pages && cached_ != 0; ++freed) {
            std::byte* const latest = cache_;
            std::memcpy(static_cast<void*>(&cache_), latest, sizeof cache_);
            --cached_;
            backing_->give(latest, 0);
        }
        return freed;
    }

    void report(const allocation_failure& failure) noexcept {
        if (options_.report == nullptr)
            return;
        if (reports_left_ == 0) {
            ++counters_.reports_suppressed;
            return;
        }
        --reports_left_;
        ++counters_.reports;
        options_.report(options_.report_context, failure);
    }

    [[nodiscard]] std::uint64_t page_number(const std::byte* block) const noexcept {
        const auto offset = static_cast<std::uint64_t>(block - backing_->memory().data());
        NORIA_EXPECTS(offset < backing_->memory().size(), "this block is not of this allocator's memory");
        return offset / backing_->page_bytes();
    }
    [[nodiscard]] std::uint64_t& flag_word(const std::byte* block) const noexcept {
        return flags_[page_number(block) / flags_each];
    }
    [[nodiscard]] std::uint64_t flag_bit(const std::byte* block) const noexcept {
        return std::uint64_t{1} << page_number(block) % flags_each;
    }

    Backing* backing_;
    budget_options options_;
    budget_counters counters_;
    std::uint64_t* flags_;
    std::byte* cache_ = nullptr; // each page says where the next one is
    std::uint64_t cached_ = 0;
    std::uint64_t fail_in_ = 0;
    std::uint32_t reports_left_;
    bool awake_ = false;
};

} // namespace noria::inline NORIA_ABI
