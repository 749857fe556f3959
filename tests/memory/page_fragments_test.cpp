// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/page_fragments.hpp"

#include <algorithm>
#include <atomic>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <type_traits>
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

static_assert(!std::is_copy_constructible_v<page_fragments> &&
              std::is_nothrow_move_constructible_v<page_fragments> &&
              !std::is_move_assignable_v<page_fragments>);

// Pages, and fragments of them. Declared in this order: the pages outlive who cuts them.
template <class Sync = std_sync>
struct pages_to_cut {
    explicit pages_to_cut(std::uint32_t pages_there, std::uint32_t page_bytes = 4096,
                          std::uint32_t alignment = 8)
        : memory(std::size_t{pages_there} * page_bytes),
          pages(std::move(basic_page_pool<Sync>::create(memory.bytes(), page_bytes)).value()),
          fragments(std::move(basic_page_fragments<Sync>::create(pages, {.alignment = alignment})).value()) {}

    memory_block memory;
    basic_page_pool<Sync> pages;
    std::optional<basic_page_fragments<Sync>> fragments;
};

// The model: who holds which bytes, and where in the current page the next fragment has to begin.
struct page_fragments_model {
    using page_type = basic_page<strict_sync>;
    struct held {
        page_type* under;
        std::uint32_t offset;
        std::uint32_t bytes;
        std::uint32_t references;
        std::byte mark; // written to all of its bytes
    };

    explicit page_fragments_model(pages_to_cut<strict_sync>& world) : tested(world) {}

    void allocate(std::uint32_t asked_for) {
        const std::uint32_t page_bytes = tested.pages.page_bytes();
        const std::uint32_t alignment = tested.fragments->alignment();
        const std::uint32_t size = (asked_for + alignment - 1) / alignment * alignment;
        const bool whole = asked_for > page_bytes / 2;
        const bool turns = current == nullptr || position + size > page_bytes;
        const bool again = current != nullptr && !is_held(current);
        const bool dry = tested.pages.free() == 0;

        const basic_page_fragment<strict_sync> got = tested.fragments->allocate(asked_for);
        ++asked;
        if (asked_for == 0 || (dry && (whole || (turns && !again)))) {
            RC_ASSERT(!got && got.under == nullptr && got.bytes == 0);
            ++expect.alloc_fail;
            return; // and whatever comes next finds the model as it was
        }
        RC_ASSERT(static_cast<bool>(got));
        if (whole) {
            ++expect.alloc_page;
            RC_ASSERT(got.offset == 0 && got.bytes == page_bytes && got.under->references() == 1u);
            RC_ASSERT(got.under != current && !is_held(got.under));
        } else {
            if (turns && again)
                ++expect.page_again;
            ++(turns && !again ? expect.alloc_first : expect.alloc_fast);
            if (turns) {
                RC_ASSERT((got.under == current) == again && !is_held(got.under));
                current = got.under;
                position = 0;
            }
            RC_ASSERT(got.under == current && got.offset == position);
            RC_ASSERT(got.offset % alignment == 0);
            const std::uint32_t left = page_bytes - position - size;
            RC_ASSERT(got.bytes == (left < size ? size + left : size));
            position += got.bytes;
        }
        RC_ASSERT(tested.pages.page_of(got.data()) == got.under && got.bytes >= asked_for);
        RC_ASSERT(got.offset + got.bytes <= page_bytes);
        for (const held& other : out)
            RC_ASSERT(other.under != got.under || other.offset + other.bytes <= got.offset ||
                      got.offset + got.bytes <= other.offset);
        const auto mark = static_cast<std::byte>(asked);
        std::fill_n(got.data(), got.bytes, mark);
        out.push_back({got.under, got.offset, got.bytes, 1, mark});
    }
    void release(std::size_t at, std::uint32_t n) {
        held& going = out[at];
        RC_ASSERT(std::all_of(bytes_of(going), bytes_of(going) + going.bytes,
                              [&](std::byte each) { return each == going.mark; }));
        going.under->release(n);
        going.references -= n;
        if (going.references == 0)
            out.erase(out.begin() + static_cast<std::ptrdiff_t>(at));
    }
    // The page goes with its allocator, unless somebody holds some of it.
    void replace() {
        const std::uint32_t alignment = tested.fragments->alignment();
        tested.fragments.reset();
        current = nullptr;
        expect = {};
        asked = 0;
        check();
        tested.fragments.emplace(
            std::move(basic_page_fragments<strict_sync>::create(tested.pages, {.alignment = alignment}))
                .value());
    }
    void check() {
        std::set<page_type*> away;
        for (const held& each : out)
            away.insert(each.under);
        if (current != nullptr)
            away.insert(current);
        RC_ASSERT(tested.pages.in_flight() == away.size());
        if (!tested.fragments)
            return;
        const page_fragments_counters& now = tested.fragments->counters();
        RC_ASSERT(now.alloc_page == expect.alloc_page);
        RC_ASSERT(now.alloc_first == expect.alloc_first);
        RC_ASSERT(now.alloc_fast == expect.alloc_fast);
        RC_ASSERT(now.alloc_fail == expect.alloc_fail);
        RC_ASSERT(now.page_again == expect.page_again);
        RC_ASSERT(asked == now.alloc_page + now.alloc_first + now.alloc_fast + now.alloc_fail);
    }
    [[nodiscard]] bool is_held(const page_type* under) const {
        return std::any_of(out.begin(), out.end(), [&](const held& each) { return each.under == under; });
    }
    static const std::byte* bytes_of(const held& of) { return of.under->data() + of.offset; }

