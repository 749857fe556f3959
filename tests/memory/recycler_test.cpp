// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/recycler.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

#include "support/strict_sync.hpp"

namespace {

using namespace noria;
using recycler = basic_recycler<int, strict_sync>;
using section = recycler::owner_section;

static_assert(!std::is_copy_constructible_v<recycler> && !std::is_copy_constructible_v<section>);

// One thread plays three, and each turn another one is the owner. The model: the owner's stack, and the queue
// of what the others gave back.
RC_GTEST_PROP(recycler, hands_out_the_owners_last_one_first_and_returns_when_those_are_gone, ()) {
    const int threads[3] = {};
    std::vector<int> objects(*rc::gen::inRange<std::size_t>(1, 8));
    recycler tested;
    RC_ASSERT(tested.reserve(static_cast<std::uint32_t>(objects.size())));
    std::vector<int*> stack;
    std::vector<int*> returned;
    std::vector<int*> out;
    for (int& object : objects) {
        tested.put_first(object);
        stack.push_back(&object);
    }
    for (int turn = 0; turn != 6; ++turn) {
        const auto owner = *rc::gen::inRange<std::size_t>(0, 3);
        const playing as_owner(threads[owner]);
        const section entered(tested);
        for (int step = 0; step != 12; ++step) {
            if (!out.empty() && *rc::gen::arbitrary<bool>()) {
                const auto giver = *rc::gen::inRange<std::size_t>(0, 3);
                const playing as_giver(threads[giver]);
                std::vector<int*>& to = giver == owner ? stack : returned;
                const auto n = *rc::gen::inRange<std::size_t>(1, out.size() + 1);
                const std::span<int* const> given(out.data() + out.size() - n, n);
                to.insert(to.end(), given.begin(), given.end());
                const way_home went = n == 1 ? tested.give(*out.back()) : tested.give(given);
                RC_ASSERT(went == (giver == owner ? way_home::cached : way_home::returned));
                out.resize(out.size() - n);
            } else if (*rc::gen::inRange(0, 3) == 0) {
                std::vector<int*> taken(*rc::gen::inRange<std::size_t>(0, 9));
                if (stack.size() < taken.size()) {
                    stack.insert(stack.end(), returned.begin(), returned.end());
                    returned.clear();
                }
                const std::size_t expected = std::min(taken.size(), stack.size());
                taken.resize(tested.take(taken));
                RC_ASSERT(taken == std::vector<int*>(stack.end() - static_cast<std::ptrdiff_t>(expected),
                                                     stack.end()));
                stack.resize(stack.size() - expected);
                out.insert(out.end(), taken.begin(), taken.end());
            } else {
                if (stack.empty())
                    std::swap(stack, returned);
                int* const taken = tested.take();
                RC_ASSERT(taken == (stack.empty() ? nullptr : stack.back()));
                if (taken != nullptr) {
                    stack.pop_back();
                    out.push_back(taken);
                }
            }
            if (*rc::gen::inRange(0, 4) == 0) { // asking collects
                RC_ASSERT(tested.home() == stack.size() + returned.size());
                stack.insert(stack.end(), returned.begin(), returned.end());
                returned.clear();
            }
        }
    }
}

// After the inner section the outer one still holds: a push covers what was on the stack, a return does not.
TEST(recycler, sections_of_one_thread_nest) {
    int objects[2] = {};
    recycler tested;
    ASSERT_TRUE(tested.reserve(2));
    tested.put_first(objects[0]);
    tested.put_first(objects[1]);
    int* const taken = tested.take();
    const int me = 0;
    const playing as_me(me);
    const section outer(tested);
    {
        const section inner(tested);
    }
    tested.give(*taken);
    EXPECT_EQ(tested.take(), taken);
}

// Outside all sections even the thread that was the owner is one among many.
TEST(recycler, a_return_after_the_section_goes_through_the_ring) {
    int objects[2] = {};
    recycler tested;
    ASSERT_TRUE(tested.reserve(2));
    tested.put_first(objects[0]);
    tested.put_first(objects[1]);
    int* const taken = tested.take();
    EXPECT_EQ(taken, &objects[1]);
    const int me = 0;
    const playing as_me(me);
    {
        const section entered(tested);
    }
    tested.give(*taken);
    EXPECT_EQ(tested.take(), &objects[0]) << "on the stack since set-up; a push would have covered it";
    EXPECT_EQ(tested.take(), &objects[1]);
    EXPECT_EQ(tested.take(), nullptr);
}

// The way through the ring is the owner's, too; and what it collects goes where it says.
TEST(recycler, sends_the_owners_own_through_the_ring_and_hands_over_what_it_collects) {
    std::vector<int> objects(4);
    recycler tested;
    ASSERT_TRUE(tested.reserve(4));
    const int threads[2] = {};
    const playing as_owner(threads[0]);
    EXPECT_FALSE(tested.entered());
    const section entered(tested);
    EXPECT_TRUE(tested.entered());
    EXPECT_EQ(tested.send(objects[0]), way_home::returned);
    {
        const playing as_other(threads[1]);
        EXPECT_FALSE(tested.entered());
        int* const given[] = {&objects[1], &objects[2]};
        EXPECT_EQ(tested.send(given), way_home::returned);
    }
    EXPECT_EQ(tested.send(objects[3]), way_home::returned);
    EXPECT_TRUE(tested.cached().empty());
    std::vector<int*> got;
    EXPECT_EQ(tested.collect([&](int& object) { got.push_back(&object); }), 4u);
    EXPECT_EQ(got, (std::vector<int*>{&objects[0], &objects[1], &objects[2], &objects[3]}));
    EXPECT_TRUE(tested.cached().empty());
}

TEST(recycler, of_nothing_is_dry) {
    recycler tested;
    ASSERT_TRUE(tested.reserve(0));
    EXPECT_EQ(tested.take(), nullptr);
    EXPECT_EQ(tested.home(), 0u);
}

// However many are out, singly and in bursts: the last one home is told so, and nobody before it.
TEST(recycler, once_closed_tells_the_last_one_home) {
    for (const std::uint32_t out : {0u, 1u, 2u, 5u})
        for (const bool together : {false, true}) {
            std::vector<int> objects(5);
            basic_recycler<int> tested;
            ASSERT_TRUE(tested.reserve(5));
            for (int& object : objects)
                tested.put_first(object);
            std::vector<int*> taken(5);
            ASSERT_EQ(tested.take(taken), 5u);
            while (taken.size() != out) { // not collected yet
                EXPECT_EQ(tested.give(*taken.back()), way_home::returned);
                taken.pop_back();
            }
            tested.close();
            EXPECT_EQ(tested.cached().size(), 5 - out);
            EXPECT_EQ(tested.leave(out), out == 0);
            if (out == 0)
                continue;
            if (together) {
                EXPECT_EQ(tested.give(std::span<int* const>{}), way_home::returned);
                EXPECT_EQ(tested.give(taken), way_home::last);
                continue;
            }
            for (std::uint32_t i = 0; i != out; ++i)
                EXPECT_EQ(tested.give(*taken[i]), i + 1 == out ? way_home::last : way_home::returned);
        }
}

// Two threads are the owner in turn, while a third frees what either took.
TEST(recycler, ownership_passes_between_threads) {
    constexpr int rounds = 2'000;
    std::vector<int> objects(4);
    basic_recycler<int> tested;
    ASSERT_TRUE(tested.reserve(4));
    for (int& object : objects)
        tested.put_first(object);
    std::atomic<int> turn{0};
    std::atomic<int*> mailbox{nullptr};
    const auto owner = [&](int parity) {
        for (int round = parity; round < rounds; round += 2) {
            while (turn.load(std::memory_order_acquire) != round)
                std::this_thread::yield();
            {
                const basic_recycler<int>::owner_section entered(tested);
                int* const kept = tested.take();
                int* const sent = tested.take();
                ASSERT_NE(kept, nullptr);
                ASSERT_NE(sent, nullptr);
                ASSERT_NE(kept, sent);
                *kept = *sent = round; // not atomic: whoever had them last must be done
                tested.give(*kept);
                mailbox.store(sent, std::memory_order_release);
                while (mailbox.load(std::memory_order_relaxed) != nullptr)
                    std::this_thread::yield();
            }
            turn.store(round + 1, std::memory_order_release);
        }
    };
    std::thread even(owner, 0);
    std::thread odd(owner, 1);
    for (int freed = 0; freed != rounds;) {
        int* const got = mailbox.load(std::memory_order_acquire);
        if (got == nullptr) {
            std::this_thread::yield();
            continue;
        }
        mailbox.store(nullptr, std::memory_order_relaxed);
        *got = -1;
        tested.give(*got);
        ++freed;
    }
    even.join();
    odd.join();
    EXPECT_EQ(tested.home(), 4u);
}

#if NORIA_CONTRACT == 2
TEST(recycler_death_test, two_owners_at_once) {
    const int threads[2] = {};
    recycler tested;
    ASSERT_TRUE(tested.reserve(1));
    const playing as_first(threads[0]);
    const section entered(tested);
    const playing as_second(threads[1]);
    EXPECT_DEATH(section second(tested), "only one may be");
    EXPECT_DEATH(tested.close(), "leave it before the pool goes");
}

// What is the owner's is nobody else's while it is inside; giving is everybody's.
TEST(recycler_death_test, another_thread_at_the_owners_things) {
    const int threads[2] = {};
    int objects[3] = {};
    recycler tested;
    ASSERT_TRUE(tested.reserve(3));
    for (int& object : objects)
        tested.put_first(object);
    const playing as_first(threads[0]);
    int* const taken = tested.take();
    const section entered(tested);
    const playing as_second(threads[1]);
    int* room[1];
    int* const given[] = {&objects[0]};
    EXPECT_DEATH(static_cast<void>(tested.take()), "another thread is inside");
    EXPECT_DEATH(static_cast<void>(tested.take(room)), "another thread is inside");
    EXPECT_DEATH(tested.collect(), "another thread is inside");
    EXPECT_DEATH(static_cast<void>(tested.home()), "another thread is inside");
    EXPECT_DEATH(tested.give_cached(*taken), "another thread is inside");
    EXPECT_DEATH(tested.give_cached(given), "another thread is inside");
    EXPECT_EQ(tested.give(*taken), way_home::returned);
}

TEST(recycler_death_test, sections_that_end_in_the_wrong_order) {
    const int thread = 0;
    const playing as_one(thread);
    recycler tested;
    ASSERT_TRUE(tested.reserve(1));
    EXPECT_DEATH(
        {
            std::optional<section> first(std::in_place, tested);
            const section second(tested);
            first.reset();
        },
        "the last one first");
}
#endif

} // namespace
