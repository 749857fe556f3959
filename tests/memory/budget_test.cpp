// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/budget.hpp"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "noria/memory/block_arena.hpp"
#include "support/memory_block.hpp"
#include "support/random.hpp"

namespace {

using namespace noria;
using who = allocation_class;

constexpr std::uint32_t page_bytes = 64;
constexpr who all_classes[] = {
    who::blocking, who::no_wait, who::high_priority, who::atomic, who::out_of_memory_victim, who::emergency};
static_assert(std::size(all_classes) == allocation_classes);

constexpr bool are(watermarks marks, std::uint64_t min, std::uint64_t low, std::uint64_t high) {
    return marks.min == min && marks.low == low && marks.high == high;
}

using budget = budget_allocator<counting_source<block_arena>>;

struct fixture {
    static constexpr std::uint64_t pages = 4096;

    // min 1000, low 1250, high 1500 pages of 4096.
    explicit fixture(budget_options options = {.marks = watermarks::from(pages, 1000)})
        : memory(pages * page_bytes) {
        auto arena = block_arena::create(memory.bytes(), page_bytes);
        arenas.push_back(std::move(*arena));
        sources.emplace_back(arenas.front());
        auto made = budget::create(sources.front(), options);
        EXPECT_TRUE(made) << made.error().advice;
        budgets.push_back(std::move(*made));
    }
    budget& tested() { return budgets.front(); }
    block_arena& arena() { return arenas.front(); }
    const budget_counters& counters() { return tested().counters(); }

    // Somebody else takes pages from under the budget until `free` are left.
    void leave(std::uint64_t free) {
        while (arena().free_pages() > free)
            others.push_back(arena().take(0));
        while (arena().free_pages() < free) {
            arena().give(others.back(), 0);
            others.pop_back();
        }
    }

