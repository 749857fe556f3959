// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/batch.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "support/packet_fixture.hpp"
#include "support/random.hpp"

namespace {

using namespace noria;

constexpr std::array<std::uint32_t, 5> all_home{};

TEST(batch, allocates_what_there_is_and_says_how_many) {
    packet_fixture all({.packets = 16, .heads = {3, 1, 1}});
    std::array<packet_ptr, 8> burst;
    ASSERT_EQ(all.packets().allocate_burst(burst, 100, 50), 5u) << "all heads that are large enough";
    for (std::size_t i = 0; i != burst.size(); ++i) {
        ASSERT_EQ(static_cast<bool>(burst[i]), i < 5);
        if (i < 5) {
            EXPECT_EQ(burst[i]->size(), 0u);
            EXPECT_EQ(burst[i]->headroom(), 50u);
            EXPECT_GE(burst[i]->tailroom(), 100u);
        }
        for (std::size_t j = 0; j < i && burst[i]; ++j)
            EXPECT_NE(burst[i]->data(), burst[j]->data());
    }
    EXPECT_EQ(all.packets().allocate_burst({burst.data() + 5, 3}, 100), 0u);
    EXPECT_EQ(all.packets().allocate_burst({}, 100), 0u);
    EXPECT_EQ(all.packets().in_flight(), 5u);
    free_bulk(burst, drop_reason::filter);
    for (const packet_ptr& each : burst)
        EXPECT_FALSE(each);
    EXPECT_EQ(all.in_flight(), all_home);
    EXPECT_EQ(all.packets().dropped(drop_reason::filter), 5u);
}

TEST(batch, frees_packets_with_all_they_hold_each_to_its_own_pool) {
    packet_fixture left, right;
    std::vector<packet_ptr> mixed;
    for (std::uint32_t i = 0; i != 6; ++i) {
        mixed.push_back((i % 2 == 0 ? left : right).make(16, 20, {30, 40}));
        mixed.emplace_back();
    }
    mixed.push_back(mixed.front()->clone());
    prefetch(mixed);
    EXPECT_EQ(bytes_of(*mixed.front()), bytes_of(*mixed.back()));
    free_bulk(mixed, drop_reason::consumed);
    EXPECT_EQ(left.in_flight(), all_home);
    EXPECT_EQ(right.in_flight(), all_home);
    EXPECT_EQ(left.packets().dropped(drop_reason::consumed), 0u) << "consumed is no drop";
}

// Packets of all kinds and of two pools, between empty places, inside the owners' sections and outside: all
// is home, and each pool knows why.
TEST(batch, frees_any_mixture) {
    random_steps random;
    std::uint64_t bare = 0;
    for (std::uint64_t step = random_steps::count(500, 100); step != 0; --step) {
        packet_fixture left({.packets = 80, .heads = {40, 4, 4}, .pages = 80}),
            right({.packets = 80, .heads = {40, 4, 4}, .pages = 80, .keep_heads = false});
        std::vector<packet_ptr> mixed;
        std::array<std::uint64_t, 2> made{};
        for (std::uint32_t n = random.below(75); n != 0; --n) {
            const bool first = random.one_in(4) ? random.one_in(2) : step % 2 == 0;
            packet_fixture& all = first ? left : right;
            ++made[first ? 0 : 1];
            if (random.one_in(8)) {
                mixed.push_back(all.make(16, 20, {30}));
                if (random.one_in(2)) {
                    mixed.push_back(mixed.back()->clone());
                    ++made[first ? 0 : 1];
                }
            } else if (page* const under = all.pages().allocate()) {
                mixed.push_back(all.packets().build_around(*under, {.bytes = 100, .held = 1024}));
                ++bare;
            }
            if (random.one_in(5))
                mixed.emplace_back();
        }
        std::vector<packet*> released;
        for (packet_ptr& each : mixed)
            if (each && step % 3 != 0)
                released.push_back(each.release());
        std::optional<packet_pool::owner_section> ours;
        if (random.one_in(2))
            ours.emplace(left.packets());
        free_bulk(mixed, drop_reason::filter);
        free_bulk(released, drop_reason::filter);
        ours.reset();
        ASSERT_TRUE(
            std::none_of(mixed.begin(), mixed.end(), [](const packet_ptr& each) { return bool{each}; }));
        ASSERT_EQ(left.packets().dropped(drop_reason::filter), made[0]);
        ASSERT_EQ(right.packets().dropped(drop_reason::filter), made[1]);
        ASSERT_EQ(left.packets().in_flight(), 0u);
        ASSERT_EQ(right.packets().in_flight(), 0u);
        ASSERT_EQ(left.in_flight(), all_home);
        ASSERT_EQ(right.in_flight(), all_home);
    }
    EXPECT_GT(bare, 1000u);
}

// Views of a packet that went with others are as stale as those of one that went alone.
TEST(batch, makes_another_epoch_of_each_it_frees) {
    packet_fixture all({.packets = 1, .keep_heads = false});
    packet* const place = all.make(0, 10).release();
    const std::uint32_t epoch = place->epoch();
    free_bulk(std::span(&place, 1), drop_reason::consumed);
    const packet_ptr next = all.make(0, 10);
    ASSERT_EQ(next.get(), place);
    EXPECT_NE(next->epoch(), epoch);
}

TEST(batch_contract, is_watched) {
    if (!checked_mode)
        GTEST_SKIP() << "contracts are not checked in this build";
    packet_fixture all;
    std::array<packet_ptr, 1> taken{all.packets().allocate(10)};
    EXPECT_DEATH((void)all.packets().allocate_burst(taken, 10), "empty places");
}

} // namespace