    pages_to_cut<strict_sync>& tested;
    std::vector<held> out;
    page_type* current = nullptr;
    std::uint32_t position = 0;
    page_fragments_counters expect;
    std::uint64_t asked = 0;
};

// Sizes around every edge, references taken anew and given back in any order, by the owner and by others; the
// pool runs dry again and again.
RC_GTEST_PROP(page_fragments, agree_with_a_list_of_who_holds_what, ()) {
    const auto page_bytes = *rc::gen::element<std::uint32_t>(64, 192, 1024, 4096);
    const auto alignment = *rc::gen::element<std::uint32_t>(1, 8, 16, 64);
    pages_to_cut<strict_sync> world(*rc::gen::inRange<std::uint32_t>(1, 5), page_bytes, alignment);
    RC_ASSERT(world.fragments->alignment() == (alignment < 8 ? 8 : alignment));
    const int threads[2] = {};
    const playing as_owner(threads[0]);
    const auto entered = world.pages.enter();
    page_fragments_model model(world);
    for (int step = 0; step != 120; ++step) {
        const int what = *rc::gen::inRange(0, 20);
        if (model.out.empty() || what < 9) {
            const auto half = page_bytes / 2;
            const auto small = *rc::gen::inRange<std::uint32_t>(0, page_bytes / 4 + 1);
            model.allocate(
                *rc::gen::element(small, small, small, small, half - 1, half, half + 1, page_bytes));
        } else if (what == 9) {
            model.replace();
        } else {
            const auto at = *rc::gen::inRange<std::size_t>(0, model.out.size());
            page_fragments_model::held& chosen = model.out[at];
            if (what == 10) {
                chosen.under->hold(2);
                chosen.references += 2;
            } else {
                const playing as_either(threads[*rc::gen::inRange(0, 2)]);
                model.release(at, *rc::gen::inRange<std::uint32_t>(1, chosen.references + 1));
            }
        }
        model.check();
    }
    while (!model.out.empty()) {
        model.release(model.out.size() - 1, model.out.back().references);
        model.check();
    }
    model.replace();
    RC_ASSERT(world.pages.in_flight() == 0u);
}

// 4096 = 2 x 1500 and 1096, which is too short for a third and goes to the second. 704 is a head of 256 bytes
// as Linux cuts it: five of them, and the last is charged for what is left.
TEST(page_fragments, the_last_one_of_a_page_is_charged_for_what_is_left) {
    pages_to_cut<> world(3);
    const page_fragment first = world.fragments->allocate(1500);
    const page_fragment second = world.fragments->allocate(1500);
    EXPECT_EQ(first.bytes, 1504u);
    EXPECT_EQ(second.offset, 1504u);
    EXPECT_EQ(second.bytes, 4096u - 1504u);
    std::vector<page_fragment> heads;
    for (int i = 0; i != 5; ++i) {
        heads.push_back(world.fragments->allocate(704));
        EXPECT_EQ(heads.back().under, heads.front().under);
        EXPECT_EQ(heads.back().bytes, i == 4 ? 704u + 576u : 704u);
    }
    EXPECT_EQ(world.fragments->counters().alloc_first, 2u);
    EXPECT_EQ(world.fragments->counters().alloc_fast, 5u);
    EXPECT_EQ(world.pages.allocated(), 2u);
    for (const page_fragment& each : heads)
        each.under->release();
    first.under->release();
    second.under->release();
}

TEST(page_fragments, half_a_page_is_a_fragment_and_more_is_a_page) {
    pages_to_cut<> world(3);
    const page_fragment half = world.fragments->allocate(2048);
    const page_fragment more = world.fragments->allocate(2049);
    const page_fragment rest = world.fragments->allocate(2048);
    EXPECT_EQ(half.bytes, 2048u);
    EXPECT_EQ(more.bytes, 4096u);
    EXPECT_EQ(more.under->references(), 1u) << "a page of its own, as the pool gives it";
    EXPECT_EQ(rest.under, half.under) << "the page that is being cut stays";
    EXPECT_EQ(rest.offset, 2048u);
    EXPECT_EQ(world.fragments->counters().alloc_page, 1u);
    for (const page_fragment& each : {half, more, rest})
        each.under->release();
}

