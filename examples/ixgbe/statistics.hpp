// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "hardware/counters.hpp"
#include "hardware/registers.hpp"
#include "ixgbe/registers.hpp"
#include "noria/core/clock.hpp"
#include "noria/stats/link.hpp"

// What the card counts (8.2.3.23), all of it.

namespace ixgbe {

// Those of which there is one, in the order of the table below.
enum class count : std::uint8_t {
    crc_errors,
    illegal_bytes,
    error_bytes,
    short_discards,
    local_faults,
    remote_faults,
    length_errors,
    received_64,
    received_127,
    received_255,
    received_511,
    received_1023,
    received_longer,
    good_received,
    broadcasts_received,
    multicasts_received,
    good_sent,
    undersize,
    fragments,
    oversize,
    jabber,
    total_received,
    total_sent,
    sent_64,
    sent_127,
    sent_255,
    sent_511,
    sent_1023,
    sent_longer,
    multicasts_sent,
    broadcasts_sent,
    wrong_checksums,
    xon_sent,
    xoff_sent,
    xon_received,
    xoff_received,
};

inline constexpr hardware::counter_register counter_registers[] = {
    {"crcerrs", 0x4000}, {"illerrc", 0x4004},  {"errbc", 0x4008},     {"mspdc", 0x4010},
    {"mlfc", 0x4034},    {"mrfc", 0x4038},     {"rlec", 0x4040},      {"prc64", 0x405c},
    {"prc127", 0x4060},  {"prc255", 0x4064},   {"prc511", 0x4068},    {"prc1023", 0x406c},
    {"prc1522", 0x4070}, {"gprc", 0x4074},     {"bprc", 0x4078},      {"mprc", 0x407c},
    {"gptc", 0x4080},    {"ruc", 0x40a4},      {"rfc", 0x40a8},       {"roc", 0x40ac},
    {"rjc", 0x40b0},     {"tpr", 0x40d0},      {"tpt", 0x40d4},       {"ptc64", 0x40d8},
    {"ptc127", 0x40dc},  {"ptc255", 0x40e0},   {"ptc511", 0x40e4},    {"ptc1023", 0x40e8},
    {"ptc1522", 0x40ec}, {"mptc", 0x40f0},     {"bptc", 0x40f4},      {"xec", 0x4120},
    {"lxontxc", 0x3f60}, {"lxofftxc", 0x3f68}, {"lxonrxcnt", 0x41a4}, {"lxoffrxcnt", 0x41a8},
};
static_assert(std::size(counter_registers) == static_cast<std::size_t>(count::xoff_received) + 1);

// Those of which there is one in each of 16 sets (or, of MPC, for each of 8 traffic classes). Of octets it
// is the low half; the high one has four bits.
inline constexpr std::uint32_t counter_sets = 16;
namespace reg {
inline constexpr several mpc{0x3fa0};         // missed: the card's memory was full
inline constexpr several qprdc{0x1430, 0x40}; // dropped: the queue had no descriptor, and may drop
inline constexpr several qprc{0x1030, 0x40};  // received
inline constexpr several qptc{0x6030, 0x40};  // sent
inline constexpr several qbrc{0x1034, 0x40};  // octets received
inline constexpr several qbtc{0x8700, 8};     // octets sent
inline constexpr std::uint32_t gorc = 0x4088; // octets of good packets received, sent, and of all received
inline constexpr std::uint32_t gotc = 0x4090;
inline constexpr std::uint32_t tor = 0x40c0;
} // namespace reg

// Thread: one reads the card, the owner; any looks at values.
class statistics {
  public:
    // The owner. Each queue below 16 gets a set of counters of its own; the others would share the first.
    template <hardware::register_space Registers>
    static void assign_sets(Registers& registers, std::uint32_t queues) noexcept {
        for (std::uint32_t i = 0; i != all_queues / 4; ++i) {
            std::uint32_t four = 0; // queues, a byte each
            for (std::uint32_t queue = 4 * i; queue != 4 * i + 4; ++queue)
                four |= queue < queues ? field(queue, 8 * (queue % 4)) : 0;
            registers.write32(reg::rqsmr(i), four);
            registers.write32(reg::tqsm(i), four);
        }
    }

    // The owner. Reads all and throws it away: what was counted before the driver came (4.6.5).
    template <hardware::register_space Registers>
    void forget(Registers& registers, noria::nanoseconds now) noexcept {
        visit(registers, [](auto&, std::uint64_t) noexcept {});
        believed_.begin(now);
    }

    // The owner. Often enough that no register reaches its top: those of 32 bits take 288 s at the highest
    // rate of packets, those of octets 55 s. Nothing is taken from a card that does not answer. About 150
    // register reads, 1 us each on a bus.
    template <hardware::register_space Registers>
    void read(Registers& registers, noria::nanoseconds now) noexcept {
        if (registers.read32(reg::status::at) == all_ones)
            return;
        believed_.begin(now);
        visit(registers, believed_);
    }

