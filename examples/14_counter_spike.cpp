// SPDX-License-Identifier: BSL-1.0
// The incident "counter spike": a monitor shows 470 Gbit/s on a link of 10. The counter in the card has 36
// bits, and the card was reset. Readings that are not what they seem, taken as a driver takes them and as
// hardware_counter does. No root.
//
//   g++ -std=c++20 -O2 -Iinclude examples/14_counter_spike.cpp -o spike && ./spike [--seed N] [--svg FILE]

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <random>
#include <utility>
#include <vector>

#include "noria/stats/hardware_counter.hpp"
#include "support/chart.hpp"
#include "support/incident.hpp"

namespace {

using incident::claim;

constexpr std::uint64_t mega = 1'000'000;
constexpr std::uint64_t line_rate = 10'000 * mega; // bit/s
constexpr std::uint64_t seconds = 60;
constexpr std::uint64_t when = 20;           // in this second something happens
constexpr std::uint64_t during_a_read = 500; // bytes, in the microsecond that reading a register takes

enum class way : unsigned char { one_register, latched, high_then_low, unlatched };

// [driver]
// As many drivers extend a counter: a reading below the one before has wrapped.
struct drivers_counter {
    std::uint64_t wrap, last = 0, total = 0;

    void observe(std::uint64_t reading) noexcept {
        if (reading < last)
            total += wrap;
        total += reading - last;
        last = reading;
    }
};
// [/driver]

// The card's counter of bytes, in one register of 32 bits or in two. Bytes arrive while it is read.
struct card {
    std::uint64_t top, counted;
    std::uint64_t octets = 0; // that really came
    bool answers = true;
    std::uint32_t latch = 0;

    void arrive(std::uint64_t bytes) noexcept {
        octets += bytes;
        counted = (counted + bytes) & top;
    }
    // What is not on the bus any more answers all ones.
    std::uint32_t read_register(unsigned shift) noexcept {
        arrive(during_a_read);
        latch = static_cast<std::uint32_t>(counted >> 32);
        return answers ? static_cast<std::uint32_t>(counted >> shift) : ~std::uint32_t{0};
    }
    std::uint64_t read(way how) noexcept {
        const auto low = [this]() noexcept { return read_register(0); };
        const auto high = [this]() noexcept { return read_register(32); };
        const auto latched = [this]() noexcept { return answers ? latch : ~std::uint32_t{0}; };
        if (how == way::one_register)
            return low();
        if (how == way::latched) // the low one latches the high one
            return noria::read_latched(low, latched);
        if (how == way::unlatched)
            return noria::read_unlatched(low, high);
        const std::uint64_t above = high(); // as drivers do it, with a carry in between now and then
        return above << 32 | low();
    }
};

enum class event : unsigned char { none, reset, announced_reset, carry, off_the_bus };

struct act {
    const char* what;
    unsigned bits;
    way how;
    event happens;
    std::uint64_t every = 1; // seconds between readings
};

struct outcome {
    std::uint64_t really = 0, drivers = 0, honest = 0, gaps = 0;                                // bytes
    chart::series was{"as it was", {}}, drawn{"driver's", {}}, counted{"hardware_counter", {}}; // Mbit/s
};

template <unsigned Bits>
outcome run(const act& plays, std::uint64_t seed) {
    constexpr std::uint64_t wrap = std::uint64_t{1} << Bits;
    std::mt19937_64 random(seed);
    std::vector<std::uint64_t> traffic; // bytes in each second: 3 to 4.5 Gbit/s
    for (std::uint64_t i = 0; i != seconds; ++i)
        traffic.push_back(375'000'000 + random() % 187'500'000);

    // What the register says at first, so that it stands where it should when it happens: at some 2 GB of the
    // 4 that 32 bits hold, or right before a carry that comes between two reads.
    std::uint64_t until_then = 0;
    for (std::uint64_t i = 0; i <= when; ++i)
        until_then += traffic[i];
    const std::uint64_t reads = (when + 1) * (plays.how == way::unlatched ? 3 : 2);
    std::uint64_t begins = Bits == 32 ? 1'900'000'000 - until_then : 0;
    if (plays.happens == event::carry)
        begins = wrap / 2 - until_then - during_a_read * reads -
                 during_a_read * (plays.how == way::unlatched ? 5 : 3) / 2;
    card port{.top = wrap - 1, .counted = begins & (wrap - 1)};

    outcome seen;
    // [counters]
    const std::uint64_t first = port.read(plays.how);
    drivers_counter drivers{.wrap = wrap, .last = first};
    noria::hardware_counter<{.bits = Bits}> honest(first);
    const std::uint64_t possible = line_rate / 8 * plays.every; // since the reading before
    // [/counters]
    port.octets = 0;
    std::uint64_t drawn_until = 0;
    for (std::uint64_t second = 0; second != seconds; ++second) {
        port.arrive(traffic[second] / 2);
        if (second == when && plays.happens == event::reset)
            port.counted = 0;
        if (second == when && plays.happens == event::announced_reset) {
            // [announced]
            honest.observe(port.read(plays.how), possible); // what it counted until now
            port.counted = 0;
            honest.after_reset();
            // [/announced]
        }
        port.arrive(traffic[second] - traffic[second] / 2);
        port.answers = plays.happens != event::off_the_bus || second < when || second >= when + 3;
        if (const std::uint64_t now = second + 1; now % plays.every == 0) {
            // [observe]
            const std::uint64_t reading = port.read(plays.how) & (wrap - 1);
            drivers.observe(reading);
            honest.observe(reading, possible);
            // [/observe]
            const auto draw = [now](chart::series& line, std::uint64_t bytes, std::uint64_t time) {
                line.points.push_back({now, bytes * 8 / time / mega});
            };
            draw(seen.was, port.octets - std::exchange(seen.really, port.octets), plays.every);
            draw(seen.drawn, drivers.total - std::exchange(seen.drivers, drivers.total), plays.every);
            // Nothing is known of a reading that was not believed. The next one tells, of all the time since.
            if (const std::uint64_t bytes = honest.value() - std::exchange(seen.honest, honest.value());
                bytes != 0)
                draw(seen.counted, bytes, now - std::exchange(drawn_until, now));
        }
    }
    seen.gaps = honest.gaps();
    seen.counted.drawn = chart::shape::dots;
    return seen;
}

std::uint64_t peak(const chart::series& of) {
    std::uint64_t most = 0;
    for (const chart::point& each : of.points)
        most = std::max(most, each.y);
    return most;
}

// The seconds around what happened, in text.
void print_close_up(const char* title, const outcome& of) {
    chart::panel panel{title, "time (s)", "Mbit/s", {of.was, of.drawn, of.counted}};
    for (chart::series& each : panel.shown)
        std::erase_if(each.points, [](const chart::point& p) { return p.x + 3 < when || p.x > when + 5; });
    chart::print(panel);
}

} // namespace

