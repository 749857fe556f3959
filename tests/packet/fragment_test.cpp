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

} // namespace
