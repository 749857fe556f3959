// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/backend/contract.hpp"
#include "noria/core/result.hpp"
#include "noria/ring/descriptor.hpp"

// What a device must offer to be sent through: the other half of the contract, for backends that have it. It
// never sees a packet either, only where the pieces of one lie.

namespace noria::inline NORIA_ABI {

// A piece of a packet for the device to send. The pieces of a packet are posted one behind the other, with
// the same id, and the last one says so.
struct transmit_post {
    enum flag : std::uint32_t {
        end_of_packet = 1u << 0,

        // What the device is to do with the packet on its way out: in its first post, and only what the
        // device has said that it does (transmit_setup::offloads).
        insert_vlan = 1u << 1,     // a tag with `vlan` goes in behind the addresses
        insert_checksum = 1u << 2, // the sum of all from `transport_header` on, and of what is in the field
                                   // already, goes into the field at `checksum_field` behind there
        segment = 1u << 3, // it is TCP, and is cut into frames of `segment_bytes` payload each, the last with
                           // what remains. Before each go the first `header_bytes`, with lengths, checksums,
                           // sequence number and IPv4 identification of its own; FIN and PSH only in the
                           // last, CWR only in the first. The packet's own IP length is 0, its IPv4 checksum
                           // too, and in TCP's field is the sum of the pseudo-header without a length
        ipv6 = 1u << 4     // what the header at `network_header` is; else IPv4
    };
    static constexpr std::uint32_t all_offloads =
        std::uint32_t{insert_vlan} | std::uint32_t{insert_checksum} | std::uint32_t{segment};

    std::uint64_t iova = 0;
    std::uint32_t id = 0;           // what its reports will call the packet
    std::uint32_t length = 0;       // bytes of this piece
    std::uint32_t packet_bytes = 0; // of the whole packet
    std::uint32_t flags = 0;        // the top bit belongs to the ring it goes through

    // Of the first post, for what its flags ask. Offsets are from the first byte of the packet.
    std::uint16_t vlan = 0;
    std::uint16_t network_header = 0;
    std::uint16_t transport_header = 0;
    std::uint16_t checksum_field = 0; // from transport_header: 16 is TCP's, 6 is UDP's
    std::uint16_t header_bytes = 0;   // segment: Ethernet's, tags, IP's and TCP's
    std::uint16_t segment_bytes = 0;  // segment: not 0
};

// What became of a packet. That it was sent and that its memory is free are two things: a device that copies
// frees before it sends, one that sends in place can only free when nothing will be sent again. They come in
// one report, or in two, in either order. Every field is the device's word and is not trusted.
struct transmit_report {
    enum flag : std::uint32_t {
        sent = 1u << 0,        // it is on the wire
        memory_free = 1u << 1, // the device will not read it again
        error = 1u << 2        // instead of sent: it never will be
    };

    std::uint32_t id = 0;
    std::uint32_t flags = 0; // the top bit belongs to the ring it comes through
};

template <>
struct descriptor_traits<transmit_post> {
    static constexpr std::size_t word_offset = offsetof(transmit_post, flags);
};
template <>
struct descriptor_traits<transmit_report> {
    static constexpr std::size_t word_offset = offsetof(transmit_report, flags);
};

// What a transmit queue asks of its device before it starts, and what the device answers.
struct transmit_setup {
    std::uint32_t descriptors = 0; // how many pieces can be posted and not reported at once
    std::uint32_t most_pieces = 0; // of one packet; asked for: as many as a packet can have
    // In the answer only: what the device does with packets on their way out, flags of transmit_post. What is
    // not there is not asked of it.
    std::uint32_t offloads = 0;
    // And for which: checksums and segments are asked for with headers of at most so many bytes, all that is
    // in front of the network header, and the network header with its options or extensions.
    std::uint32_t most_link_header = 0xffff;
    std::uint32_t most_network_header = 0xffff;
};

// Takes up its sizes. Requires: configure_transmit(const transmit_setup&) -> result<transmit_setup>,
// noexcept, with what it will really do: no more pieces and descriptors than it was asked for.
template <class Backend>
concept configures_transmit = requires(Backend& backend, const transmit_setup& setup) {
    { backend.configure_transmit(setup) } noexcept -> std::same_as<result<transmit_setup>>;
};

// Takes packets to send. Requires: transmit(span<const transmit_post>) -> how many posts from the front it
// took, whole packets only; one doorbell for all of them.
template <class Backend>
concept transmits = requires(Backend& backend, std::span<const transmit_post> posts) {
    { backend.transmit(posts) } noexcept -> std::same_as<std::uint32_t>;
};

// Reports what became of them. Requires: reap_sent(span<transmit_report>) -> how many it wrote; 0 when there
// is nothing. Packets in any order.
template <class Backend>
concept reports_sent = requires(Backend& backend, std::span<transmit_report> reports) {
    { backend.reap_sent(reports) } noexcept -> std::same_as<std::uint32_t>;
};

// A device that can be sent through. All calls come from the queue's thread.
template <class Backend>
concept transmit_backend =
    attaches<Backend> && configures_transmit<Backend> && transmits<Backend> && reports_sent<Backend>;

// A shorter way that a backend may have beside transmit(), for what most packets are: in one piece, and with
// nothing to be done. They go where the device reads them, and no post is written. Requires:
//
//   plain_room(most)      for how many packets there are places now, of so many: perhaps fewer, or 0
//   plain_places()        these places: a value with takes(bytes), whether a packet as long as that may go
//   this
//                         way, never so of 0; and put(iova, bytes, id), called for what it takes, as often
//                         as there is room at most
//   commit_plain(places)  what was put there has been taken, as by transmit()
//   ring_plain()          the doorbell for all that was committed: nothing but these four is called before
//
// All noexcept, and without checks of their own: the queue keeps to this.
template <class Backend>
concept transmits_plain = requires(Backend& backend, std::uint32_t number, std::uint64_t iova,
                                   decltype(backend.plain_places()) places) {
    { backend.plain_room(number) } noexcept -> std::same_as<std::uint32_t>;
    { backend.plain_places() } noexcept;
    { places.takes(number) } noexcept -> std::same_as<bool>;
    { places.put(iova, number, number) } noexcept;
    { backend.commit_plain(places) } noexcept;
    { backend.ring_plain() } noexcept;
};

// For the author of a backend, as check_backend: put `static_assert(noria::check_transmit<my_nic>());` behind
// it.
template <class Backend>
[[nodiscard]] consteval bool check_transmit() noexcept {
    static_assert(attaches<Backend>,
                  "a backend makes memory known to its device: add `noria::result<noria::mapping> "
                  "attach(noria::region&) noexcept;`");
    static_assert(configures_transmit<Backend>,
                  "a backend with a transmit half takes up the queue's sizes: add "
                  "`noria::result<noria::transmit_setup> configure_transmit(const noria::transmit_setup&) "
                  "noexcept;` and return what it will really do");
    static_assert(transmits<Backend>,
                  "a backend with a transmit half takes packets to send: add `std::uint32_t "
                  "transmit(std::span<const noria::transmit_post>) noexcept;` and return how many posts it "
                  "took, whole packets only");
    static_assert(reports_sent<Backend>,
                  "a backend with a transmit half reports what became of packets: add `std::uint32_t "
                  "reap_sent(std::span<noria::transmit_report>) noexcept;` and return how many it wrote");
    return transmit_backend<Backend>;
}

} // namespace noria::inline NORIA_ABI
