// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/foreign_buffers.hpp"

#include <array>
#include <thread>

#include <gtest/gtest.h>

namespace {

using namespace noria;

struct lender {
    std::array<std::byte, 64> memory{};
    int told = 0;

    static void release(void* self, std::span<std::byte> bytes) noexcept {
        EXPECT_EQ(bytes.data(), static_cast<lender*>(self)->memory.data());
        EXPECT_EQ(bytes.size(), 64u);
        ++static_cast<lender*>(self)->told;
    }
};

TEST(foreign_buffers, lends_as_many_as_were_reserved_and_each_lender_is_told_once) {
    foreign_buffers stock;
    ASSERT_TRUE(stock.reserve(2));
    std::array<lender, 3> from;
    for (int round = 0; round != 3; ++round) {
        page* const first = stock.take(from[0].memory, from.data(), lender::release);
        page* const second = stock.take(from[1].memory, &from[1], lender::release);
        ASSERT_TRUE(first != nullptr && second != nullptr);
        EXPECT_EQ(first->data(), from[0].memory.data());
        EXPECT_EQ(first->references(), 1u);
        EXPECT_EQ(stock.in_flight(), 2u);
        EXPECT_EQ(stock.take(from[2].memory, &from[2], lender::release), nullptr);
        second->hold();
        second->release();
        EXPECT_EQ(from[1].told, round);
        second->release();
        EXPECT_EQ(from[1].told, round + 1);
        std::thread([&] { first->release(); }).join();
        EXPECT_EQ(from[0].told, round + 1);
        EXPECT_EQ(stock.in_flight(), 0u);
    }
    EXPECT_EQ(from[2].told, 0) << "it lent nothing";
}

TEST(foreign_buffers, of_none_lend_none) {
    foreign_buffers stock;
    ASSERT_TRUE(stock.reserve(0));
    lender from;
    EXPECT_EQ(stock.take(from.memory, &from, lender::release), nullptr);
    EXPECT_EQ(stock.in_flight(), 0u);
}

// When the lender hears of it, the page is home already: it may lend the same buffer again, or do away with
// all of it.
TEST(foreign_buffers, tells_the_lender_last) {
    struct {
        foreign_buffers stock;
        std::array<std::byte, 64> memory{};
        int left = 3;
    } again;
    ASSERT_TRUE(again.stock.reserve(1));
    using lent_again = decltype(again);
    static foreign_page::release_function* lend;
    lend = [](void* self, std::span<std::byte> bytes) noexcept {
        auto& mine = *static_cast<lent_again*>(self);
        EXPECT_EQ(mine.stock.in_flight(), 0u);
        if (mine.left-- != 0)
            mine.stock.take(bytes, self, lend)->release();
    };
    const foreign_buffers::owner_section entered = again.stock.enter();
    again.stock.take(again.memory, &again, lend)->release();
    EXPECT_EQ(again.left, -1);
}

} // namespace
