// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/space.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <atomic>
#include <bit>
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

using core = detail::ring_core<slot, dynamic, noting_sync>;
using free_side = detail::free_space<core>;
using used_side = detail::used_space<core>;

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
            ahead.reach(next, limit, 1024, [&](std::uint32_t index) {
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

// However long nobody has asked: the distance is no news of a line ahead.
TEST(ring_space, who_has_not_looked_ahead_for_a_long_time_begins_anew) {
    for (const std::uint32_t lag : {0x7fff'ffffu, 0x8000'0000u, 0x8000'0001u, 0x8000'0010u, 0xffff'f000u}) {
        detail::lookahead<slot> ahead(16, 1024, 5);
        int hints = 0;
        ahead.reach(5 + lag, 5 + lag + 16, 1024, [&](std::uint32_t index) {
            EXPECT_LT(index - (5 + lag), 16u);
            ++hints;
        });
        EXPECT_EQ(hints, 4);
    }
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
        core between(slots, capacity, start);
        const std::atomic<std::uint32_t>& head = between.head;
        free_side producer(between, 4);
        used_side consumer(between, 4, chunk);
        const std::uint32_t grain = std::bit_floor(chunk != 0 ? chunk : std::max(capacity / 8, 1u));
        std::uint32_t inside = 0, kept = 0;
        for (int step = 0; step != 100; ++step) {
            kept = consumer.next() - head.load();
            if (*rc::gen::arbitrary<bool>()) {
                const auto count = *rc::gen::inRange<std::uint32_t>(0, capacity + 5);
                const std::uint32_t next = producer.next(), really_free = capacity - inside - kept;
                noting_sync::to_write.clear();
                std::uint32_t pushed = 0;
                if (*rc::gen::arbitrary<bool>()) {
                    const std::uint32_t free = *rc::gen::arbitrary<bool>() ? producer.room(next, count)
                                                                           : producer.prepare(next, count);
                    RC_ASSERT(free <= really_free);
                    RC_ASSERT(free >= std::min(count, really_free));
                    pushed = std::min(count, free);
                    if (pushed != 0)
                        producer.publish_burst(next + pushed);
                } else {
                    for (; pushed != count && producer.has_room(next + pushed); ++pushed)
                        producer.publish_one(next + pushed + 1);
                    RC_ASSERT(pushed == std::min(count, really_free));
                }
                for (const std::uint32_t at : slots_of(noting_sync::to_write, slots.data())) {
                    const std::uint32_t ahead = (at - next) & mask;
                    RC_ASSERT(ahead < really_free); // neither an item nor still being read
                }
                RC_ASSERT(producer.next() == next + pushed);
                RC_ASSERT(between.tail.load() == next + pushed);
                inside += pushed;
            } else {
                const auto count = *rc::gen::inRange<std::uint32_t>(0, inside + 1);
                const std::uint32_t next = consumer.next();
                const std::uint32_t arrived = consumer.ready(next, count);
                RC_ASSERT(arrived <= inside);
                RC_ASSERT(arrived >= count);
                if (*rc::gen::arbitrary<bool>()) { // asking for more than there is holds nothing back
                    RC_ASSERT(consumer.ready(next, inside + 1) == inside);
                    RC_ASSERT(inside == 0 || head.load() == next);
                }
                noting_sync::to_read.clear();
                consumer.look_ahead(next, count, arrived);
                for (const std::uint32_t at : slots_of(noting_sync::to_read, slots.data()))
                    RC_ASSERT(((at - next) & mask) < inside); // only what has arrived
                if (count == 0)
                    continue;
                consumer.take(next, next + count);
                RC_ASSERT(consumer.next() == next + count);
                inside -= count;
                kept = consumer.next() - head.load();
                RC_ASSERT(kept < grain);
                if (inside == 0)
                    RC_ASSERT(kept == 0u);
            }
        }
        consumer.give_back_all();
        RC_ASSERT(head.load() == consumer.next());
    }));
}

TEST(ring_space, a_producer_that_doubts_believes_no_impossible_index) {
    detail::ring_core<slot, 8, std_sync> between(100);
    detail::free_space<decltype(between), {.doubting = true}> doubting(between, 0);
    EXPECT_TRUE(doubting.sound());
    EXPECT_EQ(doubting.room(100, 8), 8u);
    doubting.publish_burst(108);
    between.head.store(109); // has read what was never written
    EXPECT_FALSE(doubting.sound());
    EXPECT_EQ(doubting.room(108, 1), 0u);
    EXPECT_FALSE(doubting.has_room(108));
    between.head.store(104);
    EXPECT_TRUE(doubting.sound());
    EXPECT_EQ(doubting.room(108, 1), 4u);
}

// Single slots are allowed several at a time; what the other side takes back is no longer allowed.
TEST(ring_space, a_producer_that_doubts_forgets_what_it_was_allowed) {
    detail::ring_core<slot, 8, std_sync> between(100);
    detail::free_space<decltype(between), {.doubting = true}> doubting(between, 0);
    ASSERT_TRUE(doubting.has_room(100)); // and seven more
    doubting.publish_one(101);
    between.head.store(95); // possible, and a lie
    ASSERT_EQ(doubting.room(101, 8), 2u);
    ASSERT_TRUE(doubting.has_room(101));
    doubting.publish_one(102);
    ASSERT_TRUE(doubting.has_room(102));
    doubting.publish_one(103);
    EXPECT_FALSE(doubting.has_room(103));
    EXPECT_LE(doubting.room(103, 1000), 8u);
}

TEST(ring_space, a_consumer_that_doubts_believes_no_impossible_index) {
    detail::ring_core<slot, 8, std_sync> between(100);
    detail::used_space<decltype(between), {.doubting = true}> doubting(between, 0, 0);
    between.tail.store(109); // nine items in eight slots
    EXPECT_FALSE(doubting.sound());
    EXPECT_EQ(doubting.ready(100, 1), 0u);
    between.tail.store(99);
    EXPECT_EQ(doubting.ready(100, 1), 0u);
    between.tail.store(108);
    EXPECT_TRUE(doubting.sound());
    EXPECT_EQ(doubting.ready(100, 1), 8u);
}

// Nothing but the two indices is kept, so that each step is seen in them at once.
TEST(ring_space, on_one_core_nothing_is_held_back) {
    detail::ring_core<slot, 3, std_sync> between(0xffff'fffe);
    detail::free_space<decltype(between), {.same_core = true}> producer(between, 0);
    detail::used_space<decltype(between), {.same_core = true}> consumer(between, 0, 0);
    for (int lap = 0; lap != 5; ++lap) {
        for (std::uint32_t i = 0; i != 3; ++i) {
            ASSERT_TRUE(producer.has_room(producer.next()));
            ASSERT_EQ(producer.room(producer.next(), 1), 3 - i);
            producer.publish_one(producer.next() + 1);
        }
        ASSERT_FALSE(producer.has_room(producer.next()));
        for (std::uint32_t i = 0; i != 3; ++i) {
            ASSERT_EQ(consumer.ready(consumer.next(), 1), 3 - i);
            consumer.take(consumer.next(), consumer.next() + 1);
            ASSERT_EQ(producer.room(producer.next(), 1), i + 1);
        }
        ASSERT_EQ(consumer.ready(consumer.next(), 1), 0u);
    }
}

} // namespace
