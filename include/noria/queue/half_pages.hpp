// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <utility>

#include "noria/core/bits.hpp"
#include "noria/queue/slot_table.hpp"
#include "noria/queue/supply.hpp"

namespace noria::inline NORIA_ABI {

// A supply of half pages (ixgbe's way): while a packet holds one half, the device gets the other, and as long
// as the packets are let go in time a page serves for ever and the pool is never asked. Whether the other
// half is free is one look at the reference count; the packet's reference comes out of a bias and costs no
// atomic.
class half_pages {
  public:
    static constexpr buffer_model model = buffer_model::per_packet;

    [[nodiscard]] static page_plan plan(const rx_options& options, bool attaches) noexcept {
        const std::uint32_t room = room_in(options.geometry);
        const std::uint64_t held =
            attaches ? std::uint64_t{options.packets} * divide_up(options.frame_bytes, room) : 0u;
        // At worst every held piece is the only half in use of its page.
        return {options.geometry.page_bytes, options.descriptors + held};
    }
    [[nodiscard]] static receive_setup setup(const rx_options& options) noexcept {
        return {.descriptors = options.descriptors,
                .strides = {},
                .posts_per_work_buffer = 1,
                .frame_offset = 0,
                .completions = options.descriptors,
                .buffer_bytes = room_in(options.geometry)};
    }

    [[nodiscard]] static result<half_pages> create(page_pool& pages, const rx_options& options) noexcept {
        if (options.geometry.page_bytes / 2 <= options.geometry.headroom + options.geometry.tail_overhead)
            return make_error(
                std::errc::invalid_argument,
                "half a page has no room for a frame behind headroom and tail overhead: use larger pages");
        if (divide_up(options.frame_bytes, room_in(options.geometry)) > frame::most_pieces)
            return make_error(
                std::errc::invalid_argument,
                "the longest frame lies on more half pages than a packet has fragments: use larger pages");
        auto slots = slot_table<half>::create(options.descriptors);
        if (!slots)
            return slots.error();
        return half_pages(pages, options.geometry, *std::move(slots));
    }
    half_pages(half_pages&&) noexcept = default;
    half_pages& operator=(half_pages&&) = delete;
    ~half_pages() {
        for (std::uint32_t number = 0; number != slots_.size(); ++number)
            give_up(slots_.buffer(number));
    }

    template <class Backend>
    bool refill(Backend& backend, mapping& dma, const refill_terms& terms = {}) noexcept {
        // Once, however often the post is declined: those whose turn has come since the last time.
        const std::uint32_t again = slots_.waiting() - empty() - synced_;
        dma.sync_for_device(std::uint64_t{again} * half_bytes_, again);
        bool dry = false; // asked once a refill
        const bool full = slots_.post(
            backend,
            [&, room = room_](half& next, buffer_post& post) noexcept {
                if (next.under == nullptr) [[unlikely]] {
                    dry = dry || !fill(next, dma);
                    if (dry)
                        return false;
                }
                post.iova = dma.iova_of(next.first + next.offset);
                post.length = room;
                return true;
            },
            slots_.room_under(terms));
        synced_ = slots_.waiting() - empty();
        return full;
    }

    void touch(const completion& done, std::uint32_t bytes) const noexcept {
        if (const half& posted = slots_.look(done.id); posted.under != nullptr)
            prefetch_lines(posted.first + posted.offset, bytes);
    }

    [[nodiscard, gnu::always_inline]] bool accept_whole(const completion& done, mapping& dma) noexcept {
        if (done.length > room_) [[unlikely]]
            return false;
        half* const posted = slots_.complete(done.id);
        if (posted == nullptr) [[unlikely]]
            return false;
        dma.sync_for_cpu(done.length);
        return true;
    }
    [[nodiscard, gnu::always_inline]] piece piece_of(const completion& done) const noexcept {
        return piece_of(slots_.look(done.id), slots_.place_of(done.id), done.length);
    }

