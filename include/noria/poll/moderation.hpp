// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>

#include "noria/core/clock.hpp"
#include "noria/core/contract.hpp"

// How long a device holds its interrupt back after the last one, so that one interrupt serves several
// packets: fewer interrupts, and up to so much more latency. The source notes each event (an interrupt and
// the polls that followed it) and tells its device the interval whenever it rearms.

namespace noria::inline NORIA_ABI {

// Requires, all noexcept: note(packets, bytes) at the end of each event; interval(), what to set next.
template <class M>
concept moderation_policy = requires(M& moderation, std::uint32_t packets, std::uint64_t bytes) {
    { moderation.note(packets, bytes) } noexcept;
    { moderation.interval() } noexcept -> std::same_as<nanoseconds>;
};

// Always the same.
class static_moderation {
  public:
    explicit static_moderation(nanoseconds interval) noexcept : interval_(interval) {}
    static void note(std::uint32_t, std::uint64_t) noexcept {}
    [[nodiscard]] nanoseconds interval() const noexcept { return interval_; }

  private:
    nanoseconds interval_;
};

struct moderation_options {
    std::array<nanoseconds, 5> intervals{1'000, 8'000, 64'000, 128'000, 256'000}; // ascending
    std::uint32_t events = 64;                                                    // to a sample
    std::uint32_t noise = 10;       // percent; differences of no more between samples say nothing
    nanoseconds pause = 10'000'000; // without an event: nothing is going on
};

// Looks for the interval by trying. After each sample it compares: more bytes a second are better; if they
// are the same, more packets; if they are too, fewer interrupts. It goes to longer intervals as long as that
// makes things better, and to shorter ones as long as that makes nothing worse; one step too far is taken
// back, and there it parks until the traffic is another: more sends it to longer intervals, less to shorter
// ones. After a pause it begins anew with the shortest.
// Thread: one. Cost: one clock reading and some additions an event. Source: the idea of Linux's lib/dim
// (dynamic interrupt moderation), with the rules above, which park after one climb at most.
template <moderation_options Options = moderation_options{}, clock_source Clock = monotonic_clock>
class adaptive_moderation {
    static_assert(Options.events > 0);

  public:
    explicit adaptive_moderation(Clock clock = Clock{}) noexcept : clock_(clock), began_(clock_.now()) {}

    void note(std::uint32_t packets, std::uint64_t bytes) noexcept {
        const nanoseconds now = clock_.now();
        if (now - last_event_ > Options.pause)
            start_again(now);
        last_event_ = now;
        packets_ += packets;
        bytes_ += bytes;
        if (++events_ < Options.events)
            return;
        decide(rates_until(now));
        begin_sample(now);
    }

    [[nodiscard]] nanoseconds interval() const noexcept { return Options.intervals[step_]; }
    [[nodiscard]] bool parked() const noexcept { return course_ == course::parked; }

  private:
    enum class course : unsigned char { starting, longer, shorter, parked };
    enum class change : unsigned char { worse, same, better };

    // A second.
    struct rates {
        std::uint64_t bytes = 0, packets = 0, events = 0;
    };

    void start_again(nanoseconds now) noexcept {
        step_ = 0;
        course_ = course::starting;
        begin_sample(now);
    }
    void begin_sample(nanoseconds now) noexcept {
        began_ = now;
        events_ = 0;
        packets_ = 0;
        bytes_ = 0;
    }
    [[nodiscard]] rates rates_until(nanoseconds now) const noexcept {
        const nanoseconds passed = now > began_ ? now - began_ : 1;
        const auto rate = [&](std::uint64_t count) { return count * 1'000'000 / (passed / 1'000 + 1); };
        return {rate(bytes_), rate(packets_), rate(events_)};
    }

    [[nodiscard]] static change compare(std::uint64_t now, std::uint64_t before) noexcept {
        const std::uint64_t difference = now > before ? now - before : before - now;
        if (difference * 100 <= before * Options.noise)
            return change::same;
        return now > before ? change::better : change::worse;
    }
    [[nodiscard]] static change compare(const rates& now, const rates& before) noexcept {
        change found = compare(now.bytes, before.bytes);
        if (found == change::same)
            found = compare(now.packets, before.packets);
        if (found == change::same)
            found = compare(before.events, now.events); // fewer are better
        return found;
    }

    void decide(const rates& now) noexcept {
        const change found = compare(now, before_);
        switch (course_) {
        case course::starting:
            set_off(course::longer);
            break;
        case course::longer:
            if (found != change::better) {
                take_back(-1);
                return; // with the sample of the step that it is back at
            }
            go_on();
            break;
        case course::shorter:
            if (found == change::worse) {
                take_back(+1);
                return;
            }
            go_on();
            break;
        case course::parked:
            if (found == change::same)
                return; // what it parked with is what the next samples are compared with
            set_off(found == change::better ? course::longer : course::shorter);
            break;
        }
        before_ = now;
    }

    void set_off(course where) noexcept {
        course_ = where;
        go_on();
    }
    void go_on() noexcept {
        const std::size_t edge = course_ == course::longer ? Options.intervals.size() - 1 : 0;
        if (step_ == edge)
            course_ = course::parked;
        else
            step_ += course_ == course::longer ? 1 : std::size_t(-1);
    }
    void take_back(int step) noexcept {
        step_ += static_cast<std::size_t>(step);
        course_ = course::parked;
    }

    [[no_unique_address]] Clock clock_;
    std::size_t step_ = 0;
    course course_ = course::starting;
    rates before_;
    nanoseconds began_;
    nanoseconds last_event_ = began_;
    std::uint32_t events_ = 0;
    std::uint64_t packets_ = 0;
    std::uint64_t bytes_ = 0;
};

static_assert(moderation_policy<static_moderation> && moderation_policy<adaptive_moderation<>>);

} // namespace noria::inline NORIA_ABI
