// SPDX-License-Identifier: BSL-1.0
#include "noria/stats/drop_reason.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

namespace {

using noria::drop_reason;

static_assert(drop_reason{} == drop_reason::not_specified, "a forgotten reason counts as a drop");
static_assert(!noria::is_user(drop_reason::queue_purge));
static_assert(noria::is_user(noria::user_drop_reason(1, 0)) &&
              noria::is_user(noria::user_drop_reason(0xffff, 7)));
static_assert(noria::user_drop_reason(2, 3) == static_cast<drop_reason>(0x0002'0003));

TEST(DropReason, EveryReasonHasASnakeCaseNameOfItsOwn) {
    std::set<std::string> names;
    for (std::uint32_t i = 0; i < noria::drop_reason_count; ++i) {
        const std::string name = noria::name(static_cast<drop_reason>(i));
        EXPECT_TRUE(names.insert(name).second) << name << " names two reasons";
        EXPECT_TRUE(std::all_of(name.begin(), name.end(), [](char c) { return c == '_' || std::islower(c); }))
            << name;
    }
    EXPECT_FALSE(names.count("user"));
    EXPECT_STREQ(noria::name(drop_reason::consumed), "consumed");
    EXPECT_STREQ(noria::name(drop_reason::rx_missed), "rx_missed");
    EXPECT_STREQ(noria::name(noria::user_drop_reason(9, 9)), "user");
}

TEST(DropReason, ANumberThatIsNoReasonIsNotSpecified) {
    EXPECT_STREQ(noria::name(static_cast<drop_reason>(noria::drop_reason_count)), "not_specified");
    noria::drop_histogram histogram;
    histogram.count(static_cast<drop_reason>(noria::drop_reason_count), 5);
    histogram.count(static_cast<drop_reason>(0xffff), 2);
    EXPECT_EQ(histogram.of(drop_reason::not_specified), 7u);
    EXPECT_EQ(histogram.dropped(), 7u);
}

TEST(DropReason, UserReasonsShareOneBucket) {
    noria::drop_histogram histogram;
    histogram.count(noria::user_drop_reason(1, 1));
    histogram.count(noria::user_drop_reason(7, 3), 2);
    EXPECT_EQ(histogram.of(noria::user_drop_reason(0xffff, 0)), 3u);
    EXPECT_EQ(histogram.dropped(), 3u);
}

RC_GTEST_PROP(DropHistogram, IsAMapFromReasonToCount, ()) {
    const auto events = *rc::gen::container<std::vector<std::pair<std::uint32_t, std::uint16_t>>>(
        rc::gen::pair(rc::gen::inRange<std::uint32_t>(0, noria::drop_reason_count),
                      rc::gen::arbitrary<std::uint16_t>()));
    noria::drop_histogram histogram;
    std::map<std::uint32_t, std::uint64_t> model;
    std::uint64_t dropped = 0;
    for (const auto& [reason, n] : events) {
        histogram.count(static_cast<drop_reason>(reason), n);
        model[reason] += n;
        dropped += static_cast<drop_reason>(reason) == drop_reason::consumed ? 0 : n;
    }
    for (std::uint32_t i = 0; i < noria::drop_reason_count; ++i)
        RC_ASSERT(histogram.of(static_cast<drop_reason>(i)) == model[i]);
    RC_ASSERT(histogram.dropped() == dropped);
}

} // namespace
