// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/index.hpp"

#include <gtest/gtest.h>

namespace {

using namespace noria;

static_assert(slots_for(1) == 1 && slots_for(2) == 2 && slots_for(3) == 4 && slots_for(1000) == 1024);
static_assert(slots_for(max_ring_capacity) == max_ring_capacity);
static_assert(items_between(0xffff'fffe, 3) == 5);
static_assert(full_index(0xffff'fffe, 3) == 1);
static_assert(before(0xffff'fffe, 3) && !before(3, 0xffff'fffe) && !before(5, 5));
static_assert(run_at(6, 4, 7).offset == 6 && run_at(6, 4, 7).first == 2 && run_at(6, 4, 7).second == 2);
static_assert(mirrored_run_at(14, 8, 7).offset == 6 && mirrored_run_at(14, 8, 7).first == 8 &&
              mirrored_run_at(14, 8, 7).second == 0);

// The arithmetic repeated with 64-bit indices, which do not wrap, around every seam of the 32-bit ones.
constexpr std::uint64_t seams[] = {std::uint64_t{1} << 31, std::uint64_t{1} << 32, std::uint64_t{1} << 33};

constexpr bool agrees_with_unbounded_indices(std::uint32_t capacity) {
    const std::uint32_t slots = slots_for(capacity);
    if (slots < capacity || slots >= 2 * capacity)
        return false;
    for (const std::uint64_t seam : seams) {
        for (std::uint64_t head = seam - 2 * slots; head <= seam + 2 * slots; ++head) {
            const auto head32 = static_cast<std::uint32_t>(head);
            if (full_index(head32, capacity) != static_cast<std::uint32_t>(head + capacity))
                return false;
            for (std::uint32_t count = 0; count <= capacity; ++count) {
                if (items_between(head32, static_cast<std::uint32_t>(head + count)) != count)
                    return false;
                if (before(head32, static_cast<std::uint32_t>(head + count)) != (count != 0) ||
                    before(static_cast<std::uint32_t>(head + count), head32))
                    return false;
                const slot_run run = run_at(head32, count, slots - 1);
                if (run.first + run.second != count || run.offset + run.first > slots ||
                    run.second > run.offset)
                    return false;
                for (std::uint32_t i = 0; i < count; ++i) {
                    const std::uint32_t place = i < run.first ? run.offset + i : i - run.first;
                    if (place != (head + i) % slots)
                        return false;
                }
            }
        }
    }
    return true;
}

static_assert(agrees_with_unbounded_indices(1) && agrees_with_unbounded_indices(2) &&
              agrees_with_unbounded_indices(3));

TEST(ring_index, agrees_with_indices_that_do_not_wrap) {
    for (std::uint32_t capacity = 1; capacity <= 40; ++capacity)
        EXPECT_TRUE(agrees_with_unbounded_indices(capacity)) << capacity;
}

TEST(ring_index, largest_ring_has_a_run_of_all_its_slots) {
    const slot_run run = run_at(0xffff'ffff, max_ring_capacity, max_ring_capacity - 1);
    EXPECT_EQ(run.offset, max_ring_capacity - 1);
    EXPECT_EQ(run.first, 1u);
    EXPECT_EQ(run.second, max_ring_capacity - 1);
}

} // namespace
