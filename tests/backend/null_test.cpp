// SPDX-License-Identifier: BSL-1.0
#include "noria/backend/null.hpp"

#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"

namespace {

using namespace noria;

TEST(null, completes_every_post_once_in_order) {
    backend::null device(60);
    std::array<buffer_post, 10> posts{};
    std::array<completion, 4> out{};
    EXPECT_EQ(device.reap(out), 0u);
    std::uint32_t next_posted = 7;
    std::uint32_t next_seen = 7;
    for (int round = 0; round != 1000; ++round) {
        for (buffer_post& each : posts)
            each.id = next_posted++;
        ASSERT_EQ(device.post(posts), 10u);
        while (const std::uint32_t n = device.reap(out))
            for (const completion& each : std::span(out).first(n)) {
                EXPECT_EQ(each.id, next_seen++);
                EXPECT_EQ(each.length, 60u);
                EXPECT_EQ(each.flags, completion::end_of_packet);
            }
        EXPECT_EQ(next_seen, next_posted);
    }
}

TEST(null, takes_no_more_than_it_has_room_for) {
    backend::null device(60);
    const std::vector<buffer_post> posts(5000);
    EXPECT_EQ(device.post(posts), 4096u);
    EXPECT_EQ(device.post(posts), 0u);
    std::array<completion, 96> out{};
    EXPECT_EQ(device.reap(out), 96u);
    EXPECT_EQ(device.post(posts), 96u);
    EXPECT_TRUE(device.configure({.descriptors = 4096}));
    EXPECT_EQ(device.reap(out), 0u) << "what the last queue posted is gone with it";
    EXPECT_FALSE(device.configure({.descriptors = 4097}));
}

TEST(null, feeds_a_queue_for_ever) {
    using queue_type = rx_queue<backend::null, build_around>;
    constexpr rx_options options{.descriptors = 64, .packets = 64};
    auto memory = region::map({.bytes = queue_type::region_bytes(options)});
    backend::null device(60);
    auto queue = queue_type::create(device, *memory, options);
    ASSERT_TRUE(queue) << queue.error().advice;
    for (int i = 0; i != 1000; ++i)
        EXPECT_EQ(queue->poll(32,
                              [](packet_ptr packet) noexcept {
                                  EXPECT_EQ(packet->size(), 60u);
                                  packet.free(drop_reason::consumed);
                              }),
                  32u);
    EXPECT_EQ(queue->counters().delivered, 32'000u);
}

TEST(null, reports_every_packet_once_as_sent_and_free) {
    backend::null device(60);
    ASSERT_TRUE(device.configure_transmit({.descriptors = 4096, .most_pieces = 18}));
    EXPECT_FALSE(device.configure_transmit({.descriptors = 4097, .most_pieces = 18}));
    std::array<transmit_post, 5> posts{};
    posts[0].id = posts[1].id = 7;
    posts[2].id = 9;
    posts[1].flags = posts[2].flags = transmit_post::end_of_packet;
    EXPECT_EQ(device.transmit(posts), 3u) << "the last packet has no end";
    std::array<transmit_report, 8> out{};
    ASSERT_EQ(device.reap_sent(out), 2u);
    EXPECT_EQ(out[0].id, 7u);
    EXPECT_EQ(out[1].id, 9u);
    EXPECT_EQ(out[0].flags, transmit_report::sent | transmit_report::memory_free);
    EXPECT_EQ(device.reap_sent(out), 0u);
    std::vector<transmit_post> many(5000, {.flags = transmit_post::end_of_packet});
    EXPECT_EQ(device.transmit(many), 4096u);
    EXPECT_EQ(device.transmit(many), 0u);
    EXPECT_TRUE(device.configure_transmit({.descriptors = 1, .most_pieces = 1}));
    EXPECT_EQ(device.reap_sent(out), 0u) << "what the last queue posted is gone with it";
}

} // namespace
