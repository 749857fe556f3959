// SPDX-License-Identifier: BSL-1.0
#include "common/program.hpp"

#include <fstream>
#include <string_view>

#include <nlohmann/json.hpp>

#include "common/machine.hpp"
#include "noria/core/config.hpp"
#include "rings/harness.hpp"

namespace bench {

std::string as_typed(std::string command, int argc, char** argv) {
    for (int i = 1; i != argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--json" || word == "--instructions")
            ++i;
        else if (!word.starts_with("--json=") && !word.starts_with("--instructions="))
            command.append(" ").append(word);
    }
    return command;
}

nlohmann::json results_of(const std::string& suite, const std::string& command) {
    nlohmann::json results = {
        {"noria", NORIA_VERSION}, {"suite", suite}, {"command", command}, {"machine", machine_sheet()}};
    results["machine"]["real_time"] = real_time::permitted();
    return results;
}

void print_machine(const nlohmann::json& results, const char* with_one_processor,
                   const std::string& missing) {
    const nlohmann::json& machine = results["machine"];
    std::printf("%s, %u processors; %s; %s\n", machine["cpu"].get<std::string>().c_str(), processors(),
                machine["compiler"].get<std::string>().c_str(), machine["flags"].get<std::string>().c_str());
    if (!real_time::permitted())
        std::printf("Real-time priority is not permitted here: figures are less steady.\n");
    if (processors() < 2)
        std::printf("Only one processor may be used: %s.\n", with_one_processor);
    if (!missing.empty())
        std::printf("%s\n", missing.c_str());
    std::printf("\n");
}

void write(const nlohmann::json& results, const std::string& file) {
    if (file.empty())
        return;
    std::ofstream to(file);
    to << results.dump(1) << '\n';
    if (!to.flush())
        throw bad_input("cannot write " + file + ": name a file in a folder that exists");
}

} // namespace bench
