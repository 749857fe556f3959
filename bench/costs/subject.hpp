// SPDX-License-Identifier: BSL-1.0
#pragma once

// What is timed: one case of a suite, done by Noria, by its neighbour, or by the machine alone.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench::costs {

enum class origin : std::uint8_t { noria, neighbour, limit };

struct subject {
    std::string suite; // memory, packet, poll or hardware
    std::string what;  // the case
    std::string name;  // who does it
    std::string type;  // as a program writes it
    origin from = origin::noria;
    unsigned objects = 1;     // that one operation moves: figures are for one of them
    bool two_threads = false; // how often one waits for the other is no property of the code
    bool uncounted = false;   // takes callgrind too long, or has instructions that it does not know
    // Does so many operations, a multiple of `granularity`, and says how many ticks they took.
    std::function<std::uint64_t(std::uint64_t operations)> run = {};
    // Instead of that, where a repetition gives the figure itself, in this unit.
    std::function<double()> value = {};
    std::string unit = "ns/object";
};
inline constexpr std::uint64_t granularity = 32;

} // namespace bench::costs
