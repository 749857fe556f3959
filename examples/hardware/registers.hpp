// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/core/clock.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/device_order.hpp"

// The first seam of a driver: the card's registers. A driver is written against the concept; what stands
// behind it is a card's memory, a model of one, or a socket to QEMU.

namespace hardware {

// Where a device's 32-bit registers are reached, by their offset in bytes from the start of its register
// space. Reading may have effects (clear on read), so a call is one access, never none and never two.
// Requires: read32(offset), write32(offset, value), and doorbell32(offset, value), which is a write32 before
// which the device sees all that was written to memory. All noexcept.
template <class Registers>
concept register_space = requires(Registers& registers, std::uint32_t offset, std::uint32_t value) {
    { registers.read32(offset) } noexcept -> std::same_as<std::uint32_t>;
    { registers.write32(offset, value) } noexcept -> std::same_as<void>;
    { registers.doorbell32(offset, value) } noexcept -> std::same_as<void>;
};

// A card's registers, mapped into our memory. Each access is one mov.
class mapped_registers {
  public:
    explicit mapped_registers(std::span<std::byte> mapped) noexcept
        : base_(mapped.data()), bytes_(mapped.size()) {}

    [[nodiscard]] std::uint32_t read32(std::uint32_t offset) noexcept { return at(offset); }
    void write32(std::uint32_t offset, std::uint32_t value) noexcept { at(offset) = value; }
    void doorbell32(std::uint32_t offset, std::uint32_t value) noexcept {
        noria::coherent_device_order::doorbell(at(offset), value);
    }

  private:
    [[nodiscard]] volatile std::uint32_t& at(std::uint32_t offset) const noexcept {
        NORIA_EXPECTS(offset % 4 == 0 && offset + 4 <= bytes_,
                      "a register is at a multiple of 4 inside the mapped space");
        return *reinterpret_cast<volatile std::uint32_t*>(base_ + offset);
    }

    std::byte* base_;
    std::size_t bytes_;
};

static_assert(register_space<mapped_registers>);

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
    constexpr std::uint32_t nobody = 0xffff'ffff;
    const noria::nanoseconds begin = clock.now();
    for (;;) {
        // The time first: whoever was kept from running meanwhile still looks once more.
        const bool last = clock.now() - begin >= limit;
        const std::uint32_t value = registers.read32(offset);
        if ((value & mask) == wanted && (value != nobody || mask == nobody))
            return waited::met;
        if (value == nobody)
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

} // namespace hardware
