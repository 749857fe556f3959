// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/storage.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>

namespace {

using namespace noria;

// In production a slot of plain data is the data: span<slot> is span<T>.
static_assert(std::is_same_v<ring_slot<int, std_sync>, int>);
static_assert(std::is_same_v<ring_slot<std::unique_ptr<int>, std_sync>, raw_slot<std::unique_ptr<int>>>);
static_assert(sizeof(raw_slot<std::unique_ptr<int>>) == sizeof(std::unique_ptr<int>));
static_assert(sizeof(inline_storage<std::uint64_t, 1000>) == 1024 * sizeof(std::uint64_t));
static_assert(alignof(inline_storage<char, 3>) == thread_gap);
static_assert(std::is_same_v<ring_storage<int, dynamic>, span_storage<int>>);

TEST(inline_storage, has_the_capacity_asked_for_and_slots_that_are_zero) {
    inline_storage<int, 5> storage;
    EXPECT_EQ(storage.capacity(), 5u);
    EXPECT_EQ(storage.mask(), 7u);
    for (std::uint32_t i = 0; i <= storage.mask(); ++i)
        EXPECT_EQ(storage.slots()[i], 0);
}

TEST(span_storage, uses_the_callers_slots) {
    std::array<int, 8> slots{};
    span_storage<int> storage(slots, 5);
    EXPECT_EQ(storage.capacity(), 5u);
    EXPECT_EQ(storage.mask(), 7u);
    EXPECT_EQ(storage.slots(), slots.data());
}

TEST(raw_slot, holds_nothing_until_told_to) {
    raw_slot<std::unique_ptr<int>> slot;
    EXPECT_EQ(*slot.construct(new int(7)), 7);
    std::unique_ptr<int> out;
    detail::empty_slot<std::unique_ptr<int>, std_sync>(slot, out);
    EXPECT_EQ(*out, 7);
    EXPECT_EQ(slot.value, nullptr);
    slot.value.~unique_ptr();
}

TEST(span_storage_contract, refuses_too_few_slots) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "death tests fork, which the thread sanitizer does not like";
#endif
    if (!checked_mode)
        GTEST_SKIP() << "contracts are not checked in this build";
    std::array<int, 7> slots{};
    EXPECT_DEATH((span_storage<int>{slots, 5}), "rounded up to a power of two");
}

} // namespace
