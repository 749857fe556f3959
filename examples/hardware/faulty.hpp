// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "hardware/registers.hpp"

// Registers that fail as cards do: pulled out of the slot between two accesses, with bits that never change,
// and with doorbells that ring late, so that DMA is late.

namespace hardware {

// Around any registers; models register_space itself. Until a fault is asked for it does nothing. One thread.
template <register_space Registers>
class faulty {
  public:
    static constexpr std::size_t most_stuck = 8;
    static constexpr std::size_t most_held = 64;

    explicit faulty(Registers& inner) noexcept : inner_(&inner) {}

    // After so many more accesses the card is gone: reads are all ones, writes go nowhere.
    void pull_out_after(std::uint64_t accesses) noexcept { left_ = accesses; }
    [[nodiscard]] bool gone() const noexcept { return left_ == 0; }

    // From now on these bits of a register read as in `value`. The first 8 of them.
    void stick(std::uint32_t offset, std::uint32_t bits, std::uint32_t value) noexcept {
        if (stuck_count_ != most_stuck)
            stuck_[stuck_count_++] = {offset, bits, value & bits};
    }
    void let_go() noexcept { stuck_count_ = 0; }

    // Doorbells do not ring until ring(), in order; the 65th rings them all.
    void hold_doorbells() noexcept { holding_ = true; }
    void ring() noexcept {
        holding_ = false;
        for (std::size_t i = 0; i != held_count_ && !gone(); ++i)
            inner_->doorbell32(held_[i].offset, held_[i].value);
        held_count_ = 0;
    }

    [[nodiscard]] std::uint32_t read32(std::uint32_t offset) noexcept {
        if (!counts())
            return 0xffff'ffff;
        std::uint32_t value = inner_->read32(offset);
        for (std::size_t i = 0; i != stuck_count_; ++i)
            if (stuck_[i].offset == offset)
                value = (value & ~stuck_[i].bits) | stuck_[i].value;
        return value;
    }
    void write32(std::uint32_t offset, std::uint32_t value) noexcept {
        if (counts())
            inner_->write32(offset, value);
    }
    void doorbell32(std::uint32_t offset, std::uint32_t value) noexcept {
        if (!counts())
            return;
        if (holding_ && held_count_ == most_held)
            ring();
        if (holding_)
            held_[held_count_++] = {offset, value};
        else
            inner_->doorbell32(offset, value);
    }

    // All of them, those of a card that is gone as well.
    [[nodiscard]] std::uint64_t accesses() const noexcept { return accesses_; }

  private:
    static constexpr std::uint64_t never = ~std::uint64_t{0};

    // Is the card still there for this access?
    [[nodiscard]] bool counts() noexcept {
        ++accesses_;
        if (left_ == 0)
            return false;
        left_ -= left_ == never ? 0 : 1;
        return true;
    }

    struct stuck {
        std::uint32_t offset;
        std::uint32_t bits;
        std::uint32_t value;
    };
    struct held {
        std::uint32_t offset;
        std::uint32_t value;
    };

    Registers* inner_;
    std::uint64_t left_ = never;
    std::uint64_t accesses_ = 0;
    std::array<stuck, most_stuck> stuck_;
    std::size_t stuck_count_ = 0;
    std::array<held, most_held> held_;
    std::size_t held_count_ = 0;
    bool holding_ = false;
};

} // namespace hardware
