// SPDX-License-Identifier: BSL-1.0
#pragma once

// The driver of the 82574 on a quiet card that is put to the test.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "e1000e/driver.hpp"
#include "hardware/e1000e_quiet_card.hpp"

namespace e1000e_test {

// A quiet card that may be gone, or lose one answer, and remembers when it was asked.
struct tried_card : quiet_card {
    std::uint32_t read32(std::uint32_t offset) noexcept {
        note(offset);
        const std::uint32_t value = quiet_card::read32(offset);
        return gone || ++reads == lost ? ~0u : value;
    }
    void write32(std::uint32_t offset, std::uint32_t value) noexcept {
        note(offset);
        quiet_card::write32(offset, value);
    }
    void doorbell32(std::uint32_t offset, std::uint32_t value) noexcept {
        note(offset);
        quiet_card::doorbell32(offset, value);
    }
    void note(std::uint32_t offset) { times.emplace_back(offset, clock.time); }
    // How long the card was left alone behind the nth write of that value.
    noria::nanoseconds rest_after(std::uint32_t offset, std::uint32_t value, std::size_t nth = 0) const {
        std::size_t writes_seen = 0;
        std::size_t at = 0;
        for (const auto& [to, what] : writes) {
            while (times[at].first != to)
                ++at;
            if (to == offset && what == value && writes_seen++ == nth)
                return times[at + 1].second - times[at].second;
            ++at;
        }
        ADD_FAILURE() << "nothing like that was written";
        return 0;
    }

    fast_clock clock;
    bool gone = false;
    std::uint64_t reads = 0;
    std::uint64_t lost = 0; // which of them; 0 is none
    std::vector<std::pair<std::uint32_t, noria::nanoseconds>> times;
};
using driver_type = e1000e::driver<tried_card, plain_memory, fast_clock>;
using written = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

struct opened {
    explicit opened(const e1000e::card_setup& setup = {}) {
        auto made = driver_type::open(card, memory, card.clock, {.card = setup});
        EXPECT_TRUE(made) << (made ? "" : made.error().advice);
        driver = *std::move(made);
        at_open = std::exchange(card.writes, {});
    }
    std::uint32_t rctl() { return card.values[0x100]; }

    tried_card card;
    plain_memory memory;
    written at_open;
    noria::owned<driver_type> driver;
};

inline constexpr std::uint32_t all = ~0u;

} // namespace e1000e_test
