// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "noria/core/bits.hpp"
#include "noria/memory/stride_pool.hpp"
#include "noria/queue/supply.hpp"

namespace noria::inline NORIA_ABI {

// A supply of work buffers cut in strides (mlx5's way): the device lays frame behind frame, a doorbell is
// rung once in a thousand packets, and a packet's reference is one `++`. Pages are given back when their
// buffer is posted again.
class work_buffers {
  public:
    static constexpr buffer_model model = buffer_model::striding;

    [[nodiscard]] static page_plan plan(const rx_options& options, bool attaches) noexcept {
        const receive_geometry& cut = options.geometry;
        if (cut.page_bytes == 0 || !cut.strides.valid())
            return {}; // create says what is wrong
        const std::uint64_t pages_each = divide_up(cut.strides.work_buffer_bytes(), cut.page_bytes);
        const std::uint64_t frame =
            std::uint64_t{cut.strides.strides_for(frame_offset(options) + options.frame_bytes)} *
            cut.strides.stride_bytes;
        const std::uint64_t held_bytes = attaches ? options.packets * frame : 0;
        // Two of each work buffer, since the old pages may still be out when the new ones are posted; and the
        // strides of packets held one behind the other. (At worst a packet of one stride keeps a page: hold
        // few for long, or let `adaptive` see to it.)
        return {cut.page_bytes,
                2 * cut.work_buffers * pages_each + divide_up(held_bytes, std::uint64_t{cut.page_bytes})};
    }
    [[nodiscard]] static receive_setup setup(const rx_options& options) noexcept {
        const receive_geometry& cut = options.geometry;
        const std::uint32_t pages_each = cut.strides.work_buffer_bytes() / cut.page_bytes;
        return {.descriptors = cut.work_buffers * pages_each,
                .strides = cut.strides,
                .posts_per_work_buffer = pages_each,
                .frame_offset = frame_offset(options),
                .completions = cut.strides.completions_needed(cut.work_buffers)};
    }

    [[nodiscard]] static result<work_buffers> create(page_pool& pages, const rx_options& options) noexcept {
        if (std::uint64_t{frame_offset(options)} + options.frame_bytes >
            options.geometry.strides.work_buffer_bytes())
            return make_error(std::errc::invalid_argument, "the longest frame does not fit in a work buffer "
                                                           "behind its headroom: use more or longer strides");
        if (divide_up(options.frame_bytes, pages.page_bytes()) >= frame::most_pieces)
            return make_error(
                std::errc::invalid_argument,
                "the longest frame lies on more pages than a packet has fragments: use larger pages");
        auto strides = stride_pool::create(pages, options.geometry.strides, options.geometry.work_buffers);
        if (!strides)
            return strides.error();
        return work_buffers(*std::move(strides), options);
    }

    template <class Backend>
    bool refill(Backend& backend, mapping& dma, const refill_terms& terms = {}) noexcept {
        const bool waits = terms.gathered != nullptr && !terms.gathered->pieces().empty();
        const std::uint32_t in_use = waits ? terms.gathered->pieces()[0].slot : stride_pool::none;
        for (;;) {
            if (unposted_ == stride_pool::none) {
                if (!strides_.has_idle(in_use))
                    return true;
                unposted_ = strides_.prepare(in_use);
                next_page_ = 0;
                if (unposted_ == stride_pool::none)
                    return false;
                posted_ += strides_.pages_each();
            }
            while (next_page_ != strides_.pages_each()) {
                std::array<buffer_post, refill_batch> posts;
                std::uint32_t ready = 0;
                for (; ready != refill_batch && next_page_ + ready != strides_.pages_each(); ++ready) {
                    const page& under = strides_.page_at(unposted_, next_page_ + ready);
                    posts[ready] = {
                        .iova = dma.iova_of(under.data()), .id = unposted_, .length = under.size()};
                }
                const std::uint32_t taken = backend.post({posts.data(), ready});
                NORIA_EXPECTS(taken <= ready,
                              "post says how many buffers it took: no more than it was offered");
                next_page_ += taken;
                if (taken != ready)
                    return true;
            }
            unposted_ = stride_pool::none;
        }
    }

    void touch(const completion& done, std::uint32_t bytes) const noexcept {
        if (const std::byte* first = strides_.look(done.id, std::uint64_t{done.offset} + frame_offset_))
            prefetch_lines(first, bytes);
    }

