// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/mapping.hpp"

#include <array>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

namespace {

using namespace noria;

constexpr std::uint64_t bytes = 256;

class mapping_at : public testing::TestWithParam<std::uint64_t> {
  protected:
    std::array<std::byte, bytes> memory{};
    mapping known{memory, GetParam()};
};

TEST_P(mapping_at, an_address_and_its_iova_are_the_same_distance_in) {
    for (std::uint64_t i = 0; i != bytes; ++i) {
        EXPECT_EQ(known.iova_of(memory.data() + i), GetParam() + i);
        EXPECT_EQ(known.address_of(GetParam() + i, 1), memory.data() + i);
    }
    EXPECT_EQ(known.address_of(GetParam(), bytes), memory.data());
    EXPECT_EQ(known.address_of(GetParam() + bytes, 0), memory.data() + bytes)
        << "nothing, at the very end, is inside";
}

// A device may say anything. The model counts in 128 bits, where nothing wraps.
TEST_P(mapping_at, believes_no_iova_outside) {
    EXPECT_TRUE(rc::check([this] {
        const std::array<std::uint64_t, 4> seams = {0, GetParam(), GetParam() + bytes, ~std::uint64_t{0}};
        const auto near = [&] {
            return *rc::gen::elementOf(seams) + *rc::gen::inRange<std::uint64_t>(0, 600) - 300;
        };
        const std::uint64_t iova = near();
        const std::uint64_t length =
            *rc::gen::element<std::uint64_t>(0, 1, 64, bytes, bytes + 1, ~std::uint64_t{0}, near());
        __extension__ using wide = unsigned __int128;
        const bool inside = iova >= GetParam() && wide{iova} + length <= wide{GetParam()} + bytes;
        RC_ASSERT(known.address_of(iova, length) == (inside ? memory.data() + (iova - GetParam()) : nullptr));
    }));
}

INSTANTIATE_TEST_SUITE_P(low_and_high, mapping_at, testing::Values(0, 1, 4096, ~std::uint64_t{0} - bytes));

TEST(mapping, counts_what_it_would_have_cost) {
    std::array<std::byte, bytes> memory{};
    mapping known(memory, 0);
    EXPECT_EQ(known.counters().maps, 1u) << "the region itself";
    known.map_buffer();
    known.unmap_buffer();
    known.sync_for_cpu(64);
    known.sync_for_cpu(0xffff'ffff);
    known.sync_for_device(1514);
    EXPECT_EQ(known.counters().maps, 2u);
    EXPECT_EQ(known.counters().unmaps, 1u);
    EXPECT_EQ(known.counters().syncs_for_cpu, 2u);
    EXPECT_EQ(known.counters().bytes_for_cpu, 0x1'0000'003fu);
    EXPECT_EQ(known.counters().syncs_for_device, 1u);
    EXPECT_EQ(known.counters().bytes_for_device, 1514u);
}

#if NORIA_CONTRACT == 2
TEST(mapping_death_test, an_address_outside_has_no_iova) {
    std::array<std::byte, 3 * bytes> memory{};
    const mapping known(std::span<std::byte>(memory).subspan(bytes, bytes), 0);
    EXPECT_DEATH(static_cast<void>(known.iova_of(memory.data() + bytes - 1)), "not in the mapped region");
    EXPECT_DEATH(static_cast<void>(known.iova_of(memory.data() + 2 * bytes)), "not in the mapped region");
}
#endif

} // namespace
