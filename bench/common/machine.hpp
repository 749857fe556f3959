// SPDX-License-Identifier: BSL-1.0
#pragma once

// What every suite needs to know of the machine: pinning, the processor's counter in nanoseconds, the machine
// sheet.

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

namespace bench {

// Pins the calling thread to the n-th processor it may run on; false when there is none such.
bool pin(unsigned n);

[[nodiscard]] unsigned processors();

// Nanoseconds for a tick of noria::tick_counter, measured once against the system's clock.
[[nodiscard]] double nanoseconds_per_tick();

// Processor time this thread has had, in seconds.
[[nodiscard]] double thread_seconds();

// CPU, caches, kernel, compiler: what must stand beside every figure.
[[nodiscard]] nlohmann::json machine_sheet();

} // namespace bench
