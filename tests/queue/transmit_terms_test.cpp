// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/transmit_terms.hpp"

#include <algorithm>
#include <cstdint>

#include <gtest/gtest.h>

#include "support/random.hpp"

namespace {

using namespace noria;

TEST(transmit_terms, ask_for_the_longest_packet_there_is) {
    const transmit_setup asked = transmit_terms::asked({.descriptors = 100});
    EXPECT_EQ(asked.descriptors, 100u);
    EXPECT_EQ(asked.most_pieces, packet::most_fragments + 1);
}

TEST(transmit_terms, are_what_the_device_does_of_what_was_wanted) {
    const auto terms =
        transmit_terms::of({.descriptors = 256, .spare = 2, .retries = 7}, {.descriptors = 200,
                                                                            .most_pieces = 9,
                                                                            .offloads = 6,
                                                                            .most_link_header = 30,
                                                                            .most_network_header = 60});
    ASSERT_TRUE(terms);
    EXPECT_EQ(terms->descriptors, 200u);
    EXPECT_EQ(terms->most_pieces, 9u);
    EXPECT_EQ(terms->offloads, 6u);
    EXPECT_EQ(terms->most_link_header, 30u);
    EXPECT_EQ(terms->most_network_header, 60u);
    EXPECT_EQ(terms->retries, 7u);
    EXPECT_EQ(terms->stop_below, 11u);
    EXPECT_EQ(terms->wake_at, 50u) << "a quarter";
}

TEST(transmit_terms, a_device_that_answers_with_more_than_it_was_asked_for_is_refused) {
    const tx_options options{.descriptors = 64};
    EXPECT_TRUE(transmit_terms::of(options, {.descriptors = 64, .most_pieces = 18}));
    for (const transmit_setup& has : {transmit_setup{.descriptors = 65, .most_pieces = 18},
                                      transmit_setup{.descriptors = 0, .most_pieces = 18},
                                      transmit_setup{.descriptors = 64, .most_pieces = 19},
                                      transmit_setup{.descriptors = 64, .most_pieces = 0}}) {
        const auto terms = transmit_terms::of(options, has);
        ASSERT_FALSE(terms) << has.descriptors << ", " << has.most_pieces;
        EXPECT_EQ(terms.error().code, std::errc::protocol_error);
    }
}

// A queue that has stopped wakes at the latest when all is free, and not before it would stop again.
TEST(transmit_terms, never_wake_below_where_the_queue_stops) {
    random_steps random;
    std::uint64_t made = 0, refused = 0;
    for (std::uint64_t step = random_steps::count(20'000, 1000); step != 0; --step) {
        const transmit_setup has{.descriptors = 1 + random.below(100), .most_pieces = 1 + random.below(18)};
        const tx_options options{.descriptors = has.descriptors,
                                 .spare = random.one_in(10) ? ~0u - random.below(20) : random.below(50),
                                 .wake_free = random.one_in(2) ? 0 : random.below(120)};
        const std::uint64_t stops = std::uint64_t{options.spare} + has.most_pieces;
        const std::uint64_t wakes =
            options.wake_free != 0 ? options.wake_free : std::max<std::uint64_t>(stops, has.descriptors / 4);
        const auto terms = transmit_terms::of(options, has);
        ASSERT_EQ(terms.has_value(), stops <= wakes && wakes <= has.descriptors);
        if (!terms) {
            ASSERT_EQ(terms.error().code, std::errc::invalid_argument);
            ++refused;
            continue;
        }
        ++made;
        ASSERT_EQ(terms->stop_below, stops);
        ASSERT_EQ(terms->wake_at, wakes);
        // With so many free, packets may begin until fewer are than the longest takes.
        const std::uint32_t free = random.below(has.descriptors + 1);
        std::uint32_t left = free, begun = 0;
        for (; left >= terms->stop_below; --left)
            ++begun;
        ASSERT_EQ(terms->beginnings(free), begun);
    }
    EXPECT_GT(made, 100u);
    EXPECT_GT(refused, 100u);
}

} // namespace
