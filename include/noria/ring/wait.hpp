// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <sched.h>

#include "noria/core/sync.hpp"

// How a program waits for a ring. A ring never does: full and empty are return values, and what to do about
// them is the caller's choice, made here, outside of every ring. To sleep until there is work, take
// noria/ring/notifier.hpp.

namespace noria::inline NORIA_ABI {

// What a loop does between a try that failed and the next. Requires: policy.wait(), noexcept.
template <class W>
concept wait_policy = requires(W& policy) {
    { policy.wait() } noexcept;
};

// Tries again at once. The fastest answer where both threads have a core of their own.
struct spin_wait {
    static void wait() noexcept {}
};

// Tells the core that this is a spin: it saves power and leaves the other hardware thread its share. An
// answer comes later by what the hint takes, some 10 to 140 cycles on x86-64.
template <class Sync>
struct basic_pause_wait {
    static void wait() noexcept { Sync::relax(); }
};
using pause_wait = basic_pause_wait<std_sync>;

// Lets another thread have the core: one system call. What to take where threads outnumber cores, since a
// spin would then keep the other side from the very work that it waits for.
struct yield_wait {
    static void wait() noexcept { ::sched_yield(); }
};

// Tries until it succeeds, and returns what the last try returned: true, or a count that is not zero.
//
//   wait_until(pause_wait(), [&]() noexcept { return producer.try_push(item); });
//
// Thread: as the try. Progress: none of its own, it ends when the other side moves. Cost: a first try that
// succeeds costs the try alone.
template <wait_policy Wait, class Try>
auto wait_until(Wait&& policy, Try&& attempt) noexcept(noexcept(attempt())) {
    for (;;) {
        if (auto done = attempt())
            return done;
        policy.wait();
    }
}

// The same, until stop() holds: what is returned is then false, or zero. At least one try is made, so what
// can be done without waiting is done even after the stop.
template <wait_policy Wait, class Try, class Stop>
[[nodiscard]] auto wait_until(Wait&& policy, Try&& attempt,
                              Stop&& stop) noexcept(noexcept(attempt()) && noexcept(stop())) {
    for (;;) {
        auto done = attempt();
        if (done || stop())
            return done;
        policy.wait();
    }
}

} // namespace noria::inline NORIA_ABI
