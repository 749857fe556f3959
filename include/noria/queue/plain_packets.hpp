// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <utility>

#include "noria/backend/transmit.hpp"
#include "noria/core/contract.hpp"
#include "noria/packet/packet.hpp"
#include "noria/packet/packet_ptr.hpp"
#include "noria/queue/attached_regions.hpp"
#include "noria/queue/byte_limit.hpp"
#include "noria/queue/in_flight.hpp"
#include "noria/queue/offload.hpp"

// What most packets are on their way out: in one piece, in the region where the one before them lay, and with
// nothing to be done. tx_queue sends these in a loop of its own that has little to remember, so that all of
// it is in registers, and nothing to look up.

namespace noria::inline NORIA_ABI {

// Plain packets that went together.
struct plain_run {
    std::uint32_t packets = 0;
    std::uint64_t bytes = 0;
};

// Posts of plain packets, one behind the other.
struct plain_posts {
    transmit_post* next;

    [[nodiscard]] static bool takes(std::uint32_t bytes) noexcept { return bytes != 0; }
    void put(std::uint64_t iova, std::uint32_t bytes, std::uint32_t id) noexcept {
        // The other fields are for flags that are not set.
        next->iova = iova;
        next->id = id;
        next->length = bytes;
        next->packet_bytes = bytes;
        next->flags = transmit_post::end_of_packet;
        ++next;
    }
};

// Puts plain packets from the front into places, of which there are enough: up to the first one that is none,
// or too long or too short for there, or for which `limit` has no room behind `before` bytes. Who reads the
// places knows the packets by their ids in `sending`. O(packets).
//
// Places have takes(bytes), never so of 0, and put(iova, bytes, id). What is put into other places than posts
// has been taken, and the limit told of it.
template <class Places, transmit_limit Limit>
[[nodiscard, gnu::noinline]] plain_run put_plain(std::span<packet_ptr> packets, Places& places,
                                                 const attached_regions::one_region& here, in_flight& sending,
                                                 Limit& limit, std::uint64_t before = 0) noexcept {
    constexpr bool posted = std::same_as<Places, plain_posts>;
    in_flight::inserter all = sending.insert();
    Places to = places; // in registers, where no store makes the compiler look it up again
    std::uint64_t bytes = 0;
    for (packet_ptr& next : packets) {
        const packet& each = *next;
        const std::uint32_t length = each.size();
        if (!each.is_linear() || !to.takes(length) || !here.has(each.data()) || wants_offload(each) ||
            !limit.has_room(posted ? before + bytes : 0))
            break;
        const std::uint64_t iova = here.iova_of(each.data());
        to.put(iova, length, all.put(std::move(next), length, 1));
        if constexpr (!posted)
            limit.queued(length);
        bytes += length;
    }
    places = to;
    const std::uint32_t put = all.done();
    here.sync_for_device(put, bytes);
    return {put, bytes};
}

// Sends plain packets from the front the short way, as many as are some and the device has room for. They are
// the device's then, and a doorbell was rung for them, if there are any. O(packets).
template <transmits_plain Backend, transmit_limit Limit>
[[nodiscard]] plain_run send_plain(Backend& device, std::span<packet_ptr> packets,
                                   const attached_regions::one_region& here, in_flight& sending,
                                   Limit& limit) noexcept {
    plain_run all;
    while (!packets.empty()) {
        const std::uint32_t room = device.plain_room(static_cast<std::uint32_t>(packets.size()));
        if (room == 0)
            break;
        NORIA_EXPECTS(room <= packets.size(), "plain_room says no more than it was asked for");
        auto places = device.plain_places();
        const plain_run run = put_plain(packets.first(room), places, here, sending, limit);
        device.commit_plain(places);
        all.packets += run.packets;
        all.bytes += run.bytes;
        packets = packets.subspan(run.packets);
        if (run.packets != room)
            break;
    }
    if (all.packets != 0)
        device.ring_plain();
    return all;
}

} // namespace noria::inline NORIA_ABI
