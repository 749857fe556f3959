// SPDX-License-Identifier: BSL-1.0
#include "costs/measure.hpp"

#include <algorithm>

#include "common/progress.hpp"
#include "common/statistics.hpp"
#include "costs/harness.hpp"

namespace bench::costs {
namespace {

[[nodiscard]] std::uint64_t rounded(double operations) {
    return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(operations) / granularity) * granularity;
}

// How many operations take so long.
std::uint64_t calibrated(const subject& one, double seconds) {
    for (std::uint64_t operations = granularity;; operations *= 4) {
        const std::uint64_t ticks = one.run(operations);
        if (ticks > ticks_for(seconds) / 8)
            return rounded(static_cast<double>(operations) * static_cast<double>(ticks_for(seconds)) /
                           static_cast<double>(ticks));
    }
}

double timed(const subject& one, std::uint64_t operations) {
    return static_cast<double>(one.run(operations)) * nanoseconds_per_tick() /
           static_cast<double>(operations * one.objects);
}

// Repeats a repetition in which the thread was preempted, but not for ever.
double undisturbed(series& of, std::uint64_t operations, unsigned& patience) {
    for (;;) {
        if (of.who->run)
            static_cast<void>(of.who->run(rounded(static_cast<double>(operations) / 8))); // warms up
        const std::uint64_t before = preemptions();
        double value = 0;
        {
            const real_time now;
            value = of.who->value ? of.who->value() : timed(*of.who, operations);
        }
        if (preemptions() == before)
            return value;
        if (patience == 0) {
            ++of.disturbed_kept;
            return value;
        }
        --patience;
        ++of.discarded;
    }
}

} // namespace

double series::median_value() const {
    return median(samples);
}

std::vector<series> measure(const std::vector<const subject*>& chosen, unsigned repetitions, double seconds) {
    std::vector<series> results;
    std::vector<std::uint64_t> operations;
    progress line(repetitions);
    for (const subject* one : chosen) {
        results.push_back({.who = one});
        operations.push_back(one->run ? calibrated(*one, seconds) : 0);
    }
    std::vector<unsigned> patience(chosen.size(), 2 * repetitions);
    for (unsigned r = 0; r != repetitions; ++r) {
        line.show(r, "repetition " + std::to_string(r + 1));
        for (std::size_t turn = 0; turn != chosen.size(); ++turn) {
            const std::size_t i = (turn + r) % chosen.size(); // nobody is always behind the same neighbour
            results[i].samples.push_back(undisturbed(results[i], operations[i], patience[i]));
        }
    }
    return results;
}

std::string label(const subject& one) {
    return one.what + "/" + one.name;
}

void count([[maybe_unused]] const std::vector<const subject*>& chosen,
           [[maybe_unused]] std::uint64_t operations) {
#ifdef BENCH_CALLGRIND
    for (const subject* one : chosen) {
        if (one->two_threads || one->uncounted || !one->run)
            continue;
        static_cast<void>(one->run(rounded(512))); // what is done only once
        CALLGRIND_ZERO_STATS;
        static_cast<void>(one->run(rounded(static_cast<double>(operations))));
        const std::string under = label(*one); // the macro would not keep a temporary alive
        CALLGRIND_DUMP_STATS_AT(under.c_str());
    }
#endif
}

const series* find(const std::vector<series>& results, const std::string& what, const std::string& name) {
    const auto found = std::find_if(results.begin(), results.end(), [&](const series& one) {
        return one.who->what == what && one.who->name == name;
    });
    return found == results.end() ? nullptr : &*found;
}

std::vector<goal_result> judge(const std::vector<series>& results, const std::vector<goal>& goals,
                               const std::string& suite) {
    std::vector<goal_result> judged;
    for (const goal& one : goals) {
        if (one.suite != suite)
            continue;
        const series* const ours = find(results, one.what, one.ours);
        const series* const less = one.less.empty() ? ours : find(results, one.what, one.less);
        const series* const theirs =
            find(results, one.against_case.empty() ? one.what : one.against_case, one.against);
        judged.push_back({one});
        if (ours != nullptr && less != nullptr && theirs != nullptr)
            judged.back().ratio = (ours->median_value() - (one.less.empty() ? 0 : less->median_value())) /
                                  theirs->median_value();
    }
    return judged;
}

} // namespace bench::costs
