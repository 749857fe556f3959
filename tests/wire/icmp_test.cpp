// SPDX-License-Identifier: BSL-1.0
#include "noria/wire/icmp.hpp"

#include <gtest/gtest.h>

namespace {

TEST(Icmp, ReadsAnEchoRequest) {
    const unsigned char bytes[] = {0x08, 0x01, 0x4d, 0x5a, 0x00, 0x01, 0x00, 0x02};
    const auto* header = noria::header_at<noria::icmp_header>(std::as_bytes(std::span(bytes)));
    ASSERT_NE(header, nullptr);
    EXPECT_EQ(header->type, 8);
    EXPECT_EQ(header->code, 1);
    EXPECT_EQ(header->checksum, 0x4d5a);
    EXPECT_EQ(header->rest, 0x00010002u);
}

} // namespace
