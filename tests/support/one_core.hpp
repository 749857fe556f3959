// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <thread>
#include <utility>

// Two producers who share one core, so that one of them is always stopped, and a consumer on another. Where a
// push has to wait for the one that was stopped in the middle of its own, each turn on the core ends with the
// first push; where it has not, a turn brings as many as there is time for. So progress is counted in pushes
// a turn, and no clock is looked at.

// Two cores that this process may use; none if it may use one only.
inline std::optional<std::pair<int, int>> two_cores() {
    cpu_set_t usable;
    if (sched_getaffinity(0, sizeof usable, &usable) != 0 || CPU_COUNT(&usable) < 2)
        return std::nullopt;
    int first = 0;
    while (!CPU_ISSET(first, &usable))
        ++first;
    int second = first + 1;
    while (!CPU_ISSET(second, &usable))
        ++second;
    return std::pair(first, second);
}

// The calling thread stays there.
inline void stay_on(int core) {
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(core, &only);
    sched_setaffinity(0, sizeof only, &only);
}

// Takes so long that a thread that does this in the middle of a push is mostly stopped there.
inline void linger() {
    for (std::atomic<int> i{0}; i.load(std::memory_order_relaxed) != 300;)
        i.fetch_add(1, std::memory_order_relaxed);
}

// first() and second() push, or find no room and say so; pop() takes something out, or finds nothing. They go
// on until the core has passed from the one to the other, between two pushes, `turns` times. Says how many of
// the turns brought fewer than `few` pushes.
template <class First, class Second, class Pop>
int poor_turns_once(std::pair<int, int> cores, int turns, std::uint64_t few, First& first, Second& second,
                    Pop& pop) {
    std::atomic<std::uint64_t> pushes{0}; // in this turn
    std::atomic<int> whose{0}, done{0}, poor{0};
    std::atomic<bool> over{false};
    const auto produce = [&](auto& push, int me) {
        stay_on(cores.first);
        while (done.load(std::memory_order_relaxed) < turns) {
            if (!push())
                continue;
            if (whose.exchange(me, std::memory_order_relaxed) != me) {
                poor.fetch_add(pushes.exchange(0, std::memory_order_relaxed) < few,
                               std::memory_order_relaxed);
                done.fetch_add(1, std::memory_order_relaxed);
            }
            pushes.fetch_add(1, std::memory_order_relaxed);
        }
    };
    std::thread one([&] { produce(first, 0); });
    std::thread other([&] { produce(second, 1); });
    std::thread consumer([&] {
        stay_on(cores.second);
        while (!over.load(std::memory_order_acquire))
            if (!pop())
                std::this_thread::yield();
        while (pop()) {
        }
    });
    one.join();
    other.join();
    over.store(true, std::memory_order_release);
    consumer.join();
    return poor.load(std::memory_order_relaxed);
}

// The fewest of three tries, or of as many as it takes until half of the turns are good: where a machine has
// more to do than this, it may keep the consumer from running, and then turns are poor for want of room.
template <class First, class Second, class Pop>
int poor_turns(std::pair<int, int> cores, int turns, std::uint64_t few, First first, Second second, Pop pop) {
    int fewest = turns;
    for (int i = 0; i != 3 && 2 * fewest >= turns; ++i)
        fewest = std::min(fewest, poor_turns_once(cores, turns, few, first, second, pop));
    return fewest;
}
