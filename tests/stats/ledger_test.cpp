// SPDX-License-Identifier: BSL-1.0
#include "noria/stats/ledger.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <thread>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

#include "noria/ring/spsc_ring.hpp"
#include "noria/stats/published.hpp"
#include "support/random.hpp"

namespace {

using noria::drop_reason;

TEST(LossLedger, EmptyCloses) {
    noria::loss_ledger ledger;
    EXPECT_TRUE(ledger.closes());
}

TEST(LossLedger, SaysWhichWayItIsOff) {
    noria::loss_ledger ledger;
    ledger.offered = 10;
    ledger.delivered = 6;
    ledger.held = 1;
    ledger.drop(drop_reason::no_memory);
    EXPECT_FALSE(ledger.closes());
    EXPECT_EQ(ledger.discrepancy(), 2) << "two packets vanished";
    ledger.drop(drop_reason::full_ring, 2);
    EXPECT_TRUE(ledger.closes());
    ledger.delivered += 3;
    EXPECT_EQ(ledger.discrepancy(), -3) << "three were counted twice";
}

TEST(LossLedger, TakesOverDropsOfSeveralPartiesButNotWhatTheyConsumed) {
    noria::drop_histogram device;
    noria::drop_histogram host;
    device.count(drop_reason::rx_missed, 3);
    host.count(drop_reason::filter, 2);
    host.count(drop_reason::consumed, 100);
    host.count(noria::user_drop_reason(4, 4), 5);
    noria::loss_ledger ledger;
    ledger.add_drops(device);
    ledger.add_drops(host);
    EXPECT_EQ(ledger.dropped(drop_reason::rx_missed), 3u);
    EXPECT_EQ(ledger.dropped(drop_reason::filter), 2u);
    EXPECT_EQ(ledger.dropped(noria::user_drop_reason(1, 0)), 5u);
    EXPECT_EQ(ledger.dropped(), 10u);
}

#if NORIA_CONTRACT == 2
TEST(LossLedgerDeathTest, ConsumedIsNoDrop) {
    noria::loss_ledger ledger;
    EXPECT_DEATH(ledger.drop(drop_reason::consumed), "delivered");
}
#endif

// A queue that loses packets at random: whatever happens, each packet ends in exactly one place.
RC_GTEST_PROP(LossLedger, ClosesAfterAnyHistoryOfAQueue, ()) {
    const auto events = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 5));
    std::deque<int> queue;
    noria::drop_histogram drops;
    noria::loss_ledger ledger;
    for (const int event : events) {
        if (event <= 1) {
            ++ledger.offered;
            if (queue.size() == 4)
                drops.count(drop_reason::full_ring);
            else
                queue.push_back(event);
        } else if (!queue.empty()) {
            queue.pop_front();
            if (event == 2)
                drops.count(drop_reason::filter);
            else
                ++ledger.delivered;
        }
    }
    ledger.held = queue.size();
    ledger.add_drops(drops);
    RC_ASSERT(ledger.closes());
    ++ledger.offered;
    RC_ASSERT(ledger.discrepancy() == 1);
}

TEST(LossLedger, PartiesInARowAreJoined) {
    noria::loss_ledger device;
    device.offered = 100;
    device.delivered = 90;
    device.held = 3;
    device.drop(drop_reason::rx_missed, 7);
    noria::loss_ledger host;
    host.offered = 85;
    host.delivered = 70;
    host.held = 4;
    host.drop(drop_reason::filter, 10);
    host.drop(drop_reason::rx_missed, 1);
    ASSERT_TRUE(device.closes() && host.closes());

    const noria::loss_ledger both = joined(device, host);
    EXPECT_TRUE(both.closes());
    EXPECT_EQ(both.offered, 100u);
    EXPECT_EQ(both.delivered, 70u);
    EXPECT_EQ(both.held, 3u + 4 + 5) << "five are between the two";
    EXPECT_EQ(both.dropped(drop_reason::rx_missed), 8u);
    EXPECT_EQ(both.dropped(drop_reason::filter), 10u);

    host.offered += 8;
    host.delivered += 8;
    EXPECT_EQ(joined(device, host).discrepancy(), -3) << "three came out of nowhere";
}

// A card, a host, and somebody who looks while both work. The ledgers close at every look, not just at rest.
TEST(LossLedger, ClosesAtEveryMomentASnapshotIsTaken) {
    const std::uint64_t frames = random_steps::count(30'000, 5'000);
    noria::spsc_ring<std::uint64_t, {.capacity = 16}> ring;
    auto roles = ring.split();
    noria::published<noria::loss_ledger> of_card, of_host;
    std::atomic<bool> sent{false};

    std::thread card([&] {
        noria::loss_ledger ledger;
        for (std::uint64_t i = 0; i != frames; ++i) {
            ++ledger.offered;
            ++ledger.delivered;
            of_card.publish(ledger); // before the frame is handed over: see published
            if (!roles.producer.try_push(i)) {
                --ledger.delivered;
                ledger.drop(drop_reason::rx_missed);
                of_card.publish(ledger);
            }
            if (i % 64 == 0)
                std::this_thread::yield(); // let the host empty the ring, where cores are few
        }
        sent.store(true, std::memory_order_release); // for the host's last look
    });
    std::thread host([&] {
        noria::loss_ledger ledger;
        std::deque<std::uint64_t> held;
        for (bool last = false; !last || !held.empty();) {
            last = sent.load(std::memory_order_acquire); // before the ring is found empty
            std::uint64_t frame = 0;
            for (int budget = 8; budget != 0 && roles.consumer.try_pop(frame); --budget) {
                ++ledger.offered;
                last = false;
                if (frame % 5 == 0)
                    ledger.drop(drop_reason::filter);
                else
                    held.push_back(frame);
            }
            for (; held.size() > (last ? 0u : 6u); held.pop_front())
                ++ledger.delivered;
            ledger.held = held.size();
            of_host.publish(ledger);
        }
    });

    std::uint64_t looks = 0;
    noria::loss_ledger both;
    do {
        noria::loss_ledger by_host, by_card;
        while (!of_host.try_read(by_host)) {
        }
        std::this_thread::yield(); // frames move on meanwhile: read the other way round, the ledger is off
        while (!of_card.try_read(by_card)) {
        }
        both = joined(by_card, by_host);
        EXPECT_TRUE(by_card.closes());
        EXPECT_TRUE(by_host.closes());
        EXPECT_TRUE(both.closes()) << "off by " << both.discrepancy() << " after " << looks << " looks";
        ++looks;
    } while (!HasFailure() && (both.offered != frames || both.held != 0));
    card.join();
    host.join();
    EXPECT_EQ(both.delivered + both.dropped(), frames);
}

} // namespace
