// SPDX-License-Identifier: BSL-1.0
// A receive queue whose packets, or whose device, are on another thread.
#include "noria/queue/rx_queue.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "noria/backend/replay.hpp"
#include "noria/queue/strategy.hpp"
#include "noria/stats/published.hpp"
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

// A card, a queue and a consumer that holds packets, each with its ledger, the first on a thread of its own;
// and somebody who looks meanwhile.
TEST(rx_queue, its_ledger_closes_at_every_look_and_with_that_of_the_card) {
    using strategy = per_packet_copybreak;
    using card_type = backend::loopback<strategy::supply::model>;
    using queue_type = rx_queue<card_type, strategy>;
    const rx_options options{.descriptors = 32, .packets = 24, .frame_bytes = 1514};
    auto memory = region::map({.bytes = queue_type::region_bytes(options), .best = backing::plain_pages});
    card_type card({.error = 10});
    auto queue = queue_type::create(card, *memory, options);
    ASSERT_TRUE(queue);
    published<loss_ledger> of_card, of_queue, of_consumer;
    const std::uint64_t frames = random_steps::count(20'000, 2'000);
    std::atomic<bool> sent{false};

    std::thread wire([&] {
        const std::vector<std::byte> frame(300);
        for (std::uint64_t i = 0; i != frames; ++i) {
            static_cast<void>(card.offer({.bytes = frame}));
            loss_ledger ledger; // what the card has is counted as delivered: it may be, any moment
            ledger.offered = card.offered();
            ledger.drop(drop_reason::rx_missed, card.missed());
            ledger.delivered = ledger.offered - ledger.dropped();
            of_card.publish(ledger);
            if (i % 1024 > 600) // before that, its FIFO overflows
                card.step();
            if (i % 16 == 0)
                std::this_thread::yield();
        }
        while (card.fifo_waiting() != 0) {
            card.step();
            std::this_thread::yield();
        }
        sent.store(true, std::memory_order_release); // for the last look at the ring
    });
    std::thread host([&] {
        loss_ledger consumer;
        std::deque<packet_ptr> held;
        for (bool last = false; !last || !held.empty();) {
            last = sent.load(std::memory_order_acquire);
            const std::uint32_t done = queue->poll(8, [&](packet_ptr packet) noexcept {
                const loss_ledger now = queue->ledger();
                EXPECT_TRUE(now.closes()) << "in the consumer: off by " << now.discrepancy();
                ++consumer.offered;
                held.push_back(std::move(packet));
            });
            last = last && done == 0;
            for (; held.size() > (last ? 0u : 20u); held.pop_front()) {
                held.front().free(drop_reason::consumed);
                ++consumer.delivered;
            }
            consumer.held = held.size();
            of_queue.publish(queue->ledger());
            of_consumer.publish(consumer);
        }
    });
    loss_ledger all;
    std::uint64_t looks = 0;
    do {
        loss_ledger by_consumer, by_queue, by_card;
        while (!of_consumer.try_read(by_consumer)) {
        }
        while (!of_queue.try_read(by_queue)) {
        }
        while (!of_card.try_read(by_card)) {
        }
        EXPECT_TRUE(by_queue.closes()) << "off by " << by_queue.discrepancy();
        all = joined(by_card, joined(by_queue, by_consumer));
        EXPECT_TRUE(all.closes()) << "off by " << all.discrepancy() << " after " << looks << " looks";
        ++looks;
    } while (!testing::Test::HasFailure() && (all.offered != frames || all.held != 0));
    wire.join();
    host.join();
    EXPECT_EQ(all.delivered + all.dropped(), frames);
    EXPECT_GT(all.dropped(drop_reason::rx_missed), 0u);
    EXPECT_GT(all.dropped(drop_reason::device_error), 0u);
}

} // namespace
