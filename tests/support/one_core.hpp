// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <gtest/gtest.h>
#include <sched.h>

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

namespace one_core {

// How often the core passes from the one to the other, and the fewest pushes of a turn that is not poor.
inline constexpr int turns = 20;
inline constexpr std::uint64_t few = 8;

// Slots for all that is pushed, at four a push, so that no push can find the ring full, even where the
// machine has so much to do that the consumer does not run at all: a turn that wanted room would look like
// one that had to wait.
inline constexpr std::uint32_t room = 1 << 20;

// So a turn ends here at the latest, and the core is given away. It is far more than fits in the time that
// systems give a thread at once: mostly, the core is taken away, in the middle of a push.
inline constexpr std::uint64_t most = room / 4 / (turns + 2);

// first() and second() push four slots each; pop() takes something out, or finds nothing. They go on until
// the core has passed from the one to the other, between two pushes, `turns` times. Says how many of the
// turns brought fewer than `few` pushes.
template <class First, class Second, class Pop>
int poor_turns(std::pair<int, int> cores, First first, Second second, Pop pop) {
    std::atomic<std::uint64_t> pushes{0}; // in this turn
    std::atomic<int> whose{0}, done{0}, poor{0};
    std::atomic<bool> over{false};
    const auto produce = [&](auto& push, int me) {
        stay_on(cores.first);
        while (done.load(std::memory_order_relaxed) < turns) {
            if (whose.load(std::memory_order_relaxed) == me &&
                pushes.load(std::memory_order_relaxed) >= most) {
                std::this_thread::yield();
                continue;
            }
            push();
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

// Both producers push for `turns` turns, and less than half of these are poor. All that they push arrives
// once and in order. A ring of `room` slots is wanted; Item::of(number, producer) is an item.
template <class Item, class Producer, class Consumer>
void expect_no_convoy(std::pair<int, int> cores, Producer& first, Producer& second, Consumer& consumer) {
    std::uint64_t made[2] = {}, taken[2] = {}, refused[2] = {}, wrong = 0;
    const auto pushes = [&](Producer& producer, std::uint64_t me) {
        return [&, me] {
            auto token = producer.reserve_exact(4);
            if (token.size() != 4) {
                ++refused[me];
                return;
            }
            linger();
            for (auto slots : {token.first(), token.second()})
                for (auto& slot : slots)
                    if constexpr (requires { slot.item; })
                        slot.item = Item::of(made[me]++, me);
                    else
                        slot = Item::of(made[me]++, me);
            token.commit(4);
        };
    };
    const auto pop = [&] {
        Item out;
        const bool any = consumer.try_pop(out);
        if (any)
            wrong += out.producer() > 1 || out != Item::of(taken[out.producer()]++, out.producer());
        return any;
    };
    EXPECT_LT(poor_turns(cores, pushes(first, 0), pushes(second, 1), pop), turns / 2);
    EXPECT_EQ(refused[0] + refused[1], 0u);
    EXPECT_EQ(wrong, 0u);
    EXPECT_TRUE(taken[0] == made[0] && taken[1] == made[1]);
}

} // namespace one_core
