// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>

#include "noria/core/contract.hpp"
#include "noria/core/sync.hpp"
#include "noria/poll/inbox.hpp"
#include "noria/poll/pollable.hpp"
#include "noria/ring/wait.hpp"

namespace noria::inline NORIA_ABI {

// What became of an instance in its turn.
enum class poll_fate : unsigned char {
    done,    // it is idle, and no longer the poller's
    again,   // it stays the poller's, and wants another turn
    parked,  // it was disabled meanwhile, and is no longer the poller's
    skipped, // the same, and it was not polled at all
};

struct poll_turn {
    std::uint32_t work_done; // packets
    poll_fate fate;
};

// A source as pollers see it, and all that is to be known of it: whether it waits for a turn, has one, was
// called meanwhile, or may not be polled at all. It has one place at a time, in a poller's hands or in
// nobody's, and that place is passed on like a token: so it is never polled twice at once, wherever it is
// scheduled from and whichever poller it moves to.
//
//   poller loop;
//   poll_instance rx(loop, queue);     // the source's interrupt calls rx.schedule()
//
// State, one word. As in NAPI:
//   scheduled   called for, and not served yet. What NAPI calls missed is this bit beside the next:
//   polling     in its turn, or between turns of a long run
//   disabled    not to be polled
//   parked      and out of the poller's hands, which is what disable() waits for
//
// Memory: two words and two pointers beside the poll_ref. Idle instances cost nobody anything.
// Precondition of its end: idle or disabled, and nobody is left who might schedule it.
template <class Sync = std_sync>
class basic_poll_instance {
  public:
    using inbox_type = basic_poll_inbox<basic_poll_instance, Sync>;

    // Idle and enabled. `weight`: the most packets it takes in a turn; 0: as its poller's budget says.
    // Precondition: the source and the poller outlive it.
    template <class Poller>
        requires requires(Poller& loop) {
            { loop.inbox() } noexcept -> std::same_as<inbox_type&>;
        }
    basic_poll_instance(Poller& loop, poll_ref source, std::uint32_t weight = 0) noexcept
        : source_(source), home_(&loop.inbox()), weight_(weight) {}
    basic_poll_instance(const basic_poll_instance&) = delete;
    basic_poll_instance& operator=(const basic_poll_instance&) = delete;
    ~basic_poll_instance() {
        NORIA_EXPECTS(idle(), "a poller still has this instance: disable() it before it goes");
    }

    // Asks for a turn. All that happened before is seen in a poll that begins later: the one it waits for
    // already, or one more if it is being polled. While disabled, the call is remembered until enable().
    // Thread: any, also inside its own poll and rearm. Progress: lock-free. Cost: one atomic instruction, and
    // a second one that brings an idle instance to its poller, and what its sleep costs to wake.
    void schedule() noexcept {
        // release: partners are the exchanges in begin(): the poll sees what was written before the call.
        // acquire: partners are finish() and enable(), after which the instance is the caller's.
        const std::uint32_t before = state_.fetch_or(scheduled, std::memory_order_acq_rel);
        if (before == 0)
            home().push(*this);
    }

    // After this nobody is inside poll or rearm, and nobody will be until enable(); what they did comes
    // before. If a poller has the instance, waits for its turn to end or, not having begun, to be skipped: so
    // that poller must be driven on another thread. On its own thread use poller.disable(instance).
    // Thread: any, one at a time for disable and enable. Precondition: enabled, not inside its own poll.
    // Differs from napi_disable, which forgets that the instance was scheduled.
    template <wait_policy Wait = yield_wait>
    void disable(Wait&& wait = Wait{}) noexcept {
        // acquire: partner is finish(): whoever disables an idle instance comes after its last turn.
        const std::uint32_t before = state_.fetch_or(disabled, std::memory_order_acquire);
        NORIA_EXPECTS((before & disabled) == 0, "it is disabled already: enable it in between");
        if (before == 0) {
            state_.fetch_or(parked, std::memory_order_relaxed); // nobody else has it
            return;
        }
        while (!let_go())
            wait.wait();
    }

    // Ends that. Schedules it if somebody tried to meanwhile, or it had more to do. Precondition: disabled.
    void enable() noexcept {
        // release: partner is schedule(): what was changed while disabled is seen in the next turn.
        const std::uint32_t before = state_.fetch_and(scheduled, std::memory_order_release);
        NORIA_EXPECTS((before & parked) != 0, "only what was disabled is enabled");
        if ((before & scheduled) != 0)
            home().push(*this);
    }

    // Waits until it was seen idle, or parked: the turns of before the call have ended, and what they did
    // comes before. Takes as long as there is always more to do. Thread: any but its poller's.
    template <wait_policy Wait = yield_wait>
    void synchronise(Wait&& wait = Wait{}) const noexcept {
        while (!idle())
            wait.wait();
    }

