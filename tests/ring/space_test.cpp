// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/space.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <set>
#include <vector>

#include "noria/core/sync.hpp"

namespace {

using namespace noria;

// The machine's policy, with a note of every line asked for.
struct noting_sync : std_sync {
    static inline std::vector<const void*> to_write, to_read;
    static void prefetch_write(const void* address) noexcept { to_write.push_back(address); }
    static void prefetch_read(const void* address) noexcept { to_read.push_back(address); }
};

struct alignas(16) slot {
    std::uint64_t words[2];
};
static_assert(detail::slots_per_line<slot> == 4);
static_assert(detail::slots_per_line<char[24]> == 2 && detail::slots_per_line<char[100]> == 1);

using free_side = detail::free_space<slot, noting_sync>;
using used_side = detail::used_space<slot, noting_sync>;

std::set<std::uint32_t> slots_of(const std::vector<const void*>& addresses, const slot* first) {
    std::set<std::uint32_t> all;
    for (const void* address : addresses)
        all.insert(static_cast<std::uint32_t>(static_cast<const slot*>(address) - first));
    return all;
}

TEST(ring_space, window_is_the_lines_asked_for_at_most_a_quarter_and_nothing_in_small_rings) {
    EXPECT_EQ((detail::lookahead<slot>(16, 1024, 0).window()), 64u);
    EXPECT_EQ((detail::lookahead<slot>(16, 128, 0).window()), 32u);
    EXPECT_EQ((detail::lookahead<slot>(16, 64, 0).window()), 16u);
    EXPECT_EQ((detail::lookahead<slot>(16, 63, 0).window()), 0u);
    EXPECT_EQ((detail::lookahead<slot>(0, 1024, 0).window()), 0u);
}

TEST(ring_space, each_line_is_asked_for_once_and_never_behind_the_index_or_beyond_the_limit) {
    EXPECT_TRUE(rc::check([] {
        const auto start = *rc::gen::arbitrary<std::uint32_t>();
        detail::lookahead<slot> ahead(16, 1024, start);
        std::uint32_t next = start, limit = start;
        std::vector<std::uint32_t> asked;
        for (int step = 0; step != 50; ++step) {
            next += *rc::gen::inRange<std::uint32_t>(0, 20);
            if (before(limit, next))
                limit = next;
            limit += *rc::gen::inRange<std::uint32_t>(0, 30);
            ahead.reach(next, limit, [&](std::uint32_t index) {
                RC_ASSERT(!before(index, next));
                RC_ASSERT(!before(limit, index + 4));
                if (!asked.empty())
                    RC_ASSERT(index - asked.back() >= 4u);
                asked.push_back(index);
            });
            // Nothing whole is left out between the last line asked for and the limit.
            if (limit - next >= 8)
                RC_ASSERT(limit - asked.back() < 8u);
        }
    }));
}

// Both halves against a count of what is free: the producer never thinks more is free than is, and knows all
// that was given back once it asks for it.
TEST(ring_space, the_producer_knows_no_more_than_the_consumer_gave_back) {
    EXPECT_TRUE(rc::check([] {
        const auto start = *rc::gen::arbitrary<std::uint32_t>();
        const auto capacity = *rc::gen::inRange<std::uint32_t>(1, 300);
        const auto chunk = *rc::gen::inRange<std::uint32_t>(0, capacity + 1);
        std::vector<slot> slots(slots_for(capacity));
        const std::uint32_t mask = slots_for(capacity) - 1;
        std::atomic<std::uint32_t> head{start};
        free_side producer(head, slots.data(), mask, capacity, 4, start);
        used_side consumer(head, slots.data(), mask, capacity, chunk, 4);
        std::uint32_t inside = 0, kept = 0;
        for (int step = 0; step != 100; ++step) {
            if (*rc::gen::arbitrary<bool>()) {
                const auto count = *rc::gen::inRange<std::uint32_t>(0, capacity + 5);
                noting_sync::to_write.clear();
                const std::uint32_t free =
                    *rc::gen::arbitrary<bool>() ? producer.room(count) : producer.prepare(count);
                RC_ASSERT(free <= capacity - inside - kept);
                RC_ASSERT(free >= std::min(count, capacity - inside - kept));
                for (const std::uint32_t at : slots_of(noting_sync::to_write, slots.data())) {
                    const std::uint32_t ahead = (at - producer.next()) & mask;
                    RC_ASSERT(ahead < capacity - inside - kept); // neither an item nor still being read
                }
                const std::uint32_t pushed = std::min(count, free);
                producer.advance_to(producer.next() + pushed);
                inside += pushed;
            } else {
                const auto count = *rc::gen::inRange<std::uint32_t>(0, inside + 1);
                noting_sync::to_read.clear();
                consumer.look_ahead(count, inside);
                for (const std::uint32_t at : slots_of(noting_sync::to_read, slots.data()))
                    RC_ASSERT(((at - consumer.next()) & mask) < inside); // only what has arrived
                if (count == 0)
                    continue;
                consumer.take(count, consumer.next() + inside);
                inside -= count;
                kept += count;
                if (kept >= (chunk != 0 ? chunk : capacity / 8) || inside == 0)
                    kept = 0;
                RC_ASSERT(head.load() == consumer.next() - kept);
            }
        }
        consumer.give_back_all();
        RC_ASSERT(head.load() == consumer.next());
    }));
}

TEST(ring_space, a_producer_that_doubts_believes_no_impossible_index) {
    slot slots[8];
    std::atomic<std::uint32_t> head{100};
    detail::free_space<slot, std_sync, true> doubting(head, slots, 7, 8, 0, 100);
    EXPECT_TRUE(doubting.sound());
    EXPECT_EQ(doubting.room(8), 8u);
    doubting.advance_to(108);
    head.store(109); // has read what was never written
    EXPECT_FALSE(doubting.sound());
    EXPECT_EQ(doubting.room(1), 0u);
    head.store(104);
    EXPECT_TRUE(doubting.sound());
    EXPECT_EQ(doubting.room(1), 4u);
}

} // namespace
