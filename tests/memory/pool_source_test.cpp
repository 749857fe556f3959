// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/pool_source.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <numeric>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "noria/memory/page_pool.hpp"
#include "support/memory_block.hpp"
#include "support/random.hpp"
#include "support/strict_sync.hpp"

namespace {

using namespace noria;
using pool_type = basic_page_pool<strict_sync>;
using page_type = basic_page<strict_sync>;

// A source that a model can have a copy of: the free block of the lowest address goes out first, so that it
// does not matter in which order blocks came back. Each `fail_each`th take fails; what is taken when no more
// than `reserve` are free is an emergency page; every second pair of blocks lies on node 1.
struct listed_source {
    listed_source(std::span<std::byte> memory, std::uint32_t page_bytes, unsigned order)
        : memory_(memory), page_bytes_(page_bytes), order_(order) {
        for (std::size_t i = 0; i != memory.size() / block_bytes(); ++i)
            free.insert(memory.data() + i * block_bytes());
    }

    std::byte* take(unsigned order) noexcept {
        EXPECT_EQ(order, order_);
        if (free.empty() || (fail_each != 0 && ++takes % fail_each == 0))
            return nullptr;
        std::byte* const block = *free.begin();
        if (free.size() <= reserve)
            emergency.insert(block);
        free.erase(free.begin());
        return block;
    }
    void give(std::byte* block, unsigned order) noexcept {
        EXPECT_EQ(order, order_);
        EXPECT_TRUE(free.insert(block).second) << "given twice";
        emergency.erase(block);
    }
    bool has_block(unsigned order) const noexcept { return order <= order_ && !free.empty(); }
    std::uint64_t free_pages() const noexcept { return free.size() << order_; }
    std::uint32_t page_bytes() const noexcept { return page_bytes_; }
    std::span<std::byte> memory() const noexcept { return memory_; }
    int node_of(const std::byte* address) const noexcept {
        return static_cast<int>(static_cast<std::size_t>(address - memory_.data()) / block_bytes() / 2 % 2);
    }
    bool is_emergency(const std::byte* block) const noexcept { return emergency.count(block) != 0; }

    std::size_t block_bytes() const { return std::size_t{page_bytes_} << order_; }

    std::set<std::byte*> free;
    std::set<const std::byte*> emergency;
    std::uint64_t fail_each = 0;
    std::uint64_t takes = 0;
    std::size_t reserve = 0;

  private:
    std::span<std::byte> memory_;
    std::uint32_t page_bytes_;
    unsigned order_;
};
static_assert(block_source<listed_source> && knows_nodes<listed_source> && knows_emergencies<listed_source>);

// The pool as Linux has it, with one ring that any thread puts into, and a system that any thread gives to.
struct linux_pool {
    std::byte* allocate() {
        if (!cache.empty()) {
            ++counts.alloc_fast;
            return from_cache();
        }
        if (ring.empty()) {
            ++counts.alloc_empty;
        } else {
            while (cache.size() != limits.refill && !ring.empty()) {
                std::byte* const next = ring.front();
                ring.pop_front();
                if (node != -1 && source.node_of(next) != node) {
                    ++counts.alloc_waive;
                    give(next);
                    break;
                }
                cache.push_back(next);
            }
            if (!cache.empty()) {
                ++counts.alloc_refill;
                return from_cache();
            }
        }
        for (std::uint32_t i = 0; i != (order != 0 ? 1 : limits.refill); ++i) {
            std::byte* const block = source.take(order);
            if (block == nullptr)
                break;
            ++counts.taken;
            cache.push_back(block);
            if (source.is_emergency(block))
                break; // for the one who asks; the rest of the reserve stays where it is
        }
        if (cache.empty()) {
            ++counts.alloc_fail;
            return nullptr;
        }
        ++(order != 0 ? counts.alloc_slow_high_order : counts.alloc_slow);
        return from_cache();
    }

