// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/heads.hpp"

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

} // namespace
