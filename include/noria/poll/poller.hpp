// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "noria/core/clock.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/sync.hpp"
#include "noria/poll/budget.hpp"
#include "noria/stats/counter.hpp"

namespace noria::inline NORIA_ABI {

// A pollable is a source of packets that stays silent while it is polled and calls for attention otherwise.
// Requires, both noexcept:
//   poll(budget) -> u32   does up to `budget` packets, errors and fillers included, and returns how many. All
//   of
//                         `budget` says that there is more; less says that the source was found empty.
//   rearm() -> bool       asks to be called again. True: armed, and nothing came in before that. False:
//   something
//                         did, so the source is to be polled again and is not armed.
template <class T>
concept pollable = requires(T& source, std::uint32_t budget) {
    { source.poll(budget) } noexcept -> std::same_as<std::uint32_t>;
    { source.rearm() } noexcept -> std::same_as<bool>;
};

// A pollable whose type was forgotten: a poller's list holds these. The only run-time polymorphism of the
// room, one indirect call a poll. Refers to the object and does not own it. Equal: the same object as the
// same type.
class poll_ref {
  public:
    poll_ref() noexcept = default;

    template <pollable T>
        requires(!std::same_as<T, poll_ref> && !std::is_const_v<T>)
    poll_ref(T& source) noexcept
        : object_(__builtin_addressof(source)), poll_([](void* object, std::uint32_t budget) noexcept {
              return static_cast<T*>(object)->poll(budget);
          }),
          rearm_([](void* object) noexcept { return static_cast<T*>(object)->rearm(); }) {}

    [[nodiscard]] std::uint32_t poll(std::uint32_t budget) const noexcept { return poll_(object_, budget); }
    [[nodiscard]] bool rearm() const noexcept { return rearm_(object_); }

    friend bool operator==(const poll_ref&, const poll_ref&) noexcept = default;

  private:
    void* object_ = nullptr;
    std::uint32_t (*poll_)(void*, std::uint32_t) noexcept = nullptr;
    bool (*rearm_)(void*) noexcept = nullptr;
};

struct poller_options {
    std::size_t capacity = 64; // instances that may be scheduled at one time
};

// What one cycle did.
struct poll_report {
    std::uint32_t work_done = 0; // packets
    std::uint32_t polls = 0;     // turns
    bool squeezed = false;       // cut off by the budget or the time

    friend bool operator==(const poll_report&, const poll_report&) noexcept = default;
};

// Gives scheduled instances turns, in order, each of at most one weight, as Linux's NAPI does. An instance
// that used its whole weight goes to the tail of the list and is not rearmed; one that used less is done,
// leaves the list and is rearmed, unless rearm says that work slipped in: then it goes to the tail as well.
// One difference: Linux keeps those at the tail for its next cycle, here their turn comes again while the
// budget lasts.
//
// Thread: one, the owner, for all but the totals. (An instance that is woken on another thread has to tell
// the owner, who schedules it.) Holds its instances by reference: cancel one before it dies. Clock may be a
// reference type, basic_poller<{}, manual_clock&>, for a clock that others look at too.
template <poller_options Options = poller_options{}, class Clock = monotonic_clock, class Sync = std_sync>
    requires clock_source<Clock>
class basic_poller {
    static_assert(Options.capacity > 0, "a poller needs room for at least one instance");

  public:
    // Precondition: neither packets nor weight is zero.
    explicit basic_poller(poll_budget budget = {}, Clock clock = Clock{}) noexcept
        : budget_(budget), clock_(clock) {
        NORIA_EXPECTS(budget.packets > 0 && budget.weight > 0,
                      "a budget or weight of zero packets polls nothing");
    }
    basic_poller(const basic_poller&) = delete;
    basic_poller& operator=(const basic_poller&) = delete;

    // Puts an instance at the tail of the list. One that is there already stays where it is, and one that is
    // having its turn will have another. False: the list is full, and the instance is not in it.
    // May be called from inside poll and rearm. Cost: a look at everything scheduled.
    [[nodiscard]] bool schedule(poll_ref instance) noexcept {
        const std::size_t place = find(instance);
        if (place < scheduled_) {
            called_again_ = called_again_ || (place == 0 && in_cycle_);
            return true;
        }
        if (scheduled_ == Options.capacity)
            return false;
        at(scheduled_++) = instance;
        return true;
    }

