// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/adaptive_build.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <ostream>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "noria/queue/strategy.hpp"
#include "support/memory_block.hpp"
#include "support/random.hpp"
#include "support/receive.hpp"
#include "support/supplies.hpp"

namespace {

using namespace noria;

constexpr std::uint32_t always = ~0u;
constexpr std::uint32_t never = 0;

// A machine on which copying costs a tick a byte, and attaching costs `attach` ticks whatever the length.
class machine {
  public:
    explicit machine(double break_even) : attach_(break_even) {}

    void set_break_even(double bytes) { attach_ = bytes; }

    // One poll of 64 frames.
    template <class Lengths>
    void poll(copybreak_learner& learner, Lengths&& length) {
        double ticks = 0;
        for (int i = 0; i != 64; ++i) {
            const std::uint32_t bytes = length();
            ticks += learner.copies(bytes) ? bytes : attach_;
        }
        const double noise = random_.one_in(40) ? 20'000 : random_.below(200); // interrupts, and the like
        learner.learn(static_cast<std::uint64_t>(ticks + noise * noisy), 64, 0);
    }

    double noisy = 0;

  private:
    random_steps random_;
    double attach_;
};

// Frames of all classes alike: 48, 96, 192, ... bytes, three quarters of their class each.
class all_sizes {
  public:
    std::uint32_t operator()() { return 48u << random_.below(copybreak_learner::classes); }

  private:
    random_steps random_;
};

constexpr int long_enough = 20'000; // polls

struct break_even {
    double bytes;
    std::uint32_t copybreak;
};

class learner_at : public testing::TestWithParam<break_even> {};

TEST_P(learner_at, finds_where_the_line_runs) {
    for (const double noise : {0.0, 1.0}) {
        copybreak_learner learner;
        EXPECT_EQ(learner.copybreak(), 256u) << "the number everybody starts from";
        machine m(GetParam().bytes);
        m.noisy = noise;
        all_sizes sizes;
        for (int i = 0; i != long_enough; ++i)
            m.poll(learner, sizes);
        EXPECT_EQ(learner.learned_copybreak(), GetParam().copybreak);
    }
}
INSTANTIATE_TEST_SUITE_P(everywhere, learner_at,
                         testing::Values(break_even{1, never}, break_even{64, 64}, break_even{128, 128},
                                         break_even{256, 256}, break_even{512, 512}, break_even{1024, 1024},
                                         break_even{2048, 2048}, break_even{4096, 4096},
                                         break_even{1e6, always}));

// A receiver whose consumer holds packets, as far as time goes. A frame costs building, and the freeing of
// the one that is let go for it; and memory that was not used of late costs a miss, whichever way it is used:
// heads for copies and pages of the device lie on a stack each, and who changes over from one to the other
// finds what has gone cold, until its own come home.
struct costs {
    double copy_a_byte;
    double attach;
    double free_attached; // references are counted
    double cold;
};
class holding_receiver {
  public:
    holding_receiver(std::uint32_t held, const costs& price) : held_(held), price_(price) {
        for (auto& stack : free_)
            stack.assign(held + 64, 0);
    }

    double receive(std::uint32_t bytes, bool copied) {
        ++now_;
        double ticks = any_frame + (copied ? price_.copy_a_byte * bytes : price_.attach);
        std::vector<std::uint64_t>& stack = free_[copied];
        if (stack.back() + warm_for < now_)
            ticks += price_.cold;
        stack.pop_back();
        hands_.push_back(copied);
        if (hands_.size() > held_) {
            ticks += hands_.front() ? 0 : price_.free_attached;
            free_[hands_.front()].push_back(now_);
            hands_.pop_front();
        }
        return ticks;
    }
    std::uint32_t out() const { return static_cast<std::uint32_t>(hands_.size()); }

