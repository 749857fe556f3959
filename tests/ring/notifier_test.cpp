// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/notifier.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>
#include <utility>

#include <sys/epoll.h>

#include "noria/ring/spsc_ring.hpp"
#include "support/strict_sync.hpp"

namespace {

using namespace noria;

static_assert(sleep_policy<futex_sleep, std_sync> && sleep_policy<shared_futex_sleep, std_sync> &&
              sleep_policy<eventfd_sleep, std_sync>);
static_assert(sizeof(notifier) == thread_gap, "it shares its line with nobody");
static_assert(std::is_nothrow_move_constructible_v<eventfd_sleep> &&
              !std::is_copy_constructible_v<eventfd_sleep>);
static_assert(!std::is_copy_constructible_v<notifier> && !std::is_default_constructible_v<event_notifier>);

// The archetype of a sleep policy. It plays the kernel for one thread, and the other side of a notifier while
// that thread sleeps.
struct scripted_sleep {
    scripted_sleep() = default;
    scripted_sleep(const scripted_sleep&) = delete;
    scripted_sleep& operator=(const scripted_sleep&) = delete;

    void sleep_while(const strict_sync::atomic<std::uint32_t>& word, std::uint32_t value) const noexcept {
        ++sleeps;
        EXPECT_EQ(word.load(std::memory_order_relaxed), value) << "it sleeps announced";
        if (meanwhile)
            meanwhile();
    }
    void wake(const strict_sync::atomic<std::uint32_t>&) const noexcept { ++wakes; }

