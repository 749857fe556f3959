// SPDX-License-Identifier: BSL-1.0
#include "noria/wire/ethernet.hpp"

#include <gtest/gtest.h>

namespace {

template <std::size_t Size>
std::span<const std::byte> bytes_of(const unsigned char (&bytes)[Size]) {
    return std::as_bytes(std::span(bytes));
}

static_assert(noria::is_vlan(noria::ethertype::vlan) && noria::is_vlan(noria::ethertype::service_vlan));
static_assert(!noria::is_vlan(noria::ethertype::ipv4));
static_assert(static_cast<int>(noria::ethertype::arp) == 0x0806);

TEST(Ethernet, ReadsAFrameWithATag) {
    const unsigned char frame[] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb,  // destination: a group
                                   0x02, 0x11, 0x22, 0x33, 0x44, 0x55,  // source
                                   0x81, 0x00, 0xb0, 0x64, 0x86, 0xdd}; // tag: priority 5, drop eligible, 100
    const auto* header = noria::header_at<noria::ethernet_header>(bytes_of(frame));
    ASSERT_NE(header, nullptr);
    EXPECT_TRUE(header->destination.is_multicast());
    EXPECT_FALSE(header->source.is_multicast());
    EXPECT_EQ(header->source, (noria::mac_address{{0x02, 0x11, 0x22, 0x33, 0x44, 0x55}}));
    EXPECT_EQ(header->type, noria::ethertype::vlan);
    const auto* tag = noria::header_at<noria::vlan_tag>(bytes_of(frame), sizeof *header);
    ASSERT_NE(tag, nullptr);
    EXPECT_EQ(tag->id(), 100);
    EXPECT_EQ(tag->priority(), 5u);
    EXPECT_EQ(tag->type, noria::ethertype::ipv6);
}

} // namespace
