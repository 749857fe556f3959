// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/info.hpp"

#include <type_traits>

#include <gtest/gtest.h>

namespace {

using namespace noria;

static_assert(std::is_trivially_copyable_v<packet_info>, "it is copied with its packet");

TEST(packet_info, only_a_complete_sum_is_forgotten) {
    for (const checksum_state state :
         {checksum_state::none, checksum_state::unnecessary, checksum_state::partial}) {
        packet_info info{.checksum = 8, .checksum_start = 7, .checksum_state = state, .checksum_level = 2};
        const packet_info before = info;
        EXPECT_FALSE(info.has_sum());
        info.forget_sum();
        EXPECT_EQ(info, before);
    }
    packet_info info{.hash = 1};
    info.set_sum(internet_sum(0x1234));
    EXPECT_TRUE(info.has_sum());
    EXPECT_EQ(info.sum(), internet_sum(0x1234));
    EXPECT_EQ(info, (packet_info{.hash = 1, .checksum = 0x1234, .checksum_state = checksum_state::complete}));
    info.forget_sum();
    EXPECT_EQ(info.checksum_state, checksum_state::none);
}

} // namespace