    // From here on its turns are another poller's: one that has it now passes it on when its turn comes. No
    // call is lost and nothing waits. Thread: any. The old poller must go on being driven until it has passed
    // it on; to be sure before that poller goes: disable(), move_to(), enable().
    template <class Poller>
    void move_to(Poller& loop) noexcept {
        // Partner: the load in home().
        home_.store(&loop.inbox(), std::memory_order_release);
    }

    // Neither waiting for a turn nor in one; or disabled. A look: it may change at any time.
    [[nodiscard]] bool idle() const noexcept {
        // Partners: finish() and park().
        const std::uint32_t state = state_.load(std::memory_order_acquire);
        return state == 0 || (state & parked) != 0;
    }
    // Called for and not served yet, as far as this thread knows.
    [[nodiscard]] bool called() const noexcept {
        return (state_.load(std::memory_order_relaxed) & scheduled) != 0;
    }

    // ---- for those who drive: pollers, and busy_poll ----

    [[nodiscard]] std::uint32_t weight() const noexcept { return weight_; }

    // Where its next turn is to be.
    [[nodiscard]] inbox_type& home() const noexcept {
        // Partner: the store in move_to().
        return *home_.load(std::memory_order_acquire);
    }

    // Takes an idle instance without it having been called. False: it is not idle.
    [[nodiscard]] bool try_take() noexcept {
        std::uint32_t idle_state = 0;
        // acquire: partners are finish() and enable().
        return state_.compare_exchange_strong(idle_state, polling, std::memory_order_acquire,
                                              std::memory_order_relaxed);
    }

    // One turn of at most `weight` packets. Precondition: the caller has it, out of its inbox or by
    // try_take(). Unless the fate is `again`, it is no longer his to touch. Cost: beside poll and rearm, one
    // atomic instruction when a run begins and one when it ends; a turn in the middle of a run costs none.
    // Source: the semantics of napi_poll and napi_complete_done.
    [[nodiscard]] poll_turn turn(std::uint32_t weight) noexcept {
        if (!begin())
            return {0, poll_fate::skipped};
        const std::uint32_t done = poll(weight);
        return {done, finish(done == weight)};
    }

    // The parts of a turn. False: it is disabled, and no longer the caller's.
    [[nodiscard]] bool begin() noexcept {
        // relaxed: a disable() that this misses waits for the turn that follows.
        const std::uint32_t state = state_.load(std::memory_order_relaxed);
        if ((state & disabled) != 0) {
            park(scheduled);
            return false;
        }
        if ((state & polling) == 0)
            // acquire: partner is schedule(), of those too who found it scheduled already.
            state_.fetch_xor(scheduled | polling, std::memory_order_acquire);
        else if ((state & scheduled) != 0)
            // acquire: the same in the middle of a run.
            state_.fetch_and(~scheduled, std::memory_order_acquire);
        return true;
    }
    [[nodiscard]] std::uint32_t poll(std::uint32_t weight) noexcept {
        const std::uint32_t done = source_.poll(weight);
        NORIA_EXPECTS(done <= weight, "poll() did more packets than it was given; honour its argument");
        return done;
    }
    [[nodiscard]] poll_fate finish(bool more) noexcept {
        more = more || called() || !source_.rearm();
        std::uint32_t state = polling;
        while (!more && state == polling)
            // release: partners are schedule(), disable() and idle(). A call since the last look is found
            // here at the latest: then the word is not what is expected.
            if (state_.compare_exchange_weak(state, 0, std::memory_order_release, std::memory_order_relaxed))
                return poll_fate::done;
        if (more)
            state = state_.load(std::memory_order_relaxed); // what this misses, begin() sees
        if ((state & disabled) == 0)
            return poll_fate::again;
        park(more ? scheduled : 0);
        return poll_fate::parked;
    }

    typename Sync::template cell<basic_poll_instance*> next{}; // of whoever has it

  private:
    static constexpr std::uint32_t scheduled = 1, polling = 2, disabled = 4, parked = 8;

    [[nodiscard]] bool let_go() const noexcept {
        // Partner: the exchange in park().
        return (state_.load(std::memory_order_acquire) & parked) != 0;
    }

    // Into the hands of who disabled it, with what enable() has to know.
    void park(std::uint32_t wish) noexcept {
        // release: partner is let_go().
        state_.fetch_or(parked | wish, std::memory_order_release);
    }

    poll_ref source_;
    typename Sync::template atomic<inbox_type*> home_;
    typename Sync::template atomic<std::uint32_t> state_{0};
    const std::uint32_t weight_;
};

using poll_instance = basic_poll_instance<>;

} // namespace noria::inline NORIA_ABI
