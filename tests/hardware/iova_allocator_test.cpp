// SPDX-License-Identifier: BSL-1.0
#include "hardware/iova_allocator.hpp"

#include <array>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "support/random.hpp"

namespace {

using hardware::iova_allocator;
using hardware::iova_range;

std::vector<iova_range> free_in(const iova_allocator& space) {
    std::vector<iova_range> all;
    space.for_each_free([&](iova_range each) { all.push_back(each); });
    return all;
}

// What an emulated IOMMU of Intel's reports: all but the window that interrupts are written to.
constexpr iova_range reported[] = {{0, 0xfedf'ffff}, {0xfef0'0000, (std::uint64_t{1} << 39) - 1}};

TEST(iova_allocator, gives_out_the_lowest_place_that_fits) {
    iova_allocator space(reported);
    EXPECT_EQ(space.allocate(4096, 4096), 0x10'0000u) << "nothing near 0";
    EXPECT_EQ(space.allocate(0x20'0000, 0x20'0000), 0x20'0000u);
    EXPECT_EQ(space.allocate(4096, 4096), 0x10'1000u) << "the hole that alignment left is used";
    EXPECT_EQ(space.allocate(0xff00'0000, 4096), 0xfef0'0000u) << "not over the window";
    space.release(0x10'0000, 4096);
    EXPECT_EQ(space.allocate(4096, 4096), 0x10'0000u);
    EXPECT_EQ(space.allocate(std::uint64_t{1} << 39, 4096), std::nullopt);
}

TEST(iova_allocator, knows_the_last_address_there_is) {
    constexpr std::uint64_t top = std::numeric_limits<std::uint64_t>::max();
    iova_allocator space(std::array{iova_range{top - 8191, top}});
    EXPECT_EQ(space.allocate(4096, 4096), top - 8191);
    EXPECT_EQ(space.allocate(4097, 1), std::nullopt);
    EXPECT_EQ(space.allocate(4096, 4096), top - 4095);
    EXPECT_EQ(space.allocate(1, 1), std::nullopt);
    EXPECT_EQ(space.allocate(top, std::uint64_t{1} << 63), std::nullopt);
    space.release(top - 8191, 8192);
    EXPECT_EQ(free_in(space), (std::vector{iova_range{top - 8191, top}}));
    EXPECT_TRUE(space.is_free(top, 1));
    EXPECT_FALSE(space.is_free(top - 8192, 2));
}

TEST(iova_allocator, ranges_that_touch_are_one) {
    constexpr std::uint64_t at = iova_allocator::lowest;
    const iova_range parts[] = {{at + 200, at + 299}, {0, at + 49}, {at + 50, at + 99},  {at + 90, at + 120},
                                {at + 300, at + 300}, {0, 5},       {at + 500, at + 400}};
    EXPECT_EQ(free_in(iova_allocator(parts)),
              (std::vector<iova_range>{{at, at + 120}, {at + 200, at + 300}}));
    EXPECT_TRUE(free_in(iova_allocator({})).empty());
}

// Beside a map of every address: what is given out was free, is the lowest place, and comes back whole.
TEST(iova_allocator, agrees_with_a_map_of_every_address) {
    random_steps random;
    constexpr std::uint64_t base = iova_allocator::lowest;
    constexpr std::uint64_t size = 600;
    std::uint64_t refused = 0;
    for (std::uint64_t round = random_steps::count(60, 6); round != 0; --round) {
        std::vector<bool> usable(size);
        std::vector<iova_range> ranges;
        for (std::uint32_t i = random.below(5); i != 0; --i) {
            const std::uint64_t first = random.below(size);
            const std::uint64_t last = first + random.below(static_cast<std::uint32_t>(size - first));
            ranges.push_back({base + first, base + last});
            for (std::uint64_t each = first; each <= last; ++each)
                usable[each] = true;
        }
        iova_allocator space(ranges);
        const auto before = free_in(space);
        std::vector<bool> free = usable;
        std::map<std::uint64_t, std::uint64_t> out;
        const auto fits = [&](std::uint64_t at, std::uint64_t bytes) {
            for (std::uint64_t each = at; each != at + bytes; ++each)
                if (each >= size || !free[each])
                    return false;
            return true;
        };
        for (int step = 0; step != 200; ++step) {
            if (random.one_in(2) && !out.empty()) {
                auto back = out.begin();
                std::advance(back, random.below(static_cast<std::uint32_t>(out.size())));
                space.release(base + back->first, back->second);
                for (std::uint64_t i = 0; i != back->second; ++i)
                    free[back->first + i] = true;
                out.erase(back);
            } else {
                const std::uint64_t bytes = 1 + random.below(40);
                const std::uint64_t alignment = std::uint64_t{1} << random.below(6);
                std::uint64_t place = 0;
                while (place < size && !fits(place, bytes))
                    place += alignment; // `base` is at a multiple of them all
                const auto got = space.allocate(bytes, alignment);
                ASSERT_EQ(got, place < size ? std::optional(base + place) : std::nullopt);
                refused += place >= size;
                if (got) {
                    out[place] = bytes;
                    for (std::uint64_t i = 0; i != bytes; ++i)
                        free[place + i] = false;
                }
            }
            const std::uint64_t at = random.below(size);
            const std::uint64_t bytes = 1 + random.below(20);
            ASSERT_EQ(space.is_free(base + at, bytes), fits(at, bytes));
        }
        for (const auto& [at, bytes] : out)
            space.release(base + at, bytes);
        ASSERT_EQ(free_in(space), before);
    }
    EXPECT_GT(refused, 0u);
}

} // namespace
