// SPDX-License-Identifier: BSL-1.0
#include "costs/report.hpp"

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

namespace bench::costs {
namespace {

// Noria's figure divided by this one; none for Noria's own.
std::optional<double> ratio(const std::vector<series>& results, const series& one) {
    const series* const noria = find(results, one.who->what, "noria");
    if (noria == nullptr || one.who->from == origin::noria)
        return {};
    return noria->median_value() / one.median_value();
}

nlohmann::json or_null(const std::optional<double>& figure) {
    return figure ? nlohmann::json(*figure) : nlohmann::json();
}

const char* name(origin from) {
    switch (from) {
    case origin::noria:
        return "noria";
    case origin::neighbour:
        return "neighbour";
    case origin::limit:
        return "limit";
    }
    return "?";
}

std::string figure(const std::optional<double>& value, int digits) {
    char text[32] = "-";
    if (value)
        std::snprintf(text, sizeof text, "%.*f", digits, *value);
    return text;
}

// Says the unit where it is another one.
std::string how(const subject& who) {
    return who.unit == subject{}.unit ? who.type : who.unit + ": " + who.type;
}

} // namespace

nlohmann::json rows_of(const std::vector<series>& results) {
    nlohmann::json rows = nlohmann::json::array();
    for (const series& one : results) {
        const auto [least, most] = std::minmax_element(one.samples.begin(), one.samples.end());
        rows.push_back({{"case", one.who->what},
                        {"subject", one.who->name},
                        {"unit", one.who->unit},
                        {"median", one.median_value()},
                        {"min", *least},
                        {"max", *most},
                        {"repetitions", one.samples.size()},
                        {"ratio", or_null(ratio(results, one))},
                        {"instructions", or_null(one.instructions)},
                        {"type", one.who->type},
                        {"origin", name(one.who->from)},
                        {"objects", one.who->objects},
                        {"discarded", one.discarded},
                        {"disturbed", one.disturbed_kept},
                        {"samples", one.samples}});
    }
    return rows;
}

nlohmann::json json_of(const std::vector<goal_result>& goals) {
    nlohmann::json all = nlohmann::json::array();
    for (const goal_result& one : goals)
        all.push_back({{"goal", one.aim.words},
                       {"case", one.aim.what},
                       {"ours", one.ours()},
                       {"against", one.against()},
                       {"limit", one.aim.limit},
                       {"ratio", or_null(one.ratio)},
                       {"met", one.ratio ? nlohmann::json(one.met()) : nlohmann::json()}});
    return all;
}

void print(const std::vector<series>& results) {
    std::printf(
        "Nanoseconds and instructions for one object. Ratio: Noria's median divided by this one.\n\n");
    std::printf("%-15s %-15s %8s %17s %7s %6s  %s\n", "Case", "who", "median", "min - max", "instr.", "ratio",
                "how");
    std::string last;
    for (const series& one : results) {
        const auto [least, most] = std::minmax_element(one.samples.begin(), one.samples.end());
        const std::string spread = figure(*least, 2) + " - " + figure(*most, 2);
        std::printf("%-15s %-15s %8.2f %17s %7s %6s  %s\n",
                    one.who->what == last ? "" : one.who->what.c_str(), one.who->name.c_str(),
                    one.median_value(), spread.c_str(), figure(one.instructions, 1).c_str(),
                    figure(ratio(results, one), 2).c_str(), how(*one.who).c_str());
        last = one.who->what;
    }
    std::printf("\n");
}

void print(const std::vector<goal_result>& goals) {
    if (goals.empty())
        return;
    std::printf("%-36s %-20s %-16s %6s %8s\n", "Goal", "ours", "divided by", "goal", "measured");
    for (const goal_result& one : goals) {
        std::printf("%-36s %-20s %-16s %6.2f ", one.aim.words.c_str(), one.ours().c_str(),
                    one.against().c_str(), one.aim.limit);
        if (one.ratio)
            std::printf("%8.2f %s\n", *one.ratio, one.met() ? "met" : "MISSED");
        else
            std::printf("%8s not measured\n", "");
    }
    std::printf("\n");
}

} // namespace bench::costs
