// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/strategy.hpp"

#include <type_traits>

#include <gtest/gtest.h>

#include "support/supplies.hpp"

namespace {

using namespace noria;

template <class Strategy, class Supply, class Build>
constexpr bool is =
    std::is_same_v<typename Strategy::supply, Supply> && std::is_same_v<typename Strategy::build, Build>;

static_assert(is<per_packet, fresh_buffers, wrap> && is<per_packet_copybreak, fresh_buffers, copy_short>);
static_assert(is<stride_copy, work_buffers, copy_all> && is<stride_attach, work_buffers, copy_head>);
static_assert(is<page_attach, half_pages, pull_headers> && is<build_around, half_pages, wrap>);
static_assert(is<stride_around, work_buffers, wrap>);
static_assert(is<adaptive, work_buffers, adaptive_build>);

template <class Supply, class Build>
concept pair = requires { typename strategy<Supply, Build>; };

template <class Supply>
constexpr bool goes_with_any_build =
    pair<Supply, wrap> && pair<Supply, copy_all> && pair<Supply, copy_short> && pair<Supply, copy_head> &&
    pair<Supply, pull_headers> && pair<Supply, adaptive_build>;
static_assert(goes_with_any_build<fresh_buffers> && goes_with_any_build<half_pages> &&
              goes_with_any_build<work_buffers> && goes_with_any_build<hand_supply>);

struct neither {};
static_assert(!pair<neither, wrap> && !pair<fresh_buffers, neither> && !pair<wrap, fresh_buffers>);

TEST(strategy, a_supply_posts_for_one_kind_of_device) {
    EXPECT_EQ(per_packet::supply::model, buffer_model::per_packet);
    EXPECT_EQ(build_around::supply::model, buffer_model::per_packet);
    EXPECT_EQ(stride_copy::supply::model, buffer_model::striding);
}

} // namespace
