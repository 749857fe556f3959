// SPDX-License-Identifier: BSL-1.0
// A transmit queue under anything at any time, against a model.
#include "noria/queue/tx_queue.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <set>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include "support/random.hpp"
#include "support/tx_queue_rig.hpp"

namespace {

using namespace noria;
using namespace tx_queue_test;

// Anything at any time, pools that run dry included, against a model: every byte goes out once and in order,
// everything comes home once, and the ledger closes after each step.
template <class Device, class Limit>
void run_random(random_steps& random, std::uint32_t most_pieces, std::uint32_t retries, Limit limit) {
    sending<Limit, Device> s({.descriptors = most_pieces + 8, .spare = random.below(4), .retries = retries},
                             {.packets = 48, .small = 48, .large = 12, .pages = 200}, limit, most_pieces);
    sending_memory other({.packets = 48, .small = 48, .large = 12, .pages = 200});
    ASSERT_FALSE(s.queue->attach(other.memory()).code);
    std::deque<std::vector<std::byte>> expected; // in the order they were taken
    std::uint64_t taken_in_all = 0, never_posted = 0;
    std::map<std::uint32_t, std::uint32_t> owed; // reports of packets that were reported in part
    std::vector<packet_ptr> held;
    std::uint64_t seen = 0, failed = 0;
    nanoseconds now = 0;
    // What the device was given since it had so many: it comes in order, and what is left out was dropped.
    const auto look = [&](std::size_t before) {
        for (; before != s.device.packets_taken.size(); ++before, ++seen) {
            const std::vector<std::byte>& bytes = s.device.packets_taken[before].bytes;
            while (!expected.empty() && expected.front() != bytes) {
                expected.pop_front();
                ++never_posted;
            }
            ASSERT_FALSE(expected.empty()) << "the device was given what nobody sent";
            expected.pop_front();
        }
    };
    const std::uint64_t steps = random_steps::count(1000, 1000);
    for (std::uint64_t step = 0; step != steps && !testing::Test::HasFailure(); ++step) {
        if (random.one_in(2)) { // send some
            std::vector<packet_ptr> burst;
            for (std::uint32_t n = random.below(6); n != 0; --n) {
                std::vector<std::uint32_t> lengths;
                for (std::uint32_t i = random.one_in(3) ? random.below(18) : random.below(3); i != 0; --i)
                    lengths.push_back(1 + random.below(512));
                sending_memory& from = random.one_in(4) ? other : s.all;
                packet_ptr one = from.make(random.below(257), lengths, static_cast<std::uint8_t>(step));
                if (one)
                    burst.push_back(std::move(one));
            }
            std::vector<std::vector<std::byte>> bytes;
            for (const packet_ptr& each : burst)
                bytes.push_back(bytes_sent(*each));
            const std::size_t before = s.device.packets_taken.size();
            s.device.most_a_post = random.one_in(5) ? random.below(3) : 1000;
            if constexpr (transmits_plain<Device>) {
                s.backend.room = random.one_in(3) ? random.below(3) : 1000;
                s.backend.shortest = 1 + random.below(60);
                s.backend.longest = s.backend.shortest + random.below(200);
            }
            const std::uint32_t taken = s.queue->send(burst);
            for (std::uint32_t i = 0; i != burst.size(); ++i) {
                EXPECT_EQ(i < taken, !burst[i]);
                if (i < taken)
                    expected.push_back(bytes[i]);
                else
                    EXPECT_EQ(bytes_sent(*burst[i]), bytes[i]) << "what was not taken has changed";
            }
            taken_in_all += taken;
            look(before);
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
        const std::size_t before = s.device.packets_taken.size();
        s.queue->complete(random.below(20));
        look(before); // a kept one
        ASSERT_TRUE(s.queue->ledger().closes()) << "off by " << s.queue->ledger().discrepancy();
        ASSERT_EQ(s.queue->counters().refused, 0u);
        ASSERT_EQ(s.queue->counters().offered, taken_in_all);
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
        const std::size_t before = s.device.packets_taken.size();
        while (s.queue->complete(64) != 0)
            ;
        look(before);
    }
    never_posted += expected.size();
    EXPECT_EQ(s.queue->drops().of(drop_reason::no_memory) +
                  s.queue->drops().of(drop_reason::packet_too_small),
              never_posted);
    EXPECT_EQ(s.queue->counters().doorbells, s.device.doorbells);
    EXPECT_EQ(s.queue->held(), 0u);
    EXPECT_TRUE(s.queue->ledger().closes());
    EXPECT_EQ(s.queue->drops().of(drop_reason::device_error), failed);
    EXPECT_EQ(s.queue->free_descriptors(), most_pieces + 8);
    EXPECT_EQ(s.all.out(), sending_memory::nothing);
    EXPECT_EQ(other.out(), sending_memory::nothing);
    if constexpr (std::is_same_v<Limit, byte_limit>) {
        EXPECT_EQ(s.queue->limit().on_the_way(), 0u);
    }
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
            run_random<scripted_transmitter>(random, most_pieces, retries, unlimited{});
            run_random<scripted_transmitter>(random, most_pieces, retries, byte_limit({.hold = 10'000'000}));
            run_random<plain_transmitter>(random, most_pieces, retries, unlimited{});
            run_random<plain_transmitter>(random, most_pieces, retries, byte_limit({.hold = 10'000'000}));
        }
}

// A device that reports what it has and has not, once, twice, and with any flags. What it lets go of rightly
// comes home once; all else is refused and counted.
TEST(tx_queue, refuses_reports_of_what_the_device_does_not_have) {
    random_steps random;
    sending s({.descriptors = 64}, {}, {}, 4);
    std::map<std::uint32_t, std::uint32_t> owed; // by id
    std::vector<std::uint32_t> ids;
    std::set<std::uint32_t> called; // so was a packet once
    std::uint64_t refused = 0, ended = 0, fit = 0;
    const std::uint64_t steps = random_steps::count(1500, 600);
    for (std::uint64_t step = 0; step != steps && !HasFailure(); ++step) {
        while (random.below(3) != 0) {
            packet_ptr one = s.all.make(1 + random.below(100), {10, 20});
            if (!s.queue->send(one))
                break;
            ids.push_back(s.device.packets_taken.back().id);
            ASSERT_TRUE(called.insert(ids.back()).second) << "a report of it may still come";
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
