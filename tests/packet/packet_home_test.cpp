// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/packet_home.hpp"

#include <gtest/gtest.h>

#include "support/packet_fixture.hpp"

namespace {

using namespace noria;

TEST(packet_home, without_head_pools_has_no_heads) {
    packet_home home;
    EXPECT_EQ(home.allocate_head(0), nullptr);
    EXPECT_EQ(home.tail_overhead(), 0u);
}

TEST(packet_home, counts_drops_by_reason_and_not_what_was_delivered) {
    packet_home home;
    home.count(drop_reason::filter);
    home.count(drop_reason::filter);
    home.count(drop_reason::not_specified);
    home.count(user_drop_reason(3, 1));
    home.count(drop_reason::consumed);
    EXPECT_EQ(home.dropped(drop_reason::filter), 2u);
    EXPECT_EQ(home.dropped(drop_reason::not_specified), 1u);
    EXPECT_EQ(home.dropped(user_drop_reason(7, 7)), 1u) << "users share a bucket";
    EXPECT_EQ(home.dropped(drop_reason::consumed), 0u);
    EXPECT_EQ(home.dropped(drop_reason::no_memory), 0u);
}

// Which head a packet got shows in what it is charged for.
TEST(packet_home, gives_the_smallest_head_that_holds_the_bytes) {
    packet_fixture all;
    const auto head_for = [&](std::uint32_t bytes) {
        const packet_ptr made = all.packets().allocate(bytes);
        return made ? made->truesize() - sizeof(packet) : 0;
    };
    EXPECT_EQ(head_for(0), 256u);
    EXPECT_EQ(head_for(256), 256u);
    EXPECT_EQ(head_for(257), 512u);
    EXPECT_EQ(head_for(513), 2048u);
    EXPECT_EQ(head_for(2048), 2048u);
    EXPECT_EQ(head_for(2049), 0u);
}

TEST(packet_home, falls_to_a_larger_head_when_the_fitting_ones_are_out) {
    packet_fixture all;
    const shortage no_small(all.pools()[0], 0);
    {
        const packet_ptr made = all.packets().allocate(10);
        ASSERT_TRUE(made);
        EXPECT_EQ(made->truesize() - sizeof(packet), 512u);
    }
    const shortage no_medium(all.pools()[1], 0);
    {
        const packet_ptr made = all.packets().allocate(10);
        ASSERT_TRUE(made);
        EXPECT_EQ(made->truesize() - sizeof(packet), 2048u);
    }
    const shortage no_large(all.pools()[2], 0);
    EXPECT_FALSE(all.packets().allocate(10));
}

TEST(packet_home, never_falls_to_a_smaller_one) {
    packet_fixture all;
    const shortage no_large(all.pools()[2], 0);
    EXPECT_FALSE(all.packets().allocate(513));
}

TEST(packet_home, the_tail_overhead_is_left_alone) {
    packet_fixture all({.tail_overhead = 56});
    const packet_ptr made = all.packets().allocate(200);
    EXPECT_EQ(made->tailroom(), 200u);
    EXPECT_EQ(all.packets().allocate(201)->tailroom(), 512u - 56);
    ASSERT_TRUE(made->expand_head(0, 1));
    EXPECT_EQ(made->tailroom(), 512u - 56);
}

} // namespace
