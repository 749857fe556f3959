// SPDX-License-Identifier: BSL-1.0
#include "noria/stats/link.hpp"

#include <cstddef>
#include <iterator>
#include <set>
#include <string>
#include <type_traits>

#include <gtest/gtest.h>

namespace {

constexpr auto& fields = noria::link_fields<std::uint64_t>;

static_assert(std::is_same_v<noria::link_counters, noria::link_set<noria::counter>>);
static_assert(std::size(fields) * sizeof(std::uint64_t) == sizeof(noria::link_values),
              "a field of the struct is missing in the table");
static_assert(std::size(noria::link_fields<noria::counter>) == std::size(fields));

// A set in which every field has a number of its own.
noria::link_values numbered() {
    noria::link_values link;
    std::uint64_t number = 1;
    for (const auto& field : fields)
        link.*field.count = number++;
    return link;
}

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

TEST(LinkFields, TheTableIsTheStruct) {
    const noria::link_values link = numbered();
    EXPECT_EQ(link.rx_packets, 1u);
    EXPECT_EQ(link.rx_missed, 4u);
    EXPECT_EQ(link.rx_dropped, 5u);
    EXPECT_EQ(link.tx_window_errors, std::size(fields)) << "the last of the struct";
    std::set<std::string> names;
    for (const auto& field : fields) {
        EXPECT_TRUE(names.insert(field.name).second) << field.name << " names two fields";
        const std::string direction = std::string(field.name).substr(0, 3);
        EXPECT_TRUE(direction == "rx_" || direction == "tx_") << field.name;
        EXPECT_EQ(std::string(field.help).back(), '.') << field.name;
    }
}

TEST(LinkValues, AreThoseOfEveryCounter) {
    noria::link_counters live;
    std::uint64_t number = 1;
    for (const auto& field : noria::link_fields<noria::counter>)
        (live.*field.count).add(number++);
    const noria::link_values now = noria::values(live);
    const noria::link_values expected = numbered();
    for (const auto& field : fields)
        EXPECT_EQ(now.*field.count, expected.*field.count) << field.name;
}

TEST(LinkValues, QueuesAddUpToADevice) {
    noria::link_values device = numbered();
    device += numbered();
    std::uint64_t number = 1;
    for (const auto& field : fields)
        EXPECT_EQ(device.*field.count, 2 * number++) << field.name;
}

} // namespace
