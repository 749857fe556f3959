// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "e1000e/registers.hpp"
#include "hardware/registers.hpp"
#include "hardware/wait.hpp"

// From a card in any state to one that is silent and negotiates its link: the first steps of the data sheet's
// software initialization sequence (4.6). All are set-up: one thread, some milliseconds, and every wait has
// an end.

namespace e1000e {

// What concerns the whole card and not one queue.
struct card_setup {
    std::uint32_t longest_frame = 1518; // bytes, CRC included; up to 9234
    bool promiscuous = false;           // frames for others too
    bool all_multicast = false;
    bool vlan = true; // the card takes tags out of frames that come, and puts them in those that go (7.5)
};
inline constexpr std::uint32_t longest_jumbo = 9234;

struct link_state {
    bool up = false;
    bool full_duplex = false;
    std::uint32_t mbits = 0; // a second; 0 while it is down
    bool gone = false;       // nobody answers: the card is not there any more

    friend bool operator==(const link_state&, const link_state&) noexcept = default;
};

// Interrupts off, and none left that waits (4.6.1).
template <hardware::register_space Registers>
void silence(Registers& card) noexcept {
    card.write32(reg::imc, all_ones);
    static_cast<void>(card.read32(reg::icr));
}

// Stops all traffic and resets the card, which keeps its address and forgets all else (4.6.2). 10 ms, and 110
// at most. No error: the reset has ended, and the card uses nothing that it was given before.
template <hardware::register_space Registers, noria::clock_source Clock>
[[nodiscard]] noria::error reset(Registers& card, Clock& clock) noexcept {
    const std::uint32_t before = hardware::read_again_if_lost(card, reg::ctrl::at);
    if (before == all_ones)
        return gone();
    silence(card);
    card.write32(reg::rctl::at, 0);
    card.write32(reg::tctl::at, reg::tctl::pad_short);

    // A reset in the middle of a request to memory can hang the bus: the card is asked to begin no more, and
    // has 80 ms to end those it has begun. One that does not is reset all the same.
    card.write32(reg::ctrl::at, before | reg::ctrl::gio_master_disable);
    static_cast<void>(hardware::wait_until(card, reg::status::at, reg::status::gio_master_enabled, 0, clock,
                                           80 * millisecond));

    card.write32(reg::ctrl::at, before | reg::ctrl::device_reset);
    hardware::let_pass(clock, 10 * millisecond); // it is not to be touched before
    return await(card, reg::ctrl::at, reg::ctrl::device_reset, 0, clock, 10 * millisecond,
                 "the card was expected to end its reset (CTRL.RST) within 20 ms: reset it through the bus, "
                 "or switch the machine off and on");
}

// Behind a reset: quiet again, and everything loaded that the card loads by itself.
template <hardware::register_space Registers, noria::clock_source Clock>
[[nodiscard]] noria::error wait_until_loaded(Registers& card, Clock& clock) noexcept {
    silence(card); // the reset has undone the first time
    return await(card, reg::eecd::at, reg::eecd::auto_read_done, reg::eecd::auto_read_done, clock,
                 10 * millisecond,
                 "the card was expected to have read its EEPROM (EECD.ARD) 10 ms after a reset: switch the "
                 "machine off and on, and see whether there is one");
}

// What RCTL says of whom to listen to, and that the check sequence is taken off (10.2.5.1).
[[nodiscard]] constexpr std::uint32_t filters(const card_setup& of) noexcept {
    using namespace reg::rctl;
    return accept_broadcast | strip_crc | (of.promiscuous ? unicast_promiscuous | multicast_promiscuous : 0) |
           (of.all_multicast ? multicast_promiscuous : 0) | (of.longest_frame > 1522 ? long_packets : 0);
}
inline constexpr std::uint32_t filter_bits =
    filters({.longest_frame = longest_jumbo, .promiscuous = true, .all_multicast = true});

// Lets the PHY negotiate, and the MAC follow what it finds (4.6.3). Whether the card minds VLAN tags is in
// the same register (7.5).
template <hardware::register_space Registers>
void start_link(Registers& card, bool vlan) noexcept {
    hardware::change(card, reg::ctrl::at, 0,
                     reg::ctrl::set_link_up | reg::ctrl::auto_speed | (vlan ? reg::ctrl::strip_vlan : 0));
}

template <hardware::register_space Registers>
[[nodiscard]] link_state read_link(Registers& card) noexcept {
    const std::uint32_t status = card.read32(reg::status::at);
    if (status == all_ones)
        return {.gone = true};
    if ((status & reg::status::link_up) == 0)
        return {};
    constexpr std::uint32_t mbits[] = {10, 100, 1000, 1000};
    return {.up = true,
            .full_duplex = (status & reg::status::full_duplex) != 0,
            .mbits = mbits[status >> reg::status::speed & 3]};
}

// Waits until the link is up: 2 to 4 s with most partners, for ever without a cable.
template <hardware::register_space Registers, noria::clock_source Clock>
[[nodiscard]] noria::error wait_for_link(Registers& card, Clock& clock,
                                         noria::nanoseconds limit = 5'000 * millisecond) noexcept {
    return await(
        card, reg::status::at, reg::status::link_up, reg::status::link_up, clock, limit,
        "the link was expected to come up (STATUS.LU): see whether there is a cable in the port, and "
        "somebody at the other end");
}

} // namespace e1000e
