// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "hardware/registers.hpp"
#include "noria/core/clock.hpp"
#include "noria/stats/hardware_counter.hpp"

// What a card counts is cleared by reading it: there is one reader, and what it read is added up, in 64 bits.
// Which registers there are is each driver's affair; here is how one is read, and what is believed of it.

namespace hardware {

struct counter_register {
    const char* name; // in the data sheet, in lower case
    std::uint32_t offset;
};

using packet_counter = noria::hardware_counter<{.bits = 32, .kind = noria::register_kind::clears_on_read}>;
// A pair of registers: the low half, and right behind it the high one, of which not all bits are there.
template <unsigned Bits>
using octet_counter = noria::hardware_counter<{.bits = Bits, .kind = noria::register_kind::clears_on_read}>;

template <register_space Registers>
[[nodiscard]] std::uint64_t read_octets(Registers& registers, std::uint32_t low) noexcept {
    return noria::read_latched([&]() noexcept { return registers.read32(low); },
                               [&]() noexcept { return registers.read32(low + 4); });
}

// How much a wire brings in a microsecond, at most.
struct wire_speed {
    std::uint64_t packets;
    std::uint64_t bytes;
};

// Takes readings into counters, and believes of each no more than the wire can have brought since the last.
class wire_limit {
  public:
    explicit constexpr wire_limit(wire_speed speed) noexcept : speed_(speed) {}

    // At the beginning of each round of readings. A second's worth more is believed, for what the card held
    // back.
    void begin(noria::nanoseconds now) noexcept {
        microseconds_ = static_cast<std::uint64_t>(now - begun_) / 1000 + 1'000'000;
        begun_ = now;
    }
    template <class Counter>
    void operator()(Counter& to, std::uint64_t reading) const noexcept {
        constexpr bool bytes = Counter::top > 0xffff'ffff;
        to.observe(reading, microseconds_ * (bytes ? speed_.bytes : speed_.packets));
    }

  private:
    wire_speed speed_;
    noria::nanoseconds begun_ = 0;
    std::uint64_t microseconds_ = 0;
};

// Of several counters.
template <class Counters>
[[nodiscard]] std::uint64_t sum_of(const Counters& all) noexcept {
    std::uint64_t sum = 0;
    for (const auto& each : all)
        sum += each.value();
    return sum;
}
// Readings that were not believed, or a register at its top.
template <class Counters>
[[nodiscard]] std::uint64_t gaps_of(const Counters& all) noexcept {
    std::uint64_t sum = 0;
    for (const auto& each : all)
        sum += each.gaps();
    return sum;
}

// What is left of a count when some of it is taken off; 0 where a card counts less than it should.
[[nodiscard]] constexpr std::uint64_t without(std::uint64_t all, std::uint64_t part) noexcept {
    return all > part ? all - part : 0;
}

} // namespace hardware
