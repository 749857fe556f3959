// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/half_pages.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>

#include <gtest/gtest.h>

#include "support/devices.hpp"
#include "support/memory_block.hpp"
#include "support/random.hpp"
#include "support/receive.hpp"

namespace {

using namespace noria;

constexpr rx_options options{.descriptors = 4, .packets = 3, .frame_bytes = 1514};

struct half_pages_of_four : testing::Test {
    // One frame for the n-th of all posts; its piece goes to a packet when `take`.
    page* receive(std::size_t n, bool take) {
        frame gathered;
        EXPECT_EQ(supply->accept({.id = device.posted.at(n).id, .length = 60}, dma, gathered),
                  accepted::piece);
        page* const taken = take ? &supply->take(gathered.pieces()[0]) : nullptr;
        supply->settle(gathered);
        return taken;
    }
    std::uint64_t iova(std::size_t n) const { return device.posted.at(n).iova; }

    memory_block memory{16 * 4096};
    result<page_pool> pages = page_pool::create(memory.bytes(), 4096);
    result<half_pages> supply = half_pages::create(*pages, options);
    mapping dma{memory.bytes(), 0};
    scripted_device<buffer_model::per_packet> device;
};

TEST_F(half_pages_of_four, plans_a_page_for_each_half_that_can_be_held) {
    EXPECT_EQ(half_pages::plan(options, false).pages, 4u);
    EXPECT_EQ(half_pages::plan(options, true).pages, 4u + 3u);
    EXPECT_EQ(half_pages::plan({.descriptors = 4, .packets = 3, .frame_bytes = 9018}, true).pages,
              4u + 3 * 6);
    receive_geometry tight = linux_geometry;
    tight.tail_overhead = 2048 - 64;
    EXPECT_FALSE(half_pages::create(*pages, {.frame_bytes = 1, .geometry = tight}));
    tight.tail_overhead = 2048 - 65;
    EXPECT_TRUE(half_pages::create(*pages, {.frame_bytes = 17, .geometry = tight}));
    EXPECT_FALSE(half_pages::create(*pages, {.descriptors = 0}));
    EXPECT_TRUE(half_pages::create(*pages, {.frame_bytes = 17 * 1664}));
    EXPECT_FALSE(half_pages::create(*pages, {.frame_bytes = 17 * 1664 + 1}))
        << "more than a packet can carry";
}

TEST_F(half_pages_of_four, posts_first_halves_behind_their_headroom) {
    supply->refill(device, dma);
    ASSERT_EQ(device.posted.size(), 4u);
    for (std::uint64_t i = 0; i != 4; ++i) {
        EXPECT_EQ(iova(i), i * 4096 + 64);
        EXPECT_EQ(device.posted[i].length, half_pages::setup(options).buffer_bytes);
        EXPECT_EQ(device.posted[i].length, 2048u - 64 - 320);
    }
    EXPECT_EQ(dma.counters().bytes_for_device, 4u * 2048);
    EXPECT_EQ(supply->posted_pages(), 4u);
}

TEST_F(half_pages_of_four, while_a_packet_holds_one_half_the_device_gets_the_other) {
    supply->refill(device, dma);
    page* const first = receive(0, true);
    supply->refill(device, dma);
    EXPECT_EQ(iova(4), 2048u + 64) << "the other half of page 0";
    EXPECT_EQ(pages->allocated(), 4u);
    // The first half comes free before the second is filled: the page goes on.
    first->release();
    page* const second = receive(4, true);
    supply->refill(device, dma);
    EXPECT_EQ(iova(5), 64u) << "the first half again";
    EXPECT_EQ(pages->allocated(), 4u);
    second->release();
}

TEST_F(half_pages_of_four, a_page_with_both_halves_out_is_given_up) {
    supply->refill(device, dma);
    page* const first = receive(0, true);
    supply->refill(device, dma);
    page* const second = receive(4, true);
    EXPECT_EQ(first, second);
    EXPECT_EQ(supply->posted_pages(), 3u);
    EXPECT_EQ(first->references(), 2u) << "only the packets hold it now";
    supply->refill(device, dma);
    EXPECT_EQ(iova(5), 4u * 4096 + 64) << "a new page";
    EXPECT_EQ(pages->allocated(), 5u);
    EXPECT_EQ(pages->in_flight(), 5u);
    first->release();
    EXPECT_EQ(pages->in_flight(), 5u);
    second->release();
    EXPECT_EQ(pages->in_flight(), 4u) << "the last one sends it home";
}

// A builder may be done with what it took before the frame is settled. The reference that is still out is
// then the other half's, and that one must not be posted.
TEST_F(half_pages_of_four, a_half_let_go_at_once_does_not_stand_for_the_other) {
    supply->refill(device, dma);
    page* const first = receive(0, true);
    supply->refill(device, dma);
    frame gathered;
    ASSERT_EQ(supply->accept({.id = device.posted[4].id, .length = 60}, dma, gathered), accepted::piece);
    supply->take(gathered.pieces()[0]).release();
    supply->settle(gathered);
    supply->refill(device, dma);
    EXPECT_NE(iova(5), 64u) << "a packet still holds that half";
    first->release();
}

TEST_F(half_pages_of_four, what_the_device_does_not_take_is_synced_once_all_the_same) {
    device.most_a_post = 0;
    for (int i = 0; i != 10; ++i)
        supply->refill(device, dma);
    EXPECT_EQ(dma.counters().syncs_for_device, 1u) << "a batch of one is ready";
    device.most_a_post = 1;
    supply->refill(device, dma);
    EXPECT_EQ(device.posted.size(), 4u);
    EXPECT_EQ(dma.counters().syncs_for_device, 4u);
    receive(0, false);
    supply->refill(device, dma);
    EXPECT_EQ(dma.counters().syncs_for_device, 5u) << "the processor may have looked at it";
}

TEST_F(half_pages_of_four, a_page_is_wanted_only_where_the_other_half_is_held) {
    supply->refill(device, dma);
    page* const first = receive(0, true);
    supply->refill(device, dma); // the other half, under the fifth post
    std::vector<page*> gone;
    while (page* each = pages->allocate())
        gone.push_back(each);
    frame gathered;
    ASSERT_EQ(supply->accept({.id = device.posted[1].id, .length = 60}, dma, gathered), accepted::piece);
    EXPECT_TRUE(supply->replaceable(gathered)) << "it turns over";
    supply->settle(gathered);
    gathered.clear();
    ASSERT_EQ(supply->accept({.id = device.posted[4].id, .length = 60}, dma, gathered), accepted::piece);
    EXPECT_FALSE(supply->replaceable(gathered));
    EXPECT_TRUE(supply->pins(*first));
    EXPECT_FALSE(supply->pins(*pages->page_of(memory.bytes().data() + 4096)));
    page* const second = &supply->take(gathered.pieces()[0]);
    supply->settle(gathered);
    EXPECT_TRUE(supply->pins(*first)) << "no slot has it now";
    EXPECT_FALSE(supply->refill(device, dma)) << "a hole";
    EXPECT_EQ(iova(5), 4096u + 64) << "which keeps the other one not back";
    for (page* each : gone)
        each->release();
    EXPECT_TRUE(supply->refill(device, dma));
    EXPECT_EQ(device.posted.size(), 7u);
    first->release();
    second->release();
}

TEST_F(half_pages_of_four, what_is_posted_goes_home_with_its_supply) {
    {
        auto other = half_pages::create(*pages, options);
        ASSERT_TRUE(other);
        other->refill(device, dma);
        EXPECT_EQ(pages->in_flight(), 4u);
    }
    EXPECT_EQ(pages->in_flight(), 0u);
}

TEST_F(half_pages_of_four, a_half_that_nobody_took_is_posted_again) {
    supply->refill(device, dma);
    receive(0, false);
    supply->refill(device, dma);
    EXPECT_EQ(iova(4), 64u);
    EXPECT_NE(device.posted[4].id, device.posted[0].id);
}

TEST_F(half_pages_of_four, what_cannot_be_is_refused_or_spoils) {
    supply->refill(device, dma);
    frame gathered;
    EXPECT_EQ(supply->accept({.id = 99}, dma, gathered), accepted::refused);
    EXPECT_EQ(supply->accept({.id = 0, .length = 1664}, dma, gathered), accepted::piece);
    EXPECT_FALSE(gathered.spoiled());
    EXPECT_EQ(gathered.pieces()[0].room, 0u);
    EXPECT_EQ(gathered.pieces()[0].truesize, 2048u);
    EXPECT_EQ(supply->accept({.id = 0, .length = 1}, dma, gathered), accepted::refused) << "twice";
    EXPECT_EQ(supply->accept({.id = 1, .length = 1665}, dma, gathered), accepted::piece);
    EXPECT_EQ(gathered.why(), drop_reason::device_error);
    EXPECT_EQ(gathered.pieces()[1].length, 1664u);
    supply->settle(gathered);
}

// 18 completions without an end: one more than a frame can have pieces.
TEST(half_pages, a_frame_of_too_many_pieces_is_spoiled_and_its_buffers_go_on) {
    memory_block memory(32 * 4096);
    auto pages = page_pool::create(memory.bytes(), 4096);
    auto supply = half_pages::create(*pages, {.descriptors = 32, .packets = 1});
    ASSERT_TRUE(pages && supply);
    mapping dma(memory.bytes(), 0);
    scripted_device<buffer_model::per_packet> device;
    supply->refill(device, dma);
    ASSERT_EQ(device.posted.size(), 32u);
    frame gathered;
    for (std::size_t i = 0; i != 32; ++i) {
        EXPECT_EQ(supply->accept({.id = device.posted[i].id, .length = 9}, dma, gathered), accepted::piece);
        EXPECT_EQ(gathered.spoiled(), i >= frame::most_pieces);
    }
    EXPECT_EQ(gathered.why(), drop_reason::packet_too_big);
    supply->settle(gathered);
    supply->refill(device, dma);
    EXPECT_EQ(device.posted.size(), 64u) << "every buffer is posted again";
}

// The bias of a page is used up after 65534 packets and filled up without anybody noticing.
TEST_F(half_pages_of_four, a_page_serves_for_ever) {
    supply->refill(device, dma);
    std::size_t slot_0 = 0;
    for (int i = 0; i != 150'000; ++i) {
        page* const taken = receive(slot_0, true);
        device.posted.clear();
        supply->refill(device, dma);
        slot_0 = 0;
        ASSERT_EQ(iova(0), i % 2 == 0 ? 2048u + 64 : 64u);
        taken->release();
    }
    EXPECT_EQ(pages->allocated(), 4u);
}

// At random: a half that a packet holds is never the device's.
TEST_F(half_pages_of_four, no_half_is_given_away_twice) {
    random_steps random;
    struct out {
        page* under;
        std::uint64_t iova;
    };
    std::deque<out> held;
    supply->refill(device, dma);
    for (std::uint64_t i = 0; i != random_steps::count(20'000); ++i) {
        std::swap(random.pick(device.posted), device.posted.back());
        const std::size_t last = device.posted.size() - 1;
        const std::uint64_t at = iova(last);
        if (page* const taken = receive(last, !random.one_in(4)))
            held.push_back({taken, at});
        device.posted.pop_back();
        while (held.size() > random.below(11)) {
            std::swap(random.pick(held), held.back());
            held.back().under->release();
            held.pop_back();
        }
        supply->refill(device, dma);
        ASSERT_EQ(device.posted.size(), 4u);
        for (const buffer_post& posted : device.posted)
            for (const out& each : held)
                ASSERT_NE(posted.iova, each.iova);
    }
    for (const out& each : held)
        each.under->release();
    EXPECT_EQ(pages->in_flight(), 4u);
}

// The whole queue, with a consumer that frees at once: the pool is asked once a descriptor, and never again.
TEST(half_pages, the_pool_is_never_asked_after_the_first_fill) {
    random_steps random;
    const traffic frames(random, 1514);
    receive_rig<build_around> r({.descriptors = 64, .packets = 100, .frame_bytes = 1514});
    std::uint64_t pinned = 0;
    for (int i = 0; i != 500; ++i) {
        for (int n = 0; n != 40; ++n)
            r.offer(frames.any(random));
        r.step();
        r.poll(64, [&](packet_ptr packet, frame_bytes) noexcept {
            pinned += packet->truesize();
            packet.free(drop_reason::consumed);
        });
        EXPECT_EQ(r.queue().pinned_bytes(), 0u);
        EXPECT_EQ(r.queue().pages_allocated(), 64u);
    }
    EXPECT_EQ(r.queue().dma().maps, 1u) << "the region, once";
    EXPECT_EQ(pinned, r.delivered() * (sizeof(packet) + 2048));
}

// There is a head for the longest frame, so that one on several halves can be made linear, and a clone its
// own.
TEST(half_pages, a_frame_on_many_halves_can_be_linearized) {
    receive_rig<build_around> r({.descriptors = 64, .packets = 100, .frame_bytes = 9018});
    random_steps random;
    const std::vector<std::byte> frame = random_bytes(random, 9018);
    int seen = 0;
    for (int i = 0; i != 20; ++i) {
        r.offer(frame);
        r.step();
        r.poll(64, [&](packet_ptr packet, frame_bytes) noexcept {
            ++seen;
            EXPECT_GT(packet->fragments().size(), 1u);
            packet_ptr twin = packet->clone();
            EXPECT_TRUE(linearize(*packet));
            EXPECT_TRUE(twin && linearize(*twin));
            EXPECT_TRUE(std::ranges::equal(packet->linear(), frame));
            EXPECT_TRUE(std::ranges::equal(twin->linear(), frame));
            twin.free(drop_reason::consumed);
            packet.free(drop_reason::consumed);
        });
    }
    EXPECT_EQ(seen, 20);
}

} // namespace
