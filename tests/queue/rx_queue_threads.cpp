// SPDX-License-Identifier: BSL-1.0
// A receive queue whose packets, or whose device, are on another thread.
#include "noria/queue/rx_queue.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "noria/backend/replay.hpp"
#include "support/every_strategy.hpp"
#include "support/random.hpp"
#include "support/receive.hpp"

namespace {

using namespace noria;

template <class Strategy>
class rx_queue_threads : public testing::Test {
  protected:
    using rig_type = receive_rig<Strategy>;

    random_steps random;
};
TYPED_TEST_SUITE(rx_queue_threads, all_strategies, strategy_name);

// Packets cross to another thread and are freed there, while this one goes on receiving.
TYPED_TEST(rx_queue_threads, packets_may_be_freed_by_another_thread) {
    for (const receive_geometry& geometry : geometries) {
        const traffic frames(this->random, 9018);
        typename TestFixture::rig_type r(options_for(9018, 300, geometry));
        std::mutex between;
        std::vector<typename TestFixture::rig_type::held_packet> handed_over;
        std::atomic<bool> done = false;
        std::atomic<std::uint32_t> out = 0;
        std::thread other([&] {
            std::vector<typename TestFixture::rig_type::held_packet> mine;
            for (bool last = false; !last;) {
                last = done.load(std::memory_order_acquire);
                {
                    const std::scoped_lock lock(between);
                    mine.swap(handed_over);
                }
                for (auto& [packet, bytes] : mine) {
                    EXPECT_TRUE(holds(*packet, bytes));
                    packet.free(drop_reason::consumed);
                    out.fetch_sub(1, std::memory_order_relaxed);
                }
                mine.clear();
                std::this_thread::yield();
            }
        });
        for (std::uint64_t i = 0; i != random_steps::count(200); ++i) {
            for (int n = 0; n != 40; ++n)
                r.offer(frames.any(this->random));
            r.step();
            r.poll(64, [&](packet_ptr packet, frame_bytes bytes) noexcept {
                if (out.load(std::memory_order_relaxed) == 200) {
                    packet.free(drop_reason::consumed);
                    return;
                }
                out.fetch_add(1, std::memory_order_relaxed);
                const std::scoped_lock lock(between);
                handed_over.push_back({std::move(packet), bytes});
            });
        }
        done.store(true, std::memory_order_release);
        other.join();
        r.settle();
        r.expect_nothing_held();
        EXPECT_EQ(r.queue().drops().dropped(), 0u);
    }
}

// The device runs by itself, as hardware does; the two meet only in their rings.
TYPED_TEST(rx_queue_threads, the_device_may_run_on_its_own_thread) {
    for (const receive_geometry& geometry : geometries) {
        using strategy = TypeParam;
        using card_type = backend::replay<strategy::supply::model>;
        using queue_type = rx_queue<card_type, strategy>;
        const traffic frames(this->random, 1514);
        std::vector<backend::wire_frame> sent(50);
        for (backend::wire_frame& each : sent)
            each.bytes = frames.any(this->random);
        const auto card = std::make_unique<card_type>(sent);
        const rx_options options = options_for(1514, 300, geometry);
        auto memory = memory_for(queue_type::region_bytes(options));
        ASSERT_TRUE(memory);
        auto queue = queue_type::create(*card, *memory, options);
        ASSERT_TRUE(queue) << queue.error().advice;

        const std::uint64_t enough = random_steps::count(20'000);
        std::thread device([&] {
            for (std::uint64_t moved = 0; moved < enough;) {
                const std::uint32_t now = card->step(32);
                moved += now;
                if (now == 0)
                    std::this_thread::yield();
            }
        });
        std::uint64_t delivered = 0;
        while (delivered < enough) {
            const std::uint32_t done = queue->poll(64, [&](packet_ptr packet) noexcept {
                if (!this->HasFailure()) {
                    EXPECT_TRUE(holds(*packet, sent[delivered % sent.size()].bytes)) << "frame " << delivered;
                }
                ++delivered;
                packet.free(drop_reason::consumed);
            });
            if (done == 0)
                std::this_thread::yield();
        }
        device.join();
        while (queue->poll(64, [&](packet_ptr packet) noexcept {
            ++delivered;
            packet.free(drop_reason::consumed);
        }) != 0) {
        }
        EXPECT_EQ(card->card().missed(), 0u) << "replay.step puts no more on the wire than there is room for";
        EXPECT_EQ(card->card().offered(), delivered + card->card().fifo_waiting());
        EXPECT_EQ(queue->counters().delivered, delivered);
        EXPECT_EQ(queue->counters().refused, 0u);
        static_cast<void>(queue->poll(1, [](packet_ptr) noexcept {})); // posts what was used up last
        EXPECT_EQ(queue->packets_out(), 0u);
        EXPECT_EQ(queue->pinned_bytes(), 0u);
    }
}

} // namespace
