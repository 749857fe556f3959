// SPDX-License-Identifier: BSL-1.0
#pragma once

// All repetitions of all subjects, taken in turns, and what they were to reach.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "costs/subject.hpp"

namespace bench::costs {

struct series {
    const subject* who = nullptr;
    std::vector<double> samples = {};        // the figure of each repetition, as a rule ns for one object
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

// One figure divided by another is to be at most so much.
struct goal {
    std::string suite;
    std::string words;
    std::string what; // the case
    std::string ours;
    std::string against;
    double limit = 0;
    std::string less = {};         // of the same case: what of ours does not count
    std::string against_case = {}; // empty: the same
};
struct goal_result {
    goal aim;
    std::optional<double> ratio = {}; // empty: one of the figures was not measured

    [[nodiscard]] bool met() const { return ratio && *ratio <= aim.limit; }
    [[nodiscard]] std::string ours() const {
        return aim.ours + (aim.less.empty() ? "" : " less " + aim.less);
    }
    [[nodiscard]] std::string against() const {
        return aim.against + (aim.against_case.empty() ? "" : ", " + aim.against_case);
    }
};

// Those of one suite.
[[nodiscard]] std::vector<goal_result> judge(const std::vector<series>& results,
                                             const std::vector<goal>& goals, const std::string& suite);

} // namespace bench::costs
