// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "e1000e/registers.hpp"
#include "hardware/counters.hpp"
#include "hardware/registers.hpp"
#include "noria/core/clock.hpp"
#include "noria/stats/link.hpp"

// What the card counts (10.2.7), all of it.

namespace e1000e {

// In the order of the table below.
enum class count : std::uint8_t {
    crc_errors,
    missed, // the card's memory was full
    excess_collisions,
    late_collisions,
    collisions,
    no_carrier,
    length_errors,
    xon_received,
    xon_sent,
    xoff_received,
    xoff_sent,
    received_64,
    received_127,
    received_255,
    received_511,
    received_1023,
    received_longer,
    good_received,
    broadcasts_received,
    multicasts_received, // without broadcasts
    good_sent,
    no_buffer, // no descriptor when it came; it may have waited in the card's memory until there was one
    undersize,
    fragments,
    oversize,
    jabber,
    total_received, // damaged ones too
    total_sent,
    sent_64,
    sent_127,
    sent_255,
    sent_511,
    sent_1023,
    sent_longer,
    multicasts_sent,
    broadcasts_sent,
};

inline constexpr hardware::counter_register counter_registers[] = {
    {"crcerrs", 0x4000}, {"mpc", 0x4010},     {"ecol", 0x4018},    {"latecol", 0x4020}, {"colc", 0x4028},
    {"tncrs", 0x4034},   {"rlec", 0x4040},    {"xonrxc", 0x4048},  {"xontxc", 0x404c},  {"xoffrxc", 0x4050},
    {"xofftxc", 0x4054}, {"prc64", 0x405c},   {"prc127", 0x4060},  {"prc255", 0x4064},  {"prc511", 0x4068},
    {"prc1023", 0x406c}, {"prc1522", 0x4070}, {"gprc", 0x4074},    {"bprc", 0x4078},    {"mprc", 0x407c},
    {"gptc", 0x4080},    {"rnbc", 0x40a0},    {"ruc", 0x40a4},     {"rfc", 0x40a8},     {"roc", 0x40ac},
    {"rjc", 0x40b0},     {"tpr", 0x40d0},     {"tpt", 0x40d4},     {"ptc64", 0x40d8},   {"ptc127", 0x40dc},
    {"ptc255", 0x40e0},  {"ptc511", 0x40e4},  {"ptc1023", 0x40e8}, {"ptc1522", 0x40ec}, {"mptc", 0x40f0},
    {"bptc", 0x40f4},
};
static_assert(std::size(counter_registers) == static_cast<std::size_t>(count::broadcasts_sent) + 1);

// Octets, from the destination address to the CRC.
enum class octets : std::uint8_t { good_received, good_sent, total_received, total_sent };
inline constexpr hardware::counter_register octet_registers[] = {
    {"gorc", 0x4088}, {"gotc", 0x4090}, {"tor", 0x40c0}, {"tot", 0x40c8}};

// Thread: one reads the card, the owner; any looks at values.
class statistics {
  public:
    // The owner. Reads all and throws it away: what was counted before the driver came (4.6.4).
    template <hardware::register_space Registers>
    void forget(Registers& registers, noria::nanoseconds now) noexcept {
        visit(registers, [](auto&, std::uint64_t) noexcept {});
        believed_.begin(now);
    }

    // The owner. Often enough that no register reaches its top: at the highest rate of packets they take 48
    // minutes. Nothing is taken from a card that does not answer. About 45 register reads.
    template <hardware::register_space Registers>
    void read(Registers& registers, noria::nanoseconds now) noexcept {
        if (registers.read32(reg::status::at) == all_ones)
            return;
        believed_.begin(now);
        visit(registers, believed_);
    }

    // Any thread.
    [[nodiscard]] std::uint64_t of(count which) const noexcept {
        return packets_[static_cast<std::size_t>(which)].value();
    }
    [[nodiscard]] std::uint64_t of(octets which) const noexcept {
        return octets_[static_cast<std::size_t>(which)].value();
    }

    // In the words that all links share. Pause frames that the card sends by itself are in GPTC and GOTC: 64
    // bytes each; and octets have the CRC in them.
    [[nodiscard]] noria::link_values link() const noexcept {
        noria::link_values now;
        now.rx_packets = of(count::good_received);
        now.rx_bytes = hardware::without(of(octets::good_received), 4 * now.rx_packets);
        now.rx_multicast = of(count::multicasts_received);
        now.rx_missed = of(count::missed);
        now.rx_crc_errors = of(count::crc_errors);
        now.rx_length_errors = of(count::length_errors) + of(count::undersize) + of(count::fragments) +
                               of(count::oversize) + of(count::jabber);
        now.rx_errors = now.rx_crc_errors + now.rx_length_errors;
        const std::uint64_t pauses = of(count::xon_sent) + of(count::xoff_sent);
        now.tx_packets = hardware::without(of(count::good_sent), pauses);
        now.tx_bytes = hardware::without(of(octets::good_sent), 64 * pauses + 4 * now.tx_packets);
        now.tx_collisions = of(count::collisions);
        now.tx_aborted_errors = of(count::excess_collisions);
        now.tx_window_errors = of(count::late_collisions);
        now.tx_carrier_errors = of(count::no_carrier);
        now.tx_errors = now.tx_aborted_errors + now.tx_window_errors + now.tx_carrier_errors;
        return now;
    }

    // Readings that were not believed, of all counters: more than the wire carries, or a register at its top.
    [[nodiscard]] std::uint64_t gaps() const noexcept {
        return hardware::gaps_of(packets_) + hardware::gaps_of(octets_);
    }

  private:
    // Reads each register there is, once, and hands it over with its counter.
    template <class Registers, class Take>
    void visit(Registers& registers, Take take) noexcept {
        for (std::size_t i = 0; i != packets_.size(); ++i)
            take(packets_[i], registers.read32(counter_registers[i].offset));
        for (std::size_t i = 0; i != octets_.size(); ++i)
            take(octets_[i], hardware::read_octets(registers, octet_registers[i].offset));
    }

    std::array<hardware::packet_counter, std::size(counter_registers)> packets_;
    std::array<hardware::octet_counter<64>, std::size(octet_registers)> octets_;
    // 1 Gbit/s carries 1.488 packets and 125 bytes a microsecond; 16 times that, for QEMU's wire knows no
    // limit.
    hardware::wire_limit believed_{{.packets = 24, .bytes = 2000}};
};

} // namespace e1000e
