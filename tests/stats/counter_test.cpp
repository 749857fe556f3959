// SPDX-License-Identifier: BSL-1.0
#include "noria/stats/counter.hpp"

#include <atomic>
#include <thread>
#include <type_traits>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

namespace {

// Offers plain relaxed loads and stores and nothing else: a counter that reached for a locked instruction, or
// for a stronger order, would not compile (no fetch_add) or not pass (the order is looked at).
struct relaxed_only_sync {
    template <class T>
    struct atomic {
        explicit atomic(T start) : value(start) {}
        T load(std::memory_order order) const noexcept {
            EXPECT_EQ(order, std::memory_order_relaxed);
            return value;
        }
        void store(T next, std::memory_order order) noexcept {
            EXPECT_EQ(order, std::memory_order_relaxed);
            value = next;
        }
        T value;
    };
};

static_assert(sizeof(noria::counter) == 8);
static_assert(!std::is_copy_constructible_v<noria::counter>, "a copy would be a second writer's");
static_assert(noexcept(std::declval<noria::counter&>().add(1)));

TEST(Counter, StartsAtZeroAndAddsOneByDefault) {
    noria::counter counter;
    EXPECT_EQ(counter.value(), 0u);
    counter.add();
    EXPECT_EQ(counter.value(), 1u);
}

TEST(Counter, NeedsOnlyRelaxedLoadsAndStores) {
    noria::basic_counter<relaxed_only_sync> counter;
    counter.add();
    counter.add(41);
    EXPECT_EQ(counter.value(), 42u);
}

RC_GTEST_PROP(Counter, IsTheSumOfWhatWasAdded, (const std::vector<std::uint64_t>& steps)) {
    noria::counter counter;
    std::uint64_t sum = 0;
    for (const std::uint64_t step : steps) {
        counter.add(step);
        sum += step;
    }
    RC_ASSERT(counter.value() == sum);
}

TEST(Counter, AReaderSeesItOnlyGrowAndInTheEndSeesAll) {
    constexpr std::uint64_t adds = 200'000;
    constexpr std::uint64_t step = (1ull << 32) + 1; // a torn read would mix the halves of two values
    noria::counter counter;
    std::thread writer([&] {
        for (std::uint64_t i = 0; i < adds; ++i)
            counter.add(step);
    });
    std::uint64_t last = 0;
    while (last != adds * step) {
        const std::uint64_t now = counter.value();
        ASSERT_GE(now, last);
        ASSERT_EQ(now >> 32, now & 0xffffffffu);
        last = now;
    }
    writer.join();
}

} // namespace
