// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "hardware/registers.hpp"
#include "noria/core/clock.hpp"
#include "noria/core/result.hpp"

// Waiting for a card, in the one way that drivers do it here: for a while, and then with an error.

namespace hardware {

inline constexpr noria::nanoseconds microsecond = 1'000;
inline constexpr noria::nanoseconds millisecond = 1'000'000;

// What a register said while somebody waited for it.
enum class waited : std::uint8_t {
    met,       // what was waited for
    timed_out, // it never came
    gone       // all ones: nobody answers any more, the card has been pulled out or is dead
};

// Reads a register until (value & mask) == wanted, at most `limit` ns. A dead card ends the wait at once,
// unless all ones are what is wanted.
template <register_space Registers, noria::clock_source Clock>
[[nodiscard]] waited wait_until(Registers& registers, std::uint32_t offset, std::uint32_t mask,
                                std::uint32_t wanted, Clock& clock, noria::nanoseconds limit) noexcept {
    const noria::nanoseconds begin = clock.now();
    for (;;) {
        // The time first: whoever was kept from running meanwhile still looks once more.
        const bool last = clock.now() - begin >= limit;
        const std::uint32_t value = registers.read32(offset);
        if ((value & mask) == wanted && (value != all_ones || mask == all_ones))
            return waited::met;
        if (value == all_ones)
            return waited::gone;
        if (last)
            return waited::timed_out;
    }
}

// Lets `time` ns pass, which the data sheet asks for in some places.
template <noria::clock_source Clock>
void let_pass(Clock& clock, noria::nanoseconds time) noexcept {
    const noria::nanoseconds begin = clock.now();
    while (clock.now() - begin < time) {
    }
}

// A queue that did not do what it was told, or whose card was to be reset and was not seen to end that: the
// card may still use the ring and all that it was given.
[[nodiscard]] inline noria::error still_in_use() noexcept {
    return noria::make_error(std::errc::device_or_resource_busy,
                             "the card may still use what this queue gave it: reset() its driver until that "
                             "succeeds, and where it never does, reset the card through the bus before");
}

[[nodiscard]] inline noria::error gone() noexcept {
    return noria::make_error(std::errc::no_such_device,
                             "a register was expected to answer, and all ones came: the card has been pulled "
                             "out or has lost its power, or QEMU has ended; look at `dmesg` and `lspci`, and "
                             "open it anew");
}

// The same as an error, or none. `what` says what is missing when it does not come.
template <register_space Registers, noria::clock_source Clock>
[[nodiscard]] noria::error await(Registers& registers, std::uint32_t offset, std::uint32_t mask,
                                 std::uint32_t wanted, Clock& clock, noria::nanoseconds limit,
                                 const char* what) noexcept {
    switch (wait_until(registers, offset, mask, wanted, clock, limit)) {
    case waited::met:
        return {};
    case waited::gone:
        return gone();
    case waited::timed_out:
        break;
    }
    return noria::make_error(std::errc::timed_out, what, wanted, registers.read32(offset) & mask);
}

} // namespace hardware
