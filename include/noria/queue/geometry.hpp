// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <bit>
#include <cstdint>

#include "noria/core/bits.hpp"
#include "noria/core/cacheline.hpp"
#include "noria/memory/stride_pool.hpp"

namespace noria::inline NORIA_ABI {

// How receive memory is cut, in bytes. One object for all strategies; each reads the numbers that concern it.
struct receive_geometry {
    std::uint32_t page_bytes = 4096;    // of the pages that halves and strides lie on
    stride_geometry strides{256, 1024}; // of a work buffer
    std::uint32_t work_buffers = 8;
    std::uint32_t headroom = 64;       // free in front of a frame
    std::uint32_t tail_overhead = 320; // free behind it (Linux keeps its shared info there)
    std::uint32_t small_head = 256;    // linear bytes of a packet whose rest is attached
    std::uint32_t copybreak = 256;     // copy whole frames up to this length
};

// Linux's numbers on x86-64: 4 KiB pages, 256 KiB work buffers on 64 of them (mlx5), 320 bytes of shared
// info.
inline constexpr receive_geometry linux_geometry{};

// As little as works: no overhead behind a frame, and a work buffer that is one page, so that a frame never
// crosses an edge. The price: a held packet can pin 64 KiB.
inline constexpr receive_geometry lean_geometry{.page_bytes = 65536,
                                                .strides = {128, 512},
                                                .work_buffers = 16,
                                                .headroom = 64,
                                                .tail_overhead = 0,
                                                .small_head = 128,
                                                .copybreak = 128};

// The same for frames of up to 9 KiB, of which 64 KiB would hold but seven. A held packet can pin 256 KiB.
inline constexpr receive_geometry lean_jumbo_geometry{.page_bytes = 262144,
                                                      .strides = {128, 2048},
                                                      .work_buffers = 8,
                                                      .headroom = 64,
                                                      .tail_overhead = 0,
                                                      .small_head = 128,
                                                      .copybreak = 128};

// The stride in which a frame of a link with that MTU lies alone, on one page, with headroom before it and
// tail overhead behind it: so that a packet can be built around it (mlx5's linear mode). Around the payload
// lie 22 bytes of Ethernet: header, VLAN tag, checksum. 0 where all that is more than a page, or than a
// stride can be.
[[nodiscard]] constexpr std::uint32_t
linear_stride_bytes(std::uint32_t mtu, const receive_geometry& cut = linux_geometry) noexcept {
    constexpr std::uint64_t ethernet = 22;
    const std::uint64_t bytes =
        round_up(ethernet + cut.headroom + mtu, std::uint64_t{cache_line}) + cut.tail_overhead;
    const std::uint64_t stride = std::bit_ceil(bytes);
    const bool fits = stride <= cut.page_bytes && stride <= stride_geometry::longest_stride;
    return fits ? static_cast<std::uint32_t>(stride) : 0;
}

// A work buffer of `cut`, divided as mlx5 would for that MTU: in linear strides, or in short ones of 256.
[[nodiscard]] constexpr stride_geometry
strides_for_mtu(std::uint32_t mtu, const receive_geometry& cut = linux_geometry) noexcept {
    const std::uint32_t linear = linear_stride_bytes(mtu, cut);
    const std::uint32_t stride_bytes = linear != 0 ? linear : 256;
    return {stride_bytes, cut.strides.work_buffer_bytes() / stride_bytes};
}

// What a receive queue is built for.
struct rx_options {
    std::uint32_t descriptors =
        1024; // buffers the device can have at once (strategies of work buffers: see geometry)
    std::uint32_t packets = 4096;     // packets that can be alive at once
    std::uint32_t frame_bytes = 1514; // the longest frame
    receive_geometry geometry = linux_geometry;
    bool track_ages = false; // for oldest_pin_age(): 8 bytes a page, and a store each time one is taken
};

} // namespace noria::inline NORIA_ABI
