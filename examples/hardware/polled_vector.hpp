// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "noria/core/clock.hpp"
#include "noria/poll/moderation.hpp"

namespace hardware {

// The queues of one interrupt vector, as a poller sees them (noria/poll/pollable.hpp): Work is polled, and
// the vector armed again when it found nothing more. While somebody polls the card is silent.
//
// Interrupts is a driver's: arm(vector), mask(vector), set_interval(vector, ns), and masks_when_it_calls,
// whether the card then masks the vector by itself. Work is a function (budget) -> how many packets it did,
// noexcept; and if it has bytes(), how many there were in all is told to the moderation. One thread.
template <class Interrupts, class Work, noria::moderation_policy Moderation = noria::static_moderation>
    requires std::is_nothrow_invocable_r_v<std::uint32_t, Work&, std::uint32_t>
class polled_vector {
  public:
    // Set-up. Interrupts and Work outlive this.
    polled_vector(Interrupts& calls, std::uint32_t vector, Work& work, Moderation moderation) noexcept
        : calls_(calls), vector_(vector), work_(work), moderation_(std::move(moderation)) {
        calls_.set_interval(vector_, interval_ = moderation_.interval());
        if constexpr (requires { work_.bytes(); })
            bytes_ = work_.bytes();
    }

    [[nodiscard]] std::uint32_t poll(std::uint32_t budget) noexcept {
        if constexpr (!Interrupts::masks_when_it_calls)
            if (std::exchange(armed_, false))
                calls_.mask(vector_); // silent, from here to rearm
        const std::uint32_t done = work_(budget);
        packets_ += done;
        return done;
    }

    // The end of one call and the polls that followed it. Nothing can have slipped in between: what came
    // after the last look has set the vector's cause, and arming it then brings the call.
    [[nodiscard]] bool rearm() noexcept {
        std::uint64_t bytes = 0;
        if constexpr (requires { work_.bytes(); })
            bytes = work_.bytes() - std::exchange(bytes_, work_.bytes());
        moderation_.note(std::exchange(packets_, 0), bytes);
        if (const noria::nanoseconds wanted = moderation_.interval(); wanted != interval_)
            calls_.set_interval(vector_, interval_ = wanted);
        armed_ = true;
        calls_.arm(vector_);
        return true;
    }

    [[nodiscard]] const Moderation& moderation() const noexcept { return moderation_; }

  private:
    Interrupts& calls_;
    std::uint32_t vector_;
    Work& work_;
    Moderation moderation_;
    noria::nanoseconds interval_ = 0; // as the card knows it
    std::uint32_t packets_ = 0;       // since the last call
    std::uint64_t bytes_ = 0;         // at the last call
    bool armed_ = false;
};

} // namespace hardware
