// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "ixgbe/await.hpp"
#include "ixgbe/registers.hpp"
#include "noria/wire/ethernet.hpp"

// Whose frames the card takes: its own address, and groups (7.1.1.1).

namespace ixgbe {

// The address that the EEPROM gave the card: it is in place after a reset.
template <hardware::register_space Registers>
[[nodiscard]] noria::result<noria::mac_address> read_mac(Registers& registers) noexcept {
    const std::uint32_t low = registers.read32(reg::ral(0));
    const std::uint32_t high = registers.read32(reg::rah(0));
    if (low == all_ones && high == all_ones)
        return gone();
    noria::mac_address address{};
    for (unsigned i = 0; i != 6; ++i)
        address.bytes[i] = static_cast<std::uint8_t>(i < 4 ? low >> 8 * i : high >> 8 * (i - 4));
    const bool empty = low == 0 && (high & 0xffff) == 0;
    if (empty || (address.bytes[0] & 1) != 0 || (high & reg::rah_valid) == 0)
        return noria::make_error(std::errc::protocol_error,
                                 "the card was expected to have an address of its own (RAL, RAH) and has "
                                 "none: give it one with set_mac",
                                 reg::rah_valid, high);
    return address;
}

// Without the valid bit the address is there and no frame is taken for it.
template <hardware::register_space Registers>
void set_mac(Registers& registers, const noria::mac_address& address) noexcept {
    const auto& b = address.bytes;
    registers.write32(reg::ral(0), b[0] | std::uint32_t{b[1]} << 8 | std::uint32_t{b[2]} << 16 |
                                       std::uint32_t{b[3]} << 24);
    registers.write32(reg::rah(0), b[4] | std::uint32_t{b[5]} << 8 | reg::rah_valid);
}

// A reset leaves these tables as they were, and after power-up nobody knows what is in them.
template <hardware::register_space Registers>
void clear_filter_tables(Registers& registers) noexcept {
    for (std::uint32_t i = 1; i != reg::receive_addresses; ++i) {
        registers.write32(reg::rah(i), 0); // the valid bit first
        registers.write32(reg::ral(i), 0);
    }
    for (std::uint32_t i = 0; i != 128; ++i) {
        registers.write32(reg::mta(i), 0);
        registers.write32(reg::vfta(i), 0);
    }
    registers.write32(reg::mcstctrl::at, reg::mcstctrl::filter);
}

// Lets a group in: a bit in a table of 4096, found by bits 47:36 of the address. Other groups may share it;
// then they come in as well.
template <hardware::register_space Registers>
void join(Registers& registers, const noria::mac_address& group) noexcept {
    const std::uint32_t place = (group.bytes[4] >> 4 | std::uint32_t{group.bytes[5]} << 4) & 0xfff;
    const std::uint32_t at = reg::mta(place / 32);
    registers.write32(at, registers.read32(at) | bit(place % 32));
}

} // namespace ixgbe
