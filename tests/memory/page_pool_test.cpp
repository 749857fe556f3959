// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/page_pool.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

#include "noria/memory/block_arena.hpp"
#include "noria/memory/budget.hpp"
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

// The model: who is out, with how many references, and how many pages are on the owner's stack and in the
// return ring. The pool must never hand out a page that is out, and counts each page that moves, once.
struct page_pool_model {
    using pool_type = basic_page_pool<strict_sync>;
    using page_type = basic_page<strict_sync>;

    explicit page_pool_model(pool_type& pool) : tested(pool), stack(pool.pages()) {}

    // One look into the ring.
    bool look() {
        expect.alloc_empty += ring == 0;
        expect.recycle_ring += ring;
        stack += std::exchange(ring, 0);
        return stack != 0;
    }
    void allocate(std::size_t wanted, bool singly) {
        std::vector<page_type*> got(wanted);
        if (singly) {
            got[0] = tested.allocate();
            if (got[0] == nullptr)
                got.clear();
        } else {
            got.resize(tested.allocate_burst(got));
        }
        asked += wanted;
        std::size_t expected = 0;
        for (; expected != wanted; ++expected, --stack) {
            if (stack != 0)
                ++expect.alloc_fast;
            else if (look())
                ++expect.alloc_refill;
            else
                break;
        }
        expect.alloc_fail += wanted - expected;
        RC_ASSERT(got.size() == expected);
        for (page_type* const taken : got) {
            RC_ASSERT(taken->references() == 1u && tested.page_of(taken->data()) == taken);
            for (const auto& [held, references] : out)
                RC_ASSERT(held != taken);
            out.emplace_back(taken, 1);
        }
    }
    void gone(std::size_t at, bool owner) {
        out.erase(out.begin() + static_cast<std::ptrdiff_t>(at));
        (owner ? stack : ring) += 1;
        expect.recycle_cached += owner;
    }
    void check() {
        for (const auto& [held, references] : out)
            RC_ASSERT(held->references() == references);
        const page_pool_counters now = tested.counters();
        RC_ASSERT(now.alloc_fast == expect.alloc_fast);
        RC_ASSERT(now.alloc_refill == expect.alloc_refill);
        RC_ASSERT(now.alloc_empty == expect.alloc_empty);
        RC_ASSERT(now.alloc_fail == expect.alloc_fail);
        RC_ASSERT(now.recycle_cached == expect.recycle_cached);
        RC_ASSERT(now.recycle_ring == expect.recycle_ring);
        RC_ASSERT(tested.allocated() == now.alloc_fast + now.alloc_refill);
        RC_ASSERT(asked == tested.allocated() + now.alloc_fail);
        RC_ASSERT(tested.dry() == now.alloc_fail);
    }
    void check_home() { // asking collects
        RC_ASSERT(tested.in_flight() == out.size());
        RC_ASSERT(tested.free() + tested.in_flight() == tested.pages());
        expect.recycle_ring += ring;
        stack += std::exchange(ring, 0);
        const page_pool_counters now = tested.counters();
        RC_ASSERT(tested.allocated() == now.recycle_cached + now.recycle_ring + out.size());
    }

    pool_type& tested;
    std::vector<std::pair<page_type*, std::uint32_t>> out;
    std::uint32_t stack;
    std::uint32_t ring = 0;
    std::uint64_t asked = 0;
    page_pool_counters expect;
};

