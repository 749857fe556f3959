// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/tx_queue.hpp"

#include <array>
#include <map>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "support/random.hpp"
#include "support/transmit.hpp"

namespace {

using namespace noria;

constexpr std::uint32_t sent = transmit_report::sent;
constexpr std::uint32_t memory_free = transmit_report::memory_free;
constexpr std::uint32_t error_report = transmit_report::error;

template <class Limit = unlimited>
struct sending {
    explicit sending(const tx_options& options = {}, const sending_request& request = {}, Limit limit = {},
                     std::uint32_t most_pieces = 18)
        : all(request) {
        device.most_pieces = most_pieces;
        device.descriptors = options.descriptors;
        auto made = tx_queue<scripted_transmitter, Limit>::create(device, all.memory(), options, limit);
        EXPECT_TRUE(made) << (made ? "" : made.error().advice);
        queue.emplace(*std::move(made));
    }
    bool send(packet_ptr packet) { return queue->send(packet); }
    void expect_closed() const {
        EXPECT_TRUE(queue->ledger().closes()) << "off by " << queue->ledger().discrepancy();
        EXPECT_EQ(queue->free_descriptors() + device_uses(), device.asked.descriptors);
    }
    std::uint32_t device_uses() const { return device.in_use + settling; }

    scripted_transmitter device;
    sending_memory all;
    std::optional<tx_queue<scripted_transmitter, Limit>> queue;
    std::uint32_t settling = 0; // descriptors of packets whose last report was not read yet
};

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
        EXPECT_EQ(s.queue->packets_out(), 0u);
        EXPECT_EQ(s.all.out(), sending_memory::nothing);
        s.expect_closed();
    }
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

TEST(tx_queue, a_packet_in_too_many_pieces_is_made_linear_as_little_as_it_takes) {
    sending s({}, {}, {}, 4);
    packet_ptr packet = s.all.make(40, {10, 20, 30, 40, 50});
    const std::vector<std::byte> bytes = bytes_sent(*packet);
    ASSERT_TRUE(s.queue->send(packet));
    EXPECT_EQ(s.device.packets_taken[0].pieces, 4u);
    EXPECT_EQ(s.device.packets_taken[0].bytes, bytes);
    EXPECT_EQ(s.queue->counters().linearized, 1u);
    EXPECT_EQ(s.queue->counters().linearized_bytes, 30u);
    s.device.finish(0);
    s.queue->complete(64);
    s.expect_closed();
}

// Heads of both sizes are all out, and the head of the packet has no room.
struct starved : sending<> {
    explicit starved(std::uint32_t retries) : sending({.retries = retries}, {}, {}, 3) { starve(); }
    void starve() {
        fragmented = all.make(256, {400, 400, 400, 400});
        bytes = bytes_sent(*fragmented);
        while (packet_ptr one = all.packets.allocate(8192))
            hog.push_back(std::move(one));
    }
    void relieve() {
        for (packet_ptr& each : hog)
            each.free(drop_reason::consumed);
        hog.clear();
    }
    packet_ptr fragmented;
    std::vector<std::byte> bytes;
    std::vector<packet_ptr> hog;
};

TEST(tx_queue, without_memory_to_linearize_it_drops_and_says_so) {
    starved s(0);
    ASSERT_TRUE(s.queue->send(s.fragmented)) << "it was taken, and dropped";
    EXPECT_TRUE(s.device.packets_taken.empty());
    EXPECT_EQ(s.queue->counters().sent, 0u);
    EXPECT_EQ(s.queue->counters().linearize_failed, 1u);
    EXPECT_EQ(s.queue->drops().of(drop_reason::no_memory), 1u);
    EXPECT_EQ(s.all.packets.dropped(drop_reason::no_memory), 1u);
    EXPECT_EQ(s.all.pages.in_flight(), 0u);
    s.expect_closed();
    s.relieve();
}

