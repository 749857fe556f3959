// SPDX-License-Identifier: BSL-1.0
#include "noria/stats/ethtool.hpp"

#include <cstdint>
#include <map>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "support/exported.hpp"

namespace {

std::string printed(std::span<const noria::named_count> counts, noria::vocabulary words = {},
                    std::uint32_t queue = 0) {
    return exported([&](std::span<char> to) { return noria::export_ethtool(to, counts, words, queue); });
}

// As a script reads it that goes by `ethtool -S`: name, colon, number.
std::map<std::string, std::uint64_t> read(const std::string& text) {
    std::istringstream lines(text);
    std::string line;
    std::getline(lines, line);
    EXPECT_EQ(line, "NIC statistics:");
    std::map<std::string, std::uint64_t> counts;
    while (std::getline(lines, line)) {
        EXPECT_TRUE(line.starts_with("     ") && line[5] != ' ') << line;
        const std::size_t colon = line.find(": ");
        EXPECT_NE(colon, line.npos) << line;
        EXPECT_TRUE(counts.emplace(line.substr(5, colon - 5), std::stoull(line.substr(colon + 2))).second)
            << "twice: " << line;
    }
    return counts;
}

TEST(Ethtool, PrintsAsTheToolDoes) {
    const noria::named_count counts[] = {{"rx_packets", 7}, {"rx_missed", 3}, {"buff_alloc_err", 1}};
    EXPECT_EQ(printed(counts),
              "NIC statistics:\n     rx_packets: 7\n     rx_missed: 3\n     buff_alloc_err: 1\n");
    EXPECT_EQ(
        printed(counts, noria::vocabularies::ixgbe),
        "NIC statistics:\n     rx_packets: 7\n     rx_missed_errors: 3\n     alloc_rx_buff_failed: 1\n");
    EXPECT_EQ(printed(counts, noria::vocabularies::mlx5_ring, 12),
              "NIC statistics:\n     rx12_packets: 7\n     rx_missed: 3\n     rx12_buff_alloc_err: 1\n");
}

// In any vocabulary every count is there once, under one name, with its number.
TEST(Ethtool, LeavesNothingOutInAnyVocabulary) {
    noria::link_values link;
    std::uint64_t number = 100;
    for (const auto& field : noria::link_fields<std::uint64_t>)
        link.*field.count = number++;
    const auto counts = noria::named(link);
    for (const noria::vocabulary words :
         {noria::vocabulary(), noria::vocabulary(noria::vocabularies::linux_link),
          noria::vocabulary(noria::vocabularies::ixgbe), noria::vocabulary(noria::vocabularies::e1000e),
          noria::vocabulary(noria::vocabularies::mlx5), noria::vocabulary(noria::vocabularies::mlx5_ring),
          noria::vocabulary(noria::vocabularies::virtio_net), noria::vocabulary(noria::vocabularies::dpdk),
          noria::vocabulary(noria::vocabularies::af_xdp)}) {
        const auto found = read(printed(counts, words));
        EXPECT_EQ(found.size(), counts.size());
        std::uint64_t sum = 0;
        for (const auto& [name, value] : found)
            sum += value;
        EXPECT_EQ(sum, (100 + number - 1) * counts.size() / 2);
    }
    EXPECT_EQ(read(printed(counts, noria::vocabularies::virtio_net, 3)).at("rx_queue_3_drops"),
              link.rx_dropped);
}

} // namespace
