// SPDX-License-Identifier: BSL-1.0
#include "noria/poll/poller.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

namespace {

using noria::poll_budget;
using noria::poll_ref;
using noria::poll_report;

// What the concept asks for and nothing more: it cannot be copied, compared or made out of nothing.
class archetype {
  public:
    static archetype make() { return archetype(0); }
    archetype(const archetype&) = delete;
    archetype& operator=(const archetype&) = delete;
    void operator&() const = delete; // an address is taken with std::addressof or not at all
    std::uint32_t poll(std::uint32_t) noexcept { return 0; }
    bool rearm() noexcept { return true; }

  private:
    explicit archetype(int) {}
};

struct throwing {
    std::uint32_t poll(std::uint32_t) { return 0; }
    bool rearm() noexcept { return true; }
};
struct without_rearm {
    std::uint32_t poll(std::uint32_t) noexcept { return 0; }
};
struct signed_count {
    int poll(std::uint32_t) noexcept { return 0; }
    bool rearm() noexcept { return true; }
};

static_assert(noria::pollable<archetype>);
static_assert(!noria::pollable<throwing>);
static_assert(!noria::pollable<without_rearm>);
static_assert(!noria::pollable<signed_count>);
static_assert(!std::is_constructible_v<poll_ref, archetype&&>, "a reference to a temporary would dangle");
static_assert(!std::is_constructible_v<poll_ref, const archetype&>);
static_assert(!std::is_constructible_v<poll_ref, int&>);
static_assert(std::is_trivially_copyable_v<poll_ref> && sizeof(poll_ref) == 3 * sizeof(void*));
static_assert(!std::is_copy_constructible_v<noria::poller>);

template <std::size_t Capacity = 64>
using timed_poller = noria::basic_poller<{.capacity = Capacity}, noria::manual_clock&>;

// A queue of packets and what happened to it.
struct source {
    std::uint32_t waiting = 0;
    std::uint32_t slips_in = 0; // arrives between an empty poll and the next rearm
    noria::manual_clock* clock = nullptr;
    noria::nanoseconds time_per_poll = 0;
    std::uint32_t polls = 0;
    std::uint32_t rearms = 0;

