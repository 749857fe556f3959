// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <utility>

#include <linux/futex.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "noria/core/cacheline.hpp"
#include "noria/core/result.hpp"
#include "noria/core/sync.hpp"

// For a consumer that sleeps when there is nothing to do, beside any ring and unknown to it.
//
//   notifier bell;
//   producer:  if (push_burst(ring, items) != 0) bell.notify();
//   consumer:  auto count = bell.wait([&]() noexcept { return pop_burst(ring, items); });
//
// A wake-up is lost where the producer looks for a sleeper before its item can be seen, while the consumer
// looks for an item before its announcement can be seen: each misses the other, and one of them sleeps for
// ever. Looking after writing does not help by itself, because a store and a later load of another word may
// change places. Here both sides change one and the same word, and the changes of one word stand in a row.
// Either the announcement comes first, and the producer finds it and wakes; or the notification comes first,
// and the announcement reads it, and with it every item that was published before.

namespace noria::inline NORIA_ABI {

// How to sleep on a word and how to be woken. Requires: sleep.sleep_while(word, value), which returns at the
// latest when wake(word) is called after the word was changed, and may return any time before;
// sleep.wake(word). Both noexcept.
template <class S, class Sync>
concept sleep_policy =
    requires(const S& sleep, const typename Sync::template atomic<std::uint32_t>& word, std::uint32_t value) {
        { sleep.sleep_while(word, value) } noexcept;
        { sleep.wake(word) } noexcept;
    };

// The kernel's own queue of sleepers on a word. Cost: one system call for each sleep, one for each wake.
// Source: futex(2).
template <bool Shared>
class basic_futex_sleep {
  public:
    static void sleep_while(const std::atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
        ::syscall(SYS_futex, &word, Shared ? FUTEX_WAIT : FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
    }
    static void wake(const std::atomic<std::uint32_t>& word) noexcept {
        ::syscall(SYS_futex, &word, Shared ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    }

  private:
    static_assert(sizeof(std::atomic<std::uint32_t>) == 4, "the kernel looks at the word itself");
};
using futex_sleep = basic_futex_sleep<false>;       // between threads of one process
using shared_futex_sleep = basic_futex_sleep<true>; // between processes: the notifier lies in shared memory

// A sleep that an event loop can take over: fd() is readable once somebody has been woken. The processes that
// share it must share the descriptor as well, so it serves the threads of one. Move-only.
// Source: eventfd(2).
class eventfd_sleep {
  public:
    // Set-up.
    [[nodiscard]] static result<eventfd_sleep> open() noexcept {
        const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (fd < 0)
            return make_error(std::errc::too_many_files_open,
                              "the system gave no eventfd: close some files or raise the limit (ulimit -n)");
        return eventfd_sleep(fd);
    }
    eventfd_sleep(eventfd_sleep&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    ~eventfd_sleep() {
        if (fd_ >= 0)
            ::close(fd_);
    }

    // For poll, epoll or io_uring, to be asked for readability.
    [[nodiscard]] int fd() const noexcept { return fd_; }

    // Makes fd() unreadable again. Call it when the loop reports the descriptor, before the next announce():
    // a wake that comes later than the announcement then stays to be seen.
    void acknowledge() const noexcept {
        std::uint64_t wakes;
        [[maybe_unused]] const auto read = ::read(fd_, &wakes, sizeof wakes);
    }

    // The descriptor remembers a wake, so nothing is lost by not looking at the word.
    void sleep_while(const std::atomic<std::uint32_t>&, std::uint32_t) const noexcept {
        pollfd readable{fd_, POLLIN, 0};
        ::poll(&readable, 1, -1);
        acknowledge();
    }
    // The write fails only where 2^64 - 2 wakes are waiting already, and then the descriptor is readable.
    void wake(const std::atomic<std::uint32_t>&) const noexcept {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
    }

  private:
    explicit eventfd_sleep(int fd) noexcept : fd_(fd) {}
    int fd_;
};

// One sleeper and any number of notifiers. A notification without a sleeper is not remembered: the ring is
// what remembers. Memory: one word with its lines, nothing is allocated.
template <class Sync, class Sleep>
    requires sleep_policy<Sleep, Sync>
class basic_notifier {
  public:
    basic_notifier() noexcept
        requires std::default_initializable<Sleep>
    = default;
    explicit basic_notifier(Sleep sleep) noexcept : sleep_(std::move(sleep)) {}
    basic_notifier(const basic_notifier&) = delete;
    basic_notifier& operator=(const basic_notifier&) = delete;

    // Wakes the consumer if it sleeps or is about to. Call it after publishing: once after a burst, at the
    // latest before the producer turns to something else, since until then the consumer may sleep on.
    // Thread: any. Progress: wait-free. Cost: one exchange, and a system call if there is a sleeper. On x86
    // an exchange waits until all stores before it have reached the cache, the published index among them,
    // and while the consumer polls that line this is a trip between the cores: about 7 ns alone, 75 ns after
    // each single item, and nothing that can be measured after bursts of 8 and more (2 cores, x86-64). A
    // plain load of the word instead would be cheaper and wrong (see above): a sleep needs a time limit then.
    void notify() noexcept {
        // Partner: the exchange in announce(). What was published is seen by who announces himself later.
        const std::uint32_t before = state_.exchange(awake, std::memory_order_release);
        if (before == announced)
            sleep_.wake(state_);
    }

    // Takes the steps below until a try succeeds, and returns what it returned: true, or a count that is not
    // zero. The consumer's thread. Whoever wants it to stop publishes that too, where the try sees it, and
    // calls notify(); so does a thread that learns of the death of the producer's process.
    template <class Try>
    auto wait(Try&& attempt) noexcept(noexcept(attempt())) {
        for (;;) {
            if (auto done = attempt())
                return done;
            announce();
            if (auto done = attempt()) {
                withdraw();
                return done;
            }
            sleep();
        }
    }

    // The steps one by one, for an event loop: announce, look at the ring again, then either withdraw, or
    // sleep() or wait for the descriptor, and begin anew. The consumer's thread. Progress: wait-free, but for
    // sleep(). Cost: one exchange each.
    void announce() noexcept {
        // Partner: the exchange in notify(). The look that follows finds all that was published before.
        state_.exchange(announced, std::memory_order_acquire);
    }
    // An exchange and no store, so that a notification that came since the announcement goes on to be read by
    // the next one.
    void withdraw() noexcept { state_.exchange(awake, std::memory_order_relaxed); }

    // Until somebody notifies, or for no reason. Precondition: announced, and the ring found empty since.
    void sleep() noexcept { sleep_.sleep_while(state_, announced); }

    [[nodiscard]] const Sleep& sleeper() const noexcept { return sleep_; }

  private:
    static constexpr std::uint32_t awake = 0, announced = 1;
    alignas(thread_gap) typename Sync::template atomic<std::uint32_t> state_{awake};
    [[no_unique_address]] Sleep sleep_;
};

// Between threads; between processes (it lies in the memory they share); for an event loop.
using notifier = basic_notifier<std_sync, futex_sleep>;
using shared_notifier = basic_notifier<std_sync, shared_futex_sleep>;
using event_notifier = basic_notifier<std_sync, eventfd_sleep>;

} // namespace noria::inline NORIA_ABI
