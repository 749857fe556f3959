// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/tx_queue.hpp"

#include <array>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "support/tx_queue_rig.hpp"

namespace {

using namespace noria;
using namespace tx_queue_test;

TEST(tx_queue, posts_every_piece_of_a_packet_and_frees_it_when_it_was_sent) {
    sending s;
    packet_ptr packet = s.all.make(60, {100, 200, 300});
    const std::vector<std::byte> bytes = bytes_sent(*packet);
    ASSERT_TRUE(s.queue->send(packet));
    EXPECT_FALSE(packet);
    ASSERT_EQ(s.device.packets_taken.size(), 1u);
    EXPECT_EQ(s.device.packets_taken[0].pieces, 4u);
    EXPECT_EQ(s.device.packets_taken[0].bytes, bytes);
    EXPECT_EQ(s.queue->free_descriptors(), 508u);
    EXPECT_EQ(s.queue->held(), 1u);
    EXPECT_EQ(s.queue->counters().sent, 0u) << "it is not sent before the device says so";

    s.device.finish(0);
    EXPECT_EQ(s.queue->complete(64), 1u);
    EXPECT_EQ(s.queue->counters().sent, 1u);
    EXPECT_EQ(s.queue->counters().bytes, 660u);
    EXPECT_EQ(s.queue->counters().linearized, 0u);
    EXPECT_EQ(s.queue->free_descriptors(), 512u);
    EXPECT_EQ(s.all.out(), sending_memory::nothing);
    EXPECT_EQ(s.all.packets.consumed(), 1u);
    s.expect_closed();
}

TEST(tx_queue, a_burst_rings_once) {
    sending s;
    std::array<packet_ptr, 32> packets;
    for (packet_ptr& each : packets)
        each = s.all.make(64);
    EXPECT_EQ(s.queue->send(packets), 32u);
    EXPECT_EQ(s.device.doorbells, 1u);
    for (int i = 0; i != 32; ++i)
        s.device.finish(0);
    EXPECT_EQ(s.queue->complete(20), 20u) << "no more than the budget";
    EXPECT_EQ(s.queue->complete(64), 12u);
    EXPECT_EQ(s.all.out(), sending_memory::nothing);
}

// Up to 64 descriptors go together, and a doorbell is counted where it rings.
TEST(tx_queue, rings_once_for_each_sixty_four) {
    for (const std::uint32_t packets : {1u, 63u, 64u, 65u, 128u, 129u}) {
        sending s;
        std::vector<packet_ptr> burst(packets);
        for (packet_ptr& each : burst)
            each = s.all.make(64);
        EXPECT_EQ(s.queue->send(burst), packets);
        EXPECT_EQ(s.device.doorbells, (packets + 63) / 64);
        EXPECT_EQ(s.queue->counters().doorbells, s.device.doorbells);
        s.expect_closed();
    }
}

TEST(tx_queue, sent_and_memory_free_are_two_things) {
    for (const bool copies : {false, true}) {
        sending s;
        ASSERT_TRUE(s.send(s.all.make(60, {100})));
        const std::uint32_t id = s.device.packets_taken[0].id;
        s.device.finish(0, copies ? memory_free : sent);
        EXPECT_EQ(s.queue->complete(64), 1u);
        EXPECT_EQ(s.queue->counters().sent, copies ? 0u : 1u);
        EXPECT_EQ(s.queue->held(), copies ? 1u : 0u);
        EXPECT_EQ(s.all.packets.in_flight(), copies ? 0u : 1u);
        EXPECT_EQ(s.queue->packets_out(), 1u);
        EXPECT_EQ(s.queue->free_descriptors(), 510u) << "the device still owes a report";
        EXPECT_TRUE(s.queue->ledger().closes());
        s.device.reports.push_back({.id = id, .flags = copies ? sent : memory_free});
        EXPECT_EQ(s.queue->complete(64), 1u);
        EXPECT_EQ(s.queue->counters().sent, 1u);
        EXPECT_EQ(s.queue->counters().bytes, 160u);
        EXPECT_EQ(s.queue->packets_out(), 0u);
        EXPECT_EQ(s.all.out(), sending_memory::nothing);
        s.expect_closed();
    }
}

// The place of a packet that was sent is another's next, and a late report of the first is not about that.
TEST(tx_queue, a_report_that_comes_twice_ends_no_other_packet) {
    for (const std::uint32_t flags : {sent | memory_free, sent, memory_free, error_report | memory_free}) {
        sending s;
        ASSERT_TRUE(s.send(s.all.make(10)));
        const std::uint32_t first = s.device.finish(0, sent | memory_free).id;
        EXPECT_EQ(s.queue->complete(64), 1u);
        ASSERT_TRUE(s.send(s.all.make(20)));
        EXPECT_NE(s.device.packets_taken[0].id, first);
        s.device.reports.push_back({.id = first, .flags = flags});
        EXPECT_EQ(s.queue->complete(64), 1u);
        EXPECT_EQ(s.queue->counters().refused, 1u);
        EXPECT_EQ(s.queue->counters().sent, 1u);
        EXPECT_EQ(s.queue->held(), 1u);
        EXPECT_EQ(s.all.packets.in_flight(), 1u);
        s.expect_closed();
    }
}

// What a device was offered it has seen, though it says that it has not taken it.
struct nosy_transmitter : scripted_transmitter {
    std::uint32_t transmit(std::span<const transmit_post> posts) noexcept {
        for (const transmit_post& each : posts)
            seen.push_back(each.id);
        return scripted_transmitter::transmit(posts);
    }
    std::vector<std::uint32_t> seen;
};

TEST(tx_queue, a_report_of_a_packet_that_was_not_taken_ends_no_other_packet) {
    sending_memory all;
    nosy_transmitter device;
    auto queue = tx_queue<nosy_transmitter>::create(device, all.memory());
    ASSERT_TRUE(queue);
    std::array<packet_ptr, 3> packets{all.make(10), all.make(20, {30}), all.make(40)};
    device.most_a_post = 1;
    EXPECT_EQ(queue->send(packets), 1u);
    const std::set<std::uint32_t> refused(device.seen.begin() + 1, device.seen.end());
    EXPECT_EQ(refused.size(), 2u);
    device.most_a_post = 100;
    EXPECT_EQ(queue->send(std::span(packets).subspan(1)), 2u);
    for (const std::uint32_t id : refused)
        device.reports.push_back({.id = id, .flags = sent | memory_free});
    EXPECT_EQ(queue->complete(64), 2u);
    EXPECT_EQ(queue->counters().refused, 2u);
    EXPECT_EQ(queue->held(), 3u);
    while (!device.packets_taken.empty())
        device.finish(0);
    EXPECT_EQ(queue->complete(64), 3u);
    EXPECT_EQ(queue->counters().sent, 3u);
    EXPECT_TRUE(queue->ledger().closes());
}

TEST(tx_queue, what_the_device_failed_to_send_is_dropped_with_a_reason) {
    for (const bool apart : {false, true}) {
        sending s;
        ASSERT_TRUE(s.send(s.all.make(60)));
        const std::uint32_t id = s.device.packets_taken[0].id;
        // A device that says both has not sent it.
        s.device.finish(0, apart ? error_report : error_report | sent | memory_free);
        if (apart)
            s.device.reports.push_back({.id = id, .flags = memory_free});
        s.queue->complete(64);
        EXPECT_EQ(s.queue->counters().sent, 0u);
        EXPECT_EQ(s.queue->drops().of(drop_reason::device_error), 1u);
        EXPECT_EQ(s.all.packets.dropped(drop_reason::device_error), 1u);
        EXPECT_EQ(s.all.out(), sending_memory::nothing);
        s.expect_closed();
    }
}

TEST(tx_queue, an_empty_packet_is_dropped_with_a_reason) {
    sending s;
    std::array<packet_ptr, 3> packets{s.all.make(1), s.all.packets.allocate(64), s.all.make(2)};
    EXPECT_EQ(s.queue->send(packets), 3u);
    EXPECT_EQ(s.queue->drops().of(drop_reason::packet_too_small), 1u);
    EXPECT_EQ(s.device.packets_taken.size(), 2u);
    s.expect_closed();
}

// A packet in one piece needs a place for one, and not for as many as there might be.
TEST(tx_queue, sixty_four_packets_in_one_piece_ring_once_too) {
    sending s({.descriptors = 128}, {.packets = 80, .small = 80});
    std::array<packet_ptr, 64> packets;
    for (packet_ptr& each : packets)
        each = s.all.make(64);
    EXPECT_EQ(s.queue->send(packets), 64u);
    EXPECT_EQ(s.device.doorbells, 1u);
    EXPECT_EQ(s.queue->free_descriptors(), 64u);
    s.expect_closed();
    while (!s.device.packets_taken.empty())
        s.device.finish(0);
    EXPECT_EQ(s.queue->complete(100), 64u);
    EXPECT_EQ(s.queue->counters().bytes, 64u * 64);
    EXPECT_EQ(s.all.out(), sending_memory::nothing);
}

TEST(tx_queue, what_the_device_does_not_take_stays_the_callers) {
    sending s;
    std::array<packet_ptr, 5> packets;
    for (packet_ptr& each : packets)
        each = s.all.make(10, {20});
    s.device.most_a_post = 2;
    EXPECT_EQ(s.queue->send(packets), 2u);
    EXPECT_FALSE(packets[1]);
    EXPECT_TRUE(packets[2] && packets[3] && packets[4]);
    EXPECT_EQ(s.queue->counters().offered, 2u);
    EXPECT_EQ(s.queue->counters().busy, 1u);
    EXPECT_FALSE(s.queue->stopped());
    s.expect_closed();
    s.device.most_a_post = 100;
    EXPECT_EQ(s.queue->send(std::span(packets).subspan(2)), 3u);
    std::set<std::uint32_t> ids;
    for (const auto& each : s.device.packets_taken)
        ids.insert(each.id);
    EXPECT_EQ(ids.size(), 5u) << "packets in flight have ids of their own";
}

// More descriptors than it posts at once, in packets that do not end where that does.
TEST(tx_queue, a_long_burst_goes_in_parts_of_whole_packets) {
    sending s;
    std::vector<packet_ptr> packets;
    std::vector<std::vector<std::byte>> bytes;
    for (std::uint8_t i = 0; i != 25; ++i) {
        packets.push_back(s.all.make(10, {20, 30, 40, 50}, i));
        bytes.push_back(bytes_sent(*packets.back()));
    }
    EXPECT_EQ(s.queue->send(packets), 25u);
    EXPECT_EQ(s.device.doorbells, 3u) << "10 packets a time: behind them, one of 18 pieces would not fit";
    ASSERT_EQ(s.device.packets_taken.size(), 25u);
    for (std::size_t i = 0; i != 25; ++i)
        EXPECT_EQ(s.device.packets_taken[i].bytes, bytes[i]);
    s.expect_closed();
}

TEST(tx_queue, what_is_held_when_the_device_stops_is_purged_and_counted) {
    starved s(1000);
    ASSERT_TRUE(s.send(s.all.make(10)));
    ASSERT_TRUE(s.send(s.all.make(20)));
    ASSERT_TRUE(s.queue->send(s.fragmented));
    const auto late = s.device.finish(0, sent);
    s.queue->complete(64);
    s.queue->purge();
    EXPECT_EQ(s.queue->drops().of(drop_reason::queue_purge), 2u) << "the first one was sent";
    EXPECT_EQ(s.queue->held(), 0u);
    EXPECT_EQ(s.queue->packets_out(), 0u);
    EXPECT_EQ(s.queue->free_descriptors(), 512u);
    EXPECT_TRUE(s.queue->ledger().closes());
    s.device.reports.push_back({.id = late.id, .flags = memory_free});
    s.queue->complete(64);
    EXPECT_EQ(s.queue->counters().refused, 1u);
    s.relieve();
    EXPECT_EQ(s.all.out(), sending_memory::nothing);
}

TEST(tx_queue, goes_with_packets_in_flight_and_kept_and_frees_them) {
    starved s(1000);
    ASSERT_TRUE(s.send(s.all.make(10, {30})));
    ASSERT_TRUE(s.queue->send(s.fragmented));
    ASSERT_TRUE(s.queue->keeps());
    s.queue.reset();
    EXPECT_EQ(s.all.packets.dropped(drop_reason::queue_purge), 2u);
    s.relieve();
    EXPECT_EQ(s.all.out(), sending_memory::nothing);
}

TEST(tx_queue, sends_from_every_region_it_was_told_of) {
    sending s;
    sending_memory other;
    ASSERT_FALSE(s.queue->attach(other.memory()).code);
    packet_ptr packet = other.make(20, {30});
    noria::page* const ours = s.all.pages.allocate();
    std::fill_n(ours->data(), 512, std::byte{7});
    ASSERT_EQ(packet->add_fragment({ours, 0, 100, 512}), packet::attached::taken);
    const std::vector<std::byte> bytes = bytes_sent(*packet);
    ASSERT_TRUE(s.queue->send(packet));
    EXPECT_EQ(s.device.packets_taken[0].bytes, bytes);
    s.device.finish(0);
    s.queue->complete(64);
    EXPECT_EQ(other.out(), sending_memory::nothing);
    for (std::uint32_t i = 2; i != attached_regions::most_regions; ++i)
        EXPECT_FALSE(s.queue->attach(other.memory()).code);
    EXPECT_TRUE(s.queue->attach(other.memory()).code) << "and of no more than it has places for";
}

// Where the one before it lay the next one need not lie.
TEST(tx_queue, a_burst_may_lie_in_several_regions) {
    sending s;
    sending_memory other;
    ASSERT_FALSE(s.queue->attach(other.memory()).code);
    std::vector<packet_ptr> packets;
    std::vector<std::vector<std::byte>> bytes;
    for (std::uint8_t i = 0; i != 20; ++i) {
        packets.push_back((i % 3 == 1 ? other : s.all).make(50, {}, i));
        bytes.push_back(bytes_sent(*packets.back()));
    }
    EXPECT_EQ(s.queue->send(packets), 20u);
    EXPECT_EQ(s.device.doorbells, 1u);
    ASSERT_EQ(s.device.packets_taken.size(), 20u);
    for (std::size_t i = 0; i != 20; ++i)
        EXPECT_EQ(s.device.packets_taken[i].bytes, bytes[i]) << i;
    while (!s.device.packets_taken.empty())
        s.device.finish(0);
    EXPECT_EQ(s.queue->complete(64), 20u);
    EXPECT_EQ(s.all.out(), sending_memory::nothing);
    EXPECT_EQ(other.out(), sending_memory::nothing);
}

// A view of a packet that has gone is stale, whether its head is memory of the pool or somebody else's page.
TEST(tx_queue, views_are_stale_when_their_packet_was_sent) {
    for (const bool around : {false, true}) {
        sending s;
        packet_ptr one;
        if (around)
            one = s.all.packets.build_around(*s.all.pages.allocate(), {.bytes = 100, .held = 512});
        else
            one = s.all.make(100);
        ASSERT_TRUE(one);
        const packet* const there = one.get();
        const std::uint32_t before = there->epoch();
        ASSERT_TRUE(s.queue->send(one));
        s.device.finish(0);
        EXPECT_EQ(s.queue->complete(64), 1u);
        EXPECT_NE(there->epoch(), before) << (around ? "around a page" : "in a head");
        EXPECT_EQ(s.all.out(), sending_memory::nothing);
    }
}

TEST(tx_queue, refuses_marks_and_devices_that_make_no_sense) {
    sending_memory all;
    const auto advice = [&](const tx_options& options, scripted_transmitter& device) {
        auto made = tx_queue<scripted_transmitter>::create(device, all.memory(), options);
        return made ? std::error_code() : made.error().code;
    };
    scripted_transmitter device;
    EXPECT_FALSE(advice({}, device));
    EXPECT_EQ(device.asked.most_pieces, 18u);
    EXPECT_EQ(advice({.descriptors = 16}, device), std::errc::invalid_argument) << "18 pieces never fit";
    EXPECT_EQ(advice({.descriptors = 64, .wake_free = 65}, device), std::errc::invalid_argument);
    EXPECT_EQ(advice({.descriptors = 64, .spare = 10, .wake_free = 20}, device), std::errc::invalid_argument);
    EXPECT_EQ(advice({.descriptors = 100'000}, device), std::errc::invalid_argument);
    device.descriptors = 0;
    EXPECT_EQ(advice({}, device), std::errc::protocol_error);
    device.descriptors = 512;
    device.most_pieces = 0;
    EXPECT_EQ(advice({}, device), std::errc::protocol_error);
}

// A backend that wants to have nothing to do with it.
struct reluctant_transmitter : scripted_transmitter {
    result<mapping> attach(region& memory) noexcept {
        if (attaches)
            return scripted_transmitter::attach(memory);
        return make_error(std::errc::not_enough_memory, "the device has no more addresses");
    }
    result<transmit_setup> configure_transmit(const transmit_setup& wanted) noexcept {
        if (configures)
            return scripted_transmitter::configure_transmit(wanted);
        return make_error(std::errc::device_or_resource_busy, "the device is somebody else's");
    }
    bool attaches = true;
    bool configures = true;
};

TEST(tx_queue, passes_on_what_the_device_says_at_set_up) {
    sending_memory all;
    reluctant_transmitter device;
    device.configures = false;
    EXPECT_EQ(tx_queue<reluctant_transmitter>::create(device, all.memory()).error().code,
              std::errc::device_or_resource_busy);
    device.configures = true;
    device.attaches = false;
    EXPECT_EQ(tx_queue<reluctant_transmitter>::create(device, all.memory()).error().code,
              std::errc::not_enough_memory);
    device.attaches = true;
    EXPECT_TRUE(tx_queue<reluctant_transmitter>::create(device, all.memory()));
}

#if NORIA_CONTRACT == 2
// A backend that says of its calls what cannot be.
struct mistaken_transmitter : scripted_transmitter {
    std::uint32_t transmit(std::span<const transmit_post>) noexcept { return takes; }
    std::uint32_t reap_sent(std::span<transmit_report> to) noexcept {
        return static_cast<std::uint32_t>(to.size()) + 1;
    }
    std::uint32_t takes = 0;
};

TEST(tx_queueDeathTest, holds_backends_to_the_contract) {
    sending_memory all;
    mistaken_transmitter device;
    auto queue = tx_queue<mistaken_transmitter>::create(device, all.memory());
    ASSERT_TRUE(queue);
    packet_ptr packet = all.make(10, {20, 30});
    device.takes = 2;
    EXPECT_DEATH(static_cast<void>(queue->send(packet)), "all their pieces, or none");
    device.takes = 4;
    EXPECT_DEATH(static_cast<void>(queue->send(packet)), "no more than it was offered");
    EXPECT_DEATH(queue->complete(64), "no more than it was given room for");
}
#endif

} // namespace
