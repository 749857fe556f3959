// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/fresh_buffers.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "support/devices.hpp"
#include "support/memory_block.hpp"

namespace {

using namespace noria;

constexpr rx_options options{.descriptors = 4, .packets = 3, .frame_bytes = 1514};
constexpr std::uint32_t buffer_bytes = 1920; // 64 + 1514 + 320 in whole cache lines
constexpr std::uint32_t room = buffer_bytes - 64 - 320;

struct fresh_buffers_of_four : testing::Test {
    explicit fresh_buffers_of_four(std::uint64_t pages_wanted = 7) : memory(pages_wanted * buffer_bytes) {}

    completion filled(std::size_t n, std::uint32_t length = 60) const {
        return {.id = device.posted.at(n).id, .length = length, .flags = completion::end_of_packet};
    }

    memory_block memory;
    result<page_pool> pages = page_pool::create(memory.bytes(), buffer_bytes);
    result<fresh_buffers> supply = fresh_buffers::create(*pages, options);
    mapping dma{memory.bytes(), 0x1000};
    scripted_device<buffer_model::per_packet> device;
    frame gathered;
};

TEST_F(fresh_buffers_of_four, plans_a_buffer_for_each_descriptor_and_each_packet_that_keeps_one) {
    const page_plan copying = fresh_buffers::plan(options, false);
    EXPECT_EQ(copying.page_bytes, buffer_bytes);
    EXPECT_EQ(copying.pages, 4u);
    EXPECT_EQ(fresh_buffers::plan(options, true).pages, 7u);
    EXPECT_EQ(fresh_buffers::setup(options).descriptors, 4u);
    EXPECT_FALSE(fresh_buffers::create(*pages, {.descriptors = 0}));
}

TEST_F(fresh_buffers_of_four, posts_each_buffer_behind_its_headroom_and_maps_it) {
    supply->refill(device, dma);
    ASSERT_EQ(device.posted.size(), 4u);
    for (std::uint64_t i = 0; i != 4; ++i) {
        EXPECT_EQ(device.posted[i].iova, 0x1000 + i * buffer_bytes + 64);
        EXPECT_EQ(device.posted[i].length, room);
        EXPECT_EQ(device.posted[i].length, fresh_buffers::setup(options).buffer_bytes);
    }
    EXPECT_EQ(supply->posted_pages(), 4u);
    EXPECT_EQ(dma.counters().maps, 1u + 4u);
    supply->refill(device, dma);
    EXPECT_EQ(device.posted.size(), 4u) << "there is nothing left to post";
}

TEST_F(fresh_buffers_of_four, a_buffer_that_a_packet_took_is_replaced) {
    supply->refill(device, dma);
    ASSERT_EQ(supply->accept(filled(2), dma, gathered), accepted::piece);
    piece& part = gathered.pieces()[0];
    EXPECT_EQ(part.data(), memory.bytes().data() + 2 * buffer_bytes + 64);
    EXPECT_EQ(part.length, 60u);
    EXPECT_EQ(part.headroom, 64u);
    EXPECT_EQ(part.room, room - 60);
    EXPECT_EQ(part.truesize, buffer_bytes);
    EXPECT_EQ(dma.counters().unmaps, 1u);

    page& taken = supply->take(part);
    supply->settle(gathered);
    EXPECT_EQ(supply->posted_pages(), 3u);
    supply->refill(device, dma);
    EXPECT_EQ(supply->posted_pages(), 4u);
    EXPECT_EQ(device.posted.back().iova, 0x1000 + 4 * buffer_bytes + 64) << "the next page of the pool";
    EXPECT_EQ(dma.counters().maps, 1u + 5u);
    taken.release();
}

TEST_F(fresh_buffers_of_four, what_is_posted_goes_home_with_its_supply) {
    {
        auto other = fresh_buffers::create(*pages, options);
        ASSERT_TRUE(other);
        other->refill(device, dma);
        EXPECT_EQ(pages->in_flight(), 4u);
    }
    EXPECT_EQ(pages->in_flight(), 0u);
}

TEST_F(fresh_buffers_of_four, a_buffer_that_nobody_took_is_posted_again) {
    supply->refill(device, dma);
    ASSERT_EQ(supply->accept(filled(1), dma, gathered), accepted::piece);
    supply->settle(gathered);
    supply->refill(device, dma);
    EXPECT_EQ(device.posted.back().iova, device.posted[1].iova);
    EXPECT_NE(device.posted.back().id, device.posted[1].id);
    EXPECT_EQ(pages->allocated(), 4u);
    EXPECT_EQ(dma.counters().maps, 1u + 5u) << "unmapped and mapped again, as the path says";
}

TEST_F(fresh_buffers_of_four, a_completion_counts_once) {
    supply->refill(device, dma);
    const completion done = filled(0);
    EXPECT_EQ(supply->accept(done, dma, gathered), accepted::piece);
    EXPECT_EQ(supply->accept(done, dma, gathered), accepted::refused);
    EXPECT_EQ(supply->accept({.id = 4}, dma, gathered), accepted::refused);
    supply->settle(gathered);
    gathered.clear();
    supply->refill(device, dma);
    EXPECT_EQ(supply->accept(done, dma, gathered), accepted::refused) << "late: the buffer has a new id";
    EXPECT_TRUE(gathered.pieces().empty());
    EXPECT_EQ(dma.counters().unmaps, 1u);
}

TEST_F(fresh_buffers_of_four, a_length_that_cannot_be_spoils_the_frame) {
    supply->refill(device, dma);
    EXPECT_EQ(supply->accept(filled(0, room), dma, gathered), accepted::piece);
    EXPECT_FALSE(gathered.spoiled());
    EXPECT_EQ(gathered.pieces()[0].room, 0u);
    EXPECT_EQ(supply->accept(filled(1, room + 1), dma, gathered), accepted::piece);
    EXPECT_EQ(gathered.why(), drop_reason::device_error);
    EXPECT_EQ(gathered.pieces()[1].length, room);
}

TEST_F(fresh_buffers_of_four, a_dry_pool_leaves_a_hole_that_the_next_refill_fills) {
    std::vector<page*> gone;
    while (page* each = pages->allocate())
        gone.push_back(each);
    supply->refill(device, dma);
    EXPECT_TRUE(device.posted.empty());
    gone.back()->release();
    gone.pop_back();
    supply->refill(device, dma);
    EXPECT_EQ(device.posted.size(), 1u);
    for (page* each : gone)
        each->release();
    supply->refill(device, dma);
    EXPECT_EQ(device.posted.size(), 4u);
}

// Two frames: one that nobody took, and behind it one whose buffer is gone. The first one's goes on.
TEST_F(fresh_buffers_of_four, a_hole_keeps_no_other_buffer_back_and_is_told) {
    EXPECT_TRUE(supply->refill(device, dma));
    std::vector<page*> gone;
    while (page* each = pages->allocate())
        gone.push_back(each);
    ASSERT_EQ(supply->accept(filled(1), dma, gathered), accepted::piece);
    supply->settle(gathered);
    gathered.clear();
    ASSERT_EQ(supply->accept(filled(2), dma, gathered), accepted::piece);
    EXPECT_FALSE(supply->replaceable(gathered));
    gone.push_back(&supply->take(gathered.pieces()[0]));
    supply->settle(gathered);
    const std::uint64_t dry = pages->dry();
    EXPECT_FALSE(supply->refill(device, dma));
    EXPECT_EQ(pages->dry(), dry + 1) << "one question is enough";
    ASSERT_EQ(device.posted.size(), 5u);
    EXPECT_EQ(device.posted[4].iova, device.posted[1].iova);
    gone.front()->release();
    EXPECT_TRUE(supply->refill(device, dma));
    EXPECT_EQ(device.posted.size(), 6u);
    for (std::size_t i = 1; i != gone.size(); ++i)
        gone[i]->release();
}

TEST_F(fresh_buffers_of_four, a_frame_is_replaceable_when_no_slot_would_be_left_empty) {
    supply->refill(device, dma); // seven pages: three are left
    std::vector<page*> taken;
    for (std::size_t n = 0; n != 4; ++n) {
        gathered.clear();
        ASSERT_EQ(supply->accept(filled(n), dma, gathered), accepted::piece);
        EXPECT_EQ(supply->replaceable(gathered), n < 3);
        taken.push_back(&supply->take(gathered.pieces()[0]));
        supply->settle(gathered);
    }
    for (page* each : taken)
        each->release();
}

TEST_F(fresh_buffers_of_four, posts_only_what_will_find_a_packet) {
    EXPECT_FALSE(supply->refill(device, dma, {.packets = 3}));
    EXPECT_EQ(device.posted.size(), 3u);
    EXPECT_FALSE(supply->refill(device, dma, {.packets = 3}));
    EXPECT_TRUE(supply->refill(device, dma, {.packets = 4}));
    EXPECT_EQ(device.posted.size(), 4u);
}

TEST_F(fresh_buffers_of_four, a_page_is_pinned_when_no_slot_has_it) {
    supply->refill(device, dma);
    ASSERT_EQ(supply->accept(filled(2), dma, gathered), accepted::piece);
    page& taken = *gathered.pieces()[0].under;
    EXPECT_FALSE(supply->pins(taken));
    static_cast<void>(supply->take(gathered.pieces()[0]));
    supply->settle(gathered);
    EXPECT_TRUE(supply->pins(taken));
    taken.release();
}

TEST_F(fresh_buffers_of_four, what_the_device_does_not_take_is_mapped_once_all_the_same) {
    device.most_a_post = 0;
    for (int i = 0; i != 10; ++i)
        supply->refill(device, dma);
    EXPECT_EQ(dma.counters().maps, 1u + 1u) << "a batch of one is ready";
    device.most_a_post = 1;
    supply->refill(device, dma);
    EXPECT_EQ(device.posted.size(), 4u);
    EXPECT_EQ(dma.counters().maps, 1u + 4u);
}

// 18 completions without an end: one more than a frame can have pieces.
struct fresh_buffers_of_many : testing::Test {
    static constexpr rx_options many{.descriptors = 32, .packets = 1};
    memory_block memory{32 * buffer_bytes};
    result<page_pool> pages = page_pool::create(memory.bytes(), buffer_bytes);
    result<fresh_buffers> supply = fresh_buffers::create(*pages, many);
    mapping dma{memory.bytes(), 0};
    scripted_device<buffer_model::per_packet> device;
};
TEST_F(fresh_buffers_of_many, a_frame_of_too_many_pieces_is_spoiled_and_its_buffers_go_on) {
    supply->refill(device, dma);
    ASSERT_EQ(device.posted.size(), 32u);
    frame gathered;
    for (std::size_t i = 0; i != 32; ++i) {
        supply->touch({.id = device.posted[i].id}, 256);
        EXPECT_EQ(supply->accept({.id = device.posted[i].id, .length = 9}, dma, gathered), accepted::piece);
        EXPECT_EQ(gathered.spoiled(), i >= frame::most_pieces);
    }
    EXPECT_EQ(gathered.why(), drop_reason::packet_too_big);
    supply->settle(gathered);
    supply->refill(device, dma);
    EXPECT_EQ(device.posted.size(), 64u) << "every buffer is posted again";
    supply->touch({.id = ~0u}, 256);
}

// Pages come a batch at a time: none stays behind between pool and device, however few may be posted, and
// wherever a slot has its own.
TEST(fresh_buffers, every_page_it_fetches_is_posted) {
    constexpr rx_options of_64{.descriptors = 64, .packets = 64, .frame_bytes = 1514};
    memory_block memory(128 * buffer_bytes);
    auto pages = page_pool::create(memory.bytes(), buffer_bytes);
    auto supply = fresh_buffers::create(*pages, of_64);
    ASSERT_TRUE(pages && supply);
    mapping dma(memory.bytes(), 0);
    scripted_device<buffer_model::per_packet> device;
    std::vector<page*> held;
    const auto expect_all_posted = [&] {
        EXPECT_EQ(pages->in_flight(), supply->posted_pages() + held.size());
    };
    supply->refill(device, dma, {.packets = 20});
    EXPECT_EQ(device.posted.size(), 20u);
    EXPECT_EQ(supply->posted_pages(), 20u);
    expect_all_posted();
    supply->refill(device, dma);
    EXPECT_EQ(supply->posted_pages(), 52u) << "less than a batch is left";
    expect_all_posted();
    std::size_t next = 0;
    for (const std::size_t taken : {16u, 0u, 15u, 1u, 5u}) { // of the sixteen that are filled
        for (std::size_t n = 0; n != 16; ++n) {
            frame gathered;
            ASSERT_EQ(supply->accept({.id = device.posted[next++].id, .length = 60}, dma, gathered),
                      accepted::piece);
            if (n < taken)
                held.push_back(&supply->take(gathered.pieces()[0]));
            supply->settle(gathered);
        }
        supply->refill(device, dma);
        EXPECT_EQ(supply->posted_pages(), 52u) << "less than a batch is left";
        expect_all_posted();
    }
    EXPECT_EQ(device.posted.size(), 52u + 5 * 16);
    for (page* each : held)
        each->release();
}

} // namespace
