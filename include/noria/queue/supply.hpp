// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "noria/backend/contract.hpp"
#include "noria/core/cacheline.hpp"
#include "noria/core/sync.hpp"
#include "noria/memory/mapping.hpp"
#include "noria/memory/page_pool.hpp"
#include "noria/queue/frame.hpp"
#include "noria/queue/geometry.hpp"

namespace noria::inline NORIA_ABI {

// The memory a supply wants, for its pool of pages.
struct page_plan {
    std::uint32_t page_bytes = 0;
    std::uint64_t pages = 0;
};

// What a refill has to mind.
struct refill_terms {
    const frame* gathered = nullptr; // accepted and not settled: its memory stays as it is
    std::uint32_t packets = ~0u;     // that can be made: no more buffers are posted than will find one
};

// The first half of a strategy: what is posted to the device, and when it can be posted again. One thread.
// Requires: model; plan(options, attaches) -> page_plan; create(pages, options) -> result<Supply>;
// setup(options) -> receive_setup; refill(backend, mapping, refill_terms) -> bool, false when a place that
// the device has for a buffer stays empty for want of memory; accept(completion, mapping, frame) -> accepted;
// replaceable(frame), whether there is a page for each place that stays empty if packets keep the frame's;
// take(piece) -> page&, a reference for a packet; settle(frame), when all that will be taken has been;
// touch(completion, bytes), a prefetch of so much of the frame; posted_pages(); and pins(page), whether a
// packet holds that page, which is out of its pool.
//
// Optional, for a frame that one buffer holds, which nobody need gather: accept_whole(completion, mapping) ->
// bool, false and nothing done when the completion names no buffer that the device has or more bytes than
// that is long: accept then says which; piece_of(completion), that buffer's piece, when it was accepted; and
// settle(whole_frame). These and take are always inlined: a piece that is handed to a call is in memory, and
// not in registers.
template <class Supply>
concept receive_supply =
    requires(Supply& supply, const Supply& fixed, page_pool& pages, const rx_options& options,
             const completion& done, mapping& dma, frame& gathered, piece& part, bool attaches) {
        { Supply::model } -> std::convertible_to<buffer_model>;
        { Supply::plan(options, attaches) } noexcept -> std::same_as<page_plan>;
        { Supply::create(pages, options) } noexcept -> std::same_as<result<Supply>>;
        { Supply::setup(options) } noexcept -> std::same_as<receive_setup>;
        { supply.accept(done, dma, gathered) } noexcept -> std::same_as<accepted>;
        { fixed.replaceable(gathered) } noexcept -> std::same_as<bool>;
        { supply.take(part) } noexcept -> std::same_as<page&>;
        { supply.settle(gathered) } noexcept;
        { fixed.touch(done, 0u) } noexcept;
        { fixed.posted_pages() } noexcept -> std::same_as<std::uint32_t>;
        { fixed.pins(*part.under) } noexcept -> std::same_as<bool>;
    };

// Asks for the lines of [first, first + bytes) ahead of their use; at least one.
inline void prefetch_lines(const std::byte* first, std::uint32_t bytes) noexcept {
    std::uint32_t at = 0;
    do {
        std_sync::prefetch_read(first + at);
        at += static_cast<std::uint32_t>(cache_line);
    } while (at < bytes);
}

// Buffers go to the device in bursts of this many, so that a doorbell is paid once for all of them.
inline constexpr std::uint32_t refill_batch = 16;

} // namespace noria::inline NORIA_ABI
