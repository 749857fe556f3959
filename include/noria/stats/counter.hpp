// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>

#include "noria/core/sync.hpp"

namespace noria::inline NORIA_ABI {

// A 64-bit count that one thread moves and any thread reads.
// Progress: wait-free. Cost: add is a plain load, add and store, with no locked instruction, which is why
// there may be only one writer; two writers would lose counts. Give each thread its own counter and sum on
// reading.
template <class Sync = std_sync>
class basic_counter {
  public:
    // Thread: the writer.
    void add(std::uint64_t n = 1) noexcept {
        // relaxed: a count publishes nothing but itself, and nobody else stores.
        const std::uint64_t before = value_.load(std::memory_order_relaxed);
        value_.store(before + n, std::memory_order_relaxed);
    }

    // Thread: any. Never torn, and never goes backwards for one reader (until the count wraps at 2^64).
    [[nodiscard]] std::uint64_t value() const noexcept {
        return value_.load(std::memory_order_relaxed); // relaxed: see add
    }

  private:
    typename Sync::template atomic<std::uint64_t> value_{0};
};

using counter = basic_counter<>;

} // namespace noria::inline NORIA_ABI
