// SPDX-License-Identifier: BSL-1.0
#include "noria/stats/hardware_counter.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>

#include <gtest/gtest.h>

#include "support/random.hpp"

namespace {

using noria::hardware_counter;
using noria::register_kind;

using wrapping_32 = hardware_counter<>;
using wrapping_36 = hardware_counter<{.bits = 36}>;
using clearing_32 = hardware_counter<{.kind = register_kind::clears_on_read}>;
using clearing_36 = hardware_counter<{.bits = 36, .kind = register_kind::clears_on_read}>;

constexpr std::uint64_t second_at_10g = 1'250'000'000; // bytes

// --- The bursts that never were. Each of these made a monitor show 2^32 or 2^36 bytes at once.

TEST(FalseSpike, AResetIsNotAWrapOf32Bits) {
    wrapping_32 counter;
    EXPECT_EQ(counter.observe(1'000'000'000, second_at_10g), 1'000'000'000u);
    // The driver reset the device and told nobody. The classic code adds 2^32 - 10^9 + 500.
    EXPECT_EQ(counter.observe(500, second_at_10g), 0u);
    EXPECT_EQ(counter.gaps(), 0u) << "it may have been a bad reading";
    EXPECT_EQ(counter.observe(700, second_at_10g), 200u) << "no: it counts on from there";
    EXPECT_EQ(counter.gaps(), 1u);
    EXPECT_EQ(counter.value(), 1'000'000'200u);
}

TEST(FalseSpike, AResetIsNotAWrapOf36Bits) {
    wrapping_36 counter;
    EXPECT_EQ(counter.observe(second_at_10g, second_at_10g), second_at_10g);
    EXPECT_EQ(counter.observe(0, second_at_10g), 0u);
    EXPECT_EQ(counter.observe(64, second_at_10g), 64u);
    EXPECT_EQ(counter.value(), second_at_10g + 64);
}

// By the second reading, a wrap would be possible as well: what was possible has added up.
TEST(FalseSpike, AResetIsNotAWrapAReadingLater) {
    const std::uint64_t stood = 0xffff'ffff - 1'500'000'000;
    wrapping_32 counter(stood);
    EXPECT_EQ(counter.observe(500, second_at_10g), 0u);
    EXPECT_EQ(counter.observe(700, second_at_10g), 200u) << "not the 1.5 GB up to the top";
    EXPECT_EQ(counter.gaps(), 1u);
}

TEST(FalseSpike, AReadingThatStepsBackIsNotCountedTwice) {
    wrapping_36 counter(1000);
    EXPECT_EQ(counter.observe(990, second_at_10g), 0u);
    EXPECT_EQ(counter.observe(1000, second_at_10g), 0u);
    EXPECT_EQ(counter.observe(990, second_at_10g), 0u);
    EXPECT_EQ(counter.observe(1003, second_at_10g), 3u);
    EXPECT_EQ(counter.gaps(), 0u);
}

TEST(FalseSpike, AnAnnouncedResetLosesNothingElse) {
    wrapping_36 counter;
    counter.observe(second_at_10g, second_at_10g);
    counter.after_reset();
    EXPECT_EQ(counter.observe(1000, second_at_10g), 1000u);
    EXPECT_EQ(counter.value(), second_at_10g + 1000);
    EXPECT_EQ(counter.gaps(), 0u);
}

// The low half was read before a carry and the high half after it: 2^32 too much. Then the other way round.
TEST(FalseSpike, AReadingTakenBetweenLowAndHigh) {
    for (const std::uint64_t torn : {0x2'ffff'ff00ull, 0x1'0000'0100ull}) {
        wrapping_36 counter(0x1'ffff'f000);
        EXPECT_EQ(counter.observe(torn, second_at_10g), 0u);
        EXPECT_EQ(counter.observe(0x2'0000'0200, second_at_10g), 0x1200u) << "made up for, to the byte";
        EXPECT_EQ(counter.gaps(), 0u);
    }
}

TEST(FalseSpike, ADeviceThatIsGoneAnswersAllOnes) {
    wrapping_32 wraps(0xffff'0000);
    EXPECT_EQ(wraps.observe(0xffff'ffff, second_at_10g), 0u);
    EXPECT_EQ(wraps.observe(0x0000'0010, second_at_10g), 0x1'0010u) << "it was a glitch, and nothing is lost";
    EXPECT_EQ(wraps.gaps(), 0u);
    clearing_32 clears;
    EXPECT_EQ(clears.observe(0xffff'ffff, 1ull << 40), 0u) << "gone, or stuck at its top: nobody can tell";
    EXPECT_EQ(clears.gaps(), 1u);
    wrapping_36 split;
    EXPECT_EQ(split.observe(~0ull, 1ull << 30), 0u) << "two registers of all ones, bits beyond the width too";
    EXPECT_EQ(split.observe(5, 1ull << 30), 5u);
}

TEST(FalseSpike, WhatWasThereBeforeIsNoBurst) {
    wrapping_32 counter(4'000'000'000);
    EXPECT_EQ(counter.observe(4'000'000'100, second_at_10g), 100u);
    wrapping_32 unaware;
    EXPECT_EQ(unaware.observe(4'000'000'000, second_at_10g), 0u);
    EXPECT_EQ(unaware.observe(4'000'000'100, second_at_10g), 100u);
}

TEST(FalseSpike, ARegisterThatClearsSaysNoMoreThanIsPossible) {
    clearing_32 counter;
    EXPECT_EQ(counter.observe(1000, second_at_10g), 1000u);
    EXPECT_EQ(counter.observe(4'000'000'000, second_at_10g), 0u);
    EXPECT_EQ(counter.gaps(), 1u);
    EXPECT_EQ(counter.observe(10, second_at_10g), 10u);
    EXPECT_EQ(counter.value(), 1010u);
}

// --- What is to be counted is counted.

TEST(HardwareCounter, WrapsAreCounted) {
    wrapping_32 counter(0xffff'fff0);
    EXPECT_EQ(counter.observe(0x10, 1000), 0x20u);
    EXPECT_EQ(counter.gaps(), 0u);
    hardware_counter<{.bits = 64}> widest(~0ull - 1);
    EXPECT_EQ(widest.observe(5, 1000), 7u);
    EXPECT_EQ(widest.observe(~0ull, ~0ull), 0u);
    EXPECT_EQ(widest.observe(9, 1), 4u) << "what was possible does not wrap itself";
    hardware_counter<{.bits = 8}> narrowest(10);
    EXPECT_EQ(narrowest.observe(9, 255), 255u) << "all the way round but one, and still in time";
    EXPECT_EQ(narrowest.gaps(), 0u);
}

// What a driver reads beside the counter: other fields of the register, or nothing that was ever defined.
TEST(HardwareCounter, BitsBeyondItsWidthSayNothing) {
    constexpr std::uint64_t beside = 0xabcd'0000'0000'0000;
    wrapping_36 wraps(beside | 0x10);
    EXPECT_EQ(wraps.observe(0x15, 1000), 5u);
    wraps.after_reset(beside | 0xf'ffff'fff0);
    EXPECT_EQ(wraps.observe(~0ull, 1000), 0u) << "all ones";
    EXPECT_EQ(wraps.observe(beside | 3, 1000), 0x13u);
    clearing_36 clears;
    EXPECT_EQ(clears.observe(beside | 100, 1000), 100u);
    EXPECT_EQ(wraps.gaps() + clears.gaps(), 0u);
}

TEST(HardwareCounter, AReadingThatComesTooLateIsAGap) {
    wrapping_32 counter;
    EXPECT_EQ(counter.observe(100, 1ull << 32), 0u) << "it may have gone round";
    EXPECT_EQ(counter.gaps(), 1u);
    EXPECT_EQ(counter.observe(150, 1000), 50u);
    EXPECT_EQ(counter.observe(100, ~0ull), 0u);
    EXPECT_EQ(counter.observe(101, ~0ull), 0u);
    EXPECT_EQ(counter.gaps(), 3u);
}

// What was possible adds up while readings are not believed, or the next good one would not be either.
TEST(HardwareCounter, AGoodReadingMakesUpForTheBadOnesBeforeIt) {
    wrapping_36 counter;
    EXPECT_EQ(counter.observe(0x1'0000'0000, 1000), 0u);
    EXPECT_EQ(counter.observe(0x5'0000'0000, 1000), 0u);
    EXPECT_EQ(counter.observe(2900, 1000), 2900u);
    EXPECT_EQ(counter.gaps(), 0u);
}

TEST(HardwareCounter, ReadsSplitRegistersInOrder) {
    int reads = 0;
    const auto low = [&]() noexcept { return reads++ == 0 ? 0xdead'beefu : 0u; };
    const auto high = [&]() noexcept { return reads++ == 1 ? 0xau : 0u; };
    EXPECT_EQ(noria::read_latched(low, high), 0xa'dead'beefull);
}

TEST(HardwareCounter, ReadsAnUnlatchedCounterThatCarries) {
    // It moves by `step` at each access, so that the carry falls between any two reads.
    for (const std::uint64_t step : {0ull, 1ull, 0x80ull, 0x4000'0000ull})
        for (std::uint64_t before = 0; before != 5; ++before) {
            std::uint64_t now = 0x3'0000'0000 - before * step;
            const std::uint64_t first = now;
            const std::uint64_t read = noria::read_unlatched(
                [&]() noexcept { return static_cast<std::uint32_t>(now += step); },
                [&]() noexcept { return static_cast<std::uint32_t>((now += step) >> 32); });
            EXPECT_GE(read, first) << step << ' ' << before;
            EXPECT_LE(read, now) << step << ' ' << before;
        }
}

// A device of any kind, and what it really counted.
template <class Counter>
struct model_device {
    std::uint64_t real = 0;
    std::uint64_t since = 0; // since the last reset, or reading of a register that clears

    void count(std::uint64_t n) {
        real += n;
        since += n;
    }
    std::uint64_t reading() const { return since & Counter::top; }
    std::uint64_t clear() {
        const std::uint64_t sticks = since < Counter::top ? since : Counter::top;
        since = 0;
        return sticks;
    }
};

// Random traffic, readings in time, resets that are announced after a last reading: exact, always.
template <class Counter>
void is_exact(bool clears) {
    random_steps random;
    Counter counter;
    model_device<Counter> device;
    const std::uint64_t most = Counter::top / 3;
    std::uint64_t possible = 0;
    std::uint64_t wraps = 0;
    for (std::uint64_t i = random_steps::count(200'000, 10'000); i != 0; --i) {
        const std::uint64_t n = random.one_in(4) ? 0 : (std::uint64_t{random.below(~0u)} << 20) % (most / 2);
        device.count(n);
        possible += n + random.below(100);
        if (possible > most / 2 || random.one_in(3)) {
            wraps += !clears && device.reading() < n;
            const std::uint64_t before = counter.value();
            const std::uint64_t added = counter.observe(clears ? device.clear() : device.reading(), possible);
            ASSERT_EQ(counter.value(), before + added);
            ASSERT_LE(added, possible);
            possible = 0;
            if (clears || device.reading() != Counter::top) {
                ASSERT_EQ(counter.value(), device.real);
            }
            if (random.one_in(50) && counter.value() == device.real) {
                device.since = 0;
                counter.after_reset();
            }
        }
    }
    ASSERT_EQ(counter.gaps(), 0u);
    EXPECT_TRUE(clears || wraps > 100) << wraps;
}

TEST(HardwareCounterModel, IsExact) {
    is_exact<wrapping_32>(false);
    is_exact<wrapping_36>(false);
    is_exact<clearing_32>(true);
    is_exact<clearing_36>(true);
}

// All that goes wrong in the field: torn readings, resets nobody announces, all ones, readings that come too
// late. It never goes backwards, and since no step is above what was possible, which is given exactly here,
// it is never above the truth.
template <class Counter>
void is_honest() {
    random_steps random;
    Counter counter;
    model_device<Counter> device;
    constexpr std::uint64_t most = 50'000'000;
    std::uint64_t possible = 0, unread = 0;
    std::uint64_t last = 0, torn = 0, resets = 0;
    for (std::uint64_t i = random_steps::count(300'000, 10'000); i != 0; --i) {
        const std::uint64_t n = random.below(random.one_in(10) ? 2 : most);
        device.count(n);
        possible += n;
        unread += n;
        std::uint64_t reading = device.reading();
        if (random.one_in(200)) { // at a place where it hurts, as often as not
            device.since = random.one_in(2) ? 0 : Counter::top - random.below(1000);
            ++resets;
        } else if (random.one_in(20)) {
            const std::uint64_t carry = Counter::top > 0xffff'ffff ? 1ull << 32 : 1ull << 31;
            reading = random.one_in(2) ? reading + carry : reading - carry;
            ++torn;
        } else if (random.one_in(100)) {
            reading = Counter::top;
        } else if (random.one_in(5)) {
            continue;
        }
        const std::uint64_t added = counter.observe(reading, possible);
        ASSERT_LE(added, unread) << "more than the link can have carried";
        if (added != 0)
            unread = 0;
        possible = 0;
        ASSERT_GE(counter.value(), last);
        ASSERT_LE(counter.value(), device.real);
        last = counter.value();
    }
    EXPECT_GT(torn, 100u);
    EXPECT_GT(resets, 10u);
    EXPECT_GT(counter.value(), device.real / 2) << "not by counting nothing";
}

TEST(HardwareCounterModel, IsHonestWhateverTheDeviceSays) {
    is_honest<wrapping_32>();
    is_honest<wrapping_36>();
}

// A line that could carry more than it does, and resets that nobody announces, wherever the register stands
// but just below its top, where nobody could tell.
TEST(HardwareCounterModel, TellsAResetFromAWrap) {
    random_steps random;
    wrapping_32 counter;
    model_device<wrapping_32> device;
    std::uint64_t resets = 0;
    for (std::uint64_t i = random_steps::count(50'000, 5'000); i != 0; --i) {
        if (random.one_in(4) && wrapping_32::top - device.reading() >= second_at_10g) {
            device.since = 0;
            ++resets;
            for (int reading = 0; reading != 2; ++reading) {
                device.count(random.below(1000));
                counter.observe(device.reading(), second_at_10g);
            }
        } else {
            device.count(random.below(static_cast<std::uint32_t>(second_at_10g)));
            counter.observe(device.reading(), second_at_10g);
        }
        ASSERT_LE(counter.value(), device.real);
        ASSERT_LE(counter.gaps(), resets);
    }
    EXPECT_GT(counter.gaps(), resets / 2);
    EXPECT_GT(counter.value(), device.real / 2);
}

// A split register that counts on while it is read, both ways to read it, and the wrong one.
TEST(HardwareCounterModel, SplitRegistersNeverSpike) {
    random_steps random;
    constexpr std::uint64_t most = 200'000'000;
    std::uint64_t carries = 0;
    wrapping_36 latched, unlatched, wrong;
    std::uint64_t now = 0, latch = 0, allowed = 0;
    for (std::uint64_t i = random_steps::count(100'000, 5'000); i != 0; --i) {
        const std::uint64_t start = now;
        const auto move = [&] { now += random.below(most / 10); };
        const auto low = [&]() noexcept {
            move();
            latch = now >> 32;
            return static_cast<std::uint32_t>(now);
        };
        const auto high = [&]() noexcept {
            move();
            return static_cast<std::uint32_t>(now >> 32 & 15);
        };
        for (int quiet = 0; quiet != 5; ++quiet)
            move();
        const std::uint64_t by_latch =
            noria::read_latched(low, [&]() noexcept { return static_cast<std::uint32_t>(latch & 15); });
        const std::uint64_t by_three = noria::read_unlatched(low, high);
        const std::uint64_t as_it_comes = noria::read_latched(low, high); // though nothing is latched
        carries += start >> 32 != now >> 32;
        allowed = 2 * (now - start) + most;
        ASSERT_LE(latched.observe(by_latch, allowed), allowed);
        ASSERT_LE(unlatched.observe(by_three, allowed), allowed);
        ASSERT_LE(wrong.observe(as_it_comes, allowed), 2 * allowed);
        ASSERT_LE(latched.value(), now);
        ASSERT_LE(unlatched.value(), now);
        ASSERT_LE(wrong.value(), now);
        ASSERT_GE(latched.value() + allowed, now);
        ASSERT_GE(unlatched.value() + allowed, now);
    }
    EXPECT_GT(carries, 50u);
    EXPECT_EQ(latched.gaps() + unlatched.gaps() + wrong.gaps(), 0u);
}

TEST(HardwareCounter, AnyThreadReadsIt) {
    wrapping_32 counter;
    std::atomic<bool> over{false};
    std::thread device([&] {
        for (std::uint64_t i = 1; i <= 50'000; ++i)
            counter.observe(i * 100'000, 100'000);
        over.store(true, std::memory_order_release); // for the last look
    });
    std::uint64_t last = 0;
    for (bool all = false; !all;) {
        all = over.load(std::memory_order_acquire);
        const std::uint64_t now = counter.value();
        EXPECT_GE(now, last);
        EXPECT_EQ(now % 100'000, 0u);
        last = now;
    }
    device.join();
    EXPECT_EQ(last, 5'000'000'000u);
}

} // namespace