    static inline int sleeps, wakes;
    static inline void (*meanwhile)();
};
using scripted_notifier = basic_notifier<strict_sync, scripted_sleep>;
scripted_notifier* other_side = nullptr;
int items = 0;

class scripted : public testing::Test {
  protected:
    scripted() {
        scripted_sleep::sleeps = scripted_sleep::wakes = items = 0;
        scripted_sleep::meanwhile = nullptr;
        other_side = &bell;
    }
    scripted_notifier bell;
};

TEST_F(scripted, a_notification_wakes_only_who_announced_and_once) {
    bell.notify();
    EXPECT_EQ(scripted_sleep::wakes, 0);
    bell.announce();
    bell.notify();
    EXPECT_EQ(scripted_sleep::wakes, 1);
    bell.notify();
    EXPECT_EQ(scripted_sleep::wakes, 1);
    bell.announce();
    bell.withdraw();
    bell.notify();
    EXPECT_EQ(scripted_sleep::wakes, 1);
}

TEST_F(scripted, a_wait_does_not_sleep_where_there_is_work) {
    EXPECT_EQ(bell.wait([]() noexcept { return 7; }), 7);
    EXPECT_EQ(scripted_sleep::sleeps, 0);
    // Work that comes between the first look and the announcement is found by the second.
    int looks = 0;
    EXPECT_TRUE(bell.wait([&]() noexcept { return ++looks == 2; }));
    EXPECT_EQ(scripted_sleep::sleeps, 0);
    bell.notify();
    EXPECT_EQ(scripted_sleep::wakes, 0) << "and the announcement is withdrawn";
}

TEST_F(scripted, a_wait_sleeps_until_there_is_work) {
    scripted_sleep::meanwhile = [] {
        if (scripted_sleep::sleeps == 3) { // the first two are woken for no reason
            items = 5;
            other_side->notify();
        }
    };
    EXPECT_EQ(bell.wait([]() noexcept { return items; }), 5);
    EXPECT_EQ(scripted_sleep::sleeps, 3);
    EXPECT_EQ(scripted_sleep::wakes, 1);
}

// Both sides sleep in the kernel again and again: a wake-up that is lost hangs here.
template <class Notifier>
void crosses_asleep(Notifier& items_bell, Notifier& room_bell) {
    constexpr std::uint64_t total = 5'000;
    spsc_ring<std::uint64_t, {.capacity = 2}> ring(0xffff'ff00);
    auto roles = ring.split();
    std::thread other([&, producer = std::move(roles.producer)]() mutable {
        for (std::uint64_t i = 0; i != total; ++i) {
            room_bell.wait([&]() noexcept { return producer.try_push(i); });
            items_bell.notify();
        }
    });
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 0; i != total; ++i) {
        std::uint64_t seen = ~i;
        items_bell.wait([&]() noexcept { return roles.consumer.try_pop(seen); });
        wrong += seen != i ? 1 : 0;
        room_bell.notify();
    }
    other.join();
    EXPECT_EQ(wrong, 0u);
}

TEST(notifier, loses_no_wake_up) {
    notifier items_bell, room_bell;
    crosses_asleep(items_bell, room_bell);
}

TEST(shared_notifier, loses_no_wake_up) {
    shared_notifier items_bell, room_bell;
    crosses_asleep(items_bell, room_bell);
}

TEST(event_notifier, loses_no_wake_up) {
    auto first = eventfd_sleep::open();
    auto second = eventfd_sleep::open();
    ASSERT_TRUE(first && second);
    event_notifier items_bell(*std::move(first)), room_bell(*std::move(second));
    crosses_asleep(items_bell, room_bell);
}

bool readable(int fd) {
    pollfd asked{fd, POLLIN, 0};
    return ::poll(&asked, 1, 0) == 1;
}

TEST(event_notifier, makes_its_descriptor_readable_for_a_sleeper_only) {
    auto sleep = eventfd_sleep::open();
    ASSERT_TRUE(sleep) << sleep.error().advice;
    event_notifier bell(*std::move(sleep));
    const eventfd_sleep& sleeper = bell.sleeper();
    bell.notify();
    EXPECT_FALSE(readable(sleeper.fd()));
    bell.announce();
    EXPECT_FALSE(readable(sleeper.fd()));
    bell.notify();
    EXPECT_TRUE(readable(sleeper.fd()));
    EXPECT_TRUE(readable(sleeper.fd())) << "until it is acknowledged";
    sleeper.acknowledge();
    EXPECT_FALSE(readable(sleeper.fd()));
    sleeper.acknowledge(); // of nothing: returns at once
    bell.announce();
    bell.withdraw();
    bell.notify();
    EXPECT_FALSE(readable(sleeper.fd()));
}

TEST(event_notifier, serves_an_event_loop) {
    constexpr std::uint64_t total = 2'000;
    auto sleep = eventfd_sleep::open();
    ASSERT_TRUE(sleep) << sleep.error().advice;
    event_notifier bell(*std::move(sleep));
    const int loop = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{.events = EPOLLIN, .data = {}};
    ASSERT_EQ(::epoll_ctl(loop, EPOLL_CTL_ADD, bell.sleeper().fd(), &event), 0);

    spsc_ring<std::uint64_t, {.capacity = 16}> ring;
    auto roles = ring.split();
    std::thread other([&bell, producer = std::move(roles.producer)]() mutable {
        for (std::uint64_t i = 0; i != total;)
            if (producer.try_push(i)) {
                bell.notify();
                ++i;
            } else {
                std::this_thread::yield();
            }
    });
    std::uint64_t seen = 0, wrong = 0;
    const auto take_all = [&]() noexcept {
        bool any = false;
        for (std::uint64_t item; roles.consumer.try_pop(item); any = true)
            wrong += item != seen++ ? 1 : 0;
        return any;
    };
    while (seen != total) {
        if (take_all())
            continue;
        bell.announce();
        if (take_all()) {
            bell.withdraw();
            continue;
        }
        ASSERT_EQ(::epoll_wait(loop, &event, 1, -1), 1);
        bell.sleeper().acknowledge();
    }
    other.join();
    ::close(loop);
    EXPECT_EQ(wrong, 0u);
}

} // namespace
