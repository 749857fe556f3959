// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "noria/backend/contract.hpp"
#include "noria/core/clock.hpp"
#include "noria/core/owned.hpp"
#include "noria/core/result.hpp"
#include "noria/memory/page_pool.hpp"
#include "noria/memory/region.hpp"
#include "noria/packet/packet_pool.hpp"
#include "noria/queue/build.hpp"
#include "noria/queue/frame.hpp"
#include "noria/queue/geometry.hpp"
#include "noria/queue/receive_counters.hpp"
#include "noria/queue/receive_memory.hpp"
#include "noria/queue/shortage.hpp"
#include "noria/queue/supply.hpp"
#include "noria/stats/drop_reason.hpp"
#include "noria/stats/ledger.hpp"

namespace noria::inline NORIA_ABI {

// One receive queue: a device on one side, packets on the other, and a strategy between them.
//
// All memory is taken from the region at set-up. One thread at a time calls poll; packets may be freed on any
// thread, and at best before the poll that got them ends. The queue outlives its packets; the device is
// stopped before the queue goes.
template <receive_backend Backend, class Strategy>
class rx_queue {
    using supply = typename Strategy::supply;
    using build = typename Strategy::build;
    using memory_type = receive_memory<supply, build>;
    static constexpr shortage answer = Strategy::on_shortage;
    static_assert(supply::model == Backend::model,
                  "this strategy and this backend do not fit: what the strategy posts (buffers for "
                  "per_packet devices, work "
                  "buffers for striding ones) is not where this device puts frames; see `model` of both");

    static_assert(Backend::in_order,
                  "a frame's pieces are gathered from completions that follow each other: this backend "
                  "reports them in any order");

  public:
    // Set-up. How many bytes of region these options need.
    [[nodiscard]] static std::uint64_t region_bytes(const rx_options& options) noexcept {
        return memory_type::region_bytes(options);
    }

    // Set-up. Cuts the first region_bytes(options) of `memory` up, and gives the device its first buffers at
    // the first poll. `device` and `memory` outlive the queue.
    [[nodiscard]] static result<rx_queue> create(Backend& device, region& memory,
                                                 const rx_options& options) noexcept {
        rx_queue queue;
        queue.body_ = owned<body>::make(device, options);
        if (!queue.body_)
            return make_error(std::errc::not_enough_memory,
                              "the system has no memory for the queue's bookkeeping");
        if (const error failed = queue.body_->set_up(memory, options); failed.code)
            return failed;
        return queue;
    }

    // Takes up to `budget` completions off the device and hands each packet to consume(packet_ptr). The
    // number of completions worked off, fillers and bad ones too; less than the budget means that there was
    // no more. All of the budget also when a frame waits for memory: there is more, and polling again is what
    // brings it. What becomes of frames when memory is short is the strategy's choice (see shortage). A
    // consumer with `admits(frame&) -> bool` is asked before a packet is made, and what it does not admit is
    // dropped as `filter`: see queue/receive_loop.hpp.
    template <class Consumer>
        requires std::is_nothrow_invocable_v<Consumer&, packet_ptr>
    std::uint32_t poll(std::uint32_t budget, Consumer&& consume) noexcept {
        body& q = *body_;
        const owner_section own(q.memory);
        if constexpr (requires { q.builder.begin_poll(0u, 0u); })
            q.builder.begin_poll(q.memory.pages->free(), q.memory.pages->pages());
        const std::uint32_t done = work_off(q, budget, consume);
        // Of a poll that ended before a frame for want of memory, `done` says nothing of the work.
        if constexpr (requires { q.builder.end_poll(0u, *q.memory.packets); }) {
            if (!q.waiting)
                q.builder.end_poll(done, *q.memory.packets);
        } else if constexpr (requires { q.builder.end_poll(0u); }) {
            if (!q.waiting)
                q.builder.end_poll(done);
        }
        return done;
    }

    // While one lives, its thread frees this queue's packets without atomics, as a consumer does inside poll.
    // To be held around tx_queue::complete, say, where one thread forwards. Ends before the queue does.
    using owner_section = typename memory_type::owner_section;
    [[nodiscard]] owner_section enter() noexcept { return owner_section(body_->memory); }

