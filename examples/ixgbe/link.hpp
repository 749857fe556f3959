// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "hardware/registers.hpp"
#include "hardware/wait.hpp"
#include "ixgbe/registers.hpp"

// The wire: bringing the link up, and seeing it go (4.6.4, 8.2.3.22).

namespace ixgbe {

struct link_state {
    bool up = false;
    std::uint32_t mbits = 0; // a second; 0 while it is down
    bool gone = false;       // nobody answers: the card is not there any more

    friend bool operator==(const link_state&, const link_state&) noexcept = default;
};

// Negotiates anew with what the card's EEPROM says of its port (KX4, SFP+, ...).
template <hardware::register_space Registers>
void start_link(Registers& registers) noexcept {
    registers.write32(reg::autoc::at, registers.read32(reg::autoc::at) | reg::autoc::restart);
}

// Two register reads: the first may be old news, of a link that was lost since.
template <hardware::register_space Registers>
[[nodiscard]] link_state read_link(Registers& registers) noexcept {
    static_cast<void>(registers.read32(reg::links::at));
    const std::uint32_t links = registers.read32(reg::links::at);
    if (links == all_ones)
        return {.gone = true};
    if ((links & reg::links::up) == 0)
        return {};
    constexpr std::uint32_t mbits[] = {0, 100, 1'000, 10'000};
    return {.up = true, .mbits = mbits[links >> reg::links::speed & 3]};
}

// Waits until the link is up: with the slowest partner that takes 9 s. Without a cable it ends in an
// error.
template <hardware::register_space Registers, noria::clock_source Clock>
[[nodiscard]] noria::error wait_for_link(Registers& registers, Clock& clock,
                                         noria::nanoseconds limit = 9'000 * millisecond) noexcept {
    static_cast<void>(registers.read32(reg::links::at)); // of a link that was lost since, perhaps
    return await(registers, reg::links::at, reg::links::up, reg::links::up, clock, limit,
                 "the link was expected to come up (LINKS): see whether there is a cable in the port, a "
                 "module that the card takes, and somebody at the other end");
}

} // namespace ixgbe