    void put(std::byte* back, bool by_owner) {
        if (source.is_emergency(back)) {
            ++counts.recycle_released_ref;
            give(back);
            return;
        }
        if (by_owner) {
            if (cache.size() < limits.cache) {
                ++counts.recycle_cached;
                cache.push_back(back);
                return;
            }
            ++counts.recycle_cache_full;
        }
        if (ring.size() < limits.ring) {
            ++counts.recycle_ring;
            ring.push_back(back);
            return;
        }
        ++counts.recycle_ring_full;
        give(back);
    }

    void set_node(int wanted) {
        if (std::exchange(node, wanted) != wanted)
            while (!cache.empty())
                give(from_cache());
    }

    std::byte* from_cache() {
        std::byte* const top = cache.back();
        cache.pop_back();
        return top;
    }
    void give(std::byte* block) {
        ++counts.released;
        source.give(block, order);
    }

    listed_source source;
    unsigned order;
    page_pool_limits limits;
    int node = -1;
    std::vector<std::byte*> cache;
    std::deque<std::byte*> ring;
    page_pool_counters counts;
};

using count_list = std::vector<std::uint64_t>;

// What moves at once in both.
count_list at_once(const page_pool_counters& c) {
    return {c.alloc_fast,  c.alloc_slow, c.alloc_slow_high_order, c.alloc_empty, c.alloc_refill,
            c.alloc_waive, c.alloc_fail, c.recycle_cached,        c.taken,       c.recycle_cache_full};
}
// What moves when the owner has looked.
count_list later(const page_pool_counters& c) {
    return {c.recycle_ring, c.recycle_ring_full, c.recycle_released_ref, c.released};
}

struct shape {
    std::uint32_t blocks;
    unsigned order;
    page_pool_limits limits;
    std::uint64_t fail_each;
    std::size_t reserve;
};

// The pool and the model side by side.
class both_pools {
  public:
    both_pools(std::span<std::byte> memory, const shape& s)
        : source(memory, 64, s.order), pool(std::move(*pool_type::create(source, s.order, s.limits))),
          model{source, s.order, s.limits, -1, {}, {}, {}} {
        source.fail_each = model.source.fail_each = s.fail_each;
        source.reserve = model.source.reserve = s.reserve;
    }

    void allocate(std::size_t wanted, bool singly) {
        std::vector<page_type*> got(wanted);
        if (singly) {
            for (page_type*& each : got)
                each = pool.allocate();
            for (std::size_t i = 0; i != wanted; ++i)
                expect_got(got[i], model.allocate());
            std::erase(got, nullptr);
        } else {
            got.resize(pool.allocate_burst(got));
            // A burst that fails looks once.
            std::size_t i = 0;
            for (; i != wanted; ++i) {
                std::byte* const expected = model.allocate();
                if (expected == nullptr)
                    break;
                expected_pages.push_back(expected);
            }
            if (i != wanted)
                model.counts.alloc_fail += wanted - i - 1;
            ASSERT_EQ(got.size(), i);
            // Each helping of a burst lies as it lay on the stack.
            std::vector<std::byte*> got_pages;
            for (const page_type* each : got)
                got_pages.push_back(each->data());
            std::sort(got_pages.begin(), got_pages.end());
            std::sort(expected_pages.begin(), expected_pages.end());
            EXPECT_EQ(got_pages, std::exchange(expected_pages, {}));
        }
        out.insert(out.end(), got.begin(), got.end());
    }

    void release(std::size_t count, bool by_owner, bool together) {
        std::vector<page_type*> burst(out.end() - static_cast<std::ptrdiff_t>(count), out.end());
        out.resize(out.size() - count);
        // A burst goes home in runs of one owner, and of the pages that are not kept each singly.
        for (page_type* each : burst)
            model.put(each->data(), by_owner);
        const playing as_either(thread[by_owner ? 0 : 1]);
        if (together) {
            release_burst(burst);
        } else {
            for (page_type* each : burst)
                each->release();
        }
    }
    void give_back(std::size_t count) {
        const std::span<page_type* const> unused(out.data() + out.size() - count, count);
        for (const page_type* each : unused)
            model.put(each->data(), true);
        if (count == 1)
            pool.give_back(*unused[0]);
        else
            pool.give_back(unused);
        out.resize(out.size() - count);
    }
    void set_node(int node) {
        pool.set_node(node);
        model.set_node(node);
    }

