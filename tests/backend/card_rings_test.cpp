// SPDX-License-Identifier: BSL-1.0
#include "noria/backend/card_rings.hpp"

#include <gtest/gtest.h>

#include "noria/backend/transmit.hpp"

namespace {

using namespace noria;

TEST(card_rings, carry_posts_one_way_and_reports_the_other) {
    const auto made = backend::card_rings<transmit_post, transmit_report>::make(3, 5);
    ASSERT_TRUE(made);
    auto& rings = *made;
    EXPECT_EQ(rings.posts.writer.space(), 3u);
    EXPECT_EQ(rings.reports.writer.space(), 5u);
    for (std::uint32_t i = 0; i != 100; ++i) {
        ASSERT_TRUE(rings.posts.writer.write({.id = i, .flags = transmit_post::end_of_packet}));
        rings.posts.writer.publish();
        transmit_post post;
        ASSERT_EQ(rings.posts.reader.reap({&post, 1}), 1u);
        ASSERT_TRUE(rings.reports.writer.write({.id = post.id, .flags = transmit_report::sent}));
        rings.reports.writer.publish();
        transmit_report report;
        ASSERT_EQ(rings.reports.reader.reap({&report, 1}), 1u);
        EXPECT_EQ(report.id, i);
    }
}

} // namespace