    [[nodiscard]] const receive_counters& counters() const noexcept { return body_->counters; }
    [[nodiscard]] const drop_histogram& drops() const noexcept { return body_->drops; }
    // The owner. What became of the frames that the device gave whole: closes between two polls, and whenever
    // the consumer is called. For other threads, publish it once a poll (stats/published.hpp).
    [[nodiscard]] loss_ledger ledger() const noexcept {
        loss_ledger now;
        now.offered = counters().frames;
        now.delivered = counters().delivered;
        now.held = body_->waiting ? 1 : 0;
        now.add_drops(body_->drops);
        return now;
    }
    [[nodiscard]] const dma_counters& dma() const noexcept { return body_->dma->counters(); }

    // The owner. Packets alive; and the bytes they keep from the device: whole pages, as long as one byte is
    // held, but for those of which the device has the other half; the pages of used-up work buffers until
    // these are posted anew; and heads.
    [[nodiscard]] std::uint32_t packets_out() const noexcept { return body_->memory.packets->in_flight(); }
    [[nodiscard]] std::uint64_t pinned_bytes() const noexcept { return body_->memory.pinned_bytes(); }
    // Any thread. Pages the supply has had from the pool, in all.
    [[nodiscard]] std::uint64_t pages_allocated() const noexcept { return body_->memory.pages->allocated(); }
    // Is a frame in the ring that could not be built yet?
    [[nodiscard]] bool holds_back() const noexcept { return body_->waiting; }

    // The owner, with rx_options::track_ages. What time it is, say once a poll: the queue asks no clock. And
    // how long ago the oldest page that a packet holds was taken from the pool: when it was posted the first
    // time, and so not less than how long it has been held. 0 when none is. Heads are not looked at. For
    // somebody who looks for a leak: O(pages x buffers) at worst.
    void set_now(nanoseconds now) noexcept { body_->memory.pages->set_now(now); }
    [[nodiscard]] nanoseconds oldest_pin_age() const noexcept { return body_->memory.oldest_pin_age(); }
    [[nodiscard]] build& builder() noexcept { return body_->builder; }

  private:
    // Strides are used up, whoever has them then, and leave no hole.
    static constexpr bool minds_holes =
        answer == shortage::drop_and_recycle && build::attaches && supply::model == buffer_model::per_packet;
    // Can a frame that one buffer holds become a packet without being gathered? Not where somebody looks at
    // it before: a consumer, or leaves_no_hole().
    template <class Consumer>
    static constexpr bool knows_whole =
        requires(supply& of, const completion& done, mapping& dma) {
            of.accept_whole(done, dma);
            of.piece_of(done);
        } &&
        requires(build& by, whole_frame& arrived, supply& of, packet_pool& packets,
                 build_counters& counters) { by.build(arrived, of, packets, counters); } &&
        !minds_holes && !requires(Consumer& consume, frame& arrived) { consume.admits(arrived); };

    static constexpr std::uint32_t burst = 64;
    static constexpr std::uint32_t touch_ahead = 4; // completions
    static constexpr std::uint32_t most_touched =
        256; // bytes; behind them the hardware has seen the direction

    struct body {
        body(Backend& to, const rx_options& options) noexcept
            : device(to), longest(options.frame_bytes), headroom(options.geometry.headroom),
              builder(options) {}

        [[nodiscard]] error set_up(region& from, const rx_options& options) noexcept {
            if (error failed = memory.cut(from, options); failed.code)
                return failed;
            if (error failed = agree_on(device, supply::setup(options)); failed.code)
                return failed;
            auto attached = device.attach(from);
            if (!attached)
                return attached.error();
            dma.emplace(*std::move(attached));
            return {};
        }

        Backend& device;
        std::uint32_t longest;  // frame, bytes
        std::uint32_t headroom; // of heads for copies, bytes
        memory_type memory;
        std::optional<mapping> dma;
        build builder;
        frame gathered;
        bool waiting = false; // the gathered frame is whole, and could not be built yet
        std::array<completion, burst> completions;
        std::uint32_t next = 0;
        std::uint32_t reaped = 0;
        receive_counters counters;
        drop_histogram drops;
    };