    std::uint32_t poll(std::uint32_t budget) noexcept {
        ++polls;
        if (clock != nullptr)
            clock->advance(time_per_poll);
        const std::uint32_t done = std::min(budget, waiting);
        waiting -= done;
        return done;
    }
    bool rearm() noexcept {
        ++rearms;
        waiting += slips_in;
        return std::exchange(slips_in, 0) == 0;
    }
};

TEST(Poller, TakesAnArchetype) {
    archetype quiet = archetype::make();
    noria::poller poller;
    EXPECT_TRUE(poller.schedule(quiet));
    EXPECT_EQ(poller.cycle(), (poll_report{0, 1, false}));
    EXPECT_EQ(poller.scheduled(), 0u);
    EXPECT_FALSE(poller.cancel(quiet));
}

TEST(Poller, AnEmptyCycleDoesNothing) {
    noria::poller poller;
    EXPECT_EQ(poller.cycle(), poll_report{});
}

TEST(Poller, LessThanTheWeightIsDoneAndRearmed) {
    noria::manual_clock clock;
    timed_poller<> poller({}, clock);
    source small{.waiting = 63};
    ASSERT_TRUE(poller.schedule(small));
    EXPECT_EQ(poller.cycle(), (poll_report{63, 1, false}));
    EXPECT_EQ(small.rearms, 1u);
    EXPECT_EQ(poller.scheduled(), 0u);
}

TEST(Poller, TheWholeWeightGoesToTheTailAndIsNotRearmed) {
    noria::manual_clock clock;
    timed_poller<> poller({}, clock);
    source exact{.waiting = 64};
    ASSERT_TRUE(poller.schedule(exact));
    EXPECT_EQ(poller.cycle(), (poll_report{64, 2, false})) << "only the second turn finds it empty";
    EXPECT_EQ(exact.rearms, 1u);
}

TEST(Poller, ABusyInstanceIsCutOffByTheBudgetAndKeptScheduled) {
    noria::manual_clock clock;
    timed_poller<> poller({}, clock);
    source busy{.waiting = 1'000'000};
    ASSERT_TRUE(poller.schedule(busy));
    EXPECT_EQ(poller.cycle(), (poll_report{320, 5, true})) << "300 is looked at after whole weights";
    EXPECT_EQ(busy.rearms, 0u);
    EXPECT_EQ(poller.scheduled(), 1u);
    EXPECT_EQ(poller.time_squeeze(), 1u);
}

TEST(Poller, ABusyInstanceDoesNotStarveAQuietOne) {
    noria::manual_clock clock;
    timed_poller<> poller({}, clock);
    source busy{.waiting = 1'000'000};
    source quiet{.waiting = 1};
    ASSERT_TRUE(poller.schedule(busy));
    ASSERT_TRUE(poller.schedule(quiet));
    EXPECT_EQ(poller.cycle(), (poll_report{64 + 1 + 4 * 64, 6, true}));
    EXPECT_EQ(quiet.rearms, 1u);
}

TEST(Poller, TimeIsLookedAtAfterATurnAndCountsOnceACycle) {
    noria::manual_clock clock;
    timed_poller<> poller({}, clock);
    source slow{.waiting = 1'000, .clock = &clock, .time_per_poll = 1'000'000};
    source slower{.waiting = 1'000, .clock = &clock, .time_per_poll = 5'000'000};
    ASSERT_TRUE(poller.schedule(slow));
    ASSERT_TRUE(poller.schedule(slower));
    EXPECT_EQ(poller.cycle(), (poll_report{128, 2, true})) << "6 ms: late, but each turn is whole";
    EXPECT_EQ(poller.time_squeeze(), 1u);
    EXPECT_EQ(poller.cycle().polls, 2u);
    EXPECT_EQ(poller.time_squeeze(), 2u);
    EXPECT_EQ(poller.work_done(), 256u);
    EXPECT_EQ(poller.polls(), 4u);
}

TEST(Poller, WorkThatSlipsInBeforeRearmingIsSeen) {
    noria::manual_clock clock;
    timed_poller<> poller({}, clock);
    source racy{.waiting = 3, .slips_in = 2};
    ASSERT_TRUE(poller.schedule(racy));
    EXPECT_EQ(poller.cycle(), (poll_report{5, 2, false}));
    EXPECT_EQ(racy.rearms, 2u);
}

// It never has work and never gets to sleep; on a clock that stands still only the count of turns can end
// this.
TEST(Poller, AnInstanceThatNeverSleepsCannotHoldTheThread) {
    struct restless {
        std::uint32_t poll(std::uint32_t) noexcept { return 0; }
        bool rearm() noexcept { return false; }
    } instance;
    noria::manual_clock clock;
    timed_poller<> poller({}, clock);
    ASSERT_TRUE(poller.schedule(instance));
    EXPECT_EQ(poller.cycle(), (poll_report{0, 300, true}));
}

TEST(Poller, SchedulingTwiceIsOnce) {
    source twice{.waiting = 1};
    noria::poller poller;
    ASSERT_TRUE(poller.schedule(twice));
    ASSERT_TRUE(poller.schedule(twice));
    EXPECT_EQ(poller.scheduled(), 1u);
    EXPECT_EQ(poller.cycle().polls, 1u);
}

TEST(Poller, AFullListSaysSoAndStillTurns) {
    noria::manual_clock clock;
    timed_poller<2> poller({.packets = 6, .weight = 1}, clock);
    source first{.waiting = 100};
    source second{.waiting = 100};
    source third;
    ASSERT_TRUE(poller.schedule(first));
    ASSERT_TRUE(poller.schedule(second));
    EXPECT_FALSE(poller.schedule(third));
    EXPECT_TRUE(poller.schedule(second)) << "it is there already";
    EXPECT_EQ(poller.cycle(), (poll_report{6, 6, true}));
    EXPECT_EQ(first.polls, 3u);
    EXPECT_EQ(second.polls, 3u);
    EXPECT_TRUE(poller.cancel(first));
    EXPECT_TRUE(poller.schedule(third));
}

// What an instance arms may go off at once, on this very thread, before rearm returns.
TEST(Poller, ACallDuringRearmIsNotLost) {
    struct eager {
        noria::poller* poller;
        bool fires_in_poll;
        int polls = 0;
        int rearms = 0;
        std::uint32_t poll(std::uint32_t) noexcept {
            if (++polls == 1 && fires_in_poll) {
                EXPECT_TRUE(poller->schedule(*this));
            }
            return 0;
        }
        bool rearm() noexcept {
            if (++rearms == 1 && !fires_in_poll) {
                EXPECT_TRUE(poller->schedule(*this));
            }
            return true;
        }
    };
    for (const bool fires_in_poll : {false, true}) {
        noria::poller poller;
        eager instance{&poller, fires_in_poll};
        ASSERT_TRUE(poller.schedule(instance));
        EXPECT_EQ(poller.cycle().polls, 2u);
        EXPECT_EQ(instance.rearms, fires_in_poll ? 1 : 2);
        EXPECT_EQ(poller.scheduled(), 0u);
    }
}

#if NORIA_CONTRACT == 2
TEST(PollerDeathTest, HoldsPollsToTheContract) {
    struct greedy {
        std::uint32_t poll(std::uint32_t budget) noexcept { return budget + 1; }
        bool rearm() noexcept { return true; }
    } too_much;
    struct nested {
        noria::poller* poller;
        bool cancels;
        std::uint32_t poll(std::uint32_t) noexcept {
            return cancels ? poller->cancel(*this) : poller->cycle().work_done;
        }
        bool rearm() noexcept { return true; }
    };
    noria::poller poller;
    ASSERT_TRUE(poller.schedule(too_much));
    EXPECT_DEATH((void)poller.cycle(), "honour its argument");
    ASSERT_TRUE(poller.cancel(too_much));
    nested inside{&poller, false};
    ASSERT_TRUE(poller.schedule(inside));
    EXPECT_DEATH((void)poller.cycle(), "return instead");
    inside.cancels = true;
    EXPECT_DEATH((void)poller.cycle(), "cannot be cancelled");
    EXPECT_DEATH(noria::poller({.weight = 0}), "polls nothing");
}
#endif

// One turn as the script has it, the same for the poller and for its model.
struct step {
    std::uint32_t work;
    bool armed;
    noria::nanoseconds time;
    std::optional<std::size_t> calls; // schedules that instance in the middle of its poll
};
constexpr std::size_t instances = 5;
constexpr std::size_t capacity = 4;

struct script {
    std::vector<step> steps;
    std::size_t next = 0;

    step take() { return next < steps.size() ? steps[next++] : step{0, true, 0, std::nullopt}; }
};

// The poller, played from one script by all instances together: the order of turns shows in who plays which
// step.
struct stage {
    noria::manual_clock clock;
    script play;
    std::vector<std::size_t> turns;
    std::vector<std::size_t> rearmed;
    timed_poller<capacity> poller;

    struct actor {
        stage* on = nullptr;
        std::size_t number = 0;
        bool armed = true;

        std::uint32_t poll(std::uint32_t budget) noexcept {
            const step now = on->play.take();
            on->turns.push_back(number);
            on->clock.advance(now.time);
            armed = now.armed;
            if (now.calls)
                static_cast<void>(on->poller.schedule(on->actors[*now.calls]));
            return std::min(budget, now.work);
        }
        bool rearm() noexcept {
            on->rearmed.push_back(number);
            return armed;
        }
    };
    std::array<actor, instances> actors;

    stage(poll_budget budget, script of) : play(std::move(of)), poller(budget, clock) {
        for (std::size_t i = 0; i < instances; ++i)
            actors[i] = {this, i, true};
    }
};

// The list as a list, with no word about rings, slots or references.
struct model {
    poll_budget budget;
    script play;
    std::deque<std::size_t> list;
    std::vector<std::size_t> turns;
    std::vector<std::size_t> rearmed;
    std::uint64_t squeezes = 0;

    bool schedule(std::size_t instance) {
        if (std::find(list.begin(), list.end(), instance) != list.end())
            return true;
        if (list.size() == capacity)
            return false;
        list.push_back(instance);
        return true;
    }
    poll_report cycle() {
        poll_report report;
        std::uint32_t cost = 0;
        noria::nanoseconds time = 0;
        while (!list.empty()) {
            const std::size_t instance = list.front();
            const step now = play.take();
            turns.push_back(instance);
            const std::uint32_t work = std::min(now.work, budget.weight);
            if (now.calls)
                schedule(*now.calls);
            bool again = work == budget.weight || now.calls == instance;
            if (!again) {
                rearmed.push_back(instance);
                again = !now.armed;
            }
            list.pop_front();
            if (again)
                list.push_back(instance);
            report.work_done += work;
            ++report.polls;
            cost += std::max(work, 1u);
            time += now.time;
            if (cost >= budget.packets || time >= budget.time) {
                report.squeezed = true;
                ++squeezes;
                break;
            }
        }
        return report;
    }
};

RC_GTEST_PROP(Poller, BehavesLikeAListOfTurns, ()) {
    const poll_budget budget{
        .packets = *rc::gen::inRange(1u, 40u), .weight = *rc::gen::inRange(1u, 9u), .time = 50};
    const auto any_step = rc::gen::construct<step>(
        rc::gen::inRange(0u, 12u), rc::gen::weightedElement<bool>({{4, true}, {1, false}}),
        rc::gen::inRange<noria::nanoseconds>(0, 20),
        rc::gen::weightedOneOf<std::optional<std::size_t>>(
            {{3, rc::gen::just(std::optional<std::size_t>())},
             {1, rc::gen::map(rc::gen::inRange<std::size_t>(0, instances),
                              [](std::size_t instance) { return std::optional(instance); })}}));
    const script play{*rc::gen::container<std::vector<step>>(any_step)};
    stage real(budget, play);
    model expected{budget, play, {}, {}, {}};

    const auto commands =
        *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, 2 * instances + 4));
    for (const std::size_t command : commands) {
        if (command < instances) {
            RC_ASSERT(real.poller.schedule(real.actors[command]) == expected.schedule(command));
        } else if (command < 2 * instances) {
            const std::size_t instance = command - instances;
            RC_ASSERT(real.poller.cancel(real.actors[instance]) ==
                      (std::erase(expected.list, instance) == 1));
        } else {
            const std::uint64_t before = real.poller.work_done();
            const poll_report report = real.poller.cycle();
            RC_ASSERT(report == expected.cycle());
            RC_ASSERT(real.poller.work_done() == before + report.work_done);
        }
        RC_ASSERT(real.poller.scheduled() == expected.list.size());
    }
    RC_ASSERT(real.turns == expected.turns);
    RC_ASSERT(real.rearmed == expected.rearmed);
    RC_ASSERT(real.poller.polls() == expected.turns.size());
    RC_ASSERT(real.poller.time_squeeze() == expected.squeezes);
}

} // namespace
