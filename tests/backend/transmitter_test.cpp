// SPDX-License-Identifier: BSL-1.0
#include "noria/backend/transmitter.hpp"

#include <algorithm>
#include <deque>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "noria/backend/loopback.hpp"
#include "noria/backend/replay.hpp"
#include "noria/queue/tx_queue.hpp"
#include "support/transmit.hpp"

namespace {

using namespace noria;
using card_type = backend::loopback<buffer_model::per_packet>;
using pieces_type = std::span<const backend::transmitter::piece_bytes>;

std::vector<std::byte> joined_bytes(pieces_type pieces) {
    std::vector<std::byte> all;
    for (const auto& each : pieces)
        all.insert(all.end(), each.begin(), each.end());
    return all;
}

TEST(transmitter, sends_whole_packets_in_order_and_hands_them_to_the_wire) {
    sending_memory all;
    card_type card;
    auto queue = tx_queue<card_type>::create(card, all.memory());
    ASSERT_TRUE(queue) << queue.error().advice;
    std::array<packet_ptr, 4> packets{all.make(10), all.make(0, {30}), all.make(10, {20, 30}), all.make(99)};
    std::deque<std::vector<std::byte>> expected;
    for (const packet_ptr& each : packets)
        expected.push_back(bytes_sent(*each));
    ASSERT_EQ(queue->send(packets), 4u);
    const auto wire = [&](pieces_type pieces) noexcept {
        EXPECT_EQ(joined_bytes(pieces), expected.front());
        expected.pop_front();
    };
    EXPECT_EQ(card.sending().step(3, wire), 3u);
    EXPECT_EQ(queue->complete(64), 3u);
    EXPECT_EQ(card.sending().step(64, wire), 1u);
    EXPECT_EQ(queue->complete(64), 1u);
    EXPECT_EQ(card.sending().sent(), 4u);
    EXPECT_TRUE(expected.empty());
    EXPECT_EQ(all.out(), sending_memory::nothing);
}

TEST(transmitter, takes_no_part_of_a_packet_and_no_more_than_it_has_descriptors) {
    backend::address_space space;
    backend::transmitter card(space, {}, 3);
    EXPECT_EQ(card.step(1, [](pieces_type) noexcept {}), 0u) << "not configured";
    EXPECT_FALSE(card.configure({.descriptors = 0, .most_pieces = 1}));
    EXPECT_FALSE(card.configure({.descriptors = 1, .most_pieces = 0}));
    auto setup = card.configure({.descriptors = 4, .most_pieces = 18});
    ASSERT_TRUE(setup);
    EXPECT_EQ(setup->most_pieces, 3u);
    std::array<transmit_post, 6> posts{};
    posts[1].flags = posts[4].flags = transmit_post::end_of_packet;
    EXPECT_EQ(card.transmit(posts), 2u) << "the second packet does not fit, the third has no end";
    EXPECT_EQ(card.transmit(std::span(posts).subspan(2)), 0u);
}

TEST(transmitter, what_it_cannot_reach_it_reports_as_failed) {
    sending_memory all;
    backend::address_space space;
    backend::transmitter card(space);
    ASSERT_TRUE(card.configure({.descriptors = 4, .most_pieces = 18}));
    const transmit_post wild{
        .iova = 5, .id = 9, .length = 10, .packet_bytes = 10, .flags = transmit_post::end_of_packet};
    ASSERT_EQ(card.transmit({&wild, 1}), 1u);
    EXPECT_EQ(card.step(1, [](pieces_type) noexcept { ADD_FAILURE(); }), 1u);
    std::array<transmit_report, 4> reports{};
    ASSERT_EQ(card.reap_sent(reports), 1u);
    EXPECT_EQ(reports[0].id, 9u);
    EXPECT_EQ(reports[0].flags, transmit_report::error | transmit_report::memory_free);
    EXPECT_EQ(card.failed(), 1u);
}

TEST(transmitter, reports_a_packet_in_more_pieces_than_any_as_failed) {
    sending_memory all;
    backend::address_space space;
    backend::transmitter card(space);
    ASSERT_TRUE(card.configure({.descriptors = 64, .most_pieces = 18}));
    const std::uint64_t iova = space.attach(all.memory()).iova_of(all.memory().bytes().data());
    std::array<transmit_post, backend::transmitter::most_pieces + 4> posts{};
    for (transmit_post& each : posts)
        each = {.iova = iova, .id = 9, .length = 10};
    posts.back().flags = transmit_post::end_of_packet;
    ASSERT_EQ(card.transmit(posts), posts.size());
    EXPECT_EQ(card.step(1, [](pieces_type) noexcept { ADD_FAILURE(); }), 1u);
    std::array<transmit_report, 4> reports{};
    ASSERT_EQ(card.reap_sent(reports), 1u);
    EXPECT_EQ(reports[0].id, 9u);
    EXPECT_EQ(reports[0].flags, transmit_report::error | transmit_report::memory_free);
}

// Packets of one piece, which it cannot reach; numbered.
void post_numbered(backend::transmitter& card, std::uint32_t packets) {
    for (std::uint32_t id = 0; id != packets; ++id) {
        const transmit_post post{.id = id, .length = 1, .flags = transmit_post::end_of_packet};
        ASSERT_EQ(card.transmit({&post, 1}), 1u);
    }
}
std::vector<std::uint32_t> ids_reported(backend::transmitter& card) {
    std::vector<std::uint32_t> ids;
    for (transmit_report report; card.reap_sent({&report, 1}) != 0;)
        ids.push_back(report.id);
    return ids;
}

TEST(transmitter, reports_in_order_unless_it_is_told_to_reorder) {
    for (const std::uint32_t reorder : {0u, 3u}) {
        backend::address_space space;
        backend::transmitter card(space, {.reorder = reorder});
        ASSERT_TRUE(card.configure({.descriptors = 100, .most_pieces = 1}));
        post_numbered(card, 100);
        EXPECT_EQ(card.step(100, [](pieces_type) noexcept {}), 100u);
        std::vector<std::uint32_t> ids = ids_reported(card);
        EXPECT_EQ(std::ranges::is_sorted(ids), reorder == 0);
        std::ranges::sort(ids);
        EXPECT_EQ(ids.size(), 100u);
        EXPECT_TRUE(std::ranges::adjacent_find(ids) == ids.end()) << "each once";
    }
}

TEST(transmitter, has_room_for_two_reports_a_packet_and_forgets_them_when_it_begins_anew) {
    backend::address_space space;
    backend::transmitter card(space, {.apart = 1});
    const transmit_setup setup{.descriptors = 4, .most_pieces = 1};
    for (int times = 0; times != 2; ++times) {
        ASSERT_TRUE(card.configure(setup));
        post_numbered(card, 4);
        EXPECT_EQ(card.step(4, [](pieces_type) noexcept {}), 4u);
        EXPECT_EQ(card.step(4, [](pieces_type) noexcept {}), 0u);
        EXPECT_EQ(ids_reported(card).size(), 8u);
    }
    post_numbered(card, 2);
    EXPECT_EQ(card.step(4, [](pieces_type) noexcept {}), 2u);
    ASSERT_TRUE(card.configure(setup));
    EXPECT_EQ(card.step(4, [](pieces_type) noexcept {}), 0u);
    EXPECT_TRUE(ids_reported(card).empty());
}

TEST(transmitter, sends_no_more_in_a_step_than_it_can_be_late_with) {
    backend::address_space space;
    backend::transmitter card(space, {.late = 1});
    ASSERT_TRUE(card.configure({.descriptors = 1000, .most_pieces = 1}));
    post_numbered(card, 1000);
    std::uint32_t sent = 0, reported = 0;
    for (int i = 0; i != 20; ++i) {
        sent += card.step(1000, [](pieces_type) noexcept {});
        for (const std::uint32_t id : ids_reported(card))
            EXPECT_EQ(id, reported++);
        EXPECT_LT(sent - reported, 256u) << "what waits for the next step";
    }
    EXPECT_EQ(sent, 1000u);
    EXPECT_EQ(reported, 1000u);
}

// All faults at once: what the wire saw is what the queue counts as sent, and all memory comes home.
TEST(transmitter, every_fault_is_seen_and_nothing_is_lost_over_them) {
    random_steps random;
    constexpr std::array<backend::transmit_faults, 7> faults{
        {{}, {.full = 3}, {.error = 3}, {.late = 3}, {.apart = 3}, {.reorder = 3}, {4, 5, 3, 4, 3, 99}}};
    for (const backend::transmit_faults& some : faults) {
        sending_memory all;
        card_type card({}, some, 4);
        auto queue = tx_queue<card_type, byte_limit>::create(card, all.memory(), {.descriptors = 32});
        ASSERT_TRUE(queue) << queue.error().advice;
        std::uint64_t on_wire = 0, apart = 0;
        const auto step = [&](std::uint32_t most) {
            card.sending().step(most, [&](pieces_type) noexcept { ++on_wire; });
            queue->complete(64);
            apart += queue->packets_out() != queue->held();
            EXPECT_TRUE(queue->ledger().closes());
            EXPECT_LE(queue->counters().sent, on_wire);
        };
        for (int i = 0; i != 300; ++i) {
            std::array<packet_ptr, 3> packets{all.make(10, {20, 30, 40, 50}), all.make(200),
                                              all.make(9, {9})};
            EXPECT_LE(queue->send(packets), 3u);
            step(random.below(5));
        }
        for (int i = 0; i != 50; ++i)
            step(64);
        EXPECT_EQ(queue->counters().sent, on_wire);
        EXPECT_EQ(queue->counters().sent, card.sending().sent());
        EXPECT_EQ(queue->drops().of(drop_reason::device_error), card.sending().failed());
        EXPECT_EQ(card.sending().failed() != 0, some.error != 0);
        EXPECT_EQ(apart != 0, some.apart != 0);
        EXPECT_EQ(queue->counters().refused, 0u);
        EXPECT_EQ(queue->held(), 0u);
        EXPECT_GT(on_wire, 100u);
        EXPECT_EQ(all.out(), sending_memory::nothing);
    }
}

TEST(transmitter, its_two_sides_run_on_two_threads) {
    sending_memory all;
    card_type card;
    auto queue = tx_queue<card_type>::create(card, all.memory(), {.descriptors = 32});
    ASSERT_TRUE(queue) << queue.error().advice;
    constexpr std::uint64_t packets = 2000;
    std::uint64_t bytes = 0;
    std::thread wire([&] {
        while (card.sending().sent() != packets)
            if (card.sending().step(
                    16, [&](pieces_type pieces) noexcept { bytes += joined_bytes(pieces).size(); }) == 0)
                std::this_thread::yield();
    });
    for (std::uint64_t i = 0; i != packets;) {
        packet_ptr one = all.make(60, {100});
        i += queue->send(one);
        if (one)
            std::this_thread::yield();
        queue->complete(64);
    }
    wire.join();
    queue->complete(64);
    EXPECT_EQ(queue->counters().sent, packets);
    EXPECT_EQ(bytes, packets * 160);
    EXPECT_EQ(all.out(), sending_memory::nothing);
}

} // namespace
