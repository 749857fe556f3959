// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "noria/core/config.hpp"

namespace noria::inline NORIA_ABI::backend {

// Whether a fault strikes now: with a probability of one in so many, and the same seed is the same faults.
// xorshift64 (Marsaglia 2003). One thread.
class fault_dice {
  public:
    explicit fault_dice(std::uint64_t seed) noexcept : state_(seed | 1) {}

    // Never for 0, which does not move the dice either.
    [[nodiscard]] bool strikes(std::uint32_t one_in) noexcept {
        if (one_in == 0)
            return false;
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return state_ % one_in == 0;
    }

  private:
    std::uint64_t state_;
};

} // namespace noria::inline NORIA_ABI::backend
