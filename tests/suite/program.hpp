// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <random>
#include <string>

#include "packet_suite.hpp"

// What a program around the suite is made of: where choices come from, options, and the table at the end.

namespace suite {

// Choices that a random generator makes.
class random_choices {
  public:
    explicit random_choices(std::uint64_t seed) : engine_(static_cast<std::mt19937::result_type>(seed)) {}

    // 0 to n - 1. The modulo is biased by less than n / 2^32, which no test minds.
    std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(engine_()) % n; }
    bool one_in(std::uint32_t n) { return below(n) == 0; }
    template <class Range>
    auto& pick(Range& from) {
        return from[below(static_cast<std::uint32_t>(std::size(from)))];
    }

  private:
    std::mt19937 engine_;
};

struct program_options {
    std::uint64_t steps = 0; // operations; 0: for ever
    std::uint64_t seed = 1;
    bool understood = true;
};
inline program_options parse(int argc, char** argv, std::uint64_t usual_steps) {
    program_options wanted{.steps = usual_steps};
    if (const char* seed = std::getenv("NORIA_TEST_SEED"))
        wanted.seed = std::strtoull(seed, nullptr, 10);
    for (int i = 1; i < argc; i += 2) {
        const std::string name = argv[i];
        char* end = nullptr;
        const std::uint64_t value = i + 1 < argc ? std::strtoull(argv[i + 1], &end, 10) : 0;
        if (end == nullptr || end == argv[i + 1] || *end != 0 || (name != "--steps" && name != "--seed")) {
            std::cerr << "Usage: " << argv[0] << " [--steps N] [--seed S]\n"
                      << "Tries N random operations (0: for ever; without the option " << usual_steps
                      << ").\n";
            wanted.understood = false;
            break;
        }
        (name == "--steps" ? wanted.steps : wanted.seed) = value;
    }
    return wanted;
}

// So many operations, or operations for ever. False when something was wrong, after saying what.
template <class Suite>
bool run(Suite& suite, std::uint64_t steps) {
    std::uint64_t said = 0;
    while ((steps == 0 || suite.operations_tried() < steps) && suite.step())
        if (steps == 0 && suite.operations_tried() / 10'000'000 != said)
            std::cout << (said = suite.operations_tried() / 10'000'000) << "0 million" << std::endl;
    if (suite.failure().empty() && suite.finish())
        return true;
    std::cout << "WRONG: " << suite.failure() << std::endl;
    return false;
}

// The table. False when an operation was never seen to succeed, or never to fail.
template <class Suite, class Shortages>
bool report(const Suite& suite, const Shortages& shortages) {
    std::cout << std::left << std::setw(16) << suite.operations_tried() << std::right << std::setw(10)
              << "done" << std::setw(10) << "refused" << std::setw(10) << "no memory";
    for (const char* shortage : shortages)
        std::cout << "  " << shortage;
    std::cout << '\n';
    bool complete = true;
    for (std::size_t i = 0; i != operations; ++i) {
        const auto what = static_cast<operation>(i);
        const tally& seen = suite.tallies()[i];
        std::cout << std::left << std::setw(16) << operation_names[i] << std::right;
        if (!Suite::has(what)) {
            std::cout << "  is not there: left out\n";
            continue;
        }
        std::cout << std::setw(10) << seen.done << std::setw(10) << seen.refused << std::setw(10)
                  << seen.short_of_memory;
        for (std::size_t at = 0; at != seen.in_shortage.size(); ++at)
            std::cout << std::setw(2 + static_cast<int>(std::string(shortages[at]).size()))
                      << seen.in_shortage[at];
        const bool both =
            seen.done != 0 && (seen.refused + seen.short_of_memory != 0 || !Suite::can_fail(what));
        std::cout << (both ? "\n" : "  NOT BOTH SEEN\n");
        complete = complete && both;
    }
    return complete;
}

} // namespace suite
