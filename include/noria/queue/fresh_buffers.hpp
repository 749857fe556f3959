// SPDX-License-Identifier: BSL-1.0
#pragma once

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
        bool dry = false; // asked once a refill
        return slots_.post(
            backend,
            [&](whole& next, buffer_post& post) noexcept {
                if (next.under == nullptr) {
                    next.under = dry ? nullptr : pages_->allocate();
                    dry = next.under == nullptr;
                    if (dry)
                        return false;
                    ++posted_;
                }
                if (!std::exchange(next.mapped, true))
                    dma.map_buffer();
                post.iova = dma.iova_of(next.under->data()) + headroom_;
                post.length = room_in(*next.under);
                return true;
            },
            slots_.room_under(terms));
    }

    void touch(const completion& done, std::uint32_t bytes) const noexcept {
        if (const whole* posted = slots_.look(done.id); posted != nullptr && posted->under != nullptr)
            prefetch_lines(posted->under->data() + headroom_, bytes);
    }

    [[nodiscard]] accepted accept(const completion& done, mapping& dma, frame& gathered) noexcept {
        whole* const posted = slots_.complete(done.id);
        if (posted == nullptr)
            return accepted::refused;
        posted->mapped = false;
        dma.unmap_buffer();
        page& under = *posted->under;
        std::uint32_t length = done.length;
        if (length > room_in(under)) {
            length = room_in(under);
            gathered.spoil(drop_reason::device_error);
        }
        const bool added = gathered.add({.under = &under,
                                         .offset = headroom_,
                                         .length = length,
                                         .headroom = headroom_,
                                         .room = room_in(under) - length,
                                         .truesize = under.size(),
                                         .slot = slots_.number_of(done.id)});
        if (!added) {
            gathered.spoil(drop_reason::packet_too_big);
            slots_.wait(slots_.number_of(done.id));
        }
        return accepted::piece;
    }

    [[nodiscard]] bool replaceable(const frame& gathered) const noexcept {
        return pages_->free() >= slots_.size() - posted_ + gathered.pieces().size();
    }

    [[nodiscard]] page& take(piece& part) noexcept {
        part.taken = true;
        return *part.under;
    }

    void settle(frame& gathered) noexcept {
        for (const piece& part : gathered.pieces()) {
            if (part.taken) {
                slots_.buffer(part.slot) = {};
                --posted_;
            }
            slots_.wait(part.slot);
        }
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

    fresh_buffers(page_pool& pages, const receive_geometry& cut, slot_table<whole>&& slots) noexcept
        : pages_(&pages), slots_(std::move(slots)), headroom_(cut.headroom),
          tail_overhead_(cut.tail_overhead) {}

    [[nodiscard]] static std::uint32_t page_bytes_for(const rx_options& options) noexcept {
        const receive_geometry& cut = options.geometry;
        return round_up(cut.headroom + options.frame_bytes + cut.tail_overhead, std::uint32_t{cache_line});
    }
    [[nodiscard]] std::uint32_t room_in(const page& under) const noexcept {
        return under.size() - headroom_ - tail_overhead_;
    }

    page_pool* pages_;
    slot_table<whole> slots_;
    std::uint32_t headroom_;
    std::uint32_t tail_overhead_;
    std::uint32_t posted_ = 0;
};

static_assert(receive_supply<fresh_buffers>);

} // namespace noria::inline NORIA_ABI
