// SPDX-License-Identifier: BSL-1.0

// copy_or_not: on this machine, for this traffic, for a consumer that holds packets this long: should
// received frames be copied, or handed on in place?

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <numeric>
#include <optional>
#include <random>

#include <CLI/CLI.hpp>

#include "common/machine.hpp"
#include "common/progress.hpp"
#include "copy_or_not/answer.hpp"
#include "copy_or_not/cell.hpp"
#include "copy_or_not/report.hpp"
#include "copy_or_not/subject.hpp"
#include "copy_or_not/traffic.hpp"
#include "noria/core/config.hpp"

namespace {

using namespace bench;

struct options {
    std::string capture = BENCH_CAPTURE;
    std::vector<std::string> sizes;
    std::vector<std::string> holds;
    std::vector<std::string> strategies;
    std::vector<std::string> touches;
    std::uint64_t frames = 0;
    unsigned repetitions = 9;
    bool quick = false;
    bool full = false;
    bool list = false;
    std::string json;
};

std::vector<cell> cells_for(const options& asked) {
    if (asked.sizes.empty() && asked.holds.empty() && asked.touches.empty())
        return asked.full ? all_cells() : asked.quick ? quick_cells() : default_cells();
    // Naming one axis crosses it with a short list of the others.
    std::vector<touch> touches;
    for (const std::string& text : asked.touches)
        touches.push_back(touch_named(text));
    const auto or_else = [](const std::vector<std::string>& list, std::vector<std::string> otherwise) {
        return list.empty() ? otherwise : list;
    };
    return crossed(or_else(asked.sizes, {"64", "256", "512", "1514", "capture"}),
                   or_else(asked.holds, {"0", "64", "1024"}),
                   touches.empty() ? std::vector{touch::headers} : touches);
}

std::vector<const subject*> subjects_for(const options& asked) {
    std::vector<const subject*> chosen;
    for (const subject& one : subjects())
        if (asked.strategies.empty() ||
            std::find(asked.strategies.begin(), asked.strategies.end(), one.name) != asked.strategies.end())
            chosen.push_back(&one);
    for (const std::string& text : asked.strategies)
        if (std::none_of(chosen.begin(), chosen.end(),
                         [&](const subject* one) { return text == one->name; })) {
            std::string all;
            for (const subject& one : subjects())
                all += std::string(all.empty() ? "" : ", ") + one.name;
            throw bad_input("unknown strategy '" + text + "': use some of " + all);
        }
    return chosen;
}

// All traffics that the cells name, each made once.
std::map<std::string, traffic> traffics_for(const std::vector<cell>& cells, const std::string& capture) {
    std::map<std::string, traffic> all;
    for (const cell& where : cells) {
        if (all.contains(where.traffic))
            continue;
        if (where.traffic == "capture") {
            all.emplace(where.traffic, from_capture(capture));
        } else if (where.traffic == "imix") {
            all.emplace(where.traffic, imix());
        } else {
            std::uint32_t bytes = 0;
            if (where.traffic.size() > 5 ||
                where.traffic.find_first_not_of("0123456789") != std::string::npos)
                throw bad_input("unknown traffic '" + where.traffic +
                                "': use a frame size from 60 to 9018, capture or imix");
            bytes = static_cast<std::uint32_t>(std::stoul(where.traffic));
            all.emplace(where.traffic, of_size(bytes));
        }
    }
    return all;
}

cell_result measure(const cell& where, const traffic& from, const std::vector<const subject*>& chosen,
                    noria::region& memory, const options& asked, double floor_ns) {
    cell_result result{.where = where,
                       .frame_bytes =
                           where.traffic == "capture" || where.traffic == "imix" ? 0u : from.longest,
                       .mean_bytes = from.mean_bytes(),
                       .floor_ns = floor_ns,
                       .all = {}};
    const run_options timed{.frames = asked.frames};
    std::vector<memory_of_the_past> pasts(chosen.size());
    for (const subject* one : chosen)
        result.all.push_back({one->name, {}});
    for (std::size_t i = 0; i != chosen.size(); ++i) // warms up, and lets the one that learns do so
        static_cast<void>(chosen[i]->run(where, from, memory, {.seconds = 0.03}, pasts[i]));
    // In another order each time, so that nobody is always behind the same neighbour, nor in step with a host
    // that is slow every other moment.
    std::vector<std::size_t> order(chosen.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::mt19937 draw(1);
    for (unsigned r = 0; r != asked.repetitions; ++r) {
        std::shuffle(order.begin(), order.end(), draw);
        for (const std::size_t i : order)
            result.all[i].repetitions.push_back(chosen[i]->run(where, from, memory, timed, pasts[i]));
    }
    return result;
}

nlohmann::json sheet_of(const traffic& from) {
    nlohmann::json histogram = nlohmann::json::array();
    for (const auto& [bound, count] : from.histogram())
        histogram.push_back({bound, count});
    return {{"name", from.name},          {"frames", from.frames.size()},
            {"bytes", from.bytes.size()}, {"mean_bytes", from.mean_bytes()},
            {"histogram", histogram},     {"remarks", from.remarks}};
}

double core_share(const std::vector<cell_result>& results) {
    double sum = 0;
    double count = 0;
    for (const cell_result& result : results)
        for (const series& one : result.all)
            for (const measurement& repetition : one.repetitions) {
                sum += repetition.core_share;
                ++count;
            }
    return count == 0 ? 1 : sum / count;
}

void print_answer(const nlohmann::json& answer, const nlohmann::json& regret) {
    std::printf("The answer\n\n");
    for (const auto& sentence : answer["sentences"])
        std::printf("  %s\n", sentence.get<std::string>().c_str());
    if (!regret.is_null()) {
        std::uint64_t drops = 0;
        for (const auto& one : regret["cells"])
            if (one["fewest_drops_of_fixed"] == 0)
                drops += one["drops"].get<std::uint64_t>();
        std::printf("  adaptive is behind the best fixed strategy by %.1f %% (median of the cells) and %.1f "
                    "%% (worst), net of noise; the "
                    "same strategy against itself differs by %.1f %%. It dropped %llu frames where some "
                    "fixed strategy dropped none.\n",
                    100 * regret["median"].get<double>(), 100 * regret["worst"].get<double>(),
                    100 * regret["noise_median"].get<double>(), static_cast<unsigned long long>(drops));
    }
    std::printf("\n");
}

int run(const options& asked, const std::string& command) {
    const std::vector<cell> cells = cells_for(asked);
    if (asked.list) {
        for (const cell& where : cells)
            std::printf("%s\n", where.name().c_str());
        return 0;
    }
    const std::vector<const subject*> chosen = subjects_for(asked);
    const std::map<std::string, traffic> traffics = traffics_for(cells, asked.capture);
    for (const auto& [name, from] : traffics)
        for (const std::string& remark : from.remarks)
            std::fprintf(stderr, "%s: %s\n", name.c_str(), remark.c_str());

    std::uint64_t bytes = 0;
    for (const cell& where : cells)
        for (const subject* one : chosen)
            bytes = std::max(bytes, one->region_bytes(where, traffics.at(where.traffic)));
    auto memory = noria::region::map({.bytes = bytes});
    if (!memory)
        throw bad_input(std::string("no memory for the packets (") + std::to_string(bytes >> 20) +
                        " MiB): " + memory.error().advice);
    if (!pin(0) || processors() < 2)
        std::fprintf(
            stderr,
            "Only one processor may be used here: the card runs on the receiver's, so figures say little.\n");

    std::vector<cell_result> results;
    std::map<std::string, double> floors;
    {
        progress line(cells.size());
        for (const cell& where : cells) {
            line.show(results.size(), where.name());
            const traffic& from = traffics.at(where.traffic);
            if (!floors.contains(where.traffic))
                floors[where.traffic] = memcpy_floor(from, *memory, {});
            results.push_back(measure(where, from, chosen, *memory, asked, floors[where.traffic]));
        }
    }

    nlohmann::json out = {{"noria", NORIA_VERSION}, {"suite", "copy_or_not"}, {"command", command}};
    out["machine"] = machine_sheet();
    out["machine"]["memory_backing"] = name(memory->got());
    out["machine"]["core_share"] = core_share(results);
    out["traffic"] = nlohmann::json::array();
    for (const auto& [name, from] : traffics)
        out["traffic"].push_back(sheet_of(from));
    out["rows"] = rows_of(results);
    out["answer"] = answer(results);
    out["regret"] = regret(results);

    const double share = core_share(results);
    std::printf("%.0f %% of the receiving core was ours.%s\n\n", 100 * share,
                share < 0.7   ? " That is too little for any verdict: run again when the machine is quiet."
                : share < 0.9 ? " Trust the ratios more than the figures, and run again when it is quiet."
                              : "");
    print_table(results);
    print_answer(out["answer"], out["regret"]);
    if (!asked.json.empty()) {
        std::ofstream file(asked.json);
        file << out.dump(1) << '\n';
        if (!file.flush())
            throw bad_input("cannot write " + asked.json + ": name a file in a folder that exists");
    }
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    options asked;
    CLI::App app("Copy or not: should received frames be copied or handed on in place, on this machine, for "
                 "this traffic?");
    app.add_option("--capture", asked.capture,
                   "pcap or pcapng file to replay (default: the one that ships with Noria)");
    app.add_option("--sizes", asked.sizes, "traffics: frame sizes 60..9018, capture, imix")->delimiter(',');
    app.add_option("--hold", asked.holds, "packets the consumer keeps: numbers, half (of the pool)")
        ->delimiter(',');
    app.add_option("--touch", asked.touches, "what it reads: none, headers, bytes, checksum, copy-out")
        ->delimiter(',');
    app.add_option("--strategies", asked.strategies, "strategies to run")->delimiter(',');
    app.add_option("--frames", asked.frames, "frames a repetition (default: 20 ms of them)")
        ->check(CLI::PositiveNumber);
    app.add_option("--repetitions", asked.repetitions, "repetitions of each strategy in each cell")
        ->check(CLI::Range(1, 1000));
    app.add_flag("--quick", asked.quick, "few cells, under 40 s");
    app.add_flag("--full", asked.full, "all axes crossed; takes long");
    app.add_flag("--list", asked.list, "print the cells, run nothing");
    app.add_option("--json", asked.json, "file for the results");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        return app.exit(problem) == 0 ? 0 : 2;
    }

    std::string command = "bench/run"; // as a person types it: where the results go is bench/run's own affair
    for (int i = 1; i != argc; ++i) {
        const std::string word = argv[i];
        if (word == "--json")
            ++i;
        else if (word.rfind("--json=", 0) != 0)
            command += " " + word;
    }
    try {
        return run(asked, command);
    } catch (const bad_input& problem) {
        std::fprintf(stderr, "copy_or_not: %s\n", problem.what());
        return 2;
    } catch (const broken_ledger& defect) {
        std::fprintf(stderr,
                     "copy_or_not: DEFECT: %s. No figure of this run is to be trusted; please report it.\n",
                     defect.what());
        return 1;
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "copy_or_not: %s\n", problem.what());
        return 1;
    }
}
