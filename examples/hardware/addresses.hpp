// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "hardware/registers.hpp"
#include "hardware/wait.hpp"
#include "noria/core/result.hpp"
#include "noria/wire/ethernet.hpp"

// Whose frames a card takes: its own address, and groups. Both cards do it alike, and have their registers at
// different places (82574: 7.1.1; 82599: 7.1.1.1).

namespace hardware {

struct address_registers {
    several low;         // RAL: bytes 0 to 3 of an address,
    several high;        // RAH: bytes 4 and 5, and whether it is valid
    std::uint32_t count; // of these pairs; the first is the card's own
    several groups;      // MTA
};
inline constexpr std::uint32_t address_valid = bit(31);     // RAH.AV
inline constexpr std::uint32_t group_registers = 4096 / 32; // a bit for each value of 12 bits of an address

// Set-up. The address that the EEPROM gave the card: it is in place after a reset.
template <register_space Registers>
[[nodiscard]] noria::result<noria::mac_address> read_mac(Registers& registers,
                                                         const address_registers& at) noexcept {
    const std::uint32_t low = read_again_if_lost(registers, at.low(0));
    const std::uint32_t high = read_again_if_lost(registers, at.high(0));
    if (low == all_ones || high == all_ones) // RAH has bits that are never set; and RAL would be a group's
        return gone();
    noria::mac_address address{};
    for (unsigned i = 0; i != 6; ++i)
        address.bytes[i] = static_cast<std::uint8_t>(i < 4 ? low >> 8 * i : high >> 8 * (i - 4));
    const bool empty = low == 0 && (high & 0xffff) == 0;
    if (empty || (address.bytes[0] & 1) != 0 || (high & address_valid) == 0)
        return noria::make_error(std::errc::protocol_error,
                                 "the card was expected to have an address of its own (RAL, RAH) and has "
                                 "none: see whether its EEPROM is intact",
                                 address_valid, high);
    return address;
}

// Any time. Without the valid bit the address would be there, and no frame taken for it.
template <register_space Registers>
void set_mac(Registers& registers, const address_registers& at, const noria::mac_address& address) noexcept {
    const auto& b = address.bytes;
    registers.write32(at.low(0), b[0] | std::uint32_t{b[1]} << 8 | std::uint32_t{b[2]} << 16 |
                                     std::uint32_t{b[3]} << 24);
    registers.write32(at.high(0), b[4] | std::uint32_t{b[5]} << 8 | address_valid);
}

// Set-up. All other addresses and all groups, away: a reset leaves these tables as they were, and after
// power-up nobody knows what is in them (82574: 4.6.5; 82599: 4.6.7).
template <register_space Registers>
void clear_addresses(Registers& registers, const address_registers& at) noexcept {
    for (std::uint32_t i = 1; i != at.count; ++i) {
        registers.write32(at.high(i), 0); // the valid bit first
        registers.write32(at.low(i), 0);
    }
    for (std::uint32_t i = 0; i != group_registers; ++i)
        registers.write32(at.groups(i), 0);
}

// Any time. Lets a group in: a bit in a table of 4096, found by bits 47:36 of the address. Other groups may
// share it; then they come in as well.
template <register_space Registers>
void join(Registers& registers, const address_registers& at, const noria::mac_address& group) noexcept {
    const std::uint32_t place = (group.bytes[4] >> 4 | std::uint32_t{group.bytes[5]} << 4) & 0xfff;
    const std::uint32_t word = at.groups(place / 32);
    change(registers, word, 0, bit(place % 32)); // a word that is all ones has it already
}

} // namespace hardware
