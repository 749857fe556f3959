// SPDX-License-Identifier: BSL-1.0
#pragma once

// All repetitions of all subjects, taken in turns.

#include <cstdint>
#include <string>
#include <vector>

#include "rings/subject.hpp"

namespace bench {

// One cell of the table: both ways of waiting, the better one shown.
struct series {
    const subject* who = nullptr;
    std::uint32_t capacity = 0;
    work what = work::one;
    std::vector<double> spin = {};
    std::vector<double> pause = {};
    unsigned discarded = 0;      // repetitions thrown away, because a thread was preempted in them
    unsigned disturbed_kept = 0; // and those kept all the same, because it happened again and again

    bool spin_only = false;  // the figure is that without pause, whatever the other is
    std::string broken = {}; // a neighbour's defect: there is no figure then

    [[nodiscard]] bool pauses() const;
    [[nodiscard]] const std::vector<double>& values() const { return pauses() ? pause : spin; }
    [[nodiscard]] double median_value() const;
};

struct plan {
    std::vector<const subject*> chosen;
    std::vector<work> works;
    std::vector<std::uint32_t> capacities;
    unsigned repetitions = 9;
    double seconds = 0.004;       // of a repetition
    double shared_seconds = 0.02; // where producers share a core: several of the scheduler's slices
};

[[nodiscard]] std::vector<series> measure(const plan& asked);

// Null where it was not measured, or has no figure.
[[nodiscard]] const series* find(const std::vector<series>& results, const std::string& subject_name,
                                 work what, std::uint32_t capacity);

} // namespace bench
