// SPDX-License-Identifier: BSL-1.0
#include "noria/poll/moderation.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

#include "noria/poll/poller.hpp"

namespace {

using noria::manual_clock;
using noria::nanoseconds;
using moderation = noria::adaptive_moderation<noria::moderation_options{}, manual_clock&>;

constexpr noria::moderation_options options;
constexpr nanoseconds shortest = options.intervals.front(), longest = options.intervals.back();

struct throwing {
    void note(std::uint32_t, std::uint64_t) {}
    nanoseconds interval() noexcept { return 0; }
};
static_assert(!noria::moderation_policy<throwing>);

// Packets come one every `gap`; the device interrupts when there is one and the interval is over.
struct traffic {
    nanoseconds gap;
    std::uint64_t bytes;
};
struct line {
    manual_clock clock;
    moderation moderated{clock};
    nanoseconds next_packet = 0;

    void event(traffic of) {
        next_packet = std::max(next_packet, clock.now());
        const nanoseconds interrupt = std::max(clock.now() + moderated.interval(), next_packet);
        std::uint32_t packets = 0;
        for (; next_packet <= interrupt; next_packet += of.gap)
            ++packets;
        clock.advance(interrupt - clock.now());
        moderated.note(packets, packets * of.bytes);
    }
    void run(traffic of, int samples) {
        for (int i = 0; i != samples * static_cast<int>(options.events); ++i)
            event(of);
    }
    nanoseconds settled(traffic of) {
        run(of, 20);
        return moderated.interval();
    }
};

TEST(Moderation, StaticStaysWhereItIs) {
    noria::static_moderation fixed(50'000);
    fixed.note(1'000, 1'000'000);
    EXPECT_EQ(fixed.interval(), 50'000u);
}

TEST(Moderation, BeginsWithTheShortest) {
    line one;
    EXPECT_EQ(one.moderated.interval(), shortest);
    one.run({100, 64}, 1);
    EXPECT_EQ(one.moderated.interval(), options.intervals[1]) << "the first sample only sets it off";
}

TEST(Moderation, ManySmallPacketsMakeItLong) {
    line one;
    EXPECT_EQ(one.settled({100, 64}), longest);
    EXPECT_TRUE(one.moderated.parked());
}

// A packet every millisecond is an interrupt every millisecond, whatever the interval.
TEST(Moderation, AQuietLineHasTheShortest) {
    line one;
    EXPECT_EQ(one.settled({1'000'000, 1500}), shortest);
    EXPECT_TRUE(one.moderated.parked());
}

TEST(Moderation, AfterAPauseItBeginsAnew) {
    line one;
    ASSERT_EQ(one.settled({100, 64}), longest);
    one.clock.advance(options.pause);
    one.moderated.note(1, 64);
    EXPECT_EQ(one.moderated.interval(), longest) << "that was no pause yet";
    one.clock.advance(options.pause + 1);
    one.event({100, 64});
    EXPECT_EQ(one.moderated.interval(), shortest) << "with the very first event";
}

TEST(Moderation, LessTrafficBringsItBack) {
    line one;
    ASSERT_EQ(one.settled({100, 64}), longest);
    EXPECT_EQ(one.settled({1'000'000, 64}), shortest);
    EXPECT_EQ(one.settled({100, 64}), longest);
}

// More packets in fewer bytes, at the same rate of bytes, are more to gain from.
TEST(Moderation, SmallPacketsAreModeratedMoreThanLargeOnes) {
    line small, large;
    EXPECT_GT(small.settled({5'000, 64}), large.settled({100'000, 64 * 20}));
}

// A sender that waits for answers sends a third less where the interval is too long for it: there is a best
// one in the middle, and it is found and kept.
TEST(Moderation, FindsTheMiddleAndStaysThere) {
    for (std::size_t best = 0; best != options.intervals.size(); ++best) {
        manual_clock clock;
        moderation moderated(clock);
        const auto sample = [&] {
            for (std::uint32_t i = 0; i != options.events; ++i) {
                const nanoseconds interval = moderated.interval();
                const auto packets = static_cast<std::uint32_t>(interval / 1'000);
                clock.advance(interval);
                moderated.note(packets, packets * (interval > options.intervals[best] ? 1'000 : 1'500));
            }
        };
        for (int i = 0; i != 20; ++i)
            sample();
        for (int i = 0; i != 20; ++i) {
            EXPECT_EQ(moderated.interval(), options.intervals[best]);
            EXPECT_TRUE(moderated.parked());
            sample();
        }
    }
}

// A line that is told sample by sample what goes through it, by the interval it has then.
struct told {
    manual_clock clock;
    moderation moderated{clock};

    // Each microsecond, `packets` come, and as many bytes as `bytes(step)` says.
    template <class Bytes>
    void sample(std::uint32_t packets, Bytes bytes) {
        for (std::uint32_t i = 0; i != options.events; ++i) {
            const nanoseconds interval = moderated.interval();
            const auto step = static_cast<std::size_t>(std::ranges::find(options.intervals, interval) -
                                                       options.intervals.begin());
            clock.advance(interval);
            moderated.note(packets * static_cast<std::uint32_t>(interval / 1'000),
                           interval / 1'000 * static_cast<std::uint64_t>(bytes(step)));
        }
    }
    // The third interval is the best, and it is there.
    void park() {
        for (int i = 0; i != 10; ++i)
            sample(1, [](auto step) { return step > 2 ? 1'000 : 1'500; });
        ASSERT_TRUE(moderated.parked());
        ASSERT_EQ(moderated.interval(), options.intervals[2]);
    }
};

// No sample differs from the one before by more than noise, but from when it parked they do.
TEST(Moderation, ASlowDriftIsNoticedInTheEnd) {
    told line;
    line.park();
    for (int bytes = 1'450; bytes > 1'350; bytes -= 50) {
        line.sample(1, [&](auto) { return bytes; });
        EXPECT_TRUE(line.moderated.parked()) << bytes;
    }
    line.sample(1, [](auto) { return 1'300; });
    EXPECT_EQ(line.moderated.interval(), options.intervals[1]);
}

TEST(Moderation, MorePacketsInAsManyBytesAreMoreToGainFrom) {
    told line;
    line.park();
    line.sample(2, [](auto) { return 1'500; });
    EXPECT_EQ(line.moderated.interval(), options.intervals[3]);
}

// On the way to shorter intervals, too, one step too far is taken back.
TEST(Moderation, FindsTheMiddleFromTheOtherSide) {
    told line;
    for (int i = 0; i != 10; ++i)
        line.sample(1, [](auto) { return 1'500; });
    ASSERT_EQ(line.moderated.interval(), longest);
    const auto best_in_the_middle = [](auto step) { return std::array{500, 800, 1'100, 900, 750}[step]; };
    for (int i = 0; i != 4; ++i)
        line.sample(1, best_in_the_middle);
    for (int i = 0; i != 10; ++i) {
        EXPECT_EQ(line.moderated.interval(), options.intervals[2]);
        EXPECT_TRUE(line.moderated.parked());
        line.sample(1, best_in_the_middle);
    }
}

// [source]
// The interrupt and the polls that followed are an event; it ends when the source rearms.
struct moderated_source {
    std::uint32_t poll(std::uint32_t budget) noexcept {
        const std::uint32_t done = std::min(budget, waiting);
        waiting -= done;
        packets += done;
        return done;
    }
    bool rearm() noexcept {
        if (waiting != 0)
            return false;
        moderated.note(packets, std::uint64_t{packets} * 64);
        packets = 0;
        held_back = moderated.interval(); // a device is told here
        return true;
    }

    moderation moderated;
    std::uint32_t waiting = 0;
    std::uint32_t packets = 0;
    nanoseconds held_back = shortest;
};
// [/source]

TEST(Moderation, ASourceTellsItsDeviceWhenItRearms) {
    manual_clock clock;
    noria::poller poller;
    moderated_source source{.moderated = moderation(clock)};
    noria::poll_instance rx(poller, source);
    for (std::uint32_t interrupt = 0; interrupt != 6 * options.events; ++interrupt) {
        clock.advance(source.held_back);
        source.waiting = static_cast<std::uint32_t>(source.held_back / 100);
        rx.schedule();
        while (poller.pending())
            (void)poller.cycle();
    }
    EXPECT_EQ(source.held_back, longest);
}

// Parked, it does not mind differences of less than the noise, in either direction, however many.
RC_GTEST_PROP(Moderation, NoiseDoesNotMoveIt, ()) {
    line one;
    const traffic usual{1'000, 1'000};
    const nanoseconds parked = one.settled(usual);
    RC_ASSERT(one.moderated.parked());
    const auto sizes =
        *rc::gen::container<std::vector<std::uint64_t>>(rc::gen::inRange<std::uint64_t>(955, 1'045));
    for (const std::uint64_t size : sizes) {
        one.run({1'000, size}, 1);
        RC_ASSERT(one.moderated.interval() == parked);
        RC_ASSERT(one.moderated.parked());
    }
}

// More traffic of the same packets never makes the interval shorter, from wherever it comes.
RC_GTEST_PROP(Moderation, ReactsInOneDirection, ()) {
    const auto gap = rc::gen::inRange<nanoseconds>(50, 2'000'000);
    const traffic before{*gap, 64};
    traffic less{*gap, 64}, more{*gap, 64};
    if (less.gap < more.gap)
        std::swap(less.gap, more.gap);
    line one, other;
    (void)one.settled(before);
    (void)other.settled(before);
    RC_ASSERT(one.settled(less) <= other.settled(more));
}

// Whatever it is told, the interval is one of the table, and it changes by one step a sample or to the
// shortest.
RC_GTEST_PROP(Moderation, GoesStepByStep, ()) {
    manual_clock clock;
    moderation moderated(clock);
    const auto events = *rc::gen::container<std::vector<std::pair<std::uint32_t, nanoseconds>>>(
        500, rc::gen::pair(rc::gen::inRange(0u, 1'000u), rc::gen::inRange<nanoseconds>(0, 400'000)));
    const auto step = [&] {
        return std::ranges::find(options.intervals, moderated.interval()) - options.intervals.begin();
    };
    for (const auto& [packets, time] : events) {
        const auto before = step();
        clock.advance(time);
        moderated.note(packets, packets * 64);
        RC_ASSERT(step() != 5);
        RC_ASSERT(std::abs(step() - before) <= 1);
    }
}

} // namespace
