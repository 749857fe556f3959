// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/shortage.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "noria/packet/coalesce.hpp"
#include "noria/queue/strategy.hpp"
#include "support/devices.hpp"
#include "support/random.hpp"
#include "support/receive.hpp"

namespace {

using namespace noria;
using testing::Types;

// [answers]
using wait_for_memory = strategy<half_pages, wrap>;                              // as ixgbe does
using drop_at_once = strategy<half_pages, wrap, shortage::drop_and_recycle>;     // the ring stays full
using let_none_in = strategy<fresh_buffers, copy_short, shortage::hole_in_ring>; // as e1000e does
// [/answers]

// What each answer gives to each supply, and each strategy's usual one.
template <class Strategy, shortage Answer>
constexpr bool answers = Strategy::on_shortage == Answer;
static_assert(answers<wait_for_memory, shortage::leave_in_ring> &&
              answers<drop_at_once, shortage::drop_and_recycle> &&
              answers<let_none_in, shortage::hole_in_ring>);
static_assert(answers<per_packet, shortage::leave_in_ring> &&
              answers<per_packet_copybreak, shortage::leave_in_ring> &&
              answers<page_attach, shortage::leave_in_ring> &&
              answers<build_around, shortage::leave_in_ring> &&
              answers<stride_around, shortage::leave_in_ring>);
static_assert(answers<stride_copy, shortage::drop_and_recycle> &&
              answers<stride_attach, shortage::drop_and_recycle> &&
              answers<adaptive, shortage::drop_and_recycle>);

TEST(shortage, has_names) {
    EXPECT_STREQ(name(shortage::leave_in_ring), "leave_in_ring");
    EXPECT_STREQ(name(shortage::drop_and_recycle), "drop_and_recycle");
    EXPECT_STREQ(name(shortage::hole_in_ring), "hole_in_ring");
    EXPECT_STREQ(name(static_cast<shortage>(9)), "?");
}

// What is counted when memory runs out. The rig holds the ledger against the card's counters and its own
// model at every poll: what is not here was delivered, or is held by the ring or the card, or was missed by
// it.
template <class Rig>
void expect_sum_of_shortages(Rig& r) {
    const receive_counters& seen = r.queue().counters();
    EXPECT_EQ(seen.buff_alloc_err,
              seen.held_back + seen.holes + r.queue().drops().of(drop_reason::no_memory));
    EXPECT_EQ(r.queue().drops().dropped(), r.queue().drops().of(drop_reason::no_memory));
}

template <class Strategy>
class shortage_of : public testing::Test {
  protected:
    using rig_type = receive_rig<Strategy>;
    static constexpr shortage answer = Strategy::on_shortage;
    static constexpr bool per_packet_device = Strategy::supply::model == buffer_model::per_packet;
    static constexpr rx_options options{.descriptors = 64, .packets = 100, .frame_bytes = 1514};

    random_steps random;
    std::vector<std::byte> frame = random_bytes(random, 1000);

