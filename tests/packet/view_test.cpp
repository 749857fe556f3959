// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/view.hpp"

#include <string>

#include <gtest/gtest.h>

#include "support/packet_fixture.hpp"

namespace {

using namespace noria;

// All that a header must be: bytes.
struct archetype {
    std::byte first;
    std::byte rest[19];
};
struct aligned {
    std::uint32_t word;
};

template <class Header>
concept viewable = requires { typename header_view<Header>; };
static_assert(viewable<archetype> && viewable<const archetype>);
static_assert(!viewable<aligned>, "a header lies at any address");
static_assert(!viewable<std::string>);
static_assert(checked_mode || sizeof(header_view<archetype>) == sizeof(void*), "unchecked it is a pointer");

TEST(header_view, starts_empty) {
    EXPECT_FALSE(header_view<archetype>());
}

TEST(pull_header, reads_and_writes_in_place_what_is_linear) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50});
    const packet_state before(*made);
    const auto view = pull_header<archetype>(*made, 7);
    ASSERT_TRUE(view);
    EXPECT_EQ(reinterpret_cast<std::byte*>(&*view), made->data() + 7);
    EXPECT_EQ(view->first, packet_fixture::byte_at(7));
    EXPECT_EQ(packet_state(*made), before) << "nothing had to be pulled";
    view->first = std::byte{0};
    EXPECT_EQ(made->data()[7], std::byte{0});
    EXPECT_EQ((*pull_header<const archetype>(*made, 7)).first, std::byte{0});
}

// From the last bytes of the head, across it, and wholly in the fragments.
TEST(pull_header, makes_linear_what_is_not) {
    for (const std::uint32_t offset : {80u, 81u, 99u, 100u, 130u, 170u, 180u}) {
        packet_fixture all;
        const packet_ptr made = all.make(16, 100, {40, 60});
        const std::vector<std::byte> bytes = bytes_of(*made);
        const auto view = pull_header<archetype>(*made, offset);
        ASSERT_TRUE(view);
        EXPECT_EQ(view->first, bytes[offset]);
        EXPECT_EQ(view->rest[18], bytes[offset + 19]);
        EXPECT_EQ(made->headlen(), std::max(100u, offset + 20));
        EXPECT_EQ(bytes_of(*made), bytes);
    }
}

TEST(pull_header, is_empty_where_the_packet_ends_before_the_header) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 10, {20});
    EXPECT_TRUE(pull_header<archetype>(*made, 10));
    const packet_state before(*made);
    for (const std::uint32_t offset : {11u, 30u, 31u, 0x8000'0000u, ~0u - 20, ~0u - 19, ~0u - 18, ~0u})
        EXPECT_FALSE(pull_header<archetype>(*made, offset)) << offset;
    EXPECT_EQ(packet_state(*made), before);
    EXPECT_FALSE(pull_header<archetype>(*all.make(0, 19), 0)) << "shorter than the header";
}

TEST(pull_header, is_empty_and_nothing_has_changed_when_no_head_is_to_be_had) {
    packet_fixture all;
    const packet_ptr made = all.make(0, 250, {100});
    const shortage none[] = {{all.pools()[0], 0}, {all.pools()[1], 0}, {all.pools()[2], 0}};
    const packet_state before(*made);
    EXPECT_FALSE(pull_header<archetype>(*made, 240));
    EXPECT_EQ(packet_state(*made), before);
    EXPECT_TRUE(pull_header<archetype>(*made, 230)) << "that one is linear";
}

TEST(header_view, lives_as_long_as_the_bytes_stay_where_they_are) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {10, 90});
    const auto view = pull_header<archetype>(*made, 0);
    const pulled in_place = pull_tail(*made, 10); // there is room behind tail
    EXPECT_FALSE(in_place.moved);
    EXPECT_NE(made->push(4), nullptr);
    EXPECT_NE(made->pull(4), nullptr);
    const packet_ptr twin = made->clone();
    ASSERT_TRUE(trim(*made, 60));
    EXPECT_EQ(view->first, packet_fixture::byte_at(0));
}

#if NORIA_CONTRACT == 2
TEST(header_view_death_test, an_empty_one) {
    const header_view<archetype> empty;
    EXPECT_DEATH(static_cast<void>(empty->first), "empty or stale");
}

TEST(header_view_death_test, used_after_the_bytes_moved) {
    packet_fixture all;
    const packet_ptr made = all.make(0, 250, {300, 300});
    {
        const auto view = pull_header<archetype>(*made, 0);
        const pulled moved = pull_tail(*made, 100);
        ASSERT_TRUE(moved && moved.moved);
        EXPECT_DEATH(static_cast<void>(view->first), "pull the header again");
        EXPECT_EQ(pull_header<archetype>(*made, 0)->first, packet_fixture::byte_at(0));
    }
    {
        const auto view = pull_header<archetype>(*made, 0);
        ASSERT_TRUE(made->expand_head(0, 0));
        EXPECT_DEATH(static_cast<void>((*view).first), "pull the header again");
    }
    {
        const auto view = pull_header<archetype>(*made, 0);
        const packet_ptr twin = made->clone();
        ASSERT_TRUE(linearize(*made));
        EXPECT_DEATH(static_cast<void>(view->first), "pull the header again");
    }
}
#endif

} // namespace
