// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/batch.hpp"

#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "support/packet_fixture.hpp"

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

TEST(batch_contract, is_watched) {
    if (!checked_mode)
        GTEST_SKIP() << "contracts are not checked in this build";
    packet_fixture all;
    std::array<packet_ptr, 1> taken{all.packets().allocate(10)};
    EXPECT_DEATH((void)all.packets().allocate_burst(taken, 10), "empty places");
}

} // namespace
