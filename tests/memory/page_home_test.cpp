// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/page_home.hpp"

#include <atomic>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "noria/memory/block_arena.hpp"
#include "noria/memory/page_pool.hpp"
#include "support/memory_block.hpp"
#include "support/random.hpp"

namespace {

using namespace noria;

// However many are out when the pool goes, on its stack, in its ring and on their way: the source has all of
// them back when the last one is home, and not before that. (The leak check sees the bookkeeping.)
TEST(page_home, of_a_pool_that_goes_gives_all_back_to_the_source) {
    constexpr std::uint32_t blocks = 16;
    memory_block memory(blocks * 128);
    block_arena arena = std::move(*block_arena::create(memory.bytes(), 64));
    for (const unsigned order : {0u, 1u})
        for (std::size_t out = 0; out != 9; ++out)
            for (const bool together : {false, true}) {
                std::vector<page*> taken(out);
                std::uint64_t held = 0;
                {
                    auto made = page_pool::create(arena, order, {.cache = 3, .refill = 2, .ring = 2});
                    ASSERT_TRUE(made) << made.error().advice;
                    EXPECT_EQ(made->pages(), 2u * blocks >> order);
                    ASSERT_EQ(made->allocate_burst(taken), out);
                    for (int back = 0; back != 4 && taken.size() > 2; ++back) {
                        taken.back()->release();
                        taken.pop_back();
                        if (back == 1) { // two are in the ring, the others on their way
                            EXPECT_EQ(made->in_flight(), taken.size());
                        }
                    }
                    held = taken.size() << order;
                }
                EXPECT_EQ(arena.free_pages(), 2 * blocks - held);
                for (page* each : taken) {
                    EXPECT_EQ(each->references(), 1u);
                    each->data()[63] = std::byte{1};
                    each->hold();
                }
                release_burst(taken);
                EXPECT_EQ(arena.free_pages(), 2 * blocks - held);
                if (together) {
                    release_burst(taken);
                } else {
                    for (page* each : taken) {
                        EXPECT_EQ(arena.free_pages(), 2 * blocks - held) << "all at the end";
                        each->release();
                    }
                }
                EXPECT_EQ(arena.free_pages(), 2 * blocks);
            }
    EXPECT_EQ(arena.free_blocks(5), 1u) << "all joined";
}

// The end of the pool races with the returns of several threads, and the source has one user at a time.
TEST(page_home, gives_all_back_once_while_pages_come_home_from_many_threads) {
    constexpr std::size_t threads_count = 3;
    constexpr std::size_t each_has = 4;
    memory_block memory(2 * threads_count * each_has * 64);
    block_arena arena = std::move(*block_arena::create(memory.bytes(), 64));
    const std::uint64_t all_free = arena.free_pages();
    const std::uint64_t rounds = random_steps::count(600, 100);
    for (std::uint64_t round = 0; round != rounds; ++round) {
        std::optional<page_pool> pool(
            std::move(*page_pool::create(arena, 0, {.cache = 4, .refill = 4, .ring = 3})));
        std::vector<page*> all(threads_count * each_has);
        ASSERT_EQ(pool->allocate_burst(all), all.size());
        std::vector<std::thread> threads;
        std::atomic<std::size_t> ready{0};
        for (std::size_t i = 0; i != threads_count; ++i)
            threads.emplace_back([&, i] {
                ready.fetch_add(1, std::memory_order_relaxed);
                while (ready.load(std::memory_order_relaxed) != threads_count + 1)
                    std::this_thread::yield();
                const std::span<page* const> mine(all.data() + i * each_has, each_has);
                if (i == 0) {
                    release_burst(mine);
                } else {
                    for (page* each : mine)
                        each->release();
                }
            });
        ready.fetch_add(1, std::memory_order_relaxed);
        if (round % 3 == 0) // others first
            std::this_thread::yield();
        pool.reset();
        for (std::thread& each : threads)
            each.join();
        ASSERT_EQ(arena.free_pages(), all_free);
    }
}

// A pool draws from its source and gives back to it while other threads free: the source sees one thread.
TEST(page_home, uses_the_source_on_the_owners_thread_alone) {
    constexpr std::size_t readers = 2;
    memory_block memory(32 * 64);
    block_arena arena = std::move(*block_arena::create(memory.bytes(), 64));
    const std::uint64_t rounds = random_steps::count(20'000, 2'000);
    {
        auto made = page_pool::create(arena, 0, {.cache = 4, .refill = 3, .ring = 5});
        ASSERT_TRUE(made);
        random_steps random;
        std::atomic<page*> mailbox[readers] = {};
        std::atomic<bool> over{false};
        std::vector<std::thread> threads;
        for (std::atomic<page*>& mine : mailbox)
            threads.emplace_back([&] {
                std::vector<page*> kept;
                const auto let_go = [&] {
                    for (const page* each : kept)
                        EXPECT_EQ(each->data()[0], each->data()[63]) << "written while it was held";
                    release_burst(kept);
                    kept.clear();
                };
                while (!over.load(std::memory_order_relaxed) ||
                       mine.load(std::memory_order_relaxed) != nullptr) {
                    page* const got = mine.load(std::memory_order_acquire);
                    if (got == nullptr) {
                        let_go();
                        std::this_thread::yield();
                        continue;
                    }
                    mine.store(nullptr, std::memory_order_relaxed);
                    kept.push_back(got);
                    if (kept.size() == 12)
                        let_go();
                }
                let_go();
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
                taken->data()[0] = taken->data()[63] = static_cast<std::byte>(round);
                std::atomic<page*>& to = random.pick(mailbox);
                if (random.one_in(3) || to.load(std::memory_order_relaxed) != nullptr)
                    taken->release();
                else
                    to.store(taken, std::memory_order_release);
            }
        }
        over.store(true, std::memory_order_relaxed);
        for (std::thread& each : threads)
            each.join();
        EXPECT_EQ(made->in_flight(), 0u);
        const page_pool_counters now = made->counters();
        EXPECT_EQ(now.handed_out(), rounds);
        EXPECT_EQ(now.came_home(), rounds);
        EXPECT_EQ(now.taken - now.released, made->free());
        EXPECT_GT(now.recycle_ring, 0u);
    }
    EXPECT_EQ(arena.free_pages(), 32u);
}

// Against a map of what is out since when, while pages come from the source and go there.
TEST(page_home, knows_who_is_out_and_since_when_with_a_source) {
    random_steps random;
    memory_block memory(12 * 64);
    block_arena arena = std::move(*block_arena::create(memory.bytes(), 64));
    auto made = page_pool::create(arena, 0, {.cache = 2, .refill = 2, .ring = 2}, {.track_ages = true});
    ASSERT_TRUE(made);
    std::map<const page*, std::uint64_t> since;
    std::uint64_t now = 0;
    const std::uint64_t steps = random_steps::count(6'000, 1'000);
    for (std::uint64_t step = 0; step != steps; ++step) {
        switch (random.below(6)) {
        case 0:
            now += random.below(1'000);
            made->set_now(now);
            break;
        case 1:
        case 2:
            if (page* const taken = made->allocate())
                since[taken] = now;
            break;
        case 3:
        case 4:
            if (!since.empty()) {
                auto chosen = since.begin();
                std::advance(chosen, random.below(static_cast<std::uint32_t>(since.size())));
                page& back = *made->page_of(chosen->first->data());
                random.one_in(2) ? made->give_back(back) : back.release();
                since.erase(chosen);
            }
            break;
        default:
            std::vector<std::pair<const page*, std::uint64_t>> expected;
            for (const auto& [out, when] : since)
                expected.emplace_back(out, now - when);
            std::vector<std::pair<const page*, std::uint64_t>> seen;
            made->outstanding([&](const page& out, std::uint64_t age) { seen.emplace_back(&out, age); });
            ASSERT_EQ(seen, expected);
        }
    }
    EXPECT_GT(made->counters().released, 20u);
    for (const auto& [out, when] : since)
        made->page_of(out->data())->release();
}

} // namespace
