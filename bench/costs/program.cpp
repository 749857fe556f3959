// SPDX-License-Identifier: BSL-1.0

#include "costs/program.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "common/machine.hpp"
#include "common/program.hpp"
#include "costs/report.hpp"

namespace bench::costs {
namespace {

struct options {
    std::string suite;
    std::vector<std::string> cases;
    std::vector<std::string> subjects;
    unsigned repetitions = 15;
    double milliseconds = 4;
    bool quick = false;
    bool list = false;
    std::uint64_t count = 0;
    std::string instructions;
    std::string json;
};

// Those of the suite that can be run here; a case's subjects together, cases as they come.
std::vector<subject> subjects_of(std::vector<subject> all, const std::string& suite) {
    std::erase_if(
        all, [&](const subject& one) { return one.suite != suite || (one.two_threads && processors() < 2); });
    std::vector<subject> sorted;
    for (const subject& first : all) {
        if (std::any_of(sorted.begin(), sorted.end(),
                        [&](const subject& one) { return one.what == first.what; }))
            continue;
        for (const subject& one : all)
            if (one.what == first.what)
                sorted.push_back(one);
    }
    return sorted;
}

void check_known(const std::vector<subject>& all, const std::vector<std::string>& names, const char* kind,
                 const std::string subject::* member) {
    std::vector<std::string> known;
    for (const subject& one : all)
        if (std::find(known.begin(), known.end(), one.*member) == known.end())
            known.push_back(one.*member);
    for (const std::string& name : names)
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            std::string text = std::string("unknown ") + kind + " '" + name + "': use some of ";
            for (const std::string& one : known)
                text += (&one == known.data() ? "" : ", ") + one;
            throw bad_input(text);
        }
}

bool named(const std::vector<std::string>& names, const std::string& name) {
    return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
}

// What callgrind counted in an earlier run, for each label.
nlohmann::json counted(const std::string& file) {
    if (file.empty())
        return nlohmann::json::object();
    std::ifstream from(file);
    nlohmann::json all = nlohmann::json::parse(from, nullptr, false);
    if (!all.is_object())
        throw bad_input("cannot read " + file + ": make it with bench/costs/instructions.py");
    return all;
}

void run(program of, const options& asked, const std::string& command) {
    std::vector<subject> all = subjects_of(std::move(of.subjects), asked.suite);
    check_known(all, asked.cases, "case", &subject::what);
    check_known(all, asked.subjects, "subject", &subject::name);
    std::erase_if(all, [&](const subject& one) {
        return !named(asked.cases, one.what) || !named(asked.subjects, one.name);
    });
    if (asked.list) {
        for (const subject& one : all)
            std::printf("%-15s %-15s %s\n", one.what.c_str(), one.name.c_str(), one.type.c_str());
        return;
    }
    const nlohmann::json instructions = counted(asked.instructions);
    pin(0);
    std::string missing;
    const bool wanted =
        std::any_of(all.begin(), all.end(), [](const subject& one) { return one.from == origin::neighbour; });
    if (of.start_neighbour == nullptr) {
        missing = "DPDK was not installed when this was built (libdpdk-dev).";
    } else if (wanted && !of.start_neighbour()) {
        missing = "DPDK does not start here. It needs 512 MB and a folder for its lock files under /var/run "
                  "or XDG_RUNTIME_DIR.";
        std::erase_if(all, [](const subject& one) { return one.from == origin::neighbour; });
    }
    std::vector<const subject*> chosen;
    for (const subject& one : all)
        chosen.push_back(&one);
    if (asked.count != 0) {
        count(chosen, asked.count);
        return;
    }
    nlohmann::json out = results_of(asked.suite, command);
    out["missing"] = missing;
    if (of.neighbour_version != nullptr)
        out["machine"]["dpdk"] = of.neighbour_version();
    print_machine(out, "what needs two is left out",
                  missing.empty() ? "" : "Noria stands alone in this run: " + missing);
    std::vector<series> results = measure(chosen, asked.repetitions, asked.milliseconds / 1000);
    for (series& one : results)
        if (const auto found = instructions.find(label(*one.who)); found != instructions.end())
            one.instructions = found->get<double>() / one.who->objects;
    const std::vector<goal_result> goals = judge(results, of.goals, asked.suite);
    print(results);
    print(goals);
    out["rows"] = rows_of(results);
    out["goals"] = json_of(goals);
    write(out, asked.json);
}

} // namespace

int start(int argc, char** argv, program of) {
    options asked;
    CLI::App app(of.about);
    app.add_option("suite", asked.suite, "what to measure")->required()->check(CLI::IsMember(of.suites));
    app.add_option("--cases", asked.cases, "cases to run (--list names them)")->delimiter(',');
    app.add_option("--subjects", asked.subjects, "who is to run (--list names them)")->delimiter(',');
    CLI::Option* const repetitions =
        app.add_option("--repetitions", asked.repetitions, "repetitions of each")->check(CLI::Range(1, 1000));
    CLI::Option* const milliseconds =
        app.add_option("--milliseconds", asked.milliseconds, "length of a repetition")
            ->check(CLI::Range(0.01, 1000.0));
    app.add_flag("--quick", asked.quick, "9 repetitions of 1 ms")
        ->excludes(repetitions)
        ->excludes(milliseconds);
    app.add_flag("--list", asked.list, "print what would be measured, measure nothing");
    app.add_option("--count", asked.count, "under callgrind: so many operations of each, and no clock")
        ->check(CLI::Range(1, 100'000'000));
    app.add_option("--instructions", asked.instructions, "file with what callgrind counted");
    app.add_option("--json", asked.json, "file for the results");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        return app.exit(problem) == 0 ? 0 : 2;
    }

    if (asked.quick) {
        asked.repetitions = 9;
        asked.milliseconds = 1;
    }
    return exit_status_of("bench/run", [&] { run(std::move(of), asked, as_typed("bench/run", argc, argv)); });
}

} // namespace bench::costs
