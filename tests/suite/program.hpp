// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

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
bool run(Suite& suite, std::uint64_t steps, std::uint64_t seed) {
    std::uint64_t said = 0;
    while ((steps == 0 || suite.operations_tried() < steps) && suite.step())
        if (steps == 0 && suite.operations_tried() / 10'000'000 != said)
            std::cout << (said = suite.operations_tried() / 10'000'000) << "0 million" << std::endl;
    if (suite.failure().empty() && suite.finish())
        return true;
    std::cout << "WRONG: seed " << seed << ", " << suite.failure() << std::endl;
    return false;
}

// "beginning a, b, c.", in lines of a width that can be read; nothing when there is nothing to list.
inline void list(std::string beginning, const std::vector<const char*>& words) {
    const char* between = " ";
    for (const char* word : words) {
        if (beginning.size() + std::strlen(word) > 100) {
            std::cout << beginning << ",\n";
            beginning = " ";
            between = " ";
        }
        beginning += std::string(std::exchange(between, ", ")) + word;
    }
    if (!words.empty())
        std::cout << beginning << ".\n";
}

// The table, and what the adapter has no function for: also a function whose name is misspelt, or that cannot
// be called as the suite would. False when an operation was never seen to succeed, or never to fail.
template <class Suite, class Shortages>
bool report(const Suite& suite, const Shortages& shortages) {
    std::cout << std::left << std::setw(16) << suite.operations_tried() << std::right << std::setw(10)
              << "done" << std::setw(10) << "refused" << std::setw(10) << "no memory";
    for (const char* shortage : shortages)
        std::cout << "  " << shortage;
    std::cout << '\n';
    bool complete = true;
    std::vector<const char*> left_out;
    for (std::size_t i = 0; i != operations; ++i) {
        const auto what = static_cast<operation>(i);
        const tally& seen = suite.tallies()[i];
        if (!Suite::has(what)) {
            left_out.push_back(operation_names[i]);
            continue;
        }
        std::cout << std::left << std::setw(16) << operation_names[i] << std::right << std::setw(10)
                  << seen.done << std::setw(10) << seen.refused << std::setw(10) << seen.short_of_memory;
        for (std::size_t at = 0; at != seen.in_shortage.size(); ++at)
            std::cout << std::setw(2 + static_cast<int>(std::string(shortages[at]).size()))
                      << seen.in_shortage[at];
        const bool both =
            seen.done != 0 && (seen.refused + seen.short_of_memory != 0 || !Suite::can_fail(what));
        std::cout << (both ? "\n" : "  NOT BOTH SEEN\n");
        complete = complete && both;
    }
    list("Left out, as the adapter has no such function:", left_out);
    list("Not compared, as the adapter does not say:", Suite::not_compared());
    return complete;
}

} // namespace suite
