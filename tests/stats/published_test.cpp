// SPDX-License-Identifier: BSL-1.0
#include "noria/stats/published.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>

#include <gtest/gtest.h>

#include "noria/stats/ledger.hpp"
#include "noria/stats/link.hpp"
#include "support/random.hpp"

namespace {

using numbers = std::array<std::uint64_t, 30>;

static_assert(noria::publishable<numbers>);
static_assert(noria::publishable<noria::loss_ledger>);
static_assert(noria::publishable<noria::link_values>);
static_assert(!noria::publishable<std::array<std::uint32_t, 3>>, "not whole numbers of 64 bits");
static_assert(!noria::publishable<noria::link_counters>, "live counters are not copied");

TEST(Published, BeforeTheFirstPublicationAllIsZero) {
    const noria::published<numbers> board;
    numbers seen;
    seen.fill(7);
    ASSERT_TRUE(board.try_read(seen));
    EXPECT_EQ(seen, numbers{});
}

TEST(Published, TheNewestIsRead) {
    noria::published<numbers> board;
    for (std::uint64_t i = 1; i != 20; ++i) {
        numbers now;
        now.fill(i);
        now.back() = ~i;
        board.publish(now);
        numbers seen{};
        ASSERT_TRUE(board.try_read(seen));
        EXPECT_EQ(seen, now);
    }
}

// Atomics that call somebody in the middle of a read: what the writer does meanwhile is then no matter of
// luck.
struct interrupted_sync {
    static inline int loads_until = -1;
    static inline void (*interrupt)() = nullptr;

    template <class T>
    struct atomic {
        explicit atomic(T start) : value(start) {}
        T load(std::memory_order) const noexcept {
            if (loads_until-- == 0)
                interrupt();
            return value;
        }
        void store(T next, std::memory_order) noexcept { value = next; }
        T value;
    };
};

using board_of_four = noria::basic_published<numbers, 4, interrupted_sync>;
board_of_four* interrupted_board = nullptr;
int publications = 0;

// A reader with a copy in hand is disturbed by the third publication that comes, and not by fewer.
TEST(Published, AReaderIsDisturbedOnlyWhereItsCopyMayGo) {
    for (publications = 0; publications != 6; ++publications) {
        board_of_four board;
        interrupted_board = &board;
        numbers first;
        first.fill(1);
        board.publish(first);
        interrupted_sync::interrupt = [] {
            numbers next;
            for (int i = 0; i != publications; ++i) {
                next.fill(100);
                interrupted_board->publish(next);
            }
        };
        numbers seen;
        seen.fill(9);
        interrupted_sync::loads_until = 15;
        const bool read = board.try_read(seen);
        EXPECT_EQ(read, publications < 3) << publications;
        EXPECT_EQ(seen.front(), read ? 1u : 9u) << "refused, and yet changed";
        EXPECT_EQ(seen.back(), seen.front());
        interrupted_sync::loads_until = -1;
    }
}

TEST(Published, AReaderBesideTheWriterGetsWholeCopiesOnly) {
    const std::uint64_t all = random_steps::count(200'000, 20'000);
    noria::published<numbers> board;
    std::thread writer([&] {
        for (std::uint64_t i = 1; i <= all; ++i) {
            numbers now;
            for (std::size_t place = 0; place != now.size(); ++place)
                now[place] = i * (place + 1);
            board.publish(now);
        }
    });
    std::uint64_t last = 0;
    while (last != all) {
        numbers seen;
        if (!board.try_read(seen))
            continue;
        for (std::size_t place = 0; place != seen.size(); ++place)
            ASSERT_EQ(seen[place], seen[0] * (place + 1));
        ASSERT_GE(seen[0], last);
        last = seen[0];
    }
    writer.join();
}

} // namespace
