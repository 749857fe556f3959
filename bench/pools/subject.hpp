// SPDX-License-Identifier: BSL-1.0
#pragma once

// What is timed: one case of a suite, done by Noria, by its neighbour, or by the machine alone.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench::pools {

enum class origin : std::uint8_t { noria, neighbour, limit };

struct subject {
    std::string suite; // memory or packet
    std::string what;  // the case
    std::string name;  // who does it
    std::string type;  // as a program writes it
    origin from = origin::noria;
    unsigned objects = 1; // that one operation moves: figures are for one of them
    bool two_threads = false;
    // Does so many operations, a multiple of `granularity`, and says how many ticks they took.
    std::function<std::uint64_t(std::uint64_t operations)> run;
};
inline constexpr std::uint64_t granularity = 32;

// Noria's own first in each case, then the neighbour's, then what the machine can do.
void add_noria_memory(std::vector<subject>& all);
void add_noria_packet(std::vector<subject>& all);
void add_dpdk(std::vector<subject>& all);
void add_limits(std::vector<subject>& all);

// Once, after the thread was pinned, and before the first of DPDK's is run. False when it does not start
// here.
[[nodiscard]] bool start_dpdk();
[[nodiscard]] std::string dpdk_version();

} // namespace bench::pools
