// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "noria/core/config.hpp"
#include "noria/core/contract.hpp"

// The two halves of a ring are roles: at any time one call at most is under way in each, and one token at
// most is open. Checked mode watches this. It looks at calls, not at threads: a role may be handed on from
// thread to thread.

namespace noria::inline NORIA_ABI::detail {

// Lives in a handle and moves with it. Relaxed on purpose: an exchange sees the latest value in any order,
// and a stronger one would hide from a race detector the very races that it should report.
template <class Sync, bool Watch = checked_mode>
class role_watch {
  public:
    role_watch() noexcept = default;
    role_watch(role_watch&& other) noexcept { other.begin(); }

    void begin() noexcept {
        [[maybe_unused]] const std::uint32_t before = state_.exchange(in_call, std::memory_order_relaxed);
        NORIA_EXPECTS(before != in_call,
                      "two calls of one role overlap, or its handle was moved away: one thread at a time");
        NORIA_EXPECTS(before != token_open, "a token of this role is open: commit, release or drop it first");
    }
    void end() noexcept { state_.store(idle, std::memory_order_relaxed); }
    void open() noexcept { state_.store(token_open, std::memory_order_relaxed); }

  private:
    static constexpr std::uint32_t idle = 0, in_call = 1, token_open = 2;
    typename Sync::template atomic<std::uint32_t> state_{idle};
};

template <class Sync>
class role_watch<Sync, false> {
  public:
    void begin() noexcept {}
    void end() noexcept {}
    void open() noexcept {}
};

// Counts a handle among the living for as long as it is. Relaxed: whoever splits a ring again has
// synchronised with the threads that held its handles, and is only reminded here.
template <class Sync>
class role_hold {
  public:
    using counter = typename Sync::template atomic<std::uint32_t>;

    explicit role_hold(counter& handles) noexcept : handles_(&handles) {
        handles_->fetch_add(1, std::memory_order_relaxed);
    }
    role_hold(role_hold&& other) noexcept : handles_(std::exchange(other.handles_, nullptr)) {}
    ~role_hold() {
        if (handles_)
            handles_->fetch_sub(1, std::memory_order_relaxed);
    }

    [[nodiscard]] explicit operator bool() const noexcept { return handles_ != nullptr; }

  private:
    counter* handles_;
};

} // namespace noria::inline NORIA_ABI::detail
