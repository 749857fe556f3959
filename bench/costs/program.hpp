// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>
#include <vector>

#include "costs/measure.hpp"
#include "costs/subject.hpp"

namespace bench::costs {

// One program of this kind: what it measures, beside whom, and what was aimed at.
struct program {
    const char* about;
    std::vector<std::string> suites;
    std::vector<subject>
        subjects; // of one case: Noria's first, then the neighbour's, then what the machine can do
    std::vector<goal> goals;
    // The neighbour, DPDK: null where it was not there when this was built. Started once, after the thread
    // was pinned, and before the first of its subjects is run. False when it does not start here.
    bool (*start_neighbour)() = nullptr;
    std::string (*neighbour_version)() = nullptr;
};

// Reads the command line, measures, prints and writes. The program's exit status.
[[nodiscard]] int start(int argc, char** argv, program of);

} // namespace bench::costs