RC_GTEST_PROP(page_pool, counts_every_page_once_and_never_hands_out_one_that_somebody_holds, ()) {
    memory_block memory(64 * *rc::gen::inRange<std::size_t>(1, 9));
    result<basic_page_pool<strict_sync>> made = basic_page_pool<strict_sync>::create(memory.bytes(), 64);
    RC_ASSERT(made.has_value());
    const int threads[2] = {};
    const playing as_owner(threads[0]);
    const auto entered = made->enter();
    page_pool_model model(*made);
    auto& out = model.out;
    for (int step = 0; step != 80; ++step) {
        const int what = *rc::gen::inRange(0, 7);
        if (out.empty() || what < 2) {
            model.allocate(what == 0 ? 1 : *rc::gen::inRange<std::size_t>(0, 6), what == 0);
        } else if (what == 2) {
            if (*rc::gen::arbitrary<bool>())
                model.check_home();
        } else if (what == 3) { // the newest, as long as nobody else has had a reference
            std::vector<basic_page<strict_sync>*> unused;
            while (!out.empty() && out.back().second == 1 && *rc::gen::inRange(0, 3) != 0) {
                unused.push_back(out.back().first);
                model.gone(out.size() - 1, true);
            }
            if (unused.size() == 1)
                made->give_back(*unused[0]);
            else
                made->give_back(unused);
        } else if (what == 4) { // one reference to each of the oldest
            const bool owner = *rc::gen::arbitrary<bool>();
            const auto n = *rc::gen::inRange<std::size_t>(0, out.size() + 1);
            std::vector<basic_page<strict_sync>*> burst;
            for (std::size_t i = 0; i != n; ++i)
                burst.push_back(out[i].first);
            const playing as_either(threads[owner ? 0 : 1]);
            release_burst(burst);
            for (std::size_t i = n; i-- != 0;)
                if (--out[i].second == 0)
                    model.gone(i, owner);
        } else {
            const auto at = *rc::gen::inRange<std::size_t>(0, out.size());
            auto& [held, references] = out[at];
            const auto n = *rc::gen::inRange<std::uint32_t>(1, references + 1);
            if (what == 5) {
                held->hold(n);
                references += n;
            } else {
                const bool owner = *rc::gen::arbitrary<bool>();
                const playing as_either(threads[owner ? 0 : 1]);
                held->release(n);
                references -= n;
                if (references == 0)
                    model.gone(at, owner);
            }
        }
        model.check();
    }
    for (const auto& [held, references] : out)
        held->release(references);
    RC_ASSERT(made->in_flight() == 0u);
}

// What goes back together comes out together, in the same order, and in front of what was there.
TEST(page_pool, a_burst_given_back_is_the_next_burst) {
    memory_block memory(8 * 64);
    result<page_pool> made = page_pool::create(memory.bytes(), 64);
    ASSERT_TRUE(made);
    std::vector<page*> first(5);
    ASSERT_EQ(made->allocate_burst(first), 5u);
    made->give_back(first);
    std::vector<page*> second(5);
    ASSERT_EQ(made->allocate_burst(second), 5u);
    EXPECT_EQ(first, second);
    release_burst(second); // nobody is inside: through the ring
    EXPECT_EQ(made->allocate_burst({}), 0u);
    std::vector<page*> all(9);
    EXPECT_EQ(made->allocate_burst(all), 8u);
    EXPECT_EQ(made->counters().recycle_ring, 5u);
    EXPECT_EQ(made->counters().alloc_refill, 1u);
    EXPECT_EQ(made->dry(), 1u);
    all.resize(8);
    EXPECT_EQ(std::set<page*>(all.begin(), all.end()).size(), 8u);
    release_burst(all);
}

