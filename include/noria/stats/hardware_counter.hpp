// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <type_traits>

#include "noria/core/contract.hpp"
#include "noria/core/sync.hpp"
#include "noria/stats/counter.hpp"

namespace noria::inline NORIA_ABI {

// What a counter register does by itself.
enum class register_kind : unsigned char {
    wraps,          // counts on, modulo 2^bits
    clears_on_read, // says what came since it was last read, and sticks at its top
};

struct hardware_counter_options {
    unsigned bits = 32;
    register_kind kind = register_kind::wraps;

    friend bool operator==(const hardware_counter_options&, const hardware_counter_options&) = default;
};

// A counter register of a device, extended to 64 bits. It never goes backwards, and never shows a burst that
// the link could not have carried: each reading comes with `possible`, the most that can have been counted
// since the reading before (line rate times the time between them; some too much does no harm), and what goes
// beyond is not believed. The classic driver adds 2^32 or 2^36 whenever a reading is below the one before;
// but that happens just as well when the device was reset, or when the two halves of a reading were taken to
// either side of a carry, and then somebody goes looking for traffic that never was.
//
// What is not believed is not counted, and gaps() says how often something may be missing for that reason. So
// value() is what was counted for certain. It is exact as long as gaps() is 0, resets are announced with
// after_reset and no reading comes too late: of a register that wraps, `possible` has to stay below 2^bits,
// or below 2^32 for one that is read in two halves without a latch. What cannot be told apart is a reset that
// nobody announced, of a register that stood less than `possible` below its top: it looks like a wrap. The
// error is at most `possible`, so even that is no burst.
//
// Thread: one reads the register and calls observe and after_reset; value() and gaps() are for any.
// Progress: wait-free. No device access of its own.
template <hardware_counter_options Options = {}, class Sync = std_sync>
class basic_hardware_counter {
    static_assert(Options.bits >= 8 && Options.bits <= 64, "a counter register has 8 to 64 bits");

  public:
    static constexpr std::uint64_t top = ~std::uint64_t{0} >> (64 - Options.bits);

    // `reading`: what the register says now, so that what it counted before does not come as a burst. Of a
    // kind that clears: read it once and forget it.
    explicit basic_hardware_counter(std::uint64_t reading = 0) noexcept : last_(reading) {}

    // Takes a reading, and returns how much it added. Bits above the register's are ignored. A reading of all
    // ones is none: that is what a device answers that has left the bus. A register that wraps makes up for
    // one at the next reading.
    std::uint64_t observe(std::uint64_t reading, std::uint64_t possible) noexcept {
        reading &= top;
        if constexpr (Options.kind == register_kind::clears_on_read) {
            if (reading == top || reading > possible)
                return doubt();
            return count(reading);
        } else {
            // Since the last reading that was believed; saturates.
            possible_ = possible > ~possible_ ? ~std::uint64_t{0} : possible_ + possible;
            if (reading == top)
                return 0;
            if (possible_ > top) { // it may have gone all the way round, nobody knows how often
                resume_at(reading);
                return doubt();
            }
            const std::uint64_t step = (reading - last_) & top;
            // A reading that was not believed was torn, or the device was reset. This one tells: a register
            // that was reset counts on from there. Where both may be, what counts less is for certain.
            if (const std::uint64_t on = (reading - suspect_) & top;
                suspected_ && on <= possible && on < step) {
                resume_at(reading);
                doubt();
                return count(on);
            }
            if (step <= possible_) {
                resume_at(reading);
                return count(step);
            }
            suspect_ = reading;
            suspected_ = true;
            return 0;
        }
    }

    // The device was reset, and its register says `reading` since. What it counted after the last observe and
    // before the reset is lost: observe once more before a reset of your own.
    void after_reset(std::uint64_t reading = 0) noexcept { resume_at(reading); }

    // Any thread. Never goes backwards.
    [[nodiscard]] std::uint64_t value() const noexcept { return total_.value(); }
    [[nodiscard]] std::uint64_t gaps() const noexcept { return gaps_.value(); }

  private:
    void resume_at(std::uint64_t reading) noexcept {
        last_ = reading;
        possible_ = 0;
        suspected_ = false;
    }
    std::uint64_t count(std::uint64_t step) noexcept {
        total_.add(step);
        return step;
    }
    std::uint64_t doubt() noexcept {
        gaps_.add();
        return 0;
    }

    basic_counter<Sync> total_;
    basic_counter<Sync> gaps_;
    std::uint64_t last_;         // the last reading that was believed
    std::uint64_t possible_ = 0; // the most that can have been counted since
    std::uint64_t suspect_ = 0;  // the last reading that was not
    bool suspected_ = false;
};

template <hardware_counter_options Options = {}>
using hardware_counter = basic_hardware_counter<Options>;

// A function that reads one 32-bit register. Requires: read() noexcept -> u32.
template <class Read>
concept register_reader = std::is_nothrow_invocable_r_v<std::uint32_t, Read&>;

// A counter in two registers of which the high one is latched when the low one is read: the low one first,
// always. (The good octets counters of the 82599 want it so: data sheet, statistics registers.) A counter of
// the kind that clears is cleared by the second read.
template <register_reader Low, register_reader High>
[[nodiscard]] std::uint64_t read_latched(Low&& low, High&& high) noexcept {
    const std::uint32_t below = low();
    const std::uint32_t above = high();
    return std::uint64_t{above} << 32 | below;
}

// The same where nothing is latched and the counter runs on meanwhile. The result is one that the counter
// really passed, unless it carries twice between four reads. Cost: three reads, and four if it has carried.
// Not for registers that clear.
template <register_reader Low, register_reader High>
[[nodiscard]] std::uint64_t read_unlatched(Low&& low, High&& high) noexcept {
    const std::uint32_t before = high();
    std::uint32_t below = low();
    const std::uint32_t above = high();
    if (above != before) // it carried somewhere in between: which side `below` is of, nobody knows
        below = low();
    return std::uint64_t{above} << 32 | below;
}

} // namespace noria::inline NORIA_ABI