int main(int argc, char** argv) {
    const chart::arguments told = chart::read_arguments(argc, argv);
    constexpr std::array<act, 9> acts{
        {{"32 bits, it wraps", 32, way::one_register, event::none},
         {"32 bits, the card is reset", 32, way::one_register, event::reset},
         {"36 bits, the card is reset", 36, way::latched, event::reset},
         {"36 bits, the reset is announced", 36, way::latched, event::announced_reset},
         {"36 bits, a carry between halves", 36, way::high_then_low, event::carry},
         {"the same, read_unlatched", 36, way::unlatched, event::carry},
         {"36 bits, off the bus for 3 s", 36, way::latched, event::off_the_bus},
         {"32 bits, off the bus for 3 s", 32, way::one_register, event::off_the_bus},
         {"32 bits, read every 12 s", 32, way::one_register, event::none, 12}}};
    std::printf("%ju s of 3 to 4.5 Gbit/s on a link of 10.\n\n"
                "  %-32s %28s   %32s\n"
                "  %-32s %8s %8s %10s   %8s %8s %8s %5s\n",
                seconds, "", "highest Mbit/s", "MB in all", "", "it was", "driver's", "honest", "it was",
                "driver's", "honest", "gaps");
    std::array<outcome, acts.size()> all;
    for (std::size_t i = 0; i != acts.size(); ++i) {
        all[i] = acts[i].bits == 32 ? run<32>(acts[i], told.seed) : run<36>(acts[i], told.seed);
        const outcome& seen = all[i];
        std::printf("  %-32s %8ju %8ju %10ju   %8ju %8ju %8ju %5ju\n", acts[i].what, peak(seen.was),
                    peak(seen.drawn), peak(seen.counted), seen.really / mega, seen.drivers / mega,
                    seen.honest / mega, seen.gaps);
    }
    std::printf("\n");
    print_close_up(acts[2].what, all[2]);
    const std::vector<chart::level> limit{{"what the link carries", line_rate / mega}};
    const chart::figure figure{
        "36 bits, the card is reset",
        "As the driver's counter has it, 475 Gbit/s in one second. As it was, never more than 4.5; "
        "hardware_counter says the same, and nothing of that second.",
        {{"As the monitor drew it", "time (s)", "Mbit/s", {all[2].drawn}, limit},
         {"As it was", "time (s)", "Mbit/s", {all[2].was, all[2].counted}, limit}}};
    if (told.svg != nullptr && !chart::write_svg(told.svg, figure))
        return 1;

    // What the page says of it.
    const auto& [wraps, reset32, reset36, announced, torn, untorn, off36, off32, seldom] = all;
    for (const outcome& each : all) {
        claim(peak(each.counted) * mega <= line_rate, "it never draws more than the link carries");
        claim(each.honest <= each.really, "nor counts more than came");
        claim(each.gaps != 0 || each.honest == each.really, "and where it says no gap, it is exact");
    }
    claim(wraps.drivers == wraps.really && wraps.gaps == 0, "a wrap alone is counted right by both");
    claim(peak(reset32.drawn) * mega > 2 * line_rate, "a reset of 32 bits draws twice what the link carries");
    claim(peak(reset36.drawn) * mega > 40 * line_rate, "one of 36 bits, forty times");
    claim(reset32.gaps == 1 && reset36.gaps == 1, "each is one gap");
    claim(reset36.really - reset36.honest < line_rate / 8, "in which less than a second's traffic is lost");
    claim(announced.gaps == 0 && announced.drivers > announced.really, "an announced one is none");
    claim(peak(torn.drawn) * mega > 40 * line_rate && torn.gaps == 0,
          "so does a torn reading, which is no gap");
    claim(untorn.drivers == untorn.really, "read with care, it is right for both");
    claim(peak(off36.drawn) * mega > 40 * line_rate && off36.gaps == 0, "so does a card that is off the bus");
    claim(off32.gaps == 1 && off32.honest > off32.really * 9 / 10, "32 bits may have gone round meanwhile");
    claim(seldom.drivers * 2 < seldom.really && seldom.gaps == 5, "who reads too late loses, or is told");
}
