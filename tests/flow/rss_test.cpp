// SPDX-License-Identifier: BSL-1.0
#include "noria/flow/rss.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

namespace {

using noria::ethertype;
using noria::ip_protocol;
using bytes = std::vector<std::uint8_t>;

std::span<const std::byte> view(const bytes& of) {
    return std::as_bytes(std::span(of));
}

template <class Header>
void append(bytes& to, const Header& header) {
    const auto at = to.size();
    to.resize(at + sizeof header);
    std::memcpy(to.data() + at, &header, sizeof header);
}

noria::ethernet_header ethernet(ethertype type) {
    noria::ethernet_header header{};
    header.type = type;
    return header;
}

// 66.9.149.187:2794 -> 161.142.100.80:1766, the first of Microsoft's verification suite.
bytes ipv4_frame(ip_protocol protocol, std::uint16_t fragment = 0) {
    bytes frame;
    append(frame, ethernet(ethertype::ipv4));
    noria::ipv4_header ip{};
    ip.version_and_length = 0x46; // with an option, so that ports are not where they are mostly
    ip.total_length = 44;
    ip.protocol = protocol;
    ip.fragment = fragment;
    ip.source = {{66, 9, 149, 187}};
    ip.destination = {{161, 142, 100, 80}};
    append(frame, ip);
    frame.resize(frame.size() + 4, 1);
    noria::tcp_header tcp{};
    tcp.source_port = 2794;
    tcp.destination_port = 1766;
    tcp.data_offset = 0x50;
    append(frame, tcp);
    return frame;
}

std::uint32_t hash(const bytes& frame) {
    static const noria::toeplitz_hasher hasher;
    return noria::rss_hash(hasher, view(frame), noria::parse_headers(view(frame)));
}

TEST(RssHash, IsTheHashOfAddressesAndPorts) {
    EXPECT_EQ(hash(ipv4_frame(ip_protocol::tcp)), 0x51ccc178u);
    EXPECT_EQ(hash(ipv4_frame(ip_protocol::udp)), 0x51ccc178u);
}

TEST(RssHash, LeavesPortsOutWhereThereAreNone) {
    EXPECT_EQ(hash(ipv4_frame(ip_protocol::icmp)), 0x323e8fc2u);
    EXPECT_EQ(hash(ipv4_frame(ip_protocol::encapsulating_security)), 0x323e8fc2u);
    bytes cut = ipv4_frame(ip_protocol::tcp);
    cut.resize(14 + 24 + 10);
    EXPECT_EQ(hash(cut), 0x323e8fc2u) << "half a TCP header is none";
}

TEST(RssHash, IsTheSameForAllPiecesOfADatagram) {
    EXPECT_EQ(hash(ipv4_frame(ip_protocol::tcp, noria::ipv4_header::more_fragments)), 0x323e8fc2u);
    EXPECT_EQ(hash(ipv4_frame(ip_protocol::tcp, 185)), 0x323e8fc2u);
}

TEST(RssHash, CoversIpv6) { // 3ffe:2501:200:1fff::7 port 2794 -> 3ffe:2501:200:3::1 port 1766
    bytes frame;
    append(frame, ethernet(ethertype::ipv6));
    noria::ipv6_header ip{};
    ip.version_class_flow = 0x6000'0000;
    ip.payload_length = 8;
    ip.next_header = ip_protocol::udp;
    ip.source = {{0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x1f, 0xff, 0, 0, 0, 0, 0, 0, 0, 7}};
    ip.destination = {{0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x00, 0x03, 0, 0, 0, 0, 0, 0, 0, 1}};
    append(frame, ip);
    noria::udp_header udp{};
    udp.source_port = 2794;
    udp.destination_port = 1766;
    append(frame, udp);
    EXPECT_EQ(hash(frame), 0x40207d3du);
    frame.resize(frame.size() - 1);
    EXPECT_EQ(hash(frame), 0x2cc18cd5u);
}

TEST(RssHash, IsZeroForWhatIsNotIp) {
    bytes frame;
    append(frame, ethernet(ethertype::arp));
    frame.resize(60, 0xff);
    EXPECT_EQ(hash(frame), 0u);
    EXPECT_EQ(hash({}), 0u);
}

RC_GTEST_PROP(RssHashBurst, EqualsTheHashOfEach, ()) {
    static const noria::toeplitz_hasher hasher;
    std::vector<noria::flow_tuple> tuples(*rc::gen::inRange<std::size_t>(0, 40));
    std::uint8_t size = 0;
    for (noria::flow_tuple& each : tuples) {
        if (*rc::gen::weightedElement<bool>({{5, false}, {1, true}}))
            size = *rc::gen::element<std::uint8_t>(0, 8, 12, 32, 36);
        each.size = size;
        for (std::uint8_t i = 0; i != size; ++i)
            each.bytes[i] = *rc::gen::arbitrary<std::uint8_t>();
    }
    std::vector<std::uint32_t> hashes(tuples.size(), 0xdead);
    noria::rss_hash_burst(hasher, tuples, hashes);
    for (std::size_t i = 0; i != tuples.size(); ++i)
        RC_ASSERT(hashes[i] == hasher(tuples[i].view()));
}

#if NORIA_CONTRACT == 2
TEST(FlowTupleDeathTest, RefusesHeadersOfAnotherFrame) {
    const bytes frame = ipv4_frame(ip_protocol::tcp);
    const noria::parsed_headers headers = noria::parse_headers(view(frame));
    EXPECT_DEATH((void)noria::make_flow_tuple(view(frame).first(20), headers), "another frame");
}

TEST(IndirectionTableDeathTest, NeedsAQueueAndKeepsItsSize) {
    noria::indirection_table table(1);
    EXPECT_DEATH(noria::indirection_table{0}, "needs a queue");
    EXPECT_DEATH(table.set(128, 0), "128 entries");
}
#endif

RC_GTEST_PROP(IndirectionTable, IsATableIndexedByTheLowBits, (std::uint32_t hash)) {
    const auto queues = *rc::gen::inRange<std::uint16_t>(1, 200);
    noria::indirection_table table(queues);
    RC_ASSERT(table.queue(hash) == hash % 128 % queues);
    table.set(hash % 128, 777);
    RC_ASSERT(table.queue(hash) == 777);
    RC_ASSERT(table.queue(hash ^ 0x8000'0080u) == 777);
    RC_ASSERT(table.queue(hash + 1) == (hash + 1) % 128 % queues);
}

TEST(IndirectionTable, DealsQueuesOutEvenly) {
    const noria::indirection_table table(6);
    std::vector<int> entries(6);
    for (std::uint32_t hash = 0; hash < noria::indirection_table::size; ++hash)
        ++entries[table.queue(hash)];
    const auto [fewest, most] = std::minmax_element(entries.begin(), entries.end());
    EXPECT_LE(*most - *fewest, 1);
}

} // namespace
