// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/source.hpp"

#include <array>

#include <gtest/gtest.h>

namespace {

using namespace noria;

// Exactly what the concept asks for: two blocks, one page long and two pages long.
class two_blocks {
  public:
    two_blocks(const two_blocks&) = delete;
    two_blocks& operator=(const two_blocks&) = delete;
    two_blocks() = default;

    std::byte* take(unsigned order) noexcept {
        if (order > 1 || out_[order])
            return nullptr;
        out_[order] = true;
        return memory_.data() + (order == 0 ? 0 : 128);
    }
    void give(std::byte* block, unsigned order) noexcept {
        EXPECT_EQ(block, memory_.data() + (order == 0 ? 0 : 128));
        out_[order] = false;
    }
    bool has_block(unsigned order) const noexcept { return order <= 1 && !out_[order]; }
    std::uint64_t free_pages() const noexcept { return (out_[0] ? 0u : 1u) + (out_[1] ? 0u : 2u); }
    std::uint32_t page_bytes() const noexcept { return 64; }
    std::span<std::byte> memory() const noexcept { return memory_; }

  private:
    mutable std::array<std::byte, 256> memory_{};
    std::array<bool, 2> out_{};
};

static_assert(block_source<two_blocks>);
static_assert(block_source<counting_source<two_blocks>>, "so that it can be put between any two");
static_assert(!block_source<int>);

TEST(counting_source, hands_through_what_the_source_says) {
    two_blocks source;
    counting_source counted(source);
    EXPECT_EQ(counted.memory().data(), source.memory().data());
    EXPECT_EQ(counted.memory().size(), 256u);
    EXPECT_EQ(counted.page_bytes(), 64u);
    EXPECT_EQ(counted.free_pages(), 3u);
    EXPECT_TRUE(counted.has_block(1));
    EXPECT_FALSE(counted.has_block(2));
    std::byte* const block = counted.take(1);
    EXPECT_EQ(block, source.memory().data() + 128);
    EXPECT_FALSE(counted.has_block(1));
    EXPECT_EQ(counted.free_pages(), 1u);
    counted.give(block, 1);
    EXPECT_TRUE(source.has_block(1)) << "it really went back";
}

TEST(counting_source, counts_takes_gives_failures_bytes_and_their_peak) {
    two_blocks source;
    counting_source counted(source);
    std::byte* const two = counted.take(1);
    EXPECT_EQ(counted.take(1), nullptr);
    EXPECT_EQ(counted.take(7), nullptr);
    std::byte* const one = counted.take(0);
    EXPECT_EQ(counted.counters().bytes, 192u);
    counted.give(two, 1);
    counted.give(one, 0);
    static_cast<void>(counted.take(0));
    EXPECT_EQ(counted.counters().takes, 3u);
    EXPECT_EQ(counted.counters().gives, 2u);
    EXPECT_EQ(counted.counters().failures, 2u);
    EXPECT_EQ(counted.counters().bytes, 64u);
    EXPECT_EQ(counted.counters().peak_bytes, 192u);
}

// What a source says beyond the least, a counting one over it says as well; what it does not say, it does
// not.
TEST(counting_source, says_what_its_backing_says) {
    struct telling : two_blocks {
        int node_of(const std::byte* address) const noexcept { return address == memory().data() ? 3 : 4; }
        bool is_emergency(const std::byte* block) const noexcept { return block == memory().data(); }
        unsigned max_order() const noexcept { return 1; }
    };
    using bare = counting_source<two_blocks>;
    static_assert(!knows_nodes<bare> && !knows_emergencies<bare> && !knows_max_order<bare>);
    using told = counting_source<telling>;
    static_assert(knows_nodes<told> && knows_emergencies<told> && knows_max_order<told>);
    telling backing;
    const told tested(backing);
    const std::byte* const first = backing.memory().data();
    EXPECT_EQ(tested.node_of(first), 3);
    EXPECT_EQ(tested.node_of(first + 1), 4);
    EXPECT_TRUE(tested.is_emergency(first));
    EXPECT_FALSE(tested.is_emergency(first + 128));
    EXPECT_EQ(tested.max_order(), 1u);
}

} // namespace
