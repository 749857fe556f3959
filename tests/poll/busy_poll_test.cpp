// SPDX-License-Identifier: BSL-1.0
#include "noria/poll/busy_poll.hpp"

#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "noria/poll/poller.hpp"
#include "support/poll_source.hpp"

namespace {

using noria::busy_poll;
using noria::poll_instance;
using noria::poll_report;

TEST(BusyPoll, FindsAtOnceWhatIsThere) {
    noria::manual_clock clock;
    noria::poller poller;
    poll_source source{.waiting = 3};
    poll_instance instance(poller, source);
    EXPECT_EQ(busy_poll(instance, 100, clock), 3u);
    EXPECT_EQ(source.polls, 1u);
    EXPECT_EQ(source.rearms, 1u);
    EXPECT_TRUE(instance.idle());
    EXPECT_EQ(poller.cycle(), poll_report{}) << "the poller heard nothing of it";
}

TEST(BusyPoll, LooksUntilTheDeadlineAndRearmsOnce) {
    noria::manual_clock clock;
    noria::poller poller;
    poll_source source{.clock = &clock, .time_per_poll = 10};
    poll_instance instance(poller, source);
    EXPECT_EQ(busy_poll(instance, 100, clock), 0u);
    EXPECT_EQ(source.polls, 10u);
    EXPECT_EQ(source.rearms, 1u);
    EXPECT_TRUE(instance.idle());
    EXPECT_EQ(busy_poll(instance, 100, clock), 0u);
    EXPECT_EQ(source.polls, 11u) << "late, it looks once";
}

TEST(BusyPoll, GivesTheRestToThePoller) {
    noria::manual_clock clock;
    noria::poller poller;
    poll_source source{.waiting = 20};
    poll_instance instance(poller, source);
    EXPECT_EQ(busy_poll(instance, 100, clock), 8u);
    EXPECT_EQ(source.rearms, 0u);
    EXPECT_EQ(poller.cycle(), (poll_report{12, 1, false}));

    source.waiting = 1;
    source.slips_in = 1;
    EXPECT_EQ(busy_poll(instance, 100, clock), 1u);
    EXPECT_EQ(poller.cycle(), (poll_report{1, 1, false})) << "what slipped in as well";
}

TEST(BusyPoll, LeavesAloneWhatAPollerHasOrNobodyMayHave) {
    struct ticking {
        noria::nanoseconds time = 0;
        noria::nanoseconds now() noexcept { return time++; }
    } clock;
    noria::poller poller;
    poll_source source{.waiting = 1};
    poll_instance instance(poller, source);
    instance.schedule();
    EXPECT_EQ(busy_poll(instance, 5, clock), 0u);
    const noria::manual_clock stopped;
    EXPECT_EQ(busy_poll(instance, stopped.now(), stopped), 0u)
        << "the deadline is over when the clock shows it";
    poller.disable(instance);
    EXPECT_EQ(busy_poll(instance, 10, clock), 0u);
    EXPECT_EQ(source.polls, 0u);
    instance.enable();
    EXPECT_EQ(poller.cycle().work_done, 1u);
}

// It was armed when it was taken, and its interrupt comes in the middle.
TEST(BusyPoll, AnInterruptMeanwhileIsNotLost) {
    struct interrupting {
        poll_instance* self = nullptr;
        std::uint32_t polls = 0, rearms = 0;
        std::uint32_t poll(std::uint32_t) noexcept {
            self->schedule();
            return ++polls;
        }
        bool rearm() noexcept {
            ++rearms;
            return true;
        }
    } source;
    const noria::manual_clock stopped;
    noria::poller poller;
    poll_instance instance(poller, source);
    source.self = &instance;
    EXPECT_EQ(busy_poll(instance, 1, stopped), 1u);
    EXPECT_EQ(source.rearms, 0u);
    EXPECT_TRUE(poller.pending()) << "the poller looks what it was about";
    poller.disable(instance);
}

// Disabled by another thread in the middle of it: ends long before the deadline.
TEST(BusyPoll, EndsWhenItIsDisabled) {
    struct called_off {
        poll_instance* self = nullptr;
        std::optional<std::thread> disabling;
        std::uint32_t poll(std::uint32_t) noexcept {
            if (!disabling)
                disabling.emplace([this] { self->disable(); });
            std::this_thread::yield();
            return 0;
        }
        bool rearm() noexcept { return true; }
    } source;
    const noria::manual_clock stopped;
    noria::poller poller;
    poll_instance instance(poller, source);
    source.self = &instance;
    EXPECT_EQ(busy_poll(instance, 1, stopped), 0u);
    source.disabling->join();
    instance.enable();
    EXPECT_TRUE(poller.pending()) << "it looks again, for what it might have missed";
    poller.disable(instance);
}

} // namespace
