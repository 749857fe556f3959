// SPDX-License-Identifier: BSL-1.0
#include "noria/wire/ipv4.hpp"

#include <gtest/gtest.h>

namespace {

TEST(Ipv4, ReadsAHeader) {
    const unsigned char bytes[] = {0x46, 0xb8, 0x00, 0x73, 0xab, 0xcd, 0x40, 0x00, 0x3f, 0x11,
                                   0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0x0a, 0x01, 0x02, 0x03};
    const auto* header = noria::header_at<noria::ipv4_header>(std::as_bytes(std::span(bytes)));
    ASSERT_NE(header, nullptr);
    EXPECT_EQ(header->version(), 4u);
    EXPECT_EQ(header->header_length(), 24u);
    EXPECT_EQ(header->type_of_service, 0xb8);
    EXPECT_EQ(header->total_length, 0x73);
    EXPECT_EQ(header->identification, 0xabcd);
    EXPECT_TRUE(header->fragment & noria::ipv4_header::dont_fragment);
    EXPECT_FALSE(header->is_fragment());
    EXPECT_EQ(header->time_to_live, 63);
    EXPECT_EQ(header->protocol, noria::ip_protocol::udp);
    EXPECT_EQ(header->checksum, 0xb861);
    EXPECT_EQ(header->source, (noria::ipv4_address{{192, 168, 0, 1}}));
    EXPECT_EQ(header->destination, (noria::ipv4_address{{10, 1, 2, 3}}));
}

TEST(Ipv4, TellsFragments) {
    noria::ipv4_header header{};
    header.fragment = noria::ipv4_header::more_fragments;
    EXPECT_TRUE(header.is_fragment()) << "the first one";
    EXPECT_EQ(header.fragment_offset(), 0u);
    header.fragment = noria::ipv4_header::more_fragments | 185;
    EXPECT_TRUE(header.is_fragment());
    EXPECT_EQ(header.fragment_offset(), 1480u);
    header.fragment = 0x1fff;
    EXPECT_TRUE(header.is_fragment()) << "the last one";
    EXPECT_EQ(header.fragment_offset(), 65528u);
}

} // namespace