    // Any thread.
    [[nodiscard]] std::uint64_t of(count which) const noexcept {
        return single_[static_cast<std::size_t>(which)].value();
    }
    [[nodiscard]] std::uint64_t missed_in_fifo() const noexcept { return hardware::sum_of(missed_); }
    [[nodiscard]] std::uint64_t dropped_when_dry() const noexcept { return hardware::sum_of(dropped_); }
    [[nodiscard]] std::uint64_t dropped_when_dry(std::uint32_t set) const noexcept {
        return dropped_[set].value();
    }
    [[nodiscard]] std::uint64_t received(std::uint32_t set) const noexcept { return received_[set].value(); }
    [[nodiscard]] std::uint64_t sent(std::uint32_t set) const noexcept { return sent_[set].value(); }
    [[nodiscard]] std::uint64_t octets_received(std::uint32_t set) const noexcept {
        return octets_received_[set].value();
    }
    [[nodiscard]] std::uint64_t octets_sent(std::uint32_t set) const noexcept {
        return octets_sent_[set].value();
    }
    [[nodiscard]] std::uint64_t good_octets_received() const noexcept { return good_received_.value(); }
    [[nodiscard]] std::uint64_t good_octets_sent() const noexcept { return good_sent_.value(); }
    [[nodiscard]] std::uint64_t total_octets_received() const noexcept { return total_received_.value(); }

    // In the words that all links share. Received is what reached a queue: GPRC counts what was missed as
    // well (erratum). Pause frames that the card sends by itself are in GPTC and GOTC: 64 bytes each; and
    // octets sent have the CRC in them, while those received do not, since it is stripped.
    [[nodiscard]] noria::link_values link() const noexcept {
        noria::link_values now;
        now.rx_packets = hardware::sum_of(received_);
        now.rx_bytes = hardware::sum_of(octets_received_);
        now.rx_multicast = of(count::multicasts_received);
        now.rx_missed = missed_in_fifo() + dropped_when_dry();
        now.rx_crc_errors = of(count::crc_errors);
        now.rx_length_errors = of(count::length_errors) + of(count::undersize) + of(count::fragments) +
                               of(count::oversize) + of(count::jabber);
        now.rx_errors = now.rx_crc_errors + now.rx_length_errors + of(count::short_discards);
        const std::uint64_t pauses = of(count::xon_sent) + of(count::xoff_sent);
        now.tx_packets = hardware::without(of(count::good_sent), pauses);
        now.tx_bytes = hardware::without(good_octets_sent(), 64 * pauses + 4 * now.tx_packets);
        return now;
    }

    // Readings that were not believed, of all counters: more than the wire carries, or a register at its top.
    [[nodiscard]] std::uint64_t gaps() const noexcept {
        using hardware::gaps_of;
        return gaps_of(single_) + gaps_of(missed_) + gaps_of(dropped_) + gaps_of(received_) + gaps_of(sent_) +
               gaps_of(octets_received_) + gaps_of(octets_sent_) + good_received_.gaps() + good_sent_.gaps() +
               total_received_.gaps();
    }

  private:
    // Reads each register there is, once, and hands it over with its counter.
    template <class Registers, class Take>
    void visit(Registers& registers, Take take) noexcept {
        const auto packets = [&](packet_counter& to, std::uint32_t at) { take(to, registers.read32(at)); };
        const auto octets = [&](octet_counter& to, std::uint32_t low) {
            take(to, hardware::read_octets(registers, low));
        };
        for (std::size_t i = 0; i != single_.size(); ++i)
            packets(single_[i], counter_registers[i].offset);
        for (std::uint32_t i = 0; i != missed_.size(); ++i)
            packets(missed_[i], reg::mpc(i));
        for (std::uint32_t i = 0; i != counter_sets; ++i) {
            packets(dropped_[i], reg::qprdc(i));
            packets(received_[i], reg::qprc(i));
            packets(sent_[i], reg::qptc(i));
            octets(octets_received_[i], reg::qbrc(i));
            octets(octets_sent_[i], reg::qbtc(i));
        }
        octets(good_received_, reg::gorc);
        octets(good_sent_, reg::gotc);
        octets(total_received_, reg::tor);
    }

    using packet_counter = hardware::packet_counter;
    using octet_counter = hardware::octet_counter<36>;

    std::array<packet_counter, std::size(counter_registers)> single_;
    std::array<packet_counter, 8> missed_;
    std::array<packet_counter, counter_sets> dropped_;
    std::array<packet_counter, counter_sets> received_;
    std::array<packet_counter, counter_sets> sent_;
    std::array<octet_counter, counter_sets> octets_received_;
    std::array<octet_counter, counter_sets> octets_sent_;
    octet_counter good_received_;
    octet_counter good_sent_;
    octet_counter total_received_;
    // 10 Gbit/s carry 14.88 packets and 1250 bytes a microsecond.
    hardware::wire_limit believed_{{.packets = 15, .bytes = 1250}};
};

} // namespace ixgbe
