// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "e1000e/await.hpp"
#include "e1000e/registers.hpp"
#include "noria/wire/ethernet.hpp"

// Whose frames the card takes: its own address, and groups (7.1.1).

namespace e1000e {

// What concerns the whole card and not one queue.
struct card_setup {
    std::uint32_t longest_frame = 1518; // bytes, CRC included; up to 9234
    bool promiscuous = false;           // frames for others too
    bool all_multicast = false;
    bool vlan = true; // the card takes tags out of frames that come, and puts them in those that go (7.5)
};
inline constexpr std::uint32_t longest_jumbo = 9234;

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
                                 "none: see whether its EEPROM is intact",
                                 reg::rah_valid, high);
    return address;
}

template <hardware::register_space Registers>
void set_mac(Registers& registers, const noria::mac_address& address) noexcept {
    const auto& b = address.bytes;
    registers.write32(reg::ral(0), b[0] | std::uint32_t{b[1]} << 8 | std::uint32_t{b[2]} << 16 |
                                       std::uint32_t{b[3]} << 24);
    registers.write32(reg::rah(0), b[4] | std::uint32_t{b[5]} << 8 | reg::rah_valid);
}

// All other addresses and the multicast table, empty: after a power-on they hold anything (4.6.5).
template <hardware::register_space Registers>
void clear_filter_tables(Registers& registers) noexcept {
    for (std::uint32_t i = 1; i != reg::receive_addresses; ++i) {
        registers.write32(reg::rah(i), 0); // the valid bit first
        registers.write32(reg::ral(i), 0);
    }
    for (std::uint32_t i = 0; i != reg::mta_registers; ++i)
        registers.write32(reg::mta(i), 0);
}

// Lets a group in: a bit in a table of 4096, found by bits 47:36 of the address (RCTL.MO = 0). Other groups
// may share it; then they come in as well.
template <hardware::register_space Registers>
void join(Registers& registers, const noria::mac_address& group) noexcept {
    const std::uint32_t place = (group.bytes[4] >> 4 | std::uint32_t{group.bytes[5]} << 4) & 0xfff;
    const std::uint32_t at = reg::mta(place / 32);
    registers.write32(at, registers.read32(at) | bit(place % 32));
}

// What RCTL says of whom to listen to, and that the check sequence is taken off (10.2.5.1).
[[nodiscard]] constexpr std::uint32_t filters(const card_setup& of) noexcept {
    using namespace reg::rctl;
    return accept_broadcast | strip_crc | (of.promiscuous ? unicast_promiscuous | multicast_promiscuous : 0) |
           (of.all_multicast ? multicast_promiscuous : 0) | (of.longest_frame > 1522 ? long_packets : 0);
}
inline constexpr std::uint32_t filter_bits =
    filters({.longest_frame = longest_jumbo, .promiscuous = true, .all_multicast = true});

} // namespace e1000e