    // The body goes from hand to hand below as it is: each store might be to body_, which would have to be
    // read again behind it.
    template <class Consumer>
    static std::uint32_t work_off(body& q, std::uint32_t budget, Consumer& consume) noexcept {
        std::uint32_t done = 0;
        if (q.waiting && budget != 0) [[unlikely]] {
            finish_late(q, consume);
            done = !q.waiting;
        }
        refill(q);
        if (q.waiting) [[unlikely]] // still: what came behind it has to wait as well
            return budget;
        while (done != budget) {
            if (q.next == q.reaped && !reap(q, budget - done))
                break;
            const std::uint32_t most = q.reaped - q.next < budget - done ? q.reaped - q.next : budget - done;
            const completion* now = &q.completions[q.next];
            const completion* const end = now + most;
            const completion* const untouched =
                q.completions.data() + (q.reaped > touch_ahead ? q.reaped - touch_ahead : 0);
            done += most;
            q.next += most;
            while (now != end) {
                if constexpr (knows_whole<Consumer>)
                    if (q.gathered.blank()) [[likely]]
                        now = take_whole(q, now, end, untouched, consume);
                if (now != end && !q.waiting) {
                    if (now < untouched)
                        touch(q, now[touch_ahead]);
                    take_piece(q, *now++, consume);
                }
                if (q.waiting) [[unlikely]] {
                    q.next -= static_cast<std::uint32_t>(end - now);
                    return budget;
                }
            }
        }
        return done;
    }

    static void refill(body& q) noexcept {
        refill_terms terms{.gathered = &q.gathered};
        if constexpr (answer == shortage::hole_in_ring)
            terms.packets = q.memory.packets->packets() - q.memory.packets->in_flight();
        if (!q.memory.source->refill(q.device, *q.dma, terms)) [[unlikely]] {
            ++q.counters.holes;
            ++q.counters.buff_alloc_err;
        }
    }

    [[nodiscard]] static bool reap(body& q, std::uint32_t most) noexcept {
        q.next = 0;
        const std::uint32_t room = most < burst ? most : burst;
        q.reaped = q.device.reap({q.completions.data(), room});
        NORIA_EXPECTS(q.reaped <= room, "reap says how many completions it wrote: no more than it was given "
                                        "room for");
        for (std::uint32_t i = 0; i != q.reaped && i != touch_ahead; ++i)
            touch(q, q.completions[i]);
        return q.reaped != 0;
    }

    // Fetches ahead what the builder, or at least the consumer, will read first.
    static void touch(body& q, const completion& soon) noexcept {
        const std::uint32_t reads = q.builder.reads(soon.length);
        q.memory.source->touch(soon, reads < most_touched ? reads : most_touched);
    }

    // Makes packets of frames that lie in one buffer each, and need not be gathered: up to the first
    // completion that tells of something else, or up to behind a frame for which there was no memory, which
    // has been gathered after all. What is counted for each is added up first.
    template <class Consumer>
    [[nodiscard, gnu::always_inline]] static const completion*
    take_whole(body& q, const completion* now, const completion* end, const completion* untouched,
               Consumer& consume) noexcept {
        constexpr std::uint32_t telling = completion::end_of_packet | completion::error | completion::filler;
        const completion* const first = now;
        std::uint64_t bytes = 0;
        build_counters built;
        bool made_all = true;
        for (; now != end; ++now) {
            if ((now->flags & telling) != completion::end_of_packet || now->length > q.longest ||
                !q.memory.source->accept_whole(*now, *q.dma)) [[unlikely]]
                break;
            if (now < untouched) [[likely]]
                touch(q, now[touch_ahead]);
            whole_frame arrived(q.memory.source->piece_of(*now));
            packet_ptr made = q.builder.build(arrived, *q.memory.source, *q.memory.packets, built);
            if (!made) [[unlikely]] {
                made_all = false;
                break;
            }
            q.memory.source->settle(arrived);
            label(*made, *now);
            bytes += arrived.length();
            consume(std::move(made));
        }
        const auto delivered = static_cast<std::uint64_t>(now - first);
        q.counters.frames += delivered;
        q.counters.delivered += delivered;
        q.counters.bytes += bytes;
        q.counters.built += built;
        if (!made_all) [[unlikely]] {
            ++q.counters.frames;
            give_way(q, *now++);
        }
        return now;
    }

