// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "noria/core/clock.hpp"

namespace noria::inline NORIA_ABI {

// How much one cycle of a poller may do before it gives the thread back. The defaults are Linux's
// net.core.netdev_budget, dev_weight and two ticks of 1 ms.
struct poll_budget {
    std::uint32_t packets = 300;
    std::uint32_t weight = 64; // the most an instance without a weight of its own takes in a turn
    nanoseconds time = 2'000'000;

    // The end-of-cycle rule. It is asked after an instance ran, never before and never in the middle: every
    // cycle does something, and may pass `packets` by up to one weight.
    [[nodiscard]] constexpr bool spent(std::uint32_t packets_done, nanoseconds elapsed) const noexcept {
        return packets_done >= packets || elapsed >= time;
    }
};

} // namespace noria::inline NORIA_ABI