    [[nodiscard]] accepted accept(const completion& done, mapping& dma, frame& gathered) noexcept {
        half* const posted = slots_.complete(done.id);
        if (posted == nullptr)
            return accepted::refused;
        std::uint32_t length = done.length;
        if (length > room_) [[unlikely]] {
            length = room_;
            gathered.spoil(drop_reason::device_error);
        }
        dma.sync_for_cpu(length);
        if (!gathered.add(piece_of(*posted, slots_.place_of(done.id), length))) [[unlikely]] {
            gathered.spoil(drop_reason::packet_too_big);
            slots_.wait(slots_.place_of(done.id));
        }
        return accepted::piece;
    }

    [[nodiscard]] bool replaceable(const frame& gathered) const noexcept {
        std::uint32_t wanted = empty();
        for (const piece& part : gathered.pieces())
            wanted += held(slots_.buffer(part.slot)); // else it turns over
        return pages_->free() >= wanted;
    }

    [[nodiscard, gnu::always_inline]] page& take(piece& part) noexcept {
        half& posted = slots_.buffer(part.slot);
        // Looked at before this half's reference goes out: who gets it may be done with it at once, and then
        // the count would not tell whose the remaining one is.
        const bool other_held = part.under->references() != posted.bias;
        part.taken = true;
        --posted.bias;
        turn_over(posted, other_held);
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
                return held(slots_.buffer(number));
        return true;
    }

  private:
    struct half {
        page* under = nullptr;
        std::byte* first = nullptr; // where a frame begins in the first half
        std::uint32_t offset = 0;   // of the half that is the device's now, or next
        std::uint16_t bias = 0;     // references that are still ours
    };
    static constexpr std::uint16_t full_bias = 65535;

    half_pages(page_pool& pages, const receive_geometry& cut, slot_table<half>&& slots) noexcept
        : pages_(&pages), slots_(std::move(slots)), half_bytes_(cut.page_bytes / 2), headroom_(cut.headroom),
          room_(room_in(cut)) {}

    [[nodiscard]] static std::uint32_t room_in(const receive_geometry& cut) noexcept {
        const std::uint32_t spare = cut.headroom + cut.tail_overhead;
        return cut.page_bytes / 2 > spare ? cut.page_bytes / 2 - spare : 1;
    }

    // Slots without a page: they all wait, once the frames that took the pages are settled.
    [[nodiscard]] std::uint32_t empty() const noexcept { return slots_.size() - posted_; }

    // False when the pool has none.
    [[nodiscard, gnu::noinline]] bool fill(half& next, mapping& dma) noexcept {
        page* const fresh = pages_->allocate();
        if (fresh == nullptr)
            return false;
        fresh->start(full_bias);
        next = {.under = fresh, .first = fresh->data() + headroom_, .bias = full_bias};
        dma.sync_for_device(half_bytes_);
        ++posted_;
        return true;
    }

    // By a packet, and not only by us.
    [[nodiscard]] static bool held(const half& of) noexcept { return of.under->references() != of.bias; }

    [[nodiscard, gnu::always_inline]] piece piece_of(const half& filled, std::uint32_t slot,
                                                     std::uint32_t length) const noexcept {
        return {.under = filled.under,
                .offset = filled.offset + headroom_,
                .length = length,
                .headroom = headroom_,
                .room = room_ - length,
                .truesize = half_bytes_,
                .slot = slot};
    }

    // This half is a packet's now. The other one is the device's next, unless a packet still has it as well.
    [[gnu::always_inline]] void turn_over(half& posted, bool other_held) noexcept {
        posted.offset ^= half_bytes_;
        if (other_held) [[unlikely]]
            return give_up(posted);
        if (posted.bias == 1) [[unlikely]] {
            posted.under->hold(full_bias - 1);
            posted.bias = full_bias;
        }
    }

    [[gnu::noinline]] void give_up(half& posted) noexcept {
        if (posted.under == nullptr)
            return;
        posted.under->release(posted.bias);
        posted = {};
        --posted_;
    }

    page_pool* pages_;
    slot_table<half> slots_;
    std::uint32_t half_bytes_;
    std::uint32_t headroom_;
    std::uint32_t room_;       // for a frame, in a half
    std::uint32_t posted_ = 0; // slots that have a page
    std::uint32_t synced_ = 0; // of those that wait, have a page and are synced for the device
};

static_assert(receive_supply<half_pages>);

} // namespace noria::inline NORIA_ABI
