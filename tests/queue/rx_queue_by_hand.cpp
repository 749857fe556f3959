// SPDX-License-Identifier: BSL-1.0
// A receive queue on a device that reports what the test says, one completion at a time: what random traffic
// meets too seldom to tell.
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "noria/packet/coalesce.hpp"
#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"
#include "support/devices.hpp"
#include "support/every_strategy.hpp"

namespace {

using namespace noria;

// The queue, its device, and a consumer that keeps what it gets. The first poll has posted buffers.
template <class Strategy>
struct hand_fed {
    using device_type = scripted_device<Strategy::supply::model>;
    using queue_type = rx_queue<device_type, Strategy>;

    explicit hand_fed(const rx_options& options)
        : memory(memory_for(queue_type::region_bytes(options))),
          queue(queue_type::create(device, *memory, options)) {
        poll();
    }

    std::uint32_t poll(std::uint32_t budget = 64) {
        return queue->poll(budget, [&](packet_ptr packet) noexcept { held.push_back(std::move(packet)); });
    }
    // What was posted as the n-th of all comes back filled.
    void report(std::size_t n, completion says) {
        says.id = device.posted.at(n).id;
        device.reports.push_back(says);
    }

    device_type device;
    result<region> memory;
    result<queue_type> queue;
    std::vector<packet_ptr> held; // behind the queue, so that it goes first
};

// The second frame found no packet, and waits: what its completion said waits with it.
TEST(rx_queue_by_hand, a_frame_that_waited_has_the_label_of_its_own_completion) {
    hand_fed<build_around> q({.descriptors = 8, .packets = 1, .frame_bytes = 1514});
    for (std::uint32_t i = 0; i != 3; ++i)
        q.report(i, {.length = 60,
                     .hash = 100 + i,
                     .vlan = static_cast<std::uint16_t>(7 + i),
                     .flags = completion::end_of_packet | (i == 1 ? completion::checksum_ok : 0u)});
    for (std::uint32_t i = 0; i != 3; ++i) {
        q.poll();
        ASSERT_EQ(q.held.size(), 1u);
        EXPECT_EQ(q.queue->holds_back(), i != 2);
        EXPECT_EQ(q.held[0]->info().hash, 100 + i);
        EXPECT_EQ(q.held[0]->info().vlan, 7 + i);
        EXPECT_EQ(q.held[0]->info().checksum_state == checksum_state::unnecessary, i == 1);
        q.held.clear();
    }
    EXPECT_EQ(q.queue->counters().refused, 0u) << "a completion was looked at twice";
    EXPECT_EQ(q.queue->counters().frames, 3u);
}

// Whatever else it says: strides that a filler uses up are no frame.
TEST(rx_queue_by_hand, a_filler_is_none_that_ends_a_packet) {
    hand_fed<stride_around> q({.descriptors = 8, .packets = 8, .frame_bytes = 1514});
    q.report(0, {.length = 60, .strides = 2, .flags = completion::filler | completion::end_of_packet});
    q.report(0, {.offset = 512, .length = 60, .strides = 1, .flags = completion::end_of_packet});
    q.report(0, {.offset = 768, .strides = 3, .flags = completion::filler | completion::error});
    EXPECT_EQ(q.poll(), 3u);
    EXPECT_EQ(q.held.size(), 1u);
    EXPECT_EQ(q.queue->counters().fillers, 2u);
    EXPECT_EQ(q.queue->counters().filler_strides, 5u);
    EXPECT_EQ(q.queue->counters().frames, 1u);
    EXPECT_EQ(q.queue->counters().wqe_err, 1u) << "one of a filler counts too";
    EXPECT_EQ(q.queue->drops().dropped(), 0u) << "and costs no frame";
}

// A frame with an error is none, though it lies whole in one buffer.
TEST(rx_queue_by_hand, a_whole_frame_with_an_error_is_dropped) {
    hand_fed<build_around> q({.descriptors = 8, .packets = 8, .frame_bytes = 1514});
    q.report(0, {.length = 60, .flags = completion::error | completion::end_of_packet});
    EXPECT_EQ(q.poll(), 1u);
    EXPECT_TRUE(q.held.empty());
    EXPECT_EQ(q.queue->counters().wqe_err, 1u);
    EXPECT_EQ(q.queue->counters().frames, 1u);
    EXPECT_EQ(q.queue->drops().of(drop_reason::device_error), 1u);
}

// Packets keep all pages but those that are posted, though there are packets to be had: four frames in one.
template <class Strategy>
void use_up_pages(hand_fed<Strategy>& q) {
    for (std::size_t i = 0; i != 4; ++i) {
        q.report(i, {.length = 1514, .flags = completion::end_of_packet}); // no room for the next one's bytes
        q.poll();
        if (q.held.size() == 2) {
            ASSERT_TRUE(try_coalesce(*q.held[0], q.held[1]));
            q.held.pop_back();
        }
    }
    q.poll();
    ASSERT_EQ(q.held.size(), 1u);
    ASSERT_EQ(q.device.posted.size(), 8u);
}
constexpr rx_options few{.descriptors = 4, .packets = 4, .frame_bytes = 1514};

// Each frame that comes would leave a hole, one of no bytes as well. It is dropped, and its buffer goes back.
TEST(rx_queue_by_hand, a_frame_of_no_bytes_leaves_no_hole_either) {
    hand_fed<strategy<fresh_buffers, wrap, shortage::drop_and_recycle>> q(few);
    use_up_pages(q);
    std::size_t next = 4;
    for (const std::uint32_t bytes : {60u, 0u}) {
        q.report(next++, {.length = bytes, .flags = completion::end_of_packet});
        q.poll();
        q.poll();
        EXPECT_EQ(q.held.size(), 1u);
        EXPECT_EQ(q.queue->counters().holes, 0u) << bytes;
        EXPECT_EQ(q.device.posted.size(), next + 4) << bytes;
    }
    EXPECT_EQ(q.queue->drops().of(drop_reason::no_memory), 2u);
}

// One that is copied leaves none, and so it is delivered as long as there is a head for it.
TEST(rx_queue_by_hand, a_frame_that_is_copied_wants_no_page) {
    hand_fed<strategy<fresh_buffers, copy_short, shortage::drop_and_recycle>> q(few);
    use_up_pages(q);
    std::size_t next = 4;
    for (const std::uint32_t bytes : {60u, 256u, 257u}) {
        const std::size_t held = q.held.size();
        q.report(next++, {.length = bytes, .flags = completion::end_of_packet});
        q.poll();
        q.poll();
        EXPECT_EQ(q.held.size(), held + (bytes <= 256)) << bytes;
        EXPECT_EQ(q.device.posted.size(), next + 4) << bytes;
    }
    EXPECT_EQ(q.queue->counters().holes, 0u);
    EXPECT_EQ(q.queue->drops().of(drop_reason::no_memory), 1u) << "the last one";
    EXPECT_EQ(q.queue->packets_out(), 3u);
}

// A poll that builds nothing, since a frame waits, says `budget` all the same: that is no work to learn from.
TEST(rx_queue_by_hand, polls_that_end_before_a_frame_teach_nothing) {
    hand_fed<strategy<fresh_buffers, adaptive_build, shortage::leave_in_ring>> q(
        {.descriptors = 8, .packets = 2, .frame_bytes = 1514});
    for (std::size_t i = 0; i != 3; ++i)
        q.report(i, {.length = 60, .flags = completion::end_of_packet});
    for (int i = 0; i != 1000; ++i)
        EXPECT_EQ(q.poll(), 64u);
    EXPECT_EQ(q.held.size(), 2u);
    EXPECT_FALSE(q.queue->builder().learner().measures()) << "of three frames nothing was learned";
}

// A builder that only wants to know how much a poll has worked off.
struct told_builder : wrap {
    using wrap::wrap;
    void end_poll(std::uint32_t done) noexcept { polls.push_back(done); }
    std::vector<std::uint32_t> polls;
};
TEST(rx_queue_by_hand, a_builder_may_be_told_of_each_poll) {
    hand_fed<strategy<half_pages, told_builder>> q({.descriptors = 8, .packets = 2, .frame_bytes = 1514});
    for (std::size_t i = 0; i != 4; ++i)
        q.report(i, {.length = 60, .flags = completion::end_of_packet});
    q.poll(2);
    q.poll(); // finds no packet: nothing of it is told
    q.held.clear();
    q.poll();
    EXPECT_EQ(q.queue->builder().polls, (std::vector<std::uint32_t>{0, 2, 2}));
}

} // namespace
