// SPDX-License-Identifier: BSL-1.0
// Packets in more pieces than the device takes, and no memory to make them fewer.
#include "noria/queue/tx_queue.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "support/tx_queue_rig.hpp"

namespace {

using namespace noria;
using namespace tx_queue_test;

TEST(tx_queue, a_packet_in_too_many_pieces_is_made_linear_as_little_as_it_takes) {
    sending s({}, {}, {}, 4);
    ASSERT_TRUE(s.send(s.all.make(40, {10, 20, 30})));
    EXPECT_EQ(s.queue->counters().linearized, 0u) << "the device takes so many";
    s.device.finish(0);
    packet_ptr packet = s.all.make(40, {10, 20, 30, 40, 50});
    const std::vector<std::byte> bytes = bytes_sent(*packet);
    ASSERT_TRUE(s.queue->send(packet));
    EXPECT_EQ(s.device.packets_taken[0].pieces, 4u);
    EXPECT_EQ(s.device.packets_taken[0].bytes, bytes);
    EXPECT_EQ(s.queue->counters().linearized, 1u);
    EXPECT_EQ(s.queue->counters().linearized_bytes, 30u);
    s.device.finish(0);
    s.queue->complete(64);
    s.expect_closed();
}

TEST(tx_queue, without_memory_to_linearize_it_drops_and_says_so) {
    starved s(0);
    ASSERT_TRUE(s.queue->send(s.fragmented)) << "it was taken, and dropped";
    EXPECT_TRUE(s.device.packets_taken.empty());
    EXPECT_EQ(s.queue->counters().sent, 0u);
    EXPECT_EQ(s.queue->counters().linearize_failed, 1u);
    EXPECT_EQ(s.queue->drops().of(drop_reason::no_memory), 1u);
    EXPECT_EQ(s.all.packets.dropped(drop_reason::no_memory), 1u);
    EXPECT_EQ(s.all.pages.in_flight(), 0u);
    s.expect_closed();
    s.relieve();
}

TEST(tx_queue, or_keeps_it_and_all_behind_it_until_there_is_memory) {
    starved s(1000);
    std::array<packet_ptr, 3> packets;
    packets[0] = s.all.make(10);
    packets[1] = std::move(s.fragmented);
    packets[2] = s.all.make(20);
    EXPECT_EQ(s.queue->send(packets), 2u);
    EXPECT_TRUE(packets[2]) << "nothing overtakes a kept packet";
    EXPECT_TRUE(s.queue->keeps());
    EXPECT_FALSE(s.queue->send(packets[2]));
    EXPECT_EQ(s.queue->counters().kept, 1u);
    EXPECT_EQ(s.queue->held(), 2u);
    s.device.finish(0);
    for (int i = 0; i != 10; ++i)
        s.queue->complete(64);
    EXPECT_EQ(s.queue->counters().linearize_failed, 11u);
    EXPECT_EQ(s.queue->held(), 1u);
    s.expect_closed();
    s.relieve();
    s.queue->complete(64);
    EXPECT_FALSE(s.queue->keeps());
    ASSERT_EQ(s.device.packets_taken.size(), 1u);
    EXPECT_EQ(s.device.packets_taken[0].bytes, s.bytes);
    EXPECT_TRUE(s.queue->send(packets[2]));
    EXPECT_EQ(s.queue->counters().offered, 3u);
    s.device.finish(1);
    s.device.finish(0);
    s.queue->complete(64);
    EXPECT_EQ(s.queue->counters().sent, 3u);
    s.expect_closed();
}

// There is memory for it again, and the device takes nothing: that is no reason to let go of it.
TEST(tx_queue, a_kept_packet_that_the_device_does_not_take_is_kept_on) {
    starved s(1);
    ASSERT_TRUE(s.queue->send(s.fragmented));
    s.relieve();
    s.device.most_a_post = 0;
    for (int i = 0; i != 3; ++i) {
        s.queue->complete(64);
        EXPECT_TRUE(s.queue->keeps());
        EXPECT_EQ(s.queue->held(), 1u);
        s.expect_closed();
    }
    s.device.most_a_post = 1000;
    s.queue->complete(64);
    EXPECT_FALSE(s.queue->keeps());
    ASSERT_EQ(s.device.packets_taken.size(), 1u);
    EXPECT_EQ(s.device.packets_taken[0].bytes, s.bytes);
    s.device.finish(0);
    s.queue->complete(64);
    EXPECT_EQ(s.queue->counters().sent, 1u);
    EXPECT_EQ(s.all.out(), sending_memory::nothing);
    s.expect_closed();
}

TEST(tx_queue, a_kept_packet_is_not_tried_for_ever) {
    starved s(3);
    for (std::uint64_t lost = 1; lost != 3; ++lost) {
        ASSERT_TRUE(s.queue->send(s.fragmented));
        s.queue->complete(64);
        s.queue->complete(64);
        EXPECT_TRUE(s.queue->keeps());
        s.queue->complete(64);
        EXPECT_FALSE(s.queue->keeps());
        EXPECT_EQ(s.queue->drops().of(drop_reason::no_memory), lost);
        EXPECT_EQ(s.queue->counters().linearize_failed, 4 * lost);
        s.expect_closed();
        s.relieve();
        s.starve(); // the next one has as many tries
    }
    s.relieve();
}

// The room behind the tail is enough for the two fragments that are too many, while all of it would want a
// head that is not to be had.
TEST(tx_queue, little_is_linearized_without_any_memory_at_all) {
    sending s({}, {.large = 1}, {}, 3);
    packet_ptr large = s.all.packets.allocate(8192);
    ASSERT_TRUE(large);
    packet_ptr packet = s.all.make(60, {30, 40, 500, 500});
    ASSERT_TRUE(s.queue->send(packet));
    EXPECT_EQ(s.queue->counters().linearized_bytes, 70u);
    ASSERT_EQ(s.device.packets_taken.size(), 1u);
    s.device.finish(0);
    s.queue->complete(64);
    EXPECT_EQ(s.queue->counters().sent, 1u);
    large.free(drop_reason::consumed);
}

} // namespace
