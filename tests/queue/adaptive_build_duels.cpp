// SPDX-License-Identifier: BSL-1.0
// The duels of adaptive_build.hpp one by one: who meets whom, for how long, who wins, and the rest behind it.
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "noria/queue/adaptive_build.hpp"
#include "support/memory_block.hpp"

namespace {

using namespace noria;

constexpr std::uint32_t always = ~0u;
constexpr std::uint32_t never = 0;
constexpr std::uint32_t frames_a_poll = 32;

// What the price of a frame may depend on.
struct turn {
    std::uint32_t copybreak;  // whose turn it is
    bool challenger;          // or the one in force
    std::size_t nth;          // of the duel, from 1
    std::uint64_t frames = 0; // of it so far
};

struct duel {
    std::uint64_t waited = 0;     // frames before it
    std::uint32_t challenger = 0; // its copybreak
    bool won = false;
    std::vector<std::uint64_t> turns; // frames of each

    std::uint64_t frames() const { return std::accumulate(turns.begin(), turns.end(), std::uint64_t{0}); }
};

// A learner that is watched, and what comes in. Without anything said all frames have 200 bytes, so that
// there is but one challenger: copied by the limit in force, and attached by the one below.
class arena {
  public:
    explicit arena(std::vector<std::uint32_t> all = {200}) : lengths(std::move(all)) {}

    void poll(std::uint64_t ticks_a_frame) {
        for (std::uint32_t i = 0; i != frames_a_poll; ++i, ++next_)
            static_cast<void>(learner.copies(lengths[next_ % lengths.size()]));
        learner.learn(ticks_a_frame * frames_a_poll, frames_a_poll, packets_out);
    }

    // The next duel, with price(turn) ticks a frame.
    template <class Price>
    duel next_duel(Price price) {
        duel seen;
        for (; !learner.measures(); seen.waited += frames_a_poll)
            poll(0);
        const std::uint32_t in_force = learner.learned_copybreak();
        seen.challenger = learner.copybreak();
        turn now{};
        while (learner.measures()) {
            if (seen.turns.empty() || now.copybreak != learner.copybreak()) {
                seen.turns.push_back(0);
                now = {learner.copybreak(), learner.copybreak() != in_force, seen.turns.size()};
            }
            poll(static_cast<std::uint64_t>(price(now)));
            now.frames = seen.turns.back() += frames_a_poll;
            if (seen.turns.size() == 100) {
                ADD_FAILURE() << "a duel without end";
                break;
            }
        }
        seen.won = learner.learned_copybreak() != in_force;
        return seen;
    }
    // The same where only the side matters: the limit in force costs 100.
    duel next_duel_against(std::uint64_t challengers_price) {
        return next_duel([&](const turn& now) { return now.challenger ? challengers_price : 100; });
    }

    copybreak_learner learner;
    std::vector<std::uint32_t> lengths;
    std::uint32_t packets_out = 0;

