// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "noria/backend/transmit.hpp"
#include "noria/packet/checksum.hpp"
#include "noria/packet/packet.hpp"
#include "noria/packet/pull.hpp"
#include "noria/wire/ethernet.hpp"

// What a packet still wants on its way out, by its packet_info: a checksum filled in
// (checksum_state::partial) and a VLAN tag put back (vlan). The device does it, or it is done here.

namespace noria::inline NORIA_ABI {

namespace detail {

// Devices know the fields of TCP and UDP, and no others, and those behind an Ethernet header.
[[nodiscard]] inline bool device_fills(const packet& of, std::uint32_t device_does) noexcept {
    const packet_info& info = of.info();
    constexpr std::uint16_t of_tcp = 16;
    constexpr std::uint16_t of_udp = 6;
    return (device_does & transmit_post::insert_checksum) != 0 &&
           (info.checksum == of_tcp || info.checksum == of_udp) &&
           info.checksum_start > of.headroom() + sizeof(ethernet_header);
}

// Where the network header is: where the packet says (set_network_header), else behind Ethernet's header and
// the tags that stand in the bytes. It lies before `transport`, and in the linear bytes.
[[nodiscard]] inline std::uint32_t network_offset(const packet& of, std::uint32_t transport) noexcept {
    const std::ptrdiff_t said = of.network_header() - of.data();
    if (said > 0 && said < static_cast<std::ptrdiff_t>(transport))
        return static_cast<std::uint32_t>(said);
    constexpr std::uint32_t behind_ethernet = sizeof(ethernet_header);
    std::uint32_t at = behind_ethernet;
    for (big<ethertype> type;; at += std::uint32_t{sizeof(vlan_tag)}) {
        if (at > of.headlen() || at >= transport)
            return behind_ethernet;
        std::memcpy(&type, of.data() + at - sizeof type, sizeof type);
        if (!is_vlan(type))
            return at;
    }
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
    return info.vlan != 0 || info.checksum_state == checksum_state::partial;
}

// Does what the packet wants and the device does not: `device_does` are flags of transmit_post. The owner of
// the packet's pool. False, for want of memory: what is not done yet is still wanted. Nothing to do: two
// comparisons. O(bytes) for a checksum.
[[nodiscard]] inline bool do_without_device(packet& sending, std::uint32_t device_does) noexcept {
    if (!wants_offload(sending)) [[likely]]
        return true;
    const packet_info& info = sending.info();
    if (info.checksum_state == checksum_state::partial && !detail::device_fills(sending, device_does) &&
        !fill_checksum(sending))
        return false;
    return info.vlan == 0 || (device_does & transmit_post::insert_vlan) != 0 || detail::push_tag(sending);
}

// Asks the device for the rest, in the first post of the packet. The network header is where the packet says
// (set_network_header), else behind Ethernet's and the tags behind that.
inline void ask_device(const packet& sending, transmit_post& first) noexcept {
    const packet_info& info = sending.info();
    if (info.vlan != 0) {
        first.flags |= transmit_post::insert_vlan;
        first.vlan = info.vlan;
    }
    if (info.checksum_state == checksum_state::partial) {
        const std::uint32_t transport = info.checksum_start - sending.headroom();
        const std::uint32_t network = detail::network_offset(sending, transport);
        first.flags |= transmit_post::insert_checksum;
        if (network < sending.headlen() && std::to_integer<unsigned>(sending.data()[network]) >> 4 == 6)
            first.flags |= transmit_post::ipv6;
        first.network_header = static_cast<std::uint16_t>(network);
        first.transport_header = static_cast<std::uint16_t>(transport);
        first.checksum_field = info.checksum;
    }
}

} // namespace noria::inline NORIA_ABI
