// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/packet_ptr.hpp"

#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

#include "support/packet_fixture.hpp"

namespace {

using namespace noria;

static_assert(!std::is_copy_constructible_v<packet_ptr> && !std::is_copy_assignable_v<packet_ptr>);
static_assert(std::is_nothrow_move_constructible_v<packet_ptr> &&
              std::is_nothrow_move_assignable_v<packet_ptr>);

TEST(packet_ptr, a_moved_packet_has_one_owner) {
    packet_fixture all;
    packet_ptr first = all.make(0, 10);
    packet* const made = first.get();
    packet_ptr second = std::move(first);
    EXPECT_FALSE(first); // NOLINT(bugprone-use-after-move): that is what is tested
    EXPECT_EQ(second.get(), made);
    EXPECT_EQ(&*second, made);
    packet_ptr& same = second;
    second = std::move(same);
    EXPECT_EQ(second.get(), made) << "moved to itself it stays what it was";
    first.swap(second);
    EXPECT_EQ(first.get(), made);
    EXPECT_FALSE(second);
}

TEST(packet_ptr, frees_what_it_owned_when_another_is_moved_in) {
    packet_fixture all;
    packet_ptr first = all.make(0, 10);
    packet_ptr second = all.make(0, 20);
    packet* const kept = second.get();
    first = std::move(second);
    EXPECT_EQ(first.get(), kept);
    EXPECT_EQ(all.packets().in_flight(), 1u);
    EXPECT_EQ(all.packets().dropped(drop_reason::not_specified), 1u);
}

TEST(packet_ptr, frees_once_and_for_the_reason_given) {
    packet_fixture all;
    {
        packet_ptr consumed = all.make(0, 10);
        consumed.free(drop_reason::consumed);
        EXPECT_FALSE(consumed);
        EXPECT_EQ(all.packets().in_flight(), 0u);
        packet_ptr dropped = all.make(0, 10);
        dropped.free(drop_reason::no_memory);
        dropped.free(drop_reason::no_memory);
    }
    EXPECT_EQ(all.packets().dropped(drop_reason::no_memory), 1u) << "an empty one frees nothing";
    EXPECT_EQ(all.packets().dropped(drop_reason::not_specified), 0u);
}

TEST(packet_ptr, released_is_the_callers) {
    packet_fixture all;
    packet* bare = nullptr;
    {
        packet_ptr made = all.make(0, 10);
        bare = made.release();
        EXPECT_FALSE(made);
    }
    EXPECT_EQ(all.packets().in_flight(), 1u);
    packet_ptr(bare).free(drop_reason::consumed);
    EXPECT_EQ(all.packets().in_flight(), 0u);
}

#if NORIA_CONTRACT == 2
TEST(packet_ptr_death_test, an_empty_one_is_used) {
    const packet_ptr empty;
    EXPECT_DEATH(static_cast<void>(empty->size()), "this packet_ptr is empty");
}
#endif

} // namespace
