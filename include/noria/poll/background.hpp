// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "noria/core/contract.hpp"
#include "noria/core/sync.hpp"
#include "noria/poll/inbox.hpp"
#include "noria/poll/poller.hpp"
#include "noria/stats/counter.hpp"

// When cycle after cycle is cut off, the thread that drives the poller gets to nothing else. Here a second
// thread takes the poller over then, until it has caught up: the place of Linux's ksoftirqd. Both threads are
// the user's and run the same loop, each over its side; give the second a lower priority or another core.
//
//   poll_background shared(loop);
//   foreground:  auto here = shared.foreground();
//                for (here.cycle(); !over; here.cycle()) {
//                    wait_for_work(here, sleep);
//                    ... its other work
//                }
//   background:  auto here = shared.background();
//                for (here.cycle(); !over; here.cycle())
//                    wait_for_work(here, other_sleep);
//
// An instance that sets `over` ends the side that drives, as in poll/wait.hpp. The other one, where it
// sleeps, is woken by nothing but a hand-off: if both are to end, let the background yield and look at `over`
// instead of sleeping.

namespace noria::inline NORIA_ABI {

template <class Poller = poller, class Sync = std_sync>
class basic_poll_background {
  public:
    class side;

    // `patience`: how many cycles in a row may be cut off before the poller changes hands. At least one.
    // Precondition: the poller outlives it, and nobody else drives it.
    explicit basic_poll_background(Poller& loop, std::uint32_t patience = 10) noexcept
        : poller_(loop), patience_(patience) {
        NORIA_EXPECTS(patience != 0, "a patience of no cycle hands off before the first");
    }
    basic_poll_background(const basic_poll_background&) = delete;
    basic_poll_background& operator=(const basic_poll_background&) = delete;

    [[nodiscard]] side foreground() noexcept { return side(*this, 0); }
    [[nodiscard]] side background() noexcept { return side(*this, background_drives); }

    // How many times the background took over. Thread: any.
    [[nodiscard]] std::uint64_t hand_offs() const noexcept { return hand_offs_.value(); }

  private:
    static constexpr std::uintptr_t background_drives = 1;
    static_assert(alignof(poll_waker) > background_drives, "the lowest bit says who drives");

    Poller& poller_;
    std::uint32_t patience_;
    std::uint32_t squeezed_in_a_row_ = 0; // of the foreground
    basic_counter<Sync> hand_offs_;
    // Who drives, and the waker of the other one if that one sleeps.
    typename Sync::template atomic<std::uintptr_t> word_{0};
};

// The poller as one of the two threads sees it: with nothing to do while the other one drives.
// Thread: its own. Progress: wait-free but for the polls.
template <class Poller, class Sync>
class basic_poll_background<Poller, Sync>::side {
  public:
    // A cycle of the poller, if it is this side's to drive. It passes to the background when as many cycles
    // as agreed were cut off in a row, and comes back with the first that is not.
    [[nodiscard]] poll_report cycle() noexcept {
        if (!drives())
            return {};
        const poll_report report = of_.poller_.cycle();
        if (me_ == background_drives) {
            if (!report.squeezed)
                pass_on();
        } else {
            of_.squeezed_in_a_row_ = report.squeezed ? of_.squeezed_in_a_row_ + 1 : 0;
            if (of_.squeezed_in_a_row_ == of_.patience_) {
                of_.squeezed_in_a_row_ = 0;
                of_.hand_offs_.add();
                pass_on();
            }
        }
        return report;
    }

    [[nodiscard]] bool drives() const noexcept {
        // Partner: the exchange in pass_on() of the other side.
        const std::uintptr_t word = of_.word_.load(std::memory_order_acquire);
        return (word & background_drives) == me_;
    }

    // As the poller's, for wait_for_work and for loops of one's own. The background that drives has always
    // something to do: at least to give the poller back.
    [[nodiscard]] bool pending() const noexcept {
        return drives() && (me_ == background_drives || of_.poller_.pending());
    }
    [[nodiscard]] bool arm(const poll_waker& waker) noexcept {
        const std::uintptr_t other = me_ ^ background_drives;
        std::uintptr_t before = other;
        while (before == other)
            // release: partner is pass_on() of the other side, which reads the waker.
            if (of_.word_.compare_exchange_weak(before, std::bit_cast<std::uintptr_t>(&waker) | other,
                                                std::memory_order_release, std::memory_order_relaxed))
                return true;
        return me_ != background_drives && drives() && of_.poller_.arm(waker);
    }
    bool disarm() noexcept {
        const std::uintptr_t other = me_ ^ background_drives;
        std::uintptr_t before = of_.word_.load(std::memory_order_relaxed);
        while ((before & background_drives) == other && before != other)
            if (of_.word_.compare_exchange_weak(before, other, std::memory_order_relaxed,
                                                std::memory_order_relaxed))
                return true;
        // False too where it was the word that was armed.
        return (before & background_drives) == me_ && of_.poller_.disarm();
    }

  private:
    friend basic_poll_background;
    side(basic_poll_background& of, std::uintptr_t me) noexcept : of_(of), me_(me) {}

    void pass_on() noexcept {
        // release: partner is drives(), for all that the poller is. acquire: partner is arm().
        const std::uintptr_t before = of_.word_.exchange(me_ ^ background_drives, std::memory_order_acq_rel);
        if (before == me_)
            return;
        const auto* const sleeper = std::bit_cast<const poll_waker*>(before - me_);
        sleeper->function(sleeper->context);
    }

    basic_poll_background& of_;
    std::uintptr_t me_;
};

using poll_background = basic_poll_background<>;

} // namespace noria::inline NORIA_ABI
