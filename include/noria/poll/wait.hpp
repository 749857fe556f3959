// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <utility>

#include "noria/core/clock.hpp"
#include "noria/core/sync.hpp"
#include "noria/poll/inbox.hpp"
#include "noria/ring/notifier.hpp"
#include "noria/ring/wait.hpp"

// How the thread of a poller waits for its next cycle. To end such a loop from elsewhere, schedule an
// instance that says so: it wakes the thread like any other.
//
//   event_poll_sleep sleep(*noria::eventfd_sleep::open());
//   for (loop.cycle(); !over; loop.cycle()) // looked at behind a cycle, which may be the one that said it
//       wait_for_work(loop, sleep);         // or yield_wait(), pause_wait(), spin_wait(), an adaptive_wait

namespace noria::inline NORIA_ABI {

// Sleeps until something is scheduled with the poller. Sleep is that of the notifier: futex or eventfd.
// Thread: the poller's. It outlives all who may schedule. Cost: nothing for those who schedule while the
// poller is awake; one system call to wake it and one to sleep, two with an eventfd.
template <class Sync, class Sleep>
class basic_poll_sleep {
  public:
    basic_poll_sleep() noexcept
        requires std::default_initializable<Sleep>
    = default;
    explicit basic_poll_sleep(Sleep sleep) noexcept : bell_(std::move(sleep)) {}
    basic_poll_sleep(const basic_poll_sleep&) = delete;
    basic_poll_sleep& operator=(const basic_poll_sleep&) = delete;

    // Returns when there is something for a cycle to do, and at once if there is already.
    template <class Poller>
    void wait(Poller& loop) noexcept {
        do {
            if (!prepare(loop))
                return;
            bell_.sleep();
        } while (get_up(loop));
    }

    // The two halves of that, for a loop that waits for more than this: prepare, wait for fd() or for
    // anything else, finish. Prepare says false if there is something to do already: then do not wait, and do
    // not finish. Finish says true if there is still nothing. Cost: with an eventfd, finish is a system call.
    template <class Poller>
    [[nodiscard]] bool prepare(Poller& loop) noexcept {
        bell_.announce();
        if (loop.arm(waker_))
            return true;
        bell_.withdraw();
        return false;
    }
    template <class Poller>
    bool finish(Poller& loop) noexcept {
        const bool nothing = get_up(loop);
        // Also when there is nothing: who woke us the time before may ring as late as now, and what nobody
        // reads makes fd() readable for ever.
        if constexpr (requires { bell_.sleeper().acknowledge(); })
            bell_.sleeper().acknowledge();
        return nothing;
    }

    // For poll, epoll or io_uring: readable when it is time to finish.
    [[nodiscard]] int fd() const noexcept
        requires requires(const Sleep& sleep) { sleep.fd(); }
    {
        return bell_.sleeper().fd();
    }

  private:
    using bell = basic_notifier<Sync, Sleep>;

    template <class Poller>
    bool get_up(Poller& loop) noexcept {
        const bool nothing = loop.disarm();
        bell_.withdraw();
        return nothing;
    }

    bell bell_;
    const poll_waker waker_{[](void* rung) noexcept { static_cast<bell*>(rung)->notify(); }, &bell_};
};
using poll_sleep = basic_poll_sleep<std_sync, futex_sleep>;
using event_poll_sleep = basic_poll_sleep<std_sync, eventfd_sleep>;

// Looks for so long, then sleeps: what comes soon is met at once, what does not costs no core.
// Sleeping costs the one who schedules a system call and the sleeper the way back, so a time of about that
// (5 to 50 us) never costs more than twice the better choice.
template <class Sleep = poll_sleep, clock_source Clock = monotonic_clock, class Sync = std_sync>
class adaptive_wait {
  public:
    explicit adaptive_wait(Sleep& sleep, nanoseconds spin = 20'000, Clock clock = Clock{}) noexcept
        : sleep_(sleep), spin_(spin), clock_(clock) {}

    template <class Poller>
    void wait(Poller& loop) noexcept {
        const nanoseconds start = clock_.now();
        do {
            if (loop.pending())
                return;
            Sync::relax();
        } while (clock_.now() - start < spin_);
        sleep_.wait(loop);
    }

  private:
    Sleep& sleep_;
    nanoseconds spin_;
    [[no_unique_address]] Clock clock_;
};

// Returns when there is something for a cycle to do. Policy is one of the above, or a wait policy of rings
// (spin_wait, pause_wait, yield_wait), which is asked to wait between looks. Thread: the poller's.
template <class Poller, class Policy>
void wait_for_work(Poller& loop, Policy&& policy) noexcept {
    if constexpr (wait_policy<Policy>)
        while (!loop.pending())
            policy.wait();
    else
        policy.wait(loop);
}

} // namespace noria::inline NORIA_ABI
