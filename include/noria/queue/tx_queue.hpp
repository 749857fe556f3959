// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "noria/backend/transmit.hpp"
#include "noria/core/clock.hpp"
#include "noria/core/owned.hpp"
#include "noria/core/result.hpp"
#include "noria/memory/region.hpp"
#include "noria/packet/batch.hpp"
#include "noria/packet/packet_ptr.hpp"
#include "noria/queue/attached_regions.hpp"
#include "noria/queue/byte_limit.hpp"
#include "noria/queue/few_pieces.hpp"
#include "noria/queue/in_flight.hpp"
#include "noria/queue/offload.hpp"
#include "noria/queue/plain_packets.hpp"
#include "noria/queue/transmit_terms.hpp"
#include "noria/stats/drop_reason.hpp"
#include "noria/stats/ledger.hpp"

namespace noria::inline NORIA_ABI {

// What one transmit queue has seen. Moved by its thread only. What it dropped is in drops().
struct transmit_counters {
    std::uint64_t offered = 0;          // packets taken from the caller
    std::uint64_t sent = 0;             // packets that the device reported as sent,
    std::uint64_t bytes = 0;            // in them
    std::uint64_t linearized = 0;       // packets brought down to the device's limit,
    std::uint64_t linearized_bytes = 0; // by copying so many
    std::uint64_t linearize_failed = 0; // tries of that for which there was no memory
    std::uint64_t kept = 0;             // packets that waited for that memory
    std::uint64_t busy = 0;             // calls of send that left packets with the caller
    std::uint64_t stops = 0;
    std::uint64_t wakes = 0;
    std::uint64_t doorbells = 0;
    std::uint64_t refused = 0; // reports of what the device did not have, or had told already
};

// One transmit queue: packets on one side, a device on the other. The queue owns a packet from when it takes
// it until the device lets go of its memory. Every packet it took is sent, or dropped for a reason, or still
// held: ledger() closes after every call.
//
// One thread at a time, which is the owner of the packets' pools when a packet may be in more pieces than the
// device takes. The device is stopped before the queue goes; what is held then is freed as queue_purge.
template <transmit_backend Backend, transmit_limit Limit = unlimited>
class tx_queue {
  public:
    // Set-up. Packets that are sent lie in `memory`, or in a region that attach() was told of. `device` and
    // the regions outlive the queue.
    [[nodiscard]] static result<tx_queue> create(Backend& device, region& memory,
                                                 const tx_options& options = {}, Limit limit = {}) noexcept {
        const auto configured = device.configure_transmit(transmit_terms::asked(options));
        if (!configured)
            return configured.error();
        const auto terms = transmit_terms::of(options, *configured);
        if (!terms)
            return terms.error();
        auto sending = in_flight::create(terms->descriptors);
        if (!sending)
            return sending.error();
        tx_queue queue;
        queue.body_ = owned<body>::make(device, *terms, *std::move(sending), std::move(limit));
        if (!queue.body_)
            return make_error(std::errc::not_enough_memory,
                              "the system has no memory for the queue's bookkeeping");
        if (const error failed = queue.attach(memory); failed.code)
            return failed;
        return queue;
    }

    // Set-up. Packets may lie in `memory` too: in up to 8 regions.
    [[nodiscard]] error attach(region& memory) noexcept {
        return body_->regions.attach(body_->device, memory);
    }

    // Takes packets from the front, in order, and posts them to the device. The number taken: their places
    // are empty, they are sent off, or kept for lack of memory, or dropped for a reason. The others are still
    // the caller's, with the same bytes (perhaps in fewer pieces, or with a checksum or a tag filled in, or
    // the lengths out of headers that go before segments): the queue has stopped, or keeps a packet, or the
    // device took no more. What a packet wants (queue/offload.hpp) the device does, or this; what is to be
    // cut into segments, and cannot be, is dropped. One doorbell for up to 64 descriptors; and one for all
    // the plain packets in front, where the device has a shorter way for these (transmits_plain).
    // Precondition: no place is empty, all bytes are in regions the queue knows. O(pieces), and O(bytes)
    // where a packet has too many of them.
    [[nodiscard]] std::uint32_t send(std::span<packet_ptr> packets) noexcept {
        body& q = *body_;
        const auto offered = static_cast<std::uint32_t>(packets.size());
        if constexpr (transmits_plain<Backend>)
            if (!q.stopped && !q.kept)
                packets = packets.subspan(send_plain_ones(q, packets));
        while (!packets.empty() && !q.stopped && !q.kept) {
            const staged ready = stage(q, packets);
            const std::uint32_t taken = post(q, packets, ready);
            q.counters.offered += taken;
            packets = packets.subspan(taken);
            if (taken != ready.packets)
                break;
            if (ready.odd)
                set_aside(packets.front());
            packets = packets.subspan(ready.odd);
        }
        q.counters.busy += !packets.empty();
        return offered - static_cast<std::uint32_t>(packets.size());
    }
    // The same for one. False, and the packet is still the caller's, when it was not taken.
    [[nodiscard]] bool send(packet_ptr& one) noexcept { return send({&one, 1}) != 0; }

