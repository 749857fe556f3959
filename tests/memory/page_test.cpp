// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/page.hpp"

#include <array>
#include <deque>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

#include "support/strict_sync.hpp"

namespace {

using namespace noria;

// Where pages go when nobody holds them: counted.
template <class Sync>
struct counting_home {
    basic_page_owner<Sync> owner{
        this, [](void* self, basic_page<Sync>&) noexcept { ++static_cast<counting_home*>(self)->returns; }};
    int returns = 0;
};

static_assert(!std::is_copy_constructible_v<page> && !std::is_move_constructible_v<page>,
              "holders know its address");

TEST(page, says_what_it_was_made_of) {
    std::array<std::byte, 64> memory{};
    counting_home<std_sync> home;
    const page made(memory.data(), 64, home.owner);
    EXPECT_EQ(made.data(), memory.data());
    EXPECT_EQ(made.size(), 64u);
    EXPECT_EQ(made.references(), page::at_home);
}

// Whatever mix of single and bulk references: home exactly when the last one goes, and never before.
RC_GTEST_PROP(page, goes_home_once_with_its_last_reference, ()) {
    counting_home<strict_sync> home;
    basic_page<strict_sync> counted(nullptr, 0, home.owner);
    std::uint32_t model = *rc::gen::inRange<std::uint32_t>(1, 70'000);
    counted.start(model);
    for (int step = 0; step != 20 && model != 0; ++step) {
        RC_ASSERT(home.returns == 0 && counted.references() == model);
        const auto n = *rc::gen::inRange<std::uint32_t>(1, model + 1);
        if (*rc::gen::arbitrary<bool>()) {
            counted.hold(n);
            model += n;
        } else {
            counted.release(n);
            model -= n;
        }
    }
    if (model != 0)
        counted.release(model);
    RC_ASSERT(home.returns == 1 && counted.references() == page::at_home);
}

TEST(page, holds_and_releases_one_where_no_number_is_given) {
    counting_home<std_sync> home;
    page counted(nullptr, 0, home.owner);
    counted.start(1);
    counted.hold();
    EXPECT_EQ(counted.references(), 2u);
    counted.release();
    EXPECT_EQ(home.returns, 0);
    counted.release();
    EXPECT_EQ(home.returns, 1);
}

// At home it keeps one, so that it can go out again without a store; where contracts are watched, none.
TEST(page, goes_out_again_without_a_word_where_nobody_watches) {
    EXPECT_EQ(page::at_home, contracts_on ? 0u : 1u);
    counting_home<std_sync> home;
    page counted(nullptr, 0, home.owner);
    for (const std::uint32_t references : {1u, 2u, 65'535u}) {
        counted.start(references);
        counted.release(references);
        EXPECT_EQ(counted.references(), page::at_home);
        counted.start(references);
        for (std::uint32_t i = 0; i != references; ++i)
            counted.release();
        EXPECT_EQ(counted.references(), page::at_home);
    }
    EXPECT_EQ(home.returns, 6);
}

// Where pages go by the span: which came, and how many calls that took.
struct burst_home {
    explicit burst_home(bool bursts) {
        if (bursts)
            owner.take_back_burst = [](void* self, std::span<page* const> returned) noexcept {
                auto& home = *static_cast<burst_home*>(self);
                ++home.calls;
                home.came.insert(home.came.end(), returned.begin(), returned.end());
            };
    }
    basic_page_owner<std_sync> owner{this, [](void* self, page& returned) noexcept {
                                         ++static_cast<burst_home*>(self)->calls;
                                         static_cast<burst_home*>(self)->came.push_back(&returned);
                                     }};
    std::vector<page*> came;
    std::size_t calls = 0;
};

// The model: a page is in the span as often as it is let go of, and goes home, once, to its own pool, when
// that was all it had; in the order in which the last references went.
RC_GTEST_PROP(page, release_burst_sends_each_to_its_own_home, ()) {
    burst_home homes[2] = {burst_home(true), burst_home(false)};
    std::deque<page> pages;
    std::vector<std::uint32_t> references(*rc::gen::inRange<std::size_t>(0, 90));
    std::vector<page*> burst;
    std::vector<page*> expected[2];
    std::vector<std::size_t> from;
    for (std::uint32_t& each : references) {
        from.push_back(*rc::gen::weightedElement<std::size_t>({{9, 0}, {1, 1}}));
        pages.emplace_back(nullptr, 0, homes[from.back()].owner);
        each = *rc::gen::weightedElement<std::uint32_t>({{4, 1}, {1, 2}, {1, 3}});
        pages.back().start(each);
    }
    std::size_t runs = 0;
    std::size_t last = 2;
    for (int turn = 0; turn != 2; ++turn)
        for (std::size_t i = 0; i != pages.size(); ++i)
            if (references[i] != 0 && *rc::gen::inRange(0, 8) != 0) {
                burst.push_back(&pages[i]);
                if (--references[i] == 0) {
                    expected[from[i]].push_back(&pages[i]);
                    runs += from[i] == 0 && last != 0;
                    last = from[i];
                }
            }
    release_burst(burst);
    for (std::size_t i = 0; i != pages.size(); ++i)
        RC_ASSERT(pages[i].references() == (references[i] == 0 ? page::at_home : references[i]));
    RC_ASSERT(homes[0].came == expected[0]);
    RC_ASSERT(homes[1].came == expected[1]);
    RC_ASSERT(homes[1].calls == expected[1].size());
    RC_ASSERT(homes[0].calls <= runs + expected[0].size() / 32); // one call a run of pages, of 32 at most
    for (std::size_t i = 0; i != pages.size(); ++i)
        if (references[i] != 0)
            pages[i].release(references[i]);
}

TEST(page, release_burst_makes_one_call_for_32_pages) {
    for (const std::size_t count : {0u, 1u, 31u, 32u, 33u, 64u, 65u}) {
        burst_home home(true);
        std::deque<page> pages;
        std::vector<page*> burst;
        for (std::size_t i = 0; i != count; ++i) {
            burst.push_back(&pages.emplace_back(nullptr, 0, home.owner));
            burst.back()->start(1);
        }
        release_burst(burst);
        EXPECT_EQ(home.came, burst);
        EXPECT_EQ(home.calls, (count + 31) / 32);
    }
}

// The last of several threads sends it home, and then sees all that the others did (the sanitizer watches).
TEST(page, is_sent_home_by_the_last_of_many_threads) {
    constexpr std::size_t holders = 4;
    struct watching {
        std::array<int, holders> marks{};
        int sum = 0;
    };
    for (int round = 0; round != 200; ++round) {
        watching seen;
        const basic_page_owner<std_sync> owner{&seen, [](void* self, page&) noexcept {
                                                   auto& all = *static_cast<watching*>(self);
                                                   for (const int mark : all.marks)
                                                       all.sum += mark;
                                               }};
        page counted(nullptr, 0, owner);
        counted.start(holders);
        std::vector<std::thread> threads;
        for (std::size_t i = 0; i != holders; ++i)
            threads.emplace_back([&, i] {
                seen.marks[i] = 1;
                counted.release();
            });
        for (std::thread& each : threads)
            each.join();
        ASSERT_EQ(seen.sum, static_cast<int>(holders));
    }
}

#if NORIA_CONTRACT == 2
TEST(page_death_test, released_twice) {
    counting_home<std_sync> home;
    page counted(nullptr, 0, home.owner);
    counted.start(1);
    counted.release();
    EXPECT_DEATH(counted.release(), "released twice");
    counted.start(3);
    EXPECT_DEATH(counted.release(4), "more references were given back than were taken");
    page* const twice[] = {&counted, &counted};
    counted.start(1);
    EXPECT_DEATH(release_burst(twice), "released twice");
}
#endif

} // namespace
