// SPDX-License-Identifier: BSL-1.0
#include "noria/poll/poller.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

#include "support/poll_source.hpp"

namespace {

using noria::poll_budget;
using noria::poll_instance;
using noria::poll_report;

static_assert(!std::is_copy_constructible_v<noria::poller>);

using timed_poller = noria::basic_poller<noria::manual_clock&>;

TEST(Poller, AnEmptyCycleDoesNothing) {
    struct counting {
        int* readings;
        noria::nanoseconds now() noexcept { return static_cast<noria::nanoseconds>(++*readings); }
    };
    int readings = 0;
    noria::basic_poller<counting> poller({}, counting{&readings});
    EXPECT_EQ(poller.cycle(), poll_report{});
    EXPECT_EQ(readings, 0) << "not even look at the clock";
}

TEST(Poller, AnInstanceMayHaveAWeightOfItsOwn) {
    noria::manual_clock clock;
    timed_poller poller({}, clock);
    poll_source heavy{.waiting = 1'000}, light{.waiting = 1'000};
    poll_instance heavy_rx(poller, heavy), light_rx(poller, light, 16);
    heavy_rx.schedule();
    light_rx.schedule();
    EXPECT_EQ(poller.cycle(), (poll_report{64 + 16 + 64 + 16 + 64 + 16 + 64, 7, true}));
    light.waiting = 15;
    (void)poller.cycle();
    EXPECT_EQ(light.rearms, 1u) << "less than its own weight is all there was";
    poller.disable(heavy_rx);
}

TEST(Poller, CountsTheOneThatHasItsTurn) {
    struct curious {
        noria::poller* poller;
        std::size_t seen = 0;
        std::uint32_t poll(std::uint32_t) noexcept {
            seen = poller->scheduled();
            return 0;
        }
        bool rearm() noexcept { return true; }
    };
    noria::poller poller;
    curious source{&poller};
    poll_instance first(poller, source), second(poller, source);
    first.schedule();
    second.schedule();
    (void)poller.cycle();
    EXPECT_EQ(source.seen, 1u) << "the second one, alone";
}

TEST(Poller, LessThanTheWeightIsDoneAndRearmed) {
    noria::manual_clock clock;
    timed_poller poller({}, clock);
    poll_source small{.waiting = 63};
    poll_instance small_rx(poller, small);
    small_rx.schedule();
    EXPECT_EQ(poller.cycle(), (poll_report{63, 1, false}));
    EXPECT_EQ(small.rearms, 1u);
    EXPECT_EQ(poller.scheduled(), 0u);
}

TEST(Poller, TheWholeWeightGoesToTheTailAndIsNotRearmed) {
    noria::manual_clock clock;
    timed_poller poller({}, clock);
    poll_source exact{.waiting = 64};
    poll_instance exact_rx(poller, exact);
    exact_rx.schedule();
    EXPECT_EQ(poller.cycle(), (poll_report{64, 2, false})) << "only the second turn finds it empty";
    EXPECT_EQ(exact.rearms, 1u);
}

TEST(Poller, ABusyInstanceIsCutOffByTheBudgetAndKeptScheduled) {
    noria::manual_clock clock;
    timed_poller poller({}, clock);
    poll_source busy{.waiting = 1'000'000};
    poll_instance busy_rx(poller, busy);
    busy_rx.schedule();
    EXPECT_EQ(poller.cycle(), (poll_report{320, 5, true})) << "300 is looked at after whole weights";
    EXPECT_EQ(busy.rearms, 0u);
    EXPECT_EQ(poller.scheduled(), 1u);
    EXPECT_EQ(poller.time_squeeze(), 1u);
    poller.disable(busy_rx);
}

TEST(Poller, ABusyInstanceDoesNotStarveAQuietOne) {
    noria::manual_clock clock;
    timed_poller poller({}, clock);
    poll_source busy{.waiting = 1'000'000};
    poll_instance busy_rx(poller, busy);
    poll_source quiet{.waiting = 1};
    poll_instance quiet_rx(poller, quiet);
    busy_rx.schedule();
    quiet_rx.schedule();
    EXPECT_EQ(poller.cycle(), (poll_report{64 + 1 + 4 * 64, 6, true}));
    EXPECT_EQ(quiet.rearms, 1u);
    poller.disable(busy_rx);
}

TEST(Poller, TimeIsLookedAtAfterATurnAndCountsOnceACycle) {
    noria::manual_clock clock;
    timed_poller poller({}, clock);
    poll_source slow{.waiting = 1'000, .clock = &clock, .time_per_poll = 1'000'000};
    poll_instance slow_rx(poller, slow);
    poll_source slower{.waiting = 1'000, .clock = &clock, .time_per_poll = 5'000'000};
    poll_instance slower_rx(poller, slower);
    slow_rx.schedule();
    slower_rx.schedule();
    EXPECT_EQ(poller.cycle(), (poll_report{128, 2, true})) << "6 ms: late, but each turn is whole";
    EXPECT_EQ(poller.time_squeeze(), 1u);
    EXPECT_EQ(poller.cycle().polls, 2u);
    EXPECT_EQ(poller.time_squeeze(), 2u);
    EXPECT_EQ(poller.work_done(), 256u);
    EXPECT_EQ(poller.polls(), 4u);
    poller.disable(slow_rx);
    poller.disable(slower_rx);
}

TEST(Poller, WorkThatSlipsInBeforeRearmingIsSeen) {
    noria::manual_clock clock;
    timed_poller poller({}, clock);
    poll_source racy{.waiting = 3, .slips_in = 2};
    poll_instance racy_rx(poller, racy);
    racy_rx.schedule();
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
    timed_poller poller({}, clock);
    poll_instance instance_rx(poller, instance);
    instance_rx.schedule();
    EXPECT_EQ(poller.cycle(), (poll_report{0, 300, true}));
    poller.disable(instance_rx);
}

// 10,000 instances that have nothing to say are nowhere: the list is of those who called.
TEST(Poller, KnowsOnlyWhoCalled) {
    noria::poller poller;
    poll_source source{.waiting = 1};
    std::deque<poll_instance> many;
    for (int i = 0; i != 10'000; ++i)
        many.emplace_back(poller, source);
    EXPECT_FALSE(poller.pending());
    many[9'876].schedule();
    EXPECT_EQ(poller.scheduled(), 1u);
    EXPECT_EQ(poller.cycle(), (poll_report{1, 1, false}));
    for (poll_instance& each : many)
        each.schedule();
    EXPECT_EQ(poller.scheduled(), 10'000u);
    while (poller.pending())
        (void)poller.cycle();
    EXPECT_EQ(source.polls, 10'001u);
}

TEST(Poller, ArmsAUsersLoopOnlyWhileThereIsNothingToDo) {
    noria::poller poller;
    poll_source busy{.waiting = 1'000};
    poll_instance busy_rx(poller, busy);
    int calls = 0;
    const noria::poll_waker waker{[](void* count) noexcept { ++*static_cast<int*>(count); }, &calls};
    ASSERT_TRUE(poller.arm(waker));
    busy_rx.schedule();
    EXPECT_EQ(calls, 1);
    EXPECT_FALSE(poller.arm(waker)) << "it is in the inbox";
    EXPECT_TRUE(poller.cycle().squeezed);
    EXPECT_FALSE(poller.arm(waker)) << "it is in the list";
    while (poller.pending())
        (void)poller.cycle();
    EXPECT_TRUE(poller.arm(waker));
    EXPECT_TRUE(poller.disarm());
    EXPECT_EQ(calls, 1);
}

TEST(Poller, DisablesWhatWaitsWithoutATurn) {
    noria::poller poller;
    poll_source first{.waiting = 1}, second{.waiting = 1}, third{.waiting = 1};
    poll_instance first_rx(poller, first), second_rx(poller, second), third_rx(poller, third);
    for (poll_instance* each : {&first_rx, &second_rx, &third_rx})
        each->schedule();
    poller.disable(second_rx);
    poller.disable(third_rx); // the last in the list
    third_rx.enable();
    EXPECT_EQ(poller.scheduled(), 2u);
    EXPECT_EQ(poller.cycle(), (poll_report{2, 2, false}));
    EXPECT_EQ(second.polls, 0u);
}

#if NORIA_CONTRACT == 2
TEST(PollerDeathTest, HoldsPollsToTheContract) {
    struct greedy {
        std::uint32_t poll(std::uint32_t budget) noexcept { return budget + 1; }
        bool rearm() noexcept { return true; }
    } too_much;
    struct nested {
        noria::poller* poller;
        poll_instance* self = nullptr;
        std::uint32_t poll(std::uint32_t) noexcept {
            if (self != nullptr)
                poller->disable(*self);
            return poller->cycle().work_done;
        }
        bool rearm() noexcept { return true; }
    };
    noria::poller poller;
    poll_instance greedy_rx(poller, too_much);
    greedy_rx.schedule();
    EXPECT_DEATH((void)poller.cycle(), "honour its argument");
    poller.disable(greedy_rx);
    nested inside{&poller};
    poll_instance rx(poller, inside);
    rx.schedule();
    EXPECT_DEATH((void)poller.cycle(), "return instead");
    inside.self = &rx;
    EXPECT_DEATH((void)poller.cycle(), "inside its own turn");
    poller.disable(rx);
    EXPECT_DEATH(noria::poller({.weight = 0}), "polls nothing");

    poll_source source;
    std::optional<noria::poller> left(std::in_place);
    poll_instance moving(*left, source);
    moving.schedule();
    moving.move_to(poller);
    EXPECT_DEATH(left.reset(), "passed on");
    EXPECT_EQ(left->cycle(), poll_report{});
    left.reset();
    EXPECT_EQ(poller.cycle().polls, 1u);
}
#endif

// ---- against a model, on one thread: several instances, two pollers ----

// One turn as the script has it, the same for the pollers and for their model.
struct step {
    std::uint32_t work;
    bool armed;
    noria::nanoseconds time;
    std::optional<std::size_t> calls; // schedules that instance in the middle of its poll
};
constexpr std::size_t instances = 5, pollers = 2;
constexpr std::array<std::uint32_t, instances> own_weight{0, 0, 3, 0, 10};

struct script {
    std::vector<step> steps;
    std::size_t next = 0;

    step take() { return next < steps.size() ? steps[next++] : step{0, true, 0, std::nullopt}; }
};

// The pollers, played from one script by all instances together: the order of turns shows in who plays which
// step.
struct stage {
    noria::manual_clock clock;
    script play;
    std::vector<std::size_t> turns;
    std::vector<std::size_t> rearmed;
    std::array<timed_poller, pollers> poller;

    struct actor {
        stage* on;
        std::size_t number;
        bool armed = true;

        std::uint32_t poll(std::uint32_t budget) noexcept {
            const step now = on->play.take();
            on->turns.push_back(number);
            on->clock.advance(now.time);
            armed = now.armed;
            if (now.calls)
                on->rx[*now.calls].schedule();
            return std::min(budget, now.work);
        }
        bool rearm() noexcept {
            on->rearmed.push_back(number);
            return armed;
        }
    };
    std::deque<actor> actors;
    std::deque<poll_instance> rx;

    stage(poll_budget budget, script of)
        : play(std::move(of)), poller{timed_poller(budget, clock), timed_poller(budget, clock)} {
        for (std::size_t i = 0; i != instances; ++i) {
            actors.push_back({this, i});
            rx.emplace_back(poller[0], actors[i], own_weight[i]);
        }
    }
};

// The lists as lists, with no word about bits, inboxes or references.
struct model {
    struct instance {
        std::size_t home = 0;
        bool disabled = false;
        bool called = false; // while it was disabled
    };
    poll_budget budget;
    script play;
    std::array<instance, instances> all{};
    std::array<std::deque<std::size_t>, pollers> lists;
    std::vector<std::size_t> turns;
    std::vector<std::size_t> rearmed;
    std::uint64_t squeezes = 0;

    model(poll_budget with, script of) : budget(with), play(std::move(of)) {}

    // Which poller has it.
    std::optional<std::size_t> holder(std::size_t number) const {
        for (std::size_t at = 0; at != pollers; ++at)
            if (std::find(lists[at].begin(), lists[at].end(), number) != lists[at].end())
                return at;
        return std::nullopt;
    }
    void schedule(std::size_t number) {
        if (all[number].disabled)
            all[number].called = true;
        else if (!holder(number))
            lists[all[number].home].push_back(number);
    }
    void disable(std::size_t number) {
        all[number].disabled = true;
        for (auto& list : lists)
            if (std::erase(list, number) != 0)
                all[number].called = true;
    }
    void enable(std::size_t number) {
        all[number].disabled = false;
        if (std::exchange(all[number].called, false))
            schedule(number);
    }
    poll_report cycle(std::size_t at) {
        auto& list = lists[at];
        poll_report report;
        std::uint32_t cost = 0;
        noria::nanoseconds time = 0;
        while (!list.empty()) {
            const std::size_t number = list.front();
            if (all[number].home != at) {
                list.pop_front();
                schedule(number);
                continue;
            }
            const step now = play.take();
            turns.push_back(number);
            const std::uint32_t weight = own_weight[number] != 0 ? own_weight[number] : budget.weight;
            const std::uint32_t work = std::min(now.work, weight);
            if (now.calls)
                schedule(*now.calls);
            bool again = work == weight || now.calls == number;
            if (!again) {
                rearmed.push_back(number);
                again = !now.armed;
            }
            list.pop_front();
            if (again)
                list.push_back(number);
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

struct command {
    enum { schedule, toggle, move, cycle } what;
    std::size_t which; // instance, or poller
};

RC_GTEST_PROP(Poller, BehavesLikeListsOfTurns, ()) {
    const poll_budget budget{
        .packets = *rc::gen::inRange(1u, 40u), .weight = *rc::gen::inRange(1u, 9u), .time = 50};
    const auto number = rc::gen::inRange<std::size_t>(0, instances);
    const auto any_step = rc::gen::construct<step>(
        rc::gen::inRange(0u, 12u), rc::gen::weightedElement<bool>({{4, true}, {1, false}}),
        rc::gen::inRange<noria::nanoseconds>(0, 20),
        rc::gen::weightedOneOf<std::optional<std::size_t>>(
            {{3, rc::gen::just(std::optional<std::size_t>())},
             {1, rc::gen::map(number, [](std::size_t one) { return std::optional(one); })}}));
    const script play{*rc::gen::container<std::vector<step>>(any_step)};
    stage real(budget, play);
    model expected{budget, play};

    const auto commands = *rc::gen::container<std::vector<command>>(rc::gen::construct<command>(
        rc::gen::weightedElement<decltype(command::what)>(
            {{4, command::schedule}, {1, command::toggle}, {1, command::move}, {3, command::cycle}}),
        number));
    for (const auto& [what, which] : commands) {
        model::instance& one = expected.all[which];
        if (what == command::schedule) {
            real.rx[which].schedule();
            expected.schedule(which);
        } else if (what == command::toggle && one.disabled) {
            real.rx[which].enable();
            expected.enable(which);
        } else if (what == command::toggle) {
            // On the thread of both pollers, so by the one that has it.
            real.poller[expected.holder(which).value_or(0)].disable(real.rx[which]);
            expected.disable(which);
        } else if (what == command::move) {
            one.home = 1 - one.home;
            real.rx[which].move_to(real.poller[one.home]);
        } else {
            const std::size_t at = which % pollers;
            const std::uint64_t before = real.poller[at].work_done();
            const poll_report report = real.poller[at].cycle();
            RC_ASSERT(report == expected.cycle(at));
            RC_ASSERT(real.poller[at].work_done() == before + report.work_done);
        }
        for (std::size_t at = 0; at != pollers; ++at) {
            RC_ASSERT(real.poller[at].pending() == !expected.lists[at].empty());
            RC_ASSERT(real.poller[at].scheduled() == expected.lists[at].size());
        }
        RC_ASSERT(real.rx[which].idle() == !expected.holder(which).has_value());
    }
    RC_ASSERT(real.turns == expected.turns);
    RC_ASSERT(real.rearmed == expected.rearmed);
    RC_ASSERT(real.poller[0].polls() + real.poller[1].polls() == expected.turns.size());
    RC_ASSERT(real.poller[0].time_squeeze() + real.poller[1].time_squeeze() == expected.squeezes);
    for (std::size_t i = 0; i != instances; ++i)
        if (!expected.all[i].disabled)
            real.poller[expected.holder(i).value_or(0)].disable(real.rx[i]);
}

} // namespace
