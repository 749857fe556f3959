// SPDX-License-Identifier: BSL-1.0
#pragma once

// The timed loops, the same for everybody.

#include <atomic>
#include <cstdint>
#include <span>
#include <thread>

#include "common/machine.hpp"
#include "costs/subject.hpp"
#include "noria/core/clock.hpp"
#include "noria/ring/burst.hpp"
#include "noria/ring/spsc_ring.hpp"

#ifdef BENCH_CALLGRIND
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_TOGGLE_COLLECT
#endif

namespace bench::costs {

// The compiler must have made this value, and may not know what happened to memory meanwhile.
template <class T>
inline void keep(T* address) noexcept {
    asm volatile("" : : "r"(address) : "memory");
}

// A value that the compiler cannot know.
template <class T>
[[nodiscard]] inline T unknown(T value) noexcept {
    asm volatile("" : "+r"(value));
    return value;
}

// Time between start and stop; under callgrind, the instructions as well.
class stopwatch {
  public:
    void start() noexcept {
        CALLGRIND_TOGGLE_COLLECT;
        began_ = clock_.now();
    }
    void stop() noexcept {
        ticks_ += clock_.now() - began_;
        CALLGRIND_TOGGLE_COLLECT;
    }
    [[nodiscard]] std::uint64_t ticks() const noexcept { return ticks_; }

  private:
    noria::tick_counter clock_;
    std::uint64_t began_ = 0;
    std::uint64_t ticks_ = 0;
};

// The same operation again and again.
template <class Operation>
[[nodiscard]] std::uint64_t repeat(std::uint64_t times, Operation operation) {
    stopwatch watch;
    watch.start();
    for (std::uint64_t i = 0; i != times; ++i)
        operation();
    watch.stop();
    return watch.ticks();
}

// An operation that uses up what it works on: `before` and `after` make and clear it away, untimed. Each gets
// the number of the piece, 0 to 31.
template <class Before, class Operation, class After>
[[nodiscard]] std::uint64_t repeat(std::uint64_t times, Before before, Operation operation, After after) {
    stopwatch watch;
    for (std::uint64_t done = 0; done != times; done += granularity) {
        for (std::uint64_t i = 0; i != granularity; ++i)
            before(i);
        watch.start();
        for (std::uint64_t i = 0; i != granularity; ++i)
            operation(i);
        watch.stop();
        for (std::uint64_t i = 0; i != granularity; ++i)
            after(i);
    }
    return watch.ticks();
}

// Objects are taken here in bursts of 32, handed over through a ring, and given back on the second processor.
// `take` fills the span, `give` gives its objects back, `live` is alive in the other thread meanwhile. The
// clock stops when the last one has been given back: how that thread ends is in nobody's figure.
template <class Object, class Live, class Take, class Give>
[[nodiscard]] std::uint64_t hand_over(std::uint64_t times, Take take, Give give) {
    constexpr std::uint32_t burst = 32;
    noria::spsc_ring<Object*, {.capacity = 1024}> ring;
    auto roles = ring.split();
    std::atomic<bool> ready{false};
    std::atomic<bool> all_given{false};
    std::thread other([&] {
        pin(1);
        [[maybe_unused]] const Live live;
        const real_time now;
        ready.store(true, std::memory_order_release); // partner: the load below
        Object* objects[burst];
        for (std::uint64_t left = times * burst; left != 0;) {
            const std::uint32_t count = noria::pop_burst(roles.consumer, std::span<Object*>(objects));
            if (count == 0) {
                noria::std_sync::relax();
                continue;
            }
            give(std::span<Object*>(objects, count));
            left -= count;
        }
        all_given.store(true, std::memory_order_release); // partner: the last load below
    });
    while (!ready.load(std::memory_order_acquire)) // partner: the store above
        std::this_thread::yield();
    stopwatch watch;
    watch.start();
    for (std::uint64_t i = 0; i != times; ++i) {
        Object* objects[burst];
        take(std::span<Object*>(objects));
        for (std::uint32_t sent = 0; sent != burst;) {
            const std::uint32_t count =
                noria::push_burst(roles.producer, std::span<Object* const>(objects + sent, burst - sent));
            sent += count;
            if (count == 0)
                noria::std_sync::relax();
        }
    }
    while (!all_given.load(std::memory_order_acquire)) // partner: the last store above
        noria::std_sync::relax();
    watch.stop();
    other.join();
    return watch.ticks();
}

} // namespace bench::costs
