// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/geometry.hpp"

#include <gtest/gtest.h>

namespace {

using namespace noria;

// Linux's numbers on x86-64, each where it comes from.
static_assert(linux_geometry.page_bytes == 4096);
static_assert(linux_geometry.strides.stride_bytes == 256 && linux_geometry.strides.strides == 1024,
              "mlx5, non-linear: a work buffer of 2^18 bytes");
static_assert(linux_geometry.headroom == 64, "NET_SKB_PAD");
static_assert(linux_geometry.tail_overhead == 320, "skb_shared_info, rounded up to cache lines");
static_assert(linux_geometry.small_head == 256 && linux_geometry.copybreak == 256);

// A frame never crosses an edge where the work buffer is one page.
static_assert(lean_geometry.strides.work_buffer_bytes() == lean_geometry.page_bytes);
static_assert(lean_geometry.tail_overhead == 0);
static_assert(lean_jumbo_geometry.strides.valid() &&
              lean_jumbo_geometry.strides.work_buffer_bytes() == lean_jumbo_geometry.page_bytes);

static_assert(linux_geometry.strides.valid() && lean_geometry.strides.valid());
static_assert(linux_geometry.strides.work_buffer_bytes() % linux_geometry.page_bytes == 0);

// The worked numbers of a 256 KiB work buffer with strides of 256 bytes.
constexpr stride_geometry strides = linux_geometry.strides;
static_assert(strides.strides_for(64) == 1 && strides.strides_for(1514) == 6 &&
              strides.strides_for(9018) == 36);
static_assert(1024 / 6 == 170 && 1024 % 6 == 4, "170 frames of 1514 bytes and a filler of 4");
static_assert(1024 / 36 == 28 && 1024 % 36 == 16, "28 of 9018 and a filler of 16");

// mlx5's rule: 64 of headroom, the frame and 22 bytes of Ethernet in whole lines, 320 behind; if a page holds
// it.
static_assert(linear_stride_bytes(1500) == 2048, "64 + 1500 + 22 is 1600 in whole lines, and 320 are 1920");
static_assert(linear_stride_bytes(1500, lean_geometry) == 2048);
static_assert(linear_stride_bytes(618) == 1024 && linear_stride_bytes(619) == 2048, "704 + 320 are 1024");
static_assert(linear_stride_bytes(3690) == 4096 && linear_stride_bytes(3691) == 0, "3776 + 320 are a page");
static_assert(linear_stride_bytes(9000) == 0 && linear_stride_bytes(~0u) == 0);
static_assert(strides_for_mtu(1500).stride_bytes == 2048 && strides_for_mtu(1500).strides == 128);
static_assert(strides_for_mtu(9000).stride_bytes == 256 && strides_for_mtu(9000).strides == 1024);
static_assert(linear_stride_bytes(8106, lean_jumbo_geometry) == 8192 &&
                  linear_stride_bytes(8107, lean_jumbo_geometry) == 0,
              "a page may be longer than a stride");

TEST(geometry, the_defaults_are_linux_s) {
    constexpr rx_options options{};
    EXPECT_EQ(options.geometry.page_bytes, linux_geometry.page_bytes);
    EXPECT_EQ(options.frame_bytes, 1514u);
    // Half a page less headroom and overhead still holds the longest frame: nothing is split.
    EXPECT_GE(options.geometry.page_bytes / 2 - options.geometry.headroom - options.geometry.tail_overhead,
              options.frame_bytes);
}

} // namespace
