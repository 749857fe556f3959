// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/core/contract.hpp"
#include "noria/core/device_order.hpp"

// The first seam of a driver: the card's registers. A driver is written against the concept; what stands
// behind it is a card's memory, a model of one, or a socket to QEMU.

namespace hardware {

// What is read where nobody answers.
inline constexpr std::uint32_t all_ones = 0xffff'ffff;

[[nodiscard]] constexpr std::uint32_t bit(unsigned number) noexcept {
    return std::uint32_t{1} << number;
}
// `value` in the field whose lowest bit is `lowest`.
[[nodiscard]] constexpr std::uint32_t field(std::uint32_t value, unsigned lowest) noexcept {
    return value << lowest;
}
// Where several registers of one kind are, one behind the other.
struct several {
    std::uint32_t first;
    std::uint32_t step = 4; // bytes
    [[nodiscard]] constexpr std::uint32_t operator()(std::uint32_t i) const noexcept {
        return first + step * i;
    }
};

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

// What a register says that never is all ones. A link that hiccups loses an answer, and then all ones come as
// from a card that is gone: who would believe that, or write back what was read, asks once more.
template <register_space Registers>
[[nodiscard]] std::uint32_t read_again_if_lost(Registers& registers, std::uint32_t offset) noexcept {
    const std::uint32_t value = registers.read32(offset);
    return value != all_ones ? value : registers.read32(offset);
}

// Changes some bits of a register that holds what was written to it. Nothing, of a card that does not answer:
// what is read there is nobody's wish.
template <register_space Registers>
void change(Registers& registers, std::uint32_t offset, std::uint32_t take_away,
            std::uint32_t put_in) noexcept {
    if (const std::uint32_t was = read_again_if_lost(registers, offset); was != all_ones)
        registers.write32(offset, (was & ~take_away) | put_in);
}

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

} // namespace hardware
