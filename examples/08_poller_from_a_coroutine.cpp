// SPDX-License-Identifier: BSL-1.0
// Two pollers, each driven by a C++20 coroutine, both on one thread: `co_await work_for(loop)`. Two more
// threads play the devices. No root, no option.
//
//   g++ -std=c++20 -O2 -Iinclude examples/08_poller_from_a_coroutine.cpp -o coroutine -pthread && ./coroutine

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <thread>

#include "noria/poll.hpp"

namespace {

constexpr std::uint32_t total = 100'000;

// [executor]
// A coroutine that waits: it is put into the executor's inbox by whoever wakes it, on his own thread.
struct executor;
struct sleeper {
    std::coroutine_handle<> coroutine;
    executor* home;
    sleeper* next = nullptr;
};

// Resumes on one thread what others have woken, and sleeps in between.
struct executor {
    noria::basic_poll_inbox<sleeper> woken;
    noria::poll_sleep sleep;
    int alive = 0;

    void run() {
        while (alive != 0) {
            sleep.wait(woken);
            for (sleeper* each = woken.take(); each != nullptr;) {
                sleeper& now = *each;
                each = now.next; // resumed, it may be gone
                now.coroutine.resume();
            }
        }
    }
};
// [/executor]

// [awaitable]
// co_await work_for{...}: goes on when the poller has something to do.
class work_for {
  public:
    work_for(noria::poller& loop, executor& on) : loop_(loop), sleeper_{nullptr, &on} {}

    bool await_ready() const noexcept { return loop_.pending(); }
    bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
        sleeper_.coroutine = coroutine;
        return loop_.arm(waker_); // false: a call came in this moment, and we go on at once
    }
    void await_resume() const noexcept {}

  private:
    static void wake(void* asleep) noexcept {
        auto& self = *static_cast<sleeper*>(asleep);
        self.home->woken.push(self);
    }
    noria::poller& loop_;
    sleeper sleeper_;
    const noria::poll_waker waker_{wake, &sleeper_};
};
// [/awaitable]

// The least that a coroutine needs: starts at once, and frees itself at its end.
struct task {
    struct promise_type {
        task get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { std::terminate(); }
    };
};

// A device that counts its packets, and calls after each.
struct device {
    std::atomic<std::uint32_t> arrived{0};
    std::uint32_t taken = 0;

    std::uint32_t poll(std::uint32_t budget) noexcept {
        const std::uint32_t waiting = arrived.load(std::memory_order_relaxed) - taken;
        const std::uint32_t done = waiting < budget ? waiting : budget;
        taken += done;
        return done;
    }
    static bool rearm() noexcept { return true; }

    void bring(noria::poll_instance& rx) {
        for (std::uint32_t i = 0; i != total; ++i) {
            arrived.fetch_add(1, std::memory_order_relaxed);
            rx.schedule();
            if (i % 1'000 == 0)
                std::this_thread::yield();
        }
    }
};

// [serve]
task serve(noria::poller& loop, device& from, executor& on, std::uint64_t& cycles) {
    ++on.alive;
    while (from.taken != total) {
        co_await work_for(loop, on);
        (void)loop.cycle();
        ++cycles;
    }
    --on.alive;
}
// [/serve]

} // namespace

int main() {
    executor here;
    device devices[2];
    noria::poller loops[2];
    noria::poll_instance rx[2]{{loops[0], devices[0]}, {loops[1], devices[1]}};
    std::uint64_t cycles[2]{};

    for (int i = 0; i != 2; ++i)
        serve(loops[i], devices[i], here, cycles[i]);
    std::thread first(&device::bring, &devices[0], std::ref(rx[0]));
    std::thread second(&device::bring, &devices[1], std::ref(rx[1]));
    here.run();
    first.join();
    second.join();

    for (int i = 0; i != 2; ++i) {
        loops[i].disable(rx[i]); // a last call may have come after the last packet
        std::printf("device %d: %u packets in %llu cycles\n", i, devices[i].taken,
                    static_cast<unsigned long long>(cycles[i]));
    }
    return 0;
}
