// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "noria/wire/big.hpp"

// Ethernet II framing (IEEE 802.3-2022 clause 3) and the VLAN tag (IEEE 802.1Q-2022 clause 9). Frames are
// handled without preamble and without frame check sequence, as devices deliver them.

namespace noria::inline NORIA_ABI {

// What the frame carries (IANA "IEEE 802 Numbers"). Values below 0x600 are a length (IEEE 802.3
// clause 3.2.6).
enum class ethertype : std::uint16_t {
    ipv4 = 0x0800,
    arp = 0x0806,
    ethernet = 0x6558, // a frame of its own, in a tunnel (RFC 1701, "transparent Ethernet bridging")
    vlan = 0x8100,     // a customer tag follows
    ipv6 = 0x86dd,
    service_vlan = 0x88a8, // the outer of two tags
};

[[nodiscard]] constexpr bool is_vlan(ethertype type) noexcept {
    return type == ethertype::vlan || type == ethertype::service_vlan;
}

struct mac_address {
    std::array<std::uint8_t, 6> bytes;

    // Group addresses, broadcast included.
    [[nodiscard]] constexpr bool is_multicast() const noexcept { return (bytes[0] & 1) != 0; }

    friend bool operator==(const mac_address&, const mac_address&) noexcept = default;
};

struct ethernet_header {
    mac_address destination;
    mac_address source;
    big<ethertype> type;
};

// What follows an ethertype that is_vlan: the tag, and then the type it pushed away.
struct vlan_tag {
    big16 control; // priority 3 bits, drop eligible 1, identifier 12
    big<ethertype> type;

    [[nodiscard]] constexpr std::uint16_t id() const noexcept { return control & 0x0fff; }
    [[nodiscard]] constexpr unsigned priority() const noexcept { return unsigned{control} >> 13; }
};

static_assert(wire_header<ethernet_header> && sizeof(ethernet_header) == 14);
static_assert(wire_header<vlan_tag> && sizeof(vlan_tag) == 4);

} // namespace noria::inline NORIA_ABI
