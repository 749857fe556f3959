// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "hardware/registers.hpp"
#include "noria/core/clock.hpp"
#include "noria/core/result.hpp"

// Waiting for the card, in the one way this driver does it: for a while, and then with an error.

namespace ixgbe {

inline constexpr noria::nanoseconds microsecond = 1'000;
inline constexpr noria::nanoseconds millisecond = 1'000'000;

[[nodiscard]] inline noria::error gone() noexcept {
    return noria::make_error(std::errc::no_such_device,
                             "a register was expected to answer, and all ones came: the card has been pulled "
                             "out or has lost its power; look at `dmesg` and `lspci`, and open it anew");
}

// Waits until (register & mask) == wanted. `what` says what is missing when it does not come.
template <hardware::register_space Registers, noria::clock_source Clock>
[[nodiscard]] noria::error await(Registers& registers, std::uint32_t offset, std::uint32_t mask,
                                 std::uint32_t wanted, Clock& clock, noria::nanoseconds limit,
                                 const char* what) noexcept {
    switch (hardware::wait_until(registers, offset, mask, wanted, clock, limit)) {
    case hardware::waited::met:
        return {};
    case hardware::waited::gone:
        return gone();
    case hardware::waited::timed_out:
        break;
    }
    return noria::make_error(std::errc::timed_out, what, wanted, registers.read32(offset) & mask);
}

} // namespace ixgbe