TEST(tx_queue, or_keeps_it_and_all_behind_it_until_there_is_memory) {
    starved s(1000);
    std::array<packet_ptr, 3> packets;
    packets[0] = s.all.make(10);
    packets[1] = std::move(s.fragmented);
    packets[2] = s.all.make(20);
    EXPECT_EQ(s.queue->send(packets), 2u);
    EXPECT_TRUE(packets[2]) << "nothing overtakes a kept packet";
    EXPECT_TRUE(s.queue->keeps());
    EXPECT_FALSE(s.queue->send(packets[2]));
    EXPECT_EQ(s.queue->counters().kept, 1u);
    EXPECT_EQ(s.queue->held(), 2u);
    s.device.finish(0);
    for (int i = 0; i != 10; ++i)
        s.queue->complete(64);
    EXPECT_EQ(s.queue->counters().linearize_failed, 11u);
    EXPECT_EQ(s.queue->held(), 1u);
    s.expect_closed();
    s.relieve();
    s.queue->complete(64);
    EXPECT_FALSE(s.queue->keeps());
    ASSERT_EQ(s.device.packets_taken.size(), 1u);
    EXPECT_EQ(s.device.packets_taken[0].bytes, s.bytes);
    EXPECT_TRUE(s.queue->send(packets[2]));
    EXPECT_EQ(s.queue->counters().offered, 3u);
    s.device.finish(1);
    s.device.finish(0);
    s.queue->complete(64);
    EXPECT_EQ(s.queue->counters().sent, 3u);
    s.expect_closed();
}

TEST(tx_queue, a_kept_packet_is_not_tried_for_ever) {
    starved s(3);
    for (std::uint64_t lost = 1; lost != 3; ++lost) {
        ASSERT_TRUE(s.queue->send(s.fragmented));
        s.queue->complete(64);
        s.queue->complete(64);
        EXPECT_TRUE(s.queue->keeps());
        s.queue->complete(64);
        EXPECT_FALSE(s.queue->keeps());
        EXPECT_EQ(s.queue->drops().of(drop_reason::no_memory), lost);
        EXPECT_EQ(s.queue->counters().linearize_failed, 4 * lost);
        s.expect_closed();
        s.relieve();
        s.starve(); // the next one has as many tries
    }
    s.relieve();
}

