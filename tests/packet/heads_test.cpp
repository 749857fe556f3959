// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/heads.hpp"

#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "noria/memory/block_arena.hpp"
#include "noria/memory/budget.hpp"
#include "noria/packet/checksum.hpp"
#include "support/packet_fixture.hpp"

namespace {

using namespace noria;

// What a packet is put together from, and what happens to the parts when the last one is not to be had.
TEST(heads, a_bare_descriptor_and_a_bare_head_are_taken_from_idle_ones_that_have_both) {
    packet_fixture all({.packets = 2, .heads = {2, 1, 1}});
    {
        const packet_ptr both[] = {all.make(0, 10), all.make(0, 10)};
    }
    EXPECT_EQ(all.packets().heads_kept(0), 2u);
    packet_ptr larger = all.packets().allocate(500);
    ASSERT_TRUE(larger) << "its descriptor had a smaller head";
    EXPECT_EQ(all.packets().heads_kept(0), 1u);
    ASSERT_TRUE(larger->put(10) != nullptr && larger->expand_head(0, 0));
    EXPECT_EQ(larger->truesize(), 2048 + sizeof(packet)) << "the smallest that holds as much, and was free";
    larger = {};
    EXPECT_EQ(all.packets().in_flight(), 0u);
}

// The reserve is lent, and no idle descriptor keeps a head that came from it.
TEST(heads, one_from_the_emergency_reserve_is_not_kept) {
    memory_block memory(2 * 1024);
    auto arena = block_arena::create(memory.bytes(), 1024);
    ASSERT_TRUE(arena);
    auto budget = budget_allocator<block_arena>::create(*arena, {.marks = {1, 1, 1}});
    ASSERT_TRUE(budget);
    auto source = budget->as(allocation_class::emergency);
    auto pages = page_pool::create(source, 0, {.refill = 1});
    ASSERT_TRUE(pages);
    page_pool* const heads[] = {&*pages};
    auto packets = packet_pool::create({.packets = 2, .heads = heads});
    ASSERT_TRUE(packets);
    const auto entered = packets->enter();
    {
        const packet_ptr both[] = {packets->allocate(64), packets->allocate(64)};
        ASSERT_TRUE(both[0] && both[1]);
        EXPECT_EQ(budget->counters().emergency, 1u);
    }
    EXPECT_EQ(packets->heads_kept(0), 1u) << "the other one";
    EXPECT_EQ(arena->free_pages(), 1u);
}

// A start that was left behind would move along, and one day not fit into its 16 bits.
TEST(heads, expand_head_moves_the_start_of_a_partial_checksum_and_of_no_other) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100);
    ASSERT_TRUE(set_partial(*made, 34, 6));
    ASSERT_TRUE(made->expand_head(64, 0));
    EXPECT_EQ(made->info().checksum_start, 64u + 16 + 34);
    ASSERT_TRUE(fill_checksum(*made));
    EXPECT_EQ(made->info().checksum_start, 0u);
    ASSERT_TRUE(made->expand_head(64, 0));
    EXPECT_EQ(made->info().checksum_start, 0u);
}

TEST(heads, a_clone_in_the_middle_of_its_making_gives_back_its_descriptor) {
    packet_fixture all({.packets = 2});
    const packet_ptr original = all.make(16, 100);
    packet_ptr twin = original->clone();
    ASSERT_TRUE(twin);
    EXPECT_FALSE(original->clone()) << "no descriptor";
    EXPECT_TRUE(original->head_shared());
    twin = {};
    EXPECT_EQ(all.packets().in_flight(), 1u);
    twin = original->clone();
    EXPECT_TRUE(twin) << "by the share of the first";
}

// The first packet that its owner frees lies ready, apart from the other idle ones: its parts are to be had
// as theirs are.
TEST(heads, the_descriptor_of_a_packet_that_lies_ready_is_taken_when_it_is_the_last) {
    packet_fixture all({.packets = 1, .heads = {1, 1, 1}});
    const auto entered = all.packets().enter();
    all.packets().allocate(100).free(drop_reason::consumed);
    page* const under = all.pages().allocate();
    const packet_ptr around = all.packets().build_around(*under, {.bytes = 64, .held = 1024});
    EXPECT_TRUE(around);
    EXPECT_EQ(all.pools()[0].in_flight(), 0u) << "its head went home";
}

