// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <thread>
#include <vector>

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/statistics.hpp"
#include "costs/harness.hpp"
#include "noria/poll/background.hpp"
#include "noria/poll/wait.hpp"
#include "poll/subjects.hpp"

// Both processors' counters are taken to show the same time, as those of one machine do.

namespace bench::costs::poll {
namespace {

constexpr unsigned wakes = 48;         // in a repetition, whose figure is their median
constexpr double to_sleep = 100e-6;    // seconds between them: by then who sleeps is asleep
constexpr double still_looking = 5e-6; // or not yet

enum class reading : std::uint8_t { latency, cost };

[[nodiscard]] double in_nanoseconds(std::uint64_t ticks) {
    return static_cast<double>(ticks) * nanoseconds_per_tick();
}

void pass_time(double seconds) {
    const noria::tick_counter clock;
    const std::uint64_t began = clock.now();
    while (clock.now() - began < ticks_for(seconds))
        noria::std_sync::relax();
}

// A thread on the second processor, that runs already when this returns.
template <class Body>
[[nodiscard]] std::thread there_runs(Body body) {
    std::atomic<bool> ready{false};
    std::thread made([&ready, body] {
        pin(1);
        const real_time now;
        ready.store(true, std::memory_order_release); // partner: the load below
        body();
    });
    while (!ready.load(std::memory_order_acquire)) // partner: the store above
        std::this_thread::yield();                 // it begins on this processor, with this priority
    return made;
}

// When the other side was there, told to the one that waits for it.
class stamp {
  public:
    void set() noexcept {
        time_ = noria::tick_counter{}.now();
        count_.fetch_add(1, std::memory_order_release); // partner: the load below
    }
    [[nodiscard]] std::uint64_t after(std::uint64_t count) const noexcept {
        while (count_.load(std::memory_order_acquire) == count) // partner: the addition above
            noria::std_sync::relax();
        return time_;
    }
    [[nodiscard]] std::uint64_t count() const noexcept { return count_.load(std::memory_order_relaxed); }

  private:
    std::uint64_t time_ = 0;
    std::atomic<std::uint64_t> count_{0};
};

// Calls the other side again and again, and reads the clock before and after the call, and there.
template <class Call>
[[nodiscard]] double called(reading what, double gap, const stamp& there, Call call) {
    const noria::tick_counter clock;
    std::vector<double> figures;
    for (unsigned i = 0; i != wakes; ++i) {
        pass_time(gap);
        const std::uint64_t before = there.count();
        const std::uint64_t began = clock.now();
        call();
        const std::uint64_t returned = clock.now();
        const std::uint64_t seen = there.after(before);
        figures.push_back(in_nanoseconds(what == reading::cost ? returned - began : seen - began));
    }
    return median(figures);
}

// ---- a poller ----

struct stamped {
    stamp polled;

    [[nodiscard]] std::uint32_t poll(std::uint32_t) noexcept {
        polled.set();
        return 0;
    }
    [[nodiscard]] bool rearm() noexcept { return true; }
};

// From schedule() here to the poll there.
template <class Wait>
[[nodiscard]] double woken(reading what, double gap, Wait& wait) {
    noria::poller loop;
    stamped source;
    noria::poll_instance instance(loop, source);
    std::atomic<bool> over{false};
    std::thread other = there_runs([&] {
        for (;;) {
            static_cast<void>(loop.cycle());
            // Looked at between cycle and wait: the call that ends this may be served by a cycle that has
            // begun before it, and nobody calls again.
            if (over.load(std::memory_order_relaxed))
                return;
            noria::wait_for_work(loop, wait);
        }
    });
    const double figure = called(what, gap, source.polled, [&] { instance.schedule(); });
    over.store(true, std::memory_order_relaxed);
    instance.schedule();
    other.join();
    static_cast<void>(loop.cycle()); // if nobody polled it any more
    return figure;
}

template <class Wait>
[[nodiscard]] double woken_from(reading what) {
    Wait wait;
    return woken(what, to_sleep, wait);
}
[[nodiscard]] double woken_by_eventfd(reading what) {
    noria::event_poll_sleep wait(noria::eventfd_sleep::open().value());
    return woken(what, to_sleep, wait);
}
template <bool Late>
[[nodiscard]] double woken_from_adaptive(reading what) {
    noria::poll_sleep sleep;
    noria::adaptive_wait wait(sleep);
    return woken(what, Late ? to_sleep : still_looking, wait);
}

// ---- what the machine needs for that ----

[[nodiscard]] double bare_store(reading what) {
    alignas(noria::thread_gap) std::atomic<std::uint64_t> word{0};
    stamp there;
    constexpr std::uint64_t over = ~std::uint64_t{0};
    std::thread other = there_runs([&] {
        for (std::uint64_t seen = 0; seen != over;) {
            const std::uint64_t next = word.load(std::memory_order_acquire); // partner: the stores below
            if (next == seen)
                continue;
            seen = next;
            there.set();
        }
    });
    std::uint64_t count = 0;
    const double figure =
        called(what, to_sleep, there, [&] { word.store(++count, std::memory_order_release); });
    word.store(over, std::memory_order_release);
    other.join();
    return figure;
}

[[nodiscard]] double bare_eventfd(reading what) {
    const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    std::atomic<bool> over{false};
    stamp there;
    std::thread other = there_runs([&] {
        while (!over.load(std::memory_order_relaxed)) {
            pollfd readable{fd, POLLIN, 0};
            ::poll(&readable, 1, -1);
            std::uint64_t count = 0;
            static_cast<void>(!::read(fd, &count, sizeof count));
            there.set();
        }
    });
    const auto ring = [fd] {
        const std::uint64_t one = 1;
        static_cast<void>(!::write(fd, &one, sizeof one));
    };
    const double figure = called(what, to_sleep, there, ring);
    over.store(true, std::memory_order_relaxed);
    ring();
    other.join();
    ::close(fd);
    return figure;
}

// ---- the background thread ----

// Notes when it is polled on another thread than the last time.
class handed_source {
  public:
    void arrive(std::uint32_t packets) noexcept { waiting_ += packets; }

