// SPDX-License-Identifier: BSL-1.0
// The transmit ring of the 82599: how it fills, what it reports, and how it begins anew.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/ixgbe_transmit_rig.hpp"

namespace {

using namespace ixgbe_test;
using noria::transmit_post;
using noria::transmit_report;

// Packets of every kind in rings that are full most of the time. What is taken goes out once, in order, with
// its bytes; it is reported in order, once, and not before it has gone; and an empty ring takes something.
TEST_F(ixgbe_transmit_ring, never_overflows_whatever_is_sent) {
    random_steps random;
    for (std::byte& each : memory.bytes())
        each = random.byte();
    struct taken_packet {
        std::uint32_t id;
        bool possible;
    };
    for (const std::uint32_t descriptors : {1u, 3u, 7u, 8u, 20u, 33u}) {
        SCOPED_TRACE(testing::Message() << descriptors << " descriptors");
        start(descriptors);
        std::deque<bytes> expected;        // on the wire
        std::deque<taken_packet> reported; // to be
        std::uint64_t left_over = 0, impossible = 0, possible = 0, gone_out = 0;
        std::uint32_t id = 0;
        const std::uint64_t steps = random_steps::count(1500, 300);
        for (std::uint64_t step = 0; step != steps && !HasFailure(); ++step) {
            std::vector<transmit_post> posts;
            std::vector<bytes> frames; // empty for what cannot be sent
            std::vector<std::size_t> ends;
            const bool odd_times = step / 32 % 3 == 0;
            for (std::uint32_t n = random.below(12); n != 0; --n, ++id) {
                const std::uint32_t at = random.below(60'000);
                bytes frame;
                if (odd_times && !random.one_in(3)) { // too long
                    posts.push_back(post(id, longest + 1 + random.below(6000)));
                } else {
                    const std::uint32_t pieces = random.one_in(3) ? 1 + random.below(3) : 1;
                    const std::uint32_t size = 14 + random.below(random.one_in(2) ? 6 : 100);
                    std::uint32_t done = 0;
                    for (std::uint32_t i = 0; i != pieces; ++i) {
                        const std::uint32_t length = i + 1 == pieces ? size - done : 4;
                        posts.push_back(post(id, length, at + done));
                        posts.back().packet_bytes = size;
                        if (i + 1 != pieces)
                            posts.back().flags = 0;
                        done += length;
                    }
                    const auto from = memory.bytes().subspan(at, size);
                    frame.assign(from.begin(), from.end());
                    if (random.one_in(3)) {
                        transmit_post& first = posts[posts.size() - pieces];
                        first.flags |= transmit_post::insert_vlan;
                        first.vlan = static_cast<std::uint16_t>(1 + random.below(5));
                        const std::array tag{std::byte{0x81}, std::byte{0}, std::byte{0},
                                             static_cast<std::byte>(first.vlan)};
                        frame.insert(frame.begin() + 12, tag.begin(), tag.end());
                    }
                    frame.resize(std::max<std::size_t>(frame.size(), 60));
                }
                frames.push_back(std::move(frame));
                ends.push_back(posts.size());
            }
            const bool empty = reported.empty();
            const std::uint32_t used = queue.transmit(posts);
            std::size_t taken = 0;
            while (taken != ends.size() && ends[taken] <= used)
                ++taken;
            ASSERT_EQ(used, taken == 0 ? 0 : ends[taken - 1]) << "a packet was taken in part";
            ASSERT_TRUE(taken != 0 || posts.empty() || !empty) << "an empty ring takes nothing";
            left_over += taken != ends.size();
            for (std::size_t i = 0; i != taken; ++i) {
                const bool can_go = !frames[i].empty();
                reported.push_back({id - static_cast<std::uint32_t>(ends.size() - i), can_go});
                (can_go ? possible : impossible) += 1;
                if (can_go)
                    expected.push_back(std::move(frames[i]));
            }
            c.card.step(random.one_in(2) ? ~0u : random.below(6));
            c.card.take_sent([&](std::span<const std::byte> frame, std::uint32_t) {
                ASSERT_FALSE(expected.empty()) << "nobody sent that";
                ASSERT_EQ(bytes(frame.begin(), frame.end()), expected.front());
                expected.pop_front();
                ++gone_out;
            });
            if (random.one_in(2))
                for (const transmit_report& each : reap(1 + random.below(8))) {
                    ASSERT_FALSE(reported.empty());
                    ASSERT_EQ(each.id, reported.front().id);
                    ASSERT_EQ(each.flags, reported.front().possible ? whole : never);
                    reported.pop_front();
                }
            std::size_t unreported = 0; // of those that can go out
            for (const taken_packet& each : reported)
                unreported += each.possible;
            ASSERT_LE(possible - unreported, gone_out) << "reported before it was sent";
        }
        c.card.step();
        gone_out += frames_sent();
        EXPECT_EQ(gone_out, possible);
        EXPECT_EQ(reap().size(), reported.size());
        EXPECT_GT(left_over, 0u);
        EXPECT_GT(possible, 100u);
        EXPECT_GT(impossible, 10u);
    }
}

// The same through a queue, which counts a descriptor for each piece, while a short packet that wants a tag
// takes three of them.
TEST_F(ixgbe_transmit, never_overflows_whatever_a_queue_sends) {
    random_steps random;
    tx_type& out = start({.descriptors = 64});
    std::deque<bytes> expected;
    std::uint64_t gone_out = 0, impossible = 0, left_over = 0;
    const auto look = [&] {
        for (const bytes& each : sent()) {
            ASSERT_FALSE(expected.empty());
            ASSERT_EQ(each, expected.front());
            expected.pop_front();
            ++gone_out;
        }
    };
    const std::uint64_t steps = random_steps::count(3000, 300);
    for (std::uint64_t step = 0; step != steps && !HasFailure(); ++step) {
        std::vector<noria::packet_ptr> burst;
        std::vector<bytes> frames; // empty for what cannot be sent
        const bool short_ones = step / 16 % 2 == 0;
        for (std::uint32_t n = random.below(50); n != 0; --n) {
            const auto first = static_cast<std::uint8_t>(random.below(256));
            noria::packet_ptr one;
            if (random.one_in(short_ones ? 60 : 20))
                one = memory.make(8192, {500, 500, 500, 500}, first); // too long
            else if (!short_ones && random.one_in(10))
                one = memory.make(20, {30, 40}, first);
            else
                one = memory.make(short_ones ? 14 + random.below(3) : 60 + random.below(100), {}, first);
            if (!one)
                break;
            if (random.one_in(short_ones ? 1 : 3))
                one->info().vlan = static_cast<std::uint16_t>(1 + random.below(short_ones ? 255 : 5));
            bytes frame = bytes_sent(*one);
            if (frame.size() > longest) {
                frame.clear();
            } else {
                const std::array tag{std::byte{0x81}, std::byte{0}, std::byte{0},
                                     static_cast<std::byte>(one->info().vlan)};
                if (one->info().vlan != 0)
                    frame.insert(frame.begin() + 12, tag.begin(), tag.end());
                frame = padded(std::move(frame));
            }
            burst.push_back(std::move(one));
            frames.push_back(std::move(frame));
        }
        const bool empty = out.packets_out() == 0;
        const std::uint32_t taken = out.send(burst);
        ASSERT_TRUE(taken != 0 || burst.empty() || !empty) << "an empty ring takes nothing";
        left_over += taken != burst.size() && !out.stopped(); // the queue had room, the ring had not
        for (std::uint32_t i = 0; i != taken; ++i)
            if (frames[i].empty())
                ++impossible;
            else
                expected.push_back(std::move(frames[i]));
        c.card.step(random.one_in(3) ? ~0u : random.below(20));
        look();
        if (random.one_in(2))
            out.complete(random.below(100));
        ASSERT_TRUE(out.ledger().closes());
        ASSERT_LE(out.counters().sent, gone_out) << "reported before it was sent";
    }
    c.card.step();
    look();
    while (out.complete(64) != 0) {
    }
    EXPECT_TRUE(expected.empty());
    EXPECT_EQ(out.packets_out(), 0u);
    EXPECT_EQ(out.free_descriptors(), 64u);
    EXPECT_EQ(out.counters().sent, gone_out);
    EXPECT_EQ(out.counters().refused, 0u);
    EXPECT_EQ(out.drops().of(noria::drop_reason::device_error), impossible);
    EXPECT_GT(left_over, 0u);
    EXPECT_GT(impossible, 0u);
}

// A plain packet that the card would hang on is none.
TEST_F(ixgbe_transmit_ring, what_is_plain_and_too_long_is_an_error) {
    start(64);
    for (const std::uint32_t size : {17u, longest - 1, longest, longest + 1, longest + 2, 17'000u, 65'000u}) {
        const transmit_post one = post(3, size);
        const std::uint32_t before = tail();
        ASSERT_EQ(queue.transmit({&one, 1}), 1u);
        EXPECT_EQ(tail() - before, size > longest ? 0u : 1u) << size;
        c.card.step();
        const auto reports = reap();
        ASSERT_EQ(reports.size(), 1u);
        EXPECT_EQ(reports[0].id, 3u);
        EXPECT_EQ(reports[0].flags, size > longest ? never : whole) << size;
        EXPECT_EQ(frames_sent(), size > longest ? 0u : 1u);
    }
}

// Not each descriptor reports, for each report is a write over the bus: the last of a call does, and among
// many every 32nd.
TEST_F(ixgbe_transmit_ring, few_descriptors_report) {
    constexpr std::uint32_t rs = 1u << 27;
    start(128);
    const std::uint64_t at = c.card.behind()[0x6000] | std::uint64_t{c.card.behind()[0x6004]} << 32;
    const auto* const ring =
        reinterpret_cast<const ixgbe::descriptor*>(c.card.dma().address_of(at, 256 * 16));
    ASSERT_NE(ring, nullptr);
    std::vector<transmit_post> posts(80, post(1, 100));
    ASSERT_EQ(queue.transmit(posts), 80u);
    for (std::uint32_t i = 0; i != 80; ++i)
        EXPECT_EQ((ring[i].words[2] & rs) != 0, i == 31 || i == 63 || i == 79) << i;
    c.card.step();
    EXPECT_EQ(reap().size(), 80u);
    // The count begins anew behind each report.
    ASSERT_EQ(queue.transmit(std::span(posts).first(33)), 33u);
    for (std::uint32_t i = 80; i != 113; ++i)
        EXPECT_EQ((ring[i].words[2] & rs) != 0, i == 111 || i == 112) << i;
    c.card.step();
    EXPECT_EQ(reap().size(), 33u);
}

// What had gone out when the queue was stopped is told as sent, and only the rest as an error.
TEST_F(ixgbe_transmit_ring, what_went_out_before_a_stop_was_sent) {
    start(64);
    const std::vector<transmit_post> posts(40, post(1, 100));
    for (const bool reset : {false, true}) {
        ASSERT_EQ(queue.transmit(posts), 40u);
        c.card.step();
        EXPECT_EQ(frames_sent(), 40u);
        c.card.cable(false);
        ASSERT_EQ(queue.transmit(std::span(posts).first(10)), 10u);
        expect_ok(reset ? c.driver->reset() : c.driver->stop());
        const auto reports = reap();
        ASSERT_EQ(reports.size(), 50u);
        for (std::size_t i = 0; i != 50; ++i)
            EXPECT_EQ(reports[i].flags, i < 40 ? whole : never) << i;
        c.card.cable(true);
        c.start();
    }
}

// Packets that nobody told of yet are gone with the queue that took them: the next one's are not theirs.
TEST_F(ixgbe_transmit_ring, a_queue_that_is_made_anew_reports_nothing_of_the_last) {
    for (const bool again_as_long : {true, false}) {
        start(64);
        const std::vector<transmit_post> posts(5, post(1, 100));
        ASSERT_EQ(queue.transmit(posts), 5u);
        c.card.step();
        EXPECT_EQ(frames_sent(), 5u);
        start(again_as_long ? 64 : 32);
        EXPECT_EQ(reap().size(), 0u);
        c.card.cable(false);
        const transmit_post one = post(2, 100);
        ASSERT_EQ(queue.transmit({&one, 1}), 1u);
        EXPECT_EQ(tail(), 1u) << "the ring begins at 0";
        EXPECT_EQ(reap().size(), 0u) << "it has not gone out";
        c.card.cable(true);
        expect_ok(c.driver->wait_for_link());
        c.card.step();
        const auto reports = reap();
        ASSERT_EQ(reports.size(), 1u);
        EXPECT_EQ(reports[0].id, 2u);
        EXPECT_EQ(frames_sent(), 1u);
    }
}

// A stop takes the contexts away that the card knew.
TEST_F(ixgbe_transmit_ring, contexts_are_written_again_after_a_stop) {
    start(64);
    transmit_post one = post(1, 100);
    one.flags |= transmit_post::insert_vlan;
    one.vlan = 5;
    for (int i = 0; i != 3; ++i) {
        ASSERT_EQ(queue.transmit({&one, 1}), 1u);
        EXPECT_EQ(tail(), 2u) << "a context and the packet";
        c.card.step();
        ASSERT_EQ(reap().size(), 1u);
        std::size_t bytes_out = 0;
        c.card.take_sent([&](std::span<const std::byte> frame, std::uint32_t) { bytes_out += frame.size(); });
        EXPECT_EQ(bytes_out, 104u);
        if (i == 0)
            expect_ok(c.driver->stop());
        else
            expect_ok(c.driver->reset());
        c.start();
    }
}

} // namespace
