// SPDX-License-Identifier: BSL-1.0
#include "noria/poll/instance.hpp"

#include <array>
#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "noria/poll/poller.hpp"
#include "noria/poll/wait.hpp"
#include "support/poll_source.hpp"
#include "support/random.hpp"

namespace {

using noria::poll_instance;
using noria::poll_report;

static_assert(!std::is_copy_constructible_v<poll_instance>);
static_assert(!std::is_constructible_v<poll_instance, noria::poller&, poll_source&&>);
static_assert(sizeof(poll_instance) <= noria::cache_line, "10,000 idle ones are 10,000 lines");

TEST(PollInstance, SchedulingTwiceIsOnce) {
    noria::poller poller;
    poll_source twice{.waiting = 1};
    poll_instance instance(poller, twice);
    EXPECT_TRUE(instance.idle());
    instance.schedule();
    instance.schedule();
    EXPECT_FALSE(instance.idle());
    EXPECT_TRUE(instance.called());
    EXPECT_EQ(poller.scheduled(), 1u);
    EXPECT_EQ(poller.cycle(), (poll_report{1, 1, false}));
    EXPECT_TRUE(instance.idle());
    EXPECT_FALSE(instance.called());
}

// What an instance arms may go off at once, on this very thread, before rearm returns.
TEST(PollInstance, ACallDuringPollOrRearmIsNotLost) {
    struct eager {
        poll_instance* self = nullptr;
        bool fires_in_poll = false;
        int polls = 0;
        int rearms = 0;
        std::uint32_t poll(std::uint32_t) noexcept {
            if (++polls == 1 && fires_in_poll)
                self->schedule();
            return 0;
        }
        bool rearm() noexcept {
            if (++rearms == 1 && !fires_in_poll)
                self->schedule();
            return true;
        }
    };
    for (const bool fires_in_poll : {false, true}) {
        noria::poller poller;
        eager source;
        poll_instance instance(poller, source);
        source.self = &instance;
        source.fires_in_poll = fires_in_poll;
        instance.schedule();
        EXPECT_EQ(poller.cycle().polls, 2u);
        EXPECT_EQ(source.rearms, fires_in_poll ? 1 : 2);
        EXPECT_TRUE(instance.idle());
    }
}

TEST(PollInstance, WhatIsDisabledIsNotPolledAndItsCallIsRemembered) {
    noria::poller poller;
    poll_source source{.waiting = 1};
    poll_instance instance(poller, source);
    instance.disable(); // idle: nobody to wait for
    instance.schedule();
    EXPECT_EQ(poller.cycle(), poll_report{});
    instance.enable();
    EXPECT_EQ(poller.cycle(), (poll_report{1, 1, false}));

    instance.disable();
    instance.enable();
    EXPECT_EQ(poller.cycle(), poll_report{}) << "nobody called";
}

TEST(PollInstance, DisabledInTheMiddleOfItsRunItGoesOnAfterwards) {
    struct interrupted {
        noria::poller* poller = nullptr;
        poll_instance* other = nullptr;
        std::uint32_t poll(std::uint32_t) noexcept {
            poller->disable(*other);
            return 0;
        }
        bool rearm() noexcept { return true; }
    } source;
    noria::poller poller;
    poll_source busy{.waiting = 100};
    poll_instance first(poller, busy), second(poller, source);
    source.poller = &poller;
    source.other = &first;
    first.schedule();
    second.schedule();
    EXPECT_EQ(poller.cycle(), (poll_report{64, 2, false})) << "the rest is not served";
    EXPECT_EQ(poller.scheduled(), 0u);
    EXPECT_EQ(busy.rearms, 0u);
    first.enable();
    EXPECT_EQ(poller.cycle(), (poll_report{36, 1, false}));
}

// Whoever disables it waits, and meanwhile it gets to the end of its turn: here, on one thread.
TEST(PollInstance, DisabledInItsTurnItIsNotIdleBeforeTheEnd) {
    for (const bool more : {false, true}) {
        struct driven {
            poll_instance& instance;
            bool more;
            int waits = 0;
            void wait() noexcept {
                EXPECT_FALSE(instance.idle());
                EXPECT_EQ(++waits, 1);
                EXPECT_EQ(instance.finish(more), noria::poll_fate::parked);
            }
        };
        noria::poller poller;
        poll_source source;
        poll_instance instance(poller, source);
        ASSERT_TRUE(instance.try_take());
        ASSERT_TRUE(instance.begin());
        instance.disable(driven{instance, more});
        EXPECT_TRUE(instance.idle());
        instance.enable();
        EXPECT_EQ(poller.pending(), more) << "it wants to go on only if it had more";
        poller.disable(instance);
    }
}

// Another thread disables it in the middle of its turn.
TEST(PollInstance, DisableWaitsForTheTurnToEnd) {
    struct slow {
        std::optional<std::thread> disabling;
        poll_instance* self = nullptr;
        std::atomic<bool> inside{false}, seen_inside{false};
        std::uint32_t waiting;
        std::uint32_t poll(std::uint32_t) noexcept {
            inside = true;
            if (!disabling)
                disabling.emplace([this] {
                    self->disable();
                    seen_inside = inside.load();
                });
            for (int i = 0; i != 20; ++i)
                std::this_thread::yield();
            inside = false;
            return waiting;
        }
        bool rearm() noexcept { return true; }
    };
    for (const std::uint32_t waiting : {0u, 64u}) {
        noria::poller poller;
        slow source;
        source.waiting = waiting;
        poll_instance instance(poller, source);
        source.self = &instance;
        instance.schedule();
        while (!(source.disabling && !poller.pending() && instance.idle()))
            (void)poller.cycle();
        source.disabling->join();
        EXPECT_FALSE(source.seen_inside);
        EXPECT_EQ(poller.cycle(), poll_report{});
        instance.enable();
        EXPECT_EQ(poller.pending(), waiting != 0) << "it wants to go on, if it had more";
        poller.disable(instance);
    }
}

TEST(PollInstance, MovesWithItsCalls) {
    noria::poller first, second;
    poll_source source{.waiting = 100};
    poll_instance instance(first, source);
    instance.schedule();
    instance.move_to(second);
    EXPECT_EQ(first.cycle(), poll_report{}) << "it was passed on";
    EXPECT_EQ(second.cycle(), (poll_report{100, 2, false}));
    instance.schedule();
    EXPECT_FALSE(first.pending());
    EXPECT_EQ(second.cycle().polls, 1u);
}

TEST(PollInstance, ABusyOneMovesBetweenItsTurns) {
    struct restless {
        poll_instance* self = nullptr;
        noria::poller* to = nullptr;
        int polls = 0;
        std::uint32_t poll(std::uint32_t budget) noexcept {
            if (++polls == 2)
                self->move_to(*to);
            return polls < 4 ? budget : 0;
        }
        bool rearm() noexcept { return true; }
    } source;
    noria::poller first, second;
    poll_instance instance(first, source);
    source.self = &instance;
    source.to = &second;
    instance.schedule();
    EXPECT_EQ(first.cycle().polls, 2u);
    EXPECT_EQ(second.cycle().polls, 2u);
    EXPECT_EQ(source.polls, 4);
}

#if NORIA_CONTRACT == 2
TEST(PollInstanceDeathTest, HoldsToTheContract) {
    noria::poller poller;
    poll_source source;
    poll_instance instance(poller, source);
    EXPECT_DEATH(instance.enable(), "only what was disabled");
    instance.disable();
    EXPECT_DEATH(instance.disable(), "disabled already");
    EXPECT_DEATH(
        {
            poll_instance gone(poller, source);
            gone.schedule();
        },
        "disable\\(\\) it before it goes");
}
#endif

// ---- many threads ----

// Counts on its own that one thread at a time is inside, and what was asked of it.
struct guarded_source {
    std::atomic<std::uint64_t> wanted{0};
    std::uint64_t served = 0; // not atomic: TSan sees who is inside together
    std::atomic<int> inside{0};
    std::atomic<bool> forbidden{false}, violated{false};

