// SPDX-License-Identifier: BSL-1.0
#include "noria/backend/null_strides.hpp"

#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"

namespace {

using namespace noria;

// Work buffers of 8 strides of 256 bytes, on two pages each.
constexpr receive_setup two_pages{.descriptors = 6, .strides = {256, 8}, .posts_per_work_buffer = 2};

TEST(null_strides, fills_work_buffers_stride_by_stride) {
    backend::null_strides device(600); // three strides: two frames a work buffer, and two strides are skipped
    ASSERT_TRUE(device.configure(two_pages));
    std::array<completion, 4> out{};
    const std::array<buffer_post, 3> posts{{{.id = 7}, {.id = 7}, {.id = 9}}};
    ASSERT_EQ(device.post(std::span(posts).first(1)), 1u);
    EXPECT_EQ(device.reap(out), 0u) << "the work buffer has one page yet";
    ASSERT_EQ(device.post(std::span(posts).last(2)), 2u);
    ASSERT_EQ(device.reap(std::span(out).first(1)), 1u);
    ASSERT_EQ(device.reap(std::span(out).last(3)), 2u) << "of the second one there is one page";
    out[3] = out[2];
    out[2] = out[1];
    out[1] = out[0];
    for (const std::uint32_t n : {1u, 2u}) {
        EXPECT_EQ(out[n].id, 7u);
        EXPECT_EQ(out[n].offset, (n - 1) * 768);
        EXPECT_EQ(out[n].length, 600u);
        EXPECT_EQ(out[n].strides, 3u);
        EXPECT_EQ(out[n].flags, completion::end_of_packet);
    }
    EXPECT_EQ(out[3].id, 7u);
    EXPECT_EQ(out[3].offset, 1536u);
    EXPECT_EQ(out[3].length, 0u);
    EXPECT_EQ(out[3].strides, 2u);
    EXPECT_EQ(out[3].flags, completion::filler);
    ASSERT_EQ(device.post({&posts[2], 1}), 1u);
    ASSERT_EQ(device.reap(out), 3u);
    EXPECT_EQ(out[0].id, 9u);
    EXPECT_EQ(out[0].offset, 0u);
}

TEST(null_strides, says_what_it_has_no_room_for) {
    backend::null_strides device(2000);
    EXPECT_TRUE(device.configure({.descriptors = 4096, .strides = {256, 8}, .frame_offset = 48}));
    EXPECT_FALSE(device.configure({.descriptors = 4097, .strides = {256, 8}, .frame_offset = 48}));
    EXPECT_FALSE(device.configure({.descriptors = 4096, .strides = {256, 8}, .frame_offset = 49}));
    const std::vector<buffer_post> posts(5000);
    EXPECT_EQ(device.post(posts), 4096u);
    EXPECT_EQ(device.post(posts), 0u);
    std::array<completion, 16> out{};
    EXPECT_EQ(device.reap(out), 16u) << "a page each, of which one frame takes all";
    EXPECT_EQ(device.post(posts), 16u);
    EXPECT_TRUE(device.configure(two_pages));
    EXPECT_EQ(device.reap(out), 0u) << "what the last queue posted is gone with it";
}

template <class Strategy>
void feed_for_ever(std::uint32_t frame_bytes) {
    using queue_type = rx_queue<backend::null_strides, Strategy>;
    constexpr rx_options options{.packets = 64};
    auto memory = region::map({.bytes = queue_type::region_bytes(options)});
    backend::null_strides device(frame_bytes);
    auto queue = queue_type::create(device, *memory, options);
    ASSERT_TRUE(queue) << queue.error().advice;
    for (int i = 0; i != 1000; ++i)
        ASSERT_EQ(queue->poll(32,
                              [&](packet_ptr packet) noexcept {
                                  EXPECT_EQ(packet->size(), frame_bytes);
                                  packet.free(drop_reason::consumed);
                              }),
                  32u);
    EXPECT_EQ(queue->counters().refused, 0u);
    EXPECT_EQ(queue->drops().dropped(), 0u);
    EXPECT_EQ(queue->packets_out(), 0u);
}

TEST(null_strides, feeds_a_queue_for_ever) {
    for (const std::uint32_t frame_bytes : {60u, 700u, 1514u}) {
        feed_for_ever<stride_copy>(frame_bytes);
        feed_for_ever<stride_attach>(frame_bytes);
        feed_for_ever<stride_around>(frame_bytes);
    }
}

} // namespace