    // A round of the card and the queue, whose consumer does with packets as `use` says.
    template <class Use>
    void round(rig_type& r, Use use) {
        for (int n = 0; n != 20; ++n)
            r.offer(frame);
        r.step();
        r.poll(64, use);
        expect_sum_of_shortages(r);
    }
    // Enough frames to fill packets, ring and card many times over.
    template <class Use>
    void starve(rig_type& r, Use use) {
        for (int i = 0; i < 150 || (answer != shortage::drop_and_recycle && r.missed() == 0 && i != 3000);
             ++i)
            round(r, use);
    }
    // With a consumer that frees at once nothing is short any more, and no counter moves.
    void expect_recovered(rig_type& r) {
        r.settle();
        const receive_counters before = r.queue().counters();
        const std::uint64_t missed = r.missed(), dropped = r.queue().drops().dropped();
        for (int i = 0; i != 100; ++i)
            round(r, [](packet_ptr packet, frame_bytes) noexcept { packet.free(drop_reason::consumed); });
        r.settle();
        EXPECT_EQ(r.queue().counters().delivered - before.delivered, 2000u);
        EXPECT_EQ(r.queue().counters().buff_alloc_err, before.buff_alloc_err);
        EXPECT_EQ(r.missed(), missed);
        EXPECT_EQ(r.queue().drops().dropped(), dropped);
        r.expect_nothing_held();
    }
};
using each_answer =
    Types<strategy<fresh_buffers, wrap>, strategy<fresh_buffers, wrap, shortage::drop_and_recycle>,
          let_none_in, strategy<half_pages, wrap, shortage::hole_in_ring>, drop_at_once,
          strategy<work_buffers, wrap, shortage::drop_and_recycle>, strategy<work_buffers, copy_all>,
          strategy<work_buffers, wrap>>;
struct answer_name {
    template <class Strategy>
    static std::string GetName(int n) {
        return std::to_string(n) + "_" + name(Strategy::on_shortage);
    }
};
TYPED_TEST_SUITE(shortage_of, each_answer, answer_name);

// The consumer keeps every packet, until there are no more.
TYPED_TEST(shortage_of, packets_shows_in_the_counters_of_its_answer_and_nowhere_else) {
    typename TestFixture::rig_type r(this->options);
    for (int times = 0; times != 2; ++times) {
        const receive_counters before = r.queue().counters();
        const std::uint64_t dropped_before = r.queue().drops().dropped(), missed_before = r.missed();
        this->starve(
            r, [&](packet_ptr packet, frame_bytes bytes) noexcept { r.hold(std::move(packet), bytes); });
        const receive_counters& after = r.queue().counters();
        const std::uint64_t dropped = r.queue().drops().dropped() - dropped_before;
        EXPECT_EQ(r.queue().packets_out(), 100u);
        EXPECT_EQ(after.delivered - before.delivered, 100u);
        EXPECT_EQ(r.queue().holds_back(), this->answer == shortage::leave_in_ring);
        switch (this->answer) {
        case shortage::leave_in_ring:
            EXPECT_GT(after.held_back, before.held_back);
            EXPECT_EQ(after.holes, 0u);
            EXPECT_EQ(dropped, 0u);
            EXPECT_GT(r.missed(), missed_before);
            break;
        case shortage::drop_and_recycle:
            EXPECT_EQ(after.held_back, 0u);
            EXPECT_EQ(after.holes, 0u) << "what is dropped leaves its buffer to the device";
            EXPECT_GT(dropped, 2000u);
            EXPECT_EQ(r.missed(), missed_before);
            EXPECT_EQ(r.in_ring(), 0u);
            break;
        case shortage::hole_in_ring:
            EXPECT_EQ(after.held_back, 0u);
            EXPECT_GT(after.holes, before.holes);
            EXPECT_EQ(dropped, 0u);
            EXPECT_GT(r.missed(), missed_before);
            EXPECT_EQ(r.in_ring(), 0u) << "what the device has taken is delivered";
            break;
        }
        r.free_all(this->random);
        this->expect_recovered(r);
    }
}

// Few packets keep many pages: the consumer appends one to the other, and their heads become fragments. So
// there are packets to be had, and no pages to post.
TYPED_TEST(shortage_of, pages_leaves_holes_or_costs_frames) {
    if constexpr (TestFixture::per_packet_device) {
        typename TestFixture::rig_type r(this->options);
        for (int times = 0; times != 2; ++times) {
            const receive_counters before = r.queue().counters();
            const std::uint64_t missed_before = r.missed();
            std::vector<packet_ptr> kept;
            this->starve(r, [&](packet_ptr packet, frame_bytes) noexcept {
                if (kept.empty() || !try_coalesce(*kept.back(), packet))
                    kept.push_back(std::move(packet));
            });
            EXPECT_LT(kept.size(), 100u) << "packets ran out first";
            EXPECT_EQ(r.queue().counters().held_back, before.held_back);
            EXPECT_EQ(r.in_ring(), 0u);
            if (this->answer == shortage::drop_and_recycle) {
                EXPECT_EQ(r.queue().counters().holes, 0u) << "the ring stays full";
                EXPECT_EQ(r.missed(), missed_before);
                EXPECT_GT(r.queue().drops().of(drop_reason::no_memory), 1000u);
            } else {
                EXPECT_GT(r.queue().counters().holes, before.holes);
                EXPECT_EQ(r.queue().drops().dropped(), 0u);
                EXPECT_GT(r.missed(), missed_before);
            }
            kept.clear();
            this->expect_recovered(r);
        }
    }
}

// Anything at any time, with a consumer that keeps as much as it can get.
TYPED_TEST(shortage_of, anything_comes_and_goes_and_the_ledger_closes) {
    const traffic frames(this->random, 1514);
    typename TestFixture::rig_type r(this->options);
    bool short_once = false;
    for (std::uint64_t i = random_steps::count(400, 60); i-- != 0 && !this->HasFailure();) {
        for (std::uint32_t n = this->random.below(60); n != 0; --n)
            r.offer(frames.any(this->random));
        r.step(this->random.below(100));
        const bool keep = !this->random.one_in(3);
        r.poll(this->random.below(100), [&](packet_ptr packet, frame_bytes bytes) noexcept {
            if (keep)
                r.hold(std::move(packet), bytes);
            else
                packet.free(drop_reason::consumed);
        });
        expect_sum_of_shortages(r);
        short_once |= r.queue().counters().buff_alloc_err != 0;
        const std::uint32_t freed = this->random.below(this->random.one_in(8) ? 101 : 15);
        for (std::uint32_t n = freed; n != 0 && !r.held.empty(); --n)
            r.free_one(this->random);
    }
    EXPECT_TRUE(short_once);
    r.free_all(this->random);
    this->expect_recovered(r);
}

// A consumer that clones takes packets that were put by for posted buffers: then a frame must go.
TEST(shortage, clones_may_cost_a_frame_where_packets_are_put_by) {
    receive_rig<let_none_in> r({.descriptors = 64, .packets = 100, .frame_bytes = 1514});
    random_steps random;
    const auto frame = random_bytes(random, 1000);
    std::vector<packet_ptr> clones;
    for (int i = 0; i != 30; ++i) {
        for (int n = 0; n != 20; ++n)
            r.offer(frame);
        r.step();
        r.poll(64, [&](packet_ptr packet, frame_bytes bytes) noexcept {
            while (packet_ptr twin = packet->clone())
                clones.push_back(std::move(twin));
            r.hold(std::move(packet), bytes);
        });
        expect_sum_of_shortages(r);
    }
    EXPECT_GT(r.queue().drops().of(drop_reason::no_memory), 0u);
    EXPECT_GT(r.queue().counters().holes, 0u);
    clones.clear();
    r.free_all(random);
    r.settle();
    r.expect_nothing_held();
}

} // namespace
