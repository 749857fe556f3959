// SPDX-License-Identifier: BSL-1.0
// When a vector is masked and armed, what the moderation hears, and what the card hears of it.

#include "hardware/polled_vector.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

// Notes what is asked of it.
template <bool MasksWhenItCalls>
struct noted_calls {
    static constexpr bool masks_when_it_calls = MasksWhenItCalls;

    void arm(std::uint32_t vector) noexcept { said.push_back("arm " + std::to_string(vector)); }
    void mask(std::uint32_t vector) noexcept { said.push_back("mask " + std::to_string(vector)); }
    void set_interval(std::uint32_t vector, noria::nanoseconds least) noexcept {
        said.push_back("interval " + std::to_string(vector) + ' ' + std::to_string(least));
    }

    std::vector<std::string> said;
};

// Wants one ns more each time, or not; remembers what it was told.
struct restless {
    [[nodiscard]] noria::nanoseconds interval() const noexcept { return wanted; }
    void note(std::uint32_t packets, std::uint64_t bytes) noexcept {
        wanted += packets != 0;
        told.emplace_back(packets, bytes);
    }

    noria::nanoseconds wanted = 7;
    std::vector<std::pair<std::uint32_t, std::uint64_t>> told{};
};

struct five_at_a_time {
    std::uint32_t operator()(std::uint32_t budget) noexcept {
        const std::uint32_t now = budget < 5 ? budget : 5;
        sum += 100 * now;
        return now;
    }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return sum; }
    std::uint64_t sum = 1000; // of others, before
};

template <bool MasksWhenItCalls>
std::vector<std::string> two_calls() {
    noted_calls<MasksWhenItCalls> calls;
    five_at_a_time work;
    hardware::polled_vector source(calls, 3, work, restless{});
    EXPECT_TRUE(source.rearm()); // as a poller does when it is told of it
    EXPECT_EQ(source.poll(64), 5u);
    EXPECT_EQ(source.poll(2), 2u);
    EXPECT_TRUE(source.rearm());
    EXPECT_EQ(source.poll(0), 0u);
    EXPECT_TRUE(source.rearm());
    using told = std::vector<std::pair<std::uint32_t, std::uint64_t>>;
    EXPECT_EQ(source.moderation().told, (told{{0, 0}, {7, 700}, {0, 0}})) << "of each call, all its polls";
    return calls.said;
}

using sayings = std::vector<std::string>;

TEST(polled_vector, a_card_that_masks_by_itself_is_only_armed) {
    EXPECT_EQ(two_calls<true>(), (sayings{"interval 3 7", "arm 3", "interval 3 8", "arm 3", "arm 3"}));
}

TEST(polled_vector, another_is_masked_once_when_a_call_begins) {
    EXPECT_EQ(two_calls<false>(),
              (sayings{"interval 3 7", "arm 3", "mask 3", "interval 3 8", "arm 3", "mask 3", "arm 3"}));
}

} // namespace
