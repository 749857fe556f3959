// SPDX-License-Identifier: BSL-1.0
#include "noria/memory/foreign_page.hpp"

#include <array>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace noria;

static_assert(!std::is_copy_constructible_v<foreign_page> && !std::is_move_constructible_v<foreign_page>,
              "holders know its address");

// Somebody who lends memory, and is told when it is his again.
struct lender {
    std::array<std::byte, 100> memory{};
    std::span<std::byte> came_back{};
    int times = 0;

    static void release(void* self, std::span<std::byte> bytes) noexcept {
        static_cast<lender*>(self)->came_back = bytes;
        ++static_cast<lender*>(self)->times;
    }
};

TEST(foreign_page, tells_its_lender_once_when_the_last_reference_is_gone) {
    lender from;
    foreign_page lent(std::span(from.memory).subspan(1, 98), &from, lender::release);
    page& under = lent.under();
    EXPECT_EQ(under.data(), from.memory.data() + 1);
    EXPECT_EQ(under.size(), 98u);
    EXPECT_EQ(under.references(), 1u) << "its maker's";
    under.hold(2);
    under.release();
    page* const both[] = {&under, &under};
    EXPECT_EQ(from.times, 0);
    release_burst(both);
    EXPECT_EQ(from.times, 1);
    EXPECT_EQ(from.came_back.data(), from.memory.data() + 1);
    EXPECT_EQ(from.came_back.size(), 98u);
}

// The lender may do away with the page from inside the call, or use its place for the next.
TEST(foreign_page, may_go_from_inside_its_release) {
    static std::optional<foreign_page> slot;
    static int left = 3;
    lender from;
    const auto lend = [](void* self, std::span<std::byte> bytes) noexcept {
        lender::release(self, bytes);
        slot.reset();
    };
    while (left-- != 0) {
        slot.emplace(from.memory, &from, +lend);
        slot->under().release();
        EXPECT_FALSE(slot.has_value());
    }
    EXPECT_EQ(from.times, 3);
}

// The lender comes after all that every holder did to the bytes, on whatever thread it is told.
TEST(foreign_page, may_be_let_go_of_by_many_threads) {
    constexpr std::uint32_t holders = 4;
    for (int round = 0; round != 200; ++round) {
        std::array<std::byte, holders> memory{};
        int sum = 0;
        foreign_page lent(memory, &sum, [](void* total, std::span<std::byte> bytes) noexcept {
            for (const std::byte each : bytes)
                *static_cast<int*>(total) += std::to_integer<int>(each);
        });
        lent.under().hold(holders - 1);
        std::vector<std::thread> threads;
        for (std::size_t i = 0; i != holders; ++i)
            threads.emplace_back([&, i] {
                lent.under().data()[i] = std::byte{1};
                lent.under().release();
            });
        for (std::thread& each : threads)
            each.join();
        ASSERT_EQ(sum, static_cast<int>(holders));
    }
}

#if NORIA_CONTRACT == 2
TEST(foreign_page_death_test, one_that_goes_while_somebody_holds_it) {
    lender from;
    EXPECT_DEATH(foreign_page(from.memory, &from, lender::release), "somebody still holds this page");
}

TEST(foreign_page_death_test, one_released_twice) {
    lender from;
    foreign_page lent(from.memory, &from, lender::release);
    lent.under().release();
    EXPECT_DEATH(lent.under().release(), "released twice");
}
#endif

} // namespace
