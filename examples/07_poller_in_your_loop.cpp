// SPDX-License-Identifier: BSL-1.0
// A poller in a loop that has other work: epoll waits for a timer of the program's and for the poller,
// whichever comes first. Another thread plays the device. No root, no option.
//
//   g++ -std=c++20 -O2 -Iinclude examples/07_poller_in_your_loop.cpp -o loop -pthread && ./loop

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <thread>
#include <utility>

// [includes]
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "noria/poll.hpp"
#include "noria/ring.hpp"
// [/includes]

namespace {

constexpr std::uint32_t total = 1'000'000;

// [source]
using number_ring = noria::spsc_ring<std::uint32_t, {.capacity = 1000}>;

// What is polled: anything with these two functions. The producer calls after each push, and the instance
// sees to it that no call is lost, so there is nothing to do to rearm.
struct number_source {
    number_ring::consumer ring;
    std::uint32_t taken = 0;
    std::uint32_t out_of_order = 0;

    std::uint32_t poll(std::uint32_t budget) noexcept {
        return noria::consume(ring, budget, [this](std::uint32_t number) noexcept {
            out_of_order += number != taken ? 1 : 0;
            ++taken;
        });
    }
    static bool rearm() noexcept { return true; }
};
// [/source]

// [produce]
void produce(number_ring::producer ring, noria::poll_instance& rx) {
    for (std::uint32_t next = 0; next != total;) {
        if (!ring.try_push(next)) {
            std::this_thread::yield();
            continue;
        }
        rx.schedule();
        if (++next % 10'000 == 0)
            std::this_thread::sleep_for(std::chrono::milliseconds(1)); // the line is quiet now and then
    }
}
// [/produce]

// [helpers]
// Readable once a millisecond; reading it says how many have passed.
int timer_every_ms() {
    const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    const itimerspec each_ms{{0, 1'000'000}, {0, 1'000'000}};
    timerfd_settime(timer, 0, &each_ms, nullptr);
    return timer;
}

// From now on epoll_wait returns when there is something to read from fd.
void watch(int epoll, int fd) {
    epoll_event readable{};
    readable.events = EPOLLIN;
    readable.data.fd = fd;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &readable);
}
// [/helpers]

} // namespace

int main() {
    number_ring ring;
    auto [producer, consumer] = ring.split();
    number_source source{std::move(consumer)};

    // [set_up]
    noria::poller loop;
    noria::poll_instance rx(loop, source);
    auto fd = noria::eventfd_sleep::open();
    if (!fd) {
        std::fprintf(stderr, "%s\n", fd.error().advice);
        return 1;
    }
    noria::event_poll_sleep sleep(std::move(*fd));

    const int epoll = epoll_create1(0);
    const int timer = timer_every_ms();
    watch(epoll, timer);
    watch(epoll, sleep.fd());
    // [/set_up]

    std::thread device(produce, std::move(producer), std::ref(rx));

    // [loop]
    std::uint64_t ticks = 0, naps = 0;
    while (source.taken != total) {
        const bool idle = sleep.prepare(loop); // from here on a call makes the fd readable
        epoll_event events[2];
        const int ready = epoll_wait(epoll, events, 2, idle ? -1 : 0);
        for (int i = 0; i < ready; ++i)
            if (std::uint64_t passed; events[i].data.fd == timer && read(timer, &passed, sizeof passed) > 0)
                ticks += passed; // the program's other work
        if (idle) {
            sleep.finish(loop);
            ++naps;
        }
        (void)loop.cycle(); // at most its budget: the other work has its turn again soon
    }
    // [/loop]

    // [end]
    device.join();
    loop.disable(rx); // a last call may have come after the last number
    close(timer);
    close(epoll);
    // [/end]
    std::printf("%u numbers in %llu polls, %u out of order; slept %llu times; %llu ticks of the other work\n",
                source.taken, static_cast<unsigned long long>(loop.polls()), source.out_of_order,
                static_cast<unsigned long long>(naps), static_cast<unsigned long long>(ticks));
    return source.out_of_order == 0 ? 0 : 1;
}
