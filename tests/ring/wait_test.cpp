// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/wait.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>
#include <utility>

#include "noria/ring/burst.hpp"
#include "noria/ring/spsc_ring.hpp"
#include "support/strict_sync.hpp"

namespace {

using namespace noria;

static_assert(wait_policy<spin_wait> && wait_policy<pause_wait> && wait_policy<yield_wait>);
static_assert(wait_policy<basic_pause_wait<strict_sync>>);
struct waits_and_throws {
    void wait() {}
};
static_assert(!wait_policy<waits_and_throws> && !wait_policy<int>);

// The archetype of a wait policy, counting.
struct counting_wait {
    counting_wait() = default;
    counting_wait(const counting_wait&) = delete;
    counting_wait& operator=(const counting_wait&) = delete;
    void wait() noexcept { ++waits; }
    int waits = 0;
};

TEST(wait_until, waits_once_after_every_failed_try_and_returns_what_the_last_returned) {
    counting_wait policy;
    std::uint32_t tries = 0;
    EXPECT_EQ(wait_until(policy, [&]() noexcept { return ++tries == 5 ? 42u : 0u; }), 42u);
    EXPECT_EQ(tries, 5u);
    EXPECT_EQ(policy.waits, 4);
}

TEST(wait_until, does_not_wait_where_the_first_try_succeeds) {
    counting_wait policy;
    EXPECT_TRUE(wait_until(policy, []() noexcept { return true; }));
    EXPECT_TRUE(wait_until(policy, []() noexcept { return true; }, []() noexcept { return true; }));
    EXPECT_EQ(policy.waits, 0);
}

TEST(wait_until, gives_up_when_told_to_stop_and_not_before) {
    counting_wait policy;
    int tries = 0;
    const auto fails = [&]() noexcept { return ++tries < 0; };
    EXPECT_FALSE(wait_until(policy, fails, [&]() noexcept { return tries == 3; }));
    EXPECT_EQ(tries, 3);
    EXPECT_EQ(policy.waits, 2);
    EXPECT_FALSE(wait_until(policy, fails, []() noexcept { return true; }));
    EXPECT_EQ(tries, 4) << "one try is made even after the stop";
    EXPECT_EQ(policy.waits, 2);
}

static_assert(noexcept(wait_until(spin_wait(), []() noexcept { return true; })));
static_assert(!noexcept(wait_until(spin_wait(), [] { return true; })));

template <class Wait>
void crosses_a_ring_that_is_mostly_full_or_empty() {
    constexpr std::uint64_t total = 300;
    spsc_ring<std::uint64_t, {.capacity = 3}> ring;
    auto roles = ring.split();
    std::thread other([producer = std::move(roles.producer)]() mutable {
        Wait policy;
        for (std::uint64_t i = 0; i != total; ++i)
            wait_until(policy, [&]() noexcept { return producer.try_push(i); });
    });
    Wait policy;
    std::uint64_t seen = 0, wrong = 0;
    while (seen != total) {
        std::uint64_t items[2];
        const std::uint32_t count =
            wait_until(policy, [&]() noexcept { return pop_burst(roles.consumer, std::span(items)); });
        for (std::uint32_t i = 0; i != count; ++i)
            wrong += items[i] != seen++ ? 1 : 0;
    }
    other.join();
    EXPECT_EQ(wrong, 0u);
}

TEST(wait_until, gets_everything_across) {
    crosses_a_ring_that_is_mostly_full_or_empty<yield_wait>();
    if (std::thread::hardware_concurrency() > 1) {
        crosses_a_ring_that_is_mostly_full_or_empty<spin_wait>();
        crosses_a_ring_that_is_mostly_full_or_empty<pause_wait>();
    }
}

} // namespace
