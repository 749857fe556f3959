// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "noria/core/bits.hpp"
#include "noria/core/clock.hpp"
#include "noria/core/result.hpp"
#include "noria/core/sync.hpp"
#include "noria/memory/page.hpp"
#include "noria/memory/page_pool.hpp"

namespace noria::inline NORIA_ABI {

// How a work buffer is cut. One work buffer is `strides` x `stride_bytes` long and lies on that many bytes'
// worth of pages; a frame takes whole strides, one after the other, and never leaves its work buffer.
struct stride_geometry {
    static constexpr std::uint32_t longest_stride = 8192;

    std::uint32_t stride_bytes = 256; // a power of two, 64 to 8192
    std::uint32_t strides = 1024;     // a power of two

    [[nodiscard]] constexpr std::uint32_t work_buffer_bytes() const noexcept {
        return stride_bytes * strides;
    }
    // Strides that `bytes` take: at least one, an empty frame has a stride as well.
    [[nodiscard]] constexpr std::uint32_t strides_for(std::uint32_t bytes) const noexcept {
        return bytes == 0 ? 1 : divide_up(bytes, stride_bytes);
    }
    // Completions that can be on their way for so many work buffers: at worst each takes one stride. A ring
    // of this many cannot run over, since a work buffer is posted again only when all of its are read.
    [[nodiscard]] constexpr std::uint64_t completions_needed(std::uint64_t work_buffers) const noexcept {
        return work_buffers * strides;
    }
    [[nodiscard]] constexpr bool valid() const noexcept {
        return std::has_single_bit(stride_bytes) && stride_bytes >= 64 && stride_bytes <= longest_stride &&
               std::has_single_bit(strides) && strides <= (1u << 16) &&
               std::uint64_t{stride_bytes} * strides <= (1u << 30);
    }
};

// What a completion did to its work buffer.
enum class stride_use : unsigned char {
    more,     // strides are left
    finished, // that was the last one: the buffer is idle and its turn to be posted comes
    refused   // not the strides whose turn it is, or not a buffer the device has: nothing was taken note of
};

// Work buffers of strides on pages of a page pool (a multi-packet receive queue). The receiving thread only.
//
// A page is given `bias` references when its work buffer is prepared; a packet that keeps bytes of it costs
// one `++`. The difference is settled when the buffer is prepared the next time, not when its last stride is
// used: by then most packets are gone, and the pages come straight back from the pool's warm end.
//
// mlx5 puts a page that nobody uses behind each work buffer, for a device that writes past its end. There is
// none here. The pages of a work buffer lie anywhere, each is posted by its own address, and so the device is
// never told what lies behind one; whether it writes there all the same is for an IOMMU to see. What it says
// it wrote is checked: strides behind the end are refused, and a frame too long for its strides is dropped.
template <class Sync = std_sync>
class basic_stride_pool {
  public:
    using page_type = basic_page<Sync>;

    // Set-up. `pages` must outlive the pool. A work buffer is a whole number of pages.
    [[nodiscard]] static result<basic_stride_pool>
    create(basic_page_pool<Sync>& pages, stride_geometry geometry, std::uint32_t work_buffers) noexcept {
        if (!geometry.valid())
            return make_error(
                std::errc::invalid_argument,
                "strides are powers of two, 64 to 8192 bytes each, and a work buffer is at most 1 GiB");
        if (geometry.work_buffer_bytes() % pages.page_bytes() != 0 ||
            pages.page_bytes() % geometry.stride_bytes != 0)
            return make_error(
                std::errc::invalid_argument,
                "a page holds a whole number of strides and a work buffer a whole number of pages");
        if (work_buffers == 0 || work_buffers > number_mask) // one more, and an id could be `none`
            return make_error(std::errc::invalid_argument,
                              "a stride pool has between 1 and 65535 work buffers");
        basic_stride_pool pool(pages, geometry, work_buffers);
        pool.buffers_ = new (std::nothrow) work_buffer[work_buffers];
        pool.places_ = new (std::nothrow) place[std::size_t{work_buffers} * pool.pages_each_];
        pool.idle_ = new (std::nothrow) std::uint32_t[work_buffers];
        if (pool.buffers_ == nullptr || pool.places_ == nullptr || pool.idle_ == nullptr)
            return make_error(std::errc::not_enough_memory,
                              "the system has no memory for the work buffers' bookkeeping");
        for (std::uint32_t number = 0; number != work_buffers; ++number)
            pool.idle_[number] = number;
        pool.idle_count_ = work_buffers;
        return pool;
    }

    basic_stride_pool(basic_stride_pool&& other) noexcept
        : pages_(other.pages_), geometry_(other.geometry_), work_buffer_bytes_(other.work_buffer_bytes_),
          stride_shift_(other.stride_shift_), page_shift_(other.page_shift_), pages_each_(other.pages_each_),
          count_(other.count_), idle_count_(other.idle_count_), oldest_idle_(other.oldest_idle_),
          newest_idle_(other.newest_idle_), buffers_(std::exchange(other.buffers_, nullptr)),
          places_(std::exchange(other.places_, nullptr)), idle_(std::exchange(other.idle_, nullptr)) {}
    basic_stride_pool& operator=(basic_stride_pool&&) = delete;
    // Gives back all pages, posted ones too: stop the device first.
    ~basic_stride_pool() {
        if (places_ != nullptr)
            for (std::uint32_t number = 0; number != count_; ++number)
                settle(number);
        delete[] idle_;
        delete[] places_;
        delete[] buffers_;
    }