    [[nodiscard]] std::uint32_t poll(std::uint32_t budget) noexcept {
        const noria::tick_counter clock;
        const pthread_t here = ::pthread_self();
        if (polled_ != 0 && !pthread_equal(here, thread_))
            pause_ = clock.now() - polled_;
        thread_ = here;
        const std::uint32_t done = waiting_ < budget ? waiting_ : budget;
        waiting_ -= done;
        polled_ = clock.now();
        return done;
    }
    [[nodiscard]] bool rearm() noexcept { return waiting_ == 0; }

    [[nodiscard]] std::uint64_t polled() const noexcept { return polled_; } // the last time
    [[nodiscard]] std::uint64_t pause() const noexcept { return pause_; } // before the thread was another one
    void forget() noexcept { polled_ = 0; }

  private:
    std::uint32_t waiting_ = 0;
    pthread_t thread_{};
    std::uint64_t polled_ = 0;
    std::uint64_t pause_ = 0;
};

// From the last poll in the foreground to the first one in the background, or back.
template <class Wait>
[[nodiscard]] double handed_over(bool back, Wait& wait) {
    constexpr noria::poll_budget budget{.packets = 300, .weight = 64};
    constexpr std::uint32_t patience = 10;
    constexpr std::uint32_t cut_off = 320 * patience; // packets: five turns of 64 in each cycle
    noria::poller loop(budget);
    handed_source source;
    noria::poll_instance instance(loop, source);
    noria::poll_background shared(loop, patience);
    std::thread other = there_runs([&] {
        auto side = shared.background();
        for (unsigned i = 0; i != wakes; ++i) {
            noria::wait_for_work(side, wait);
            while (side.drives())
                static_cast<void>(side.cycle());
        }
    });
    auto here = shared.foreground();
    const noria::tick_counter clock;
    std::vector<double> figures;
    for (unsigned i = 0; i != wakes; ++i) {
        pass_time(to_sleep);
        source.forget();
        source.arrive(cut_off + 1); // the last one is for the background
        instance.schedule();
        while (here.pending())
            static_cast<void>(here.cycle());
        while (!here.drives())
            noria::std_sync::relax();
        const std::uint64_t again = clock.now();
        figures.push_back(in_nanoseconds(back ? again - source.polled() : source.pause()));
    }
    other.join();
    return median(figures);
}

} // namespace

void add_wake(std::vector<subject>& all) {
    const auto add = [&](const char* what, const char* name, const char* type, origin from, auto value) {
        all.push_back({"poll", what, name, type, from, 1, true, true, {}, value});
    };
    const auto both = [&](const char* name, const char* type, origin from, auto figure) {
        add("wake", name, type, from, [figure] { return figure(reading::latency); });
        add("wake_cost", name, type, from, [figure] { return figure(reading::cost); });
    };
    both("spin", "wait_for_work(spin_wait)", origin::noria, woken_from<noria::spin_wait>);
    both("pause", "wait_for_work(pause_wait)", origin::noria, woken_from<noria::pause_wait>);
    both("yield", "wait_for_work(yield_wait)", origin::noria, woken_from<noria::yield_wait>);
    both("adaptive", "wait_for_work(adaptive_wait), called while it still looks", origin::noria,
         woken_from_adaptive<false>);
    both("adaptive late", "the same, called when it sleeps", origin::noria, woken_from_adaptive<true>);
    both("futex", "wait_for_work(poll_sleep)", origin::noria, woken_from<noria::poll_sleep>);
    both("eventfd", "wait_for_work(event_poll_sleep)", origin::noria, woken_by_eventfd);
    both("bare store", "a store here, seen there", origin::limit, bare_store);
    both("bare eventfd", "write here, poll and read there", origin::limit, bare_eventfd);

    const auto hand = [&](const char* what, const char* name, const char* type, auto wait, bool back) {
        add(what, name, type, origin::noria, [wait, back] { return wait(back); });
    };
    const auto pausing = [](bool back) {
        noria::pause_wait wait;
        return handed_over(back, wait);
    };
    const auto on_futex = [](bool back) {
        noria::poll_sleep wait;
        return handed_over(back, wait);
    };
    const auto on_eventfd = [](bool back) {
        noria::event_poll_sleep wait(noria::eventfd_sleep::open().value());
        return handed_over(back, wait);
    };
    hand("hand_off", "pause", "foreground's last poll to background's first", pausing, false);
    hand("hand_off", "futex", "the same, where it sleeps", on_futex, false);
    hand("hand_off", "eventfd", "the same", on_eventfd, false);
    hand("hand_back", "pause", "background's last poll until the foreground drives", pausing, true);
}

} // namespace bench::costs::poll
