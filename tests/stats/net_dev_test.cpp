// SPDX-License-Identifier: BSL-1.0
#include "noria/stats/net_dev.hpp"

#include <cstdint>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

#include "support/exported.hpp"

namespace {

using noria::net_dev_column;
using noria::net_dev_row;
using noria::row_status;

constexpr std::string_view headings =
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls "
    "carrier compressed\n";

std::vector<net_dev_row> rows_of(std::string_view text, row_status last = row_status::end) {
    noria::net_dev_reader reader(text);
    std::vector<net_dev_row> rows;
    net_dev_row row;
    row_status status = row_status::row;
    while ((status = reader.next(row)) == row_status::row)
        rows.push_back(row);
    EXPECT_EQ(status, last) << "after " << rows.size() << " rows";
    return rows;
}

std::string printed(const std::vector<net_dev_row>& rows) {
    return exported([&](std::span<char> to) { return noria::export_net_dev(to, rows); });
}

TEST(NetDev, PrintsTheKernelsOwnFileBackByteForByte) {
    const std::string now = file_now("/proc/net/dev");
    if (now.empty())
        GTEST_SKIP() << "no /proc/net/dev here";
    const std::vector<net_dev_row> rows = rows_of(now);
    EXPECT_FALSE(rows.empty());
    EXPECT_EQ(printed(rows), now);
}

// Names as long as they get, numbers as wide as they get: the columns give way, and nothing is cut off.
TEST(NetDev, PrintsWideFilesBackByteForByte) {
    const std::string wide =
        std::string(headings) +
        "    lo:   13312     116    0    0    0     0          0         0    13312     116    0    0    0   "
        "  0 "
        "      0          0\n"
        "enp129s0f1np1v12: 18446744073709551615 18446744073709551615 18446744073709551615 "
        "18446744073709551615 18446744073709551615 18446744073709551615 18446744073709551615 "
        "18446744073709551615 18446744073709551615 18446744073709551615 18446744073709551615 "
        "18446744073709551615 18446744073709551615 18446744073709551615 18446744073709551615 "
        "18446744073709551615\n"
        "eth0:1: 1123473525   35767    1    2    3     4          5         6  1713015   22800    7    8    "
        "9    "
        "10      11         12\n";
    const std::vector<net_dev_row> rows = rows_of(wide);
    ASSERT_EQ(rows.size(), 3u);
    EXPECT_EQ(rows[1].name, "enp129s0f1np1v12");
    EXPECT_EQ(rows[1].of(net_dev_column::tx_compressed), std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(rows[2].name, "eth0:1");
    EXPECT_EQ(rows[2].of(net_dev_column::rx_multicast), 6u);
    EXPECT_EQ(printed(rows), wide);
}

// Linux 2.4 and earlier put no blank behind the colon.
TEST(NetDev, ReadsNumbersThatTouchTheColon) {
    const std::string old = std::string(headings) + "  eth0:4294967295 7 0 0 0 0 0 0 123 4 0 0 0 0 0 0\n"
                                                    " dummy: No statistics available.\n";
    const auto rows = rows_of(old);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].of(net_dev_column::rx_bytes), 4294967295u);
    EXPECT_EQ(rows[0].of(net_dev_column::tx_packets), 4u);
    EXPECT_EQ(rows[1].name, "dummy");
    EXPECT_FALSE(rows[1].knows(net_dev_column::rx_packets));
}

// Linux 2.0 had no byte counts, and other columns besides: the headings say what a number is.
TEST(NetDev, ReadsAnOldFileByItsHeadings) {
    const auto rows = rows_of("Inter-|   Receive                  |  Transmit\n"
                              " face |packets errs drop fifo frame|packets errs drop fifo colls carrier\n"
                              "    lo:    116    0    0    0    0      116    0    0    0     0    0\n"
                              "  eth0:  35767    1    2    3    4    22800    5    6    7     8    9\n");
    ASSERT_EQ(rows.size(), 2u);
    const net_dev_row& eth = rows[1];
    EXPECT_FALSE(eth.knows(net_dev_column::rx_bytes));
    EXPECT_FALSE(eth.knows(net_dev_column::tx_compressed));
    EXPECT_EQ(eth.of(net_dev_column::rx_bytes), 0u);
    EXPECT_EQ(eth.of(net_dev_column::rx_packets), 35767u);
    EXPECT_EQ(eth.of(net_dev_column::rx_frame), 4u);
    EXPECT_EQ(eth.of(net_dev_column::tx_packets), 22800u);
    EXPECT_TRUE(eth.knows(net_dev_column::tx_carrier));
    EXPECT_EQ(eth.of(net_dev_column::tx_carrier), 9u);
}

