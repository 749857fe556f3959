// SPDX-License-Identifier: BSL-1.0

// rings: how fast are Noria's rings on this machine, beside every neighbour that the distribution packages,
// and beside what the machine itself can do?

#include <algorithm>
#include <cstdio>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "common/machine.hpp"
#include "common/program.hpp"
#include "rings/explain.hpp"
#include "rings/goals.hpp"
#include "rings/measure.hpp"
#include "rings/report.hpp"

namespace {

using namespace bench;

struct options {
    std::vector<std::uint32_t> capacities;
    std::vector<std::string> cases;
    std::vector<std::string> subjects;
    unsigned repetitions = 9;
    double milliseconds = 0;
    bool quick = false;
    bool explain = false;
    bool list = false;
    std::string json;
};

// The ones of `all` that are named; all where none is. Throws for a name that is not there.
template <class T, class NameOf>
std::vector<T> chosen_of(const std::vector<T>& all, const std::vector<std::string>& names, const char* kind,
                         NameOf name_of) {
    std::string known;
    for (const T& one : all)
        known += (known.empty() ? "" : ", ") + std::string(name_of(one));
    for (const std::string& name : names)
        if (std::none_of(all.begin(), all.end(), [&](const T& one) { return name == name_of(one); }))
            throw bad_input(std::string("unknown ") + kind + " '" + name + "': use some of " + known);
    std::vector<T> chosen;
    for (const T& one : all)
        if (names.empty() || std::find(names.begin(), names.end(), name_of(one)) != names.end())
            chosen.push_back(one);
    return chosen;
}

plan plan_for(const options& asked) {
    std::vector<const subject*> every;
    for (const subject& one : subjects())
        every.push_back(&one);
    plan made;
    made.chosen = chosen_of(every, asked.subjects, "subject", [](const subject* one) { return one->name; });
    made.works = chosen_of(std::vector<work>(std::begin(all_works), std::end(all_works)), asked.cases, "case",
                           [](work what) { return std::string(name(what)); });
    const std::vector<std::uint32_t> capacities(std::begin(all_capacities), std::end(all_capacities));
    made.capacities = !asked.capacities.empty() ? asked.capacities
                      : asked.quick             ? std::vector<std::uint32_t>{1024}
                                                : capacities;
    for (const std::uint32_t capacity : made.capacities)
        if (std::find(capacities.begin(), capacities.end(), capacity) == capacities.end())
            throw bad_input("unknown capacity " + std::to_string(capacity) +
                            ": use some of 64, 256, 1024, 4096");
    made.repetitions = asked.repetitions;
    made.seconds = asked.quick ? 0.0006 : 0.004;
    made.shared_seconds = asked.quick ? 0.005 : 0.02;
    if (asked.milliseconds != 0)
        made.seconds = made.shared_seconds = asked.milliseconds / 1000;
    return made;
}

void run(const options& asked, const std::string& command) {
    const plan made = plan_for(asked);
    if (asked.list) {
        for (const subject* one : made.chosen)
            std::printf("%-21s %s\n", one->name.c_str(), one->type.c_str());
        return;
    }
    pin(0);
    nlohmann::json out = results_of("rings", command);
    const std::string missing = missing_packages();
    out["missing"] = missing;
    print_machine(out, "what needs two says nothing here",
                  missing.empty() ? ""
                                  : "Not measured, because not installed when this was built: " + missing);
    if (asked.explain) {
        const std::vector<finding_result> found = explain(made.repetitions, made.seconds);
        print(found);
        out["rows"] = json_of(found);
    } else {
        const std::vector<series> results = measure(made);
        const std::vector<goal_result> goals = judge(results);
        print_tables(results);
        print(goals);
        out["rows"] = rows_of(results);
        out["goals"] = json_of(goals);
    }
    write(out, asked.json);
}

} // namespace

int main(int argc, char** argv) {
    options asked;
    CLI::App app("Rings: Noria's and its neighbours', from core to core, on this machine.");
    app.add_option("--capacity", asked.capacities, "items a ring holds: 64, 256, 1024, 4096")->delimiter(',');
    app.add_option(
           "--cases", asked.cases,
           "one, burst, in_place, round_trip, thread_one, thread_burst, shared_one, shared_burst, progress")
        ->delimiter(',');
    app.add_option("--subjects", asked.subjects, "rings to run (--list names them)")->delimiter(',');
    app.add_option("--repetitions", asked.repetitions, "repetitions of each ring in each case")
        ->check(CLI::Range(1, 1000));
    app.add_option("--milliseconds", asked.milliseconds, "length of a repetition")
        ->check(CLI::Range(0.05, 1000.0));
    app.add_flag("--quick", asked.quick, "one capacity, short repetitions, so noisy verdicts; under 60 s");
    app.add_flag("--explain", asked.explain, "switch off one by one what makes the difference");
    app.add_flag("--list", asked.list, "print the rings, measure nothing");
    app.add_option("--json", asked.json, "file for the results");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        return app.exit(problem) == 0 ? 0 : 2;
    }

    return exit_status_of("rings", [&] { run(asked, as_typed("bench/run rings", argc, argv)); });
}
