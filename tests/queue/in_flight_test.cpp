// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/in_flight.hpp"

#include <array>
#include <span>
#include <utility>
#include <vector>

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

// What the packet is called.
std::uint32_t put(in_flight& flying, packet_ptr packet, std::uint32_t descriptors = 1) {
    in_flight::inserter here = flying.insert();
    const std::uint32_t bytes = packet->size();
    const std::uint32_t id = here.put(std::move(packet), bytes, descriptors);
    EXPECT_FALSE(packet);
    here.done();
    return id;
}

TEST(in_flight, says_what_packets_are_called_and_what_became_of_them) {
    packet_fixture all;
    auto flying = in_flight::create(4);
    const std::uint32_t first = put(*flying, all.make(0, 10), 1);
    const std::uint32_t second = put(*flying, all.make(0, 20), 3);
    EXPECT_NE(first, second);
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

TEST(in_flight, packets_that_were_not_taken_come_out_again_the_last_one_first) {
    packet_fixture all;
    auto flying = in_flight::create(4);
    const std::uint32_t first = put(*flying, all.make(0, 10), 1);
    const std::uint32_t second = put(*flying, all.make(0, 20), 3);
    const in_flight::withdrawn last = flying->withdraw();
    EXPECT_EQ(last.memory->size(), 20u);
    EXPECT_EQ(last.bytes, 20u);
    EXPECT_EQ(last.descriptors, 3u);
    EXPECT_EQ(flying->packets(), 1u);
    EXPECT_EQ(flying->unsettled(), 1u);
    EXPECT_TRUE(flying->settle({.id = second, .flags = sent | memory_free}).refused);
    const std::uint32_t third = put(*flying, all.make(0, 30));
    EXPECT_NE(third, second) << "the device has heard of it, and may report it yet";
    EXPECT_TRUE(flying->settle({.id = second, .flags = sent | memory_free}).refused);
    EXPECT_TRUE(flying->settle({.id = third, .flags = sent | memory_free}).sent);
    EXPECT_TRUE(flying->settle({.id = first, .flags = sent | memory_free}).sent);
}

// Reports of what there is and what there is not: those that are whole are settled as one by one, up to the
// first other one.
TEST(in_flight, settles_what_was_sent_whole_in_one_go) {
    random_steps random;
    std::uint64_t whole = 0, other = 0;
    for (std::uint64_t step = random_steps::count(1000, 300); step != 0; --step) {
        packet_fixture all({.packets = 64, .heads = {64, 1, 1}});
        auto one_by_one = in_flight::create(8), together = in_flight::create(8);
        std::vector<std::uint32_t> ids;
        for (std::uint32_t n = 1 + random.below(8); n != 0; --n) {
            const std::uint32_t bytes = 1 + random.below(100);
            ids.push_back(put(*one_by_one, all.make(0, bytes), n));
            EXPECT_EQ(put(*together, all.make(0, bytes), n), ids.back());
        }
        std::vector<transmit_report> reports;
        for (std::uint32_t n = random.below(12); n != 0; --n) {
            const bool odd = random.one_in(6);
            reports.push_back({.id = odd && random.one_in(2) ? random.below(1u << 20) : random.pick(ids),
                               .flags = odd ? random.below(8) : sent | memory_free});
        }
        for (std::span<const transmit_report> left = reports; !left.empty();) {
            std::array<packet*, 12> memory{};
            in_flight::sent_whole sum;
            const std::uint32_t settled = together->settle_whole(left, memory.data(), sum);
            in_flight::sent_whole expected;
            for (std::uint32_t i = 0; i != settled; ++i) {
                const auto what = one_by_one->settle(left[i]);
                ASSERT_TRUE(what.sent && what.memory && what.why == drop_reason::consumed);
                ASSERT_EQ(memory[i]->size(), what.bytes);
                packet_ptr(memory[i]).free(drop_reason::consumed);
                expected.bytes += what.bytes;
                expected.descriptors += what.descriptors;
            }
            ASSERT_EQ(sum.bytes, expected.bytes);
            ASSERT_EQ(sum.descriptors, expected.descriptors);
            whole += settled;
            left = left.subspan(settled);
            if (left.empty())
                break;
            const auto a = one_by_one->settle(left.front()), b = together->settle(left.front());
            ASSERT_TRUE(a.refused || !a.sent || !a.memory || a.why != drop_reason::consumed);
            ASSERT_EQ(a.refused, b.refused);
            ASSERT_EQ(a.sent, b.sent);
            ASSERT_EQ(a.failed, b.failed);
            ASSERT_EQ(a.bytes, b.bytes);
            ASSERT_EQ(static_cast<bool>(a.memory), static_cast<bool>(b.memory));
            ++other;
            left = left.subspan(1);
        }
        ASSERT_EQ(together->packets(), one_by_one->packets());
        ASSERT_EQ(together->unsettled(), one_by_one->unsettled());
        ASSERT_EQ(together->room(), one_by_one->room());
    }
    EXPECT_GT(whole, 100u);
    EXPECT_GT(other, 100u);
}

TEST(in_flight, refuses_what_is_not_owed) {
    packet_fixture all;
    auto flying = in_flight::create(4);
    EXPECT_TRUE(flying->settle({.id = 0, .flags = sent}).refused) << "nothing is in flight";
    const std::uint32_t id = put(*flying, all.make(0, 10));
    EXPECT_TRUE(flying->settle({.id = id, .flags = 0}).refused);
    EXPECT_TRUE(flying->settle({.id = id + 1, .flags = sent}).refused);
    EXPECT_TRUE(flying->settle({.id = id + 4, .flags = sent}).refused) << "no such place";
    EXPECT_TRUE(flying->settle({.id = id + 65536, .flags = sent}).refused) << "its next use";
    EXPECT_FALSE(flying->settle({.id = id, .flags = sent}).refused);
    EXPECT_TRUE(flying->settle({.id = id, .flags = sent}).refused) << "twice";
    EXPECT_TRUE(flying->settle({.id = id, .flags = sent | memory_free}).refused) << "half of it twice";
    EXPECT_FALSE(flying->settle({.id = id, .flags = memory_free}).refused);
    EXPECT_TRUE(flying->settle({.id = id, .flags = memory_free}).refused);
    EXPECT_NE(put(*flying, all.make(0, 10)), id) << "a late report would end the next packet";
}

TEST(in_flight, frees_a_failed_packet_as_failed_whenever_its_memory_comes) {
    packet_fixture all;
    auto flying = in_flight::create(1);
    for (const bool apart : {false, true}) {
        const std::uint32_t id = put(*flying, all.make(0, 10));
        auto what = flying->settle(
            {.id = id, .flags = transmit_report::error | sent | (apart ? 0 : std::uint32_t{memory_free})});
        EXPECT_TRUE(what.failed && !what.sent);
        if (apart)
            what = flying->settle({.id = id, .flags = memory_free});
        EXPECT_TRUE(what.memory);
        EXPECT_EQ(what.why, drop_reason::device_error);
    }
    // The next one in the same place is copied, and its end is not known yet.
    const std::uint32_t id = put(*flying, all.make(0, 10));
    EXPECT_EQ(flying->settle({.id = id, .flags = memory_free}).why, drop_reason::consumed);
    EXPECT_TRUE(flying->settle({.id = id, .flags = sent}).sent);
}

TEST(in_flight, purges_what_is_left_once) {
    packet_fixture all;
    auto flying = in_flight::create(4);
    const std::uint32_t first = put(*flying, all.make(0, 10));
    for (int i = 0; i != 2; ++i)
        put(*flying, all.make(0, 10));
    EXPECT_TRUE(flying->settle({.id = first, .flags = sent}).sent);
    EXPECT_EQ(flying->purge(), 2u) << "the first one had its end";
    EXPECT_EQ(flying->room(), 4u);
    EXPECT_EQ(flying->purge(), 0u);
    EXPECT_TRUE(flying->settle({.id = first, .flags = memory_free}).refused);
    EXPECT_EQ(all.packets().dropped(drop_reason::queue_purge), 3u);
    for (int i = 0; i != 4; ++i)
        put(*flying, all.make(0, 10));
    for (std::uint32_t i = 0; i != 3; ++i)
        EXPECT_TRUE(flying->settle({.id = first + i, .flags = sent}).refused) << "late, of a packet before";
    const in_flight moved(*std::move(flying));
    EXPECT_EQ(moved.packets(), 4u);
}

} // namespace
