// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstdint>

#include "noria/core/sync.hpp"
#include "noria/stats/counter.hpp"

namespace noria::inline NORIA_ABI {

// Finds the flow that is more than half of the traffic: that one gives way when a backlog fills up, and the
// small flows beside it go on. It remembers the buckets of the last 128 packets it was asked about.
// Thread: one, who sends; any for count(). Memory: 4.3 KiB. Cost: O(1), four small loads and stores.
// Source: the semantics of skb_flow_limit (net.core.flow_limit_cpu_bitmap).
template <class Sync = std_sync>
class basic_flow_limiter {
  public:
    static constexpr std::uint32_t history = 128;
    static constexpr std::uint32_t buckets = 4096;

    // Whether the flow of this packet has had more than half of the last ones, this one among them.
    [[nodiscard]] bool over(std::uint32_t hash) noexcept {
        std::uint16_t& oldest = history_[next_];
        if (counts_[oldest] != 0) // a history that is not full yet names bucket 0
            --counts_[oldest];
        next_ = (next_ + 1) % history;
        oldest = static_cast<std::uint16_t>(hash % buckets);
        const bool too_many = ++counts_[oldest] > history / 2;
        if (too_many)
            count_.add();
        return too_many;
    }

    // How many times it was.
    [[nodiscard]] std::uint64_t count() const noexcept { return count_.value(); }

  private:
    static_assert(history < 256, "a bucket's count has 8 bits");

    std::array<std::uint8_t, buckets> counts_{};
    std::array<std::uint16_t, history> history_{};
    std::uint32_t next_ = 0;
    basic_counter<Sync> count_;
};

using flow_limiter = basic_flow_limiter<>;

} // namespace noria::inline NORIA_ABI