    void check_at_once() { ASSERT_EQ(at_once(pool.counters()), at_once(model.counts)); }
    void check_all() {
        ASSERT_EQ(pool.free(), model.cache.size() + model.ring.size());
        ASSERT_EQ(pool.in_flight(), out.size());
        const page_pool_counters now = pool.counters();
        ASSERT_EQ(at_once(now), at_once(model.counts));
        ASSERT_EQ(later(now), later(model.counts));
        ASSERT_EQ(now.handed_out(), now.came_home() + out.size());
        ASSERT_EQ(now.taken - now.released, pool.free() + pool.in_flight());
        ASSERT_EQ(source.free, model.source.free);
        ASSERT_EQ(source.emergency, model.source.emergency);
    }

    const int thread[2] = {};
    listed_source source;
    pool_type pool;
    linux_pool model;
    std::vector<page_type*> out;

  private:
    void expect_got(const page_type* got, const std::byte* expected) {
        ASSERT_EQ(got == nullptr, expected == nullptr);
        if (got == nullptr)
            return;
        EXPECT_EQ(got->data(), expected);
        EXPECT_EQ(got->references(), 1u);
        EXPECT_EQ(got->size(), source.block_bytes());
        EXPECT_EQ(pool.page_of(expected), got);
    }
    std::vector<std::byte*> expected_pages;
};

TEST(pool_source, moves_the_same_pages_and_counts_the_same_as_linux) {
    random_steps random;
    std::vector<std::uint64_t> seen(14);
    const std::uint64_t rounds = random_steps::count(1'500, 200);
    for (std::uint64_t round = 0; round != rounds; ++round) {
        const auto some = [&](std::uint32_t most) {
            return random.one_in(4) ? page_pool_limits::all : 1 + random.below(most);
        };
        shape s{.blocks = 1 + random.below(24),
                .order = random.one_in(4) ? 1 + random.below(2) : 0,
                .limits = {.cache = some(8), .refill = some(8), .ring = some(8)},
                .fail_each = random.one_in(2) ? 2 + random.below(5) : 0,
                .reserve = random.one_in(2) ? random.below(5) : 0};
        if (random.one_in(10))
            s.limits.ring = 0;
        memory_block memory((std::size_t{64} << s.order) * s.blocks);
        both_pools both(memory.bytes(), s);
        // As the pool takes it: at most all blocks, and a refill has to fit the stack.
        page_pool_limits& limits = both.model.limits;
        limits.cache = std::min(limits.cache, s.blocks);
        limits.refill = std::min(limits.refill, limits.cache);

        const playing as_owner(both.thread[0]);
        {
            const auto entered = both.pool.enter();
            const std::uint32_t appetite = 1 + random.below(3);
            for (int step = 0; step != 120; ++step) {
                const std::uint32_t what = random.below(12);
                if (what < 2 + appetite) {
                    both.allocate(1 + random.below(10), random.one_in(2));
                } else if (what == 6 && !both.out.empty()) {
                    both.give_back(1 + random.below(static_cast<std::uint32_t>(both.out.size())));
                } else if (what == 7 && random.one_in(3)) {
                    both.set_node(static_cast<int>(random.below(3)) - 1);
                } else if (what < 11 && !both.out.empty()) {
                    std::shuffle(both.out.begin(), both.out.end(), std::mt19937(random.below(1u << 30)));
                    both.release(1 + random.below(static_cast<std::uint32_t>(both.out.size())),
                                 random.one_in(2), random.one_in(2));
                } else if (random.one_in(2)) {
                    both.check_all();
                }
                both.check_at_once();
                if (HasFailure())
                    FAIL() << "round " << round << ", step " << step;
            }
            both.release(both.out.size(), true, false);
            both.check_all();
        }
        const count_list all[] = {at_once(both.pool.counters()), later(both.pool.counters())};
        for (std::size_t i = 0; i != 10; ++i)
            seen[i] += all[0][i];
        for (std::size_t i = 0; i != 4; ++i)
            seen[10 + i] += all[1][i];
    }
    for (std::size_t i = 0; i != seen.size(); ++i)
        EXPECT_GT(seen[i], 100u) << "count " << i << ": the steps were too kind";
}

// A hundred pages, cache 8, refill 4, ring 16.
TEST(pool_source, is_linux_by_numbers) {
    memory_block memory(100 * 64);
    listed_source source(memory.bytes(), 64, 0);
    auto made = pool_type::create(source, 0, {.cache = 8, .refill = 4, .ring = 16});
    ASSERT_TRUE(made) << made.error().advice;
    EXPECT_EQ(made->pages(), 100u);
    EXPECT_EQ(made->free(), 0u) << "it begins with none";
    const int threads[2] = {};
    const playing as_owner(threads[0]);
    const auto entered = made->enter();
    std::vector<page_type*> out(30);
    ASSERT_EQ(made->allocate_burst(out), 30u);
    page_pool_counters now = made->counters();
    EXPECT_EQ(now.alloc_slow, 8u) << "four at a time";
    EXPECT_EQ(now.alloc_fast, 22u);
    EXPECT_EQ(now.alloc_empty, 8u);
    EXPECT_EQ(now.taken, 32u);
    EXPECT_EQ(source.free.size(), 68u);
    EXPECT_EQ(made->free(), 2u);
    EXPECT_EQ(made->in_flight(), 30u);
    {
        const playing as_other(threads[1]);
        for (std::size_t i = 0; i != 20; ++i)
            out[i]->release();
    }
    EXPECT_EQ(source.free.size(), 68u) << "nobody but the owner gives to the source";
    EXPECT_EQ(made->in_flight(), 10u);
    now = made->counters();
    EXPECT_EQ(now.recycle_ring, 16u);
    EXPECT_EQ(now.recycle_ring_full, 4u);
    EXPECT_EQ(source.free.size(), 72u);
    for (std::size_t i = 20; i != 30; ++i)
        out[i]->release();
    now = made->counters();
    EXPECT_EQ(now.recycle_cached, 6u) << "two were on the stack";
    EXPECT_EQ(now.recycle_cache_full, 4u);
    EXPECT_EQ(made->free(), 8u + 16u);
    now = made->counters();
    EXPECT_EQ(now.recycle_ring_full, 8u) << "the ring was full as well";
    EXPECT_EQ(now.recycle_ring, 16u);
    EXPECT_EQ(now.released, 8u);
    EXPECT_EQ(made->allocate_burst(out), 30u);
    now = made->counters();
    EXPECT_EQ(now.alloc_refill, 4u) << "8 off the stack, 16 from the ring by fours, 6 from the source";
    EXPECT_EQ(now.alloc_slow, 8u + 2u);
    release_burst(out);
    EXPECT_EQ(made->in_flight(), 0u);
}

TEST(pool_source, a_page_on_a_wrong_node_goes_back_to_the_source_and_ends_the_refill) {
    memory_block memory(8 * 64); // nodes 0 0 1 1 0 0 1 1
    listed_source source(memory.bytes(), 64, 0);
    auto made = pool_type::create(source, 0, {.cache = 8, .refill = 8, .ring = 8});
    ASSERT_TRUE(made);
    const int threads[2] = {};
    const playing as_owner(threads[0]);
    const auto entered = made->enter();
    std::vector<page_type*> out(8);
    ASSERT_EQ(made->allocate_burst(out), 8u);
    std::sort(out.begin(), out.end());
    {
        const playing as_other(threads[1]);
        release_burst(out);
    }
    made->set_node(0);
    page_type* const first = made->allocate();
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(source.node_of(first->data()), 0);
    EXPECT_EQ(made->counters().alloc_waive, 1u) << "two were taken, the third is far";
    EXPECT_EQ(made->counters().alloc_refill, 1u);
    EXPECT_EQ(made->free(), 1u + 5u);
    page_type* const second = made->allocate();
    page_type* const third = made->allocate();
    EXPECT_EQ(made->counters().alloc_waive, 2u);
    EXPECT_EQ(made->counters().alloc_refill, 1u) << "the first it found was far, so ";
    EXPECT_EQ(made->counters().alloc_slow, 1u + 1u) << "it asked the source";
    made->set_node(1);
    EXPECT_EQ(made->free(), 4u) << "what was on the stack went back";
    made->set_node(1);
    made->set_node(source_ref::any_node);
    for (page_type* each : {first, second, third})
        each->release();
    EXPECT_EQ(made->in_flight(), 0u);
}

TEST(pool_source, keeps_no_emergency_page) {
    memory_block memory(4 * 64);
    listed_source source(memory.bytes(), 64, 0);
    source.reserve = 2;
    auto made = pool_type::create(source, 0, {.refill = 4});
    ASSERT_TRUE(made);
    const int threads[2] = {};
    const playing as_owner(threads[0]);
    const auto entered = made->enter();
    std::vector<page_type*> out(4);
    ASSERT_EQ(made->allocate_burst(out), 4u);
    std::sort(out.begin(), out.end());
    EXPECT_EQ(source.emergency.size(), 2u);
    out[2]->release();
    EXPECT_EQ(source.free.size(), 1u) << "at once";
    EXPECT_EQ(made->counters().recycle_released_ref, 1u);
    {
        const playing as_other(threads[1]);
        out[3]->release();
    }
    EXPECT_EQ(made->in_flight(), 2u);
    EXPECT_EQ(source.free.size(), 2u);
    EXPECT_EQ(made->counters().recycle_released_ref, 2u);
    EXPECT_EQ(made->counters().released, 2u);
    out[0]->release();
    made->give_back(*out[1]);
    EXPECT_EQ(made->counters().recycle_cached, 2u) << "the others are kept";
}

// What is fetched ahead is not from the reserve: nobody has asked for it yet.
TEST(pool_source, fetches_no_emergency_page_ahead) {
    memory_block memory(8 * 64);
    listed_source source(memory.bytes(), 64, 0);
    source.reserve = 5;
    auto made = pool_type::create(source);
    ASSERT_TRUE(made);
    std::vector<page_type*> out(5);
    ASSERT_EQ(made->allocate_burst(std::span(out).first(4)), 4u);
    EXPECT_EQ(source.emergency.size(), 1u);
    EXPECT_EQ(made->free(), 0u);
    out[4] = made->allocate();
    EXPECT_EQ(source.emergency.size(), 2u);
    EXPECT_EQ(made->free(), 0u);
    for (page_type* each : out)
        each->release();
    EXPECT_EQ(made->in_flight(), 0u);
    EXPECT_EQ(source.emergency.size(), 0u);
}

#if NORIA_CONTRACT == 2
TEST(pool_source_death_test, a_page_that_went_back_to_its_source_and_is_released_again) {
    memory_block memory(2 * 64);
    listed_source source(memory.bytes(), 64, 0);
    source.reserve = 2;
    auto made = pool_type::create(source);
    ASSERT_TRUE(made);
    page_type* const taken = made->allocate();
    ASSERT_NE(taken, nullptr);
    made->give_back(*taken);
    EXPECT_EQ(source.free.size(), 2u);
    EXPECT_DEATH(taken->release(), "released twice");
    taken->start(1); // as if it were out
    EXPECT_DEATH(taken->release(), "went back to its source");
}

TEST(pool_source_death_test, a_source_with_a_block_that_is_not_in_its_memory) {
    memory_block memory(4 * 64);
    listed_source source(memory.bytes(), 64, 0);
    auto made = pool_type::create(source);
    ASSERT_TRUE(made);
    source.free = {memory.bytes().data() + 4 * 64};
    EXPECT_DEATH(static_cast<void>(made->allocate()), "in its memory");
    source.free = {memory.bytes().data() + 32};
    EXPECT_DEATH(static_cast<void>(made->allocate()), "in its memory");
}
#endif

} // namespace
