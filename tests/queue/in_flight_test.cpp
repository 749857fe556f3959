// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/in_flight.hpp"

#include <gtest/gtest.h>

#include "support/packet_fixture.hpp"
#include "support/random.hpp"

namespace {

using namespace noria;

constexpr std::uint32_t sent = transmit_report::sent;
constexpr std::uint32_t memory_free = transmit_report::memory_free;

TEST(in_flight, is_made_for_a_number_of_packets_that_makes_sense) {
    EXPECT_FALSE(in_flight::create(0));
    EXPECT_FALSE(in_flight::create(65537));
    auto made = in_flight::create(65536);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->room(), 65536u);
    EXPECT_EQ(made->packets(), 0u);
}

TEST(in_flight, says_what_packets_will_be_called_before_they_are_put_in) {
    packet_fixture all;
    auto flying = in_flight::create(4);
    const std::uint32_t first = flying->id_of_next(0);
    const std::uint32_t second = flying->id_of_next(1);
    EXPECT_NE(first, second);
    flying->put(all.make(0, 10), 1);
    EXPECT_EQ(flying->id_of_next(0), second);
    flying->put(all.make(0, 20), 3);
    EXPECT_EQ(flying->room(), 2u);
    const auto what = flying->settle({.id = second, .flags = sent});
    EXPECT_TRUE(what.sent);
    EXPECT_EQ(what.bytes, 20u);
    EXPECT_EQ(what.descriptors, 0u);
    EXPECT_FALSE(what.memory);
    EXPECT_EQ(flying->unsettled(), 1u);
    EXPECT_EQ(flying->packets(), 2u);
    const auto rest = flying->settle({.id = second, .flags = memory_free});
    EXPECT_FALSE(rest.sent);
    EXPECT_EQ(rest.bytes, 0u);
    EXPECT_EQ(rest.descriptors, 3u);
    ASSERT_TRUE(rest.memory);
    EXPECT_EQ(rest.memory->size(), 20u);
    EXPECT_EQ(rest.why, drop_reason::consumed);
}

TEST(in_flight, refuses_what_is_not_owed) {
    packet_fixture all;
    auto flying = in_flight::create(4);
    const std::uint32_t id = flying->id_of_next(0);
    EXPECT_TRUE(flying->settle({.id = id, .flags = sent}).refused) << "nothing is in flight";
    flying->put(all.make(0, 10), 1);
    EXPECT_TRUE(flying->settle({.id = id, .flags = 0}).refused);
    EXPECT_TRUE(flying->settle({.id = id + 1, .flags = sent}).refused);
    EXPECT_TRUE(flying->settle({.id = id + 4, .flags = sent}).refused) << "no such place";
    EXPECT_TRUE(flying->settle({.id = id + 65536, .flags = sent}).refused) << "its next use";
    EXPECT_FALSE(flying->settle({.id = id, .flags = sent}).refused);
    EXPECT_TRUE(flying->settle({.id = id, .flags = sent}).refused) << "twice";
    EXPECT_TRUE(flying->settle({.id = id, .flags = sent | memory_free}).refused) << "half of it twice";
    EXPECT_FALSE(flying->settle({.id = id, .flags = memory_free}).refused);
    EXPECT_TRUE(flying->settle({.id = id, .flags = memory_free}).refused);
    EXPECT_NE(flying->id_of_next(0), id) << "a late report would end the next packet";
}

TEST(in_flight, frees_a_failed_packet_as_failed_whenever_its_memory_comes) {
    packet_fixture all;
    auto flying = in_flight::create(1);
    for (const bool apart : {false, true}) {
        const std::uint32_t id = flying->id_of_next(0);
        flying->put(all.make(0, 10), 1);
        auto what = flying->settle(
            {.id = id, .flags = transmit_report::error | sent | (apart ? 0 : std::uint32_t{memory_free})});
        EXPECT_TRUE(what.failed && !what.sent);
        if (apart)
            what = flying->settle({.id = id, .flags = memory_free});
        EXPECT_TRUE(what.memory);
        EXPECT_EQ(what.why, drop_reason::device_error);
    }
    // The next one in the same place is copied, and its end is not known yet.
    const std::uint32_t id = flying->id_of_next(0);
    flying->put(all.make(0, 10), 1);
    EXPECT_EQ(flying->settle({.id = id, .flags = memory_free}).why, drop_reason::consumed);
    EXPECT_TRUE(flying->settle({.id = id, .flags = sent}).sent);
}

TEST(in_flight, purges_what_is_left_once) {
    packet_fixture all;
    auto flying = in_flight::create(4);
    const std::uint32_t first = flying->id_of_next(0);
    for (int i = 0; i != 3; ++i)
        flying->put(all.make(0, 10), 1);
    EXPECT_TRUE(flying->settle({.id = first, .flags = sent}).sent);
    EXPECT_EQ(flying->purge(), 2u) << "the first one had its end";
    EXPECT_EQ(flying->room(), 4u);
    EXPECT_EQ(flying->purge(), 0u);
    EXPECT_TRUE(flying->settle({.id = first, .flags = memory_free}).refused);
    EXPECT_EQ(all.packets().dropped(drop_reason::queue_purge), 3u);
    for (int i = 0; i != 4; ++i)
        flying->put(all.make(0, 10), 1);
    for (std::uint32_t i = 0; i != 3; ++i)
        EXPECT_TRUE(flying->settle({.id = first + i, .flags = sent}).refused) << "late, of a packet before";
    const in_flight moved(*std::move(flying));
    EXPECT_EQ(moved.packets(), 4u);
}

} // namespace