    // Takes up to `budget` reports off the device, frees what it is done with, in bulk, and wakes the queue
    // if there is room again. The number of reports, bad ones too; less than the budget means that there was
    // no more. A kept packet is tried again. Freeing is as packet_ptr::free: at best inside the owner
    // sections of the packets' pools. It may call the `release` of wrapped memory (packet_pool::wrap), which
    // therefore calls neither this nor send() of the same queue.
    std::uint32_t complete(std::uint32_t budget) noexcept {
        body& q = *body_;
        std::uint32_t done = 0;
        std::uint64_t bytes = 0;
        while (done != budget) {
            const std::uint32_t room = budget - done < burst ? budget - done : burst;
            const std::uint32_t reaped = q.device.reap_sent({q.reports.data(), room});
            NORIA_EXPECTS(reaped <= room, "reap_sent says how many reports it wrote: no more than it was "
                                          "given room for");
            if (reaped == 0)
                break;
            bytes += settle(q, {q.reports.data(), reaped});
            done += reaped;
        }
        if (bytes != 0)
            q.limit.completed(bytes, q.now);
        wake(q);
        if (q.kept)
            retry();
        return done;
    }

    // Does it take no packets now? complete() wakes it.
    [[nodiscard]] bool stopped() const noexcept { return body_->stopped; }
    // Is there a packet that waits for memory? Until it has gone, no other is taken.
    [[nodiscard]] bool keeps() const noexcept { return static_cast<bool>(body_->kept); }

    // The device was stopped, and will report nothing of what it has: all that is held is freed and counted
    // as queue_purge. Late reports are refused.
    void purge() noexcept {
        body& q = *body_;
        std::uint64_t purged = q.sending.purge();
        if (q.kept) {
            q.kept.free(drop_reason::queue_purge);
            ++purged;
        }
        q.drops.count(drop_reason::queue_purge, purged);
        if (q.bytes_out != 0)
            q.limit.completed(std::exchange(q.bytes_out, 0), q.now);
        q.free = q.terms.descriptors;
        wake(q);
    }

    // What time it is, say once a complete(): the queue asks no clock. For a byte limit to shrink.
    void set_now(nanoseconds now) noexcept { body_->now = now; }

    [[nodiscard]] const transmit_counters& counters() const noexcept { return body_->counters; }
    [[nodiscard]] const drop_histogram& drops() const noexcept { return body_->drops; }
    [[nodiscard]] const Limit& limit() const noexcept { return body_->limit; }
    [[nodiscard]] std::uint32_t most_pieces() const noexcept { return body_->terms.most_pieces; }
    [[nodiscard]] std::uint32_t free_descriptors() const noexcept { return body_->free; }
    // Packets whose memory the device has, or whose end is not known.
    [[nodiscard]] std::uint32_t packets_out() const noexcept { return body_->sending.packets(); }
    // offered = sent + drops by reason + held: taken, and neither sent nor dropped so far.
    [[nodiscard]] std::uint32_t held() const noexcept { return body_->sending.unsettled() + keeps(); }
    [[nodiscard]] loss_ledger ledger() const noexcept {
        loss_ledger all;
        all.offered = body_->counters.offered;
        all.delivered = body_->counters.sent;
        all.held = held();
        all.add_drops(body_->drops);
        return all;
    }

  private:
    static constexpr std::uint32_t burst = 64; // descriptors, reports

