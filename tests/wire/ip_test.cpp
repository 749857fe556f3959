// SPDX-License-Identifier: BSL-1.0
#include "noria/wire/ip.hpp"

#include <gtest/gtest.h>

namespace {

// Against the registry: a slip of the pen here would go unnoticed in tests that use the names on both sides.
TEST(IpProtocol, NumbersAreIanas) {
    using noria::ip_protocol;
    EXPECT_EQ(static_cast<int>(ip_protocol::hop_by_hop), 0);
    EXPECT_EQ(static_cast<int>(ip_protocol::icmp), 1);
    EXPECT_EQ(static_cast<int>(ip_protocol::ipv4), 4);
    EXPECT_EQ(static_cast<int>(ip_protocol::tcp), 6);
    EXPECT_EQ(static_cast<int>(ip_protocol::udp), 17);
    EXPECT_EQ(static_cast<int>(ip_protocol::ipv6), 0x29);
    EXPECT_EQ(static_cast<int>(ip_protocol::gre), 0x2f);
    EXPECT_EQ(static_cast<int>(ip_protocol::routing), 0x2b);
    EXPECT_EQ(static_cast<int>(ip_protocol::fragment), 0x2c);
    EXPECT_EQ(static_cast<int>(ip_protocol::encapsulating_security), 0x32);
    EXPECT_EQ(static_cast<int>(ip_protocol::authentication), 0x33);
    EXPECT_EQ(static_cast<int>(ip_protocol::icmpv6), 0x3a);
    EXPECT_EQ(static_cast<int>(ip_protocol::no_next_header), 0x3b);
    EXPECT_EQ(static_cast<int>(ip_protocol::destination_options), 0x3c);
    EXPECT_EQ(static_cast<int>(ip_protocol::mobility), 0x87);
}

} // namespace