    // Takes an instance off the list; false if it was not there. Precondition: not inside a cycle.
    // Cost: moves what was scheduled behind it.
    bool cancel(poll_ref instance) noexcept {
        NORIA_EXPECTS(!in_cycle_, "an instance cannot be cancelled while instances have their turns");
        std::size_t place = find(instance);
        if (place == scheduled_)
            return false;
        for (--scheduled_; place < scheduled_; ++place)
            at(place) = at(place + 1);
        return true;
    }

    [[nodiscard]] std::size_t scheduled() const noexcept { return scheduled_; }

    // Gives turns until nothing is scheduled or the budget is spent. A turn that did no packet costs the
    // budget one all the same, so that instances that never find work and never get to sleep cannot hold the
    // thread. Precondition: not inside a cycle. Cost: beside the polls, one clock reading and one indirect
    // call or two a turn. Source: the semantics of net_rx_action and napi_complete_done.
    [[nodiscard]] poll_report cycle() noexcept {
        NORIA_EXPECTS(!in_cycle_, "cycle() was called from inside poll or rearm; return instead");
        poll_report report;
        if (scheduled_ == 0)
            return report;
        in_cycle_ = true;
        const nanoseconds start = clock_.now();
        std::uint32_t spent = 0;
        while (scheduled_ > 0 && !report.squeezed) {
            const std::uint32_t done = turn();
            report.work_done += done;
            ++report.polls;
            spent += done > 0 ? done : 1;
            // Counted even when that was the last instance, as in Linux: the time was too short for the work.
            report.squeezed = budget_.spent(spent, clock_.now() - start);
        }
        in_cycle_ = false;
        work_done_.add(report.work_done);
        polls_.add(report.polls);
        time_squeeze_.add(report.squeezed ? 1 : 0);
        return report;
    }

    // Totals over all cycles that ended. Thread: any.
    [[nodiscard]] std::uint64_t work_done() const noexcept { return work_done_.value(); }
    [[nodiscard]] std::uint64_t polls() const noexcept { return polls_.value(); }
    [[nodiscard]] std::uint64_t time_squeeze() const noexcept { return time_squeeze_.value(); }

  private:
    [[nodiscard]] poll_ref& at(std::size_t place) noexcept {
        return list_[(head_ + place) % Options.capacity];
    }

    // The place of an instance, or scheduled_.
    [[nodiscard]] std::size_t find(const poll_ref& instance) noexcept {
        std::size_t place = 0;
        while (place < scheduled_ && at(place) != instance)
            ++place;
        return place;
    }

    // One turn of the instance at the head. It keeps its place meanwhile: there must be a place to go on in.
    [[nodiscard]] std::uint32_t turn() noexcept {
        const poll_ref instance = at(0);
        called_again_ = false;
        const std::uint32_t done = instance.poll(budget_.weight);
        NORIA_EXPECTS(done <= budget_.weight,
                      "poll() did more packets than it was given; honour its argument");
        bool stays = done == budget_.weight || called_again_;
        if (!stays)
            stays = !instance.rearm() || called_again_; // what rearm arms may go off before it returns
        head_ = (head_ + 1) % Options.capacity;
        --scheduled_;
        if (stays)
            at(scheduled_++) = instance;
        return done;
    }

    std::array<poll_ref, Options.capacity> list_;
    std::size_t head_ = 0;
    std::size_t scheduled_ = 0;
    poll_budget budget_;
    bool in_cycle_ = false;
    bool called_again_ = false; // schedule() was called for the instance that is having its turn
    [[no_unique_address]] Clock clock_;
    basic_counter<Sync> work_done_;
    basic_counter<Sync> polls_;
    basic_counter<Sync> time_squeeze_;
};

using poller = basic_poller<>;

} // namespace noria::inline NORIA_ABI
