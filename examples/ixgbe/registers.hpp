// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "hardware/addresses.hpp"
#include "hardware/registers.hpp"
#include "hardware/wait.hpp"

// The registers of an Intel 82599 that this driver touches, by the names of the data sheet ("Intel 82599 10
// GbE Controller Datasheet"), in lower case. Section numbers, here and in all files beside this one, are its
// sections. A namespace a register: `at` is its offset in bytes from the start of BAR 0, or gives it where
// there are several; the rest are its bits. All have 32 bits.

namespace ixgbe {

// Words of examples/hardware that all files here use.
using hardware::all_ones;
using hardware::await;
using hardware::bit;
using hardware::field;
using hardware::gone;
using hardware::microsecond;
using hardware::millisecond;
using hardware::several;

inline constexpr std::uint32_t all_queues = 128; // of each kind, the card has

// Where several registers of one kind are: behind each other (`several`), or one in the block of each receive
// queue, of which the upper 64 have theirs elsewhere (8.2.3.8),
struct of_receive_queue {
    std::uint32_t within; // the block
    [[nodiscard]] constexpr std::uint32_t operator()(std::uint32_t queue) const noexcept {
        return within + (queue < 64 ? 0x1000 + 0x40 * queue : 0xd000 + 0x40 * (queue - 64));
    }
};
// the same, but the first 16 have a place of their own,
struct of_receive_queue_but_16 {
    std::uint32_t first;
    of_receive_queue others;
    [[nodiscard]] constexpr std::uint32_t operator()(std::uint32_t queue) const noexcept {
        return queue < 16 ? first + 4 * queue : others(queue);
    }
};
// or one in the block of each transmit queue (8.2.3.9).
struct of_transmit_queue {
    std::uint32_t within; // the block
    [[nodiscard]] constexpr std::uint32_t operator()(std::uint32_t queue) const noexcept {
        return within + 0x6000 + 0x40 * queue;
    }
};

namespace reg {

// ---- General control (8.2.3.1) and EEPROM (8.2.3.2) ----

namespace ctrl { // device control
inline constexpr std::uint32_t at = 0x00000;
inline constexpr std::uint32_t gio_master_disable = bit(2);
inline constexpr std::uint32_t link_reset = bit(3);
inline constexpr std::uint32_t device_reset = bit(26);
} // namespace ctrl

namespace status { // device status
inline constexpr std::uint32_t at = 0x00008;
inline constexpr std::uint32_t gio_master_enabled = bit(19); // requests of the card are still on their way
} // namespace status

namespace ctrl_ext { // extended device control
inline constexpr std::uint32_t at = 0x00018;
inline constexpr std::uint32_t no_snoop_disable = bit(16);
inline constexpr std::uint32_t driver_loaded = bit(28); // for the firmware: somebody looks after the card
} // namespace ctrl_ext

namespace eec { // EEPROM control
inline constexpr std::uint32_t at = 0x10010;
inline constexpr std::uint32_t auto_read_done = bit(9);
} // namespace eec

// ---- Interrupts (8.2.3.5). Bits 15:0 of the first six are queue causes or, with MSI-X, vectors ----

namespace eicr { // cause: a read or a written 1 clears
inline constexpr std::uint32_t at = 0x00800;
inline constexpr std::uint32_t queues = 0xffff;
inline constexpr std::uint32_t receive_miss = bit(17);
inline constexpr std::uint32_t link_change = bit(20);
inline constexpr std::uint32_t other = bit(31); // MSI-X: any of the causes above 15 (its vector: IVAR_MISC)
} // namespace eicr
namespace eics { // cause set: a written 1 raises
inline constexpr std::uint32_t at = 0x00808;
}
namespace eims { // mask set: a written 1 lets the cause through
inline constexpr std::uint32_t at = 0x00880;
}
namespace eimc { // mask clear: a written 1 holds it back. Nothing but this masks.
inline constexpr std::uint32_t at = 0x00888;
}
namespace eiac { // auto clear: causes that sending the MSI-X message clears
inline constexpr std::uint32_t at = 0x00810;
}
namespace eiam { // auto mask
inline constexpr std::uint32_t at = 0x00890;
}

// The same four for all 64 vectors, 32 a register.
inline constexpr several eics_ex{0x00a90}; // of 2
inline constexpr several eims_ex{0x00aa0};
inline constexpr several eimc_ex{0x00ab0};
inline constexpr several eiam_ex{0x00ad0};

namespace gpie { // general purpose interrupt enable
inline constexpr std::uint32_t at = 0x00898;
inline constexpr std::uint32_t msix_mode = bit(4);
inline constexpr std::uint32_t other_clear_disable = bit(5); // a read of EICR leaves the queues' causes
inline constexpr std::uint32_t auto_mask = bit(30);
inline constexpr std::uint32_t pba_support = bit(31);
} // namespace gpie

namespace eitr { // throttle of a vector
[[nodiscard]] constexpr std::uint32_t at(std::uint32_t vector) noexcept {
    return vector < 24 ? 0x00820 + 4 * vector : 0x12300 + 4 * (vector - 24);
}
inline constexpr std::uint32_t interval_mask = 0xff8;  // 11:3,
inline constexpr std::uint32_t interval_step = 2048;   // of so many ns
inline constexpr std::uint32_t keep_counter = bit(31); // what runs down now goes on
} // namespace eitr

namespace ivar { // which vector a cause is sent to: two queues a register
[[nodiscard]] constexpr std::uint32_t at(std::uint32_t queue) noexcept {
    return 0x00900 + 4 * (queue / 2);
}
[[nodiscard]] constexpr unsigned receive_byte(std::uint32_t queue) noexcept {
    return 2 * (queue % 2);
}
[[nodiscard]] constexpr unsigned transmit_byte(std::uint32_t queue) noexcept {
    return 2 * (queue % 2) + 1;
}
inline constexpr std::uint32_t misc = 0x00a00; // byte 0 the TCP timer, byte 1 all others
inline constexpr std::uint32_t valid = 0x80;   // in each byte; 5:0 is the vector
} // namespace ivar

// ---- Receive filters and offloads (8.2.3.7) ----

namespace fctrl { // filter control
inline constexpr std::uint32_t at = 0x05080;
inline constexpr std::uint32_t store_bad = bit(1);
inline constexpr std::uint32_t multicast_promiscuous = bit(8);
inline constexpr std::uint32_t unicast_promiscuous = bit(9);
inline constexpr std::uint32_t accept_broadcast = bit(10);
} // namespace fctrl

namespace vlnctrl { // VLAN control
inline constexpr std::uint32_t at = 0x05088;
inline constexpr std::uint32_t filter = bit(30);
} // namespace vlnctrl

namespace mcstctrl { // multicast control
inline constexpr std::uint32_t at = 0x05090;
inline constexpr std::uint32_t filter = bit(2); // by the table MTA; bits 1:0 = 0: bits 47:36 of the address
} // namespace mcstctrl

namespace rxcsum { // receive checksum control
inline constexpr std::uint32_t at = 0x05000;
inline constexpr std::uint32_t hash_in_descriptor = bit(13); // PCSD: instead of the fragment checksum
} // namespace rxcsum

namespace rfctl { // receive filter control
inline constexpr std::uint32_t at = 0x05008;
inline constexpr std::uint32_t coalescing_disable = bit(5);
inline constexpr std::uint32_t nfs_write_disable = bit(6);
inline constexpr std::uint32_t nfs_read_disable = bit(7);
} // namespace rfctl

namespace psrtype { // what headers are split off, a register a pool
inline constexpr several at{0x05480};
inline constexpr std::uint32_t tcp = bit(4);
inline constexpr std::uint32_t udp = bit(5);
inline constexpr std::uint32_t ipv4 = bit(8);
inline constexpr std::uint32_t ipv6 = bit(9);
} // namespace psrtype

// Receive addresses, of which the first 16 answer at 0x5400 too, and the multicast table: see
// hardware/addresses.hpp.
inline constexpr several ral{0x0a200, 8}; // 128
inline constexpr several rah{0x0a204, 8};
inline constexpr several mta{0x05200}; // 128
inline constexpr hardware::address_registers addresses{ral, rah, 128, mta};
inline constexpr several vfta{0x0a000}; // 128

namespace mrqc { // multiple receive queues command
inline constexpr std::uint32_t at = 0x05818;
inline constexpr std::uint32_t rss = 1; // 3:0
inline constexpr std::uint32_t tcp_ipv4 = bit(16);
inline constexpr std::uint32_t ipv4 = bit(17);
inline constexpr std::uint32_t ipv6 = bit(20);
inline constexpr std::uint32_t tcp_ipv6 = bit(21);
inline constexpr std::uint32_t udp_ipv4 = bit(22);
inline constexpr std::uint32_t udp_ipv6 = bit(23);
} // namespace mrqc
inline constexpr several reta{0x05c00};  // 32
inline constexpr several rssrk{0x05c80}; // 10

// ---- Receive DMA (8.2.3.8) ----

inline constexpr of_receive_queue rdbal{0x00};
inline constexpr of_receive_queue rdbah{0x04};
inline constexpr of_receive_queue rdlen{0x08};
inline constexpr of_receive_queue rdh{0x10};
inline constexpr of_receive_queue rdt{0x18};

namespace rxdctl { // receive descriptor control
inline constexpr of_receive_queue at{0x28};
inline constexpr std::uint32_t enable = bit(25);
inline constexpr std::uint32_t flush = bit(26);
inline constexpr std::uint32_t strip_vlan = bit(30);
} // namespace rxdctl

namespace srrctl { // split and replication receive control
inline constexpr of_receive_queue_but_16 at{0x02100, {0x14}};
inline constexpr unsigned header_bytes = 8; // 13:8, in units of 64; 4:0 is the buffer, in KiB
inline constexpr unsigned type = 25;        // 27:25
inline constexpr std::uint32_t one_buffer = 1;
inline constexpr std::uint32_t header_split = 2;
inline constexpr std::uint32_t drop_enable = bit(28);
} // namespace srrctl

namespace rdrxctl { // receive DMA control
inline constexpr std::uint32_t at = 0x02f00;
inline constexpr std::uint32_t crc_strip = bit(1); // the same as in HLREG0
inline constexpr std::uint32_t dma_init_done = bit(3);
inline constexpr std::uint32_t coalescing_first = field(0x1f, 17);
} // namespace rdrxctl

inline constexpr several rxpbsize{0x03c00};       // 8
inline constexpr unsigned packet_buffer_kib = 10; // of RXPBSIZE and TXPBSIZE: 19:10

namespace rxctrl { // receive control
inline constexpr std::uint32_t at = 0x03000;
inline constexpr std::uint32_t enable = bit(0);
} // namespace rxctrl

// ---- Direct cache access (8.2.3.11) and security (8.2.3.12): only what stands in the way ----

namespace dca_rxctrl {
inline constexpr of_receive_queue_but_16 at{0x02200, {0x0c}};
inline constexpr std::uint32_t reserved_one = bit(12); // reads 1 and has to be written 0
} // namespace dca_rxctrl

namespace secrxctrl {
inline constexpr std::uint32_t at = 0x08d00;
inline constexpr std::uint32_t receive_disable = bit(1);
} // namespace secrxctrl
namespace secrxstat {
inline constexpr std::uint32_t at = 0x08d04;
inline constexpr std::uint32_t ready = bit(0);
} // namespace secrxstat

// ---- Transmit (8.2.3.9, 8.2.3.10) ----

inline constexpr std::uint32_t dtxmxszrq = 0x08100; // how many bytes may be asked for at once
namespace dmatxctl {                                // transmit DMA control
inline constexpr std::uint32_t at = 0x04a80;
inline constexpr std::uint32_t enable = bit(0);
} // namespace dmatxctl
namespace dtxtcpflgl { // which TCP flags segments keep of those of the packet (8.2.3.9.3)
inline constexpr std::uint32_t at = 0x04a88;
inline constexpr unsigned first = 0;
inline constexpr unsigned middle = 16;
} // namespace dtxtcpflgl
namespace rttdcs { // descriptor plane arbitration
inline constexpr std::uint32_t at = 0x04900;
inline constexpr std::uint32_t arbiter_disable = bit(6);
} // namespace rttdcs
// Multiple transmit queues command.
inline constexpr std::uint32_t mtqc = 0x08120;
inline constexpr several txpbsize{0x0cc00};   // 8
inline constexpr several txpbthresh{0x04950}; // 8

inline constexpr of_transmit_queue tdbal{0x00};
inline constexpr of_transmit_queue tdbah{0x04};
inline constexpr of_transmit_queue tdlen{0x08};
inline constexpr of_transmit_queue tdh{0x10};
inline constexpr of_transmit_queue tdt{0x18};

namespace txdctl { // transmit descriptor control
inline constexpr of_transmit_queue at{0x28};
inline constexpr unsigned prefetch = 0;    // 6:0, descriptors
inline constexpr unsigned host = 8;        // 14:8
inline constexpr unsigned write_back = 16; // 22:16
inline constexpr std::uint32_t enable = bit(25);
inline constexpr std::uint32_t flush = bit(26);
} // namespace txdctl

// ---- MAC (8.2.3.22) ----

namespace hlreg0 { // MAC core control
inline constexpr std::uint32_t at = 0x04240;
inline constexpr std::uint32_t transmit_crc = bit(0);
inline constexpr std::uint32_t strip_crc = bit(1);
inline constexpr std::uint32_t jumbo = bit(2);
inline constexpr std::uint32_t transmit_pad = bit(10);
inline constexpr std::uint32_t loopback = bit(15);
} // namespace hlreg0

namespace maxfrs { // longest frame, the CRC included
inline constexpr std::uint32_t at = 0x04268;
inline constexpr unsigned bytes = 16; // 31:16
} // namespace maxfrs

namespace autoc { // auto negotiation control
inline constexpr std::uint32_t at = 0x042a0;
inline constexpr std::uint32_t restart = bit(12);
} // namespace autoc

namespace links { // link status
inline constexpr std::uint32_t at = 0x042a4;
inline constexpr std::uint32_t up = bit(30);
inline constexpr unsigned speed = 28; // 29:28: 1 = 100 Mbit/s, 2 = 1 Gbit/s, 3 = 10 Gbit/s
} // namespace links

// ---- Statistics (8.2.3.23): the table is in statistics.hpp ----

// Which of the 16 sets of counters a queue counts in: four queues a register, a byte each.
inline constexpr several rqsmr{0x02300}; // 32
inline constexpr several tqsm{0x08600};  // 32

} // namespace reg
} // namespace ixgbe
