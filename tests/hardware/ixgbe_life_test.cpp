// SPDX-License-Identifier: BSL-1.0
// A long life: 100,000 frames of any size, in and out again, and everything that can go wrong on the way.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/ixgbe_rig.hpp"
#include "hardware/ixgbe_transmit_rig.hpp"

namespace {

using namespace ixgbe_test;
using model82599::arrival;

constexpr noria::rx_options jumbo_options{
    .descriptors = 128, .packets = 200, .frame_bytes = 9216, .geometry = ixgbe::geometry()};
constexpr ixgbe::options card_options{.card = {.longest_frame = 9018}};

using life = rig<noria::build_around>;

bytes any_frame(random_steps& random) {
    return plain_frame(random, random.one_in(3) ? 60 + random.below(8955) : 60 + random.below(200));
}

TEST(ixgbe_life, a_hundred_thousand_frames_and_every_fault) {
    random_steps random;
    life r(jumbo_options, card_options);
    std::vector<bytes> frames;
    for (int i = 0; i != 300; ++i)
        frames.push_back(any_frame(random));
    const std::uint64_t enough = random_steps::count(100'000, 30'000);
    std::uint64_t offered = 0, damaged = 0, odd = 0, deaf = 0, resets = 0, unplugged = 0;
    while (offered < enough && !HasFailure()) {
        const bool flood = random.one_in(40);
        for (std::uint32_t n = flood ? 400 : random.below(60); n != 0; --n) {
            const bytes& frame = random.pick(frames);
            if (random.one_in(50)) {
                EXPECT_NE(r.offer(frame, true), arrival::queued);
                ++damaged;
            } else if (random.one_in(50)) {
                EXPECT_NE(r.offer(plain_frame(random, random.one_in(2) ? 20 : 9300)), arrival::queued);
                ++odd;
            } else {
                deaf += r.offer(frame) == arrival::deaf;
                ++offered;
            }
        }
        r.step(random.one_in(4) ? random.below(40) : ~0u);
        r.poll(random.one_in(8) ? random.below(3) : random.below(100),
               [&](noria::packet_ptr packet, bytes expected) noexcept {
                   if (random.one_in(2))
                       r.send(std::move(packet), std::move(expected));
                   else if (r.held.size() < 120)
                       r.hold(std::move(packet), std::move(expected));
                   else
                       packet.free(noria::drop_reason::consumed);
               });
        r.tx().complete(random.below(100));
        for (std::uint32_t n = random.below(40); n != 0 && !r.held.empty(); --n)
            r.free_one(random);
        if (random.one_in(100)) { // as somebody would who looks at them
            r.driver->read_statistics();
            r.catch_up();
        }
        if (random.one_in(150)) { // the cable is pulled out for a while
            r.step();
            r.card.cable(false);
            ++unplugged;
        } else if (random.one_in(5)) {
            r.card.cable(true);
            r.card.pass(2'000'000);
            r.catch_up();
        }
        if (random.one_in(150)) {
            r.card.cable(true);
            r.reset();
            ++resets;
        }
    }
    r.card.cable(true);
    expect_ok(r.driver->wait_for_link());
    r.catch_up();
    r.free_all(random);
    r.settle();
    r.expect_nothing_held();
    r.expect_right_statistics();
    r.expect_no_faults();
    EXPECT_GT(r.delivered(), enough / 4);
    EXPECT_GT(r.went_out(), enough / 20);
    EXPECT_GT(r.missed(), 0u);
    EXPECT_GT(damaged, 0u);
    EXPECT_GT(odd, 0u);
    EXPECT_GT(deaf, 0u);
    EXPECT_GT(resets, 0u);
    EXPECT_GT(unplugged, 0u);
}

// In the middle of traffic the card is not there any more: no hang, an error on the next look, and all
// memory comes back.
TEST(ixgbe_life, a_card_that_is_pulled_out_under_load) {
    random_steps random;
    for (std::uint64_t round = random_steps::count(30, 3); round != 0; --round) {
        life r(jumbo_options, card_options);
        const std::uint32_t until = 10 + random.below(100);
        for (std::uint32_t i = 0; i != 200; ++i) {
            if (i == until)
                r.card.pull_out();
            for (std::uint32_t n = random.below(20); n != 0; --n)
                r.offer(any_frame(random));
            r.step(random.below(40));
            r.poll(64, [&](noria::packet_ptr packet, bytes expected) noexcept {
                if (random.one_in(2))
                    r.send(std::move(packet), std::move(expected));
            });
            r.tx().complete(64);
        }
        EXPECT_EQ(r.driver->check().code, std::errc::no_such_device);
        const noria::nanoseconds before = r.card.now();
        EXPECT_EQ(r.driver->stop().code, std::errc::no_such_device);
        EXPECT_LT(r.card.now() - before, 10 * hardware::millisecond);
        r.tx().complete(~0u);
        EXPECT_EQ(r.tx().packets_out(), 0u);
        EXPECT_EQ(r.rx().packets_out(), 0u);
        EXPECT_TRUE(r.tx().ledger().closes());
        EXPECT_EQ(r.driver->start().code, std::errc::no_such_device);
    }
}

// What it had to send is ours again: nobody will read it.
TEST_F(ixgbe_transmit, the_reset_of_a_card_that_is_gone_gives_all_back) {
    tx_type& out = start();
    c.card.cable(false);
    noria::packet_ptr one = memory.make(100);
    ASSERT_TRUE(out.send(one));
    EXPECT_EQ(out.complete(64), 0u);
    c.card.pull_out();
    EXPECT_EQ(c.driver->reset().code, std::errc::no_such_device);
    EXPECT_FALSE(c.driver->transmit(0).running());
    EXPECT_FALSE(c.driver->receive(0).running());
    EXPECT_EQ(out.complete(64), 1u);
    EXPECT_EQ(out.packets_out(), 0u);
    EXPECT_TRUE(out.ledger().closes());
}

// Whoever had the card before may have let in others' addresses, groups and VLANs.
TEST_F(ixgbe_transmit, a_reset_clears_all_tables_of_filters) {
    namespace reg = ixgbe::reg;
    c.start();
    auto registers = c.card.registers();
    for (std::uint32_t i = 0; i != 128; ++i) {
        registers.write32(reg::mta(i), ~0u);
        registers.write32(reg::vfta(i), ~0u);
        if (i != 0) { // which is the card's own address
            registers.write32(reg::ral(i), 0x10 + i);
            registers.write32(reg::rah(i), 0x8000'0001);
        }
    }
    expect_ok(c.driver->reset());
    for (std::uint32_t i = 0; i != 128; ++i) {
        EXPECT_EQ(registers.read32(reg::mta(i)), 0u) << i;
        EXPECT_EQ(registers.read32(reg::vfta(i)), 0u) << i;
        if (i != 0) {
            EXPECT_EQ(registers.read32(reg::ral(i)), 0u) << i;
            EXPECT_EQ(registers.read32(reg::rah(i)), 0u) << i;
        }
    }
}

// Registers of a card that is there, on a bus that loses one answer.
class hiccups {
  public:
    explicit hiccups(model82599::card::register_access& inner) noexcept : inner_(&inner) {}

    // The nth read from now on of that register, counted from 0, says all ones.
    void lose(std::uint32_t offset, std::uint32_t nth) noexcept {
        offset_ = offset;
        left_ = nth + 1;
    }
    // Has it happened? From here on it does not.
    bool over() noexcept { return std::exchange(left_, 0) == 0; }

    std::uint32_t read32(std::uint32_t offset) noexcept {
        const std::uint32_t value = inner_->read32(offset);
        return offset == offset_ && left_ != 0 && --left_ == 0 ? ~std::uint32_t{0} : value;
    }
    void write32(std::uint32_t offset, std::uint32_t value) noexcept { inner_->write32(offset, value); }
    void doorbell32(std::uint32_t offset, std::uint32_t value) noexcept { inner_->doorbell32(offset, value); }

  private:
    model82599::card::register_access* inner_;
    std::uint32_t offset_ = 0;
    std::uint32_t left_ = 0; // reads of it, with the one that says all ones
};

// All ones that come once are no dead card: it may still read and write what it was given. So either the
// queues keep that, or the card was stopped or reset and has let go of it. A reset gets over all of it.
TEST(ixgbe_life, one_answer_that_is_lost_gives_no_memory_away) {
    namespace reg = ixgbe::reg;
    using hiccup_driver = ixgbe::driver<hiccups, model82599::dma_memory_map, model82599::clock>;
    std::uint64_t lost = 0, errors = 0;
    for (const std::string way : {"stop", "reset", "stop of the queues"})
        for (const std::uint32_t offset :
             {reg::status::at, reg::ctrl::at, reg::tdh(0), reg::txdctl::at(0), reg::rxdctl::at(0),
              reg::rxctrl::at, reg::ctrl_ext::at, reg::eec::at, reg::rdrxctl::at, reg::ral(0), reg::rah(0)})
            for (std::uint32_t nth = 0; nth != 6; ++nth) {
                SCOPED_TRACE(testing::Message()
                             << way << ", register " << std::hex << offset << ", read " << nth);
                model82599::card card({.tick = 20'000, .link_delay = 1'000'000});
                model82599::card::register_access inner = card.registers();
                hiccups registers(inner);
                model82599::clock clock = card.clock();
                sending_memory memory;
                auto driver = need(hiccup_driver::open(registers, card.dma(), clock, {}));
                ASSERT_TRUE(driver->receive(0).configure({.descriptors = 8, .buffer_bytes = 2048}));
                auto out = need(noria::tx_queue<hiccup_driver::transmit_queue_type>::create(
                    driver->transmit(0), memory.memory(), {.descriptors = 64}));
                expect_ok(driver->start());
                expect_ok(driver->wait_for_link());
                card.cable(false); // so that the packet stays with the card
                noria::packet_ptr one = memory.make(100);
                ASSERT_TRUE(out.send(one));

                registers.lose(offset, nth);
                bool fails = false;
                if (way == "stop") {
                    fails = static_cast<bool>(driver->stop().code);
                } else if (way == "reset") {
                    fails = static_cast<bool>(driver->reset().code);
                } else {
                    fails = static_cast<bool>(driver->transmit(0).stop().code);
                    fails |= static_cast<bool>(driver->receive(0).stop().code);
                }
                const bool happened = registers.over();
                lost += happened;
                errors += fails;
                const bool sends = (inner.read32(reg::txdctl::at(0)) & reg::txdctl::enable) != 0;
                const bool receives = (inner.read32(reg::rxdctl::at(0)) & reg::rxdctl::enable) != 0;
                EXPECT_TRUE(driver->transmit(0).running() || !sends);
                EXPECT_TRUE(driver->receive(0).running() || !receives);
                EXPECT_EQ(out.complete(64), driver->transmit(0).running() ? 0u : 1u);

                expect_ok(driver->reset());
                EXPECT_FALSE(driver->transmit(0).running() || driver->receive(0).running());
                out.complete(64);
                EXPECT_EQ(out.packets_out(), 0u);
                EXPECT_EQ(memory.out(), sending_memory::nothing);
                card.faults().clear();
                if (HasFailure())
                    return;
                if (!happened)
                    break;
            }
    EXPECT_GT(lost, 20u);
    EXPECT_GT(errors, 5u);
}

} // namespace
