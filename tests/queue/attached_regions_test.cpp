// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/attached_regions.hpp"

#include <array>

#include <gtest/gtest.h>

#include "support/transmit.hpp"

namespace {

using namespace noria;

TEST(attached_regions, write_a_post_for_each_piece_and_mark_the_last) {
    sending_memory all;
    scripted_transmitter device;
    attached_regions regions;
    ASSERT_FALSE(regions.attach(device, all.memory()).code);
    const packet_ptr packet = all.make(10, {20, 30});
    std::array<transmit_post, 4> posts{};
    ASSERT_EQ(regions.write_posts(*packet, 77, posts), 3u);
    const std::array<std::uint32_t, 3> lengths{10, 20, 30};
    for (std::size_t i = 0; i != 3; ++i) {
        EXPECT_EQ(posts[i].id, 77u);
        EXPECT_EQ(posts[i].length, lengths[i]);
        EXPECT_EQ(posts[i].packet_bytes, 60u);
        EXPECT_EQ(posts[i].flags, i == 2 ? std::uint32_t{transmit_post::end_of_packet} : 0u);
    }
    EXPECT_EQ(device.address_of(posts[0].iova, 10), packet->data());
    EXPECT_EQ(device.address_of(posts[2].iova, 30), packet->fragments()[1].data());
}

TEST(attached_regions, an_empty_head_is_no_piece) {
    sending_memory all;
    scripted_transmitter device;
    attached_regions regions;
    ASSERT_FALSE(regions.attach(device, all.memory()).code);
    std::array<transmit_post, 2> posts{};
    EXPECT_EQ(regions.write_posts(*all.make(0, {20}), 1, posts), 1u);
    EXPECT_EQ(posts[0].length, 20u);
}

TEST(attached_regions, find_the_region_of_each_piece) {
    std::array<sending_memory, attached_regions::most_regions> all;
    scripted_transmitter device;
    attached_regions regions;
    for (sending_memory& each : all)
        ASSERT_FALSE(regions.attach(device, each.memory()).code);
    EXPECT_TRUE(regions.attach(device, all[0].memory()).code) << "there are no more places";
    for (sending_memory& each : all) {
        const packet_ptr packet = each.make(10);
        std::array<transmit_post, 1> posts{};
        ASSERT_EQ(regions.write_posts(*packet, 1, posts), 1u);
        EXPECT_EQ(device.address_of(posts[0].iova, 10), packet->data());
    }
}

TEST(attached_regions, remember_where_the_last_piece_lay) {
    std::array<sending_memory, 3> all;
    scripted_transmitter device;
    attached_regions regions;
    for (sending_memory& each : all)
        ASSERT_FALSE(regions.attach(device, each.memory()).code);
    for (sending_memory& each : all) {
        const packet_ptr one = each.make(10), next = each.make(20);
        EXPECT_EQ(regions.last().has(one->data()), &each == all.data());
        std::array<transmit_post, 1> posts{};
        ASSERT_EQ(regions.write_posts(*one, 1, posts), 1u);
        const attached_regions::one_region here = regions.last();
        ASSERT_TRUE(here.has(next->data()));
        EXPECT_EQ(device.address_of(here.iova_of(next->data()), 20), next->data());
        const std::span<std::byte> bytes = each.memory().bytes();
        EXPECT_TRUE(here.has(bytes.data()));
        EXPECT_FALSE(here.has(bytes.data() - 1));
        EXPECT_TRUE(here.has(bytes.data() + bytes.size() - 1));
        EXPECT_FALSE(here.has(bytes.data() + bytes.size()));
    }
}

} // namespace