    std::uint32_t poll(std::uint32_t budget) noexcept {
        if (inside.fetch_add(1) != 0 || forbidden)
            violated = true;
        const std::uint64_t left = wanted.load(std::memory_order_relaxed) - served;
        const auto done = static_cast<std::uint32_t>(std::min<std::uint64_t>(left, budget));
        served += done;
        if (inside.fetch_sub(1) != 1 || forbidden)
            violated = true;
        return done;
    }
    bool rearm() noexcept { return true; } // every call is the instance's to keep
};

struct stop_source {
    bool over = false;
    std::uint32_t poll(std::uint32_t) noexcept {
        over = true;
        return 0;
    }
    bool rearm() noexcept { return true; }
};

// Two pollers asleep between events, two threads that call, one that moves instances there and back, and one
// that disables, changes and enables them. In the end everything that was wanted has been served.
TEST(PollInstance, NoCallIsLostWhateverThreadsDo) {
    const std::uint64_t steps = random_steps::count(4'000, 200);
    constexpr std::size_t instances = 3;
    struct driver {
        noria::poller poller{{.packets = 4, .weight = 2}};
        noria::poll_sleep sleep;
        stop_source stop;
        poll_instance last{poller, stop};
        void run() {
            while (!stop.over) {
                (void)poller.cycle();
                if (!stop.over)
                    wait_for_work(poller, sleep);
            }
        }
    };
    std::array<driver, 2> drivers;
    std::array<guarded_source, instances> sources;
    std::array<poll_instance, instances> rx{poll_instance(drivers[0].poller, sources[0]),
                                            poll_instance(drivers[1].poller, sources[1]),
                                            poll_instance(drivers[0].poller, sources[2])};
    std::thread first([&] { drivers[0].run(); });
    std::thread second([&] { drivers[1].run(); });

    std::vector<std::thread> others;
    for (int caller = 0; caller != 2; ++caller)
        others.emplace_back([&] {
            for (std::uint64_t i = 0; i != steps; ++i) {
                sources[i % instances].wanted.fetch_add(1, std::memory_order_relaxed);
                rx[i % instances].schedule();
                if (i % 16 == 0)
                    std::this_thread::yield();
            }
        });
    others.emplace_back([&] {
        for (std::uint64_t i = 0; i != steps / 4; ++i) {
            rx[i % instances].move_to(drivers[i / instances % 2].poller);
            std::this_thread::yield();
        }
    });
    others.emplace_back([&] {
        for (std::uint64_t i = 0; i != steps / 16; ++i) {
            guarded_source& source = sources[i % instances];
            rx[i % instances].disable();
            source.forbidden = true;
            ++source.served; // ours now
            source.wanted.fetch_add(1, std::memory_order_relaxed);
            std::this_thread::yield();
            source.forbidden = false;
            rx[i % instances].enable();
        }
    });
    for (std::thread& each : others)
        each.join();
    for (poll_instance& each : rx)
        each.synchronise();
    for (std::size_t i = 0; i != instances; ++i) {
        EXPECT_EQ(sources[i].served, sources[i].wanted.load());
        EXPECT_FALSE(sources[i].violated);
    }
    for (driver& each : drivers)
        each.last.schedule();
    first.join();
    second.join();
}

} // namespace
