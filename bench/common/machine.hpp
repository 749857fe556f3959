// SPDX-License-Identifier: BSL-1.0
#pragma once

// What every suite needs to know of the machine and to ask of it: pinning, real-time priority, the
// processor's counter in nanoseconds, the machine sheet.

#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace bench {

// Pins the calling thread to the n-th processor it may run on; false when there is none such.
bool pin(unsigned n);

[[nodiscard]] unsigned processors();

// Real-time priority for as long as it lives, where that is permitted.
class real_time {
  public:
    real_time();
    real_time(const real_time&) = delete;
    real_time& operator=(const real_time&) = delete;
    ~real_time();

    [[nodiscard]] static bool permitted();
};

// How often the system has taken the processor from the calling thread.
[[nodiscard]] std::uint64_t preemptions();

// Nanoseconds for a tick of noria::tick_counter, measured once against the system's clock.
[[nodiscard]] double nanoseconds_per_tick();
[[nodiscard]] std::uint64_t ticks_for(double seconds);

// Processor time this thread has had, in seconds.
[[nodiscard]] double thread_seconds();

// CPU, caches, kernel, compiler: what must stand beside every figure.
[[nodiscard]] nlohmann::json machine_sheet();

} // namespace bench
