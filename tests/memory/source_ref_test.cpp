// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/source_ref.hpp"

#include <type_traits>

#include <gtest/gtest.h>

#include "noria/memory/block_arena.hpp"
#include "support/memory_block.hpp"

namespace {

using namespace noria;

// What a block source promises, and nothing more.
struct bare_source {
    std::byte* take(unsigned order) noexcept {
        asked = order;
        return at;
    }
    void give(std::byte* block, unsigned order) noexcept {
        given = block;
        asked = order;
    }
    bool has_block(unsigned) const noexcept { return true; }
    std::uint64_t free_pages() const noexcept { return 1; }
    std::uint32_t page_bytes() const noexcept { return 64; }
    std::span<std::byte> memory() const noexcept { return {}; }

    std::byte* at = nullptr;
    std::byte* given = nullptr;
    unsigned asked = 0;
};
static_assert(block_source<bare_source>);

struct telling_source : bare_source {
    int node_of(const std::byte* address) const noexcept { return address == at ? 3 : 4; }
    bool is_emergency(const std::byte* block) const noexcept { return block == at; }
};

// Almost: what is asked about nodes may not throw.
struct throwing_source : bare_source {
    int node_of(const std::byte*) const { return 0; }
};
static_assert(!knows_nodes<throwing_source> && knows_nodes<telling_source>);
static_assert(!std::is_constructible_v<source_ref, int&>);
static_assert(!std::is_constructible_v<source_ref, bare_source>, "not to one that is gone at once");

TEST(source_ref, takes_and_gives_as_its_source_does) {
    bare_source source;
    std::byte block[2]{};
    source.at = &block[1];
    const source_ref any(source);
    EXPECT_EQ(any.take(5), &block[1]);
    EXPECT_EQ(source.asked, 5u);
    any.give(&block[0], 2);
    EXPECT_EQ(source.given, &block[0]);
    EXPECT_EQ(source.asked, 2u);
}

TEST(source_ref, of_a_source_that_does_not_say_knows_no_node_and_no_emergency) {
    bare_source source;
    throwing_source throwing;
    std::byte block{};
    for (const source_ref any : {source_ref(source), source_ref(throwing)}) {
        EXPECT_EQ(any.node_of(&block), source_ref::any_node);
        EXPECT_FALSE(any.is_emergency(&block));
    }
}

TEST(source_ref, asks_a_source_that_says) {
    telling_source source;
    std::byte block[2]{};
    source.at = &block[0];
    const source_ref any(source);
    EXPECT_EQ(any.node_of(&block[0]), 3);
    EXPECT_EQ(any.node_of(&block[1]), 4);
    EXPECT_TRUE(any.is_emergency(&block[0]));
    EXPECT_FALSE(any.is_emergency(&block[1]));
}

TEST(source_ref, of_sources_of_two_types_is_one_type) {
    memory_block memory(4 * 64);
    block_arena arena = std::move(*block_arena::create(memory.bytes(), 64));
    bare_source bare;
    source_ref any(arena);
    std::byte* const block = any.take(1);
    EXPECT_NE(block, nullptr);
    EXPECT_EQ(arena.free_pages(), 2u);
    any.give(block, 1);
    EXPECT_EQ(arena.free_pages(), 4u);
    any = source_ref(bare);
    EXPECT_EQ(any.take(0), nullptr);
}

} // namespace