    template <class Consumer>
    static void take_piece(body& q, const completion& now, Consumer& consume) noexcept {
        const accepted what = q.memory.source->accept(now, *q.dma, q.gathered);
        if (what == accepted::refused) [[unlikely]] {
            ++q.counters.refused;
            return;
        }
        const bool bad = (now.flags & completion::error) != 0;
        if (what == accepted::filler) {
            ++q.counters.fillers;
            q.counters.filler_strides += now.strides;
            q.counters.wqe_err += bad;
            return;
        }
        if (bad) [[unlikely]] {
            ++q.counters.wqe_err;
            q.gathered.spoil(drop_reason::device_error);
        }
        const bool whole =
            supply::model == buffer_model::striding || (now.flags & completion::end_of_packet) != 0;
        if (!whole)
            return;
        ++q.counters.frames;
        if (q.gathered.length() > q.longest) [[unlikely]]
            q.gathered.spoil(drop_reason::packet_too_big);
        q.gathered.describe(now);
        finish(q, consume);
    }

    // Makes a packet of the gathered frame, or drops it with a reason, or leaves it for the next poll, which
    // `waiting` says then. Inlined, as nearly all calls come from one place; the other one is finish_late.
    template <class Consumer>
    [[gnu::always_inline]] static void finish(body& q, Consumer& consume) noexcept {
        if constexpr (requires { consume.admits(q.gathered); })
            if (!q.waiting && !q.gathered.spoiled() && !consume.admits(q.gathered))
                q.gathered.spoil(drop_reason::filter);
        if (q.gathered.spoiled()) [[unlikely]] {
            drop(q);
            return;
        }
        packet_ptr made;
        if (leaves_no_hole(q)) [[likely]]
            made = q.builder.build(q.gathered, *q.memory.source, *q.memory.packets, q.counters.built);
        if (!made) [[unlikely]]
            return give_way(q);
        q.waiting = false;
        q.memory.source->settle(q.gathered);
        q.gathered.label(*made);
        ++q.counters.delivered;
        q.counters.bytes += q.gathered.length();
        q.gathered.clear();
        consume(std::move(made));
    }
    template <class Consumer>
    [[gnu::noinline]] static void finish_late(body& q, Consumer& consume) noexcept {
        finish(q, consume);
    }

    // There is no memory for a packet: the frame waits for some, or is dropped.
    [[gnu::noinline]] static void give_way(body& q) noexcept {
        ++q.counters.buff_alloc_err;
        if constexpr (answer == shortage::leave_in_ring) {
            ++q.counters.held_back;
            q.waiting = true;
        } else {
            q.gathered.spoil(drop_reason::no_memory);
            drop(q);
        }
    }
    // The piece is made anew: to hand over the one there is would keep it in memory, and not in registers, on
    // the usual way too.
    [[gnu::noinline]] static void give_way(body& q, const completion& now) noexcept {
        static_cast<void>(q.gathered.add(q.memory.source->piece_of(now)));
        q.gathered.describe(now);
        give_way(q);
    }
    [[gnu::noinline]] static void drop(body& q) noexcept {
        q.waiting = false;
        q.drops.count(q.gathered.why());
        q.counters.oversize += q.gathered.why() == drop_reason::packet_too_big;
        q.memory.source->settle(q.gathered);
        q.gathered.clear();
    }

    // Where the ring is to stay full, a packet gets a frame's memory only if there is a page in its place. A
    // build that copies, but would keep that memory for want of a head, is asked only while there is one.
    [[nodiscard]] static bool leaves_no_hole([[maybe_unused]] body& q) noexcept {
        if constexpr (minds_holes) {
            const std::uint32_t length = q.gathered.length();
            const bool copied = length != 0 && q.builder.reads(length) >= length;
            if ((copied && build::needs_head) || q.memory.source->replaceable(q.gathered))
                return true;
            if (!copied)
                return false;
            packet_ptr head = q.memory.packets->allocate(length, q.headroom);
            const bool there = static_cast<bool>(head);
            head.free(drop_reason::consumed);
            return there;
        }
        return true;
    }

    rx_queue() = default;

    owned<body> body_;
};

} // namespace noria::inline NORIA_ABI
