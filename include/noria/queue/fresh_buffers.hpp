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
        const std::uint32_t most = slots_.room_under(terms);
        // Where packets keep their pages, all slots that wait want one, and these come a batch at a time.
        // Elsewhere they come singly: which of the slots have none shows when their turn comes.
        const bool all_empty = slots_.waiting() == slots_.size() - posted_;
        std::uint32_t left = all_empty ? most : 1; // so many slots may be posted still, and want pages
        fresh_pages hand;
        return slots_.post(
            backend,
            [&](whole& next, buffer_post& post) noexcept {
                if (next.under == nullptr) {
                    if (hand.empty() && !hand.fetch(*pages_, left < slots_.batch() ? left : slots_.batch()))
                        return false;
                    next.under = &hand.take();
                    left -= all_empty;
                    ++posted_;
                }
                if (!std::exchange(next.mapped, true))
                    dma.map_buffer();
                post.iova = dma.iova_of(next.under->data()) + headroom_;
                post.length = room_;
                return true;
            },
            most);
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
        posted->mapped = false;
        dma.unmap_buffer();
        return true;
    }
    [[nodiscard, gnu::always_inline]] piece piece_of(const completion& done) const noexcept {
        return piece_of(slots_.look(done.id), done.id, done.length);
    }

    [[nodiscard]] accepted accept(const completion& done, mapping& dma, frame& gathered) noexcept {
        whole* const posted = slots_.complete(done.id);
        if (posted == nullptr)
            return accepted::refused;
        posted->mapped = false;
        dma.unmap_buffer();
        std::uint32_t length = done.length;
        if (length > room_) [[unlikely]] {
            length = room_;
            gathered.spoil(drop_reason::device_error);
        }
        if (!gathered.add(piece_of(*posted, done.id, length))) [[unlikely]] {
            gathered.spoil(drop_reason::packet_too_big);
            slots_.wait(slots_.number_of(done.id));
        }
        return accepted::piece;
    }

    [[nodiscard]] bool replaceable(const frame& gathered) const noexcept {
        return pages_->free() >= slots_.size() - posted_ + gathered.pieces().size();
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
        bool mapped = false; // a buffer that the device did not take yet is
    };

    // Pages on their way from the pool to slots: all that were fetched get there. A pool that has not as many
    // as are wanted gives one at a time, and is asked no more when it had none.
    class fresh_pages {
      public:
        [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
        [[nodiscard]] page& take() noexcept { return *pages_[--count_]; }
        // False when there are none.
        [[nodiscard]] bool fetch(page_pool& from, std::uint32_t wanted) noexcept {
            if (dry_)
                return false;
            if (wanted > 1 && wanted > from.free())
                wanted = 1;
            count_ = from.allocate_burst({pages_.data(), wanted});
            dry_ = count_ == 0;
            return !dry_;
        }

      private:
        std::array<page*, refill_batch> pages_;
        std::uint32_t count_ = 0;
        bool dry_ = false;
    };

    fresh_buffers(page_pool& pages, const receive_geometry& cut, slot_table<whole>&& slots) noexcept
        : pages_(&pages), slots_(std::move(slots)), headroom_(cut.headroom), page_bytes_(pages.page_bytes()),
          room_(page_bytes_ - cut.headroom - cut.tail_overhead) {}

    [[nodiscard, gnu::always_inline]] piece piece_of(const whole& filled, std::uint32_t id,
                                                     std::uint32_t length) const noexcept {
        return {.under = filled.under,
                .offset = headroom_,
                .length = length,
                .headroom = headroom_,
                .room = room_ - length,
                .truesize = page_bytes_,
                .slot = slots_.number_of(id)};
    }

    [[nodiscard]] static std::uint32_t page_bytes_for(const rx_options& options) noexcept {
        const receive_geometry& cut = options.geometry;
        return round_up(cut.headroom + options.frame_bytes + cut.tail_overhead, std::uint32_t{cache_line});
    }

    page_pool* pages_;
    slot_table<whole> slots_;
    std::uint32_t headroom_;
    std::uint32_t page_bytes_;
    std::uint32_t room_; // for a frame, in a page
    std::uint32_t posted_ = 0;
};

static_assert(receive_supply<fresh_buffers>);

} // namespace noria::inline NORIA_ABI
