// SPDX-License-Identifier: BSL-1.0
#include "noria/wire/udp.hpp"

#include <gtest/gtest.h>

namespace {

TEST(Udp, ReadsAHeader) {
    const unsigned char bytes[] = {0x00, 0x35, 0xd4, 0x31, 0x01, 0x00, 0xbe, 0xef};
    const auto* header = noria::header_at<noria::udp_header>(std::as_bytes(std::span(bytes)));
    ASSERT_NE(header, nullptr);
    EXPECT_EQ(header->source_port, 53);
    EXPECT_EQ(header->destination_port, 54321);
    EXPECT_EQ(header->length, 256);
    EXPECT_EQ(header->checksum, 0xbeef);
}

} // namespace
