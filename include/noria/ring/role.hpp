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

// The two roles, as bits of the word of a ring that says which are taken.
enum class role : std::uint32_t { producer = 1, consumer = 2 };

// Keeps one role taken for as long as it lives, or is empty where the role was taken before. The word itself
// hands the role on: from thread to thread, and from process to process.
template <class Sync>
class role_claim {
  public:
    using word = typename Sync::template atomic<std::uint32_t>;

    role_claim(word& taken, role which) noexcept : role_(which) {
        // Partner: the fetch_and in let_go(). The last holder's doings in this role are seen by the next.
        const std::uint32_t before = taken.fetch_or(bit(which), std::memory_order_acquire);
        if ((before & bit(which)) == 0)
            taken_ = &taken;
    }
    role_claim(role_claim&& other) noexcept
        : taken_(std::exchange(other.taken_, nullptr)), role_(other.role_) {}
    ~role_claim() {
        if (taken_)
            let_go(*taken_, role_);
    }

    [[nodiscard]] explicit operator bool() const noexcept { return taken_ != nullptr; }

    static void let_go(word& taken, role which) noexcept {
        // Partner: the fetch_or in the constructor. What was done in this role is done before it is free.
        taken.fetch_and(~bit(which), std::memory_order_release);
    }

  private:
    [[nodiscard]] static constexpr std::uint32_t bit(role which) noexcept {
        return static_cast<std::uint32_t>(which);
    }

    word* taken_ = nullptr;
    role role_;
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
