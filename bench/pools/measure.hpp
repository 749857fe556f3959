// SPDX-License-Identifier: BSL-1.0
#pragma once

// All repetitions of all subjects, taken in turns, and what they were to reach.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pools/subject.hpp"

namespace bench::pools {

struct series {
    const subject* who = nullptr;
    std::vector<double> nanoseconds = {};    // for one object, of each repetition
    unsigned discarded = 0;                  // repetitions thrown away: a thread was preempted
    unsigned disturbed_kept = 0;             // and those kept, because it happened again and again
    std::optional<double> instructions = {}; // for one object, as callgrind counted them

    [[nodiscard]] double median_value() const;
};

[[nodiscard]] std::vector<series> measure(const std::vector<const subject*>& chosen, unsigned repetitions,
                                          double seconds);

// Under callgrind: so many operations of each subject, whose instructions are written under its label.
void count(const std::vector<const subject*>& chosen, std::uint64_t operations);
[[nodiscard]] std::string label(const subject& one);

// Null where it was not measured.
[[nodiscard]] const series* find(const std::vector<series>& results, const std::string& what,
                                 const std::string& name);

struct goal_result {
    std::string suite;
    std::string goal; // in words
    std::string what; // the case
    std::string ours;
    std::string against;
    double limit = 0;
    std::optional<double> ratio = {}; // empty: one of the two was not measured

    [[nodiscard]] bool met() const { return ratio && *ratio <= limit; }
};

// Those of one suite.
[[nodiscard]] std::vector<goal_result> judge(const std::vector<series>& results, const std::string& suite);

} // namespace bench::pools