    static constexpr std::uint32_t none = ~0u;

    // An idle work buffer with fresh pages under it, all of them or none: its id, or `none` when no buffer is
    // idle or the pages ran out. The caller posts it. The id is a new one each time, so that a completion
    // which comes too late or twice is not taken for the next one's. Cost: O(pages of a work buffer).
    // `in_use`, the buffer used up last, keeps its pages: somebody still reads there without a reference.
    [[nodiscard]] std::uint32_t prepare(std::uint32_t in_use = none) noexcept {
        if (!has_idle(in_use))
            return none;
        const std::uint32_t number = idle_[oldest_idle_];
        settle(number);
        if (!find_pages(number)) { // what the other idle buffers still have may be all there is
            for (std::uint32_t i = 0; i != count_; ++i)
                if (buffers_[i].idle() && i != (in_use & number_mask))
                    settle(i);
            if (!find_pages(number))
                return none;
        }
        oldest_idle_ = next(oldest_idle_);
        --idle_count_;
        work_buffer& ready = buffers_[number];
        ready.id = number | ((ready.id + (1u << number_bits)) & ~number_mask);
        ready.unused = work_buffer_bytes_;
        return ready.id;
    }

    // Is there one to prepare, pages or not?
    [[nodiscard]] bool has_idle(std::uint32_t in_use = none) const noexcept {
        return idle_count_ != 0 && idle_[oldest_idle_] != (in_use & number_mask);
    }

    // Takes note of a completion: for good, bad and filler ones alike, before anything else is done with it.
    // Strides are used in order, so a completion that does not start where the last one ended is refused.
    [[nodiscard]] stride_use consume(std::uint32_t id, std::uint32_t offset, std::uint32_t strides) noexcept {
        const std::uint32_t number = id & number_mask;
        if (number >= count_)
            return stride_use::refused;
        work_buffer& buffer = buffers_[number];
        if (buffer.id != id || offset + buffer.unused != work_buffer_bytes_ || strides == 0 ||
            strides > buffer.unused >> stride_shift_)
            return stride_use::refused;
        buffer.unused -= strides << stride_shift_;
        if (!buffer.idle())
            return stride_use::more;
        idle_[newest_idle_] = number;
        newest_idle_ = next(newest_idle_);
        ++idle_count_;
        return stride_use::finished;
    }

    // Calls visit(page number, offset in the page, bytes) for each page that [offset, offset + length) of a
    // work buffer lies on. False, and no call, when that is not inside the buffer.
    template <class Visit>
    bool walk(std::uint32_t offset, std::uint32_t length, Visit&& visit) const noexcept {
        if (offset > work_buffer_bytes_ || length > work_buffer_bytes_ - offset)
            return false;
        for (place_in_page at = place_of_byte(offset); length != 0;) {
            const std::uint32_t here = length < at.left ? length : at.left;
            visit(at.page, at.offset, here);
            length -= here;
            at = {at.page + 1, 0, page_bytes()};
        }
        return true;
    }

    // Which page of a work buffer its byte `offset` is on, where there, and how many bytes of the page are
    // left from it on. Three instructions: pages, as strides, are powers of two.
    struct place_in_page {
        std::uint32_t page;
        std::uint32_t offset; // bytes
        std::uint32_t left;   // bytes
    };
    [[nodiscard]] place_in_page place_of_byte(std::uint32_t offset) const noexcept {
        const std::uint32_t within = offset & (page_bytes() - 1);
        return {offset >> page_shift_, within, page_bytes() - within};
    }

    // Page `n` of a prepared work buffer.
    [[nodiscard]] page_type& page_at(std::uint32_t id, std::uint32_t n) const noexcept {
        return *places_[std::size_t{id & number_mask} * pages_each_ + n].under;
    }

    // Where byte `offset` of a prepared work buffer is, or null for what is none.
    [[nodiscard]] const std::byte* look(std::uint32_t id, std::uint64_t offset) const noexcept {
        const std::uint32_t number = id & number_mask;
        if (number >= count_ || buffers_[number].idle() || offset >= work_buffer_bytes_)
            return nullptr;
        const place_in_page at = place_of_byte(static_cast<std::uint32_t>(offset));
        return page_at(id, at.page).data() + at.offset;
    }

    // A reference to that page for a packet to keep. No atomic. Strides are used once, so there are always
    // enough.
    [[nodiscard]] page_type& take(std::uint32_t id, std::uint32_t n) noexcept {
        place& from = place_of(id & number_mask, n);
        NORIA_EXPECTS(from.handed + 1 < bias(), "one reference a stride: a frame takes a page once");
        ++from.handed;
        return *from.under;
    }

