// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "noria/core/sync.hpp"
#include "noria/stats/counter.hpp"

namespace noria::inline NORIA_ABI {

// What one queue of a device received and sent, with the one meaning each name has in this library. Drivers
// disagree about several of them; the meanings are those of Linux's struct rtnl_link_stats64.
// Thread: one writer, any reader. A queue that sends on one thread and receives on another has two of these.
template <class Sync = std_sync>
struct basic_link_counters {
    basic_counter<Sync> rx_packets; // good packets received, those dropped later included
    basic_counter<Sync> rx_bytes;   // their bytes, without the frame check sequence
    basic_counter<Sync> rx_multicast;
    basic_counter<Sync> rx_missed;  // the device had no buffer to put a packet in: the host never saw it
    basic_counter<Sync> rx_dropped; // the host got it and threw it away; never includes rx_missed

    basic_counter<Sync> rx_errors; // bad packets: the next four, and whatever else the device calls an error
    basic_counter<Sync> rx_length_errors; // shorter or longer than the link allows
    basic_counter<Sync> rx_over_errors;   // did not fit the buffers it was given
    basic_counter<Sync> rx_crc_errors;
    basic_counter<Sync> rx_frame_errors; // not a whole number of bytes, or misaligned

    basic_counter<Sync> tx_packets; // handed to the wire
    basic_counter<Sync> tx_bytes;
    basic_counter<Sync> tx_errors;  // the device tried and failed
    basic_counter<Sync> tx_dropped; // never handed to the device
};

using link_counters = basic_link_counters<>;

} // namespace noria::inline NORIA_ABI
