// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "faults.hpp"
#include "register_file.hpp"

namespace model82599 {

// Counters that reading clears, 82599 section 8.2.3.23. They stick at all ones. Bytes have 36 bits, in two
// registers: reading the low one takes the whole number, and what of it the high one will show.
//
// They begin with numbers left over from whoever had the card before: a driver reads them all once.
class statistics_block {
  public:
    statistics_block(register_file& registers, fault_log& faults) noexcept
        : registers_(registers), faults_(faults) {
        octets_.fill({.value = leftover});
    }

    static constexpr std::uint32_t leftover = 0x82599;

    // One counter.
    void add(std::uint32_t offset, std::uint32_t count = 1) noexcept {
        std::uint32_t& value = registers_[offset];
        value = value + std::min(count, ~std::uint32_t{0} - value);
    }

    // A frame that the MAC took or dropped at its door. `on_wire` counts the CRC.
    void total_received(std::size_t on_wire) noexcept {
        add(tpr);
        add_octets(total_octets, on_wire);
    }
    // A frame that passed the filters, whether or not the packet buffer had room for it: an erratum, and why
    // software subtracts MPC from GPRC. `counted` has the CRC only where it is not stripped.
    void good_received(std::span<const std::byte> frame, std::size_t on_wire, std::size_t counted) noexcept {
        add(gprc);
        add_octets(good_octets_received, counted);
        by_address(frame, bprc, mprc);
        by_size(on_wire, prc64);
    }
    void missed(std::uint32_t traffic_class) noexcept { add(mpc + 4 * traffic_class); }

    void queue_received(std::uint32_t queue, std::size_t bytes) noexcept {
        const std::uint32_t set = set_of(rqsmr, queue);
        add(qprc + 0x40 * set);
        add_octets(first_queue_received + set, bytes);
    }
    // Dropped because its queue had no descriptor and may drop, or was not enabled.
    void queue_dropped(std::uint32_t queue) noexcept { add(qprdc + 0x40 * set_of(rqsmr, queue)); }

    void sent(std::span<const std::byte> frame, std::size_t on_wire) noexcept {
        add(gptc);
        add(tpt);
        add_octets(good_octets_sent, on_wire);
        by_address(frame, bptc, mptc);
        by_size(on_wire, ptc64);
    }
    void queue_sent(std::uint32_t queue, std::size_t bytes) noexcept {
        const std::uint32_t set = set_of(tqsm, queue);
        add(qptc + 0x40 * set);
        add_octets(first_queue_sent + set, bytes);
    }

    // A driver's read.
    [[nodiscard]] std::uint32_t read(std::uint32_t offset) noexcept {
        if (const low_half found = find(offset); found.which != not_octets) {
            octet_counter& counter = octets_[found.which];
            if (offset == found.offset) {
                counter.high = static_cast<std::uint32_t>(counter.value >> 32);
                counter.low_was_read = true;
                return static_cast<std::uint32_t>(std::exchange(counter.value, 0));
            }
            if (!std::exchange(counter.low_was_read, false))
                faults_.record(fault::high_half_first, offset);
            return std::exchange(counter.high, 0);
        }
        return std::exchange(registers_[offset], 0);
    }

    // Offsets that others count at.
    static constexpr std::uint32_t crc_errors = 0x4000;
    static constexpr std::uint32_t length_errors = 0x4040;
    static constexpr std::uint32_t undersize = 0x40a4;
    static constexpr std::uint32_t oversize = 0x40ac;
    static constexpr std::uint32_t xon_received = 0x41a4;
    static constexpr std::uint32_t xoff_received = 0x41a8;

  private:
    struct octet_counter {
        std::uint64_t value = 0;
        std::uint32_t high = 0;
        bool low_was_read = false;
    };
    struct low_half {
        std::size_t which;
        std::uint32_t offset;
    };

