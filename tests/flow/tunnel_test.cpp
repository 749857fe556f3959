// SPDX-License-Identifier: BSL-1.0
#include "noria/flow/tunnel.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "noria/flow/rss.hpp"
#include "support/frames.hpp"
#include "support/random.hpp"
#include "support/reference_parser.hpp"

namespace {

using noria::ethertype;
using noria::ip_protocol;
using noria::tunnel_kind;
using bytes = std::vector<std::uint8_t>;

template <class Header>
void append(bytes& to, const Header& header) {
    const auto at = to.size();
    to.resize(at + sizeof header);
    std::memcpy(to.data() + at, &header, sizeof header);
}

std::span<const std::byte> view(const bytes& of) {
    return std::as_bytes(std::span(of));
}
noria::tunnel_headers parse(const bytes& frame) {
    return noria::parse_tunnel(view(frame), noria::parse_headers(view(frame)));
}

void append_ethernet(bytes& to, ethertype type) {
    noria::ethernet_header header{};
    header.type = type;
    append(to, header);
}
void append_ipv4(bytes& to, ip_protocol protocol, std::uint16_t length, std::uint16_t fragment = 0) {
    noria::ipv4_header ip{};
    ip.version_and_length = 0x45;
    ip.total_length = length;
    ip.protocol = protocol;
    ip.fragment = fragment;
    ip.source = {{66, 9, 149, 187}};
    ip.destination = {{161, 142, 100, 80}};
    append(to, ip);
}
void append_ports(bytes& to) {
    noria::udp_header udp{};
    udp.source_port = 2794;
    udp.destination_port = 1766;
    udp.length = 8;
    append(to, udp);
}
void append_udp_datagram(bytes& to) {
    append_ipv4(to, ip_protocol::udp, 28);
    append_ports(to);
}

// Ethernet, IPv4, and what carries the datagram above.
bytes vxlan_frame(std::uint32_t flags = noria::vxlan_header::id_valid, std::uint16_t port = 4789,
                  std::uint16_t fragment = 0) {
    bytes frame;
    append_ethernet(frame, ethertype::ipv4);
    append_ipv4(frame, ip_protocol::udp, 20 + 8 + 8 + 14 + 28, fragment);
    noria::udp_header udp{};
    udp.destination_port = port;
    append(frame, udp);
    append(frame, noria::vxlan_header{flags, 77u << 8});
    append_ethernet(frame, ethertype::ipv4);
    append_udp_datagram(frame);
    return frame;
}
bytes gre_frame(std::uint16_t flags) {
    bytes frame;
    append_ethernet(frame, ethertype::ipv4);
    append_ipv4(frame, ip_protocol::gre, 20 + 8 + 28);
    append(frame, noria::gre_header{flags, ethertype::ipv4});
    frame.resize(frame.size() + 4);
    append_udp_datagram(frame);
    return frame;
}

TEST(ParseTunnel, FindsTheFrameInAVxlan) {
    const bytes frame = vxlan_frame();
    const noria::tunnel_headers found = parse(frame);
    EXPECT_EQ(found.kind, tunnel_kind::vxlan);
    EXPECT_EQ(found.vxlan_id, 77u);
    EXPECT_EQ(found.inner.network_offset, 14 + 20 + 8 + 8 + 14);
    EXPECT_EQ(found.inner.transport_offset, 14 + 20 + 8 + 8 + 14 + 20);
    EXPECT_EQ(found.inner.payload_offset, frame.size());
    EXPECT_EQ(found.inner.datagram_end, frame.size());
    // All that takes the headers of a frame takes those of the frame within.
    const noria::toeplitz_hasher hasher;
    EXPECT_EQ(noria::rss_hash(hasher, view(frame), found.inner), 0x51ccc178u);
}

TEST(ParseTunnel, TakesForVxlanWhatSaysSo) {
    EXPECT_EQ(parse(vxlan_frame(0)).kind, tunnel_kind::none);
    EXPECT_EQ(parse(vxlan_frame(noria::vxlan_header::id_valid, 4790)).kind, tunnel_kind::none);
    EXPECT_EQ(
        parse(vxlan_frame(noria::vxlan_header::id_valid, 4789, noria::ipv4_header::more_fragments)).kind,
        tunnel_kind::none)
        << "a fragment is not looked into";
}

TEST(ParseTunnel, FindsTheDatagramInGre) {
    const noria::tunnel_headers found = parse(gre_frame(noria::gre_header::has_key));
    EXPECT_EQ(found.kind, tunnel_kind::gre);
    EXPECT_EQ(found.inner.network_offset, 14 + 20 + 8);
    EXPECT_TRUE(found.inner.has_transport());
    EXPECT_EQ(parse(gre_frame(noria::gre_header::has_key | 1)).kind, tunnel_kind::none) << "PPTP";
    EXPECT_EQ(parse(gre_frame(noria::gre_header::has_routing)).kind, tunnel_kind::none);
}

TEST(ParseTunnel, WhatIsCarriedEndsWithItsCarrier) {
    bytes frame;
    append_ethernet(frame, ethertype::ipv4);
    append_ipv4(frame, ip_protocol::ipv4, 20 + 20 + 4); // and half of the UDP header is padding
    append_udp_datagram(frame);
    const noria::tunnel_headers found = parse(frame);
    EXPECT_EQ(found.kind, tunnel_kind::ip_in_ip);
    EXPECT_TRUE(found.inner.has_network());
    EXPECT_FALSE(found.inner.has_transport());
    EXPECT_TRUE(found.inner.malformed);
    EXPECT_FALSE(found.inner.truncated);
}

// A jumbogram does not say where it ends, and so bounds nothing.
TEST(ParseTunnel, WhatAJumbogramCarriesEndsWithTheBytes) {
    bytes frame;
    append_ethernet(frame, ethertype::ipv6);
    noria::ipv6_header ip{};
    ip.version_class_flow = 0x6000'0000;
    ip.next_header = ip_protocol::hop_by_hop;
    append(frame, ip);
    append(frame, noria::ipv6_extension{ip_protocol::ipv4, 0});
    frame.resize(frame.size() + 6);
    append_udp_datagram(frame);
    const noria::tunnel_headers found = parse(frame);
    EXPECT_EQ(found.kind, tunnel_kind::ip_in_ip);
    EXPECT_TRUE(found.inner.has_transport());
    frame.pop_back();
    EXPECT_TRUE(parse(frame).inner.truncated);
    EXPECT_FALSE(parse(frame).inner.malformed);
}

TEST(ParseTunnel, OneLevelOnly) {
    bytes frame;
    append_ethernet(frame, ethertype::ipv4);
    append_ipv4(frame, ip_protocol::ipv4, 20 + 20 + 28);
    append_ipv4(frame, ip_protocol::ipv4, 20 + 28);
    append_udp_datagram(frame);
    const noria::tunnel_headers found = parse(frame);
    EXPECT_EQ(found.inner.transport, ip_protocol::ipv4);
    EXPECT_EQ(found.inner.payload_offset, 14 + 20 + 20);
}

// In a block of the heap that ends where the frame ends, so that the address sanitizer sees a step too far.
TEST(ParseTunnel, EqualsTheReferenceWhereverTheFrameEnds) {
    random_steps random;
    std::set<tunnel_kind> kinds;
    for (std::uint64_t step = random_steps::count(400, 40); step != 0; --step) {
        bytes frame = random_frame(random).bytes();
        if (random.one_in(3))
            frame[random.below(static_cast<std::uint32_t>(frame.size()))] ^= 0x55;
        for (std::size_t size = 0; size <= frame.size(); ++size) {
            const bytes there(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size));
            const auto exact = std::make_unique<std::byte[]>(size);
            const std::span flat(exact.get(), size);
            std::ranges::copy(view(there), flat.begin());
            const reference_parser::found expected = reference_parser::parse(there);
            const noria::parsed_headers outer = noria::parse_headers(flat);
            ASSERT_EQ(outer, expected.outer) << size;
            const noria::tunnel_headers found = noria::parse_tunnel(flat, outer);
            ASSERT_EQ(found, expected.tunnel) << size;
            kinds.insert(found.kind);
        }
    }
    EXPECT_EQ(kinds.size(), 4u);
}

#if NORIA_CONTRACT == 2
TEST(ParseTunnelDeathTest, RefusesHeadersOfAnotherFrame) {
    const bytes frame = vxlan_frame();
    const noria::parsed_headers headers = noria::parse_headers(view(frame));
    EXPECT_DEATH((void)noria::parse_tunnel(view(frame).first(20), headers), "another frame");
}
#endif

} // namespace
