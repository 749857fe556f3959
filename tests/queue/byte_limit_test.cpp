// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/byte_limit.hpp"

#include <deque>

#include <gtest/gtest.h>

#include "support/random.hpp"

namespace {

using namespace noria;

// A queue of packets of so many bytes that is always full, and a device that finishes `rate` bytes between
// two completions, as far as it has them. How many of these found it idle.
struct busy_sender {
    byte_limit limit;
    std::uint64_t packet;
    std::deque<std::uint64_t> sending{};
    nanoseconds now = 0;

    std::uint64_t run(std::uint64_t rate, int intervals, nanoseconds interval = 1'000'000) {
        std::uint64_t idle = 0;
        for (int i = 0; i != intervals; ++i) {
            while (limit.has_room(0)) {
                limit.queued(packet);
                sending.push_back(packet);
            }
            std::uint64_t done = 0;
            while (!sending.empty() && done + sending.front() <= rate) {
                done += sending.front();
                sending.pop_front();
            }
            idle += sending.empty();
            now += interval;
            if (done != 0)
                limit.completed(done, now);
        }
        return idle;
    }
};

TEST(byte_limit, the_first_packet_always_fits) {
    byte_limit limit;
    EXPECT_TRUE(limit.has_room());
    limit.queued(1'000'000);
    EXPECT_FALSE(limit.has_room());
    limit.completed(1'000'000, 1);
    EXPECT_TRUE(limit.has_room());
    EXPECT_EQ(limit.on_the_way(), 0u);
}

TEST(byte_limit, grows_when_the_device_is_starved_until_it_is_not) {
    busy_sender s{byte_limit(), 1500};
    EXPECT_GT(s.run(60'000, 100), 0u);
    EXPECT_EQ(s.run(60'000, 1000), 0u) << "it has to stay busy now";
    EXPECT_GE(s.limit.limit(), 58'500u);
    EXPECT_LE(s.limit.limit(), 3 * 60'000u) << "with no more than that takes";
}

TEST(byte_limit, shrinks_with_slack_but_not_before_the_hold_time) {
    busy_sender s{byte_limit({.hold = 50'000'000}), 1500};
    s.run(600'000, 200);
    const std::uint64_t fast = s.limit.limit();
    ASSERT_GE(fast, 598'500u);
    s.run(6'000, 40);
    EXPECT_GE(s.limit.limit(), fast - 3000) << "a lull: nothing but what was slack before it";
    s.run(6'000, 400);
    EXPECT_LT(s.limit.limit(), 30'000u);
    EXPECT_EQ(s.run(6'000, 100), 0u) << "and not so far that the device starves";
}

TEST(byte_limit, moves_by_just_what_was_too_little_or_too_much) {
    byte_limit limit({.hold = 10});
    limit.queued(1000);
    limit.completed(1000, 0);
    EXPECT_EQ(limit.limit(), 1000u) << "the device was idle, and 1000 is what it had";
    limit.queued(500);
    limit.queued(500);
    limit.completed(100, 5);
    EXPECT_EQ(limit.limit(), 1000u);
    limit.completed(100, 10);
    EXPECT_EQ(limit.limit(), 1000u) << "not before the hold time is over";
    limit.completed(100, 11);
    EXPECT_EQ(limit.limit(), 200u) << "twice what was finished meanwhile would have been enough";
}

// A limit of 1000, and nothing on the way.
byte_limit limit_of_1000() {
    byte_limit limit({.hold = 10});
    limit.queued(1000);
    limit.completed(1000, 0);
    return limit;
}

TEST(byte_limit, grows_by_what_was_let_past_it_too) {
    byte_limit limit = limit_of_1000();
    for (const std::uint32_t bytes : {500u, 500u, 400u})
        limit.queued(bytes);
    limit.completed(100, 1);
    EXPECT_EQ(limit.limit(), 1000u);
    limit.completed(1300, 2);
    EXPECT_EQ(limit.limit(), 1400u) << "it was starved, with 400 more than the limit";
}

TEST(byte_limit, sees_no_slack_where_the_device_finished_what_it_had) {
    byte_limit limit = limit_of_1000();
    limit.queued(300);
    limit.completed(100, 20);
    EXPECT_EQ(limit.limit(), 1000u);
}

TEST(byte_limit, counts_as_slack_what_was_let_past_it_and_not_needed) {
    for (const bool packet : {false, true}) {
        byte_limit limit = limit_of_1000();
        for (const std::uint32_t bytes : {500u, packet ? 200u : 500u, 400u})
            limit.queued(bytes);
        limit.completed(100, 1);
        limit.completed(packet ? 600 : 500, 20);
        if (packet)
            EXPECT_EQ(limit.limit(), 700u) << "100 of the last packet were needed, and 300 were not";
        else
            EXPECT_EQ(limit.limit(), 600u) << "of 1400, twice the 500 that were finished were needed";
    }
}

TEST(byte_limit, stays_between_least_and_most) {
    random_steps random;
    busy_sender s{byte_limit({.least = 3000, .most = 50'000, .hold = 10'000'000}), 700};
    EXPECT_EQ(s.limit.limit(), 3000u);
    bool low = false, high = false;
    for (int i = 0; i != 200; ++i) {
        s.run(random.one_in(2) ? 700 : 200'000, 30);
        EXPECT_GE(s.limit.limit(), 3000u);
        EXPECT_LE(s.limit.limit(), 50'000u);
        low |= s.limit.limit() < 5000;
        high |= s.limit.limit() == 50'000u;
    }
    EXPECT_TRUE(low && high);
}

// Whatever the load: what is on the way is what was queued and not completed, there is room exactly up to the
// limit, and the limit moves only when something was completed.
TEST(byte_limit, counts_what_is_on_the_way) {
    random_steps random;
    byte_limit limit({.hold = 1000});
    std::uint64_t on_the_way = 0;
    nanoseconds now = 0;
    for (std::uint64_t i = random_steps::count(100'000, 10'000); i != 0; --i) {
        const std::uint64_t before = limit.limit();
        if (random.one_in(2) && limit.has_room()) {
            const std::uint32_t bytes = 1 + random.below(9000);
            limit.queued(bytes);
            on_the_way += bytes;
            ASSERT_EQ(limit.limit(), before);
        } else if (on_the_way != 0) {
            const auto done = 1 + random.below(static_cast<std::uint32_t>(on_the_way));
            limit.completed(done, now += random.below(100));
            on_the_way -= done;
        }
        ASSERT_EQ(limit.on_the_way(), on_the_way);
        const std::uint32_t more = random.below(20'000);
        ASSERT_EQ(limit.has_room(more), on_the_way + more <= limit.limit());
    }
}

TEST(byte_limit, unlimited_is_nothing) {
    static_assert(std::is_empty_v<unlimited>);
    EXPECT_TRUE(unlimited::has_room(~0ull));
}

} // namespace