    struct body {
        body(Backend& to, const transmit_terms& agreed, in_flight&& made, Limit&& most) noexcept
            : device(to), terms(agreed), free(agreed.descriptors), sending(std::move(made)),
              limit(std::move(most)) {}
        ~body() { kept.free(drop_reason::queue_purge); }

        Backend& device;
        transmit_terms terms;
        std::uint32_t free; // descriptors
        in_flight sending;
        [[no_unique_address]] Limit limit;
        packet_ptr kept;
        std::uint32_t tries = 0; // of the kept one
        bool stopped = false;
        nanoseconds now = 0;
        std::uint64_t bytes_out = 0; // of packets whose end is not known
        attached_regions regions;
        std::array<transmit_post, burst> posts;
        std::array<transmit_report, burst> reports;
        transmit_counters counters;
        drop_histogram drops;
    };

    struct staged {
        std::uint32_t packets = 0; // from the front: they are in flight already
        std::uint32_t posts = 0;   // for them
        std::uint64_t bytes = 0;   // in them
        bool odd = false;          // the next one cannot be posted, whatever room there is
    };

    // Those in front that the device takes in a shorter way.
    [[nodiscard]] static std::uint32_t send_plain_ones(body& q, std::span<packet_ptr> packets) noexcept {
        if (const std::uint32_t most = q.terms.beginnings(q.free); packets.size() > most)
            packets = packets.first(most);
        const plain_run run = send_plain(q.device, packets, q.regions.last(), q.sending, q.limit);
        q.counters.offered += run.packets;
        q.counters.doorbells += run.packets != 0;
        q.free -= run.packets;
        q.bytes_out += run.bytes;
        stop(q);
        return run.packets;
    }

    // Takes as many packets as there is room for, and writes their posts. Here and below the queue's state is
    // a parameter, so that it is in a register: no store into a packet makes the compiler look it up again.
    [[nodiscard]] static staged stage(body& q, std::span<packet_ptr> packets) noexcept {
        const std::uint32_t most = q.terms.beginnings(q.free);
        const std::uint32_t room = most < burst ? most : burst;
        staged ready;
        while (ready.posts < room) {
            std::span<packet_ptr> left = packets.subspan(ready.packets);
            if (left.size() > room - ready.posts)
                left = left.first(room - ready.posts);
            plain_posts to{&q.posts[ready.posts]};
            const plain_run run = put_plain(left, to, q.regions.last(), q.sending, q.limit, ready.bytes);
            ready.packets += run.packets;
            ready.posts += run.packets;
            ready.bytes += run.bytes;
            if (run.packets == left.size() || !q.limit.has_room(ready.bytes) ||
                !stage_other(q, left[run.packets], ready))
                break;
        }
        return ready;
    }
    // Any packet. False when there may be no room for it now, or never: then it is odd.
    [[nodiscard, gnu::noinline]] static bool stage_other(body& q, packet_ptr& any, staged& ready) noexcept {
        if (burst - ready.posts < q.terms.most_pieces)
            return false;
        ready.odd = refusal(*any, q.terms) != drop_reason::consumed || !do_without_device(*any, q.terms) ||
                    !fit(q, *any);
        if (ready.odd)
            return false;
        packet& sending = *any;
        in_flight::inserter others = q.sending.insert();
        const std::uint32_t pieces = pieces_of(sending);
        const std::uint32_t id = others.put(std::move(any), sending.size(), pieces);
        others.done();
        q.regions.write_posts(sending, id, std::span(q.posts).subspan(ready.posts, pieces));
        ask_device(sending, q.posts[ready.posts]);
        ++ready.packets;
        ready.posts += pieces;
        ready.bytes += sending.size();
        return true;
    }
    [[nodiscard]] static bool fit(body& q, packet& sending) noexcept {
        const std::uint32_t before = sending.headlen();
        if (pieces_of(sending) <= q.terms.most_pieces) [[likely]]
            return true;
        if (!fit_pieces(sending, q.terms.most_pieces)) {
            ++q.counters.linearize_failed;
            return false;
        }
        ++q.counters.linearized;
        q.counters.linearized_bytes += sending.headlen() - before;
        return true;
    }

