// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include "noria/core/cacheline.hpp"
#include "noria/core/owned.hpp"
#include "noria/core/result.hpp"
#include "noria/core/sync.hpp"
#include "noria/memory/page.hpp"
#include "noria/memory/recycler.hpp"
#include "noria/stats/counter.hpp"

namespace noria::inline NORIA_ABI {

// Equal pages cut from memory that is mapped once and never given back to the system meanwhile.
//
// One thread at a time allocates (see basic_recycler::owner_section); any thread frees, by releasing the last
// reference to a page. Neither waits, calls the system, or can fail but for "dry".
// The pool outlives its pages: destroying it while some are out is a broken contract.
template <class Sync = std_sync>
class basic_page_pool {
  public:
    using page_type = basic_page<Sync>;

    // Set-up. As many pages of `page_bytes` as fit in `memory`, which stays the caller's and must outlive the
    // pool. `page_bytes` is a multiple of the cache line, so that no two pages share one.
    [[nodiscard]] static result<basic_page_pool> create(std::span<std::byte> memory,
                                                        std::uint32_t page_bytes) noexcept {
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
        pool.body_ = owned<body>::make();
        if (!pool.body_ || !pool.body_->set_up(memory.data(), page_bytes, static_cast<std::uint32_t>(pages)))
            return make_error(std::errc::not_enough_memory,
                              "the system has no memory for the pool's bookkeeping (about 48 bytes a page)");
        return pool;
    }

    // The owner. A page with one reference, or null when all are out (counted in dry()). O(1).
    [[nodiscard]] page_type* allocate() noexcept {
        page_type* taken = body_->free_.take();
        if (taken == nullptr) {
            body_->dry_.add(1);
            return nullptr;
        }
        body_->allocated_.add(1);
        taken->start(1);
        return taken;
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
    [[nodiscard]] std::uint32_t free() const noexcept { return body_->free_.home(); }
    [[nodiscard]] std::uint32_t in_flight() const noexcept { return body_->count_ - free(); }

    // Any thread. Pages ever handed out, and requests that found the pool dry.
    [[nodiscard]] std::uint64_t allocated() const noexcept { return body_->allocated_.value(); }
    [[nodiscard]] std::uint64_t dry() const noexcept { return body_->dry_.value(); }

  private:
    // What the pages point to stays put while the handle moves.
    struct body {
        body() noexcept : owner_{this, &take_back} {}
        body(const body&) = delete;
        body& operator=(const body&) = delete;
        ~body() {
            NORIA_EXPECTS(
                count_ == free_.home(),
                "pages are still out: free every packet and queue that holds some before their pool");
            ::operator delete[](static_cast<void*>(pages_), std::align_val_t{cache_line});
        }

        [[nodiscard]] bool set_up(std::byte* memory, std::uint32_t page_bytes, std::uint32_t pages) noexcept {
            memory_ = memory;
            page_bytes_ = page_bytes;
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

        static void take_back(void* pool, page_type& returned) noexcept {
            static_cast<body*>(pool)->free_.give(returned);
        }

        std::byte* memory_ = nullptr;
        page_type* pages_ = nullptr;
        std::uint32_t page_bytes_ = 0;
        std::uint32_t count_ = 0;
        basic_page_owner<Sync> owner_;
        basic_recycler<page_type, Sync> free_;
        basic_counter<Sync> allocated_;
        basic_counter<Sync> dry_;
    };

    basic_page_pool() = default;

    owned<body> body_;
};

using page_pool = basic_page_pool<>;

} // namespace noria::inline NORIA_ABI
