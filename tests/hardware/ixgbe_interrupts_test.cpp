// SPDX-License-Identifier: BSL-1.0
// How the card calls: vectors, moderation, and a poller that is called and otherwise left alone.
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <poll.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "hardware/ixgbe_rig.hpp"
#include "hardware/polled_vector.hpp"
#include "ixgbe/interrupts.hpp"
#include "noria/poll/instance.hpp"
#include "noria/poll/poller.hpp"

namespace {

using namespace ixgbe_test;
namespace reg = ixgbe::reg;
using interrupts_type = ixgbe::interrupts<model82599::card::register_access, model82599::interrupt_block>;

// How often the vector has called since the last time.
std::uint64_t calls(int fd) {
    std::uint64_t count = 0;
    return ::read(fd, &count, sizeof count) == sizeof count ? count : 0;
}

constexpr noria::rx_options queue_options{
    .descriptors = 64, .packets = 300, .frame_bytes = 2048, .geometry = ixgbe::geometry()};

class ixgbe_interrupts : public testing::Test {
  protected:
    ixgbe_interrupts() { expect_ok(vectors.open(1)); }
    ~ixgbe_interrupts() override { r.expect_no_faults(); }

    // A frame arrives and is in memory, if there is a buffer for it.
    void arrive() {
        r.offer(plain_frame(random, 60 + random.below(1000)));
        r.step();
    }
    std::uint32_t drain(std::uint32_t budget = 64) {
        return r.poll(budget, [](noria::packet_ptr, const bytes&) noexcept {});
    }
    std::uint64_t called() { return calls(vectors.fd(0)); }

