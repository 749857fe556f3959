// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/few_pieces.hpp"

#include <gtest/gtest.h>

#include "support/packet_fixture.hpp"
#include "support/random.hpp"

namespace {

using namespace noria;

TEST(few_pieces, counts_the_head_only_when_there_is_something_in_it) {
    packet_fixture all;
    EXPECT_EQ(pieces_of(*all.make(0, 0)), 0u);
    EXPECT_EQ(pieces_of(*all.make(0, 1)), 1u);
    EXPECT_EQ(pieces_of(*all.make(0, 0, {5, 5})), 2u);
    EXPECT_EQ(pieces_of(*all.make(0, 1, {5, 5})), 3u);
}

TEST(few_pieces, makes_linear_as_few_fragments_as_it_takes) {
    random_steps random;
    for (std::uint64_t i = random_steps::count(2000, 500); i != 0; --i) {
        packet_fixture all({.pages = 18});
        std::vector<std::uint32_t> lengths;
        for (std::uint32_t n = random.below(18); n != 0; --n)
            lengths.push_back(1 + random.below(100));
        packet_ptr packet = all.make(random.below(30), random.one_in(3) ? 0 : random.below(100), lengths);
        const std::vector<std::byte> bytes = bytes_of(*packet);
        const std::uint32_t before = pieces_of(*packet);
        const std::uint32_t headlen = packet->headlen();
        const std::uint32_t most = 1 + random.below(18);
        ASSERT_TRUE(fit_pieces(*packet, most));
        ASSERT_EQ(bytes_of(*packet), bytes);
        ASSERT_EQ(pieces_of(*packet), before < most ? before : most);
        if (before <= most) {
            ASSERT_EQ(packet->headlen(), headlen);
        }
    }
}

TEST(few_pieces, changes_nothing_when_there_is_no_memory) {
    packet_fixture all;
    packet_ptr packet = all.make(0, 256, {100, 100, 100});
    std::vector<shortage> none;
    for (std::size_t i = 0; i != 3; ++i)
        none.emplace_back(all.pools()[i], 0);
    const packet_state before(*packet);
    EXPECT_FALSE(fit_pieces(*packet, 3));
    EXPECT_EQ(packet_state(*packet), before);
    EXPECT_TRUE(fit_pieces(*packet, 4));
}

TEST(few_pieces, wants_a_smaller_head_than_all_of_it_would) {
    packet_fixture all;
    packet_ptr packet = all.make(0, 200, {30, 900, 900});
    const shortage no_large(all.pools()[2], 0);
    EXPECT_FALSE(linearize(*packet));
    EXPECT_TRUE(fit_pieces(*packet, 3));
    EXPECT_EQ(packet->headlen(), 230u);
}

} // namespace