    // Does anybody but this pool hold `out`, a page that is out of its page pool? As of now: a holder on
    // another thread may be letting go. O(pages of all work buffers).
    [[nodiscard]] bool pins(const page_type& out) const noexcept {
        for (std::size_t i = 0; i != std::size_t{count_} * pages_each_; ++i)
            if (places_[i].under == &out)
                return held(places_[i]);
        return true;
    }
    // Bytes that packets keep, of a page pool that is used for nothing else: whole pages, however short the
    // frame is that somebody holds. O(pages of all work buffers).
    [[nodiscard]] std::uint64_t pinned_bytes() const noexcept {
        std::uint64_t ours = 0;
        for (std::size_t i = 0; i != std::size_t{count_} * pages_each_; ++i)
            ours += places_[i].under != nullptr && !held(places_[i]);
        return (pages_->in_flight() - ours) * pages_->page_bytes();
    }
    // How long ago the oldest of these pages was taken from its pool, which is when it was posted and not
    // when the frame came; 0 when there is none. The page pool was made with .track_ages, and says what time
    // it is. Somebody who looks for a leak: O(pages), or more when many are out.
    [[nodiscard]] nanoseconds oldest_pin_age() const noexcept {
        nanoseconds oldest = 0;
        pages_->outstanding([&](const page_type& out, nanoseconds age) noexcept {
            if (age > oldest && pins(out))
                oldest = age;
        });
        return oldest;
    }

    [[nodiscard]] const stride_geometry& geometry() const noexcept { return geometry_; }
    [[nodiscard]] std::uint64_t bytes_of(std::uint32_t strides) const noexcept {
        return std::uint64_t{strides} << stride_shift_;
    }
    [[nodiscard]] std::uint32_t pages_each() const noexcept { return pages_each_; } // under one work buffer
    [[nodiscard]] std::uint32_t work_buffers() const noexcept { return count_; }

  private:
    static constexpr std::uint32_t number_bits = 16;
    static constexpr std::uint32_t number_mask = (1u << number_bits) - 1;

    struct work_buffer {
        std::uint32_t id = 0;     // its number, and above it how often it was prepared
        std::uint32_t unused = 0; // bytes, those at its end
        [[nodiscard]] bool idle() const noexcept { return unused == 0; }
    };
    struct place {
        page_type* under = nullptr;
        std::uint32_t handed = 0;
    };

    basic_stride_pool(basic_page_pool<Sync>& pages, stride_geometry geometry,
                      std::uint32_t work_buffers) noexcept
        : pages_(&pages), geometry_(geometry), work_buffer_bytes_(geometry.work_buffer_bytes()),
          stride_shift_(log2_exact(geometry.stride_bytes)), page_shift_(log2_exact(pages.page_bytes())),
          pages_each_(work_buffer_bytes_ >> page_shift_), count_(work_buffers) {}

    [[nodiscard]] std::uint32_t page_bytes() const noexcept { return 1u << page_shift_; }

    [[nodiscard]] std::uint32_t next(std::uint32_t at) const noexcept {
        return at + 1 == count_ ? 0 : at + 1;
    }

    // One more than a page has strides: our own reference stays until the page is settled.
    [[nodiscard]] std::uint32_t bias() const noexcept { return (page_bytes() >> stride_shift_) + 1; }

    [[nodiscard]] bool held(const place& of) const noexcept {
        return of.under->references() != bias() - of.handed;
    }

    [[nodiscard]] place& place_of(std::uint32_t number, std::uint32_t n) noexcept {
        return places_[std::size_t{number} * pages_each_ + n];
    }

    // Pages under a settled buffer, all of them or none.
    [[nodiscard]] bool find_pages(std::uint32_t number) noexcept {
        if (!pages_->may_have(pages_each_)) // a pool that is dry is not asked
            return false;
        for (std::uint32_t n = 0; n != pages_each_; ++n) {
            page_type* const fresh = pages_->allocate();
            if (fresh == nullptr) {
                settle(number);
                return false;
            }
            fresh->start(bias());
            place_of(number, n) = {fresh, 0};
        }
        return true;
    }

    // Gives back what was not handed out of the buffer's pages; the last holder sends each home.
    void settle(std::uint32_t number) noexcept {
        for (std::uint32_t n = 0; n != pages_each_; ++n) {
            place& old = place_of(number, n);
            if (old.under != nullptr)
                old.under->release(bias() - old.handed);
            old = {};
        }
    }

    basic_page_pool<Sync>* pages_;
    stride_geometry geometry_;
    std::uint32_t work_buffer_bytes_;
    std::uint32_t stride_shift_;
    std::uint32_t page_shift_;
    std::uint32_t pages_each_;
    std::uint32_t count_;
    std::uint32_t idle_count_ = 0;
    std::uint32_t oldest_idle_ = 0; // the longer it has been idle, the fewer of its packets are still out
    std::uint32_t newest_idle_ = 0;
    work_buffer* buffers_ = nullptr;
    place* places_ = nullptr;
    std::uint32_t* idle_ = nullptr;
};

using stride_pool = basic_stride_pool<>;

} // namespace noria::inline NORIA_ABI