    random_steps random;
    rig<noria::build_around> r{queue_options};
    interrupts_type vectors{r.registers, r.card.interrupts()};
};

TEST_F(ixgbe_interrupts, the_card_calls_once_and_is_silent_until_it_is_armed_again) {
    drain();
    arrive();
    EXPECT_EQ(called(), 0u) << "nobody has armed it";
    vectors.arm(0);
    r.step();
    EXPECT_EQ(called(), 1u) << "there was something already";
    for (int i = 0; i != 10; ++i)
        arrive();
    EXPECT_EQ(called(), 0u);
    EXPECT_EQ(drain(), 11u);
    // What came after the last look, and before the arming, calls.
    arrive();
    vectors.arm(0);
    r.step();
    EXPECT_EQ(called(), 1u);
    EXPECT_EQ(drain(), 1u);
    // What was looked at calls once more in vain, as on silicon: its cause was set after the message.
    vectors.arm(0);
    r.step();
    called();
    EXPECT_EQ(drain(), 0u);
    vectors.arm(0);
    r.step();
    EXPECT_EQ(called(), 0u) << "and then there is nothing";
}

TEST_F(ixgbe_interrupts, a_masked_vector_does_not_call) {
    drain();
    vectors.arm(0);
    vectors.mask(0);
    arrive();
    EXPECT_EQ(called(), 0u);
    vectors.arm(0);
    r.step();
    EXPECT_EQ(called(), 1u);
}

TEST_F(ixgbe_interrupts, a_sent_packet_calls_too) {
    drain();
    arrive();
    r.poll(64, [&](noria::packet_ptr packet, bytes expected) noexcept {
        r.send(std::move(packet), std::move(expected));
    });
    vectors.arm(0);
    r.step();
    called();
    vectors.arm(0);
    r.step();
    r.poll(64, [](noria::packet_ptr, const bytes&) noexcept {});
    r.tx().complete(64);
    EXPECT_EQ(r.tx().counters().sent, 1u);
}

TEST_F(ixgbe_interrupts, moderation_keeps_calls_apart) {
    constexpr noria::nanoseconds interval = 100'000;
    vectors.set_interval(0, interval);
    drain();
    std::vector<noria::nanoseconds> times;
    for (int i = 0; i != 3000; ++i) {
        arrive();
        vectors.arm(0);
        r.card.pass(1000);
        if (called() != 0)
            times.push_back(r.card.now());
        drain();
    }
    ASSERT_GT(times.size(), 10u);
    for (std::size_t i = 1; i != times.size(); ++i)
        EXPECT_GE(times[i] - times[i - 1], interval - 3000);
    EXPECT_LT(times.size(), 3000u * 1200 / interval + 50);

    // Steps of 2.048 us, up to 511 of them.
    vectors.set_interval(0, 1);
    EXPECT_EQ(r.card.behind()[0x820], 1u << 3);
    vectors.set_interval(0, 2049);
    EXPECT_EQ(r.card.behind()[0x820], 2u << 3);
    vectors.set_interval(0, 1'000'000'000);
    EXPECT_EQ(r.card.behind()[0x820], 0xff8u);
    vectors.set_interval(0, 0);
    EXPECT_EQ(r.card.behind()[0x820], 0u);
}

TEST_F(ixgbe_interrupts, the_link_calls_on_a_vector_of_its_own) {
    const int fd = vectors.fd(vectors.other_vector());
    static_cast<void>(vectors.link_changed());
    r.card.pass(1000);
    calls(fd);
    r.card.cable(false);
    r.card.pass(1000);
    EXPECT_EQ(calls(fd), 1u);
    EXPECT_TRUE(vectors.link_changed());
    EXPECT_FALSE(vectors.link_changed());
    EXPECT_EQ(called(), 0u) << "that is the queue's";
    r.card.cable(true);
    r.card.pass(2'000'000'000);
    EXPECT_GE(calls(fd), 1u);
    EXPECT_TRUE(vectors.link_changed());
    r.card.pull_out();
    EXPECT_FALSE(vectors.link_changed()) << "all ones are no news";
}

TEST_F(ixgbe_interrupts, a_vector_can_be_tried) {
    vectors.arm(0);
    vectors.fire(0);
    r.step();
    EXPECT_EQ(called(), 1u);
}

TEST_F(ixgbe_interrupts, are_programmed_again_after_a_reset) {
    r.reset();
    drain();
    vectors.program();
    vectors.arm(0);
    arrive();
    EXPECT_EQ(called(), 1u);
}

TEST_F(ixgbe_interrupts, a_reset_takes_no_interval_away) {
    vectors.set_interval(0, 100'000);
    vectors.set_interval(vectors.other_vector(), 3000);
    r.reset();
    EXPECT_EQ(r.card.behind()[0x820], 0u) << "the card has forgotten";
    vectors.program();
    EXPECT_EQ(r.card.behind()[0x820], 49u << 3);
    EXPECT_EQ(r.card.behind()[0x824], 2u << 3);
}

TEST(ixgbe_many_vectors, each_queue_has_its_own) {
    for (const std::uint32_t queues : {1u, 2u, 3u, 16u}) {
        opened_card c({.queues = queues});
        interrupts_type vectors(c.registers, c.card.interrupts());
        expect_ok(vectors.open(queues));
        EXPECT_EQ(c.card.interrupts().vectors(), queues + 1);
        expect_ok(c.driver->wait_for_link()); // which calls
        EXPECT_TRUE(vectors.link_changed());
        EXPECT_EQ(calls(vectors.fd(queues)), 1u);
        for (std::uint32_t vector = 0; vector != queues; ++vector) {
            vectors.arm(vector);
            vectors.fire(vector);
            c.card.step();
            for (std::uint32_t other = 0; other <= queues; ++other)
                EXPECT_EQ(calls(vectors.fd(other)), other == vector ? 1u : 0u);
        }
        c.expect_no_faults();
    }
}

// Receives, sends on, completes: what a poller is given.
struct forwarding {
    rig<noria::build_around>& r;
    std::uint64_t all = 0;

    std::uint32_t operator()(std::uint32_t budget) noexcept {
        const std::uint32_t sent = r.tx().complete(budget);
        const std::uint32_t done =
            r.poll(budget, [this](noria::packet_ptr packet, ixgbe_test::bytes expected) noexcept {
                all += packet->size();
                r.send(std::move(packet), std::move(expected));
            });
        return done == budget || sent == budget ? budget : done;
    }
    std::uint64_t bytes() const noexcept { return all; }
};

// Remembers what it is told, and asks for another interval each time.
struct restless {
    std::vector<std::pair<std::uint32_t, std::uint64_t>>* notes;
    noria::nanoseconds now = 0;
    void note(std::uint32_t packets, std::uint64_t bytes) noexcept {
        notes->emplace_back(packets, bytes);
        now += 2048;
    }
    noria::nanoseconds interval() const noexcept { return now; }
};

// The whole path, driven by nothing but the eventfd: every frame goes out again, and there are fewer calls
// than frames.
TEST_F(ixgbe_interrupts, a_poller_that_is_called_loses_nothing) {
    forwarding work{r};
    std::vector<std::pair<std::uint32_t, std::uint64_t>> notes;
    hardware::polled_vector source(vectors, 0, work, restless{&notes});
    static_assert(noria::pollable<decltype(source)>);
    noria::poller loop;
    noria::poll_instance rx(loop, source);
    const auto let_run = [&] {
        if (called() != 0)
            rx.schedule();
        while (loop.pending())
            static_cast<void>(loop.cycle());
    };
    rx.schedule(); // gives the card its first buffers, and arms the vector
    let_run();
    std::uint64_t offered = 0;
    std::uint64_t called_before = r.card.interrupts().sent(0);
    for (std::uint64_t i = random_steps::count(2000, 200); i != 0 && !HasFailure(); --i) {
        for (std::uint32_t n = random.below(12); n != 0; --n)
            offered += r.offer(plain_frame(random, 60 + random.below(1000))) == model82599::arrival::queued;
        r.step();
        r.card.pass(random.below(20'000));
        let_run();
    }
    // Nothing calls any more: then nothing is left.
    for (int i = 0; i != 100; ++i) {
        r.step();
        r.card.pass(1'100'000);
        let_run();
    }
    EXPECT_EQ(r.delivered(), offered);
    EXPECT_EQ(r.went_out(), offered);
    EXPECT_EQ(r.tx().packets_out(), 0u);
    EXPECT_LT(r.card.interrupts().sent(0) - called_before, offered);
    std::uint64_t packets = 0, all = 0;
    for (const auto& [n, b] : notes) {
        packets += n;
        all += b;
    }
    EXPECT_GE(packets, offered);
    EXPECT_EQ(all, work.all);
    EXPECT_EQ(r.card.behind()[0x820] >> 3, std::min<std::size_t>(notes.size(), 511)) << "what was asked for";
    loop.disable(rx);
}

} // namespace
