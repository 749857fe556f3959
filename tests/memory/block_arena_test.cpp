// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/block_arena.hpp"

#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/memory_block.hpp"
#include "support/random.hpp"

namespace {

using namespace noria;

constexpr std::uint32_t page_bytes = 64;

static_assert(!std::is_copy_constructible_v<block_arena> &&
              std::is_nothrow_move_constructible_v<block_arena>);

struct arena_fixture {
    arena_fixture(std::size_t pages, unsigned max_order) : memory(pages * page_bytes) {
        auto made = block_arena::create(memory.bytes(), page_bytes, max_order);
        arenas.push_back(std::move(*made));
    }
    block_arena& arena() { return arenas.front(); }

    memory_block memory;
    std::vector<block_arena> arenas;
};

// How many free blocks of each order there are.
std::vector<std::uint32_t> free_blocks(const block_arena& arena) {
    std::vector<std::uint32_t> counts;
    for (unsigned order = 0; order <= arena.max_order(); ++order)
        counts.push_back(arena.free_blocks(order));
    return counts;
}

TEST(block_arena, begins_with_the_largest_blocks_that_fit) {
    arena_fixture of_23(23, 3); // 8 + 8 + 4 + 2 + 1
    EXPECT_EQ(free_blocks(of_23.arena()), (std::vector<std::uint32_t>{1, 1, 1, 2}));
    EXPECT_EQ(of_23.arena().free_pages(), 23u);
    arena_fixture of_32(32, 10);
    EXPECT_EQ(of_32.arena().free_blocks(5), 1u);
    EXPECT_FALSE(of_32.arena().has_block(6)) << "an order it may have, and no memory for it";
    EXPECT_EQ(of_32.arena().free_blocks(11), 0u);
}

TEST(block_arena, halves_a_block_and_joins_the_halves_again) {
    arena_fixture of_16(16, 4);
    block_arena& arena = of_16.arena();
    std::byte* const one = arena.take(0);
    EXPECT_EQ(one, arena.memory().data());
    EXPECT_EQ(free_blocks(arena), (std::vector<std::uint32_t>{1, 1, 1, 1, 0}));
    std::byte* const its_buddy = arena.take(0);
    EXPECT_EQ(its_buddy, one + page_bytes) << "the smallest block that will do, not a larger one halved anew";
    EXPECT_EQ(free_blocks(arena), (std::vector<std::uint32_t>{0, 1, 1, 1, 0}));
    arena.give(one, 0);
    EXPECT_EQ(free_blocks(arena), (std::vector<std::uint32_t>{1, 1, 1, 1, 0}))
        << "the buddy is out: no joining";
    arena.give(its_buddy, 0);
    EXPECT_EQ(free_blocks(arena), (std::vector<std::uint32_t>{0, 0, 0, 0, 1}));
}

TEST(block_arena, joins_buddies_and_not_mere_neighbours) {
    arena_fixture of_4(4, 2);
    block_arena& arena = of_4.arena();
    std::array<std::byte*, 4> pages{};
    for (std::byte*& page : pages)
        page = arena.take(0);
    arena.give(pages[1], 0);
    arena.give(pages[2], 0); // next to each other, but halves of different blocks
    EXPECT_EQ(arena.free_pages(), 2u);
    EXPECT_FALSE(arena.has_block(1));
    EXPECT_EQ(arena.take(1), nullptr);
    arena.give(pages[0], 0);
    EXPECT_EQ(arena.take(1), pages[0]);
}

TEST(block_arena, refuses_an_order_it_does_not_know_and_stays_as_it_is) {
    arena_fixture of_8(8, 2);
    for (const unsigned order : {3u, 31u, 32u, 64u, ~0u}) {
        EXPECT_FALSE(of_8.arena().has_block(order));
        EXPECT_EQ(of_8.arena().take(order), nullptr);
    }
    EXPECT_EQ(of_8.arena().free_pages(), 8u);
}

TEST(block_arena, never_touches_a_free_page) {
    arena_fixture of_64(64, 6);
    const std::vector<std::byte> before(of_64.memory.bytes().begin(), of_64.memory.bytes().end());
    std::byte* const block = of_64.arena().take(2);
    std::byte* const other = of_64.arena().take(0);
    of_64.arena().give(block, 2);
    of_64.arena().give(other, 0);
    EXPECT_EQ(std::memcmp(before.data(), of_64.memory.bytes().data(), before.size()), 0);
}

TEST(block_arena, moves_with_its_blocks) {
    arena_fixture of_16(16, 4);
    std::byte* const block = of_16.arena().take(1);
    block_arena moved = std::move(of_16.arena());
    EXPECT_EQ(moved.free_pages(), 14u);
    moved.give(block, 1);
    EXPECT_EQ(moved.free_blocks(4), 1u);
    EXPECT_EQ(moved.take(4), block);
}

TEST(block_arena, cuts_off_what_is_no_whole_page) {
    memory_block memory(3 * page_bytes + 1);
    auto made = block_arena::create(memory.bytes(), page_bytes);
    ASSERT_TRUE(made) << made.error().advice;
    EXPECT_EQ(made->pages(), 3u);
    EXPECT_EQ(made->memory().size(), 3 * page_bytes);
}

// The model: who has each page. Blocks of random orders come and go; the arena is asked for exactly what the
// model says it must have, so a block that overlaps another, is lost, or fails to join is seen at that step.
struct arena_shape {
    std::uint32_t pages;
    unsigned max_order;
};
class block_arena_model : public testing::TestWithParam<arena_shape> {};

// Whether 2^order pages from `first` are nobody's, aligned and inside.
bool is_free(const std::vector<int>& holder, std::size_t first, std::size_t length) {
    if (first + length > holder.size())
        return false;
    for (std::size_t page = first; page != first + length; ++page)
        if (holder[page] != 0)
            return false;
    return true;
}

TEST_P(block_arena_model, agrees_with_a_list_of_who_has_each_page) {
    random_steps random;
    const auto [pages, max_order] = GetParam();
    arena_fixture tested(pages, max_order);
    block_arena& arena = tested.arena();
    const std::vector<std::uint32_t> at_first = free_blocks(arena);
    struct block {
        std::byte* at;
        unsigned order;
        int name;
    };
    std::vector<block> out;
    std::vector<int> holder(pages, 0);
    std::uint64_t free = pages;
    int name = 0;
    std::uint64_t failed = 0;
    const std::uint64_t steps = random_steps::count(40'000, 2'000);
    for (std::uint64_t step = 0; step != steps; ++step) {
        // The balance of takes and gives swings, so that it is nearly empty and nearly full again and again.
        const bool take = out.empty() || random.below(8) < ((step / 200) % 2 == 0 ? 6u : 2u);
        if (take) {
            const unsigned order = random.one_in(3) ? random.below(max_order + 1) : random.below(2);
            bool there_is = false;
            for (std::size_t first = 0; first < pages && !there_is; first += std::size_t{1} << order)
                there_is = is_free(holder, first, std::size_t{1} << order);
            ASSERT_EQ(arena.has_block(order), there_is) << "all free buddies are joined: step " << step;
            std::byte* const at = arena.take(order);
            ASSERT_EQ(at != nullptr, there_is);
            failed += at == nullptr ? 1 : 0;
            if (at == nullptr)
                continue;
            const auto first = static_cast<std::size_t>(at - arena.memory().data()) / page_bytes;
            ASSERT_EQ(first % (std::size_t{1} << order), 0u);
            ASSERT_TRUE(is_free(holder, first, std::size_t{1} << order)) << "overlaps, or is outside";
            out.push_back({at, order, ++name});
            for (std::size_t page = first; page != first + (std::size_t{1} << order); ++page)
                holder[page] = name;
            free -= std::uint64_t{1} << order;
        } else {
            block& chosen = random.pick(out);
            arena.give(chosen.at, chosen.order);
            for (int& page : holder)
                page = page == chosen.name ? 0 : page;
            free += std::uint64_t{1} << chosen.order;
            chosen = out.back();
            out.pop_back();
        }
        ASSERT_EQ(arena.free_pages(), free);
    }
    EXPECT_GT(failed, 0u) << "it was never full: the test saw only half";
    for (const block& last : out)
        arena.give(last.at, last.order);
    EXPECT_EQ(free_blocks(arena), at_first) << "everything has joined again";
}

INSTANTIATE_TEST_SUITE_P(shapes, block_arena_model,
                         testing::Values(arena_shape{64, 6}, arena_shape{64, 2}, arena_shape{61, 10},
                                         arena_shape{1, 0}, arena_shape{7, 1}, arena_shape{33, 5}));

TEST(block_arena, is_refused_what_it_cannot_be) {
    memory_block memory(page_bytes);
    struct refused {
        std::span<std::byte> memory;
        std::uint32_t page_bytes;
        unsigned max_order;
    };
    for (const refused& asked : {refused{memory.bytes(), 0, 10}, refused{memory.bytes(), page_bytes + 1, 10},
                                 refused{memory.bytes(), page_bytes, 32}, refused{{}, page_bytes, 0}}) {
        const auto made = block_arena::create(asked.memory, asked.page_bytes, asked.max_order);
        ASSERT_FALSE(made);
        EXPECT_EQ(made.error().code, std::errc::invalid_argument);
        EXPECT_GT(std::string(made.error().advice).size(), 20u);
    }
}

#if NORIA_CONTRACT == 2
TEST(block_arena_death_test, a_block_that_is_given_twice) {
    arena_fixture of_8(8, 3);
    std::byte* const block = of_8.arena().take(0);
    std::byte* const kept = of_8.arena().take(0); // keeps the first from joining
    of_8.arena().give(block, 0);
    EXPECT_DEATH(of_8.arena().give(block, 0), "given twice");
    of_8.arena().give(kept, 0); // now both lie inside a larger free block
    EXPECT_DEATH(of_8.arena().give(block, 0), "given twice");
    EXPECT_DEATH(of_8.arena().give(kept, 0), "given twice");
}

TEST(block_arena_death_test, a_block_that_is_not_what_was_taken) {
    arena_fixture of_8(8, 3);
    arena_fixture of_others(8, 3);
    std::byte* const block = of_8.arena().take(1);
    EXPECT_DEATH(of_8.arena().give(block, 0), "the order it was taken with");
    EXPECT_DEATH(of_8.arena().give(block, 2), "the order it was taken with");
    EXPECT_DEATH(of_8.arena().give(block + page_bytes, 0), "not the one taken");
    EXPECT_DEATH(of_8.arena().give(block + 1, 1), "not the one taken");
    EXPECT_DEATH(of_8.arena().give(of_others.memory.bytes().data(), 1), "not of this arena");
    EXPECT_DEATH(of_8.arena().give(nullptr, 0), "not of this arena");
}
#endif

} // namespace
