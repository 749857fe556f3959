// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "noria/core/contract.hpp"
#include "noria/stats/drop_reason.hpp"

namespace noria::inline NORIA_ABI {

// The balance of a receive path: every packet the device offered was delivered, or was dropped for a reason,
// or is still held somewhere. Nothing else can happen to it, so
//
//   offered = delivered + sum of drops + held
//
// A plain value, drawn up from the counters of the parties. Drawn up by another thread, counter by counter,
// it closes only while they rest. To close at every moment, each thread keeps a ledger of its own, which it
// publishes (stats/published.hpp) whenever it is between two packets, and the reader joins them:
//
//   loss_ledger host, device;
//   while (!of_host.try_read(host)) {}     // the receiver's first, see published
//   while (!of_device.try_read(device)) {}
//   const loss_ledger both = joined(device, host);
//
// Thread: one, at a time.
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

    // Two parties in a row as one: what the first delivered was offered to the second, and what the second
    // has not counted yet is held between them. If the second counted more than the first delivered (which
    // cannot be, if both are honest and were read in the right order), the rest shows as a discrepancy below
    // zero.
    [[nodiscard]] friend loss_ledger joined(const loss_ledger& first, const loss_ledger& second) noexcept {
        loss_ledger both = first;
        both.delivered = second.delivered;
        both.held += second.held;
        if (first.delivered > second.offered)
            both.held += first.delivered - second.offered;
        for (std::size_t i = 0; i != both.drops_.size(); ++i)
            both.drops_[i] += second.drops_[i];
        return both;
    }

    friend bool operator==(const loss_ledger&, const loss_ledger&) noexcept = default;

  private:
    std::array<std::uint64_t, detail::drop_buckets> drops_{};
};

} // namespace noria::inline NORIA_ABI