  private:
    static constexpr std::uint64_t warm_for = 256; // frames
    static constexpr double any_frame = 60;
    std::uint32_t held_;
    costs price_;
    std::uint64_t now_ = warm_for;
    std::array<std::vector<std::uint64_t>, 2> free_; // pages, heads: when each was used last
    std::deque<bool> hands_;                         // copied or not, oldest first
};

// A capture that is played over and over, in stretches as captures have them: requests, then a download, then
// a mix. Its thirds are as long as windows once were, which gave one limit always the downloads.
std::vector<std::uint32_t> capture() {
    std::vector<std::uint32_t> lengths;
    for (std::uint32_t i = 0; i != 768; ++i)
        lengths.push_back(i % 4 == 0 ? 220 : 90);
    for (std::uint32_t i = 0; i != 768; ++i)
        lengths.push_back(i % 3 == 0 ? 60 : 1500);
    for (std::uint32_t i = 0; i != 768; ++i)
        lengths.push_back(i % 5 == 0 ? 700 : 130);
    return lengths;
}

// What a frame costs with a copybreak that stays.
double fixed_cost(const std::vector<std::uint32_t>& lengths, std::uint32_t held, const costs& price,
                  std::uint32_t copybreak) {
    holding_receiver receiver(held, price);
    double ticks = 0;
    std::uint64_t frames = 0;
    for (std::uint64_t i = 0; i < 2 * held + 10 * lengths.size(); ++i) {
        const std::uint32_t bytes = lengths[i % lengths.size()];
        const double cost = receiver.receive(bytes, bytes <= copybreak);
        if (i >= 2 * held) {
            ticks += cost;
            ++frames;
        }
    }
    return ticks / static_cast<double>(frames);
}

void PrintTo(const costs& price, std::ostream* to) {
    *to << price.copy_a_byte << " a byte copied, " << price.attach << " to attach, " << price.free_attached
        << " to free, " << price.cold << " for cold memory";
}
class learner_among_held_packets : public testing::TestWithParam<std::tuple<std::uint32_t, costs>> {};

// What matters in the end: how far it is behind whoever knew the best copybreak from the beginning, with all
// that duels cost, once it had some time; and where it has got to.
TEST_P(learner_among_held_packets, is_hardly_behind_the_best_copybreak) {
    const auto& [held, price] = GetParam();
    const std::vector<std::uint32_t> lengths = capture();
    double best = fixed_cost(lengths, held, price, 0);
    for (std::uint32_t limit = 0; limit != copybreak_learner::classes; ++limit)
        best = std::min(best, fixed_cost(lengths, held, price, 64u << limit));

    random_steps random;
    copybreak_learner learner;
    holding_receiver receiver(held, price);
    std::size_t next = random.below(static_cast<std::uint32_t>(lengths.size()));
    double ticks = 0;
    std::uint64_t frames = 0;
    const std::uint64_t settled = 500'000 + 100 * held;
    for (std::uint64_t i = 0; i < settled + 1'000'000; i += 64) {
        double poll = 0;
        for (int n = 0; n != 64; ++n, next = next + 1 == lengths.size() ? 0 : next + 1)
            poll += receiver.receive(lengths[next], learner.copies(lengths[next]));
        if (i >= settled) {
            ticks += poll;
            frames += 64;
        }
        poll *= 0.9 + 0.002 * random.below(100);           // the neighbours, and the clock
        poll += random.one_in(500) ? 30 * best * 64 : 0.0; // an interrupt
        learner.learn(static_cast<std::uint64_t>(poll), 64, receiver.out());
    }
    EXPECT_LE(fixed_cost(lengths, held, price, learner.learned_copybreak()), 1.1 * best)
        << "learned " << learner.learned_copybreak();
    EXPECT_LE(ticks / static_cast<double>(frames), 1.1 * best) << "with what duels cost";
}
constexpr costs attaching_is_cheap{.copy_a_byte = 0.5, .attach = 30, .free_attached = 10, .cold = 90};
constexpr costs long_frames_attached{.copy_a_byte = 0.2, .attach = 100, .free_attached = 10, .cold = 90};
constexpr costs most_is_copied{.copy_a_byte = 0.1, .attach = 100, .free_attached = 60, .cold = 90};
constexpr costs copying_is_cheap{.copy_a_byte = 0.02, .attach = 100, .free_attached = 60, .cold = 90};
INSTANTIATE_TEST_SUITE_P(holding, learner_among_held_packets,
                         testing::Combine(testing::Values(0u, 1024u, 4096u, 16384u),
                                          testing::Values(attaching_is_cheap, long_frames_attached,
                                                          most_is_copied, copying_is_cheap)));

TEST(copybreak_learner, follows_when_the_line_moves) {
    copybreak_learner learner;
    machine m(64);
    all_sizes sizes;
    for (int i = 0; i != long_enough; ++i)
        m.poll(learner, sizes);
    EXPECT_EQ(learner.learned_copybreak(), 64u);
    m.set_break_even(2048);
    for (int i = 0; i != 20 * long_enough; ++i)
        m.poll(learner, sizes);
    EXPECT_EQ(learner.learned_copybreak(), 2048u);
}

TEST(copybreak_learner, duels_get_rarer_while_nothing_is_found) {
    copybreak_learner learner;
    machine m(256);
    all_sizes sizes;
    const auto share_of_duels = [&](int polls) {
        int in_duels = 0;
        for (int i = 0; i != polls; ++i) {
            m.poll(learner, sizes);
            in_duels += learner.measures();
        }
        return static_cast<double>(in_duels) / polls;
    };
    const double first = share_of_duels(long_enough / 5);
    static_cast<void>(share_of_duels(5 * long_enough));
    const double last = share_of_duels(5 * long_enough);
    EXPECT_EQ(learner.learned_copybreak(), 256u);
    EXPECT_GT(last, 0) << "traffic may change: it never stops looking";
    EXPECT_LT(4 * last, first);
}

// Two lengths only: limits between them all treat them alike, and are one step.
TEST(copybreak_learner, tries_only_what_makes_a_difference) {
    for (const double break_even : {50.0, 1e5}) {
        copybreak_learner learner;
        machine m(break_even);
        random_steps random;
        int duelling = 0;
        for (int i = 0; i != long_enough; ++i) {
            m.poll(learner, [&] { return random.one_in(2) ? 40u : 1500u; });
            const std::uint32_t learned = learner.learned_copybreak();
            const std::uint32_t tried = learner.copybreak();
            if (tried == learned)
                continue;
            ++duelling;
            EXPECT_TRUE((40 <= tried) != (40 <= learned) || (1500 <= tried) != (1500 <= learned))
                << tried << " is the same as " << learned;
        }
        EXPECT_GT(duelling, 0);
        if (break_even < 100) {
            EXPECT_EQ(learner.learned_copybreak(), 256u) << "right for both, so nothing is changed";
        } else {
            EXPECT_GE(learner.learned_copybreak(), 2048u) << "both are copied";
        }
    }
}

// What was seen once is forgotten when it does not come again.
TEST(copybreak_learner, forgets_traffic_that_is_over) {
    copybreak_learner learner;
    machine m(1000);
    for (int i = 0; i != 1000; ++i)
        m.poll(learner, [&] { return i % 2 == 0 ? 40u : 3000u; });
    EXPECT_EQ(learner.learned_copybreak(), 256u) << "right for both";
    bool over = false;
    for (int i = 0; i != long_enough; ++i) {
        m.poll(learner, [] { return 3000u; });
        const bool duelling = learner.copybreak() != learner.learned_copybreak();
        over = over || (i > 1000 && !duelling); // the duel that was on, and one more
        if (over) {
            EXPECT_GE(learner.copybreak(), 256u) << "there is no shorter frame any more";
        }
    }
}

TEST(copybreak_learner, all_frames_of_a_class_are_treated_alike) {
    copybreak_learner learner;
    for (const std::uint32_t bytes : {0u, 1u, 64u, 65u, 256u})
        EXPECT_TRUE(learner.copies(bytes)) << bytes;
    for (const std::uint32_t bytes : {257u, 512u, 9018u, ~0u})
        EXPECT_FALSE(learner.copies(bytes)) << bytes;
}

// Many times the cost is seen at once, and not paid for three rounds: what a duel wastes stays bounded.
TEST(copybreak_learner, a_hopeless_challenger_is_sent_home_after_one_round) {
    copybreak_learner learner;
    machine m(1e4);
    std::uint64_t turns = 0; // of the challenger
    std::uint64_t duels = 0;
    bool challenged = false;
    bool measured = false;
    for (int i = 0; i != 5 * long_enough; ++i) {
        m.poll(learner, [] { return 200u; }); // copied, and a challenger would attach it
        const bool challenges = learner.copybreak() != learner.learned_copybreak();
        turns += challenges && !challenged;
        duels += learner.measures() && !measured;
        challenged = challenges;
        measured = learner.measures();
    }
    EXPECT_GE(duels, 3u);
    EXPECT_EQ(turns, duels);
    EXPECT_EQ(learner.learned_copybreak(), 256u);
}

// What is out when the sides change is waited for, however much it is: none of it is in a window.
TEST(copybreak_learner, what_the_other_limit_left_behind_is_not_counted) {
    copybreak_learner learner;
    bool copied_before = true;
    std::uint64_t since = 0;
    std::uint64_t changes = 0;
    for (int i = 0; i != long_enough; ++i) {
        const bool copied = learner.copies(200);
        if (copied != copied_before) {
            since = 0;
            ++changes;
        }
        copied_before = copied;
        since += 64;
        // Attaching is a quarter cheaper, once 5000 packets are home; before that it costs thrice as much.
        learner.learn(copied ? 100 * 64 : since <= 5000 ? 300 * 64 : 75 * 64, 64, 5000);
    }
    EXPECT_GT(changes, 0u);
    EXPECT_EQ(learner.learned_copybreak(), 128u);
}

// A poll can be as long as a window.
TEST(copybreak_learner, learns_from_large_polls_as_well) {
    copybreak_learner learner;
    for (int i = 0; i != 300; ++i) {
        std::uint64_t ticks = 0;
        for (int frame = 0; frame != 4096; ++frame)
            ticks += learner.copies(200) ? 200 : 100;
        learner.learn(ticks, 4096, 0);
    }
    EXPECT_EQ(learner.learned_copybreak(), 128u);
}

// The builder in a queue, on a machine where time is what the consumer says.
struct told_clock {
    static inline nanoseconds time = 0;
    nanoseconds now() const noexcept { return time; }
};
static_assert(clock_source<told_clock>);
using told_adaptive = strategy<work_buffers, basic_adaptive_build<told_clock>>;

std::uint32_t learned_in_a_queue(std::uint64_t copy_a_byte, std::uint64_t attach) {
    random_steps random;
    receive_rig<told_adaptive> r({.packets = 100, .frame_bytes = 1514});
    std::vector<std::vector<std::byte>> frames;
    for (const std::uint32_t bytes : {48u, 96u, 192u, 384u, 768u, 1514u})
        frames.push_back(random_bytes(random, bytes));
    std::uint64_t sent = 0;
    while (sent < 500'000) {
        for (int i = 0; i != 64; ++i, ++sent)
            r.card.offer({.bytes = random.pick(frames)});
        r.card.step();
        static_cast<void>(r.queue().poll(64, [&](packet_ptr packet) noexcept {
            const bool copied = packet->headroom() != 0; // frames in these work buffers lie side by side
            told_clock::time += copied ? copy_a_byte * packet->size() : attach;
            packet.free(drop_reason::consumed);
        }));
    }
    return r.queue().builder().learner().learned_copybreak();
}
TEST(adaptive_build, learns_in_a_queue_what_its_consumer_pays) {
    EXPECT_EQ(learned_in_a_queue(1, 512), 512u);
    EXPECT_EQ(learned_in_a_queue(100, 1), never);
    EXPECT_GE(learned_in_a_queue(0, 1000), 2048u) << "the frames seen are all copied";
}

// Reading the clock is not free: it is read in duels only.
struct counting_clock {
    static inline int reads = 0;
    nanoseconds now() const noexcept { return static_cast<nanoseconds>(++reads); }
};
TEST(adaptive_build, reads_the_clock_in_duels_only) {
    const auto packets = packet_pool::create({.packets = 4});
    basic_adaptive_build<counting_clock> builder(rx_options{});
    const auto read_in_a_poll = [&] {
        const int before = counting_clock::reads;
        builder.begin_poll(100, 100);
        for (int i = 0; i != 64; ++i)
            static_cast<void>(builder.learner().copies(60));
        builder.end_poll(64, *packets);
        return counting_clock::reads - before;
    };
    int quiet = 0;
    int duelling = 0;
    for (int i = 0; i != 2000; ++i) {
        const bool measures = builder.learner().measures();
        EXPECT_EQ(read_in_a_poll(), measures ? 2 : 0);
        (measures ? duelling : quiet) += 1;
    }
    EXPECT_GT(duelling, 0);
    EXPECT_GT(quiet, duelling);
}

// Of 58 pages 16 are posted. Packets that pin the others one by one bring it to copying whatever comes.
TEST(adaptive_build, copies_whatever_the_length_while_pages_are_short) {
    random_steps random;
    receive_rig<adaptive> r({.packets = 1000, .frame_bytes = 1514, .geometry = lean_geometry});
    const auto frame = random_bytes(random, 1000);
    // Fifty frames, about a page, of which one is kept.
    const auto copied_of_next = [&] {
        const std::uint64_t before = r.queue().counters().built.copied_bytes;
        for (int i = 0; i != 50; ++i)
            r.offer(frame);
        r.step();
        std::uint32_t nth = 0;
        r.poll(64, [&](packet_ptr packet, frame_bytes bytes) noexcept {
            if (++nth == 50)
                r.hold(std::move(packet), bytes);
            else
                packet.free(drop_reason::consumed);
        });
        return r.queue().counters().built.copied_bytes - before;
    };
    EXPECT_EQ(copied_of_next(), 0u);
    std::uint32_t attached = 1;
    while (copied_of_next() == 0) {
        ++attached;
        ASSERT_LT(attached, 60u) << "it never saw that pages ran short";
    }
    EXPECT_GT(attached, 20u) << "it saw too early";
    for (int i = 0; i != 100; ++i)
        EXPECT_EQ(copied_of_next(), 50'000u);
    EXPECT_EQ(r.missed(), 0u);
    EXPECT_EQ(r.queue().drops().dropped(), 0u);
    r.free_all(random);
    EXPECT_EQ(copied_of_next(), 0u) << "pages are plenty again";
    r.free_all(random);
    r.settle();
    r.expect_nothing_held();
}

// The two marks, one page at a time.
TEST(adaptive_build, does_not_change_its_mind_with_every_page) {
    memory_block memory(4 * 2048);
    memory_block head_memory(4 * 2048);
    auto pages = page_pool::create(memory.bytes(), 2048);
    auto head_pool = page_pool::create(head_memory.bytes(), 2048);
    std::array<page_pool*, 1> classes{&*head_pool};
    auto packets = packet_pool::create({.packets = 4, .heads = classes});
    const rx_options options{};
    auto supply = hand_supply::create(*pages, options);
    basic_adaptive_build<told_clock> builder(options);
    const auto copies = [&](std::uint32_t free_pages) {
        builder.begin_poll(free_pages, 320);
        frame gathered;
        EXPECT_TRUE(supply->lay(gathered, std::vector<std::byte>(1000)));
        build_counters counters;
        packet_ptr made = builder.build(gathered, *supply, *packets, counters);
        made.free(drop_reason::consumed);
        supply->settle(gathered);
        return counters.copied_bytes != 0;
    };
    EXPECT_FALSE(copies(320));
    EXPECT_FALSE(copies(10));
    EXPECT_TRUE(copies(9)) << "less than a thirty-second";
    EXPECT_TRUE(copies(10));
    EXPECT_TRUE(copies(19));
    EXPECT_FALSE(copies(20)) << "a sixteenth again";
    EXPECT_FALSE(copies(10));
}

} // namespace
