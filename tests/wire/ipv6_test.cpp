// SPDX-License-Identifier: BSL-1.0
#include "noria/wire/ipv6.hpp"

#include <gtest/gtest.h>

namespace {

TEST(Ipv6, ReadsAHeader) {
    const unsigned char bytes[40] = {0x6b, 0x8a, 0xbc, 0xde, 0x01, 0x02, 0x3a, 0x40, 0xfe, 0x80};
    const auto* header = noria::header_at<noria::ipv6_header>(std::as_bytes(std::span(bytes)));
    ASSERT_NE(header, nullptr);
    EXPECT_EQ(header->version(), 6u);
    EXPECT_EQ(header->traffic_class(), 0xb8);
    EXPECT_EQ(header->flow_label(), 0xabcdeu);
    EXPECT_EQ(header->payload_length, 0x0102);
    EXPECT_EQ(header->next_header, noria::ip_protocol::icmpv6);
    EXPECT_EQ(header->hop_limit, 64);
    EXPECT_EQ(header->source.bytes[1], 0x80);
    EXPECT_EQ(header->destination, noria::ipv6_address{});
}

TEST(Ipv6, ExtensionHeadersCountInTwoUnits) {
    const noria::ipv6_extension extension{noria::ip_protocol::tcp, 4};
    EXPECT_EQ(extension.header_length(noria::ip_protocol::hop_by_hop), 40u);
    EXPECT_EQ(extension.header_length(noria::ip_protocol::authentication), 24u);
}

TEST(Ipv6, TellsFragments) {
    noria::ipv6_fragment fragment{};
    EXPECT_FALSE(fragment.is_fragment()) << "an atomic fragment is the whole datagram";
    fragment.offset_and_more = 1;
    EXPECT_TRUE(fragment.is_fragment());
    EXPECT_EQ(fragment.fragment_offset(), 0u);
    fragment.offset_and_more = 1448;
    EXPECT_TRUE(fragment.is_fragment());
    EXPECT_EQ(fragment.fragment_offset(), 1448u);
    fragment.offset_and_more = 6; // the two reserved bits say nothing
    EXPECT_FALSE(fragment.is_fragment());
}

} // namespace