    static constexpr std::uint64_t most_octets = (std::uint64_t{1} << 36) - 1;
    static constexpr std::uint32_t sets = 16;
    static constexpr std::size_t good_octets_received = 0;
    static constexpr std::size_t good_octets_sent = 1;
    static constexpr std::size_t total_octets = 2;
    static constexpr std::size_t first_queue_received = 3;
    static constexpr std::size_t first_queue_sent = first_queue_received + sets;
    static constexpr std::size_t not_octets = first_queue_sent + sets;

    static constexpr std::uint32_t qprc = 0x1030;
    static constexpr std::uint32_t qbrc = 0x1034;
    static constexpr std::uint32_t qprdc = 0x1430;
    static constexpr std::uint32_t rqsmr = 0x2300;
    static constexpr std::uint32_t mpc = 0x3fa0;
    static constexpr std::uint32_t prc64 = 0x405c;
    static constexpr std::uint32_t gprc = 0x4074;
    static constexpr std::uint32_t bprc = 0x4078;
    static constexpr std::uint32_t mprc = 0x407c;
    static constexpr std::uint32_t gptc = 0x4080;
    static constexpr std::uint32_t gorcl = 0x4088;
    static constexpr std::uint32_t gotcl = 0x4090;
    static constexpr std::uint32_t torl = 0x40c0;
    static constexpr std::uint32_t tpr = 0x40d0;
    static constexpr std::uint32_t tpt = 0x40d4;
    static constexpr std::uint32_t ptc64 = 0x40d8;
    static constexpr std::uint32_t mptc = 0x40f0;
    static constexpr std::uint32_t bptc = 0x40f4;
    static constexpr std::uint32_t qptc = 0x6030;
    static constexpr std::uint32_t tqsm = 0x8600;
    static constexpr std::uint32_t qbtc = 0x8700;

    void add_octets(std::size_t which, std::size_t count) noexcept {
        octets_[which].value = std::min(octets_[which].value + count, most_octets);
    }

    [[nodiscard]] static low_half find(std::uint32_t offset) noexcept {
        const std::uint32_t low = offset & ~std::uint32_t{7};
        if (low == gorcl || low == gotcl || low == torl)
            return {low == gorcl   ? good_octets_received
                    : low == gotcl ? good_octets_sent
                                   : total_octets,
                    low};
        if (low >= qbtc && low < qbtc + 8 * sets)
            return {first_queue_sent + (low - qbtc) / 8, low};
        const std::uint32_t in_ring = offset % 0x40;
        if (offset >= qbrc && offset < qbrc + 0x40 * sets && (in_ring == 0x34 || in_ring == 0x38))
            return {first_queue_received + (offset - qprc) / 0x40, offset - in_ring + 0x34};
        return {not_octets, 0};
    }

    // Four queues a register, a byte each.
    [[nodiscard]] std::uint32_t set_of(std::uint32_t map, std::uint32_t queue) const noexcept {
        return registers_[map + queue / 4 * 4] >> (8 * (queue % 4)) & 0xf;
    }

    void by_address(std::span<const std::byte> frame, std::uint32_t broadcast,
                    std::uint32_t multicast) noexcept {
        const auto ones = [](std::byte byte) { return byte == std::byte{0xff}; };
        if (frame.size() >= 6 && std::ranges::all_of(frame.first(6), ones))
            add(broadcast);
        else if (!frame.empty() && (frame[0] & std::byte{1}) != std::byte{})
            add(multicast);
    }
    // Six registers: 64, to 127, to 255, to 511, to 1023, and above.
    void by_size(std::size_t on_wire, std::uint32_t first) noexcept {
        std::uint32_t place = 0;
        for (std::size_t limit = 64; place != 5 && on_wire > limit; limit = limit == 64 ? 127 : 2 * limit + 1)
            ++place;
        add(first + 4 * place);
    }

    register_file& registers_;
    fault_log& faults_;
    std::array<octet_counter, not_octets> octets_;
};

} // namespace model82599
