// SPDX-License-Identifier: BSL-1.0
#include "noria/stats/ledger.hpp"

#include <deque>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

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

} // namespace
