// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstdint>
#include <ctime>

#include "noria/core/config.hpp"

namespace noria::inline NORIA_ABI {

// Time is a count of nanoseconds from an arbitrary start; spans of it are the same type.
using nanoseconds = std::uint64_t;

// A clock tells the time and never goes backwards. Whatever waits or measures takes one, so that tests own
// time. Requires: clock.now() -> nanoseconds, noexcept.
template <class Clock>
concept clock_source = requires(Clock& clock) {
    { clock.now() } noexcept -> std::same_as<nanoseconds>;
};

// The machine's CLOCK_MONOTONIC. Any thread; about 20 ns a call.
struct monotonic_clock {
    [[nodiscard]] nanoseconds now() const noexcept {
        std::timespec time;
        ::clock_gettime(CLOCK_MONOTONIC, &time);
        return static_cast<nanoseconds>(time.tv_sec) * 1'000'000'000u +
               static_cast<nanoseconds>(time.tv_nsec);
    }
};

// A clock that moves only when told to. One thread.
class manual_clock {
  public:
    [[nodiscard]] nanoseconds now() const noexcept { return now_; }
    void advance(nanoseconds by) noexcept { now_ += by; }

  private:
    nanoseconds now_ = 0;
};

// The processor's own counter, for comparing short stretches with each other: steady, but not nanoseconds.
// Any thread; about 10 ns a call.
struct tick_counter {
    [[nodiscard]] std::uint64_t now() const noexcept {
#if defined(__x86_64__)
        return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
        std::uint64_t ticks;
        asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
        return ticks;
#else
        return monotonic_clock{}.now();
#endif
    }
};

static_assert(clock_source<monotonic_clock> && clock_source<manual_clock>);

} // namespace noria::inline NORIA_ABI