  private:
    std::size_t next_ = 0;
};

// The challenger has a turn, and each round ends in the next one's: one turn more than there are rounds.
TEST(copybreak_duel, is_won_by_four_rounds_and_lost_by_three_or_by_a_hopeless_one) {
    struct row {
        std::uint64_t price;
        bool won;
        std::size_t rounds;
    };
    for (const row& each : {row{50, true, 4}, row{97, true, 4}, row{99, false, 3}, row{100, false, 3},
                            row{124, false, 3}, row{126, false, 1}, row{1000, false, 1}}) {
        arena a;
        const duel seen = a.next_duel_against(each.price);
        EXPECT_EQ(seen.challenger, 128u);
        EXPECT_EQ(seen.won, each.won) << each.price << " against 100";
        EXPECT_EQ(seen.turns.size(), each.rounds + 1) << each.price << " against 100";
        EXPECT_EQ(a.learner.learned_copybreak(), each.won ? 128u : 256u);
        EXPECT_EQ(a.learner.copybreak(), a.learner.learned_copybreak());
    }
}

TEST(copybreak_duel, a_hopeless_round_loses_it_whatever_was_won_before) {
    arena a;
    const duel seen = a.next_duel([](const turn& now) {
        return !now.challenger ? 100 : now.nth < 5 ? 90 : 130;
    });
    EXPECT_FALSE(seen.won);
    EXPECT_EQ(seen.turns.size(), 4u + 1) << "three were won";
}

// Every other turn of the challenger is cheap, which is two rounds won and two lost.
TEST(copybreak_duel, those_who_are_the_same_part_after_twelve_rounds) {
    arena a;
    const duel seen = a.next_duel([](const turn& now) {
        return !now.challenger ? 100 : now.nth % 4 == 1 ? 90 : 110;
    });
    EXPECT_FALSE(seen.won);
    EXPECT_EQ(seen.turns.size(), 12u + 1);
    EXPECT_EQ(a.learner.copybreak(), 256u) << "though the last turn was the challenger's";
}

// An eighth of all cost, when the challenger's half of the frames is a quarter dearer: 0.5 * 0.25 * 1. With
// each tour that nobody won a quarter of that, up to the second.
TEST(copybreak_duel, the_rest_behind_it_grows_with_what_it_wasted_and_with_each_fruitless_tour) {
    struct row {
        std::uint64_t price;
        double dearer; // as it counts
    };
    for (const row& each : {row{110, 0.25}, row{150, 0.5}, row{300, 2}, row{1000, 4}}) {
        SCOPED_TRACE(each.price);
        arena a;
        duel last = a.next_duel_against(each.price); // 128 is the only one: its turn comes once a tour
        for (const int tours : {4, 16, 64, 64, 64}) {
            const duel next = a.next_duel_against(each.price);
            EXPECT_EQ(static_cast<double>(next.waited),
                      each.dearer * tours * static_cast<double>(last.frames()));
            last = next;
        }
    }
}

TEST(copybreak_duel, a_winner_begins_the_tours_anew) {
    arena a;
    for (int i = 0; i != 4; ++i)
        EXPECT_FALSE(a.next_duel_against(110).won);
    duel last = a.next_duel_against(50);
    EXPECT_TRUE(last.won);
    for (const std::uint64_t tours : {1u, 1u, 4u, 16u, 16u}) {
        const duel next = a.next_duel_against(110);
        EXPECT_EQ(next.waited, tours * last.frames());
        EXPECT_EQ(next.challenger, 256u) << "the only one, from the other side";
        last = next;
    }
}

// The ends and the steps in turn, a way that won once more, and none twice where a step is all the way.
TEST(copybreak_duel, challengers_come_from_both_sides_in_turn) {
    arena a({48, 96, 192, 384, 768, 1536, 3072, 6144, 12288});
    const auto price = [](const turn& now) -> std::uint64_t {
        switch (now.copybreak) {
        case 64:
            return 80;
        case 128:
            return 90;
        case 256:
            return 100;
        default:
            return 200;
        }
    };
    for (const std::uint32_t expected : {never, always, 128u, 64u, 128u, never, always, 128u, never}) {
        const duel seen = a.next_duel(price);
        EXPECT_EQ(seen.challenger, expected);
        EXPECT_EQ(seen.won, a.learner.learned_copybreak() == expected);
    }
    EXPECT_EQ(a.learner.learned_copybreak(), 64u);
}

// To the byte: the challenger is the next limit that treats the frames another way.
TEST(copybreak_duel, the_challenger_treats_what_was_seen_another_way) {
    struct row {
        std::uint32_t bytes;
        std::uint32_t challenger;
    };
    for (const row& each : {row{0, never}, row{1, never}, row{64, never}, row{65, 64}, row{128, 64},
                            row{129, 128}, row{256, 128}, row{257, 512}, row{512, 512}, row{513, 1024},
                            row{8192, 8192}, row{8193, always}, row{20'000, always}}) {
        arena a({each.bytes});
        EXPECT_EQ(a.next_duel_against(110).challenger, each.challenger) << each.bytes << " bytes";
    }
}

// An interrupt in each stretch of the challenger's, as dear as twenty polls.
TEST(copybreak_duel, the_dearest_poll_of_a_stretch_does_not_count) {
    arena a;
    EXPECT_TRUE(a.next_duel([](const turn& now) {
                     const bool interrupted = now.frames / frames_a_poll % 40 == 7;
                     return !now.challenger ? 100 : interrupted ? 2000 : 90;
                 }).won);
}

TEST(copybreak_duel, nothing_counts_until_half_as_many_again_as_were_out_have_come) {
    arena a;
    a.packets_out = 5000;
    EXPECT_TRUE(a.next_duel([](const turn& now) {
                     return !now.challenger ? 100 : now.frames < 7500 ? 300 : 90;
                 }).won);
}

TEST(copybreak_duel, who_had_to_settle_for_long_measures_for_longer) {
    arena a;
    a.packets_out = 40'000;
    const duel seen = a.next_duel_against(300);
    constexpr std::uint64_t settled = 60'000;
    EXPECT_GE(seen.turns[0], settled + 2048 + settled / 8);
    EXPECT_LE(seen.turns[0], settled + 2048 + settled / 8 + 4096) << "and a little to be drawn";
}

// Traffic that repeats itself would else give one of them always the same part.
TEST(copybreak_duel, no_two_turns_need_be_of_one_length) {
    arena a;
    const duel seen = a.next_duel([](const turn& now) {
        return !now.challenger ? 100 : now.nth % 4 == 1 ? 90 : 110;
    });
    ASSERT_EQ(seen.turns.size(), 13u);
    const std::set<std::uint64_t> lengths(seen.turns.begin() + 1, seen.turns.end() - 1); // of two windows
    EXPECT_GE(lengths.size(), 8u);
    EXPECT_GE(*lengths.rbegin() - *lengths.begin(), 500u);
}

// A long frame comes just behind a duel, and none ever after: nobody need meet for it.
TEST(copybreak_duel, is_about_what_was_seen_right_before) {
    arena a;
    duel last;
    for (int i = 0; i != 3; ++i)
        last = a.next_duel_against(110);
    ASSERT_GT(last.waited, 3 * last.frames()) << "the rests are long by now";
    a.lengths = {3000};
    a.poll(0);
    a.lengths = {200};
    EXPECT_EQ(a.next_duel_against(110).challenger, 128u);
    // And one that comes while it looks is met for.
    while (!a.learner.measures()) {
        a.lengths = {200, 3000};
        a.poll(0);
    }
    EXPECT_NE(a.learner.copybreak(), 128u);
}

TEST(copybreak_duel, there_is_none_about_nothing) {
    copybreak_learner learner;
    for (int i = 0; i != 1000; ++i)
        learner.learn(0, 64, 0); // what came was dropped
    EXPECT_FALSE(learner.measures());
    std::uint32_t frames = 0;
    for (; !learner.measures() && frames < 100'000; frames += 64) {
        static_cast<void>(learner.copies(200));
        learner.learn(0, 64, 0);
    }
    EXPECT_LE(frames, 4096u + 64);
}

// The builder, and what it tells its learner.
struct told_clock {
    static inline nanoseconds time = 1'000'000;
    nanoseconds now() const noexcept { return time; }
};

TEST(adaptive_build, waits_in_a_duel_for_as_many_packets_as_the_pool_has_out) {
    constexpr std::uint32_t out = 3000;
    memory_block memory(2048);
    auto pages = page_pool::create(memory.bytes(), 2048);
    auto packets = packet_pool::create({.packets = out});
    ASSERT_TRUE(pages && packets);
    const auto pages_entered = pages->enter();
    const auto entered = packets->enter();
    page* const under = pages->allocate();
    under->hold(out - 1);
    std::vector<packet_ptr> held;
    while (packet_ptr made = packets->build_around(*under, {.bytes = 60, .held = 60}))
        held.push_back(std::move(made));
    ASSERT_EQ(held.size(), out);
    basic_adaptive_build<told_clock> builder(rx_options{});
    std::uint32_t frames = 0; // of the challenger's turn
    bool over = false;
    while (!over) {
        builder.begin_poll(100, 100);
        for (int i = 0; i != 64; ++i)
            static_cast<void>(builder.learner().copies(200));
        builder.end_poll(64, *packets);
        const bool challenges = builder.learner().copybreak() != builder.learner().learned_copybreak();
        over = !challenges && frames != 0;
        frames += challenges ? 64 : 0;
    }
    EXPECT_GE(frames, out + out / 2 + 2048);
}

TEST(adaptive_build, reads_what_it_will_copy) {
    basic_adaptive_build<told_clock> builder(rx_options{});
    builder.begin_poll(100, 100);
    EXPECT_EQ(builder.reads(256), 256u);
    EXPECT_EQ(builder.reads(257), 0u);
    builder.begin_poll(0, 100); // pages are short
    EXPECT_EQ(builder.reads(257), 257u);
}

// A poll that moves to another processor may seem to end before it began.
TEST(adaptive_build, learns_though_time_goes_back_now_and_then) {
    const auto packets = packet_pool::create({.packets = 1});
    ASSERT_TRUE(packets);
    basic_adaptive_build<told_clock> builder(rx_options{});
    for (int i = 0; i != 3000; ++i) {
        builder.begin_poll(100, 100);
        for (int n = 0; n != 64; ++n) {
            const bool copied = builder.learner().copies(200);
            told_clock::time += i % 5 == 0 ? 0 : copied ? 200 : 100;
        }
        told_clock::time -= i % 5 == 0 ? 1000 : 0;
        builder.end_poll(64, *packets);
    }
    EXPECT_EQ(builder.learner().learned_copybreak(), 128u);
}

} // namespace
