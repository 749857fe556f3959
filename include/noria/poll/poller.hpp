// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "noria/core/cacheline.hpp"
#include "noria/core/clock.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/sync.hpp"
#include "noria/poll/budget.hpp"
#include "noria/poll/instance.hpp"
#include "noria/stats/counter.hpp"

namespace noria::inline NORIA_ABI {

// What one cycle did.
struct poll_report {
    std::uint32_t work_done = 0; // packets
    std::uint32_t polls = 0;     // turns
    bool squeezed = false;       // cut off by the budget or the time

    friend bool operator==(const poll_report&, const poll_report&) noexcept = default;
};

// Gives scheduled instances turns, in order, each of at most its weight, as Linux's NAPI does. An instance
// that used its whole weight goes to the tail of the list and is not rearmed; one that used less is done,
// leaves the list and is rearmed, unless rearm says that work slipped in: then it goes to the tail as well.
// One difference: Linux keeps those at the tail for its next cycle, here their turn comes again while the
// budget lasts.
//
// Thread: one at a time, the owner, for all but the totals and what instances do; owners that follow each
// other synchronise. Several pollers live side by side. It knows no instance but those that wait for a turn,
// so it costs the same with 1 idle instance and with 10,000. It outlives the instances whose home it is.
// Clock may be a reference type, basic_poller<manual_clock&>, for a clock that others look at too.
template <clock_source Clock = monotonic_clock, class Sync = std_sync>
class basic_poller {
  public:
    using instance_type = basic_poll_instance<Sync>;
    using inbox_type = typename instance_type::inbox_type;

    // Precondition: neither packets nor weight is zero.
    explicit basic_poller(poll_budget budget = {}, Clock clock = Clock{}) noexcept
        : budget_(budget), clock_(clock) {
        NORIA_EXPECTS(budget.packets > 0 && budget.weight > 0,
                      "a budget or weight of zero packets polls nothing");
    }
    basic_poller(const basic_poller&) = delete;
    basic_poller& operator=(const basic_poller&) = delete;
    ~basic_poller() {
        NORIA_EXPECTS(!pending(),
                      "an instance waits here for its turn: disable it, or drive the poller on until "
                      "what has moved was passed on, before it goes");
    }

    // How many wait for a turn, or have one.
    [[nodiscard]] std::size_t scheduled() noexcept {
        collect();
        return scheduled_ + (turning_ != nullptr ? 1 : 0);
    }

    // Gives turns until nothing is scheduled or the budget is spent. A turn that did no packet costs the
    // budget one all the same, so that instances that never find work and never get to sleep cannot hold the
    // thread. Precondition: not inside a cycle. Cost: beside the turns, one clock reading and one load each.
    // Source: the semantics of net_rx_action.
    [[nodiscard]] poll_report cycle() noexcept {
        NORIA_EXPECTS(turning_ == nullptr, "cycle() was called from inside poll or rearm; return instead");
        poll_report report;
        if (!pending())
            return report;
        const nanoseconds start = clock_.now();
        std::uint32_t spent = 0;
        collect();
        while (first_ != nullptr && !report.squeezed) {
            const poll_turn turn = give_turn();
            if (turn.fate == poll_fate::skipped)
                continue;
            report.work_done += turn.work_done;
            ++report.polls;
            spent += turn.work_done > 0 ? turn.work_done : 1;
            // Counted even when that was the last instance, as in Linux: the time was too short for the work.
            report.squeezed = budget_.spent(spent, clock_.now() - start);
        }
        work_done_.add(report.work_done);
        polls_.add(report.polls);
        time_squeeze_.add(report.squeezed ? 1 : 0);
        return report;
    }

