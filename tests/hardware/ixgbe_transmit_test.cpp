// SPDX-License-Identifier: BSL-1.0
// Sending with the driver of the 82599, on the model of the card.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/faulty.hpp"
#include "hardware/ixgbe_transmit_rig.hpp"
#include "noria/packet/checksum.hpp"
#include "noria/wire/checksum.hpp"

namespace {

using namespace ixgbe_test;
using noria::transmit_post;

// Any pieces, any bursts, a card that is slow at times: each packet goes out once, whole and in order, and
// its memory comes back.
TEST_F(ixgbe_transmit, sends_every_packet_once_in_order_and_unchanged) {
    random_steps random;
    tx_type& out = start({.descriptors = 100});
    std::deque<bytes> expected;
    std::uint64_t went = 0;
    const auto look = [&] {
        for (const bytes& each : sent()) {
            ASSERT_FALSE(expected.empty());
            ASSERT_EQ(each, padded(expected.front()));
            expected.pop_front();
            ++went;
        }
    };
    for (std::uint64_t i = random_steps::count(3000, 300); i != 0 && !HasFailure(); --i) {
        std::vector<noria::packet_ptr> burst;
        for (std::uint32_t n = random.below(20); n != 0; --n) {
            std::vector<std::uint32_t> lengths(random.below(random.one_in(10) ? 17 : 3));
            for (std::uint32_t& each : lengths)
                each = 1 + random.below(500);
            const std::uint32_t linear = 1 + random.below(random.one_in(3) ? 30 : 250);
            if (noria::packet_ptr made = memory.make(linear, lengths, static_cast<std::uint8_t>(i)))
                burst.push_back(std::move(made));
        }
        std::vector<bytes> frames;
        for (const noria::packet_ptr& each : burst)
            frames.push_back(bytes_sent(*each));
        const std::uint32_t taken = out.send(burst);
        expected.insert(expected.end(), frames.begin(), frames.begin() + taken);
        if (random.one_in(2))
            c.card.step(random.one_in(2) ? ~0u : random.below(10));
        look();
        if (random.one_in(2))
            out.complete(random.below(80));
        EXPECT_TRUE(out.ledger().closes());
    }
    c.card.step();
    look();
    while (out.complete(64) != 0) {
    }
    EXPECT_EQ(out.packets_out(), 0u);
    EXPECT_EQ(out.free_descriptors(), 100u);
    EXPECT_EQ(out.counters().sent, went);
    EXPECT_GT(out.counters().stops, 0u);
    EXPECT_EQ(out.counters().refused, 0u);
    EXPECT_TRUE(expected.empty());
}

// One doorbell a burst, and the last packet of it is known as sent without others behind it.
TEST_F(ixgbe_transmit, rings_once_and_no_packet_waits_for_others) {
    tx_type& out = start();
    const std::uint64_t before = c.card.transmit_doorbells();
    std::vector<noria::packet_ptr> burst;
    for (int i = 0; i != 10; ++i)
        burst.push_back(memory.make(100));
    EXPECT_EQ(out.send(burst), 10u);
    EXPECT_EQ(c.card.transmit_doorbells() - before, 1u);
    EXPECT_EQ(out.complete(64), 0u);
    c.card.step();
    EXPECT_EQ(out.complete(64), 10u);
    noria::packet_ptr one = memory.make(100);
    EXPECT_TRUE(out.send(one));
    c.card.step();
    EXPECT_EQ(out.complete(64), 1u);
}

// The card hangs on less than 17 bytes.
TEST_F(ixgbe_transmit, pads_what_is_too_short_for_the_card) {
    tx_type& out = start();
    for (std::uint32_t size = 1; size != 20; ++size) {
        noria::packet_ptr tiny = memory.make(size);
        const bytes frame = bytes_sent(*tiny);
        ASSERT_TRUE(out.send(tiny));
        c.card.step();
        EXPECT_EQ(sent(), std::vector<bytes>{padded(frame)});
        EXPECT_EQ(out.complete(4), 1u);
    }
}

// What can never go out is reported as an error, in its place among the others.
TEST_F(ixgbe_transmit, what_is_too_long_is_an_error_and_nobody_waits_for_it) {
    tx_type& out = start({.descriptors = 64});
    const auto too_long = [&] { return memory.make(8192, {500, 500, 500, 500}); };
    const auto good = [&] { return memory.make(100); };
    std::vector<noria::packet_ptr> alone;
    alone.push_back(too_long());
    EXPECT_EQ(out.send(alone), 1u);
    EXPECT_EQ(out.complete(64), 1u);
    EXPECT_EQ(out.drops().of(noria::drop_reason::device_error), 1u);

    std::vector<noria::packet_ptr> mixed;
    for (int i = 0; i != 3; ++i) {
        mixed.push_back(too_long());
        mixed.push_back(good());
    }
    mixed.push_back(too_long());
    EXPECT_EQ(out.send(mixed), 7u);
    EXPECT_LE(out.complete(64), 1u) << "the first of them at most";
    c.card.step();
    out.complete(64);
    EXPECT_EQ(out.packets_out(), 0u);
    EXPECT_EQ(out.counters().sent, 3u);
    EXPECT_EQ(out.drops().of(noria::drop_reason::device_error), 5u);
    EXPECT_EQ(sent().size(), 3u);

    // Behind a burst whose last descriptor reports already.
    std::vector<noria::packet_ptr> exact;
    for (int i = 0; i != 32; ++i)
        exact.push_back(good());
    exact.push_back(too_long());
    EXPECT_EQ(out.send(exact), 33u);
    c.card.step();
    EXPECT_EQ(out.complete(64), 33u);
}

// Behind IPv6 with more extensions than the card has bits for, and behind more tags: the sum is there.
TEST_F(ixgbe_transmit, a_checksum_is_right_behind_headers_of_any_length) {
    tx_type& out = start();
    for (const auto& [link, network] : {std::pair(14, 504), {14, 512}, {14, 800}, {126, 40}, {130, 40}}) {
        noria::packet_ptr wants = memory.make(1400, {90});
        const auto at = static_cast<std::uint32_t>(link);
        const auto transport = static_cast<std::uint32_t>(link + network);
        wants->data()[at] = std::byte{0x60};
        wants->set_network_header(at);
        wants->data()[transport + 16] = wants->data()[transport + 17] = {};
        ASSERT_TRUE(noria::set_partial(*wants, transport, 16));
        bytes expected = bytes_sent(*wants);
        const std::uint16_t sum =
            noria::udp_checksum(noria::sum_of(std::span(std::as_const(expected)).subspan(transport)));
        expected[transport + 16] = static_cast<std::byte>(sum >> 8);
        expected[transport + 17] = static_cast<std::byte>(sum);
        ASSERT_TRUE(out.send(wants));
        c.card.step();
        EXPECT_EQ(sent(), std::vector<bytes>{expected}) << link << ", " << network;
        EXPECT_EQ(out.complete(64), 1u);
    }
    EXPECT_EQ(out.counters().sent, 5u);
}

class ixgbe_transmit_few_pieces : public ixgbe_transmit {
  protected:
    ixgbe_transmit_few_pieces() : ixgbe_transmit({.transmit = {.most_pieces = 4}}) {}
};

TEST_F(ixgbe_transmit_few_pieces, a_packet_in_too_many_pieces_is_linearised) {
    tx_type& out = start();
    EXPECT_EQ(out.most_pieces(), 4u);
    noria::packet_ptr many = memory.make(100, std::vector<std::uint32_t>(12, 90));
    const bytes frame = bytes_sent(*many);
    ASSERT_TRUE(out.send(many));
    EXPECT_EQ(out.counters().linearized, 1u);
    c.card.step();
    EXPECT_EQ(sent(), std::vector<bytes>{frame});
}

// Without a cable nothing goes out; the stop gives up after a while, and says which packets never went.
TEST_F(ixgbe_transmit, a_stop_gives_back_what_cannot_be_sent) {
    tx_type& out = start();
    c.card.cable(false);
    std::vector<noria::packet_ptr> burst;
    for (int i = 0; i != 10; ++i)
        burst.push_back(memory.make(100));
    EXPECT_EQ(out.send(burst), 10u);
    EXPECT_EQ(out.complete(64), 0u);
    expect_ok(c.driver->stop());
    EXPECT_EQ(out.complete(64), 10u);
    EXPECT_EQ(out.drops().of(noria::drop_reason::device_error), 10u);
    EXPECT_EQ(out.packets_out(), 0u);
    noria::packet_ptr late = memory.make(100);
    EXPECT_FALSE(out.send(late)) << "the queue is stopped";

    // And on it goes.
    c.card.cable(true);
    c.start();
    EXPECT_TRUE(out.send(late));
    c.card.step();
    EXPECT_EQ(sent().size(), 1u);
    EXPECT_EQ(out.complete(64), 1u);
    EXPECT_TRUE(out.ledger().closes());
}

TEST_F(ixgbe_transmit, says_what_it_cannot_do) {
    transmit_backend& queue = c.driver->transmit(0);
    EXPECT_FALSE(queue.configure_transmit({.descriptors = 0, .most_pieces = 18}));
    EXPECT_FALSE(queue.configure_transmit({.descriptors = 4001, .most_pieces = 18}));
    const auto made = queue.configure_transmit({.descriptors = 4000, .most_pieces = 18});
    ASSERT_TRUE(made);
    EXPECT_EQ(made->descriptors, 4000u);
    EXPECT_EQ(made->most_pieces, 18u);
    EXPECT_EQ(made->offloads, transmit_post::all_offloads);
    EXPECT_EQ(made->most_link_header, 127u);
    EXPECT_EQ(made->most_network_header, 511u);
    // A packet whose end is not there is not begun.
    const transmit_post endless{.iova = 1, .id = 1, .length = 60, .packet_bytes = 120};
    EXPECT_EQ(queue.transmit({&endless, 1}), 0u);
}

// A queue that does not stop is not made anew: the card may still read the ring, and what it was told to
// send. After a reset it cannot.
TEST(ixgbe_transmit_stuck, a_queue_that_does_not_stop_is_not_started_again) {
    using faulty = hardware::faulty<model82599::card::register_access>;
    using stuck_driver = ixgbe::driver<faulty, model82599::dma_memory_map, model82599::clock>;
    model82599::card card({.tick = 20'000, .link_delay = 1'000'000});
    model82599::card::register_access inner = card.registers();
    faulty registers(inner);
    model82599::clock clock = card.clock();
    auto driver = need(stuck_driver::open(registers, card.dma(), clock, {}));
    sending_memory memory;
    auto out = need(noria::tx_queue<stuck_driver::transmit_queue_type>::create(
        driver->transmit(0), memory.memory(), {.descriptors = 64}));
    expect_ok(driver->start());
    expect_ok(driver->wait_for_link());
    card.cable(false); // so that what is sent stays with the card
    noria::packet_ptr one = memory.make(100);
    ASSERT_TRUE(out.send(one));

    auto& queue = driver->transmit(0);
    registers.stick(ixgbe::reg::txdctl::at(0), ixgbe::reg::txdctl::enable, ixgbe::reg::txdctl::enable);
    EXPECT_EQ(queue.stop().code, std::errc::timed_out);
    EXPECT_TRUE(queue.running());
    EXPECT_EQ(queue.start().code, std::errc::device_or_resource_busy);
    EXPECT_EQ(queue.configure_transmit({.descriptors = 64, .most_pieces = 18}).error().code,
              std::errc::timed_out);
    noria::packet_ptr late = memory.make(100);
    EXPECT_FALSE(out.send(late)) << "it takes nothing more";
    EXPECT_EQ(out.complete(64), 0u) << "the card may still read the packet";
    EXPECT_EQ(out.packets_out(), 1u);

    // The driver resets the card for it, and then the packet is ours again.
    EXPECT_EQ(driver->stop().code, std::errc::timed_out);
    EXPECT_FALSE(queue.running());
    EXPECT_EQ(out.complete(64), 1u);
    EXPECT_EQ(out.drops().of(noria::drop_reason::device_error), 1u);
    registers.let_go();
    card.cable(true);
    expect_ok(driver->start());
    expect_ok(driver->wait_for_link());
    EXPECT_TRUE(out.send(late));
    card.step();
    EXPECT_EQ(out.complete(64), 1u);
    EXPECT_EQ(out.counters().sent, 1u);
    EXPECT_TRUE(out.ledger().closes());
    EXPECT_EQ(memory.out(), sending_memory::nothing);
    expect_ok(driver->stop());
    card.faults().clear();
}

} // namespace