// One page does for any number of buffers, as long as they are back by the time it is used up.
TEST(page_fragments, a_page_that_is_back_is_cut_again_without_its_pool) {
    pages_to_cut<> world(1);
    for (std::uint32_t i = 0; i != 3 * 4; ++i) {
        const page_fragment got = world.fragments->allocate(1024);
        ASSERT_TRUE(got);
        EXPECT_EQ(got.offset, 1024 * (i % 4));
        got.under->release();
    }
    EXPECT_EQ(world.fragments->counters().alloc_first, 1u);
    EXPECT_EQ(world.fragments->counters().page_again, 2u);
    EXPECT_EQ(world.pages.allocated(), 1u);
    EXPECT_EQ(world.pages.counters().recycle_cached + world.pages.counters().recycle_ring, 0u);
}

TEST(page_fragments, what_does_not_fit_into_a_dry_pool_changes_nothing) {
    pages_to_cut<> world(1);
    const page_fragment first = world.fragments->allocate(2000);
    EXPECT_FALSE(world.fragments->allocate(3000));
    const page_fragment second = world.fragments->allocate(40); // 2056 are left behind it
    const std::uint32_t references = first.under->references();
    EXPECT_FALSE(world.fragments->allocate(2048 + 8));
    EXPECT_FALSE(world.fragments->allocate(4096));
    EXPECT_FALSE(world.fragments->allocate(0));
    EXPECT_EQ(first.under->references(), references);
    const page_fragment third = world.fragments->allocate(2048); // where it would have been
    ASSERT_TRUE(third);
    EXPECT_EQ(third.offset, 2040u);
    EXPECT_FALSE(world.fragments->allocate(8)) << "used up, and held";
    EXPECT_EQ(first.under->references(), references);
    EXPECT_EQ(world.fragments->counters().alloc_fail, 5u);
    for (const page_fragment& each : {first, second, third})
        each.under->release();
    const page_fragment again = world.fragments->allocate(8); // nobody holds it: cut again
    ASSERT_TRUE(again);
    EXPECT_EQ(again.offset, 0u);
    again.under->release();
}

// It looks like "dry", but no waiting would help.
#if NORIA_CONTRACT == 2
TEST(page_fragments_death_test, one_that_no_page_can_hold) {
    pages_to_cut<> world(1);
    EXPECT_DEATH(static_cast<void>(world.fragments->allocate(4097)), "ask for page_bytes at most");
    EXPECT_DEATH(static_cast<void>(world.fragments->allocate(~std::uint32_t{0})), "page_bytes at most");
}
#elif NORIA_CONTRACT == 0
TEST(page_fragments, without_checks_one_that_no_page_can_hold_is_not_handed_out) {
    pages_to_cut<> world(1);
    EXPECT_FALSE(world.fragments->allocate(4097));
    EXPECT_FALSE(world.fragments->allocate(~std::uint32_t{0}));
    EXPECT_EQ(world.fragments->counters().alloc_fail, 2u);
}
#endif

TEST(page_fragments, fragments_outlive_who_cut_them_and_the_pool) {
    std::optional<pages_to_cut<>> world(std::in_place, 2u);
    const page_fragment first = world->fragments->allocate(100);
    page_fragments moved = *std::move(world->fragments);
    const page_fragment second = moved.allocate(100);
    EXPECT_EQ(second.under, first.under) << "the page went along";
    EXPECT_EQ(moved.counters().alloc_fast, 1u);
    world->fragments.reset();
    EXPECT_NE(first.under->references(), 2u) << "whoever was moved from settles nothing";
    {
        const page_fragments last = std::move(moved);
    }
    EXPECT_EQ(first.under->references(), 2u);
    first.under->release();
    EXPECT_EQ(world->pages.in_flight(), 1u);
    second.under->release();
    EXPECT_EQ(world->pages.in_flight(), 0u);
}

