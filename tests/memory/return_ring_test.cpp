// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/return_ring.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <span>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

#include "support/strict_sync.hpp"

namespace {

using namespace noria;

static_assert(!std::is_copy_constructible_v<basic_return_ring<int>>);

// A queue is the model: what was given, one by one and by the span, comes out once, in order, as many as
// asked for; wherever the counters begin.
RC_GTEST_PROP(return_ring, is_a_queue_wherever_its_counters_begin, ()) {
    const auto size = *rc::gen::inRange<std::uint32_t>(1, 10);
    std::vector<int> objects(size);
    basic_return_ring<int, strict_sync> ring;
    RC_ASSERT(ring.reserve(size, (std::uint64_t{1} << 32) - *rc::gen::inRange<std::uint32_t>(0, 20)));
    std::vector<int*> out;
    for (int& object : objects)
        out.push_back(&object);
    std::deque<int*> model;
    for (int step = 0; step != 60; ++step) {
        if (!out.empty() && *rc::gen::inRange(0, 3) != 0) {
            const auto at = *rc::gen::inRange<std::size_t>(0, out.size());
            const auto n = *rc::gen::inRange<std::size_t>(1, out.size() - at + 1);
            const std::span<int* const> given(out.data() + at, n);
            const bool in = n == 1 ? ring.give(*out[at]) : ring.give(given);
            RC_ASSERT(in);
            model.insert(model.end(), given.begin(), given.end());
            const auto first = out.begin() + static_cast<std::ptrdiff_t>(at);
            out.erase(first, first + static_cast<std::ptrdiff_t>(n));
        } else {
            const auto most = *rc::gen::inRange<std::uint32_t>(0, size + 2);
            const std::size_t expected = std::min<std::size_t>(most, model.size());
            const std::uint32_t taken = ring.collect(most, [&](int& object) {
                RC_ASSERT(&object == model.front());
                model.pop_front();
                out.push_back(&object);
            });
            RC_ASSERT(taken == expected);
        }
        RC_ASSERT(ring.waiting() == model.size());
    }
}

TEST(return_ring, has_a_slot_for_every_object) {
    for (const std::uint32_t size : {1u, 2u, 3u, 64u, 65u}) {
        std::vector<int> objects(size);
        basic_return_ring<int> ring;
        ASSERT_TRUE(ring.reserve(size));
        for (int& object : objects)
            EXPECT_TRUE(ring.give(object));
        EXPECT_EQ(ring.waiting(), size);
        std::size_t next = 0;
        EXPECT_EQ(ring.collect(~0u, [&](int& object) { EXPECT_EQ(&object, &objects[next++]); }), size);
    }
}

TEST(return_ring, of_no_objects_is_empty) {
    basic_return_ring<int> ring;
    ASSERT_TRUE(ring.reserve(0));
    EXPECT_EQ(ring.collect(~0u, [](int&) { FAIL(); }), 0u);
}

// An object may be given again from inside collect: the slot it came out of is free by then.
TEST(return_ring, takes_an_object_back_while_it_is_handed_out) {
    int object = 0;
    basic_return_ring<int> ring;
    ASSERT_TRUE(ring.reserve(1, ~0u));
    EXPECT_TRUE(ring.give(object));
    for (int turn = 0; turn != 5; ++turn)
        EXPECT_EQ(ring.collect(1, [&](int& same) { EXPECT_TRUE(ring.give(same)); }), 1u);
    EXPECT_EQ(ring.waiting(), 1u);
}

// What was given before is handed out by close(), in order; what is given after does not get in.
TEST(return_ring, closes_behind_those_who_are_in) {
    int objects[4] = {};
    basic_return_ring<int> ring;
    ASSERT_TRUE(ring.reserve(4, 3));
    for (int* const each : {&objects[2], &objects[0]})
        EXPECT_TRUE(ring.give(*each));
    std::vector<int*> out;
    ring.close([&](int& object) { out.push_back(&object); });
    EXPECT_EQ(out, (std::vector<int*>{&objects[2], &objects[0]}));
    EXPECT_FALSE(ring.give(objects[1]));
    int* const both[] = {&objects[3], &objects[1]};
    EXPECT_FALSE(ring.give(both));
    EXPECT_EQ(ring.collect(~0u, [](int&) { FAIL(); }), 0u);
}

// Every return is either handed to the one who closes or refused, whoever comes first.
TEST(return_ring, closes_while_others_give) {
    constexpr std::uint32_t givers = 3;
    constexpr std::uint32_t each_gives = 4;
    for (int round = 0; round != 500; ++round) {
        std::vector<int> objects(givers * each_gives);
        basic_return_ring<int> ring;
        ASSERT_TRUE(ring.reserve(givers * each_gives));
        std::atomic<std::uint32_t> refused{0};
        std::vector<std::thread> threads;
        for (std::uint32_t giver = 0; giver != givers; ++giver)
            threads.emplace_back([&, giver] {
                for (std::uint32_t i = 0; i != each_gives; ++i) {
                    int& mine = objects[giver * each_gives + i];
                    mine = 1;
                    if (!ring.give(mine))
                        refused.fetch_add(1, std::memory_order_relaxed);
                }
            });
        std::uint32_t handed = 0;
        ring.close([&](int& object) { handed += static_cast<std::uint32_t>(object); });
        for (std::thread& each : threads)
            each.join();
        ASSERT_EQ(handed + refused.load(std::memory_order_relaxed), givers * each_gives);
    }
}

// The owner hands each object to one of several givers through a mailbox that orders nothing on its way back,
// so that the ring alone has to carry what the giver wrote. Started below the wrap, with as few slots as can
// be.
TEST(return_ring, brings_everything_home_once_from_many_threads) {
    constexpr std::size_t givers = 3;
    constexpr std::uint32_t objects = 4;
    constexpr int returns = 10'000;
    struct tracked {
        bool out = false; // not atomic: the sanitizer sees any pair of accesses that the ring left unordered
    };
    std::vector<tracked> all(objects);
    basic_return_ring<tracked> ring;
    ASSERT_TRUE(ring.reserve(objects, 0u - returns / 2));
    std::atomic<tracked*> mailbox[givers] = {};
    std::atomic<bool> over{false};
    std::vector<std::thread> threads;
    for (std::atomic<tracked*>& mine : mailbox)
        threads.emplace_back([&] {
            while (!over.load(std::memory_order_relaxed)) {
                tracked* const got = mine.load(std::memory_order_acquire);
                if (got == nullptr) {
                    std::this_thread::yield();
                    continue;
                }
                mine.store(nullptr, std::memory_order_relaxed);
                got->out = false;
                EXPECT_TRUE(ring.give(*got));
            }
        });
    std::vector<tracked*> home;
    for (tracked& each : all)
        home.push_back(&each);
    int came_back = 0;
    for (std::size_t next = 0; came_back < returns; ++next) {
        std::atomic<tracked*>& to = mailbox[next % givers];
        if (!home.empty() && to.load(std::memory_order_relaxed) == nullptr) {
            home.back()->out = true;
            to.store(home.back(), std::memory_order_release);
            home.pop_back();
        }
        came_back += static_cast<int>(ring.collect(~0u, [&](tracked& each) {
            EXPECT_FALSE(each.out);
            home.push_back(&each);
        }));
        if (home.empty())
            std::this_thread::yield();
    }
    while (home.size() != objects)
        ring.collect(1, [&](tracked& each) { home.push_back(&each); });
    over.store(true, std::memory_order_relaxed);
    for (std::thread& each : threads)
        each.join();
    std::sort(home.begin(), home.end());
    EXPECT_EQ(std::unique(home.begin(), home.end()), home.end()) << "one came home twice";
    EXPECT_EQ(ring.waiting(), 0u);
}

#if NORIA_CONTRACT == 2
TEST(return_ring_death_test, more_objects_than_it_can_count) {
    basic_return_ring<int> ring;
    EXPECT_DEATH(static_cast<void>(ring.reserve((1u << 31) + 1)), "at most 2\\^31");
}
#endif

} // namespace
