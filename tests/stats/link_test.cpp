// SPDX-License-Identifier: BSL-1.0
#include "noria/stats/link.hpp"

#include <gtest/gtest.h>

namespace {

TEST(LinkCounters, MissedAndDroppedAreTwoThings) {
    noria::link_counters link;
    link.rx_packets.add(10);
    link.rx_bytes.add(640);
    link.rx_dropped.add(2);
    link.rx_missed.add(3);
    EXPECT_EQ(link.rx_packets.value(), 10u) << "dropped later, yet received";
    EXPECT_EQ(link.rx_bytes.value(), 640u);
    EXPECT_EQ(link.rx_dropped.value(), 2u);
    EXPECT_EQ(link.rx_missed.value(), 3u);
    EXPECT_EQ(link.rx_errors.value(), 0u);
    EXPECT_EQ(link.tx_packets.value(), 0u);
}

} // namespace
