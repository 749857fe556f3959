// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the programs of the bench have in common beside what they measure: how their results begin, where
// these go, and how a program ends.

#include <cstdio>
#include <stdexcept>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace bench {

// What ends the run with exit status 2: the text says what to do.
struct bad_input : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// What makes every figure of the run worthless.
struct defect : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The command as a person types it: where results go, and where instructions come from, is the affair of
// bench/run.
[[nodiscard]] std::string as_typed(std::string command, int argc, char** argv);

// Results as they begin: which suite of which Noria, how it was called, and on what machine.
[[nodiscard]] nlohmann::json results_of(const std::string& suite, const std::string& command);

// The machine of these results, and what is unlike a machine as it should be. `with_one_processor` says what
// happens then to what needs two; `missing`, who of the neighbours is not there.
void print_machine(const nlohmann::json& results, const char* with_one_processor, const std::string& missing);

// Into that file, if there is a name. Throws bad_input.
void write(const nlohmann::json& results, const std::string& file);

// Runs it, and says on stderr why it ended early, if it did. The exit status.
template <class Run>
[[nodiscard]] int exit_status_of(const char* program, Run run) {
    try {
        run();
        return 0;
    } catch (const bad_input& problem) {
        std::fprintf(stderr, "%s: %s\n", program, problem.what());
        return 2;
    } catch (const defect& problem) {
        std::fprintf(stderr, "%s: DEFECT: %s. No figure of this run is to be trusted.\n", program,
                     problem.what());
        return 1;
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s: %s\n", program, problem.what());
        return 1;
    }
}

} // namespace bench
