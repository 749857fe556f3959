// SPDX-License-Identifier: BSL-1.0
#pragma once

// What all tests of receive queues run with: every strategy, both geometries.

#include <array>
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "noria/core/result.hpp"
#include "noria/memory/region.hpp"
#include "noria/queue/geometry.hpp"
#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"

using all_strategies =
    testing::Types<noria::per_packet, noria::per_packet_copybreak, noria::stride_copy, noria::stride_attach,
                   noria::page_attach, noria::build_around, noria::stride_around, noria::adaptive>;
struct strategy_name {
    template <class Strategy>
    static std::string GetName(int n) {
        static constexpr std::array names{
            "per_packet",  "per_packet_copybreak", "stride_copy",   "stride_attach",
            "page_attach", "build_around",         "stride_around", "adaptive"};
        return names[static_cast<std::size_t>(n)];
    }
};

inline noria::rx_options options_for(std::uint32_t longest, std::uint32_t packets = 300,
                                     const noria::receive_geometry& geometry = noria::linux_geometry) {
    return {.descriptors = 64, .packets = packets, .frame_bytes = longest, .geometry = geometry};
}
inline constexpr std::array geometries{noria::linux_geometry, noria::lean_geometry};

inline noria::result<noria::region> memory_for(std::uint64_t bytes) {
    return noria::region::map({.bytes = bytes, .best = noria::backing::plain_pages, .prefault = false});
}
