// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/pieces.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "support/random.hpp"

namespace {

using namespace noria;

// 64 bytes of headroom and up to 100 linear ones, then fragments of a page: the pieces of any range are the
// bytes that a vector of them all has there.
TEST(pieces, of_a_range_are_its_bytes_in_order_and_never_none) {
    random_steps random;
    std::array<std::byte, 164> head;
    std::array<std::byte, 512> memory;
    std::ranges::generate(head, [&] { return random.byte(); });
    std::ranges::generate(memory, [&] { return random.byte(); });
    const basic_page_owner<std_sync> nobody{nullptr, [](void*, page&) noexcept {}};
    page under(memory.data(), 512, nobody);
    const std::uint64_t rounds = random_steps::count(20'000);
    for (std::uint64_t round = 0; round != rounds; ++round) {
        const std::uint32_t headlen = random.below(101);
        std::vector<std::byte> all(head.begin(), head.begin() + 64 + headlen);
        std::vector<fragment> fragments(random.below(5));
        for (fragment& each : fragments) {
            each = {&under, random.below(256), 1 + random.below(256), 512};
            all.insert(all.end(), each.data(), each.data() + each.length);
        }
        const std::uint32_t from = random.below(static_cast<std::uint32_t>(all.size()) + 1);
        const std::uint32_t length = random.below(static_cast<std::uint32_t>(all.size()) - from + 1);
        std::vector<std::byte> seen;
        std::size_t pieces = 0;
        for_each_piece(head.data() + 64, headlen, fragments, std::int64_t{from} - 64, length,
                       [&](const std::byte* piece, std::size_t bytes) noexcept {
                           EXPECT_NE(bytes, 0u);
                           seen.insert(seen.end(), piece, piece + bytes);
                           ++pieces;
                       });
        ASSERT_EQ(seen, std::vector<std::byte>(all.begin() + from, all.begin() + from + length));
        ASSERT_LE(pieces, fragments.size() + 1);
    }
}

} // namespace