// The room behind the tail is enough for the two fragments that are too many, while all of it would want a
// head that is not to be had.
TEST(tx_queue, little_is_linearized_without_any_memory_at_all) {
    sending s({}, {.large = 1}, {}, 3);
    packet_ptr large = s.all.packets.allocate(8192);
    ASSERT_TRUE(large);
    packet_ptr packet = s.all.make(60, {30, 40, 500, 500});
    ASSERT_TRUE(s.queue->send(packet));
    EXPECT_EQ(s.queue->counters().linearized_bytes, 70u);
    ASSERT_EQ(s.device.packets_taken.size(), 1u);
    s.device.finish(0);
    s.queue->complete(64);
    EXPECT_EQ(s.queue->counters().sent, 1u);
    large.free(drop_reason::consumed);
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

TEST(tx_queue, leaves_what_is_to_spare_within_a_burst_too) {
    sending s({.descriptors = 32, .spare = 5}, {}, {}, 4);
    std::vector<packet_ptr> packets;
    for (int i = 0; i != 40; ++i)
        packets.push_back(s.all.make(10));
    EXPECT_EQ(s.queue->send(packets), 24u);
    EXPECT_TRUE(s.queue->stopped());
    EXPECT_EQ(s.queue->free_descriptors(), 8u);
}

TEST(tx_queue, stops_below_one_mark_and_wakes_at_another) {
    sending s({.descriptors = 32, .spare = 2, .wake_free = 20}, {}, {}, 4);
    std::uint32_t taken = 0;
    for (packet_ptr packet = s.all.make(10); s.queue->send(packet); packet = s.all.make(10))
        ++taken;
    EXPECT_EQ(taken, 27u) << "with 5 free, the longest packet would leave less than 2 to spare";
    EXPECT_TRUE(s.queue->stopped());
    EXPECT_EQ(s.queue->counters().stops, 1u);
    for (std::uint32_t free = 6; free != 20; ++free) {
        s.device.finish(0);
        s.queue->complete(64);
        EXPECT_TRUE(s.queue->stopped()) << free;
        packet_ptr packet = s.all.make(10);
        EXPECT_FALSE(s.queue->send(packet));
    }
    s.device.finish(0);
    s.queue->complete(64);
    EXPECT_FALSE(s.queue->stopped());
    EXPECT_EQ(s.queue->counters().wakes, 1u);
    EXPECT_TRUE(s.send(s.all.make(10)));
}

TEST(tx_queue, wakes_at_a_quarter_if_nothing_else_is_said) {
    sending s({.descriptors = 128});
    for (packet_ptr packet = s.all.make(10); s.queue->send(packet); packet = s.all.make(10))
        ;
    ASSERT_TRUE(s.queue->stopped());
    while (s.queue->stopped()) {
        s.device.finish(0);
        s.queue->complete(64);
    }
    EXPECT_EQ(s.queue->free_descriptors(), 32u);
}

TEST(tx_queue, a_byte_limit_stops_it_with_descriptors_to_spare) {
    sending<byte_limit> s({}, {}, byte_limit({.least = 1000, .most = 1000}));
    std::uint32_t taken = 0;
    for (packet_ptr packet = s.all.make(200); s.queue->send(packet); packet = s.all.make(200))
        ++taken;
    EXPECT_EQ(taken, 6u) << "up to the limit, and one packet past it";
    EXPECT_TRUE(s.queue->stopped());
    std::array<packet_ptr, 3> more;
    for (packet_ptr& each : more)
        each = s.all.make(200);
    s.device.finish(0);
    s.queue->complete(64);
    EXPECT_FALSE(s.queue->stopped());
    EXPECT_EQ(s.queue->send(more), 1u);
    while (!s.device.packets_taken.empty())
        s.device.finish(0);
    s.queue->complete(64);
    EXPECT_EQ(s.queue->limit().on_the_way(), 0u);
    EXPECT_EQ(s.queue->send(std::span(more).subspan(1)), 2u);
    s.queue->purge();
    EXPECT_EQ(s.queue->limit().on_the_way(), 0u);
}

TEST(tx_queue, stopped_by_a_byte_limit_it_wakes_when_there_is_room_again) {
    sending<byte_limit> s({}, {}, byte_limit({.least = 1000, .most = 1000}));
    ASSERT_TRUE(s.send(s.all.make(10)));
    ASSERT_TRUE(s.send(s.all.make(2000)));
    EXPECT_TRUE(s.queue->stopped());
    s.device.finish(0);
    s.queue->complete(64);
    EXPECT_TRUE(s.queue->stopped()) << "2000 are still on the way";
    s.device.finish(0);
    s.queue->complete(64);
    EXPECT_FALSE(s.queue->stopped());
    EXPECT_EQ(s.queue->counters().stops, 1u);
    EXPECT_EQ(s.queue->counters().wakes, 1u);

    ASSERT_TRUE(s.send(s.all.make(2000)));
    EXPECT_TRUE(s.queue->stopped());
    s.queue->purge();
    EXPECT_FALSE(s.queue->stopped()) << "nothing is on the way any more";
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

// Anything at any time, pools that run dry included, against a model: every byte goes out once and in order,
// everything comes home once, and the ledger closes after each step.
template <class Limit>
void run_random(random_steps& random, std::uint32_t most_pieces, std::uint32_t retries, Limit limit) {
    sending<Limit> s({.descriptors = most_pieces + 8, .spare = random.below(4), .retries = retries},
                     {.packets = 48, .small = 48, .large = 12, .pages = 200}, limit, most_pieces);
    std::deque<std::vector<std::byte>> expected; // by the order they were taken; a dropped one is never sent
    std::map<std::uint32_t, std::uint32_t> owed; // reports of packets that were reported in part
    std::map<std::uint32_t, std::uint32_t> pieces;
    std::vector<packet_ptr> held;
    std::uint64_t seen = 0, failed = 0;
    nanoseconds now = 0;
    const std::uint64_t steps = random_steps::count(1000, 700);
    for (std::uint64_t step = 0; step != steps && !testing::Test::HasFailure(); ++step) {
        if (random.one_in(2)) { // send some
            std::vector<packet_ptr> burst;
            for (std::uint32_t n = random.below(6); n != 0; --n) {
                std::vector<std::uint32_t> lengths;
                for (std::uint32_t i = random.one_in(3) ? random.below(18) : random.below(3); i != 0; --i)
                    lengths.push_back(1 + random.below(512));
                packet_ptr one = s.all.make(random.below(257), lengths, static_cast<std::uint8_t>(step));
                if (one)
                    burst.push_back(std::move(one));
            }
            std::vector<std::vector<std::byte>> bytes;
            for (const packet_ptr& each : burst)
                bytes.push_back(bytes_sent(*each));
            const std::size_t before = s.device.packets_taken.size();
            s.device.most_a_post = random.one_in(5) ? random.below(3) : 1000;
            const std::uint32_t taken = s.queue->send(burst);
            for (std::uint32_t i = 0; i != burst.size(); ++i) {
                EXPECT_EQ(i < taken, !burst[i]);
                if (i < taken)
                    expected.push_back(bytes[i]);
                else
                    EXPECT_EQ(bytes_sent(*burst[i]), bytes[i]) << "what was not taken has changed";
            }
            for (std::size_t i = before; i != s.device.packets_taken.size(); ++i)
                seen += 1;
            for (packet_ptr& each : burst)
                each.free(drop_reason::not_specified);
        }
        if (random.one_in(6)) { // somebody wants memory, or gives it back
            if (random.one_in(2)) {
                for (std::uint32_t n = random.below(20); n != 0; --n)
                    if (packet_ptr one = s.all.packets.allocate(random.one_in(2) ? 8000 : 200))
                        held.push_back(std::move(one));
            } else {
                for (packet_ptr& each : held)
                    each.free(drop_reason::consumed);
                held.clear();
            }
        }
        // The device works, by turns slower and faster than it is sent to.
        for (std::uint32_t n = random.below(step / 64 % 2 == 0 ? 2 : 8); n != 0; --n) {
            if (!owed.empty() && random.one_in(2)) {
                const auto any =
                    std::next(owed.begin(), random.below(static_cast<std::uint32_t>(owed.size())));
                s.device.reports.push_back({.id = any->first, .flags = any->second});
                owed.erase(any);
            } else if (!s.device.packets_taken.empty()) {
                const std::uint32_t nth =
                    random.one_in(4) ? random.below(static_cast<std::uint32_t>(s.device.packets_taken.size()))
                                     : 0;
                const std::uint32_t outcome = random.one_in(10) ? error_report : sent;
                failed += outcome == error_report;
                if (random.one_in(3)) {
                    const bool first = random.one_in(2);
                    const auto done = s.device.finish(nth, first ? outcome : memory_free);
                    owed[done.id] = first ? memory_free : outcome;
                } else {
                    s.device.finish(nth, outcome | memory_free);
                }
            }
        }
        s.queue->set_now(now += random.below(1'000'000));
        s.device.most_a_post = 1000;
        s.queue->complete(random.below(20));
        ASSERT_TRUE(s.queue->ledger().closes()) << "off by " << s.queue->ledger().discrepancy();
        ASSERT_EQ(s.queue->counters().refused, 0u);
        ASSERT_EQ(s.queue->counters().offered, expected.size());
    }
    // To the end.
    for (packet_ptr& each : held)
        each.free(drop_reason::consumed);
    for (int i = 0; i != 5; ++i) {
        for (const auto& [id, flags] : owed)
            s.device.reports.push_back({.id = id, .flags = flags});
        owed.clear();
        while (!s.device.packets_taken.empty())
            s.device.finish(0);
        while (s.queue->complete(64) != 0)
            ;
    }
    EXPECT_EQ(s.queue->held(), 0u);
    EXPECT_TRUE(s.queue->ledger().closes());
    EXPECT_EQ(s.queue->drops().of(drop_reason::device_error), failed);
    EXPECT_EQ(s.queue->free_descriptors(), most_pieces + 8);
    EXPECT_EQ(s.all.out(), sending_memory::nothing);
    EXPECT_GT(seen, 100u);
    EXPECT_GT(s.queue->counters().stops, 0u);
    EXPECT_GE(s.queue->counters().stops, s.queue->counters().wakes);
    EXPECT_LE(s.queue->counters().stops, s.queue->counters().wakes + 1);
    if (most_pieces < 6) {
        EXPECT_GT(s.queue->counters().linearized, 0u);
        EXPECT_GT(s.queue->counters().linearize_failed, 0u) << "memory was never short";
    }
}

TEST(tx_queue, every_packet_is_sent_or_dropped_or_held) {
    random_steps random;
    for (const std::uint32_t most_pieces : {1u, 2u, 5u, 18u})
        for (const std::uint32_t retries : {0u, 2u, 1000u}) {
            run_random(random, most_pieces, retries, unlimited{});
            run_random(random, most_pieces, retries, byte_limit({.hold = 10'000'000}));
        }
}

// A device that reports what it has and has not, once, twice, and with any flags. What it lets go of rightly
// comes home once; all else is refused and counted.
TEST(tx_queue, refuses_reports_of_what_the_device_does_not_have) {
    random_steps random;
    sending s({.descriptors = 64}, {}, {}, 4);
    std::map<std::uint32_t, std::uint32_t> owed; // by id
    std::vector<std::uint32_t> ids;
    std::uint64_t refused = 0, ended = 0, fit = 0;
    const std::uint64_t steps = random_steps::count(1500, 600);
    for (std::uint64_t step = 0; step != steps && !HasFailure(); ++step) {
        while (random.below(3) != 0) {
            packet_ptr one = s.all.make(1 + random.below(100), {10, 20});
            if (!s.queue->send(one))
                break;
            ids.push_back(s.device.packets_taken.back().id);
            owed[ids.back()] = sent | memory_free;
            s.device.packets_taken.clear();
            s.device.in_use = 0;
        }
        for (std::uint32_t n = random.below(8); n != 0; --n) {
            std::uint32_t id = random.one_in(5) || ids.empty() ? random.below(~0u) : random.pick(ids);
            if (!owed.empty() && random.one_in(3))
                id = std::next(owed.begin(), random.below(static_cast<std::uint32_t>(owed.size())))->first;
            if (random.one_in(6))
                id ^= 1u << random.below(32);
            const std::uint32_t flags = random.below(16);
            s.device.reports.push_back({.id = id, .flags = flags});
            const std::uint32_t told =
                ((flags & (sent | error_report)) != 0 ? sent : 0) | (flags & memory_free);
            const auto known = owed.find(id);
            if (told == 0 || known == owed.end() || (known->second & told) != told) {
                ++refused;
                continue;
            }
            ++fit;
            ended += told & sent;
            known->second &= ~told;
            if (known->second == 0)
                owed.erase(known);
        }
        s.queue->complete(1000);
        ASSERT_EQ(s.queue->counters().refused, refused);
        ASSERT_EQ(s.queue->packets_out(), owed.size());
        ASSERT_EQ(s.queue->counters().sent + s.queue->drops().dropped(), ended);
        ASSERT_TRUE(s.queue->ledger().closes());
        std::uint32_t memory = 0;
        for (const auto& [id, flags] : owed)
            memory += (flags & memory_free) != 0;
        ASSERT_EQ(s.all.packets.in_flight(), memory);
        ASSERT_EQ(s.all.pages.in_flight(), 2 * memory);
    }
    EXPECT_GT(refused, 100u);
    EXPECT_GT(fit, 100u);
}

} // namespace
