// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "noria/core/bits.hpp"
#include "noria/core/cacheline.hpp"
#include "noria/queue/slot_table.hpp"
#include "noria/queue/supply.hpp"

namespace noria::inline NORIA_ABI {

// A supply of whole buffers: one for each packet, as long as the longest frame, mapped when it is posted and
// unmapped when it comes back (e1000e's way). A buffer that no packet took is posted again.
class fresh_buffers {
  public:
    static constexpr buffer_model model = buffer_model::per_packet;

    [[nodiscard]] static page_plan plan(const rx_options& options, bool attaches) noexcept {
        return {page_bytes_for(options),
                std::uint64_t{options.descriptors} + (attaches ? options.packets : 0u)};
    }
    [[nodiscard]] static receive_setup setup(const rx_options& options) noexcept {
        return {.descriptors = options.descriptors,
                .strides = {},
                .posts_per_work_buffer = 1,
                .frame_offset = 0,
                .completions = options.descriptors,
                .buffer_bytes =
                    page_bytes_for(options) - options.geometry.headroom - options.geometry.tail_overhead};
    }

    [[nodiscard]] static result<fresh_buffers> create(page_pool& pages, const rx_options& options) noexcept {
        auto slots = slot_table<whole>::create(options.descriptors);
        if (!slots)
            return slots.error();
        return fresh_buffers(pages, options.geometry, *std::move(slots));
    }
    fresh_buffers(fresh_buffers&&) noexcept = default;
    fresh_buffers& operator=(fresh_buffers&&) = delete;
    ~fresh_buffers() {
        for (std::uint32_t number = 0; number != slots_.size(); ++number)
            if (page* left = slots_.buffer(number).under)
                left->release();
    }

    template <class Backend>
    bool refill(Backend& backend, mapping& dma, const refill_terms& terms = {}) noexcept {
        // Those that no packet took are mapped anew; but once, however often the post is declined.
        dma.map_buffer(slots_.waiting() - empty() - mapped_);
        const std::uint32_t most = slots_.room_under(terms);
        // Where packets keep their pages, all slots that wait want one, and these come a batch at a time.
        // Elsewhere they come singly: which of the slots have none shows when their turn comes.
        const bool all_empty = slots_.waiting() == empty();
        bool dry = false; // asked once a refill
        const bool full = slots_.post(
            backend,
            [&, headroom = headroom_, room = room_](whole& next, buffer_post& post) noexcept {
                if (next.under == nullptr) [[unlikely]] {
                    dry = dry || !fill(next, dma);
                    if (dry)
                        return false;
                }
                post.iova = dma.iova_of(next.under->data()) + headroom;
                post.length = room;
                return true;
            },
            most,
            [&](std::uint32_t batch) noexcept {
                if (all_empty)
                    fill_next(batch, dma);
            });
        mapped_ = slots_.waiting() - empty();
        return full;
    }

    void touch(const completion& done, std::uint32_t bytes) const noexcept {
        if (const whole& posted = slots_.look(done.id); posted.under != nullptr)
            prefetch_lines(posted.under->data() + headroom_, bytes);
    }

    [[nodiscard, gnu::always_inline]] bool accept_whole(const completion& done, mapping& dma) noexcept {
        if (done.length > room_) [[unlikely]]
            return false;
        whole* const posted = slots_.complete(done.id);
        if (posted == nullptr) [[unlikely]]
            return false;
        dma.unmap_buffer();
        return true;
    }
    [[nodiscard, gnu::always_inline]] piece piece_of(const completion& done) const noexcept {
        return piece_of(slots_.look(done.id), slots_.place_of(done.id), done.length);
    }

    [[nodiscard]] accepted accept(const completion& done, mapping& dma, frame& gathered) noexcept {
        whole* const posted = slots_.complete(done.id);
        if (posted == nullptr)
            return accepted::refused;
        dma.unmap_buffer();
        std::uint32_t length = done.length;
        if (length > room_) [[unlikely]] {
            length = room_;
            gathered.spoil(drop_reason::device_error);
        }
        if (!gathered.add(piece_of(*posted, slots_.place_of(done.id), length))) [[unlikely]] {
            gathered.spoil(drop_reason::packet_too_big);
            slots_.wait(slots_.place_of(done.id));
        }
        return accepted::piece;
    }

    [[nodiscard]] bool replaceable(const frame& gathered) const noexcept {
        return pages_->free() >= empty() + gathered.pieces().size();
    }

    [[nodiscard, gnu::always_inline]] page& take(piece& part) noexcept {
        part.taken = true;
        slots_.buffer(part.slot).under = nullptr;
        --posted_;
        return *part.under;
    }

    void settle(any_frame auto& gathered) noexcept {
        for (const piece& part : gathered.pieces())
            slots_.wait(part.slot);
    }

    [[nodiscard]] std::uint32_t posted_pages() const noexcept { return posted_; }
    [[nodiscard]] bool pins(const page& out) const noexcept {
        for (std::uint32_t number = 0; number != slots_.size(); ++number)
            if (slots_.buffer(number).under == &out)
                return false;
        return true;
    }

  private:
    struct whole {
        page* under = nullptr;
    };

    fresh_buffers(page_pool& pages, const receive_geometry& cut, slot_table<whole>&& slots) noexcept
        : pages_(&pages), slots_(std::move(slots)), headroom_(cut.headroom), page_bytes_(pages.page_bytes()),
          room_(page_bytes_ - cut.headroom - cut.tail_overhead) {}

    // Slots without a page: they all wait, once the frames that took the pages are settled.
    [[nodiscard]] std::uint32_t empty() const noexcept { return slots_.size() - posted_; }

    // Pages for the slots that are posted next, no more than a batch, as far as the pool has some at hand.
    void fill_next(std::uint32_t slots, mapping& dma) noexcept {
        const std::uint32_t at_hand = slots == 0 ? 0 : pages_->free();
        std::array<page*, refill_batch> fresh;
        const std::uint32_t count = pages_->allocate_burst({fresh.data(), slots < at_hand ? slots : at_hand});
        page** last = fresh.data() + count;
        slots_.for_next(count, [&last](whole& next) noexcept { next.under = *--last; });
        dma.map_buffer(count);
        posted_ += count;
    }
    // False when the pool has none.
    [[nodiscard, gnu::noinline]] bool fill(whole& next, mapping& dma) noexcept {
        next.under = pages_->allocate();
        if (next.under == nullptr)
            return false;
        dma.map_buffer();
        ++posted_;
        return true;
    }

    [[nodiscard, gnu::always_inline]] piece piece_of(const whole& filled, std::uint32_t slot,
                                                     std::uint32_t length) const noexcept {
        return {.under = filled.under,
                .offset = headroom_,
                .length = length,
                .headroom = headroom_,
                .room = room_ - length,
                .truesize = page_bytes_,
                .slot = slot};
    }

    [[nodiscard]] static std::uint32_t page_bytes_for(const rx_options& options) noexcept {
        const receive_geometry& cut = options.geometry;
        return round_up(cut.headroom + options.frame_bytes + cut.tail_overhead, std::uint32_t{cache_line});
    }

    page_pool* pages_;
    slot_table<whole> slots_;
    std::uint32_t headroom_;
    std::uint32_t page_bytes_;
    std::uint32_t room_;       // for a frame, in a page
    std::uint32_t posted_ = 0; // slots that have a page
    std::uint32_t mapped_ = 0; // of those that wait, have a page and are mapped
};

static_assert(receive_supply<fresh_buffers>);

} // namespace noria::inline NORIA_ABI
