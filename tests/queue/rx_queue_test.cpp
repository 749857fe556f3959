// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/rx_queue.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "noria/backend/replay.hpp"
#include "noria/queue/strategy.hpp"
#include "support/devices.hpp"
#include "support/every_strategy.hpp"
#include "support/hostile_device.hpp"
#include "support/random.hpp"
#include "support/receive.hpp"

namespace {

using namespace noria;

template <class Strategy>
class rx_queue_with : public testing::Test {
  protected:
    using rig_type = receive_rig<Strategy>;

    random_steps random;

    // Anything at any time: bursts that overrun the card, budgets of all sizes, and a consumer that keeps up
    // to `most_held` packets and frees them in any order.
    void run(rig_type& r, const traffic& frames, std::uint64_t steps, std::uint32_t most_held) {
        for (std::uint64_t i = 0; i != steps && !this->HasFailure(); ++i) {
            const std::uint32_t burst = random.one_in(50) ? 700 : random.below(80);
            for (std::uint32_t n = 0; n != burst; ++n)
                r.offer(frames.any(random));
            r.step(random.one_in(4) ? random.below(20) : rig_type::card_type::fifo_frames);
            r.poll(random.one_in(8) ? random.below(3) : random.below(100),
                   [&](packet_ptr packet, frame_bytes bytes) noexcept {
                       if (random.one_in(3)) {
                           const std::byte* const before = packet->data();
                           if (linearize(*packet)) {
                               EXPECT_TRUE(packet->is_linear());
                           } else {
                               EXPECT_EQ(packet->data(), before);
                           }
                           EXPECT_TRUE(holds(*packet, bytes)) << "linearize changed the bytes";
                           EXPECT_GE(packet->truesize(), packet->size());
                       }
                       if (r.held.size() < most_held && random.one_in(2))
                           r.hold(std::move(packet), bytes);
                       else
                           packet.free(drop_reason::consumed);
                   });
            for (std::uint32_t n = random.below(60); n != 0 && !r.held.empty(); --n)
                r.free_one(random);
        }
        r.free_all(random);
        r.settle();
        r.expect_nothing_held();
    }
};
TYPED_TEST_SUITE(rx_queue_with, all_strategies, strategy_name);

TYPED_TEST(rx_queue_with, delivers_every_frame_once_in_order_and_unchanged) {
    for (const receive_geometry& geometry : geometries)
        for (const std::uint32_t longest : {1514u, 9018u}) {
            const traffic frames(this->random, longest);
            typename TestFixture::rig_type r(options_for(longest, 300, geometry));
            this->run(r, frames, random_steps::count(300, 300), 200);
            EXPECT_EQ(r.queue().drops().dropped(), 0u);
            EXPECT_GT(r.delivered(), 2000u);
            EXPECT_GT(r.missed(), 0u) << "no burst overran the card";
        }
}

TYPED_TEST(rx_queue_with, counts_every_fault) {
    for (const receive_geometry& geometry : geometries) {
        constexpr std::array<backend::loopback_faults, 7> faults{{{.drop = 5},
                                                                  {.truncate = 5},
                                                                  {.error = 5},
                                                                  {.late = 5},
                                                                  {.duplicate = 1},
                                                                  {.duplicate = 5, .seed = 7},
                                                                  {7, 6, 5, 9, 4, 99}}};
        for (const backend::loopback_faults& some : faults) {
            const traffic frames(this->random, 9018);
            typename TestFixture::rig_type r(options_for(9018, 300, geometry), some);
            // Ten steps are some four hundred frames: enough for one fault in twenty to occur.
            this->run(r, frames, random_steps::count(40, 10), 100);
            const std::uint64_t bad = r.queue().drops().of(drop_reason::device_error);
            EXPECT_EQ(r.queue().drops().dropped(), bad);
            EXPECT_GE(r.queue().counters().wqe_err, bad) << "one a frame, or one for each of its buffers";
            EXPECT_EQ(r.queue().counters().wqe_err != 0, some.error != 0);
            EXPECT_EQ(bad != 0, some.error != 0);
            EXPECT_EQ(r.lost() != 0, some.drop != 0);
            EXPECT_EQ(r.duplicates() != 0, some.duplicate != 0);
        }
    }
}

TYPED_TEST(rx_queue_with, the_same_seed_is_the_same_run) {
    const auto run = [&](std::uint64_t seed) {
        random_steps steps;
        const traffic frames(steps, 9018);
        typename TestFixture::rig_type r(options_for(9018), {9, 8, 7, 6, 5, seed});
        std::vector<std::uint32_t> lengths;
        for (int i = 0; i != 60; ++i) {
            for (int n = 0; n != 20; ++n)
                r.offer(frames.any(steps));
            r.step();
            r.poll(64, [&](packet_ptr packet, frame_bytes) noexcept {
                lengths.push_back(packet->size());
                packet.free(drop_reason::consumed);
            });
        }
        const receive_counters& seen = r.queue().counters();
        return std::tuple(lengths, r.lost(), seen.refused, seen.fillers, seen.bytes,
                          r.queue().drops().dropped());
    };
    const auto first = run(3);
    EXPECT_EQ(first, run(3));
    EXPECT_NE(first, run(5));
}

// The consumer keeps everything, and there are few packets. A strategy that keeps the frame loses nothing but
// what the card misses; the others drop, and say so.
TYPED_TEST(rx_queue_with, recovers_when_a_consumer_that_kept_all_packets_frees_them) {
    for (const receive_geometry& geometry : geometries) {
        constexpr bool keeps = TypeParam::on_shortage == shortage::leave_in_ring;
        const traffic frames(this->random, 1514);
        typename TestFixture::rig_type r(options_for(1514, 32, geometry));
        for (int round = 0; round != 3; ++round) {
            const std::uint64_t missed_before = r.missed();
            const auto starved = [&] { return r.missed() != missed_before; };
            for (int i = 0; i < 60 || (keeps && !starved() && i != 3000); ++i) {
                for (int n = 0; n != 20; ++n)
                    r.offer(frames.any(this->random));
                r.step();
                const std::uint32_t done = r.poll(64, [&](packet_ptr packet, frame_bytes bytes) noexcept {
                    r.hold(std::move(packet), bytes);
                });
                if (r.held.size() == 32 && r.in_ring() != 0) {
                    EXPECT_EQ(done, 64u) << "less than the budget would say that there is no more";
                }
            }
            EXPECT_EQ(r.held.size(), 32u);
            EXPECT_EQ(r.queue().packets_out(), 32u);
            EXPECT_EQ(r.queue().holds_back(), keeps);
            if (keeps) {
                EXPECT_EQ(r.queue().drops().dropped(), 0u);
                EXPECT_GT(r.queue().counters().held_back, 0u);
                EXPECT_TRUE(starved()) << "the card has no buffers and must miss frames";
            } else {
                EXPECT_EQ(r.queue().counters().held_back, 0u);
                EXPECT_EQ(r.queue().drops().dropped(), r.queue().drops().of(drop_reason::no_memory));
                EXPECT_GT(r.queue().drops().dropped(), 0u);
            }
            // One comes free, one more gets through: no more than what is there.
            if (keeps) {
                r.free_one(this->random);
                r.poll(64, [&](packet_ptr packet, frame_bytes bytes) noexcept {
                    r.hold(std::move(packet), bytes);
                });
                EXPECT_EQ(r.held.size(), 32u);
            }
            r.free_all(this->random);
            r.settle();
        }
        r.expect_nothing_held();
    }
}

TYPED_TEST(rx_queue_with, a_budget_is_never_passed) {
    using rig = typename TestFixture::rig_type;
    const traffic frames(this->random, 1514);
    rig r(options_for(1514, 32));
    for (int i = 0; i != 300; ++i) {
        for (int n = 0; n != 20; ++n)
            r.offer(frames.any(this->random));
        r.step();
        const std::uint32_t budget = this->random.below(6);
        const std::uint64_t before = r.delivered();
        const std::uint32_t done = r.poll(
            budget, [&](packet_ptr packet, frame_bytes bytes) noexcept { r.hold(std::move(packet), bytes); });
        EXPECT_LE(done, budget);
        EXPECT_LE(r.delivered() - before, budget);
        while (r.held.size() > 30)
            r.free_one(this->random);
    }
    r.free_all(this->random);
    r.settle();
    r.expect_nothing_held();
}

TYPED_TEST(rx_queue_with, drops_frames_that_are_longer_than_the_longest) {
    typename TestFixture::rig_type r(options_for(1000));
    const auto fits = random_bytes(this->random, 1000);
    const auto too_long = random_bytes(this->random, 1001);
    const auto far_too_long = random_bytes(this->random, 20'000);
    for (int i = 0; i != 100; ++i)
        for (const auto* each : {&fits, &too_long, &fits, &far_too_long}) {
            r.offer(*each);
            r.step();
            r.poll(64, [](packet_ptr packet, frame_bytes bytes) noexcept {
                EXPECT_EQ(bytes.size(), 1000u);
                packet.free(drop_reason::consumed);
            });
        }
    r.settle();
    EXPECT_EQ(r.delivered(), 200u);
    EXPECT_EQ(r.queue().drops().of(drop_reason::packet_too_big), 200u);
    EXPECT_EQ(r.queue().counters().oversize, 200u);
    EXPECT_EQ(r.queue().drops().dropped(), 200u);
}

// Destroyed with buffers posted, a frame half gathered and one that waits for a packet. The pools stop the
// program when a page or packet is missing.
TYPED_TEST(rx_queue_with, can_be_stopped_at_any_time_and_its_device_used_again) {
    for (const receive_geometry& geometry : geometries) {
        using rig = typename TestFixture::rig_type;
        using queue_type = typename rig::queue_type;
        const traffic frames(this->random, 9018);
        const auto card = std::make_unique<typename rig::card_type>();
        const rx_options options = options_for(9018, 40, geometry);
        auto memory = memory_for(queue_type::region_bytes(options));
        for (int round = 0; round != 20; ++round) {
            auto queue = queue_type::create(*card, *memory, options);
            ASSERT_TRUE(queue) << queue.error().advice;
            std::vector<packet_ptr> held;
            for (std::uint32_t i = this->random.below(20); i != 0; --i) {
                for (int n = 0; n != 10; ++n)
                    card->offer({.bytes = frames.any(this->random)});
                card->step(this->random.below(30));
                static_cast<void>(queue->poll(this->random.below(40), [&](packet_ptr packet) noexcept {
                    held.push_back(std::move(packet));
                }));
            }
            EXPECT_EQ(queue->counters().refused, 0u) << "the device still knows what the last queue posted";
            for (packet_ptr& each : held)
                each.free(drop_reason::consumed);
        }
    }
}

TYPED_TEST(rx_queue_with, believes_nothing_that_a_device_says) {
    using strategy = TypeParam;
    using device_type = hostile_device<strategy::supply::model, random_steps>;
    for (const receive_geometry& geometry : geometries)
        for (const bool never_ends : {false, true}) {
            const rx_options options = options_for(9018, 100, geometry);
            auto memory = memory_for(rx_queue<device_type, strategy>::region_bytes(options));
            ASSERT_TRUE(memory);
            const std::uint64_t enough =
                never_ends ? random_steps::count(20'000) : random_steps::count(200'000, 50'000);
            const std::uint64_t delivered =
                receive_from_hostile_device<strategy>(this->random, *memory, options, never_ends, enough);
            if (!never_ends) {
                EXPECT_GT(delivered, 100u) << "the device is too hostile to test anything";
            }
        }
}

// A device that takes three posts at a time gets them all in the end, and nothing is counted twice.
TYPED_TEST(rx_queue_with, a_device_may_take_fewer_buffers_than_it_is_offered) {
    using strategy = TypeParam;
    constexpr buffer_model model = strategy::supply::model;
    using device_type = scripted_device<model>;
    using queue_type = rx_queue<device_type, strategy>;
    const rx_options options = options_for(1514);
    auto memory = memory_for(queue_type::region_bytes(options));
    device_type device;
    device.most_a_post = 3;
    auto queue = queue_type::create(device, *memory, options);
    ASSERT_TRUE(queue);
    std::uint64_t delivered = 0;
    std::size_t reported = 0;
    const std::uint32_t each = device.setup.posts_per_work_buffer;
    const stride_geometry& strides = device.setup.strides;
    for (int i = 0; i != 2000; ++i) {
        static_cast<void>(queue->poll(64, [&](packet_ptr packet) noexcept {
            EXPECT_EQ(packet->size(), 60u);
            ++delivered;
            packet.free(drop_reason::consumed);
        }));
        for (; reported + each <= device.posted.size(); reported += each) // one frame uses all of it up
            device.reports.push_back({.id = device.posted[reported].id,
                                      .length = 60,
                                      .strides = model == buffer_model::striding ? strides.strides : 0,
                                      .flags = completion::end_of_packet});
    }
    const std::uint64_t waiting = device.reports.size();
    EXPECT_EQ(delivered, reported / each - waiting);
    EXPECT_GT(delivered, 40u);
    EXPECT_EQ(queue->counters().refused, 0u);
    if constexpr (std::is_same_v<typename strategy::supply, fresh_buffers>) {
        EXPECT_EQ(queue->dma().unmaps, delivered);
        EXPECT_LE(queue->dma().maps - 1 - queue->dma().unmaps, options.descriptors);
    }
}

// What each strategy costs, exactly: the table of the receive paths. Linux's geometry, frames of L bytes.
struct cost {
    std::uint32_t copied;     // bytes a frame
    std::uint32_t heads;      // allocated a frame
    std::uint32_t references; // a frame; a frame of strides has one more for each page edge it lies on
    std::uint32_t truesize;   // without the descriptor
};
struct dma_cost {
    std::uint32_t maps; // and as many unmaps
    bool cpu;           // a sync of L bytes
    std::uint32_t device_bytes;
};

template <class Strategy>
void expect_cost(std::uint32_t bytes, const cost& per_frame, const dma_cost& dma) {
    SCOPED_TRACE(bytes);
    random_steps random;
    receive_rig<Strategy> r({.descriptors = 64, .packets = 300, .frame_bytes = 1514});
    std::vector<std::byte> frame = random_bytes(random, bytes);
    make_udp(frame);
    std::uint64_t fragments = 0;
    bool truesize_is_right = true;
    const auto receive = [&](std::uint32_t frames) { // a multiple of the refill batch
        for (std::uint32_t i = 0; i != frames; i += refill_batch) {
            for (std::uint32_t n = 0; n != refill_batch; ++n)
                r.offer(frame);
            r.step();
            r.poll(64, [&](packet_ptr packet, frame_bytes) noexcept {
                fragments += packet->fragments().size();
                truesize_is_right &= packet->truesize() == sizeof(class packet) + per_frame.truesize;
                packet.free(drop_reason::consumed);
            });
        }
        r.poll(64, [](packet_ptr, frame_bytes) noexcept {}); // posts what was used up last
    };
    receive(128);
    fragments = 0;
    const receive_counters before = r.queue().counters();
    const dma_counters dma_before = r.queue().dma();
    constexpr std::uint32_t frames = 320;
    receive(frames);
    const receive_counters& after = r.queue().counters();
    const dma_counters& dma_after = r.queue().dma();
    ASSERT_EQ(after.delivered - before.delivered, frames);
    EXPECT_EQ(after.built.copied_bytes - before.built.copied_bytes, std::uint64_t{frames} * per_frame.copied);
    EXPECT_EQ(after.built.heads - before.built.heads, frames * per_frame.heads);
    EXPECT_EQ(after.built.descriptors - before.built.descriptors, frames);
    const std::uint64_t references = after.built.references - before.built.references;
    if constexpr (Strategy::supply::model == buffer_model::striding) {
        EXPECT_GE(references, frames * per_frame.references);
        EXPECT_LE(references, 2 * frames * per_frame.references);
    } else {
        EXPECT_EQ(references, frames * per_frame.references);
    }
    if (per_frame.heads != 0) {
        EXPECT_EQ(references, fragments);
    }
    EXPECT_TRUE(truesize_is_right);
    EXPECT_EQ(dma_after.maps - dma_before.maps, frames * dma.maps);
    EXPECT_EQ(dma_after.unmaps - dma_before.unmaps, frames * dma.maps);
    EXPECT_EQ(dma_after.syncs_for_cpu - dma_before.syncs_for_cpu, dma.cpu ? frames : 0);
    EXPECT_EQ(dma_after.bytes_for_cpu - dma_before.bytes_for_cpu,
              dma.cpu ? std::uint64_t{frames} * bytes : 0);
    EXPECT_EQ(dma_after.syncs_for_device - dma_before.syncs_for_device, dma.device_bytes != 0 ? frames : 0);
    EXPECT_EQ(dma_after.bytes_for_device - dma_before.bytes_for_device,
              std::uint64_t{frames} * dma.device_bytes);
}

// Heads: 256 bytes and what belongs around them make 640; 1514 bytes, 1920. A whole buffer is 1920, a half
// 2048, and strides are 256 each.
TEST(rx_queue, every_strategy_costs_what_its_path_says) {
    constexpr dma_cost mapped{1, false, 0}, synced{0, true, 0}, half_page{0, true, 2048};
    constexpr std::array<std::uint32_t, 4> lengths{64, 256, 257, 1514};
    for (const std::uint32_t bytes : lengths) {
        expect_cost<per_packet>(bytes, {0, 0, 1, 1920}, mapped);
        expect_cost<build_around>(bytes, {0, 0, 1, 2048}, half_page);
        expect_cost<stride_around>(bytes, {0, 0, 1, (bytes + 255) / 256 * 256}, synced);
        expect_cost<stride_copy>(bytes, {bytes, 1, 0, bytes <= 256 ? 640u : 1920u}, synced);
    }
    for (const std::uint32_t bytes : {64u, 256u}) {
        expect_cost<per_packet_copybreak>(bytes, {bytes, 1, 0, 640}, mapped);
        expect_cost<stride_attach>(bytes, {bytes, 1, 0, 640}, synced);
        expect_cost<page_attach>(bytes, {bytes, 1, 0, 640}, half_page);
        expect_cost<adaptive>(bytes, {bytes, 1, 0, 640}, synced);
    }
    for (const std::uint32_t bytes : {257u, 1514u}) {
        const std::uint32_t strides = bytes == 257 ? 512 : 1536;
        expect_cost<per_packet_copybreak>(bytes, {0, 0, 1, 1920}, mapped);
        expect_cost<stride_attach>(bytes, {256, 1, 1, 640 + strides}, synced);
        expect_cost<page_attach>(bytes, {udp_headers, 1, 1, 640 + 2048}, half_page);
        expect_cost<adaptive>(bytes, {0, 0, 1, strides}, synced); // before it has learned anything
    }
}

// One packet in a hundred is kept. Where frames are attached it pins a page each, and in the end the device
// has none: the price of big pages. Where they are copied nothing happens, and `adaptive` copies in time.
template <class Strategy>
void expect_starving(bool starves) {
    random_steps random;
    receive_rig<Strategy> r(
        {.descriptors = 64, .packets = 2000, .frame_bytes = 1514, .geometry = lean_geometry});
    const auto frame = random_bytes(random, 1000);
    for (int i = 0; i != 2000; ++i) {
        for (int n = 0; n != 50; ++n)
            r.offer(frame);
        r.step();
        std::uint32_t nth = 0;
        r.poll(64, [&](packet_ptr packet, frame_bytes bytes) noexcept {
            if (++nth == 50 && r.held.size() != 1000)
                r.hold(std::move(packet), bytes);
            else
                packet.free(drop_reason::consumed);
        });
    }
    EXPECT_EQ(r.missed() != 0, starves);
    EXPECT_EQ(r.queue().drops().dropped(), 0u);
    EXPECT_GE(r.queue().pinned_bytes(), r.held.size() * 1000);
    r.free_all(random);
    r.settle();
    r.expect_nothing_held();
    const std::uint64_t missed = r.missed();
    for (int i = 0; i != 500; ++i) {
        r.offer(frame);
        r.step();
        r.poll(64, [](packet_ptr packet, frame_bytes) noexcept { packet.free(drop_reason::consumed); });
    }
    EXPECT_EQ(r.missed(), missed) << "all is freed, and the device still has no buffers";
    EXPECT_EQ(r.in_ring(), 0u);
}
TEST(rx_queue, a_slow_consumer_starves_the_device_only_where_packets_pin_pages) {
    expect_starving<stride_attach>(true);
    expect_starving<stride_around>(true);
    expect_starving<stride_copy>(false);
    expect_starving<adaptive>(false);
}

// Any supply goes with any build, also where a frame waits in a work buffer for a packet: that buffer is not
// posted anew before the frame is out.
template <class Strategy>
void expect_waiting_frames_to_stay() {
    random_steps random;
    receive_geometry small = linux_geometry;
    small.strides = {256, 16};
    receive_rig<Strategy> r({.descriptors = 16, .packets = 8, .frame_bytes = 1514, .geometry = small});
    const traffic frames(random, 1514);
    for (int i = 0; i != 3000 && !testing::Test::HasFailure(); ++i) {
        for (int n = 0; n != 4; ++n)
            r.offer(frames.any(random));
        r.step();
        r.poll(1 + random.below(8),
               [&](packet_ptr packet, frame_bytes bytes) noexcept { r.hold(std::move(packet), bytes); });
        for (std::uint32_t n = random.below(4); n != 0 && !r.held.empty(); --n)
            r.free_one(random);
    }
    EXPECT_GT(r.queue().counters().held_back, 100u);
    EXPECT_EQ(r.queue().drops().dropped(), 0u);
    r.free_all(random);
    r.settle();
    r.expect_nothing_held();
}
TEST(rx_queue, a_waiting_frame_keeps_its_memory) {
    expect_waiting_frames_to_stay<stride_around>();
    expect_waiting_frames_to_stay<strategy<work_buffers, copy_short>>();
    expect_waiting_frames_to_stay<strategy<work_buffers, pull_headers>>();
    expect_waiting_frames_to_stay<strategy<fresh_buffers, pull_headers>>();
    expect_waiting_frames_to_stay<strategy<half_pages, copy_short>>();
}

// A frame waits for a packet. What came out of the ring before it goes back to the device all the same, so
// that it has somewhere to put what comes.
TEST(rx_queue, posts_buffers_while_a_frame_waits) {
    using device_type = scripted_device<buffer_model::per_packet>;
    using queue_type = rx_queue<device_type, build_around>;
    constexpr rx_options options{.descriptors = 8, .packets = 4, .frame_bytes = 1514};
    auto memory = memory_for(queue_type::region_bytes(options));
    device_type device;
    auto queue = queue_type::create(device, *memory, options);
    ASSERT_TRUE(queue);
    std::vector<packet_ptr> held;
    const auto hold = [&](packet_ptr packet) noexcept { held.push_back(std::move(packet)); };
    EXPECT_EQ(queue->poll(64, hold), 0u);
    ASSERT_EQ(device.posted.size(), 8u);
    for (std::size_t i = 0; i != 5; ++i)
        device.reports.push_back(
            {.id = device.posted[i].id, .length = 60, .flags = completion::end_of_packet});
    EXPECT_EQ(queue->poll(64, hold), 64u);
    EXPECT_EQ(held.size(), 4u);
    EXPECT_TRUE(queue->holds_back());
    for (const std::uint32_t budget : {0u, 64u}) {
        EXPECT_EQ(queue->poll(budget, hold), budget);
        EXPECT_TRUE(queue->holds_back());
        EXPECT_EQ(device.posted.size(), 12u) << "all but the buffer that the frame lies in";
    }
    held.pop_back();
    EXPECT_EQ(queue->poll(64, hold), 1u);
    EXPECT_EQ(held.size(), 4u);
    EXPECT_EQ(queue->counters().held_back, 2u) << "a budget of nothing is no try";
}

// The oldest page that a packet holds, whatever the supply; posted ones do not count.
template <class Strategy>
void expect_pins_to_age() {
    random_steps random;
    receive_rig<Strategy> r({.descriptors = 64, .packets = 100, .frame_bytes = 1514, .track_ages = true});
    const auto frame = random_bytes(random, 1000);
    const auto receive = [&](nanoseconds now) {
        r.queue().set_now(now);
        r.offer(frame);
        r.step();
        r.poll(64, [&](packet_ptr packet, frame_bytes bytes) noexcept { r.hold(std::move(packet), bytes); });
    };
    r.queue().set_now(1000);
    r.poll(0, [](packet_ptr, frame_bytes) noexcept {});
    EXPECT_EQ(r.queue().oldest_pin_age(), 0u) << "all are posted, and none is held";
    receive(1500);
    EXPECT_EQ(r.held.size(), 1u);
    EXPECT_EQ(r.queue().oldest_pin_age(), 500u) << "since its page was taken from the pool";
    receive(1700);
    EXPECT_EQ(r.queue().oldest_pin_age(), 700u);
    r.free_all(random);
    EXPECT_EQ(r.queue().oldest_pin_age(), 0u);
}
TEST(rx_queue, tells_how_old_the_oldest_pin_is) {
    expect_pins_to_age<per_packet>();
    expect_pins_to_age<build_around>();
    expect_pins_to_age<stride_around>();
}

TEST(rx_queue, what_the_device_found_out_reaches_the_packet) {
    using device_type = scripted_device<buffer_model::per_packet>;
    using queue_type = rx_queue<device_type, build_around>;
    constexpr rx_options options{.descriptors = 8, .packets = 8, .frame_bytes = 1514};
    auto memory = memory_for(queue_type::region_bytes(options));
    device_type device;
    auto queue = queue_type::create(device, *memory, options);
    ASSERT_TRUE(queue);
    std::vector<packet_ptr> out;
    const auto take = [&](packet_ptr packet) noexcept { out.push_back(std::move(packet)); };
    EXPECT_EQ(queue->poll(64, take), 0u);
    ASSERT_EQ(device.posted.size(), 8u);
    for (std::uint32_t i = 0; i != 3; ++i)
        device.reports.push_back({.id = device.posted[i].id,
                                  .length = 60,
                                  .hash = 0x1234'5678,
                                  .checksum = 0xbeef,
                                  .vlan = 0x2007,
                                  .flags = completion::end_of_packet |
                                           (i == 1 ? completion::checksum_ok : 0u) |
                                           (i == 2 ? completion::checksum_sum : 0u)});
    EXPECT_EQ(queue->poll(64, take), 3u);
    ASSERT_EQ(out.size(), 3u);
    for (const packet_ptr& each : out) {
        EXPECT_EQ(each->info().hash, 0x1234'5678u);
        EXPECT_EQ(each->info().vlan, 0x2007u);
        EXPECT_EQ(each->mac_header(), each->data());
        EXPECT_EQ(each->headroom(), linux_geometry.headroom);
    }
    EXPECT_EQ(out[0]->info().checksum_state, checksum_state::none);
    EXPECT_EQ(out[1]->info().checksum_state, checksum_state::unnecessary);
    EXPECT_EQ(out[2]->info().checksum_state, checksum_state::complete);
    EXPECT_EQ(out[2]->info().checksum, 0xbeefu);
    out.clear();
}

#if NORIA_CONTRACT == 2
struct boasting_device : scripted_device<buffer_model::per_packet> {
    std::uint32_t post(std::span<const buffer_post> posts) noexcept {
        return static_cast<std::uint32_t>(posts.size()) + boast;
    }
    std::uint32_t reap(std::span<completion> completions) noexcept {
        return boast != 0 ? 0 : static_cast<std::uint32_t>(completions.size()) + 1;
    }
    std::uint32_t boast = 0;
};
TEST(rx_queue_death_test, a_backend_that_counts_wrongly_is_stopped) {
    using queue_type = rx_queue<boasting_device, per_packet>;
    constexpr rx_options options{.descriptors = 8, .packets = 8};
    auto memory = memory_for(queue_type::region_bytes(options));
    boasting_device device;
    auto queue = queue_type::create(device, *memory, options);
    ASSERT_TRUE(queue);
    EXPECT_DEATH(static_cast<void>(queue->poll(8, [](packet_ptr) noexcept {})), "reap says how many");
    device.boast = 1;
    EXPECT_DEATH(static_cast<void>(queue->poll(8, [](packet_ptr) noexcept {})), "post says how many");
}
#endif

} // namespace
