// SPDX-License-Identifier: BSL-1.0
#include "noria/wire/vxlan.hpp"

#include <gtest/gtest.h>

namespace {

TEST(Vxlan, ReadsAHeader) {
    const unsigned char bytes[] = {0x08, 0x00, 0x00, 0x00, 0x12, 0x34, 0x56, 0xff};
    const auto* header = noria::header_at<noria::vxlan_header>(std::as_bytes(std::span(bytes)));
    ASSERT_NE(header, nullptr);
    EXPECT_TRUE(header->valid());
    EXPECT_EQ(header->id(), 0x123456u);
}

TEST(Vxlan, AHeaderWithoutTheFlagIsNone) {
    const unsigned char bytes[] = {0xf7, 0xff, 0xff, 0xff, 0x12, 0x34, 0x56, 0xff};
    EXPECT_FALSE(noria::header_at<noria::vxlan_header>(std::as_bytes(std::span(bytes)))->valid());
}

static_assert(noria::vxlan_port == 4789);

} // namespace
