// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "hardware/addresses.hpp"
#include "hardware/registers.hpp"
#include "hardware/wait.hpp"

// The registers of an Intel 82574 that this driver touches, by the names of the data sheet ("Intel 82574 GbE
// Controller Family Datasheet"), in lower case. Section numbers, here and in all files beside this one, are
// its sections. A namespace a register: `at` is its offset in bytes from the start of BAR 0; the rest are its
// bits. All have 32 bits.

namespace e1000e {

// Words of examples/hardware that all files here use.
using hardware::all_ones;
using hardware::await;
using hardware::bit;
using hardware::field;
using hardware::gone;
using hardware::millisecond;
using hardware::several;

namespace reg {

// ---- General (10.2.2) ----

namespace ctrl { // device control
inline constexpr std::uint32_t at = 0x00000;
inline constexpr std::uint32_t gio_master_disable = bit(2);
inline constexpr std::uint32_t auto_speed = bit(5);
inline constexpr std::uint32_t set_link_up = bit(6);
inline constexpr std::uint32_t device_reset = bit(26);
inline constexpr std::uint32_t strip_vlan = bit(30); // VME
} // namespace ctrl

namespace status { // device status
inline constexpr std::uint32_t at = 0x00008;
inline constexpr std::uint32_t full_duplex = bit(0);
inline constexpr std::uint32_t link_up = bit(1);
inline constexpr unsigned speed = 6;                         // 7:6: 0 = 10, 1 = 100, 2 and 3 = 1000 Mbit/s
inline constexpr std::uint32_t gio_master_enabled = bit(19); // requests of the card are still on their way
} // namespace status

namespace eecd { // EEPROM and flash control
inline constexpr std::uint32_t at = 0x00010;
inline constexpr std::uint32_t auto_read_done = bit(9);
} // namespace eecd

namespace ctrl_ext { // extended device control
inline constexpr std::uint32_t at = 0x00018;
inline constexpr std::uint32_t auto_mask_by_message = bit(24); // EIAME
inline constexpr std::uint32_t auto_mask_by_read = bit(27);    // IAME
inline constexpr std::uint32_t driver_loaded = bit(28); // for the firmware: somebody looks after the card
inline constexpr std::uint32_t pba_support = bit(31);
} // namespace ctrl_ext

inline constexpr std::uint32_t vet = 0x00038; // VLAN Ethertype

// ---- Interrupts (10.2.4) ----

// The causes, bit for bit the same in ICR, ICS, IMS, IMC, EIAC and IAM.
namespace cause {
inline constexpr std::uint32_t link_change = bit(2);
inline constexpr std::uint32_t receive_overrun = bit(6); // no descriptor, or no room in the FIFO
inline constexpr std::uint32_t receive_queue = bit(20);  // RXQ0
inline constexpr std::uint32_t transmit_queue = bit(22); // TXQ0
inline constexpr std::uint32_t other = bit(24);          // MSI-X: any cause that is not a queue's
} // namespace cause

inline constexpr std::uint32_t icr = 0x000c0;  // cause: a read or a written 1 clears
inline constexpr std::uint32_t ics = 0x000c8;  // cause set: a written 1 raises
inline constexpr std::uint32_t ims = 0x000d0;  // mask set: a written 1 lets the cause through
inline constexpr std::uint32_t imc = 0x000d8;  // mask clear: a written 1 holds it back
inline constexpr std::uint32_t eiac = 0x000dc; // auto clear: causes that sending the MSI-X message clears

namespace ivar { // which vector a cause is sent to: 2:0 of four bits each
inline constexpr std::uint32_t at = 0x000e4;
inline constexpr std::uint32_t valid = bit(3);
inline constexpr unsigned receive_queue = 0, transmit_queue = 8, other = 16; // where the four bits are
inline constexpr std::uint32_t every_write_back = bit(31); // of transmit descriptors, not only delayed ones
} // namespace ivar

namespace eitr { // throttle of a vector
[[nodiscard]] constexpr std::uint32_t at(std::uint32_t vector) noexcept {
    return 0x000e8 + 4 * vector;
}
inline constexpr std::uint32_t interval_step = 256; // ns
inline constexpr std::uint32_t most_steps = 0xffff;
} // namespace eitr

// ---- Receive (10.2.5) ----

namespace rctl { // receive control
inline constexpr std::uint32_t at = 0x00100;
inline constexpr std::uint32_t enable = bit(1);
inline constexpr std::uint32_t store_bad = bit(2);
inline constexpr std::uint32_t unicast_promiscuous = bit(3);
inline constexpr std::uint32_t multicast_promiscuous = bit(4);
inline constexpr std::uint32_t long_packets = bit(5); // LPE: more than 1522 bytes
inline constexpr std::uint32_t accept_broadcast = bit(15);
inline constexpr unsigned buffer_size = 16; // 17:16, see buffer_code()
inline constexpr std::uint32_t buffer_size_x16 = bit(25);
inline constexpr std::uint32_t strip_crc = bit(26);
inline constexpr std::uint32_t buffer_bits = field(3, buffer_size) | buffer_size_x16;
} // namespace rctl

namespace rfctl { // receive filter control
inline constexpr std::uint32_t at = 0x05008;
inline constexpr std::uint32_t extended_descriptors = bit(15);
} // namespace rfctl

namespace rxcsum { // receive checksum control
inline constexpr std::uint32_t at = 0x05000;
inline constexpr std::uint32_t check_ip = bit(8);
inline constexpr std::uint32_t check_l4 = bit(9);
inline constexpr std::uint32_t hash_in_descriptor = bit(13); // PCSD: instead of IP id and fragment checksum
} // namespace rxcsum

inline constexpr std::uint32_t rdbal = 0x02800;
inline constexpr std::uint32_t rdbah = 0x02804;
inline constexpr std::uint32_t rdlen = 0x02808; // bytes, a multiple of 128
inline constexpr std::uint32_t rdh = 0x02810;
inline constexpr std::uint32_t rdt = 0x02818;
inline constexpr std::uint32_t rdtr = 0x02820; // how long an interrupt waits for more packets; 0: not at all
inline constexpr std::uint32_t radv = 0x0282c; // and for how long in all

namespace rxdctl { // receive descriptor control
inline constexpr std::uint32_t at = 0x02828;
inline constexpr std::uint32_t in_descriptors = bit(24);       // the thresholds are descriptors, not lines
inline constexpr std::uint32_t write_back_each = field(1, 16); // 21:16
} // namespace rxdctl

// Receive addresses, and the multicast table: see hardware/addresses.hpp.
inline constexpr several ral{0x05400, 8}; // 16
inline constexpr several rah{0x05404, 8};
inline constexpr several mta{0x05200}; // 128
inline constexpr hardware::address_registers addresses{ral, rah, 16, mta};

// ---- Transmit (10.2.6) ----

namespace tctl { // transmit control
inline constexpr std::uint32_t at = 0x00400;
inline constexpr std::uint32_t enable = bit(1);
inline constexpr std::uint32_t pad_short = bit(3);
inline constexpr std::uint32_t collision_threshold = field(15, 4); // of half duplex, as is
inline constexpr std::uint32_t collision_distance = field(63, 12);
inline constexpr std::uint32_t several_requests = bit(28); // MULR: reads of memory at a time
} // namespace tctl

namespace tipg { // gaps between packets
inline constexpr std::uint32_t at = 0x00410;
inline constexpr std::uint32_t copper = 8 | field(8, 10) | field(6, 20);
} // namespace tipg

inline constexpr std::uint32_t tdbal = 0x03800;
inline constexpr std::uint32_t tdbah = 0x03804;
inline constexpr std::uint32_t tdlen = 0x03808;
inline constexpr std::uint32_t tdh = 0x03810;
inline constexpr std::uint32_t tdt = 0x03818;

namespace txdctl { // transmit descriptor control
inline constexpr std::uint32_t at = 0x03828;
inline constexpr std::uint32_t write_back_each = field(1, 16); // 21:16
inline constexpr std::uint32_t always_one = bit(22);
inline constexpr std::uint32_t in_descriptors = bit(24);
} // namespace txdctl

// ---- Statistics (10.2.7): the table is in statistics.hpp ----

} // namespace reg
} // namespace e1000e