// Who cuts it again keeps it, and the reserve is for those without whom there is no more memory at all.
TEST(page_fragments, a_page_from_the_emergency_reserve_is_not_cut_again) {
    memory_block memory(8 * 1024);
    block_arena arena = std::move(block_arena::create(memory.bytes(), 1024)).value();
    using budget_type = budget_allocator<block_arena>;
    budget_type budget =
        std::move(budget_type::create(arena, {.marks = {.min = 8, .low = 8, .high = 8}})).value();
    auto reserve = budget.as(allocation_class::emergency);
    page_pool pages = std::move(page_pool::create(reserve, 0, {.refill = 1})).value();
    page_fragments fragments = std::move(page_fragments::create(pages)).value();
    for (int i = 0; i != 4; ++i) {
        const page_fragment got = fragments.allocate(512);
        ASSERT_TRUE(got);
        got.under->release();
    }
    EXPECT_EQ(fragments.counters().alloc_first, 2u);
    EXPECT_EQ(fragments.counters().page_again, 0u);
    EXPECT_EQ(pages.in_flight(), 1u);
    EXPECT_EQ(pages.counters().recycle_released_ref, 1u);
}

TEST(page_fragments, alignment_is_a_power_of_two_and_at_most_a_page) {
    memory_block memory(2 * 256);
    page_pool pages = std::move(page_pool::create(memory.bytes(), 256)).value();
    for (const std::uint32_t bad : {0u, 3u, 24u, 512u}) {
        const result<page_fragments> made = page_fragments::create(pages, {.alignment = bad});
        ASSERT_FALSE(made);
        EXPECT_EQ(made.error().code, std::errc::invalid_argument);
        EXPECT_NE(std::string(made.error().advice).find("power of two"), std::string::npos);
    }
    result<page_fragments> made = page_fragments::create(pages, {.alignment = 256});
    ASSERT_TRUE(made);
    const page_fragment got = made->allocate(1);
    EXPECT_EQ(got.bytes, 256u) << "no second one can begin on this page";
    got.under->release();
}

// One thread cuts and fills, several read and let go, in another order. The mailboxes order nothing on the
// way back, so the sanitizer sees it if the pages themselves do not: whatever is cut again is written again.
TEST(page_fragments, are_cut_here_and_let_go_of_there) {
    constexpr std::size_t readers = 3;
    const std::uint64_t rounds = random_steps::count(60'000, 6'000);
    pages_to_cut<> world(6, 1024);
    random_steps random;
    std::vector<page_fragment> cut(rounds); // each place is written once, so that letters need no way back
    std::atomic<const page_fragment*> mailbox[readers] = {};
    std::atomic<bool> over{false};
    std::vector<std::thread> threads;
    for (std::atomic<const page_fragment*>& mine : mailbox)
        threads.emplace_back([&] {
            std::vector<page_fragment> kept;
            for (bool last = false; !last || !kept.empty();) {
                last = over.load(std::memory_order_acquire);
                if (const page_fragment* const got = mine.load(std::memory_order_acquire)) {
                    kept.push_back(*got);
                    mine.store(nullptr, std::memory_order_relaxed);
                    last = false;
                } else {
                    std::this_thread::yield();
                }
                while (kept.size() > 3 ||
                       (!kept.empty() && mine.load(std::memory_order_relaxed) == nullptr)) {
                    const page_fragment going = kept.back();
                    kept.pop_back();
                    EXPECT_EQ(going.data()[0], going.data()[going.bytes - 1]) << "written while it was held";
                    going.under->release();
                }
            }
        });
    std::uint64_t dry = 0;
    {
        const auto entered = world.pages.enter();
        for (std::uint64_t round = 0; round != rounds;) {
            const page_fragment got =
                world.fragments->allocate(1 + random.below(random.one_in(20) ? 1024 : 300));
            if (!got) {
                ++dry;
                std::this_thread::yield();
                continue;
            }
            cut[round++] = got;
            got.data()[0] = got.data()[got.bytes - 1] = static_cast<std::byte>(round);
            if (random.one_in(4)) {
                got.under->release();
                continue;
            }
            std::atomic<const page_fragment*>& to = mailbox[random.below(readers)];
            while (to.load(std::memory_order_relaxed) != nullptr)
                std::this_thread::yield();
            to.store(&cut[round - 1], std::memory_order_release);
        }
    }
    over.store(true, std::memory_order_release);
    for (std::thread& each : threads)
        each.join();
    const page_fragments_counters seen = world.fragments->counters();
    EXPECT_EQ(seen.alloc_page + seen.alloc_first + seen.alloc_fast, rounds);
    EXPECT_EQ(seen.alloc_fail, dry);
    EXPECT_EQ(seen.alloc_page + seen.alloc_first, world.pages.allocated());
    for (int i = 0; i != 4; ++i) { // all are back: the last page is cut again, and again
        const page_fragment got = world.fragments->allocate(512);
        got.data()[0] = got.data()[got.bytes - 1] = std::byte{};
        got.under->release();
    }
    EXPECT_GT(world.fragments->counters().page_again, seen.page_again);
    world.fragments.reset();
    EXPECT_EQ(world.pages.in_flight(), 0u);
}

} // namespace
