// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "faults.hpp"

namespace model82599 {

// How a register may be used.
enum class access : std::uint8_t { undeclared, read_write, read_only, write_only, clear_on_read };

// Who answers for it. What belongs to nobody only keeps what was written.
enum class owner : std::uint8_t { nobody, general, interrupts, link, statistics, receive, transmit };

// The values behind the 128 KiB of register space, and what may be done with each. What a register does is
// its owner's affair.
class register_file {
  public:
    static constexpr std::uint32_t size = 0x2'0000; // bytes

    struct cell {
        std::uint32_t value = 0;
        std::uint32_t initial = 0;
        access use = access::undeclared;
        owner answers = owner::nobody;
    };

    register_file() : cells_(size / 4) {}

    // `count` registers, `step` bytes apart.
    void declare(std::uint32_t offset, access use, owner answers = owner::nobody, std::uint32_t initial = 0,
                 std::uint32_t count = 1, std::uint32_t step = 4) {
        for (std::uint32_t i = 0; i != count; ++i)
            cells_[(offset + i * step) / 4] = {initial, initial, use, answers};
    }

    [[nodiscard]] const cell& look(std::uint32_t offset) const noexcept { return cells_[offset / 4]; }

    // For the card itself: no access kinds, no effects.
    [[nodiscard]] std::uint32_t operator[](std::uint32_t offset) const noexcept {
        return cells_[offset / 4].value;
    }
    [[nodiscard]] std::uint32_t& operator[](std::uint32_t offset) noexcept {
        return cells_[offset / 4].value;
    }
    [[nodiscard]] bool bit(std::uint32_t offset, unsigned which) const noexcept {
        return ((*this)[offset] >> which & 1) != 0;
    }
    // Bits high:low.
    [[nodiscard]] std::uint32_t field(std::uint32_t offset, unsigned high, unsigned low) const noexcept {
        return (*this)[offset] >> low & static_cast<std::uint32_t>((std::uint64_t{2} << (high - low)) - 1);
    }
    void set_bit(std::uint32_t offset, unsigned which, bool on) noexcept {
        const std::uint32_t mask = std::uint32_t{1} << which;
        (*this)[offset] = on ? (*this)[offset] | mask : (*this)[offset] & ~mask;
    }

    // A reset: all but the statistics, which a driver must not rely on either way.
    void to_initial() noexcept {
        for (cell& here : cells_)
            if (here.use != access::clear_on_read)
                here.value = here.initial;
    }

  private:
    std::vector<cell> cells_;
};

} // namespace model82599
