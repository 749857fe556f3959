// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/role.hpp"

#include <gtest/gtest.h>

#include <type_traits>
#include <utility>

#include "noria/core/sync.hpp"

namespace {

using namespace noria;
using watch = detail::role_watch<std_sync, true>;
using hold = detail::role_hold<std_sync>;
using claim = detail::role_claim<std_sync>;
using detail::role;

// Outside checked mode the watch takes no room and no time.
static_assert(std::is_empty_v<detail::role_watch<std_sync, false>>);
static_assert(std::is_nothrow_move_constructible_v<watch> && !std::is_copy_constructible_v<watch>);
static_assert(std::is_nothrow_move_constructible_v<hold> && !std::is_copy_constructible_v<hold>);
static_assert(std::is_nothrow_move_constructible_v<claim> && !std::is_copy_constructible_v<claim>);

TEST(role_hold, counts_a_handle_once_wherever_it_moves) {
    hold::counter handles{0};
    {
        hold first(handles);
        EXPECT_EQ(handles.load(), 1u);
        hold second(std::move(first));
        EXPECT_FALSE(first);
        EXPECT_TRUE(second);
        EXPECT_EQ(handles.load(), 1u);
        hold third(handles);
        EXPECT_EQ(handles.load(), 2u);
    }
    EXPECT_EQ(handles.load(), 0u);
}

TEST(role_claim, is_held_once_wherever_it_moves_and_leaves_the_other_role_alone) {
    claim::word taken{0};
    {
        claim first(taken, role::producer);
        EXPECT_TRUE(first);
        EXPECT_FALSE(claim(taken, role::producer)); // and its end frees nothing
        EXPECT_FALSE(claim(taken, role::producer));
        claim moved(std::move(first));
        EXPECT_FALSE(first);
        EXPECT_TRUE(moved);
        EXPECT_FALSE(claim(taken, role::producer));
        {
            claim other(taken, role::consumer);
            EXPECT_TRUE(other);
        }
        EXPECT_TRUE(claim(taken, role::consumer));
        EXPECT_FALSE(claim(taken, role::producer));
    }
    EXPECT_EQ(taken.load(), 0u);
    EXPECT_TRUE(claim(taken, role::producer));
}

TEST(role_claim, can_be_let_go_for_a_holder_that_is_gone) {
    claim::word taken{3};
    claim::let_go(taken, role::producer);
    EXPECT_TRUE(claim(taken, role::producer));
    EXPECT_FALSE(claim(taken, role::consumer));
}

TEST(role_watch, lets_calls_follow_one_another) {
    watch first;
    first.begin();
    first.end();
    first.begin();
    first.open();
    first.end();
    watch second(std::move(first));
    second.begin();
    second.end();
}

TEST(role_watch_contract, stops_overlaps_open_tokens_and_handles_moved_away) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "death tests fork, which the thread sanitizer does not like";
#endif
    if (!checked_mode)
        GTEST_SKIP() << "contracts are not checked in this build";
    watch first;
    first.begin();
    EXPECT_DEATH(first.begin(), "overlap");
    first.open();
    EXPECT_DEATH(first.begin(), "token of this role is open");
    EXPECT_DEATH(watch second(std::move(first)), "token of this role is open");
    first.end();
    watch second(std::move(first));
    EXPECT_DEATH(first.begin(), "moved away");
}

} // namespace
