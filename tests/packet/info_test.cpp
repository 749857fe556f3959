// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/info.hpp"

#include <array>
#include <cstddef>
#include <type_traits>

#include <gtest/gtest.h>

namespace {

using namespace noria;

static_assert(std::is_trivially_copyable_v<packet_info>, "it is copied with its packet");

TEST(packet_info, only_a_complete_sum_is_forgotten) {
    for (const checksum_state state : {checksum_state::none, checksum_state::unnecessary,
                                       checksum_state::partial, checksum_state::per_segment}) {
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

TEST(packet_info, leaves_no_start_behind_when_it_is_partial_no_more) {
    const packet_info partial{
        .hash = 1, .checksum = 8, .checksum_start = 40, .checksum_state = checksum_state::partial};
    EXPECT_EQ(partial.field_end(), 50u);
    const auto start_after = [&](auto&& change) {
        packet_info info = partial;
        change(info);
        return info.checksum_start;
    };
    const std::array<std::byte, 7> bytes{};
    EXPECT_EQ(start_after([&](packet_info& info) { info.follow_pull(bytes, 33); }), 40) << "still partial";
    EXPECT_EQ(start_after([&](packet_info& info) { info.follow_pull(bytes, 34); }), 0);
    EXPECT_EQ(start_after([](packet_info& info) { info.set_sum(internet_sum(1)); }), 0);
    EXPECT_EQ(start_after([](packet_info& info) { info.forget_checksum(); }), 0);
}

// `checksum` says one thing or the other, and nothing of either when it is a sum.
TEST(packet_info, of_segments_has_their_size_where_else_the_field_is) {
    packet_info info{.checksum = 1448, .checksum_start = 34, .checksum_state = checksum_state::per_segment};
    EXPECT_TRUE(info.is_partial());
    EXPECT_TRUE(info.follows());
    EXPECT_EQ(info.segment_bytes(), 1448);
    EXPECT_EQ(info.checksum_field(), 16) << "TCP's";
    EXPECT_EQ(info.field_end(), 52u);
    for (const checksum_state other : {checksum_state::none, checksum_state::unnecessary,
                                       checksum_state::complete, checksum_state::partial}) {
        info.checksum_state = other;
        EXPECT_EQ(info.is_partial(), other == checksum_state::partial);
        EXPECT_EQ(info.segment_bytes(), 0);
    }
    EXPECT_EQ(info.checksum_field(), 1448);
    info.checksum_state = checksum_state::per_segment;
    info.forget_checksum();
    EXPECT_EQ(info.segment_bytes(), 0);
}

} // namespace