    // As instance.disable(), on the owner's thread, inside the poll of another instance too: what waits for a
    // turn here is taken off the list without one. If another poller has it, waits for that one, which must
    // not be waiting for this one in the same way. Cost: a look at everything scheduled.
    template <wait_policy Wait = yield_wait>
    void disable(instance_type& instance, Wait&& wait = Wait{}) noexcept {
        NORIA_EXPECTS(turning_ != &instance, "an instance cannot be disabled from inside its own turn");
        struct unlinking {
            basic_poller& poller;
            instance_type& instance;
            Wait& wait_;
            void wait() noexcept {
                poller.collect();
                if (poller.unlink(instance))
                    static_cast<void>(instance.turn(0)); // which parks it
                else
                    wait_.wait();
            }
        };
        instance.disable(unlinking{*this, instance, wait});
    }

    // Whether a cycle would find something. Cost: one load.
    [[nodiscard]] bool pending() const noexcept { return first_ != nullptr || !inbox_.empty(); }

    // For the user's own loop: the next schedule() calls waker.function(waker.context), on the thread that
    // schedules. Once; false if there is something to do already, and then it will not. See poll_waker.
    // Precondition: not armed.
    [[nodiscard]] bool arm(const poll_waker& waker) noexcept {
        return first_ == nullptr && inbox_.arm(waker);
    }
    // Takes that back. False if the waker was called, or is just about to be.
    bool disarm() noexcept { return inbox_.disarm(); }

    // Where instances come in, from any thread.
    [[nodiscard]] inbox_type& inbox() noexcept { return inbox_; }

    // Totals over all cycles that ended. Thread: any.
    [[nodiscard]] std::uint64_t work_done() const noexcept { return work_done_.value(); }
    [[nodiscard]] std::uint64_t polls() const noexcept { return polls_.value(); }
    [[nodiscard]] std::uint64_t time_squeeze() const noexcept { return time_squeeze_.value(); }

  private:
    // The turn of the instance at the head.
    [[nodiscard]] poll_turn give_turn() noexcept {
        instance_type& instance = *first_;
        static_cast<void>(unlink(instance));
        poll_turn turn{0, poll_fate::skipped};
        if (inbox_type& home = instance.home(); &home == &inbox_) {
            turning_ = &instance;
            turn = instance.turn(instance.weight() != 0 ? instance.weight() : budget_.weight);
            turning_ = nullptr;
        } else {
            home.push(instance); // it has moved
        }
        collect(); // who was called meanwhile is before it
        if (turn.fate == poll_fate::again)
            append(instance);
        return turn;
    }

    void collect() noexcept {
        for (instance_type* each = inbox_.take(); each != nullptr;) {
            instance_type& arrived = *each;
            Sync::read(arrived.next, each);
            append(arrived);
        }
    }

    void append(instance_type& instance) noexcept {
        Sync::write(instance.next, nullptr);
        if (first_ == nullptr)
            first_ = &instance;
        else
            Sync::write(last_->next, &instance);
        last_ = &instance;
        ++scheduled_;
    }

    // False if it is not in the list.
    [[nodiscard]] bool unlink(instance_type& instance) noexcept {
        instance_type* before = nullptr;
        instance_type* each = first_;
        while (each != nullptr && each != &instance) {
            before = each;
            Sync::read(before->next, each);
        }
        if (each == nullptr)
            return false;
        instance_type* after = nullptr;
        Sync::read(instance.next, after);
        if (before == nullptr)
            first_ = after;
        else
            Sync::write(before->next, after);
        if (after == nullptr)
            last_ = before;
        --scheduled_;
        return true;
    }

    alignas(thread_gap) inbox_type inbox_; // written by other threads
    alignas(thread_gap) instance_type* first_ = nullptr;
    instance_type* last_ = nullptr;
    std::size_t scheduled_ = 0;
    instance_type* turning_ = nullptr;
    poll_budget budget_;
    [[no_unique_address]] Clock clock_;
    basic_counter<Sync> work_done_;
    basic_counter<Sync> polls_;
    basic_counter<Sync> time_squeeze_;
};

using poller = basic_poller<>;

} // namespace noria::inline NORIA_ABI
