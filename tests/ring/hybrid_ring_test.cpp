// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/hybrid_ring.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <thread>
#include <vector>

#include "noria/ring/burst.hpp"
#include "support/strict_sync.hpp"

namespace {

struct completion {
    std::uint64_t address;
    std::uint32_t length, flags;
    friend bool operator==(const completion&, const completion&) = default;
};

} // namespace

template <>
struct noria::descriptor_traits<completion> {
    static constexpr std::size_t word_offset = offsetof(completion, flags);
};

namespace {

using namespace noria;

completion numbered(std::uint32_t n) {
    return {(std::uint64_t{n} << 32) + ~n, n * 7, ~n & 0x7fff'ffff};
}

using small_ring = hybrid_ring<completion, {.capacity = 4}>;
static_assert(sizeof(small_ring::slot_type) == sizeof(completion));
static_assert(copying_producer<small_ring::producer> && !burst_producer<small_ring::producer>);
static_assert(copying_consumer<small_ring::consumer> && !burst_consumer<small_ring::consumer>);
static_assert(std::is_nothrow_move_constructible_v<small_ring::producer> &&
              !std::is_copy_constructible_v<small_ring::producer>);
static_assert(std::is_nothrow_move_constructible_v<small_ring::consumer> &&
              !std::is_copy_constructible_v<small_ring::consumer>);

constexpr std::uint32_t laps_below_wrap[] = {0, 0x7fff'fffe, 0xffff'ffff - 70, 0xffff'fffe, 0xffff'ffff};

// What the producer knows to be free may lag behind what is free by what the consumer holds back; so "full"
// is checked where nothing is held back, and "never more than the capacity" always.
template <class Ring>
void behaves_like_a_deque(Ring& ring) {
    const std::uint32_t capacity = ring.capacity();
    std::deque<completion> model;
    std::uint32_t next = 0;
    std::uint32_t held_back = 0; // at most
    for (int round = 0; round < 3; ++round) {
        auto [producer, consumer] = ring.split();
        held_back = 0;
        for (int step = 0; step < 60; ++step) {
            const auto call = *rc::gen::inRange(0, 4);
            const auto free = static_cast<std::uint32_t>(capacity - model.size());
            if (call == 0) {
                const bool done = producer.try_push(numbered(next));
                RC_ASSERT(!done || free > 0);
                RC_ASSERT(done || free <= held_back);
                if (done)
                    model.push_back(numbered(next++));
            } else if (call == 1) {
                std::vector<completion> burst(*rc::gen::inRange<std::uint32_t>(0, capacity + 2));
                for (std::uint32_t i = 0; i < burst.size(); ++i)
                    burst[i] = numbered(next + i);
                const std::uint32_t done = push_burst(producer, std::span<const completion>(burst));
                RC_ASSERT(done <= free);
                RC_ASSERT(done + held_back >= std::min<std::size_t>(burst.size(), free));
                next += done;
                model.insert(model.end(), burst.begin(), burst.begin() + done);
            } else if (call == 2) {
                completion out = numbered(12345);
                const bool done = consumer.try_pop(out);
                RC_ASSERT(done == !model.empty());
                RC_ASSERT(out == (done ? model.front() : numbered(12345)));
                if (done) {
                    model.pop_front();
                    ++held_back;
                }
            } else {
                std::vector<completion> out(*rc::gen::inRange<std::uint32_t>(0, capacity + 2));
                const std::uint32_t done = pop_burst(consumer, std::span<completion>(out));
                RC_ASSERT(done <= model.size());
                RC_ASSERT(done != 0 || out.empty() || model.empty()); // what is there, is found
                RC_ASSERT(std::equal(out.begin(), out.begin() + done, model.begin()));
                model.erase(model.begin(), model.begin() + done);
                held_back += done;
            }
            held_back = model.empty() ? 0 : std::min(held_back, std::max(capacity / 8, 1u) - 1);
        }
    }
}

template <std::uint32_t Capacity>
void static_ring_behaves() {
    EXPECT_TRUE(rc::check([] {
        hybrid_ring<completion, {.capacity = Capacity}> ring(*rc::gen::elementOf(
            std::vector<std::uint32_t>(std::begin(laps_below_wrap), std::end(laps_below_wrap))));
        behaves_like_a_deque(ring);
    }));
}

TEST(hybrid_ring, behaves_like_a_deque) {
    static_ring_behaves<1>();
    static_ring_behaves<2>();
    static_ring_behaves<3>();
    static_ring_behaves<64>();
    static_ring_behaves<100>();
}

TEST(hybrid_ring, behaves_like_a_deque_in_lent_slots_that_hold_rubbish) {
    EXPECT_TRUE(rc::check([] {
        using ring_type = hybrid_ring<completion, {.capacity = dynamic}>;
        const auto capacity = *rc::gen::inRange<std::uint32_t>(1, 40);
        std::vector<ring_type::slot_type> slots(slots_for(capacity));
        for (auto& slot : slots)
            slot.word.store(*rc::gen::arbitrary<std::uint32_t>(), std::memory_order_relaxed);
        ring_type ring(slots, capacity, *rc::gen::arbitrary<std::uint32_t>());
        RC_ASSERT(ring.capacity() == capacity);
        behaves_like_a_deque(ring);
    }));
}

TEST(hybrid_ring, holds_exactly_its_capacity_lap_after_lap) {
    for (const std::uint32_t start : laps_below_wrap) {
        hybrid_ring<completion, {.capacity = 5}> ring(start);
        auto [producer, consumer] = ring.split();
        std::uint32_t in = 0, out = 0;
        completion popped{};
        for (int lap = 0; lap < 7; ++lap) {
            for (int i = 0; i < 5; ++i)
                ASSERT_TRUE(producer.try_push(numbered(in++)));
            ASSERT_FALSE(producer.try_push(numbered(0)));
            for (int i = 0; i < 5; ++i) {
                ASSERT_TRUE(consumer.try_pop(popped));
                ASSERT_EQ(popped, numbered(out++));
            }
            ASSERT_FALSE(consumer.try_pop(popped));
        }
    }
}

TEST(hybrid_ring, asks_only_what_a_sync_policy_promises) {
    basic_hybrid_ring<completion, {.capacity = 3}, strict_sync> ring;
    auto [producer, consumer] = ring.split();
    completion both[2] = {numbered(0), numbered(1)};
    EXPECT_EQ(producer.push_burst(both), 2u);
    EXPECT_TRUE(producer.try_push(numbered(2)));
    EXPECT_FALSE(producer.try_push(numbered(3)));
    completion out{};
    EXPECT_TRUE(consumer.try_pop(out));
    EXPECT_EQ(out, numbered(0));
    EXPECT_EQ(consumer.pop_burst(both), 2u);
    EXPECT_EQ(both[1], numbered(2));
}

// Single items and bursts of all lengths, each side at its own whim. (Not a proof of the orders, which x86
// hides: the explorer is for that.)
TEST(hybrid_ring, crosses_threads_in_order_and_whole) {
    constexpr std::uint32_t total = 200'000;
    hybrid_ring<completion, {.capacity = 96}> ring(0xffff'ffff - 1000);
    auto roles = ring.split();
    std::thread other([producer = std::move(roles.producer)]() mutable {
        completion burst[9];
        for (std::uint32_t next = 0; next < total;) {
            const std::uint32_t length = std::min(1 + next % 9, total - next);
            for (std::uint32_t i = 0; i < length; ++i)
                burst[i] = numbered(next + i);
            const std::uint32_t done = length == 1 ? (producer.try_push(burst[0]) ? 1u : 0u)
                                                   : producer.push_burst(std::span(burst, length));
            next += done;
            if (done == 0)
                std::this_thread::yield();
        }
    });
    std::uint32_t seen = 0, wrong = 0;
    completion out[7];
    while (seen < total) {
        const std::uint32_t count =
            seen % 5 == 0 ? (roles.consumer.try_pop(out[0]) ? 1u : 0u) : roles.consumer.pop_burst(out);
        for (std::uint32_t i = 0; i < count; ++i)
            wrong += out[i] != numbered(seen++) ? 1u : 0u;
        if (count == 0)
            std::this_thread::yield();
    }
    other.join();
    EXPECT_EQ(wrong, 0u);
}

TEST(hybrid_ring_contract, is_watched) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "death tests fork, which the thread sanitizer does not like";
#endif
    if (!checked_mode)
        GTEST_SKIP() << "contracts are not checked in this build";
    small_ring ring;
    auto [producer, consumer] = ring.split();
    EXPECT_DEATH((void)ring.split(), "one producer and one consumer");
    EXPECT_DEATH((void)producer.try_push({0, 0, 0x8000'0000}), "belongs to the ring");
    auto moved = std::move(producer);
    EXPECT_DEATH((void)moved.try_push({0, 0, 0x8000'0000}), "belongs to the ring");
    EXPECT_DEATH((void)producer.try_push(numbered(0)), "moved away");
    EXPECT_TRUE(moved.try_push(numbered(0)));
}

} // namespace
