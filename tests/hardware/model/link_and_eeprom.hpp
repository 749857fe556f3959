// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "noria/core/clock.hpp"
#include "noria/wire/ethernet.hpp"

#include "interrupts.hpp"
#include "offsets.hpp"
#include "register_file.hpp"

namespace model82599 {

enum class link_speed : std::uint8_t { fast = 1, gigabit = 2, ten_gigabit = 3 };

// The link comes up some time after it was asked to negotiate, if there is a cable, and LINKS says so one
// read late.
class link_block {
  public:
    link_block(register_file& registers, interrupt_block& interrupts, noria::nanoseconds delay) noexcept
        : registers_(registers), interrupts_(interrupts), delay_(delay) {}

    [[nodiscard]] bool up() const noexcept { return up_; }

    // What is at the other end.
    void cable(bool plugged_in, link_speed speed, noria::nanoseconds now) noexcept {
        plugged_in_ = plugged_in;
        speed_ = speed;
        if (plugged_in)
            negotiate(now);
        else
            change(false);
    }

    // AUTOC bit 12 restarts the negotiation, and clears itself.
    void write_autoc(std::uint32_t value, noria::nanoseconds now) noexcept {
        registers_[at::autoc] = value & ~restart;
        if ((value & restart) != 0) {
            change(false);
            negotiate(now);
            // The far end has told of its abilities: bits 19:16.
            registers_[at::anlp1] = 0x000f'0000;
        }
    }

    [[nodiscard]] std::uint32_t read_links() noexcept {
        const std::uint32_t shown = registers_[at::links];
        registers_[at::links] = up_ ? 1u << 30 | static_cast<std::uint32_t>(speed_) << 28 | 1u << 7
                                    : 0; // 7: up, the latest state
        return shown;
    }

    void work(noria::nanoseconds now) noexcept {
        if (negotiating_ && now >= done_at_) {
            negotiating_ = false;
            change(plugged_in_);
        }
    }
    [[nodiscard]] bool busy() const noexcept { return negotiating_; }

    void reset(noria::nanoseconds now) noexcept {
        up_ = false;
        negotiate(now);
    }

  private:
    static constexpr std::uint32_t restart = 1u << 12;

    void negotiate(noria::nanoseconds now) noexcept {
        negotiating_ = true;
        done_at_ = now + delay_;
    }
    void change(bool up) noexcept {
        if (up != up_)
            interrupts_.other_event(interrupt_block::link_change);
        up_ = up;
    }

    register_file& registers_;
    interrupt_block& interrupts_;
    noria::nanoseconds delay_;
    noria::nanoseconds done_at_ = 0;
    link_speed speed_ = link_speed::ten_gigabit;
    bool plugged_in_ = true;
    bool negotiating_ = false;
    bool up_ = false;
};

// 64 words, read one at a time through EERD: the MAC address first, 0xffff where there is nothing, and at the
// end what makes all of them sum to 0xbaba.
class eeprom {
  public:
    explicit eeprom(const noria::mac_address& mac) noexcept {
        words_.fill(0xffff);
        for (std::size_t i = 0; i != 3; ++i)
            words_[i] = static_cast<std::uint16_t>(mac.bytes[2 * i] | mac.bytes[2 * i + 1] << 8);
        std::uint32_t sum = 0;
        for (std::size_t i = 0; i != checksum_word; ++i)
            sum += words_[i];
        words_[checksum_word] = static_cast<std::uint16_t>(0xbaba - sum);
    }

    // EERD after a write to it: bit 0 starts, 15:2 is the word, bit 1 says done, 31:16 is what it holds.
    [[nodiscard]] std::uint32_t answer(std::uint32_t asked) const noexcept {
        if ((asked & 1) == 0)
            return asked;
        const std::uint32_t word = asked >> 2 & 0x3fff;
        return std::uint32_t{word < words_.size() ? words_[word] : std::uint16_t{0xffff}} << 16 |
               (asked & 0xfffc) | 2;
    }

  private:
    static constexpr std::size_t checksum_word = 0x3f;

    std::array<std::uint16_t, checksum_word + 1> words_;
};

} // namespace model82599
