// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "noria/core/clock.hpp"
#include "noria/core/sync.hpp"
#include "noria/poll/instance.hpp"

namespace noria::inline NORIA_ABI {

// Polls an instance on the caller's thread, without it having called, until it did something or the clock
// shows `until`; returns how many packets it did. The source is not rearmed before the end, so it interrupts
// once at most, and nobody is woken by that. Whoever is faster has it: while it is in a poller's hands, this
// only waits. Afterwards it is rearmed, or goes to its poller if there is more or it has called. For a reader
// who would sleep otherwise, and for whom the way over interrupt, poller and wake-up takes longer than the
// packet.
// Thread: any. Cost: a core, until it returns. Source: the semantics of napi_busy_loop (net.core.busy_poll).
template <class Sync, clock_source Clock>
[[nodiscard]] std::uint32_t busy_poll(basic_poll_instance<Sync>& instance, nanoseconds until, Clock&& clock,
                                      std::uint32_t weight = 8) noexcept {
    while (!instance.try_take()) {
        if (clock.now() >= until)
            return 0;
        Sync::relax();
    }
    std::uint32_t done = 0;
    do {
        if (!instance.begin())
            return 0; // disabled
        done = instance.poll(weight);
    } while (done == 0 && clock.now() < until);
    if (instance.finish(done == weight) == poll_fate::again)
        instance.home().push(instance);
    return done;
}

} // namespace noria::inline NORIA_ABI
