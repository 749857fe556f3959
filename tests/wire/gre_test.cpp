// SPDX-License-Identifier: BSL-1.0
#include "noria/wire/gre.hpp"

#include <gtest/gtest.h>

namespace {

TEST(Gre, ReadsAHeader) {
    const unsigned char bytes[] = {0xb0, 0x00, 0x08, 0x00};
    const auto* header = noria::header_at<noria::gre_header>(std::as_bytes(std::span(bytes)));
    ASSERT_NE(header, nullptr);
    EXPECT_EQ(header->version(), 0u);
    EXPECT_EQ(header->type, noria::ethertype::ipv4);
    EXPECT_EQ(header->header_length(), 16u) << "checksum, key and sequence number";
}

constexpr noria::gre_header with(std::uint16_t flags) {
    return {flags, noria::ethertype::ethernet};
}
static_assert(with(0x0000).header_length() == 4);
static_assert(with(0x8000).header_length() == 8);
static_assert(with(0x2000).header_length() == 8);
static_assert(with(0x1000).header_length() == 8);
static_assert(with(0x3001).version() == 1, "PPTP's");
static_assert(with(0xfffc).version() == 4, "all three bits count");
static_assert(noria::gre_header::has_routing == 0x4000, "bit 1 of RFC 1701");
static_assert(static_cast<int>(noria::ethertype::ethernet) == 0x6558);

} // namespace