// Against a map of what is out since when.
RC_GTEST_PROP(page_pool, knows_who_is_out_and_since_when, ()) {
    memory_block memory(6 * 64);
    result<page_pool> made = page_pool::create(memory.bytes(), 64, {.track_ages = true});
    RC_ASSERT(made.has_value());
    std::map<const page*, std::uint64_t> since;
    std::uint64_t now = 0;
    for (int step = 0; step != 40; ++step) {
        switch (*rc::gen::inRange(0, 5)) {
        case 0:
            now += *rc::gen::inRange<std::uint64_t>(0, 1'000);
            made->set_now(now);
            break;
        case 1:
            if (page* const taken = made->allocate())
                since[taken] = now;
            break;
        case 2: {
            page* burst[2];
            const std::uint32_t got = made->allocate_burst(burst);
            for (std::uint32_t i = 0; i != got; ++i)
                since[burst[i]] = now;
            break;
        }
        case 3:
            if (!since.empty()) {
                page& back = *made->page_of(since.begin()->first->data());
                *rc::gen::arbitrary<bool>() ? made->give_back(back) : back.release();
                since.erase(since.begin());
            }
            break;
        default:
            std::vector<std::pair<const page*, std::uint64_t>> expected;
            for (const auto& [out, when] : since)
                expected.emplace_back(out, now - when);
            std::vector<std::pair<const page*, std::uint64_t>> seen;
            made->outstanding([&](const page& out, std::uint64_t age) { seen.emplace_back(&out, age); });
            RC_ASSERT(seen == expected);
        }
    }
    for (const auto& [out, when] : since)
        made->page_of(out->data())->release();
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
    const char* const empty = page_pool::create(memory.bytes(), 0).error().advice;
    const char* const uneven = page_pool::create(memory.bytes(), 65).error().advice;
    EXPECT_NE(std::string(empty).find("0 bytes"), std::string::npos) << empty;
    EXPECT_NE(std::string(uneven).find("round page_bytes up"), std::string::npos) << uneven;
}

TEST(page_pool, refuses_a_source_it_cannot_use_with_advice) {
    memory_block memory(64 * 64);
    block_arena arena = std::move(*block_arena::create(memory.bytes(), 64));
    block_arena narrow = std::move(*block_arena::create(memory.bytes(), 32));
    block_arena askew = std::move(*block_arena::create(memory.bytes().subspan(32), 64));
    const auto refused = [](const result<page_pool>& made) {
        return !made && made.error().code == std::errc::invalid_argument &&
               std::string(made.error().advice).size() > 20;
    };
    EXPECT_TRUE(refused(page_pool::create(arena, 7))) << "no room for one";
    EXPECT_TRUE(refused(page_pool::create(arena, 26))) << "4 GiB";
    EXPECT_TRUE(refused(page_pool::create(arena, 32)));
    EXPECT_TRUE(refused(page_pool::create(arena, ~0u)));
    EXPECT_TRUE(refused(page_pool::create(arena, 0, {.cache = 0})));
    EXPECT_TRUE(refused(page_pool::create(arena, 0, {.refill = 0})));
    EXPECT_TRUE(refused(page_pool::create(narrow)));
    EXPECT_TRUE(refused(page_pool::create(askew)));
    EXPECT_TRUE(page_pool::create(arena, 6));
    EXPECT_TRUE(page_pool::create(narrow, 1));
    EXPECT_TRUE(page_pool::create(arena, 0, {.ring = 0}));
    EXPECT_EQ(arena.free_pages(), 64u) << "nothing was taken";
}

TEST(page_pool, takes_blocks_of_an_order_from_its_source_one_by_one) {
    memory_block memory(10 * 64);
    block_arena arena = std::move(*block_arena::create(memory.bytes(), 64));
    {
        auto made = page_pool::create(arena, 1, linux_page_pool);
        ASSERT_TRUE(made) << made.error().advice;
        EXPECT_EQ(made->page_bytes(), 128u);
        EXPECT_EQ(made->pages(), 5u);
        page* const first = made->allocate();
        ASSERT_NE(first, nullptr);
        EXPECT_EQ(first->size(), 128u);
        EXPECT_EQ(arena.free_pages(), 8u);
        EXPECT_EQ(made->page_of(first->data() + 127), first);
        EXPECT_EQ(made->free(), 0u);
        EXPECT_EQ(made->in_flight(), 1u);
        std::vector<page*> rest(5);
        EXPECT_EQ(made->allocate_burst(rest), 4u);
        EXPECT_EQ(made->counters().alloc_slow_high_order, 5u);
        EXPECT_EQ(made->dry(), 1u);
        rest[4] = first;
        release_burst(rest);
        EXPECT_EQ(made->free(), 5u);
        EXPECT_EQ(arena.free_pages(), 0u) << "they are kept";
    }
    EXPECT_EQ(arena.free_pages(), 10u);
}

TEST(page_pool, has_the_limits_of_a_driver_on_linux) {
    memory_block memory(2000 * 64);
    block_arena arena = std::move(*block_arena::create(memory.bytes(), 64));
    auto made = page_pool::create(arena, 0, linux_page_pool);
    ASSERT_TRUE(made);
    std::vector<page*> all(1500);
    ASSERT_EQ(made->allocate_burst(all), 1500u);
    EXPECT_EQ(made->counters().alloc_slow, 24u) << "64 at a time";
    const std::span<page* const> out(all);
    release_burst(out.first(1200));
    EXPECT_EQ(made->in_flight(), 300u);
    EXPECT_EQ(made->counters().recycle_ring, 1024u);
    EXPECT_EQ(made->counters().recycle_ring_full, 176u);
    const auto entered = made->enter();
    release_burst(out.subspan(1200));
    EXPECT_EQ(made->in_flight(), 0u);
    EXPECT_EQ(made->counters().recycle_cached, 128u - 36u) << "36 of the last 64 were on the stack";
    EXPECT_EQ(made->counters().recycle_cache_full, 208u);
    EXPECT_EQ(made->counters().recycle_ring_full, 176u + 208u);
    EXPECT_EQ(made->free(), 128u + 1024u);
}

// Pools share an arena, and so memory wanders between them.
TEST(page_pool, gets_what_another_pool_gave_back_to_their_source) {
    memory_block memory(4 * 64);
    block_arena arena = std::move(*block_arena::create(memory.bytes(), 64));
    auto first = page_pool::create(arena, 0, {.cache = 1, .refill = 1, .ring = 0});
    auto second = page_pool::create(arena, 0, {.cache = 1, .refill = 1, .ring = 0});
    ASSERT_TRUE(first && second);
    std::vector<page*> out(4);
    ASSERT_EQ(first->allocate_burst(out), 4u);
    EXPECT_EQ(second->allocate(), nullptr);
    release_burst(out);
    EXPECT_EQ(first->in_flight(), 0u);
    EXPECT_EQ(first->counters().recycle_ring_full, 4u);
    ASSERT_EQ(second->allocate_burst(out), 4u);
    release_burst(out);
    EXPECT_EQ(second->free(), 0u);
}

// The n-th take fails: the pool hands out what it has, fails when that is nothing, and loses no page.
TEST(page_pool, survives_each_failure_of_its_source) {
    for (std::uint64_t nth = 1; nth != 12; ++nth) {
        memory_block memory(16 * 64);
        block_arena arena = std::move(*block_arena::create(memory.bytes(), 64));
        auto budget = budget_allocator<block_arena>::create(arena, {});
        ASSERT_TRUE(budget);
        auto source = budget->as(allocation_class::atomic);
        auto made = page_pool::create(source, 0, {.cache = 4, .refill = 4});
        ASSERT_TRUE(made);
        budget->fail_nth(nth);
        std::vector<page*> out;
        for (int i = 0; i != 10; ++i)
            if (page* const taken = made->allocate())
                out.push_back(taken);
        // A fill of four that begins with the failure gets nothing; any other one gets a part.
        const std::uint64_t failed = nth % 4 == 1 ? 1 : 0;
        EXPECT_EQ(out.size(), 10 - failed) << nth;
        EXPECT_EQ(made->dry(), failed) << nth;
        EXPECT_EQ(made->in_flight(), out.size());
        EXPECT_EQ(arena.free_pages() + made->free() + out.size(), 16u);
        release_burst(out);
    }
}

// The incident of budget.hpp, seen from a receive path: a burst faster than reclaim. The pool draws atomic
// pages down to their mark, and from then on fails as atomically as its source, which says so; pages that
// come home serve the next packets without asking anybody.
TEST(page_pool, replays_the_incident_a_burst_faster_than_reclaim) {
    struct noted {
        static void note(void* self, const allocation_failure& failure) noexcept {
            ++static_cast<noted*>(self)->reports;
            static_cast<noted*>(self)->last = failure;
        }
        std::uint64_t reports = 0;
        allocation_failure last{};
    } log;
    constexpr std::uint64_t pages = 4096;
    memory_block memory(pages * 64);
    block_arena arena = std::move(*block_arena::create(memory.bytes(), 64));
    auto budget = budget_allocator<block_arena>::create(arena, {.marks = watermarks::from(pages, 1000),
                                                                .pages_per_tick = 64,
                                                                .reports_per_tick = ~0u,
                                                                .report = &noted::note,
                                                                .report_context = &log});
    ASSERT_TRUE(budget);
    budget->fill_cache(pages - 1500);
    auto source = budget->as(allocation_class::atomic);
    std::vector<page*> held;
    {
        auto made = page_pool::create(source, 0, linux_page_pool);
        ASSERT_TRUE(made) << made.error().advice;
        const auto entered = made->enter();
        std::uint64_t lost = 0;
        for (int tick = 0; tick != 3; ++tick) {
            for (int packet = 0; packet != 500; ++packet)
                if (page* const taken = made->allocate())
                    held.push_back(taken);
                else
                    ++lost;
            budget->tick();
        }
        EXPECT_EQ(held.size(), 1500u + 2 * 64 - 375);
        EXPECT_EQ(made->counters().alloc_fail, lost);
        EXPECT_EQ(lost, 1500u - held.size());
        EXPECT_GE(log.reports, lost) << "each loss was a failure of the source, and each was reported";
        EXPECT_EQ(log.reports, budget->counters().failed_by(allocation_class::atomic));
        EXPECT_EQ(log.last.who, allocation_class::atomic);
        EXPECT_EQ(log.last.mark, 375u);
        EXPECT_EQ(log.last.free, 375u);
        // The consumer runs at last, and the same pages serve the next burst without the source.
        const std::uint64_t taken = made->counters().taken;
        release_burst(held);
        held.clear();
        for (int packet = 0; packet != 1000; ++packet)
            held.push_back(made->allocate());
        EXPECT_EQ(std::count(held.begin(), held.end(), nullptr), 0);
        EXPECT_EQ(made->counters().taken, taken);
    }
    release_burst(held);
    EXPECT_EQ(arena.free_pages() + budget->cached_pages(), pages) << "none is lost";
}

// What the last reserve gave is not kept: it goes back at its first release.
TEST(page_pool, keeps_no_page_of_the_emergency_reserve) {
    memory_block memory(8 * 64);
    block_arena arena = std::move(*block_arena::create(memory.bytes(), 64));
    auto budget = budget_allocator<block_arena>::create(arena, {.marks = {2, 3, 4}});
    ASSERT_TRUE(budget);
    auto source = budget->as(allocation_class::emergency);
    auto made = page_pool::create(source, 0, {.refill = 1});
    ASSERT_TRUE(made);
    const auto entered = made->enter();
    std::vector<page*> out(8);
    ASSERT_EQ(made->allocate_burst(out), 8u);
    EXPECT_EQ(budget->counters().emergency, 2u) << "when no more than min were free";
    release_burst(out);
    EXPECT_EQ(made->in_flight(), 0u);
    EXPECT_EQ(made->counters().recycle_released_ref, 2u);
    EXPECT_EQ(made->counters().recycle_cached, 6u);
    EXPECT_EQ(arena.free_pages(), 2u);
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
                // Two at most are kept back and freed last one first, so that returns overtake each other; or
                // all together.
                while (kept.size() > 2 ||
                       (!kept.empty() && mine.load(std::memory_order_relaxed) == nullptr)) {
                    for (const page* each : kept)
                        EXPECT_EQ(each->data()[0], each->data()[63]) << "written while it was held";
                    if (kept.front()->data()[0] < std::byte{64}) {
                        release_burst(kept);
                        kept.clear();
                    } else {
                        kept.back()->release();
                        kept.pop_back();
                    }
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

// The bookkeeping outlives the pool until the last page is home (the leak check sees it if it stays longer,
// the address check if it goes sooner); the pages are good meanwhile.
TEST(page_pool, may_go_while_pages_are_out) {
    memory_block memory(8 * 64);
    for (std::size_t out = 0; out != 9; ++out)
        for (const bool together : {false, true}) {
            std::vector<page*> taken(out);
            {
                result<page_pool> made = page_pool::create(memory.bytes(), 64, {.track_ages = true});
                ASSERT_TRUE(made);
                ASSERT_EQ(made->allocate_burst(taken), out);
                if (out > 2) { // one is on its way back
                    taken.back()->release();
                    taken.pop_back();
                }
            }
            for (page* each : taken) {
                EXPECT_EQ(each->references(), 1u);
                each->data()[63] = std::byte{1};
                each->hold();
            }
            release_burst(taken);
            if (together)
                release_burst(taken);
            else
                for (page* each : taken)
                    each->release();
        }
}

// The end of the pool races with the returns, singly and in bursts, of several threads.
TEST(page_pool, goes_once_while_pages_come_home_from_many_threads) {
    constexpr std::size_t threads_count = 3;
    constexpr std::size_t each_has = 4;
    memory_block memory(threads_count * each_has * 64);
    for (int round = 0; round != 300; ++round) {
        std::optional<page_pool> pool(std::move(*page_pool::create(memory.bytes(), 64)));
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
        pool.reset();
        for (std::thread& each : threads)
            each.join();
    }
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

TEST(page_pool_death_test, a_page_given_back_that_somebody_else_holds) {
    memory_block memory(64);
    result<page_pool> made = page_pool::create(memory.bytes(), 64);
    ASSERT_TRUE(made);
    page* const taken = made->allocate();
    taken->hold();
    EXPECT_DEATH(made->give_back(*taken), "never shared");
    taken->release(2);
    EXPECT_DEATH(made->give_back(*taken), "never shared") << "it is home already";
    page* const again = made->allocate();
    made->give_back(*again);
    EXPECT_DEATH(again->release(), "released twice");
    EXPECT_DEATH(made->give_back(*again), "never shared");
}

TEST(page_pool_death_test, an_owners_call_while_another_thread_is_inside) {
    memory_block memory(64);
    auto made = basic_page_pool<strict_sync>::create(memory.bytes(), 64);
    ASSERT_TRUE(made);
    const int threads[2] = {};
    const playing as_owner(threads[0]);
    basic_page<strict_sync>* const taken = made->allocate();
    const auto entered = made->enter();
    const playing as_other(threads[1]);
    basic_page<strict_sync>* room[1];
    EXPECT_DEATH(static_cast<void>(made->allocate()), "another thread is inside");
    EXPECT_DEATH(static_cast<void>(made->allocate_burst(room)), "another thread is inside");
    EXPECT_DEATH(static_cast<void>(made->in_flight()), "another thread is inside");
    EXPECT_DEATH(made->give_back(*taken), "another thread is inside");
    taken->release();
}

TEST(page_pool_death_test, a_pool_that_goes_while_its_owner_is_inside) {
    memory_block memory(64);
    result<page_pool> made = page_pool::create(memory.bytes(), 64);
    ASSERT_TRUE(made);
    const auto entered = made->enter();
    EXPECT_DEATH({ const page_pool gone = std::move(*made); }, "inside the owner's section");
}

TEST(page_pool_death_test, ages_that_nobody_asked_for) {
    memory_block memory(64);
    result<page_pool> made = page_pool::create(memory.bytes(), 64);
    ASSERT_TRUE(made);
    EXPECT_DEATH(made->outstanding([](const page&, std::uint64_t) {}), "track_ages");
}
#endif

} // namespace
