// SPDX-License-Identifier: BSL-1.0
#include "rings/measure.hpp"

#include <algorithm>

#include "common/progress.hpp"
#include "common/statistics.hpp"

namespace bench {
namespace {

// Repeats a repetition in which a thread was preempted, but not for ever.
double undisturbed(series& of, const request& asked, unsigned& patience) {
    for (;;) {
        const sample one = of.who->run(of.capacity, asked);
        if (!one.disturbed)
            return one.value;
        if (patience == 0) {
            ++of.disturbed_kept;
            return one.value;
        }
        --patience;
        ++of.discarded;
    }
}

// One column at one capacity.
void run_column(const plan& asked, work what, std::uint32_t capacity, std::vector<series>& results) {
    std::vector<series> column;
    for (const subject* one : asked.chosen)
        if (one->offers(what))
            column.push_back({.who = one, .capacity = capacity, .what = what});
    std::vector<unsigned> patience(column.size(), 2 * asked.repetitions);
    const double seconds = two_producers(what) ? asked.shared_seconds : asked.seconds;
    for (unsigned r = 0; r != asked.repetitions; ++r)
        for (std::size_t turn = 0; turn != column.size(); ++turn) {
            const std::size_t i = (turn + r) % column.size(); // nobody is always behind the same neighbour
            series& of = column[i];
            if (!of.broken.empty())
                continue;
            try {
                of.spin.push_back(undisturbed(of, {what, false, seconds}, patience[i]));
                if (!on_one_thread(what)) // nobody waits there
                    of.pause.push_back(undisturbed(of, {what, true, seconds}, patience[i]));
            } catch (const broken_transfer& problem) {
                if (of.who->from != origin::neighbour)
                    throw broken_transfer(of.who->name + ", " + name(what) + ", capacity " +
                                          std::to_string(capacity) + ": " + problem.what());
                of.broken = problem.what();
            }
        }
    results.insert(results.end(), column.begin(), column.end());
}

} // namespace

bool series::pauses() const {
    return !spin_only && !pause.empty() && median(pause) < median(spin);
}

double series::median_value() const {
    return median(values());
}

std::vector<series> measure(const plan& asked) {
    std::vector<series> results;
    progress line(asked.capacities.size() * asked.works.size());
    std::size_t done = 0;
    for (const std::uint32_t capacity : asked.capacities)
        for (const work what : asked.works) {
            line.show(done++, std::string(name(what)) + ", capacity " + std::to_string(capacity));
            run_column(asked, what, capacity, results);
        }
    return results;
}

const series* find(const std::vector<series>& results, const std::string& subject_name, work what,
                   std::uint32_t capacity) {
    const auto found = std::find_if(results.begin(), results.end(), [&](const series& one) {
        return one.who->name == subject_name && one.what == what && one.capacity == capacity &&
               one.broken.empty();
    });
    return found == results.end() ? nullptr : &*found;
}

} // namespace bench
