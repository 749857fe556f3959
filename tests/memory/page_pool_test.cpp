// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/page_pool.hpp"

#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

#include "support/memory_block.hpp"
#include "support/random.hpp"
#include "support/strict_sync.hpp"

namespace {

using namespace noria;

static_assert(!std::is_copy_constructible_v<page_pool> && std::is_nothrow_move_constructible_v<page_pool>);

TEST(page_pool, cuts_as_many_pages_as_fit_and_hands_them_out_in_address_order) {
    memory_block memory(10 * 192 + 191);
    result<page_pool> made = page_pool::create(memory.bytes(), 192);
    ASSERT_TRUE(made) << made.error().advice;
    EXPECT_EQ(made->pages(), 10u);
    EXPECT_EQ(made->page_bytes(), 192u);
    std::vector<page*> taken;
    for (std::size_t i = 0; i != 10; ++i) {
        page* const next = made->allocate();
        ASSERT_NE(next, nullptr);
        EXPECT_EQ(next->data(), memory.bytes().data() + 192 * i);
        EXPECT_EQ(next->size(), 192u);
        EXPECT_EQ(next->references(), 1u);
        taken.push_back(next);
    }
    EXPECT_EQ(made->allocate(), nullptr);
    for (page* each : taken)
        each->release();
}

TEST(page_pool, finds_the_page_of_any_address) {
    memory_block memory(10 * 192 + 64);
    result<page_pool> made = page_pool::create(memory.bytes().subspan(64), 192); // exactly ten
    ASSERT_TRUE(made);
    const std::byte* const first = memory.bytes().data() + 64;
    page* const start = made->page_of(first);
    ASSERT_NE(start, nullptr);
    for (std::size_t i = 0; i != 10; ++i)
        for (const std::size_t within : {0u, 1u, 100u, 191u}) {
            page* const found = made->page_of(first + 192 * i + within);
            ASSERT_EQ(found, start + i);
            EXPECT_EQ(found->data(), first + 192 * i);
        }
    EXPECT_EQ(made->page_of(first - 1), nullptr);
    EXPECT_EQ(made->page_of(first + 1920), nullptr);
    EXPECT_EQ(made->page_of(nullptr), nullptr);
    EXPECT_EQ(made->page_of(reinterpret_cast<const std::byte*>(~std::uintptr_t{0})), nullptr);
    int on_the_stack = 0;
    EXPECT_EQ(made->page_of(reinterpret_cast<const std::byte*>(&on_the_stack)), nullptr);
}

TEST(page_pool, has_no_page_for_the_rest_that_was_too_short_for_one) {
    memory_block memory(256 + 64);
    result<page_pool> made = page_pool::create(memory.bytes(), 256);
    ASSERT_TRUE(made);
    EXPECT_NE(made->page_of(memory.bytes().data() + 255), nullptr);
    EXPECT_EQ(made->page_of(memory.bytes().data() + 256), nullptr);
}

// The model: who is out, with how many references; the pool must never hand out one of those.
RC_GTEST_PROP(page_pool, never_hands_out_a_page_that_somebody_holds, ()) {
    memory_block memory(64 * *rc::gen::inRange<std::size_t>(1, 9));
    result<basic_page_pool<strict_sync>> made = basic_page_pool<strict_sync>::create(memory.bytes(), 64);
    RC_ASSERT(made.has_value());
    const int threads[2] = {};
    const playing as_owner(threads[0]);
    const auto entered = made->enter();
    std::vector<std::pair<basic_page<strict_sync>*, std::uint32_t>> out;
    std::uint64_t handed_out = 0;
    std::uint64_t refused = 0;
    for (int step = 0; step != 80; ++step) {
        const int what = *rc::gen::inRange(0, 4);
        if (out.empty() || what == 0) {
            basic_page<strict_sync>* const taken = made->allocate();
            RC_ASSERT((taken != nullptr) == (out.size() != made->pages()));
            if (taken == nullptr) {
                ++refused;
                continue;
            }
            for (const auto& [held, references] : out)
                RC_ASSERT(held != taken);
            RC_ASSERT(taken->references() == 1u && made->page_of(taken->data()) == taken);
            out.emplace_back(taken, 1);
            ++handed_out;
        } else {
            const auto at = *rc::gen::inRange<std::size_t>(0, out.size());
            auto& [held, references] = out[at];
            const auto n = *rc::gen::inRange<std::uint32_t>(1, references + 1);
            if (what == 1) {
                held->hold(n);
                references += n;
            } else {
                const playing as_either(threads[what - 2]);
                held->release(n);
                references -= n;
                if (references == 0)
                    out.erase(out.begin() + static_cast<std::ptrdiff_t>(at));
            }
        }
        for (const auto& [held, references] : out)
            RC_ASSERT(held->references() == references);
        RC_ASSERT(made->in_flight() == out.size());
    }
    RC_ASSERT(made->allocated() == handed_out && made->dry() == refused);
    for (const auto& [held, references] : out)
        held->release(references);
    RC_ASSERT(made->in_flight() == 0u);
}

TEST(page_pool, the_owner_gets_the_warmest_page_first) {
    memory_block memory(4 * 64);
    result<page_pool> made = page_pool::create(memory.bytes(), 64);
    ASSERT_TRUE(made);
    const auto entered = made->enter();
    page* const first = made->allocate();
    page* const second = made->allocate();
    first->release();
    second->release();
    EXPECT_EQ(made->allocate(), second);
    EXPECT_EQ(made->allocate(), first);
    first->release();
    second->release();
}

TEST(page_pool, moves_while_pages_are_out) {
    memory_block memory(4 * 64);
    result<page_pool> made = page_pool::create(memory.bytes(), 64);
    memory_block other_memory(64);
    result<page_pool> other = page_pool::create(other_memory.bytes(), 64);
    ASSERT_TRUE(made && other);
    page* const taken = made->allocate();
    page_pool moved = std::move(*other);
    moved = std::move(*made); // the other one had all its pages and goes
    EXPECT_EQ(moved.pages(), 4u);
    EXPECT_EQ(moved.page_of(taken->data()), taken);
    EXPECT_EQ(moved.in_flight(), 1u);
    taken->release();
    EXPECT_EQ(moved.in_flight(), 0u);
}

TEST(page_pool, refuses_what_cannot_be_with_advice) {
    memory_block memory(1024);
    for (const std::uint32_t page_bytes : {0u, 1u, 63u, 65u, 2048u}) {
        const result<page_pool> made = page_pool::create(memory.bytes(), page_bytes);
        ASSERT_FALSE(made) << page_bytes;
        EXPECT_EQ(made.error().code, std::errc::invalid_argument);
        EXPECT_GT(std::string(made.error().advice).size(), 20u);
    }
    EXPECT_FALSE(page_pool::create({}, 64));
}

// One owner allocates, several threads read the bytes and free in any order. The mailboxes order nothing on
// the way back, so the sanitizer sees it if the pool itself does not: the owner writes each page it gets.
TEST(page_pool, all_pages_come_home_once_from_many_threads) {
    constexpr std::size_t readers = 3;
    constexpr std::uint32_t pages = 8;
    constexpr std::uint64_t rounds = 20'000;
    memory_block memory(pages * 64);
    result<page_pool> made = page_pool::create(memory.bytes(), 64);
    ASSERT_TRUE(made);
    random_steps random;
    std::atomic<page*> mailbox[readers] = {};
    std::atomic<bool> over{false};
    std::vector<std::thread> threads;
    for (std::atomic<page*>& mine : mailbox)
        threads.emplace_back([&] {
            std::vector<page*> kept;
            while (!over.load(std::memory_order_relaxed) || mine.load(std::memory_order_relaxed) != nullptr) {
                if (page* const got = mine.load(std::memory_order_acquire)) {
                    mine.store(nullptr, std::memory_order_relaxed);
                    kept.push_back(got);
                } else {
                    std::this_thread::yield();
                }
                // Two at most are kept back and freed last one first, so that returns overtake each other.
                while (kept.size() > 2 ||
                       (!kept.empty() && mine.load(std::memory_order_relaxed) == nullptr)) {
                    EXPECT_EQ(kept.back()->data()[0], kept.back()->data()[63]) << "written while it was held";
                    kept.back()->release();
                    kept.pop_back();
                }
            }
        });
    {
        const auto entered = made->enter();
        for (std::uint64_t round = 0; round != rounds;) {
            page* const taken = made->allocate();
            if (taken == nullptr) {
                std::this_thread::yield();
                continue;
            }
            ++round;
            ASSERT_EQ(taken->references(), 1u);
            taken->data()[0] = taken->data()[63] = static_cast<std::byte>(round);
            const std::size_t holders = random.below(readers + 1); // none: the owner frees it itself
            const std::size_t first = random.below(readers);
            taken->start(1 + static_cast<std::uint32_t>(holders));
            for (std::size_t i = 0; i != holders; ++i) {
                std::atomic<page*>& to = mailbox[(first + i) % readers];
                while (to.load(std::memory_order_relaxed) != nullptr)
                    std::this_thread::yield();
                to.store(taken, std::memory_order_release);
            }
            taken->release();
        }
    }
    over.store(true, std::memory_order_relaxed);
    for (std::thread& each : threads)
        each.join();
    EXPECT_EQ(made->in_flight(), 0u);
    EXPECT_EQ(made->allocated(), rounds);
    std::set<page*> all;
    while (page* const taken = made->allocate())
        EXPECT_TRUE(all.insert(taken).second) << "came home twice";
    EXPECT_EQ(all.size(), pages);
    for (page* each : all)
        each->release();
}

#if NORIA_CONTRACT == 2
TEST(page_pool_death_test, a_page_given_back_twice) {
    memory_block memory(64);
    result<page_pool> made = page_pool::create(memory.bytes(), 64);
    ASSERT_TRUE(made);
    page* const taken = made->allocate();
    taken->release();
    EXPECT_DEATH(taken->release(), "released twice");
}

TEST(page_pool_death_test, a_pool_that_goes_before_its_pages) {
    memory_block memory(64);
    EXPECT_DEATH(
        {
            result<page_pool> made = page_pool::create(memory.bytes(), 64);
            static_cast<void>(made->allocate());
        },
        "pages are still out");
}
#endif

} // namespace
