// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/page.hpp"

#include <array>
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
    EXPECT_EQ(made.references(), 0u);
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
    RC_ASSERT(home.returns == 1 && counted.references() == 0u);
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
    EXPECT_DEATH(counted.release(4), "fewer references than are given back");
}
#endif

} // namespace
