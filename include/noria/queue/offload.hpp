// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "noria/backend/transmit.hpp"
#include "noria/packet/checksum.hpp"
#include "noria/packet/packet.hpp"
#include "noria/packet/pull.hpp"
#include "noria/queue/segment.hpp"
#include "noria/queue/transmit_terms.hpp"
#include "noria/stats/drop_reason.hpp"
#include "noria/wire/ethernet.hpp"

// What a packet still wants on its way out, by its packet_info: a checksum filled in
// (checksum_state::partial), to be cut into segments that have one each (per_segment), and a VLAN tag put
// back (vlan). The device does it, or it is done here; but only a device cuts.

namespace noria::inline NORIA_ABI {

namespace detail {

// Where the network header is: where the packet says (set_network_header), else behind Ethernet's header and
// the tags that stand in the bytes. It lies before `transport`.
[[nodiscard]] inline std::uint32_t network_offset(const packet& of, std::uint32_t transport) noexcept {
    constexpr std::uint32_t behind_ethernet = sizeof(ethernet_header);
    // One that was never set is the front of the first head, which lies behind data() when a tag was put in.
    const std::ptrdiff_t said = of.network_header() - of.data();
    if (said >= std::ptrdiff_t{behind_ethernet} && said < static_cast<std::ptrdiff_t>(transport))
        return static_cast<std::uint32_t>(said);
    std::uint32_t at = behind_ethernet;
    for (big<ethertype> type;; at += std::uint32_t{sizeof(vlan_tag)}) {
        if (at >= transport || !look(of, at - sizeof type, type))
            return behind_ethernet;
        if (!is_vlan(type))
            return at;
    }
}

// Are these headers short enough for the device?
[[nodiscard]] inline bool in_reach(std::uint32_t network, std::uint32_t transport,
                                   const transmit_terms& device) noexcept {
    return network <= device.most_link_header && transport - network <= device.most_network_header;
}

// Devices know the fields of TCP and UDP, and no others, and those behind an Ethernet header.
[[nodiscard]] inline bool device_fills(const packet& of, const transmit_terms& device) noexcept {
    const packet_info& info = of.info();
    constexpr std::uint16_t of_tcp = 16;
    constexpr std::uint16_t of_udp = 6;
    if ((device.offloads & transmit_post::insert_checksum) == 0 ||
        (info.checksum != of_tcp && info.checksum != of_udp) ||
        info.checksum_start <= of.headroom() + sizeof(ethernet_header))
        return false;
    const std::uint32_t transport = info.checksum_start - of.headroom();
    return in_reach(network_offset(of, transport), transport, device);
}

// Where the headers of a packet are that is to be cut into segments; nowhere, when it says so wrongly.
[[nodiscard]] inline segment_headers headers_of_segments(const packet& of) noexcept {
    if (of.info().checksum_start < of.headroom())
        return {};
    const std::uint32_t transport = of.info().checksum_start - of.headroom();
    return find_segment_headers(of, network_offset(of, transport), transport);
}

// Out of line, for packets that want less to be asked few questions.
[[nodiscard, gnu::noinline]] inline drop_reason refusal_to_cut(const packet& sending,
                                                               const transmit_terms& device) noexcept {
    if ((device.offloads & transmit_post::segment) == 0)
        return drop_reason::gso_segment;
    const segment_headers at = headers_of_segments(sending);
    if (sending.info().segment_bytes() == 0 || !at)
        return drop_reason::bad_gso;
    return in_reach(at.network, at.transport, device) ? drop_reason::consumed : drop_reason::gso_segment;
}
[[nodiscard, gnu::noinline]] inline bool prepare_to_cut(packet& sending,
                                                        const transmit_terms& device) noexcept {
    const segment_headers at = headers_of_segments(sending);
    return at && in_reach(at.network, at.transport, device) && leave_lengths_out(sending, at);
}
[[gnu::noinline]] inline void ask_to_cut(const packet& sending, transmit_post& first) noexcept {
    const segment_headers at = headers_of_segments(sending);
    first.flags |= transmit_post::segment | (at.ipv6 ? std::uint32_t{transmit_post::ipv6} : 0u);
    first.network_header = static_cast<std::uint16_t>(at.network);
    first.transport_header = static_cast<std::uint16_t>(at.transport);
    first.checksum_field = sending.info().checksum_field();
    first.header_bytes = static_cast<std::uint16_t>(at.payload);
    first.segment_bytes = sending.info().segment_bytes();
}

// What is no Ethernet frame gets no tag.
[[nodiscard]] inline bool push_tag(packet& to) noexcept {
    constexpr std::uint32_t addresses = 2 * sizeof(mac_address);
    if (to.size() > addresses) {
        if (may_pull(to, addresses) != pull_status::ok || !cow_head(to, sizeof(vlan_tag)))
            return false;
        std::byte* const front = to.push(std::uint32_t{sizeof(vlan_tag)});
        if (front == nullptr) // it has the room by now, which the compiler cannot know
            return false;
        to.set_mac_header(0);
        std::memmove(front, front + sizeof(vlan_tag), addresses);
        // What the tag says of a type is the type that was there before.
        const big<ethertype> type = ethertype::vlan;
        const big16 control = to.info().vlan;
        std::memcpy(front + addresses, &type, sizeof type);
        std::memcpy(front + addresses + sizeof type, &control, sizeof control);
    }
    to.info().vlan = 0;
    return true;
}

} // namespace detail

// Does the packet want anything on its way out? Two comparisons.
[[nodiscard]] inline bool wants_offload(const packet& sending) noexcept {
    const packet_info& info = sending.info();
    return info.vlan != 0 || info.is_partial();
}

// Why the packet can never be sent through that device, whatever memory there is: it has no bytes
// (packet_too_small), or is to be cut, and the device does not (gso_segment) or it is no TCP packet that can
// be (bad_gso). `consumed`, which is no drop, when it can. O(headers).
[[nodiscard]] inline drop_reason refusal(const packet& sending, const transmit_terms& device) noexcept {
    if (sending.size() == 0)
        return drop_reason::packet_too_small;
    return sending.info().checksum_state == checksum_state::per_segment
               ? detail::refusal_to_cut(sending, device)
               : drop_reason::consumed;
}

// Does what the packet wants and the device does not: a tag first, which moves headers. What is to be cut
// gets headers that a device can cut behind: lengths and sums go out of them. Precondition: there is no
// refusal(). The owner of the packet's pool. False, and what is not done yet is still wanted, for want of
// memory; or because there is a refusal() by now: a tag has made headers too long, or a device that has the
// memory has written there. Nothing to do: two comparisons. O(bytes) for a checksum.
[[nodiscard]] inline bool do_without_device(packet& sending, const transmit_terms& device) noexcept {
    if (!wants_offload(sending)) [[likely]]
        return true;
    const packet_info& info = sending.info();
    if (info.vlan != 0 && (device.offloads & transmit_post::insert_vlan) == 0 && !detail::push_tag(sending))
        return false;
    if (info.checksum_state == checksum_state::per_segment)
        return detail::prepare_to_cut(sending, device);
    return !info.is_partial() || detail::device_fills(sending, device) || fill_checksum(sending);
}

// Asks the device for the rest, in the first post of the packet. The network header is where the packet says
// (set_network_header), else behind Ethernet's and the tags behind that.
inline void ask_device(const packet& sending, transmit_post& first) noexcept {
    const packet_info& info = sending.info();
    if (info.vlan != 0) {
        first.flags |= transmit_post::insert_vlan;
        first.vlan = info.vlan;
    }
    if (info.checksum_state == checksum_state::per_segment) {
        detail::ask_to_cut(sending, first);
    } else if (info.is_partial()) {
        const std::uint32_t transport = info.checksum_start - sending.headroom();
        const std::uint32_t network = detail::network_offset(sending, transport);
        first.flags |= transmit_post::insert_checksum;
        std::byte version{};
        if (detail::look(sending, network, version) && std::to_integer<unsigned>(version) >> 4 == 6)
            first.flags |= transmit_post::ipv6;
        first.network_header = static_cast<std::uint16_t>(network);
        first.transport_header = static_cast<std::uint16_t>(transport);
        first.checksum_field = info.checksum;
    }
}

} // namespace noria::inline NORIA_ABI
