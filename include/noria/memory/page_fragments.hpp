// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "noria/core/bits.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/result.hpp"
#include "noria/core/sync.hpp"
#include "noria/memory/page.hpp"
#include "noria/memory/page_pool.hpp"

namespace noria::inline NORIA_ABI {

// A piece of a page, and one reference to that page: what packet::add_fragment and packet_pool::build_around
// take, and what under->release() gives back, on any thread.
template <class Sync = std_sync>
struct basic_page_fragment {
    basic_page<Sync>* under = nullptr; // null: none was to be had
    std::uint32_t offset = 0;          // in the page, bytes
    std::uint32_t bytes = 0;           // really given, and so what to charge: at least what was asked for

    [[nodiscard]] std::byte* data() const noexcept { return under->data() + offset; }
    [[nodiscard]] explicit operator bool() const noexcept { return under != nullptr; }
};

struct page_fragments_options {
    std::uint32_t alignment = 8; // of a fragment in its page: what the device asks for, and 8 at least
};

// What became of requests, one count a request.
//
//   handed out          = alloc_page + alloc_first + alloc_fast
//   asked for           = handed out + alloc_fail
//   had from the pool   = alloc_page + alloc_first, in pages
struct page_fragments_counters {
    std::uint64_t alloc_page = 0;  // whole pages, for requests of more than half of one
    std::uint64_t alloc_first = 0; // first fragments of a page that the pool gave
    std::uint64_t alloc_fast = 0;  // later ones, and first ones of a page that was cut again
    std::uint64_t alloc_fail = 0;  // not handed out
    std::uint64_t page_again = 0;  // pages cut again without a way through the pool
};

// Fragments of any size cut from the pages of a pool, one behind the other. Many small buffers share a page;
// taking one costs no atomic operation, and letting go of it one.
//
// The page that is being cut has a bias of references, taken with one store. Fragments are counted in a plain
// integer; when the page is used up, and another one is needed, the difference is settled with one release.
// Each fragment is a reference: the page goes home with the last of them, on whatever thread, once it has
// been settled. If all are back by then, the page is cut again from its start, and the pool is not asked.
//
// Thread: the owner of the pool. Releasing: any thread. Nothing here waits.
// Source: Linux 6.12, net/core/page_pool.c (its behaviour, not its text).
template <class Sync = std_sync>
class basic_page_fragments {
  public:
    using page_type = basic_page<Sync>;
    using fragment_type = basic_page_fragment<Sync>;

    // Set-up. `pages` stays where it is and outlives this. It may serve others as well.
    [[nodiscard]] static result<basic_page_fragments> create(basic_page_pool<Sync>& pages,
                                                             page_fragments_options options = {}) noexcept {
        if (!std::has_single_bit(options.alignment) || options.alignment > pages.page_bytes())
            return make_error(std::errc::invalid_argument,
                              "fragments are aligned to a power of two that is at most a page: 8 unless the "
                              "device asks for more");
        return basic_page_fragments(pages, options.alignment);
    }

    basic_page_fragments(basic_page_fragments&& other) noexcept
        : pages_(other.pages_), alignment_(other.alignment_),
          current_(std::exchange(other.current_, nullptr)), next_(other.next_), handed_(other.handed_),
          counters_(other.counters_) {}
    basic_page_fragments& operator=(basic_page_fragments&&) = delete;
    // The owner. Fragments that are out stay good.
    ~basic_page_fragments() { settle(); }

    // `bytes` bytes or more: the last fragment of a page gets all that is left of it when that would not hold
    // another one as large, and a request for more than half a page gets a whole one. What is left of a page
    // because a request did not fit is charged to nobody. None, and nothing changed but a count, when the
    // pool is dry, and for 0 bytes. Precondition: at most a page, as more would never be had. Wait-free.
    // O(1), and O(returns) when the pool collects them.
    [[nodiscard]] fragment_type allocate(std::uint32_t bytes) noexcept {
        const std::uint32_t page_bytes = pages_->page_bytes();
        if (bytes == 0 || bytes > page_bytes) [[unlikely]] {
            NORIA_EXPECTS(bytes == 0,
                          "a fragment lies on one page: ask for page_bytes at most, and cut what is "
                          "longer in several, or make the pool's pages larger");
            ++counters_.alloc_fail;
            return {};
        }
        if (bytes > page_bytes / 2)
            return whole_page();
        const std::uint32_t size = round_up(bytes, alignment_);
        if (current_ != nullptr && size <= page_bytes - next_) [[likely]]
            ++counters_.alloc_fast;
        else if (!turn_page())
            return {};
        const std::uint32_t offset = next_;
        const std::uint32_t left = page_bytes - offset - size;
        const std::uint32_t given = left < size ? size + left : size;
        next_ += given;
        ++handed_;
        return {current_, offset, given};
    }

    [[nodiscard]] std::uint32_t alignment() const noexcept { return alignment_; }

    // The owner.
    [[nodiscard]] const page_fragments_counters& counters() const noexcept { return counters_; }

  private:
    // More than a page has fragments (4 GiB / 8), and so many less than the count holds that whoever has a
    // fragment may hold it again, as clones do.
    static constexpr std::uint32_t bias = 1u << 30;
    static constexpr std::uint32_t least_alignment = 8;

    basic_page_fragments(basic_page_pool<Sync>& pages, std::uint32_t alignment) noexcept
        : pages_(&pages), alignment_(alignment < least_alignment ? least_alignment : alignment) {}

    [[nodiscard]] fragment_type whole_page() noexcept {
        page_type* const all = pages_->allocate();
        if (all == nullptr) {
            ++counters_.alloc_fail;
            return {};
        }
        ++counters_.alloc_page;
        return {all, 0, all->size()};
    }

    // A page to cut from its start: the same again if nobody holds any of it, else one from the pool.
    [[nodiscard]] bool turn_page() noexcept {
        // Only ours are left, so nobody is there to take another one; the load in references() comes after
        // all that the others did with the bytes. A page from an emergency reserve is not kept.
        if (current_ != nullptr && current_->references() == bias - handed_ &&
            !pages_->is_emergency(*current_)) {
            ++counters_.alloc_fast;
            ++counters_.page_again;
        } else {
            page_type* const fresh = pages_->allocate();
            if (fresh == nullptr) {
                ++counters_.alloc_fail;
                return false;
            }
            ++counters_.alloc_first;
            settle();
            current_ = fresh;
        }
        current_->start(bias);
        next_ = 0;
        handed_ = 0;
        return true;
    }

    // Gives back the references that no fragment has.
    void settle() noexcept {
        if (current_ != nullptr)
            current_->release(bias - handed_);
    }

    basic_page_pool<Sync>* pages_;
    std::uint32_t alignment_;
    page_type* current_ = nullptr; // the page that is being cut
    std::uint32_t next_ = 0;       // where in it the next fragment begins
    std::uint32_t handed_ = 0;     // fragments of it
    page_fragments_counters counters_;
};

using page_fragment = basic_page_fragment<>;
using page_fragments = basic_page_fragments<>;

} // namespace noria::inline NORIA_ABI
