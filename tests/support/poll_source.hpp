// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "noria/core/clock.hpp"

// A queue of packets and what happened to it. One thread.
struct poll_source {
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
