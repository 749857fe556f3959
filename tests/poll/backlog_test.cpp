// SPDX-License-Identifier: BSL-1.0
#include "noria/poll/backlog.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "noria/poll/poller.hpp"
#include "noria/poll/wait.hpp"
#include "support/random.hpp"

namespace {

using verdict = noria::backlog_push::verdict;
using item = std::unique_ptr<std::uint64_t>; // move-only, and missed by the sanitizer if it is lost

struct collect {
    std::vector<std::uint64_t>* to;
    void operator()(item&& arrived) noexcept { to->push_back(*arrived); }
};

struct called {
    void schedule() noexcept { ++times; }
    int times = 0;
};

static_assert(noria::pollable<noria::backlog<item, collect>>);

template <noria::backlog_options Options>
struct one_backlog {
    std::vector<std::uint64_t> delivered;
    noria::backlog<item, collect, Options> to;
    called cpu;
    explicit one_backlog(std::uint32_t start = 0) : to(collect{&delivered}, start) { to.schedules(cpu); }
};

TEST(Backlog, AcceptsOneMoreThanMaxBacklogAndAsManyAgainWhenTheyAreTakenOver) {
    const auto made = std::make_unique<one_backlog<noria::backlog_options{}>>();
    auto& to = made->to;
    auto sender = to.from_another_cpu();
    for (std::uint32_t i = 0; i != 1001; ++i)
        ASSERT_TRUE(sender.push(std::make_unique<std::uint64_t>(i)));
    item refused = std::make_unique<std::uint64_t>(7);
    EXPECT_EQ(sender.push(std::move(refused)).what, verdict::full);
    ASSERT_NE(refused, nullptr) << "a refused packet is as it was";
    EXPECT_EQ(to.input_length(), 1001u);
    EXPECT_EQ(to.poll(1), 1u); // takes all over
    EXPECT_EQ(to.input_length(), 0u);
    EXPECT_EQ(to.process_length(), 1000u);
    for (std::uint32_t i = 0; i != 1001; ++i)
        ASSERT_TRUE(sender.push(std::make_unique<std::uint64_t>(i)));
    EXPECT_FALSE(sender.push(std::move(refused)));
    EXPECT_EQ(to.dropped(), 2u);

    using column = noria::softnet_column;
    const noria::softnet_row row = to.row(3, 5, 6);
    EXPECT_EQ(row.of(column::processed), 1u);
    EXPECT_EQ(row.of(column::dropped), 2u);
    EXPECT_EQ(row.of(column::time_squeeze), 5u);
    EXPECT_EQ(row.of(column::flow_limit), 6u);
    EXPECT_EQ(row.of(column::backlog), 2001u);
    EXPECT_EQ(row.of(column::cpu), 3u);
    EXPECT_EQ(row.of(column::input), 1001u);
    EXPECT_EQ(row.of(column::process), 1000u);
}

TEST(Backlog, TheFirstPacketIntoAnEmptyOneCallsOnceAndAtTheEndOfThePoll) {
    one_backlog<noria::backlog_options{.max_backlog = 10}> made;
    auto& to = made.to;
    auto remote = to.from_another_cpu();
    auto local = to.from_own_cpu();
    remote.wake();
    EXPECT_EQ(made.cpu.times, 0) << "nothing was pushed";
    EXPECT_TRUE(remote.push(std::make_unique<std::uint64_t>(1)));
    EXPECT_TRUE(remote.push(std::make_unique<std::uint64_t>(2)));
    EXPECT_EQ(made.cpu.times, 0);
    remote.wake();
    remote.wake();
    EXPECT_EQ(made.cpu.times, 1);
    EXPECT_TRUE(local.push(std::make_unique<std::uint64_t>(3)));
    local.wake();
    EXPECT_EQ(made.cpu.times, 1) << "it knows that it has work";
    EXPECT_EQ(to.received_rps(), 1u);

    EXPECT_EQ(to.poll(2), 2u);
    EXPECT_FALSE(to.rearm()) << "one is left";
    EXPECT_EQ(to.poll(64), 1u);
    EXPECT_TRUE(remote.push(std::make_unique<std::uint64_t>(4)));
    EXPECT_FALSE(to.rearm()) << "one slipped in";
    EXPECT_EQ(to.poll(64), 1u);
    EXPECT_TRUE(to.rearm());
    remote.wake(); // for what was taken meanwhile: a call for nothing is harmless
    EXPECT_EQ(made.cpu.times, 2);
    EXPECT_EQ(to.poll(64), 0u);
    EXPECT_TRUE(to.rearm());
    EXPECT_TRUE(local.push(std::make_unique<std::uint64_t>(5)));
    local.wake();
    EXPECT_EQ(made.cpu.times, 3);
    EXPECT_EQ(to.received_rps(), 2u) << "one's own call is none of another cpu's";
}

TEST(Backlog, TheFlowLimitSparesTheSmallFlows) {
    one_backlog<noria::backlog_options{.max_backlog = 400}> made;
    noria::flow_limiter limit;
    auto sender = made.to.from_another_cpu(&limit);
    std::array<int, 2> accepted{};
    for (std::uint32_t i = 0; i != 800; ++i) {
        const bool small = i % 8 == 0;
        const auto pushed = sender.push(std::make_unique<std::uint64_t>(i), small ? 5 : 9);
        accepted[small] += pushed ? 1 : 0;
        if (i < 200) {
            ASSERT_TRUE(pushed) << "below half of max_backlog nobody is limited";
        } else if (small) {
            ASSERT_NE(pushed.what, verdict::over_limit);
        }
    }
    EXPECT_EQ(accepted[1], 100);
    EXPECT_EQ(made.to.dropped(), limit.count()) << "it never got full";
    EXPECT_EQ(limit.count(), 700u - static_cast<unsigned>(accepted[0]));
    EXPECT_GT(limit.count(), 300u);
}

// Any order of pushes, polls and rearms, against a model of two; numbers wrap.
TEST(Backlog, BehavesAsTwoQueues) {
    random_steps random;
    constexpr std::uint32_t start = 0u - 50;
    one_backlog<noria::backlog_options{.max_backlog = 6}> made(start);
    auto& to = made.to;
    std::array senders{to.from_another_cpu(), to.from_own_cpu()};
    std::deque<std::uint64_t> input, process;
    std::uint32_t tail = start;
    std::uint64_t next = 0, dropped = 0;
    bool armed = true;
    for (std::uint64_t step = random_steps::count(20'000, 1000); step != 0; --step) {
        switch (random.below(4)) {
        case 0:
        case 1: {
            const auto pushed = random.pick(senders).push(std::make_unique<std::uint64_t>(next));
            ASSERT_EQ(static_cast<bool>(pushed), input.size() <= 6);
            if (pushed) {
                input.push_back(next);
                ASSERT_EQ(pushed.tail, ++tail);
            } else {
                ++dropped;
            }
            ++next;
            break;
        }
        case 2: {
            const std::uint32_t weight = random.below(12);
            std::vector<std::uint64_t> expected;
            while (expected.size() != weight) {
                if (process.empty())
                    process.swap(input);
                if (process.empty())
                    break;
                expected.push_back(process.front());
                process.pop_front();
            }
            made.delivered.clear();
            ASSERT_EQ(to.poll(weight), expected.size());
            ASSERT_EQ(made.delivered, expected);
            break;
        }
        default:
            for (auto& each : senders)
                each.wake();
            if (made.cpu.times != 0) {
                ASSERT_TRUE(armed);
                made.cpu.times = 0;
                armed = false;
            }
            if (!armed) {
                armed = to.rearm();
                ASSERT_EQ(armed, input.empty() && process.empty());
            }
            break;
        }
        ASSERT_EQ(to.input_length(), input.size());
        ASSERT_EQ(to.process_length(), process.size());
        ASSERT_EQ(to.dequeued(), tail - static_cast<std::uint32_t>(input.size() + process.size()));
        ASSERT_EQ(to.dropped(), dropped);
    }
    EXPECT_GT(dropped, 0u);
}

// Threads push to a poller that sleeps: nothing is lost, each sender's packets come in order, and when
// dequeued() has passed a packet's tail, what its delivery wrote can be read.
TEST(Backlog, SeveralThreadsPushAndOnePollsAndSleeps) {
    constexpr std::uint64_t senders = 3;
    const std::uint64_t each = random_steps::count(30'000, 300);
    struct state {
        std::array<std::uint64_t, senders> seen{};
        std::uint64_t total = 0;
        bool in_order = true;
    } all;
    struct deliver {
        state* to;
        void operator()(std::uint64_t&& packet) noexcept {
            std::uint64_t& seen = to->seen[packet >> 32];
            to->in_order = to->in_order && (packet & 0xffff'ffff) == seen;
            ++seen;
            ++to->total;
        }
    };
    const auto to =
        std::make_unique<noria::backlog<std::uint64_t, deliver, noria::backlog_options{.max_backlog = 50}>>(
            deliver{&all}, 0u - 1000);
    noria::poller loop;
    noria::poll_instance instance(loop, *to);
    to->schedules(instance);
    std::vector<std::thread> threads;
    for (std::uint64_t from = 0; from != senders; ++from)
        threads.emplace_back([&, from] {
            auto sender = to->from_another_cpu();
            for (std::uint64_t i = 0; i != each;) {
                const auto pushed = sender.push(from << 32 | i);
                if (pushed)
                    ++i;
                if (!pushed || i % 7 == 0 || i == each) {
                    sender.wake();
                    std::this_thread::yield();
                }
                if (pushed && i == each) { // the last: read what its delivery wrote, which is the owner's
                    while (static_cast<std::int32_t>(to->dequeued() - pushed.tail) < 0)
                        std::this_thread::yield();
                    EXPECT_EQ(all.seen[from], each);
                }
            }
        });
    noria::poll_sleep sleep;
    while (all.total != senders * each) {
        static_cast<void>(loop.cycle());
        if (all.total != senders * each)
            sleep.wait(loop);
    }
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_TRUE(all.in_order);
    EXPECT_EQ(to->processed(), senders * each);
    EXPECT_GT(to->received_rps(), 0u);
    instance.disable();
}

} // namespace
