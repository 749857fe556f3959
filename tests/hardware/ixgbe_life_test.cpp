// SPDX-License-Identifier: BSL-1.0
// A long life: 100,000 frames of any size, in and out again, and everything that can go wrong on the way.
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/ixgbe_rig.hpp"

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

} // namespace