TEST(NetDev, ReadsOverAColumnItDoesNotKnow) {
    const auto rows =
        rows_of("Inter-| Receive | Transmit\n face |bytes novel packets|bytes\n eth0: 1 2 3 4\n");
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].of(net_dev_column::rx_bytes), 1u);
    EXPECT_EQ(rows[0].of(net_dev_column::rx_packets), 3u);
    EXPECT_EQ(rows[0].of(net_dev_column::tx_bytes), 4u);
}

TEST(NetDev, RefusesWhatIsCutOffOrNotTheFile) {
    rows_of("", row_status::malformed);
    rows_of("Inter-|   Receive\n", row_status::malformed);
    rows_of("a file\nof something else\n", row_status::malformed);
    const std::string good = std::string(headings) + "lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";
    EXPECT_EQ(rows_of(good).size(), 1u);
    for (const char* bad : {
             "eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",      // perhaps 160
             "eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n",       // one too few
             "eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n", // one too many
             "eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 -1\n",
             "eth0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
             "eth 0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
             ": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
             "eth0:\n",
             "\n",
         })
        EXPECT_EQ(rows_of(good + bad, row_status::malformed).size(), 1u) << bad;
}

TEST(NetDev, ARefusedRowLeavesTheRowAsItWas) {
    net_dev_row row = noria::to_net_dev_row("kept", {.rx_packets = 7});
    const net_dev_row before = row;
    const std::string text = std::string(headings) + "eth0: 1 2 x\n";
    noria::net_dev_reader reader(text);
    EXPECT_EQ(reader.next(row), row_status::malformed);
    EXPECT_EQ(row, before);
}

// Which counter goes into which column. Powers of two: a sum shows what is in it.
TEST(NetDev, SumsCountersAsTheKernelDoes) {
    noria::link_values link;
    std::uint64_t bit = 1;
    for (const auto& field : noria::link_fields<std::uint64_t>) {
        link.*field.count = bit;
        bit <<= 1;
    }
    const net_dev_row row = noria::to_net_dev_row("eth0", link);
    const std::uint64_t expected[] = {
        link.rx_bytes,
        link.rx_packets,
        link.rx_errors,
        link.rx_dropped | link.rx_missed,
        link.rx_fifo_errors,
        link.rx_length_errors | link.rx_over_errors | link.rx_crc_errors | link.rx_frame_errors,
        link.rx_compressed,
        link.rx_multicast,
        link.tx_bytes,
        link.tx_packets,
        link.tx_errors,
        link.tx_dropped,
        link.tx_fifo_errors,
        link.tx_collisions,
        link.tx_carrier_errors | link.tx_aborted_errors | link.tx_window_errors | link.tx_heartbeat_errors,
        link.tx_compressed,
    };
    for (std::size_t i = 0; i != std::size(expected); ++i)
        EXPECT_EQ(row.of(static_cast<net_dev_column>(i)), expected[i]) << i;
}

RC_GTEST_PROP(NetDev, ReadsBackWhatItPrints, ()) {
    static constexpr std::string_view names[] = {"lo", "eth0", "eth0:1", "enp129s0f1np1v12", "br-0a1b2c"};
    std::vector<net_dev_row> rows(*rc::gen::inRange<std::size_t>(0, 5));
    for (net_dev_row& row : rows) {
        row.name = *rc::gen::elementOf(std::vector<std::string_view>(std::begin(names), std::end(names)));
        for (std::size_t i = 0; i != net_dev_row::columns; ++i)
            row.set(static_cast<net_dev_column>(i),
                    *rc::gen::arbitrary<std::uint64_t>() >> *rc::gen::inRange(0, 64));
    }
    const std::string text = printed(rows);
    RC_ASSERT(rows_of(text) == rows);
}

// Whatever the bytes say: no crash, and an end.
RC_GTEST_PROP(NetDev, SurvivesAnyBytes, ()) {
    std::string text = std::string(headings) + "  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";
    for (int i = *rc::gen::inRange(1, 8); i != 0; --i)
        text[*rc::gen::inRange<std::size_t>(0, text.size())] =
            *rc::gen::elementOf(std::string(" \n:|09x\xff\0", 9));
    noria::net_dev_reader reader(text);
    net_dev_row row;
    int rows = 0;
    while (reader.next(row) == row_status::row)
        RC_ASSERT(++rows < 20);
}

} // namespace
