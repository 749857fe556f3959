// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "noria/core/sync.hpp"
#include "noria/stats/counter.hpp"

namespace noria::inline NORIA_ABI {

// What one queue of a device received and sent: the canonical set, with the one meaning that each name has in
// this library. Drivers disagree about several of them; the meanings are those of Linux's struct
// rtnl_link_stats64, field by field (include/uapi/linux/if_link.h), and stats/vocabulary.hpp has the words of
// others for them. Two things are never mixed: what the device had no buffer for is rx_missed and in no other
// field, and what the host got and threw away is rx_dropped.
template <class Count>
struct link_set {
    Count rx_packets{};   // good packets received, those dropped later included
    Count rx_bytes{};     // their bytes, without the frame check sequence
    Count rx_multicast{}; // those of rx_packets that went to a group
    Count rx_missed{};    // the device had no buffer to put a packet in: the host never saw it
    Count rx_dropped{};   // the host got it and threw it away; never includes rx_missed

    Count rx_errors{};        // bad packets: the next four, and whatever else the device calls an error
    Count rx_length_errors{}; // shorter or longer than the link allows
    Count rx_over_errors{};   // did not fit the buffers it was given
    Count rx_crc_errors{};
    Count rx_frame_errors{}; // not a whole number of bytes, or misaligned

    Count tx_packets{}; // handed to the wire
    Count tx_bytes{};   // their bytes, without the frame check sequence
    Count tx_errors{};  // the device tried and failed: the four of the last group, and others
    Count tx_dropped{}; // never handed to the device

    Count rx_fifo_errors{};       // a queue inside a software device overflowed; hardware counts rx_missed
    Count rx_compressed{};        // for links that compress (CSLIP, PPP)
    Count rx_nohandler{};         // a good packet on a device that is not in use
    Count rx_otherhost_dropped{}; // a good packet that was addressed to another host
    Count tx_fifo_errors{};       // the device ran out of bytes in the middle of a frame
    Count tx_collisions{};        // on a shared wire
    Count tx_compressed{};

    Count tx_aborted_errors{};
    Count tx_carrier_errors{};
    Count tx_heartbeat_errors{};
    Count tx_window_errors{};
};

// The set while it is counted. Thread: one writer, any reader. A queue that sends on one thread and receives
// on another has two.
template <class Sync = std_sync>
using basic_link_counters = link_set<basic_counter<Sync>>;
using link_counters = basic_link_counters<>;

// The set as plain numbers.
using link_values = link_set<std::uint64_t>;

// One field of the set: its canonical name, one sentence, and where it is.
template <class Count>
struct link_field {
    const char* name;
    const char* help;
    Count link_set<Count>::* count;
};

// All of them, in the order of the struct.
template <class Count>
inline constexpr link_field<Count> link_fields[] = {
    {"rx_packets", "Good packets received, those dropped later included.", &link_set<Count>::rx_packets},
    {"rx_bytes", "Bytes of good packets received, without FCS.", &link_set<Count>::rx_bytes},
    {"rx_multicast", "Good packets received for a group.", &link_set<Count>::rx_multicast},
    {"rx_missed", "Packets the device had no buffer for.", &link_set<Count>::rx_missed},
    {"rx_dropped", "Packets the host got and threw away.", &link_set<Count>::rx_dropped},
    {"rx_errors", "Bad packets received, of every kind.", &link_set<Count>::rx_errors},
    {"rx_length_errors", "Packets of a length the link forbids.", &link_set<Count>::rx_length_errors},
    {"rx_over_errors", "Packets too big for the buffers given.", &link_set<Count>::rx_over_errors},
    {"rx_crc_errors", "Packets with a wrong FCS.", &link_set<Count>::rx_crc_errors},
    {"rx_frame_errors", "Packets misaligned on the wire.", &link_set<Count>::rx_frame_errors},
    {"tx_packets", "Packets handed to the wire.", &link_set<Count>::tx_packets},
    {"tx_bytes", "Bytes handed to the wire, without FCS.", &link_set<Count>::tx_bytes},
    {"tx_errors", "Packets the device failed to send.", &link_set<Count>::tx_errors},
    {"tx_dropped", "Packets never handed to the device.", &link_set<Count>::tx_dropped},
    {"rx_fifo_errors", "Overflows inside a software device.", &link_set<Count>::rx_fifo_errors},
    {"rx_compressed", "Compressed packets received.", &link_set<Count>::rx_compressed},
    {"rx_nohandler", "Packets received on an unused device.", &link_set<Count>::rx_nohandler},
    {"rx_otherhost_dropped", "Packets received for another host.", &link_set<Count>::rx_otherhost_dropped},
    {"tx_fifo_errors", "Underruns while sending.", &link_set<Count>::tx_fifo_errors},
    {"tx_collisions", "Collisions while sending.", &link_set<Count>::tx_collisions},
    {"tx_compressed", "Compressed packets sent.", &link_set<Count>::tx_compressed},
    {"tx_aborted_errors", "Sends aborted.", &link_set<Count>::tx_aborted_errors},
    {"tx_carrier_errors", "Sends without a carrier.", &link_set<Count>::tx_carrier_errors},
    {"tx_heartbeat_errors", "Sends without a heartbeat.", &link_set<Count>::tx_heartbeat_errors},
    {"tx_window_errors", "Collisions too late.", &link_set<Count>::tx_window_errors},
};

// Any thread. Each number is right by itself; together they are of one moment only when the writer rests (see
// stats/published.hpp for more).
template <class Sync>
[[nodiscard]] link_values values(const link_set<basic_counter<Sync>>& live) noexcept {
    link_values now;
    const auto* to = link_fields<std::uint64_t>;
    for (const auto& field : link_fields<basic_counter<Sync>>)
        now.*(to++)->count = (live.*field.count).value();
    return now;
}

// The queues of a device summed up.
constexpr link_values& operator+=(link_values& sum, const link_values& more) noexcept {
    for (const auto& field : link_fields<std::uint64_t>)
        sum.*field.count += more.*field.count;
    return sum;
}

} // namespace noria::inline NORIA_ABI