    // Hands what was staged to the device: how many packets it took. The others are in their places again.
    [[nodiscard]] static std::uint32_t post(body& q, std::span<packet_ptr> places, staged ready) noexcept {
        if (ready.packets != 0) {
            const std::uint32_t taken = q.device.transmit({q.posts.data(), ready.posts});
            NORIA_EXPECTS(taken <= ready.posts,
                          "transmit says how many posts it took: no more than it was offered");
            if (taken < ready.posts) [[unlikely]]
                ready = withdraw(q, places, taken, ready);
            q.counters.doorbells += ready.packets != 0;
            q.free -= ready.posts;
            q.bytes_out += ready.bytes;
            for (const transmit_post& each : std::span(q.posts).first(ready.posts))
                if ((each.flags & transmit_post::end_of_packet) != 0)
                    q.limit.queued(each.packet_bytes);
        }
        stop(q);
        return ready.packets;
    }
    // The device took so many posts only.
    [[nodiscard, gnu::noinline]] static staged withdraw(body& q, std::span<packet_ptr> places,
                                                        std::uint32_t taken, staged ready) noexcept {
        while (ready.posts > taken) {
            in_flight::withdrawn last = q.sending.withdraw();
            ready.posts -= last.descriptors;
            ready.bytes -= last.bytes;
            places[--ready.packets] = std::move(last.memory);
        }
        NORIA_EXPECTS(ready.posts == taken, "transmit takes whole packets only: all their pieces, or none");
        return ready;
    }

    static void stop(body& q) noexcept {
        if (!q.stopped && (q.free < q.terms.stop_below || !q.limit.has_room(0))) {
            q.stopped = true;
            ++q.counters.stops;
        }
    }
    static void wake(body& q) noexcept {
        if (q.stopped && q.free >= q.terms.wake_at && q.limit.has_room(0)) {
            q.stopped = false;
            ++q.counters.wakes;
        }
    }

    // A packet that cannot be posted: it is dropped, or kept.
    [[gnu::noinline]] void set_aside(packet_ptr& odd) noexcept {
        body& q = *body_;
        ++q.counters.offered;
        if (const drop_reason never = refusal(*odd, q.terms); never != drop_reason::consumed) {
            drop(odd, never);
        } else if (q.terms.retries == 0) {
            drop(odd, drop_reason::no_memory);
        } else {
            ++q.counters.kept;
            q.tries = 0;
            q.kept = std::move(odd);
        }
    }
    void retry() noexcept {
        body& q = *body_;
        const staged ready = stage(q, {&q.kept, 1});
        if (ready.odd) {
            if (++q.tries == q.terms.retries)
                drop(q.kept, drop_reason::no_memory);
        } else {
            // Where that takes none, it is kept on.
            static_cast<void>(post(q, {&q.kept, 1}, ready));
        }
    }
    void drop(packet_ptr& lost, drop_reason why) noexcept {
        body_->drops.count(why);
        lost.free(why);
    }

    // The bytes of packets whose end is known now.
    [[nodiscard]] static std::uint64_t settle(body& q, std::span<const transmit_report> reports) noexcept {
        std::array<packet*, burst> done; // ours, from settle_whole on
        std::uint32_t count = 0;
        std::uint64_t bytes = 0;
        while (!reports.empty()) {
            in_flight::sent_whole sum;
            const std::uint32_t whole = q.sending.settle_whole(reports, done.data() + count, sum);
            q.counters.sent += whole;
            q.counters.bytes += sum.bytes;
            q.free += sum.descriptors;
            bytes += sum.bytes;
            count += whole;
            reports = reports.subspan(whole);
            if (reports.empty()) [[likely]]
                break;
            bytes += settle_other(q, reports.front());
            reports = reports.subspan(1);
        }
        free_bulk(std::span<packet* const>(done.data(), count), drop_reason::consumed);
        q.bytes_out -= bytes;
        return bytes;
    }
    // The same of one report, whatever it says.
    [[nodiscard, gnu::noinline]] static std::uint32_t settle_other(body& q,
                                                                   const transmit_report& any) noexcept {
        in_flight::settled what = q.sending.settle(any);
        q.counters.refused += what.refused;
        q.free += what.descriptors;
        if (what.sent) {
            ++q.counters.sent;
            q.counters.bytes += what.bytes;
        } else if (what.failed) {
            q.drops.count(drop_reason::device_error);
        }
        what.memory.free(what.why);
        return what.bytes;
    }

    tx_queue() = default;

    owned<body> body_;
};

} // namespace noria::inline NORIA_ABI
