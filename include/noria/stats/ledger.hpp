// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstdint>

#include "noria/stats/drop_reason.hpp"

namespace noria::inline NORIA_ABI {

// The balance of a receive path: every packet the device offered was delivered, or was dropped for a reason,
// or is still held somewhere. Nothing else can happen to it, so
//
//   offered = delivered + sum of drops + held
//
// A plain value, drawn up from the counters of the parties. It closes exactly when they are at rest; drawn up
// while they run, the difference is what was on its way between two readings.
// Thread: one.
class loss_ledger {
  public:
    std::uint64_t offered = 0;
    std::uint64_t delivered = 0;
    std::uint64_t held = 0;

    // Precondition: reason is not consumed; that one belongs in `delivered`.
    void drop(drop_reason reason, std::uint64_t n = 1) noexcept {
        NORIA_EXPECTS(reason != drop_reason::consumed,
                      "a consumed packet was delivered; add it to `delivered`");
        drops_[detail::drop_bucket(reason)] += n;
    }

    // Takes over the drops of one party; its consumed packets are left out, since a packet is often counted
    // as delivered by one party and consumed by the next.
    template <class Sync>
    void add_drops(const basic_drop_histogram<Sync>& of_party) noexcept {
        for (std::uint32_t i = 0; i < drop_reason_count; ++i)
            if (const auto reason = static_cast<drop_reason>(i); reason != drop_reason::consumed)
                drop(reason, of_party.of(reason));
        constexpr drop_reason any_user = user_drop_reason(1, 0);
        drop(any_user, of_party.of(any_user));
    }

    [[nodiscard]] std::uint64_t dropped(drop_reason reason) const noexcept {
        return drops_[detail::drop_bucket(reason)];
    }
    [[nodiscard]] std::uint64_t dropped() const noexcept {
        std::uint64_t sum = 0;
        for (const std::uint64_t drops : drops_)
            sum += drops;
        return sum;
    }

    // Above zero: packets vanished without a reason. Below zero: some were counted twice.
    [[nodiscard]] std::int64_t discrepancy() const noexcept {
        return static_cast<std::int64_t>(offered - delivered - dropped() - held);
    }

    [[nodiscard]] bool closes() const noexcept { return discrepancy() == 0; }

  private:
    std::array<std::uint64_t, detail::drop_buckets> drops_{};
};

} // namespace noria::inline NORIA_ABI
