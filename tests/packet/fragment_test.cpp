// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/fragment.hpp"

#include <array>
#include <type_traits>

#include <gtest/gtest.h>

namespace {

using namespace noria;

// It is copied by memcpy with its packet, and references are counted by hand.
static_assert(std::is_trivially_copyable_v<fragment> && std::is_trivially_destructible_v<fragment>);

TEST(fragment, begins_at_its_offset_in_the_page) {
    std::array<std::byte, 256> memory{};
    const basic_page_owner<std_sync> nobody{nullptr, [](void*, page&) noexcept {}};
    page under(memory.data(), 256, nobody);
    EXPECT_EQ((fragment{&under, 0, 1, 256}.data()), memory.data());
    EXPECT_EQ((fragment{&under, 200, 56, 256}.data()), memory.data() + 200);
}

TEST(fragment, grows_by_what_lies_right_behind_it) {
    std::array<std::byte, 256> memory{};
    const basic_page_owner<std_sync> nobody{nullptr, [](void*, page&) noexcept {}};
    page under(memory.data(), 256, nobody);
    page other(memory.data(), 256, nobody);
    fragment first{&under, 10, 20, 100};
    EXPECT_TRUE(first.is_followed_by({&under, 30, 5, 100}));
    EXPECT_FALSE(first.is_followed_by({&under, 31, 5, 100}));
    EXPECT_FALSE(first.is_followed_by({&under, 10, 20, 100})) << "not by itself";
    EXPECT_FALSE(first.is_followed_by({&other, 30, 5, 100}));
    EXPECT_EQ(first.grow({&under, 30, 5, 100}), 100u);
    EXPECT_EQ(first.grow({&under, 35, 5, 100}), 56u) << "a page is pinned once";
    EXPECT_EQ(first.grow({&under, 40, 5, 100}), 0u);
    EXPECT_EQ(first.offset, 10u);
    EXPECT_EQ(first.length, 35u);
    EXPECT_EQ(first.truesize, 256u);
    fragment charged_more{&under, 0, 20, 300};
    EXPECT_EQ(charged_more.grow({&under, 20, 5, 100}), 0u);
    EXPECT_EQ(charged_more.truesize, 300u);
}

} // namespace
