// SPDX-License-Identifier: BSL-1.0
#include "noria/stats/softnet.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

#include "support/exported.hpp"

namespace {

using noria::row_status;
using noria::softnet_column;
using noria::softnet_row;

std::vector<softnet_row> rows_of(std::string_view text, row_status last = row_status::end) {
    noria::softnet_reader reader(text);
    std::vector<softnet_row> rows;
    softnet_row row;
    row_status status = row_status::row;
    while ((status = reader.next(row)) == row_status::row)
        rows.push_back(row);
    EXPECT_EQ(status, last) << "after " << rows.size() << " rows";
    return rows;
}

std::string printed(const std::vector<softnet_row>& rows) {
    return exported([&](std::span<char> to) { return noria::export_softnet(to, rows); });
}

TEST(Softnet, PrintsTheKernelsOwnFileBackByteForByte) {
    const std::string now = file_now("/proc/net/softnet_stat");
    if (now.empty())
        GTEST_SKIP() << "no /proc/net/softnet_stat here";
    const std::vector<softnet_row> rows = rows_of(now);
    EXPECT_FALSE(rows.empty());
    EXPECT_EQ(printed(rows), now);
}

TEST(Softnet, OurCountersFillTheKernelsRow) {
    noria::softnet_counters counted;
    counted.processed.add(0x1'0000'0012); // the file has 32 bits
    counted.dropped.add(2);
    counted.time_squeeze.add(3);
    counted.received_rps.add(0xa);
    counted.flow_limit.add(0xb);
    EXPECT_EQ(printed({noria::to_softnet_row(counted, {.cpu = 5, .input = 6, .process = 7})}),
              "00000012 00000002 00000003 00000000 00000000 00000000 00000000 00000000 00000000 "
              "0000000a 0000000b 0000000d 00000005 00000006 00000007\n");
}

// Five ages of kernels. What a row does not have is unknown; the positions never moved.
TEST(Softnet, ReadsEveryNumberOfColumns) {
    const std::string all =
        "00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008 00000009 "
        "0000000a 0000000b 0000000c 0000000d 0000000e 0000000f";
    for (const std::size_t columns : {9u, 10u, 11u, 13u, 15u}) {
        const std::string text = all.substr(0, columns * 9 - 1) + '\n';
        const auto rows = rows_of(text);
        ASSERT_EQ(rows.size(), 1u);
        const softnet_row& row = rows[0];
        EXPECT_EQ(row.columns, columns);
        EXPECT_EQ(row.of(softnet_column::processed), 1u);
        EXPECT_EQ(row.of(softnet_column::dropped), 2u);
        EXPECT_EQ(row.of(softnet_column::time_squeeze), 3u);
        EXPECT_EQ(row.knows(softnet_column::received_rps), columns >= 10);
        EXPECT_EQ(row.of(softnet_column::received_rps), columns >= 10 ? 0xau : 0);
        EXPECT_EQ(row.knows(softnet_column::flow_limit), columns >= 11);
        EXPECT_EQ(row.of(softnet_column::flow_limit), columns >= 11 ? 0xbu : 0);
        EXPECT_EQ(row.knows(softnet_column::cpu), columns >= 13);
        EXPECT_EQ(row.of(softnet_column::backlog), columns >= 13 ? 0xcu : 0);
        EXPECT_EQ(row.of(softnet_column::cpu), columns >= 13 ? 0xdu : 0);
        EXPECT_EQ(row.of(softnet_column::input), columns >= 15 ? 0xeu : 0);
        EXPECT_EQ(row.of(softnet_column::process), columns >= 15 ? 0xfu : 0);
        EXPECT_EQ(printed(rows), text);
    }
    const auto newer = rows_of(all + " 00000010 00000011\n");
    ASSERT_EQ(newer.size(), 1u);
    EXPECT_EQ(newer[0].columns, softnet_row::most_columns);
    EXPECT_EQ(newer[0].of(softnet_column::process), 0xfu);
}

TEST(Softnet, RefusesWhatIsCutOffOrNotTheFile) {
    EXPECT_TRUE(rows_of("").empty());
    const std::string good = "00000001 00000002 00000003\n";
    EXPECT_EQ(rows_of(good).size(), 1u);
    for (const char* bad : {"00000001 00000002 00000003", "00000001 00000002\n", "\n",
                            "00000001 00000002 x\n", "100000000 00000002 00000003\n", "-1 2 3\n"}) {
        SCOPED_TRACE(bad);
        EXPECT_EQ(rows_of(good + bad, row_status::malformed).size(), 1u);
    }
}

RC_GTEST_PROP(Softnet, ReadsBackWhatItPrints, ()) {
    std::vector<softnet_row> rows(*rc::gen::inRange<std::size_t>(0, 5));
    for (softnet_row& row : rows) {
        row.columns = *rc::gen::inRange<std::size_t>(3, softnet_row::most_columns + 1);
        for (std::size_t i = 0; i != row.columns; ++i)
            row.column[i] = *rc::gen::arbitrary<std::uint32_t>();
    }
    const std::string text = printed(rows);
    RC_ASSERT(rows_of(text) == rows);
}

} // namespace
