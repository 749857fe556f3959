// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <span>
#include <string_view>

#include "noria/core/config.hpp"

// What others call our counters. Each table is a vocabulary: a list of canonical names with a word for each.
// A name may be listed with several words: these are parts, which add up to it. A word stands once in a
// table. In per-queue words # is the number of the queue.
//
// Names of link_set are those of stats/link.hpp; the others are page_pool_counters' (alloc_slow, alloc_fail)
// and receive_counters' (buff_alloc_err, fillers, filler_strides, wqe_err, oversize, refused). What has no
// exact counterpart is left out: a near miss is how an operator is led astray. docs/reference/counters.md has
// them side by side.

namespace noria::inline NORIA_ABI {

struct alias {
    std::string_view canonical;
    std::string_view word;
};
using vocabulary = std::span<const alias>;

// The word for a canonical name, the first one where there are several; empty if the vocabulary has none.
[[nodiscard]] constexpr std::string_view word_for(vocabulary words, std::string_view canonical) noexcept {
    for (const alias& each : words)
        if (each.canonical == canonical)
            return each.word;
    return {};
}

// The canonical name that a word belongs to, as it stands in the table; empty if it is not there.
[[nodiscard]] constexpr std::string_view canonical_for(vocabulary words, std::string_view word) noexcept {
    for (const alias& each : words)
        if (each.word == word)
            return each.canonical;
    return {};
}

} // namespace noria::inline NORIA_ABI

namespace noria::inline NORIA_ABI::vocabularies {

// Linux: struct rtnl_link_stats64, and /sys/class/net/<name>/statistics. The names that are not listed are
// the same.
inline constexpr alias linux_link[] = {
    {"rx_multicast", "multicast"},
    {"rx_missed", "rx_missed_errors"},
    {"tx_collisions", "collisions"},
};

// ethtool -S of Intel's 10 Gbit driver. Two ways to have no buffer: the packet buffer of the device is full,
// or (where it may drop for one queue alone) the descriptors of the queue are used up.
inline constexpr alias ixgbe[] = {
    {"rx_multicast", "multicast"},
    {"rx_missed", "rx_missed_errors"},
    {"rx_missed", "rx_no_dma_resources"},
    {"rx_length_errors", "rx_long_length_errors"},
    {"rx_length_errors", "rx_short_length_errors"},
    {"tx_collisions", "collisions"},
    {"alloc_slow", "alloc_rx_page"},
    {"alloc_fail", "alloc_rx_page_failed"},
    {"buff_alloc_err", "alloc_rx_buff_failed"},
};

// ethtool -S of Intel's 1 Gbit driver.
inline constexpr alias e1000e[] = {
    {"rx_missed", "rx_missed_errors"},
    {"tx_collisions", "collisions"},
    {"buff_alloc_err", "alloc_rx_buff_failed"},
};

// ethtool -S of Nvidia's driver.
inline constexpr alias mlx5[] = {
    {"rx_missed", "rx_out_of_buffer"},
    {"rx_missed", "rx_discards_phy"},
    {"rx_crc_errors", "rx_crc_errors_phy"},
    {"rx_length_errors", "rx_in_range_len_errors_phy"},
    {"rx_length_errors", "rx_out_of_range_len_phy"},
    {"rx_length_errors", "rx_oversize_pkts_phy"},
    {"tx_errors", "tx_errors_phy"},
    {"tx_dropped", "tx_queue_dropped"},
    {"buff_alloc_err", "rx_buff_alloc_err"},
    {"wqe_err", "rx_wqe_err"},
    {"fillers", "rx_mpwqe_filler_cqes"},
    {"filler_strides", "rx_mpwqe_filler_strides"},
    {"oversize", "rx_oversize_pkts_sw_drop"},
};

// The same driver's counters of one ring.
inline constexpr alias mlx5_ring[] = {
    {"rx_packets", "rx#_packets"},
    {"rx_bytes", "rx#_bytes"},
    {"tx_packets", "tx#_packets"},
    {"tx_bytes", "tx#_bytes"},
    {"tx_dropped", "tx#_dropped"},
    {"buff_alloc_err", "rx#_buff_alloc_err"},
    {"wqe_err", "rx#_wqe_err"},
    {"fillers", "rx#_mpwqe_filler_cqes"},
    {"filler_strides", "rx#_mpwqe_filler_strides"},
    {"oversize", "rx#_oversize_pkts_sw_drop"},
};

// ethtool -S of Linux's virtio driver. (Its kicks are doorbells, which the library does not count.)
inline constexpr alias virtio_net[] = {
    {"rx_packets", "rx_queue_#_packets"}, {"rx_bytes", "rx_queue_#_bytes"},
    {"rx_dropped", "rx_queue_#_drops"},   {"tx_packets", "tx_queue_#_packets"},
    {"tx_bytes", "tx_queue_#_bytes"},
};

// DPDK: struct rte_eth_stats.
inline constexpr alias dpdk[] = {
    {"rx_packets", "ipackets"}, {"rx_bytes", "ibytes"},          {"rx_missed", "imissed"},
    {"rx_errors", "ierrors"},   {"tx_packets", "opackets"},      {"tx_bytes", "obytes"},
    {"tx_errors", "oerrors"},   {"buff_alloc_err", "rx_nombuf"},
};

// AF_XDP: struct xdp_statistics. A full receive ring is the host's doing, and an empty fill ring is a frame
// for which the "device" had no buffer.
inline constexpr alias af_xdp[] = {
    {"rx_dropped", "rx_dropped"},
    {"rx_dropped", "rx_ring_full"},
    {"rx_missed", "rx_fill_ring_empty_descs"},
    {"refused", "rx_invalid_descs"},
};

} // namespace noria::inline NORIA_ABI::vocabularies