TEST(heads, the_head_of_a_packet_that_lies_ready_is_taken_when_it_is_the_last) {
    packet_fixture all({.packets = 2, .heads = {1, 1, 1}});
    const shortage no_medium(all.pools()[1], 0), no_large(all.pools()[2], 0);
    const auto entered = all.packets().enter();
    page* const under = all.pages().allocate();
    const packet_ptr moving = all.packets().build_around(*under, {.bytes = 64, .held = 1024});
    all.packets().allocate(100).free(drop_reason::consumed);
    EXPECT_TRUE(moving->expand_head(0, 0));
    EXPECT_EQ(moving->truesize(), 256 + sizeof(packet));
}

TEST(heads, a_packet_that_lies_ready_is_not_taken_for_one_of_another_size) {
    packet_fixture all;
    const auto entered = all.packets().enter();
    for (const std::uint32_t before : {10u, 300u, 600u})
        for (const std::uint32_t bytes : {10u, 300u, 600u}) {
            all.packets().allocate(before).free(drop_reason::consumed);
            const packet_ptr made = all.packets().allocate(bytes);
            ASSERT_TRUE(made);
            EXPECT_EQ(made->truesize() - sizeof(packet), bytes == 10 ? 256u : bytes == 300 ? 512u : 2048u);
        }
}

TEST(heads, a_packet_that_lies_ready_goes_with_its_pool) {
    memory_block memory(4 * 256);
    page_pool heads = *page_pool::create(memory.bytes(), 256);
    page_pool* const sizes[] = {&heads};
    {
        packet_pool packets = *packet_pool::create({.packets = 4, .heads = sizes});
        const auto entered = packets.enter();
        packets.allocate(100).free(drop_reason::consumed);
    }
    EXPECT_EQ(heads.in_flight(), 0u);
}

// A larger head than was asked for, since there was no other, is not kept in place of one.
TEST(heads, one_that_is_too_large_is_not_kept) {
    packet_fixture all;
    {
        const shortage no_small(all.pools()[0], 0);
        const packet_ptr made = all.packets().allocate(10);
        ASSERT_TRUE(made);
        EXPECT_EQ(made->truesize(), 512 + sizeof(packet));
    }
    EXPECT_EQ(all.packets().heads_kept(0), 0u);
    EXPECT_EQ(all.packets().heads_kept(1), 0u);
    EXPECT_EQ(all.pools()[1].in_flight(), 0u);
}

// All of the head is charged for, what lies behind its end too; and the next packet has the same end.
TEST(heads, a_kept_head_is_charged_for_as_a_new_one) {
    packet_fixture all({.packets = 1, .tail_overhead = 56});
    const auto entered = all.packets().enter();
    for (int i = 0; i != 3; ++i) {
        const packet_ptr made = all.packets().allocate(100, 16);
        EXPECT_EQ(made->truesize(), 256 + sizeof(packet));
        EXPECT_EQ(made->tailroom(), 256u - 56 - 16);
    }
}

TEST(heads, come_in_four_sizes) {
    memory_block memory(4 * 2048);
    std::vector<page_pool> pools;
    for (std::size_t i = 0; i != 5; ++i)
        pools.push_back(*page_pool::create(memory.bytes().subspan(i * 1024, 1024), 64u << (i < 4 ? i : 4)));
    page_pool* const sizes[] = {&pools[0], &pools[1], &pools[2], &pools[3], &pools[4]};
    EXPECT_FALSE(packet_pool::create({.packets = 4, .heads = sizes}));
    auto packets = packet_pool::create({.packets = 4, .heads = std::span(sizes).first(4)});
    ASSERT_TRUE(packets);
    for (const std::uint32_t bytes : {64u, 128u, 256u, 512u})
        EXPECT_EQ(packets->allocate(bytes)->truesize(), bytes + sizeof(packet));
}

// One that another thread freed comes back with its head: the pool of heads is asked once.
TEST(heads, a_packet_that_came_back_through_the_ring_is_whole) {
    packet_fixture all({.packets = 1, .heads = {1, 1, 1}});
    for (int i = 0; i != 5; ++i) {
        packet_ptr made;
        {
            const auto entered = all.packets().enter();
            made = all.packets().allocate(100, 16);
        }
        ASSERT_TRUE(made);
        EXPECT_EQ(made->headroom(), 16u);
        EXPECT_EQ(made->tailroom(), 240u);
        made.free(drop_reason::consumed); // as a thread does that does not own the pool
    }
    EXPECT_EQ(all.pools()[0].allocated(), 1u);
    EXPECT_EQ(all.packets().made(), 5u);
}

} // namespace