    [[nodiscard]] accepted accept(const completion& done, mapping& dma, frame& gathered) noexcept {
        if (done.id == unposted_) // the device has not got all of it yet
            return accepted::refused;
        const stride_use use = strides_.consume(done.id, done.offset, done.strides);
        if (use == stride_use::refused)
            return accepted::refused;
        if (use == stride_use::finished)
            posted_ -= strides_.pages_each();
        if ((done.flags & completion::filler) != 0)
            return accepted::filler;
        const bool whole = (done.flags & completion::end_of_packet) != 0;
        if (!whole || frame_offset_ + std::uint64_t{done.length} > strides_.bytes_of(done.strides)) {
            gathered.spoil(drop_reason::device_error);
            return accepted::piece;
        }
        dma.sync_for_cpu(done.length);
        strides_.walk(done.offset + frame_offset_, done.length,
                      [&](std::uint32_t n, std::uint32_t within, std::uint32_t bytes) {
                          if (!gathered.add(piece_at(done.id, n, within, bytes)))
                              gathered.spoil(drop_reason::packet_too_big);
                      });
        return accepted::piece;
    }

    // A frame on one page, which has some bytes. (Of one that has none, the length less 1 is the greatest.)
    [[nodiscard, gnu::always_inline]] bool accept_whole(const completion& done, mapping& dma) noexcept {
        const std::uint32_t on_page = strides_.place_of_byte(done.offset + frame_offset_).left;
        if (done.length - 1 >= on_page || done.id == unposted_ ||
            frame_offset_ + std::uint64_t{done.length} > strides_.bytes_of(done.strides))
            return false;
        const stride_use use = strides_.consume(done.id, done.offset, done.strides);
        if (use == stride_use::refused) [[unlikely]]
            return false;
        if (use == stride_use::finished) [[unlikely]]
            posted_ -= strides_.pages_each();
        dma.sync_for_cpu(done.length);
        return true;
    }
    [[nodiscard, gnu::always_inline]] piece piece_of(const completion& done) const noexcept {
        const auto at = strides_.place_of_byte(done.offset + frame_offset_);
        return piece_at(done.id, at.page, at.offset, done.length);
    }

    // A frame's strides are used up, whoever has them then.
    [[nodiscard]] static bool replaceable(const frame&) noexcept { return true; }

    [[nodiscard, gnu::always_inline]] page& take(piece& part) noexcept {
        part.taken = true;
        return strides_.take(part.slot, part.number);
    }

    void settle(any_frame auto&) noexcept {}

    [[nodiscard]] std::uint32_t posted_pages() const noexcept { return posted_; }
    [[nodiscard]] bool pins(const page& out) const noexcept { return strides_.pins(out); }

  private:
    [[nodiscard, gnu::always_inline]] piece piece_at(std::uint32_t id, std::uint32_t n, std::uint32_t within,
                                                     std::uint32_t bytes) const noexcept {
        const std::uint32_t stride_bytes = strides_.geometry().stride_bytes;
        const std::uint32_t left = (0 - within - bytes) & (stride_bytes - 1); // of the last stride
        return {.under = &strides_.page_at(id, n),
                .offset = within,
                .length = bytes,
                .headroom = frame_offset_,
                .room = left > tail_overhead_ ? left - tail_overhead_ : 0,
                .truesize = frame_offset_ + bytes + left,
                .slot = id,
                .number = n};
    }

    work_buffers(stride_pool&& strides, const rx_options& options) noexcept
        : strides_(std::move(strides)), frame_offset_(frame_offset(options)),
          tail_overhead_(options.geometry.tail_overhead) {}

    // Headroom fits in front of each frame only where a frame has a stride run to itself in one page: when
    // there is but one page, or when each frame has one stride (see linear_stride_bytes).
    [[nodiscard]] static std::uint32_t frame_offset(const rx_options& options) noexcept {
        const receive_geometry& cut = options.geometry;
        const bool one_page = cut.strides.work_buffer_bytes() == cut.page_bytes;
        const bool linear =
            std::uint64_t{cut.headroom} + options.frame_bytes + cut.tail_overhead <= cut.strides.stride_bytes;
        return one_page || linear ? cut.headroom : 0;
    }

    stride_pool strides_;
    std::uint32_t frame_offset_;
    std::uint32_t tail_overhead_;
    std::uint32_t unposted_ = stride_pool::none; // a prepared work buffer the device has not taken all of
    std::uint32_t next_page_ = 0;
    std::uint32_t posted_ = 0;
};

static_assert(receive_supply<work_buffers>);

} // namespace noria::inline NORIA_ABI
