// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstdint>

#include "hardware/registers.hpp"

// Registers that are used as they were declared, and nothing else: a slip of the pen in an offset, a write to
// what can only be read, or an access in the middle of a reset does not reach the card.

namespace hardware {

// What may be done with a register.
enum class use : std::uint8_t { nothing, read_only, write_only, read_write };

// What is declared of a card. Requires: of(offset) -> use; and, for resets, begins_reset(offset, value) of a
// write, ends_reset(offset, value) of a read, and during_reset(offset), whether it may be read meanwhile. All
// static and noexcept.
template <class Declared>
concept declared_registers = requires(std::uint32_t offset, std::uint32_t value) {
    { Declared::of(offset) } noexcept -> std::same_as<use>;
    { Declared::begins_reset(offset, value) } noexcept -> std::same_as<bool>;
    { Declared::ends_reset(offset, value) } noexcept -> std::same_as<bool>;
    { Declared::during_reset(offset) } noexcept -> std::same_as<bool>;
};

// Around any registers; models register_space itself. What is not allowed is counted and not done: such a
// read is 0. One thread.
template <register_space Registers, declared_registers Declared>
class checked {
  public:
    explicit checked(Registers& inner) noexcept : inner_(&inner) {}

    [[nodiscard]] std::uint32_t read32(std::uint32_t offset) noexcept {
        const use may = Declared::of(offset);
        if (!allowed(offset, may == use::read_only || may == use::read_write,
                     resetting_ && !Declared::during_reset(offset)))
            return 0;
        const std::uint32_t value = inner_->read32(offset);
        if (resetting_ && Declared::ends_reset(offset, value))
            resetting_ = false;
        return value;
    }
    void write32(std::uint32_t offset, std::uint32_t value) noexcept {
        if (may_write(offset, value))
            inner_->write32(offset, value);
    }
    void doorbell32(std::uint32_t offset, std::uint32_t value) noexcept {
        if (may_write(offset, value))
            inner_->doorbell32(offset, value);
    }

    // What was not allowed: how often in all, and of which register the first time.
    [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }
    [[nodiscard]] std::uint32_t first_refused() const noexcept { return first_refused_; }

  private:
    [[nodiscard]] bool may_write(std::uint32_t offset, std::uint32_t value) noexcept {
        const use may = Declared::of(offset);
        if (!allowed(offset, may == use::write_only || may == use::read_write, resetting_))
            return false;
        resetting_ = resetting_ || Declared::begins_reset(offset, value);
        return true;
    }
    [[nodiscard]] bool allowed(std::uint32_t offset, bool declared, bool too_early) noexcept {
        if (declared && !too_early && offset % 4 == 0) [[likely]]
            return true;
        if (refused_++ == 0)
            first_refused_ = offset;
        return false;
    }

    Registers* inner_;
    bool resetting_ = false;
    std::uint64_t refused_ = 0;
    std::uint32_t first_refused_ = 0;
};

} // namespace hardware
