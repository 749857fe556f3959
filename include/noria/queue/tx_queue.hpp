// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
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
#include "noria/stats/drop_reason.hpp"
#include "noria/stats/ledger.hpp"

namespace noria::inline NORIA_ABI {

struct tx_options {
    std::uint32_t descriptors = 512;
    // The queue stops when fewer descriptors are free than the longest packet takes and `spare` more, and
    // wakes when `wake_free` are; 0 is a quarter of them. Apart, so that it does not stop and wake at every
    // packet.
    std::uint32_t spare = 0;
    std::uint32_t wake_free = 0;
    // A packet in too many pieces, and no memory to make them fewer: it is dropped at once; or kept, and
    // tried again so often, once at each complete(), with nothing else sent meanwhile so that order is kept.
    std::uint32_t retries = 0;
};

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
        const auto configured = device.configure_transmit(
            {.descriptors = options.descriptors, .most_pieces = packet::most_fragments + 1});
        if (!configured)
            return configured.error();
        const transmit_setup& has = *configured;
        if (has.most_pieces == 0 || has.most_pieces > packet::most_fragments + 1 || has.descriptors == 0 ||
            has.descriptors > options.descriptors)
            return make_error(std::errc::protocol_error,
                              "the device answers with at least one descriptor and one piece a packet, and "
                              "with no more than it was asked for");
        const std::uint64_t stop_below = std::uint64_t{has.most_pieces} + options.spare;
        const std::uint64_t wake_at = options.wake_free != 0             ? options.wake_free
                                      : has.descriptors / 4 > stop_below ? has.descriptors / 4
                                                                         : stop_below;
        if (wake_at < stop_below || wake_at > has.descriptors)
            return make_error(std::errc::invalid_argument,
                              "the queue wakes (`found`) at no fewer free descriptors than it stops below "
                              "(`wanted`), and at no more than there are: ask for more descriptors, or less "
                              "to spare",
                              stop_below, wake_at);
        auto sending = in_flight::create(has.descriptors);
        if (!sending)
            return sending.error();
        tx_queue queue;
        queue.body_ = owned<body>::make(device, *std::move(sending), std::move(limit));
        if (!queue.body_)
            return make_error(std::errc::not_enough_memory,
                              "the system has no memory for the queue's bookkeeping");
        body& q = *queue.body_;
        q.most_pieces = has.most_pieces;
        q.offloads = has.offloads;
        q.free = q.descriptors = has.descriptors;
        q.stop_below = static_cast<std::uint32_t>(stop_below);
        q.wake_at = static_cast<std::uint32_t>(wake_at);
        q.retries = options.retries;
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
    // the caller's, with the same bytes (perhaps in fewer pieces, or with a checksum or a tag filled in): the
    // queue has stopped, or keeps a packet, or the device took no more. What a packet wants filled in
    // (queue/offload.hpp) the device does, or this. One doorbell for up to 64 descriptors. Precondition: no
    // place is empty, all bytes are in regions the queue knows. O(pieces), and O(bytes) where a packet has
    // too many of them.
    [[nodiscard]] std::uint32_t send(std::span<packet_ptr> packets) noexcept {
        body& q = *body_;
        const auto offered = static_cast<std::uint32_t>(packets.size());
        while (!packets.empty() && !q.stopped && !q.kept) {
            const staged ready = stage(packets);
            const std::uint32_t taken = post(packets.first(ready.packets), ready.posts);
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
    // sections of the packets' pools.
    std::uint32_t complete(std::uint32_t budget) noexcept {
        body& q = *body_;
        std::uint32_t done = 0;
        std::uint64_t bytes = 0;
        while (done != budget) {
            std::array<transmit_report, burst> reports;
            const std::uint32_t room = budget - done < burst ? budget - done : burst;
            const std::uint32_t reaped = q.device.reap_sent({reports.data(), room});
            NORIA_EXPECTS(reaped <= room, "reap_sent says how many reports it wrote: no more than it was "
                                          "given room for");
            if (reaped == 0)
                break;
            bytes += settle({reports.data(), reaped});
            done += reaped;
        }
        if (bytes != 0)
            q.limit.completed(bytes, q.now);
        wake();
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
        q.free = q.descriptors;
        wake();
    }

    // What time it is, say once a complete(): the queue asks no clock. For a byte limit to shrink.
    void set_now(nanoseconds now) noexcept { body_->now = now; }

    [[nodiscard]] const transmit_counters& counters() const noexcept { return body_->counters; }
    [[nodiscard]] const drop_histogram& drops() const noexcept { return body_->drops; }
    [[nodiscard]] const Limit& limit() const noexcept { return body_->limit; }
    [[nodiscard]] std::uint32_t most_pieces() const noexcept { return body_->most_pieces; }
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
        body(Backend& to, in_flight&& made, Limit&& most) noexcept
            : device(to), sending(std::move(made)), limit(std::move(most)) {}
        ~body() { kept.free(drop_reason::queue_purge); }

        Backend& device;
        in_flight sending;
        [[no_unique_address]] Limit limit;
        packet_ptr kept;
        std::uint32_t tries = 0; // of the kept one
        std::uint32_t retries = 0;
        std::uint32_t most_pieces = 0;
        std::uint32_t offloads = 0; // what the device does
        std::uint32_t descriptors = 0;
        std::uint32_t free = 0; // of them
        std::uint32_t stop_below = 0;
        std::uint32_t wake_at = 0;
        bool stopped = false;
        nanoseconds now = 0;
        std::uint64_t bytes_out = 0; // of packets whose end is not known
        attached_regions regions;
        std::array<transmit_post, burst> posts;
        transmit_counters counters;
        drop_histogram drops;
    };

    struct staged {
        std::uint32_t packets = 0; // from the front
        std::uint32_t posts = 0;   // for them
        bool odd = false;          // the next one cannot be posted, whatever room there is
    };

    // Writes the posts of as many packets as there is room for.
    [[nodiscard]] staged stage(std::span<packet_ptr> packets) noexcept {
        body& q = *body_;
        staged ready;
        std::uint64_t bytes = 0;
        for (packet_ptr& each : packets) {
            if (burst - ready.posts < q.most_pieces || q.free - ready.posts < q.stop_below ||
                !q.limit.has_room(bytes))
                break;
            ready.odd = each->size() == 0 || !do_without_device(*each, q.offloads) || !fit(*each);
            if (ready.odd)
                break;
            transmit_post& first = q.posts[ready.posts];
            ready.posts += q.regions.write_posts(*each, q.sending.id_of_next(ready.packets),
                                                 std::span(q.posts).subspan(ready.posts));
            ask_device(*each, first);
            bytes += each->size();
            ++ready.packets;
        }
        return ready;
    }

    [[nodiscard]] bool fit(packet& sending) noexcept {
        body& q = *body_;
        const std::uint32_t before = sending.headlen();
        if (pieces_of(sending) <= q.most_pieces) [[likely]]
            return true;
        if (!fit_pieces(sending, q.most_pieces)) {
            ++q.counters.linearize_failed;
            return false;
        }
        ++q.counters.linearized;
        q.counters.linearized_bytes += sending.headlen() - before;
        return true;
    }

    // Hands what was staged to the device: how many packets it took.
    [[nodiscard]] std::uint32_t post(std::span<packet_ptr> packets, std::uint32_t posts) noexcept {
        if (packets.empty()) {
            stop();
            return 0;
        }
        body& q = *body_;
        ++q.counters.doorbells;
        std::uint32_t left = q.device.transmit({q.posts.data(), posts});
        NORIA_EXPECTS(left <= posts, "transmit says how many posts it took: no more than it was offered");
        std::uint32_t taken = 0;
        for (; taken != packets.size(); ++taken) {
            packet_ptr& each = packets[taken];
            const std::uint32_t pieces = pieces_of(*each);
            if (left < pieces)
                break;
            left -= pieces;
            q.free -= pieces;
            q.limit.queued(each->size());
            q.bytes_out += each->size();
            q.sending.put(std::move(each), pieces);
        }
        NORIA_EXPECTS(left == 0, "transmit takes whole packets only: all their pieces, or none");
        stop();
        return taken;
    }

    void stop() noexcept {
        body& q = *body_;
        if (!q.stopped && (q.free < q.stop_below || !q.limit.has_room(0))) {
            q.stopped = true;
            ++q.counters.stops;
        }
    }
    void wake() noexcept {
        body& q = *body_;
        if (q.stopped && q.free >= q.wake_at && q.limit.has_room(0)) {
            q.stopped = false;
            ++q.counters.wakes;
        }
    }

    // A packet that cannot be posted: it is dropped, or kept.
    void set_aside(packet_ptr& odd) noexcept {
        body& q = *body_;
        ++q.counters.offered;
        if (odd->size() == 0) {
            drop(odd, drop_reason::packet_too_small);
        } else if (q.retries == 0) {
            drop(odd, drop_reason::no_memory);
        } else {
            ++q.counters.kept;
            q.tries = 0;
            q.kept = std::move(odd);
        }
    }
    void retry() noexcept {
        body& q = *body_;
        const staged ready = stage({&q.kept, 1});
        if (ready.odd) {
            if (++q.tries == q.retries)
                drop(q.kept, drop_reason::no_memory);
        } else {
            // Where that takes none, it is kept on.
            static_cast<void>(post({&q.kept, ready.packets}, ready.posts));
        }
    }
    void drop(packet_ptr& lost, drop_reason why) noexcept {
        body_->drops.count(why);
        lost.free(why);
    }

    // The bytes of packets whose end is known now.
    [[nodiscard]] std::uint64_t settle(std::span<const transmit_report> reports) noexcept {
        body& q = *body_;
        std::array<packet_ptr, burst> done;
        std::size_t count = 0;
        std::uint64_t bytes = 0;
        for (const transmit_report& each : reports) {
            in_flight::settled what = q.sending.settle(each);
            q.counters.refused += what.refused;
            q.free += what.descriptors;
            bytes += what.bytes;
            if (what.sent) {
                ++q.counters.sent;
                q.counters.bytes += what.bytes;
            } else if (what.failed) {
                q.drops.count(drop_reason::device_error);
            }
            if (what.memory && what.why == drop_reason::consumed)
                done[count++] = std::move(what.memory);
            else
                what.memory.free(what.why);
        }
        free_bulk({done.data(), count}, drop_reason::consumed);
        q.bytes_out -= bytes;
        return bytes;
    }

    tx_queue() = default;

    owned<body> body_;
};

} // namespace noria::inline NORIA_ABI