    memory_block memory;
    std::vector<block_arena> arenas;
    std::vector<counting_source<block_arena>> sources;
    std::vector<std::byte*> others;
    std::vector<budget> budgets; // goes first, with its cache
};

// The lowest number of free pages with which a class still gets one.
std::uint64_t least_free_for(who asks, budget_options options, unsigned order = 0) {
    fixture f(options);
    std::uint64_t least = fixture::pages;
    for (std::uint64_t free = 2000; free-- != 0;) {
        f.leave(free);
        std::byte* const block = f.tested().take(order, asks);
        if (block == nullptr)
            break;
        least = free;
        f.tested().give(block, order);
    }
    return least;
}

TEST(budget_allocator, serves_each_class_down_to_just_above_its_mark) {
    const budget_options options{.marks = watermarks::from(fixture::pages, 1000)};
    EXPECT_EQ(least_free_for(who::blocking, options), 1001u) << "more than the mark, not as much";
    EXPECT_EQ(least_free_for(who::no_wait, options), 1001u);
    EXPECT_EQ(least_free_for(who::high_priority, options), 501u);
    EXPECT_EQ(least_free_for(who::atomic, options), 376u);
    EXPECT_EQ(least_free_for(who::out_of_memory_victim, options), 501u);
    EXPECT_EQ(least_free_for(who::emergency, options), 1u);
}

TEST(budget_allocator, keeps_the_lowmem_reserve_from_all_and_the_atomic_reserve_from_the_unprivileged) {
    const budget_options options{
        .marks = watermarks::from(fixture::pages, 1000), .lowmem_reserve = 100, .reserved_highatomic = 30};
    EXPECT_EQ(least_free_for(who::blocking, options), 1131u);
    EXPECT_EQ(least_free_for(who::no_wait, options), 1131u);
    EXPECT_EQ(least_free_for(who::high_priority, options), 601u);
    EXPECT_EQ(least_free_for(who::atomic, options), 476u);
    EXPECT_EQ(least_free_for(who::out_of_memory_victim, options), 601u);
    EXPECT_EQ(least_free_for(who::emergency, options), 1u);
}

TEST(budget_allocator, counts_all_but_one_page_of_a_larger_block_as_gone_beforehand) {
    const budget_options options{.marks = watermarks::from(fixture::pages, 1000)};
    // Others hold single pages from the low addresses up, so that large blocks are left.
    EXPECT_EQ(least_free_for(who::no_wait, options, 3), 1008u);
    EXPECT_EQ(least_free_for(who::atomic, options, 3), 383u);
}

TEST(budget_allocator, needs_a_block_that_is_large_enough_and_not_only_pages) {
    fixture f;
    std::vector<std::byte*> all;
    while (std::byte* const page = f.arena().take(0))
        all.push_back(page);
    std::vector<std::byte*> odd;
    for (std::byte* const page : all) {
        const auto number = (page - f.arena().memory().data()) / page_bytes;
        number % 2 == 0 ? f.arena().give(page, 0) : odd.push_back(page);
    }
    EXPECT_EQ(f.tested().free_pages(), 2048u) << "far above high";
    EXPECT_EQ(f.tested().take(1, who::atomic), nullptr);
    EXPECT_EQ(f.tested().take(1, who::emergency), nullptr);
    EXPECT_TRUE(f.tested().reclaiming());
    EXPECT_NE(f.tested().take(0, who::no_wait), nullptr);
    EXPECT_EQ(f.tested().take(11, who::blocking), nullptr) << "an order the arena does not have";
    EXPECT_EQ(f.tested().take(64, who::emergency), nullptr);
}

// It would help nobody: the cache stays, no one is woken, and it is no shortage to report.
TEST(budget_allocator, refuses_what_there_can_never_be_before_it_reclaims) {
    unsigned reported = 0;
    fixture f(
        {.marks = watermarks::from(fixture::pages, 1000),
         .report = [](void* count, const allocation_failure&) noexcept { ++*static_cast<unsigned*>(count); },
         .report_context = &reported});
    ASSERT_EQ(f.tested().fill_cache(3500), 3500u); // below min
    std::uint64_t refused = 0;
    for (const unsigned order : {11u, 12u, 13u, 31u, 32u, 63u, 64u, ~0u}) {
        for (const who asks : all_classes)
            EXPECT_EQ(f.tested().take(order, asks), nullptr) << order << " " << name(asks);
        ++refused;
    }
    EXPECT_EQ(f.tested().cached_pages(), 3500u);
    EXPECT_FALSE(f.tested().reclaiming());
    EXPECT_EQ(f.counters().below_low, 0u);
    EXPECT_EQ(f.counters().out_of_memory, 0u);
    EXPECT_EQ(reported, 0u);
    for (const who asks : all_classes)
        EXPECT_EQ(f.counters().failed_by(asks), refused);
    EXPECT_NE(f.tested().take(10, who::blocking), nullptr) << "the largest there is, for whom reclaim helps";
}

// Not every backing knows its largest order; but none has a block of more pages than there are.
TEST(budget_allocator, refuses_more_than_all_pages_of_a_backing_that_does_not_say) {
    struct bare {
        std::byte* take(unsigned order) noexcept { return arena->take(order); }
        void give(std::byte* block, unsigned order) noexcept { arena->give(block, order); }
        bool has_block(unsigned order) const noexcept { return arena->has_block(order); }
        std::uint64_t free_pages() const noexcept { return arena->free_pages(); }
        std::uint32_t page_bytes() const noexcept { return arena->page_bytes(); }
        std::span<std::byte> memory() const noexcept { return arena->memory(); }
        block_arena* arena;
    };
    static_assert(block_source<bare> && !knows_max_order<bare> && knows_max_order<block_arena>);
    memory_block memory(100 * page_bytes);
    block_arena arena = std::move(*block_arena::create(memory.bytes(), page_bytes));
    bare backing{&arena};
    auto made = budget_allocator<bare>::create(backing, {.marks = watermarks::from(100, 40)});
    ASSERT_TRUE(made);
    ASSERT_EQ(made->fill_cache(80), 80u);
    EXPECT_EQ(made->take(7, who::blocking), nullptr) << "128 of 100";
    EXPECT_EQ(made->cached_pages(), 80u);
    EXPECT_EQ(made->take(6, who::blocking), nullptr) << "64, and 40 to be left: it tried";
    EXPECT_EQ(made->cached_pages(), 0u);
}

TEST(budget_allocator, is_a_block_source_for_each_class) {
    static_assert(block_source<budget::class_view> && knows_emergencies<budget::class_view> &&
                  !knows_nodes<budget::class_view>);
    fixture f;
    for (const who asks : all_classes) {
        budget::class_view source = f.tested().as(asks);
        EXPECT_EQ(source.page_bytes(), page_bytes);
        EXPECT_EQ(source.memory().data(), f.arena().memory().data());
        EXPECT_EQ(source.memory().size(), fixture::pages * page_bytes);
        f.leave(1500);
        EXPECT_EQ(source.free_pages(), 1500u);
        EXPECT_TRUE(source.has_block(0));
        EXPECT_FALSE(source.has_block(11));
        const std::uint64_t before = f.counters().taken_by(asks);
        std::byte* const above = source.take(1);
        ASSERT_NE(above, nullptr);
        EXPECT_EQ(f.counters().taken_by(asks), before + 1);
        EXPECT_FALSE(source.is_emergency(above));
        source.give(above, 1);
        f.leave(1);
        std::byte* const below = source.take(0);
        EXPECT_EQ(below != nullptr, asks == who::emergency);
        if (below != nullptr) {
            EXPECT_TRUE(source.is_emergency(below));
            source.give(below, 0);
            EXPECT_FALSE(f.tested().is_emergency(below));
        }
    }
}

TEST(budget_allocator, wakes_background_reclaim_once_when_low_is_not_enough) {
    fixture f;
    f.leave(1251);
    ASSERT_NE(f.tested().take(0, who::atomic), nullptr);
    EXPECT_FALSE(f.tested().reclaiming()) << "1251 is more than low";
    for (const who asks : all_classes)
        ASSERT_NE(f.tested().take(0, asks), nullptr) << name(asks);
    EXPECT_TRUE(f.tested().reclaiming());
    EXPECT_EQ(f.counters().below_low, 6u);
    EXPECT_EQ(f.counters().wakeups, 1u);
    EXPECT_EQ(f.counters().direct_reclaims, 0u) << "above min nobody has to reclaim for himself";
}

TEST(budget_allocator, reclaims_in_the_background_so_many_pages_a_tick_until_high_and_then_sleeps) {
    fixture f({.marks = watermarks::from(fixture::pages, 1000), .pages_per_tick = 100});
    EXPECT_EQ(f.tested().fill_cache(2000), 2000u);
    EXPECT_EQ(f.tested().free_pages(), 2096u);
    f.leave(1250);
    EXPECT_EQ(f.tested().tick(), 0u) << "it sleeps";
    ASSERT_NE(f.tested().take(0, who::no_wait), nullptr);
    EXPECT_EQ(f.tested().tick(), 100u);
    EXPECT_EQ(f.tested().tick(), 100u);
    EXPECT_TRUE(f.tested().reclaiming()) << "1449 free";
    EXPECT_EQ(f.tested().tick(), 51u);
    EXPECT_FALSE(f.tested().reclaiming());
    EXPECT_EQ(f.tested().free_pages(), 1500u);
    EXPECT_EQ(f.tested().cached_pages(), 1749u);
    EXPECT_EQ(f.counters().background_reclaimed, 251u);
    EXPECT_EQ(f.tested().tick(), 0u);
}

TEST(budget_allocator, stays_awake_while_there_is_nothing_to_reclaim) {
    fixture f;
    f.leave(1250);
    ASSERT_NE(f.tested().take(0, who::no_wait), nullptr);
    EXPECT_EQ(f.tested().tick(), 0u);
    EXPECT_TRUE(f.tested().reclaiming());
    f.leave(1500); // somebody gave memory back
    EXPECT_EQ(f.tested().tick(), 0u);
    EXPECT_FALSE(f.tested().reclaiming());
}

TEST(budget_allocator, lets_those_who_block_reclaim_in_the_call_and_then_run_out) {
    for (const who asks : {who::blocking, who::high_priority, who::out_of_memory_victim}) {
        fixture f;
        ASSERT_EQ(f.tested().fill_cache(80), 80u);
        f.leave(asks == who::emergency ? 0 : mark_of(asks, 1000));
        std::byte* const block = f.tested().take(0, asks);
        EXPECT_NE(block, nullptr) << name(asks);
        EXPECT_EQ(f.counters().direct_reclaims, 1u);
        EXPECT_EQ(f.counters().direct_reclaimed, 32u) << "a batch at a time";
        EXPECT_EQ(f.tested().cached_pages(), 48u);
        EXPECT_EQ(f.tested().take(7, asks), nullptr) << "too much for what is left to reclaim";
        f.leave(asks == who::emergency ? 0 : mark_of(asks, 1000));
        EXPECT_EQ(f.tested().take(0, asks), nullptr);
        EXPECT_EQ(f.tested().cached_pages(), 0u);
        EXPECT_EQ(f.counters().direct_reclaims, 3u);
        EXPECT_EQ(f.counters().direct_reclaimed, 80u);
        EXPECT_EQ(f.counters().out_of_memory, asks == who::out_of_memory_victim ? 0u : 2u);
        EXPECT_EQ(f.counters().failed_by(asks), 2u);
        EXPECT_EQ(f.counters().taken_by(asks), 1u);
    }
}

TEST(budget_allocator, reclaims_nothing_for_those_who_may_not_wait) {
    for (const who asks : {who::no_wait, who::atomic, who::emergency}) {
        fixture f;
        ASSERT_EQ(f.tested().fill_cache(80), 80u);
        f.leave(asks == who::emergency ? 0 : mark_of(asks, 1000));
        EXPECT_EQ(f.tested().take(0, asks), nullptr) << name(asks);
        EXPECT_EQ(f.tested().cached_pages(), 80u);
        EXPECT_EQ(f.counters().direct_reclaims, 0u);
        EXPECT_EQ(f.counters().out_of_memory, 0u);
        EXPECT_EQ(f.counters().failed_by(asks), 1u);
        EXPECT_TRUE(f.tested().reclaiming()) << "but the background is told";
    }
}

struct reports {
    static void note(void* context, const allocation_failure& failure) noexcept {
        static_cast<reports*>(context)->seen.push_back(failure);
    }
    std::vector<allocation_failure> seen;
};

TEST(budget_allocator, reports_an_atomic_failure_with_what_there_was) {
    reports noted;
    fixture f({.marks = watermarks::from(fixture::pages, 1000),
               .report = &reports::note,
               .report_context = &noted});
    f.leave(375);
    EXPECT_EQ(f.tested().take(0, who::no_wait), nullptr);
    EXPECT_EQ(f.tested().take(0, who::blocking), nullptr);
    EXPECT_TRUE(noted.seen.empty()) << "these say so themselves";
    EXPECT_EQ(f.tested().take(2, who::atomic), nullptr);
    ASSERT_EQ(noted.seen.size(), 1u);
    const allocation_failure& failure = noted.seen.front();
    EXPECT_EQ(failure.order, 2u);
    EXPECT_EQ(failure.who, who::atomic);
    EXPECT_EQ(failure.mark, 375u);
    EXPECT_EQ(failure.free, 375u);
    EXPECT_TRUE(are(failure.marks, 1000, 1250, 1500));
}

TEST(budget_allocator, reports_only_so_many_failures_a_tick) {
    reports noted;
    fixture f({.marks = watermarks::from(fixture::pages, 1000),
               .reports_per_tick = 2,
               .report = &reports::note,
               .report_context = &noted});
    f.leave(375);
    for (unsigned tick = 1; tick != 4; ++tick) {
        for (int take = 0; take != 5; ++take)
            EXPECT_EQ(f.tested().take(0, who::atomic), nullptr);
        EXPECT_EQ(noted.seen.size(), 2 * tick);
        f.tested().tick();
    }
    EXPECT_EQ(f.counters().reports, 6u);
    EXPECT_EQ(f.counters().reports_suppressed, 9u);
    EXPECT_EQ(f.counters().failed_by(who::atomic), 15u);
}

TEST(budget_allocator, fails_the_nth_take_from_now_whatever_is_free) {
    fixture f;
    f.tested().fail_nth(3);
    std::byte* const first = f.tested().take(0, who::atomic);
    EXPECT_NE(first, nullptr);
    EXPECT_NE(f.tested().take(4, who::blocking), nullptr);
    const std::uint64_t free = f.tested().free_pages();
    EXPECT_EQ(f.tested().take(0, who::emergency), nullptr);
    EXPECT_EQ(f.tested().free_pages(), free);
    EXPECT_FALSE(f.tested().reclaiming()) << "nothing was short";
    EXPECT_EQ(f.counters().injected, 1u);
    EXPECT_EQ(f.counters().failed_by(who::emergency), 1u);
    EXPECT_NE(f.tested().take(0, who::emergency), nullptr) << "once";
    f.tested().fail_nth(1);
    f.tested().fail_nth(0);
    EXPECT_NE(f.tested().take(0, who::atomic), nullptr) << "taken back";
}

TEST(budget_allocator, flags_what_an_emergency_got_from_below_min_until_it_comes_back) {
    fixture f({.marks = {.min = 100, .low = 125, .high = 150}});
    std::byte* const above = f.tested().take(0, who::emergency);
    f.leave(125);
    std::byte* const below_low = f.tested().take(0, who::emergency);
    f.leave(100);
    std::byte* const below = f.tested().take(0, who::emergency);
    ASSERT_TRUE(above != nullptr && below_low != nullptr && below != nullptr);
    EXPECT_FALSE(f.tested().is_emergency(above)) << "there was plenty: an ordinary page";
    EXPECT_FALSE(f.tested().is_emergency(below_low)) << "others get such a page too";
    EXPECT_TRUE(f.tested().is_emergency(below));
    EXPECT_EQ(f.counters().emergency, 1u);
    f.tested().give(below, 0);
    f.leave(2000);
    std::vector<std::byte*> out;
    while (std::byte* const block = f.tested().take(0, who::atomic)) {
        EXPECT_FALSE(f.tested().is_emergency(block));
        out.push_back(block);
    }
    EXPECT_NE(std::find(out.begin(), out.end(), below), out.end())
        << "the page that was flagged is out again";
}

TEST(budget_allocator, gives_its_cache_back_when_it_goes_and_moves_with_it) {
    fixture f;
    EXPECT_EQ(f.tested().fill_cache(100), 100u);
    EXPECT_EQ(f.tested().fill_cache(40), 40u) << "it shrinks, too";
    EXPECT_EQ(f.tested().free_pages(), fixture::pages - 40);
    EXPECT_EQ(f.tested().fill_cache(fixture::pages + 1), fixture::pages) << "as many as there are";
    {
        const budget moved = std::move(f.tested());
        EXPECT_EQ(moved.cached_pages(), fixture::pages);
        EXPECT_EQ(f.tested().cached_pages(), 0u);
        EXPECT_EQ(moved.free_pages(), 0u);
    }
    EXPECT_EQ(f.arena().free_pages(), fixture::pages);
    EXPECT_EQ(f.arena().free_blocks(10), 4u) << "all joined";
}

// Random takes, gives, ticks and reads of all classes and orders, held against the rule itself.
TEST(budget_allocator, decides_as_the_rule_says_and_loses_no_page) {
    random_steps random;
    const budget_options options{.marks = watermarks::from(fixture::pages, 600),
                                 .lowmem_reserve = 20,
                                 .reserved_highatomic = 50,
                                 .pages_per_tick = 7};
    fixture f(options);
    struct block {
        std::byte* at;
        unsigned order;
    };
    std::vector<block> out;
    std::uint64_t pages_out = 0;
    const auto passes = [&](std::int64_t mark, unsigned order, bool privileged) {
        const auto usable = static_cast<std::int64_t>(f.arena().free_pages()) -
                            ((std::int64_t{1} << order) - 1) - (privileged ? 0 : 50);
        return usable > mark + 20 && f.arena().has_block(order);
    };
    const std::uint64_t steps = random_steps::count(60'000, 10'000);
    for (std::uint64_t step = 0; step != steps; ++step) {
        const std::uint32_t dice = random.below((step / 3000) % 2 == 0 ? 10 : 20);
        if (dice < 8) {
            const unsigned order = random.one_in(4) ? random.below(6) : 0;
            const who asks = random.pick(all_classes);
            const bool at_low = passes(static_cast<std::int64_t>(options.marks.low), order, false);
            const bool privileged =
                asks == who::atomic || asks == who::high_priority || asks == who::out_of_memory_victim;
            const bool at_min = passes(600, order, false);
            const bool at_mark =
                asks == who::emergency
                    ? f.arena().has_block(order)
                    : passes(static_cast<std::int64_t>(mark_of(asks, 600)), order, privileged);
            const std::uint64_t cached = f.tested().cached_pages();
            const budget_counters before = f.counters();
            std::byte* const at = f.tested().take(order, asks);
            const bool waits =
                asks == who::blocking || asks == who::high_priority || asks == who::out_of_memory_victim;
            if (at_low || at_mark) {
                ASSERT_NE(at, nullptr);
            } else if (!waits) {
                ASSERT_EQ(at, nullptr) << name(asks);
            } else {
                ASSERT_EQ(f.counters().direct_reclaims, before.direct_reclaims + 1);
                ASSERT_TRUE(at != nullptr || f.tested().cached_pages() == 0) << "gave up with a cache left";
            }
            ASSERT_EQ(f.counters().below_low, before.below_low + (at_low ? 0 : 1));
            ASSERT_EQ(cached - f.tested().cached_pages(),
                      f.counters().direct_reclaimed - before.direct_reclaimed);
            if (at != nullptr) {
                ASSERT_EQ(f.tested().is_emergency(at), asks == who::emergency && !at_low && !at_min);
                out.push_back({at, order});
                pages_out += 1u << order;
            }
        } else if (dice == 8) {
            f.tested().tick();
        } else if (dice == 9 && random.one_in(50)) {
            f.tested().fill_cache(random.below(2000));
        } else if (!out.empty()) {
            block& chosen = random.pick(out);
            f.tested().give(chosen.at, chosen.order);
            pages_out -= 1u << chosen.order;
            chosen = out.back();
            out.pop_back();
        }
        ASSERT_EQ(f.tested().free_pages() + f.tested().cached_pages() + pages_out, fixture::pages);
    }
    const budget_counters& counted = f.counters();
    const auto sum = [](const auto& each) { return std::accumulate(std::begin(each), std::end(each), 0ull); };
    EXPECT_EQ(sum(counted.taken) - counted.given, out.size());
    for (const who asks : all_classes) {
        EXPECT_GT(counted.taken_by(asks), 0u) << name(asks);
        EXPECT_GT(counted.failed_by(asks), 0u) << name(asks) << ": the steps were too kind";
    }
    EXPECT_GT(counted.direct_reclaimed, 0u);
    EXPECT_GT(counted.background_reclaimed, 0u);
    EXPECT_GT(counted.wakeups, 1u);
    for (const block& last : out)
        f.tested().give(last.at, last.order);
    f.tested().fill_cache(0);
    EXPECT_EQ(f.arena().free_blocks(10), 4u) << "all joined";
    EXPECT_EQ(f.sources.front().counters().bytes, 0u);
}

// What a receive path meets when packets come in bursts and files fill the memory: the incident this header
// was written to replay. Each second 1500 packets arrive within three ticks, each takes an atomic page and
// keeps it until the consumer has run. Background reclaim does 64 pages a tick, and a thousand ticks are a
// second: plenty on average, and far too slow for the burst.
TEST(budget_allocator, replays_the_incident_a_burst_faster_than_reclaim) {
    fixture f({.marks = watermarks::from(fixture::pages, 1000), .pages_per_tick = 64});
    budget& memory = f.tested();
    memory.fill_cache(fixture::pages - 1500); // read as much as reclaim leaves alone
    std::uint64_t lost_before = 0;
    std::uint64_t stalls_before = 0;
    for (int second = 0; second != 5; ++second) {
        ASSERT_EQ(memory.free_pages(), 1500u);
        std::vector<std::byte*> packets;
        for (int tick = 0; tick != 3; ++tick) {
            for (int packet = 0; packet != 500; ++packet)
                if (std::byte* const page = memory.take(0, who::atomic))
                    packets.push_back(page);
            memory.tick();
        }
        const std::uint64_t lost = memory.counters().failed_by(who::atomic) - lost_before;
        lost_before += lost;
        // 1500 free, and 64 more after each of the first two ticks: down to 375, the rest is lost.
        EXPECT_EQ(packets.size(), 1500u + 2 * 64 - 375);
        EXPECT_EQ(lost, 375u - 2 * 64);
        EXPECT_EQ(memory.free_pages(), 375u + 64);

        // A process that may wait meanwhile pays with a stall, and gets what it asks for.
        std::byte* const patient = memory.take(0, who::blocking);
        EXPECT_NE(patient, nullptr);
        EXPECT_EQ(memory.counters().direct_reclaims, stalls_before + 1);
        ++stalls_before;
        EXPECT_GT(memory.free_pages() + 1, 1000u) << "it reclaimed up to min";
        memory.give(patient, 0);

        // The consumer runs, and reclaim has the rest of the second.
        for (std::byte* const page : packets)
            memory.give(page, 0);
        for (int tick = 3; tick != 1000; ++tick)
            memory.tick();
        EXPECT_GE(memory.free_pages(), memory.marks().high) << "who looks once a second sees nothing wrong";
        EXPECT_FALSE(memory.reclaiming());
        memory.fill_cache(memory.cached_pages() + memory.free_pages() - 1500); // and files are read again
    }
    EXPECT_EQ(memory.counters().out_of_memory, 0u);
    EXPECT_EQ(memory.counters().failed_by(who::blocking), 0u);
    EXPECT_EQ(memory.counters().taken_by(who::blocking), 5u);
    EXPECT_EQ(memory.counters().failed_by(who::atomic), 5u * (375 - 2 * 64));
}

TEST(budget_allocator, is_refused_what_it_cannot_be) {
    memory_block memory(16 * page_bytes);
    auto arena = block_arena::create(memory.bytes(), page_bytes);
    auto tiny = block_arena::create(memory.bytes(), 4);
    ASSERT_TRUE(arena && tiny);
    const auto refused = [](block_arena& of, watermarks marks) {
        const auto made = budget_allocator<block_arena>::create(of, {.marks = marks});
        return !made && made.error().code == std::errc::invalid_argument &&
               std::string(made.error().advice).size() > 20;
    };
    EXPECT_TRUE(refused(*arena, {5, 4, 6}));
    EXPECT_TRUE(refused(*arena, {5, 6, 5}));
    EXPECT_TRUE(refused(*arena, {5, 6, 17})) << "reclaim would never sleep";
    EXPECT_TRUE(refused(*tiny, {}));
    EXPECT_FALSE((budget_allocator<block_arena>::create(
        *arena, {.marks = {5, 6, 7}, .lowmem_reserve = ~std::uint64_t{0}})))
        << "the sum would wrap, and let everybody in";
    EXPECT_FALSE(
        (budget_allocator<block_arena>::create(*arena, {.marks = {5, 6, 7}, .reserved_highatomic = 17})));
    EXPECT_FALSE(refused(*arena, {5, 6, 16}));
}

#if NORIA_CONTRACT == 2
TEST(budget_allocator_death_test, a_block_given_twice_or_of_somebody_else) {
    fixture f;
    std::byte* const block = f.tested().take(0, who::atomic);
    f.tested().give(block, 0);
    EXPECT_DEATH(f.tested().give(block, 0), "given twice");
    std::byte stranger{};
    EXPECT_DEATH(static_cast<void>(f.tested().is_emergency(&stranger)), "not of this allocator");
}
#endif

} // namespace
