// SPDX-License-Identifier: BSL-1.0
#include "pools/measure.hpp"

#include <algorithm>

#include "common/progress.hpp"
#include "common/statistics.hpp"
#include "pools/harness.hpp"

namespace bench::pools {
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

// Repeats a repetition in which the thread was preempted, but not for ever.
double undisturbed(series& of, std::uint64_t operations, unsigned& patience) {
    for (;;) {
        static_cast<void>(of.who->run(rounded(static_cast<double>(operations) / 8))); // warms up
        const std::uint64_t before = preemptions();
        std::uint64_t ticks = 0;
        {
            const real_time now;
            ticks = of.who->run(operations);
        }
        const double value = static_cast<double>(ticks) * nanoseconds_per_tick() /
                             static_cast<double>(operations * of.who->objects);
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
    return median(nanoseconds);
}

std::vector<series> measure(const std::vector<const subject*>& chosen, unsigned repetitions, double seconds) {
    std::vector<series> results;
    std::vector<std::uint64_t> operations;
    progress line(repetitions);
    for (const subject* one : chosen) {
        results.push_back({.who = one});
        operations.push_back(calibrated(*one, seconds));
    }
    std::vector<unsigned> patience(chosen.size(), 2 * repetitions);
    for (unsigned r = 0; r != repetitions; ++r) {
        line.show(r, "repetition " + std::to_string(r + 1));
        for (std::size_t turn = 0; turn != chosen.size(); ++turn) {
            const std::size_t i = (turn + r) % chosen.size(); // nobody is always behind the same neighbour
            results[i].nanoseconds.push_back(undisturbed(results[i], operations[i], patience[i]));
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
        if (one->two_threads) // how often one waits for the other is no property of the code
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

std::vector<goal_result> judge(const std::vector<series>& results, const std::string& suite) {
    static const std::vector<goal_result> all = {
        {"memory", "get and put one", "get_put_1", "noria", "DPDK", 0.9},
        {"memory", "get and put 8", "get_put_8", "noria", "DPDK", 0.9},
        {"memory", "get and put 32", "get_put_32", "noria", "DPDK", 0.9},
        {"memory", "returned from another thread", "other_thread", "noria", "DPDK", 0.8},
        {"packet", "allocate and free one", "alloc_free_1", "noria", "DPDK", 0.9},
        {"packet", "allocate and free 32", "alloc_free_32", "noria", "DPDK", 0.6},
        {"packet", "allocate and free 256", "alloc_free_256", "noria", "DPDK", 0.6},
        {"packet", "clone and free, 1500 bytes", "clone", "noria", "DPDK", 0.7},
        {"packet", "headroom, 14 bytes there and back", "headroom", "noria", "DPDK", 0.5},
        {"packet", "linearize 3 x 500 bytes", "linearize", "noria", "DPDK", 0.8},
        {"packet", "linearize, the copy itself", "linearize", "noria less no copy", "memcpy", 1.15},
        {"packet", "read 64 bytes over an edge", "read_edge", "noria", "DPDK", 0.8},
        {"packet", "read 64 bytes inside", "read_inside", "noria", "DPDK", 1.0},
    };
    std::vector<goal_result> judged;
    for (goal_result one : all) {
        if (one.suite != suite)
            continue;
        const bool copy_itself = one.ours == "noria less no copy";
        const series* const ours = find(results, one.what, copy_itself ? "noria" : one.ours);
        const series* const rest = copy_itself ? find(results, one.what, "noria, no copy") : ours;
        const series* const theirs = find(results, one.what, one.against);
        if (ours != nullptr && rest != nullptr && theirs != nullptr)
            one.ratio =
                (ours->median_value() - (copy_itself ? rest->median_value() : 0)) / theirs->median_value();
        judged.push_back(one);
    }
    return judged;
}

} // namespace bench::pools
