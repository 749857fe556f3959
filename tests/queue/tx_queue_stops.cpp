// SPDX-License-Identifier: BSL-1.0
// When a transmit queue takes no more, and when it does again.
#include "noria/queue/tx_queue.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "support/tx_queue_rig.hpp"

namespace {

using namespace noria;
using namespace tx_queue_test;

TEST(tx_queue, leaves_what_is_to_spare_within_a_burst_too) {
    sending s({.descriptors = 32, .spare = 5}, {}, {}, 4);
    std::vector<packet_ptr> packets;
    for (int i = 0; i != 40; ++i)
        packets.push_back(s.all.make(10));
    EXPECT_EQ(s.queue->send(packets), 24u);
    EXPECT_TRUE(s.queue->stopped());
    EXPECT_EQ(s.queue->free_descriptors(), 8u);
}

TEST(tx_queue, stops_below_one_mark_and_wakes_at_another) {
    sending s({.descriptors = 32, .spare = 2, .wake_free = 20}, {}, {}, 4);
    std::uint32_t taken = 0;
    for (packet_ptr packet = s.all.make(10); s.queue->send(packet); packet = s.all.make(10))
        ++taken;
    EXPECT_EQ(taken, 27u) << "with 5 free, the longest packet would leave less than 2 to spare";
    EXPECT_TRUE(s.queue->stopped());
    EXPECT_EQ(s.queue->counters().stops, 1u);
    for (std::uint32_t free = 6; free != 20; ++free) {
        s.device.finish(0);
        s.queue->complete(64);
        EXPECT_TRUE(s.queue->stopped()) << free;
        packet_ptr packet = s.all.make(10);
        EXPECT_FALSE(s.queue->send(packet));
    }
    s.device.finish(0);
    s.queue->complete(64);
    EXPECT_FALSE(s.queue->stopped());
    EXPECT_EQ(s.queue->counters().wakes, 1u);
    EXPECT_TRUE(s.send(s.all.make(10)));
}

TEST(tx_queue, wakes_at_a_quarter_if_nothing_else_is_said) {
    sending s({.descriptors = 128});
    for (packet_ptr packet = s.all.make(10); s.queue->send(packet); packet = s.all.make(10))
        ;
    ASSERT_TRUE(s.queue->stopped());
    while (s.queue->stopped()) {
        s.device.finish(0);
        s.queue->complete(64);
    }
    EXPECT_EQ(s.queue->free_descriptors(), 32u);
}

TEST(tx_queue, a_byte_limit_stops_it_with_descriptors_to_spare) {
    sending<byte_limit> s({}, {}, byte_limit({.least = 1000, .most = 1000}));
    std::uint32_t taken = 0;
    for (packet_ptr packet = s.all.make(200); s.queue->send(packet); packet = s.all.make(200))
        ++taken;
    EXPECT_EQ(taken, 6u) << "up to the limit, and one packet past it";
    EXPECT_TRUE(s.queue->stopped());
    std::array<packet_ptr, 3> more;
    for (packet_ptr& each : more)
        each = s.all.make(200);
    s.device.finish(0);
    s.queue->complete(64);
    EXPECT_FALSE(s.queue->stopped());
    EXPECT_EQ(s.queue->send(more), 1u);
    while (!s.device.packets_taken.empty())
        s.device.finish(0);
    s.queue->complete(64);
    EXPECT_EQ(s.queue->limit().on_the_way(), 0u);
    EXPECT_EQ(s.queue->send(std::span(more).subspan(1)), 2u);
    s.queue->purge();
    EXPECT_EQ(s.queue->limit().on_the_way(), 0u);
}

// Packets in one piece and others count alike, those staged before them in the same burst too; and what was
// not taken does not count.
TEST(tx_queue, a_byte_limit_counts_packets_of_every_kind) {
    for (const bool fragments_first : {true, false}) {
        sending<byte_limit> s({}, {}, byte_limit({.least = 1000, .most = 1000}));
        std::vector<packet_ptr> burst;
        for (int i = 0; i != 5; ++i)
            burst.push_back(s.all.make(250));
        burst.insert(fragments_first ? burst.begin() : burst.begin() + 1, s.all.make(200, {400}));
        EXPECT_EQ(s.queue->send(burst), 3u) << "up to the limit, and one packet past it";
        EXPECT_EQ(s.queue->limit().on_the_way(), 1100u);
        EXPECT_TRUE(s.queue->stopped());
        s.queue->purge();
        EXPECT_EQ(s.queue->limit().on_the_way(), 0u);
        EXPECT_FALSE(s.queue->stopped());

        std::vector<packet_ptr> more;
        more.push_back(s.all.make(100));
        more.push_back(s.all.make(100, {50}));
        more.push_back(s.all.make(100));
        s.device.packets_taken.clear();
        s.device.in_use = 0;
        for (const std::uint32_t bytes : {100u, 150u, 100u}) {
            s.device.most_a_post = 1;
            ASSERT_EQ(s.queue->send(more), 1u);
            more.erase(more.begin());
            EXPECT_EQ(s.queue->limit().on_the_way(), bytes);
            s.device.finish(0);
            EXPECT_EQ(s.queue->complete(64), 1u);
            EXPECT_EQ(s.queue->limit().on_the_way(), 0u);
        }
        s.queue->purge();
        EXPECT_EQ(s.queue->limit().on_the_way(), 0u);
        s.expect_closed();
    }
}

TEST(tx_queue, stopped_by_a_byte_limit_it_wakes_when_there_is_room_again) {
    sending<byte_limit> s({}, {}, byte_limit({.least = 1000, .most = 1000}));
    ASSERT_TRUE(s.send(s.all.make(10)));
    ASSERT_TRUE(s.send(s.all.make(2000)));
    EXPECT_TRUE(s.queue->stopped());
    s.device.finish(0);
    s.queue->complete(64);
    EXPECT_TRUE(s.queue->stopped()) << "2000 are still on the way";
    s.device.finish(0);
    s.queue->complete(64);
    EXPECT_FALSE(s.queue->stopped());
    EXPECT_EQ(s.queue->counters().stops, 1u);
    EXPECT_EQ(s.queue->counters().wakes, 1u);

    ASSERT_TRUE(s.send(s.all.make(2000)));
    EXPECT_TRUE(s.queue->stopped());
    s.queue->purge();
    EXPECT_FALSE(s.queue->stopped()) << "nothing is on the way any more";
}

} // namespace
