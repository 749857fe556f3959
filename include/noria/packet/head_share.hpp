// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "noria/core/sync.hpp"
#include "noria/memory/page.hpp"

namespace noria::inline NORIA_ABI {

// What the clones of one head have in common: how many they are, and the one reference to its page that all
// of them live on. While there are several, each may read the head and none may write it.
//
// Each call is the business of a holder, on whatever thread that one is; it never waits.
template <class Sync = std_sync>
class basic_head_share {
  public:
    // The one packet that has the head, before it is cloned for the first time. Takes over its reference.
    void start(basic_page<Sync>& under) noexcept {
        under_ = &under;
        holders_.store(1, std::memory_order_relaxed); // nobody else knows it yet
    }

    // One more.
    void join() noexcept {
        // acquire: partner is the fetch_sub of one that left, whose reads our own leave will answer for. A
        // sole holder needs no locked operation: nobody else can come or go meanwhile.
        const std::uint32_t holders = holders_.load(std::memory_order_acquire);
        if (holders == 1)
            holders_.store(2, std::memory_order_relaxed);
        else
            holders_.fetch_add(1, std::memory_order_relaxed);
    }

    // One fewer. True for the last one, who sends home the page, and then this.
    [[nodiscard]] bool leave() noexcept {
        // acq_rel: release our reads of the bytes to whoever writes them next, acquire those of the others if
        // we are the last.
        const std::uint32_t before = holders_.fetch_sub(1, std::memory_order_acq_rel);
        return before == 1;
    }

    // May the one holder who asks write the bytes?
    [[nodiscard]] bool alone() const noexcept {
        // acquire: partner is the fetch_sub of one that left; its reads of the bytes are over.
        return holders_.load(std::memory_order_acquire) == 1;
    }

    [[nodiscard]] basic_page<Sync>& under() const noexcept { return *under_; }

  private:
    typename Sync::template atomic<std::uint32_t> holders_{0};
    basic_page<Sync>* under_ = nullptr;
};

using head_share = basic_head_share<>;

} // namespace noria::inline NORIA_ABI
