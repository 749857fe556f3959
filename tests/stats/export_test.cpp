// SPDX-License-Identifier: BSL-1.0
#include "noria/stats/export.hpp"

#include <cstdint>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

using noria::drop_reason;

std::string exported(std::span<const noria::exported_queue> queues) {
    std::vector<char> text(noria::export_prometheus({}, queues));
    EXPECT_EQ(noria::export_prometheus(text, queues), text.size());
    return {text.begin(), text.end()};
}

struct queue_counts {
    noria::link_counters link;
    noria::drop_histogram drops;
};

TEST(ExportPrometheus, WritesEveryCounterOfEveryQueue) {
    queue_counts first;
    queue_counts second;
    first.link.rx_packets.add(7);
    second.link.rx_packets.add(std::numeric_limits<std::uint64_t>::max());
    second.link.tx_dropped.add(1);
    first.drops.count(drop_reason::consumed, 99);
    first.drops.count(drop_reason::no_memory, 4);
    second.drops.count(noria::user_drop_reason(1, 2), 5);
    const noria::exported_queue queues[] = {{"rx0", &first.link, &first.drops},
                                            {"rx1", &second.link, &second.drops}};
    const std::string text = exported(queues);

    EXPECT_NE(text.find("# TYPE noria_rx_packets_total counter\n"
                        "noria_rx_packets_total{queue=\"rx0\"} 7\n"
                        "noria_rx_packets_total{queue=\"rx1\"} 18446744073709551615\n"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("noria_tx_dropped_total{queue=\"rx1\"} 1\n"), std::string::npos);
    EXPECT_NE(text.find("noria_drops_total{queue=\"rx0\",reason=\"no_memory\"} 4\n"
                        "noria_drops_total{queue=\"rx1\",reason=\"user\"} 5\n"),
              std::string::npos);
    EXPECT_EQ(text.find("consumed"), std::string::npos);
    EXPECT_EQ(text.back(), '\n');
}

TEST(ExportPrometheus, NoLinkCounterIsForgotten) {
    EXPECT_EQ(std::size(noria::detail::link_metrics) * sizeof(noria::counter), sizeof(noria::link_counters));
}

// The format asks for one TYPE line a metric, before its samples, and all its samples in one group.
TEST(ExportPrometheus, SamplesFollowTheirTypeLine) {
    queue_counts counts;
    counts.drops.count(drop_reason::full_ring);
    const noria::exported_queue queues[] = {{"a", &counts.link, &counts.drops},
                                            {"b", &counts.link, &counts.drops}};
    std::istringstream lines(exported(queues));
    std::set<std::string> seen;
    std::string metric;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("# TYPE ")) {
            metric = line.substr(7, line.find(' ', 7) - 7);
            EXPECT_TRUE(seen.insert(metric).second) << metric;
        } else {
            EXPECT_TRUE(line.starts_with(metric + "{")) << line;
        }
    }
    EXPECT_EQ(seen.size(), std::size(noria::detail::link_metrics) + 1);
}

TEST(ExportPrometheus, EscapesLabels) {
    queue_counts counts;
    const noria::exported_queue queues[] = {{"a\"b\\c\nd", &counts.link, &counts.drops}};
    EXPECT_NE(exported(queues).find("{queue=\"a\\\"b\\\\c\\nd\"} 0\n"), std::string::npos);
}

TEST(ExportPrometheus, FillsWhatFitsAndNeverMore) {
    queue_counts counts;
    const noria::exported_queue queues[] = {{"rx0", &counts.link, &counts.drops}};
    const std::string whole = exported(queues);
    for (std::size_t room = 0; room <= whole.size(); ++room) {
        std::string text(whole.size() + 1, '#');
        EXPECT_EQ(noria::export_prometheus(std::span(text).first(room), queues), whole.size());
        EXPECT_EQ(text.substr(0, room), whole.substr(0, room));
        EXPECT_EQ(text.substr(room), std::string(text.size() - room, '#'));
    }
}

} // namespace
