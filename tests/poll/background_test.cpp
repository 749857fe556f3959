// SPDX-License-Identifier: BSL-1.0
#include "noria/poll/background.hpp"

#include <atomic>
#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "noria/poll/wait.hpp"
#include "support/poll_source.hpp"
#include "support/random.hpp"

namespace {

using noria::poll_instance;
using noria::poll_report;

using timed_poller = noria::basic_poller<noria::manual_clock&>;
using timed_background = noria::basic_poll_background<timed_poller>;

// Both sides played by one thread.
struct PollBackground : testing::Test {
    noria::manual_clock clock;
    timed_poller poller{{.packets = 10, .weight = 10}, clock};
    poll_source source;
    poll_instance rx{poller, source};
    timed_background shared{poller, 3};
    timed_background::side here = shared.foreground(), there = shared.background();
};

TEST_F(PollBackground, TakesOverAfterSoManySqueezesInARow) {
    source.waiting = 35;
    rx.schedule();
    EXPECT_TRUE(here.pending());
    EXPECT_FALSE(there.pending());
    EXPECT_EQ(there.cycle(), poll_report{}) << "not its to drive";
    EXPECT_EQ(here.cycle().work_done, 10u);
    EXPECT_EQ(here.cycle().work_done, 10u);
    EXPECT_EQ(shared.hand_offs(), 0u);
    EXPECT_EQ(here.cycle().work_done, 10u);
    EXPECT_EQ(shared.hand_offs(), 1u);
    EXPECT_FALSE(here.drives());
    EXPECT_FALSE(here.pending());
    EXPECT_TRUE(there.pending());
    EXPECT_EQ(here.cycle(), poll_report{});
    EXPECT_EQ(there.cycle(), (poll_report{5, 1, false}));
    EXPECT_TRUE(here.drives()) << "it has caught up";
    EXPECT_EQ(there.cycle(), poll_report{});
}

TEST_F(PollBackground, ACycleThatEndsByItselfBeginsTheRowAnew) {
    for (int i = 0; i != 5; ++i) {
        source.waiting = 25;
        rx.schedule();
        EXPECT_TRUE(here.cycle().squeezed);
        EXPECT_TRUE(here.cycle().squeezed);
        EXPECT_FALSE(here.cycle().squeezed);
    }
    EXPECT_EQ(shared.hand_offs(), 0u);
}

TEST_F(PollBackground, TakesOverAgainAfterAsManyMore) {
    for (std::uint64_t times = 0; times != 3; ++times) {
        source.waiting = 31;
        rx.schedule();
        for (int i = 0; i != 3; ++i) {
            EXPECT_EQ(shared.hand_offs(), times);
            EXPECT_TRUE(here.cycle().squeezed);
        }
        EXPECT_EQ(shared.hand_offs(), times + 1);
        EXPECT_EQ(there.cycle().work_done, 1u);
    }
}

// What was too much has been taken away in the meantime: the poller still has to be given back.
TEST_F(PollBackground, GivesBackWhatHasNothingToDo) {
    const noria::poll_waker nobody{[](void*) noexcept { ADD_FAILURE(); }, nullptr};
    source.waiting = 31;
    rx.schedule();
    for (int i = 0; i != 3; ++i)
        (void)here.cycle();
    poller.disable(rx);
    EXPECT_TRUE(there.pending());
    EXPECT_FALSE(there.arm(nobody));
    EXPECT_EQ(there.cycle(), poll_report{});
    EXPECT_TRUE(here.drives());
}

TEST_F(PollBackground, TheOneWhoGetsItIsWoken) {
    int here_woken = 0, there_woken = 0;
    const auto count = [](void* woken) noexcept { ++*static_cast<int*>(woken); };
    const noria::poll_waker wake_here{count, &here_woken}, wake_there{count, &there_woken};
    EXPECT_FALSE(there.disarm()) << "nothing is armed";
    EXPECT_TRUE(there.arm(wake_there));
    EXPECT_FALSE(here.disarm()) << "not its own";
    EXPECT_TRUE(there.disarm());
    EXPECT_TRUE(there.arm(wake_there));
    source.waiting = 31;
    rx.schedule();
    for (int i = 0; i != 3; ++i)
        (void)here.cycle();
    EXPECT_EQ(there_woken, 1);
    EXPECT_FALSE(there.disarm());
    EXPECT_FALSE(there.arm(wake_there)) << "it has the poller, and that is something to do";
    EXPECT_TRUE(here.arm(wake_here));
    rx.schedule();
    EXPECT_EQ(here_woken, 0) << "a call is the background's now";
    (void)there.cycle();
    EXPECT_EQ(here_woken, 1);
    EXPECT_FALSE(here.disarm());

    EXPECT_TRUE(here.arm(wake_here)) << "and now it is the poller's sleeper";
    rx.schedule();
    EXPECT_EQ(here_woken, 2);
    EXPECT_FALSE(here.arm(wake_here));
    (void)here.cycle();
}

TEST_F(PollBackground, TheForegroundIsFreeWhileTheBackgroundDrives) {
    source.waiting = 1'000;
    rx.schedule();
    std::uint32_t foreground_work = 0;
    for (int i = 0; i != 90; ++i) {
        foreground_work += here.cycle().work_done;
        (void)there.cycle();
    }
    EXPECT_EQ(foreground_work, 30u);
    EXPECT_TRUE(there.drives()) << "1,000 packets take 100 cycles";
    while (there.drives())
        (void)there.cycle();
    EXPECT_EQ(source.waiting, 0u);
}

#if NORIA_CONTRACT == 2
TEST(PollBackgroundDeathTest, HasSomePatience) {
    noria::poller poller;
    EXPECT_DEATH(noria::poll_background(poller, 0), "patience of no cycle");
}
#endif

// Two threads asleep and awake in turn: what is served is not atomic, so TSan sees who is inside together.
TEST(PollBackgroundThreads, NothingIsLostBetweenThem) {
    struct asked_source {
        std::atomic<std::uint64_t> asked{0};
        std::uint64_t served = 0;
        std::uint32_t poll(std::uint32_t budget) noexcept {
            const auto left = asked.load(std::memory_order_relaxed) - served;
            const auto done = static_cast<std::uint32_t>(left < budget ? left : budget);
            served += done;
            return done;
        }
        bool rearm() noexcept { return true; }
    } source;
    struct last_source {
        std::atomic<bool> over{false};
        std::uint32_t poll(std::uint32_t) noexcept {
            over = true;
            return 0;
        }
        bool rearm() noexcept { return true; }
    } last;
    noria::poller poller({.packets = 4, .weight = 2, .time = 3'600'000'000'000});
    poll_instance rx(poller, source), stop(poller, last);
    noria::poll_background shared(poller, 2);
    noria::poll_sleep sleeps[2];
    const auto drive = [&](noria::poll_background::side side, noria::poll_sleep& sleep) {
        while (!last.over) {
            (void)side.cycle();
            if (!last.over)
                wait_for_work(side, sleep);
        }
    };
    std::thread foreground(drive, shared.foreground(), std::ref(sleeps[0]));
    // This one does not sleep: it would for ever, if the last call is the foreground's.
    std::thread background([&] {
        auto side = shared.background();
        while (!last.over) {
            (void)side.cycle();
            std::this_thread::yield();
        }
    });
    const std::uint64_t bursts = random_steps::count(2'000, 100);
    for (std::uint64_t i = 0; i != bursts; ++i) {
        source.asked.fetch_add(i % 40, std::memory_order_relaxed);
        rx.schedule();
        if (i % 8 == 0)
            std::this_thread::yield();
    }
    rx.synchronise();
    EXPECT_EQ(source.served, source.asked.load());
    stop.schedule();
    background.join();
    foreground.join();
}

} // namespace
