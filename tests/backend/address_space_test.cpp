// SPDX-License-Identifier: BSL-1.0
#include "noria/backend/address_space.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace noria;

std::vector<region> regions(std::size_t how_many) {
    std::vector<region> made;
    for (std::size_t i = 0; i != how_many; ++i)
        made.push_back(
            std::move(region::map({.bytes = 4096, .best = backing::plain_pages, .prefault = false})).value());
    return made;
}

TEST(address_space, finds_a_byte_again_and_nothing_outside) {
    backend::address_space space;
    auto some = regions(3);
    for (region& each : some) {
        const mapping dma = space.attach(each);
        const std::uint64_t iova = dma.iova_of(each.bytes().data());
        EXPECT_NE(iova, reinterpret_cast<std::uintptr_t>(each.bytes().data()));
        EXPECT_EQ(space.address_of(iova, each.bytes().size()), each.bytes().data());
        EXPECT_EQ(space.address_of(iova + 5, 10), each.bytes().data() + 5);
        EXPECT_EQ(space.address_of(iova + 5, each.bytes().size()), nullptr);
        EXPECT_EQ(space.address_of(iova - 1, 1), nullptr);
        EXPECT_EQ(space.address_of(iova, ~0ull), nullptr);
    }
    EXPECT_EQ(space.address_of(0, 1), nullptr);
    EXPECT_EQ(space.address_of(~0ull, 1), nullptr);
}

TEST(address_space, knows_a_region_again) {
    backend::address_space space;
    auto some = regions(2);
    const std::uint64_t first = space.attach(some[0]).iova_of(some[0].bytes().data());
    EXPECT_NE(space.attach(some[1]).iova_of(some[1].bytes().data()), first);
    EXPECT_EQ(space.attach(some[0]).iova_of(some[0].bytes().data()), first);
}

TEST(address_space, forgets_the_oldest_of_nine) {
    backend::address_space space;
    auto some = regions(9);
    std::vector<std::uint64_t> iova;
    for (region& each : some)
        iova.push_back(space.attach(each).iova_of(each.bytes().data()));
    EXPECT_EQ(space.address_of(iova[0], 1), nullptr) << "and nobody else has its addresses";
    for (std::size_t i = 1; i != 9; ++i)
        EXPECT_EQ(space.address_of(iova[i], 1), some[i].bytes().data());
    EXPECT_EQ(space.attach(some[3]).iova_of(some[3].bytes().data()), iova[3]) << "which is still known";
    EXPECT_NE(space.attach(some[0]).iova_of(some[0].bytes().data()), iova[0]) << "which was forgotten";
    EXPECT_EQ(space.address_of(iova[1], 1), nullptr);
}

} // namespace
