// SPDX-License-Identifier: BSL-1.0
#include "rings/report.hpp"

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

namespace bench {
namespace {

// Whose figure the ratio of a row is made with: the plain ring, and the fan-in where producers are several.
const char* reference(work what) {
    return two_producers(what) ? "fan_in" : "spsc_ring";
}

nlohmann::json row_of(const series& one, const std::string& what, const nlohmann::json& ratio) {
    const std::vector<double> values = one.broken.empty() ? one.values() : std::vector<double>();
    const auto or_null = [&](auto figure) {
        return values.empty() ? nlohmann::json() : nlohmann::json(figure());
    };
    return {{"case", what},
            {"subject", one.who->name},
            {"unit", unit(one.what)},
            {"median", or_null([&] { return one.median_value(); })},
            {"min", or_null([&] { return *std::min_element(values.begin(), values.end()); })},
            {"max", or_null([&] { return *std::max_element(values.begin(), values.end()); })},
            {"repetitions", values.size()},
            {"ratio", ratio},
            {"work", name(one.what)},
            {"capacity", one.capacity},
            {"type", one.who->type},
            {"origin", one.who->from == origin::noria       ? "noria"
                       : one.who->from == origin::neighbour ? "neighbour"
                                                            : "limit"},
            {"item_bytes", one.who->item_bytes},
            {"shared", one.who->shared},
            {"loop", one.who->burst_is_loop && (one.what == work::burst || one.what == work::thread_burst ||
                                                one.what == work::shared_burst)},
            {"wait", on_one_thread(one.what) || values.empty() ? "none"
                     : one.pauses()                            ? "pause"
                                                               : "spin"},
            {"broken", one.broken.empty() ? nlohmann::json() : nlohmann::json(one.broken)},
            {"discarded", one.discarded},
            {"disturbed", one.disturbed_kept},
            {"samples", {{"spin", one.spin}, {"pause", one.pause}}}};
}

const char* heading(work what) {
    switch (what) {
    case work::one:
        return "one";
    case work::burst:
        return "burst";
    case work::in_place:
        return "in place";
    case work::round_trip:
        return "r. trip";
    case work::thread_one:
        return "1 thr 1";
    case work::thread_burst:
        return "1 thr 32";
    case work::shared_one:
        return "2p one";
    case work::shared_burst:
        return "2p burst";
    case work::progress:
        return "2p us";
    }
    return "?";
}

// Of equal item size; limits are no match for anybody.
bool best_of_column(const std::vector<series>& results, const series& one) {
    return one.who->from != origin::limit &&
           std::none_of(results.begin(), results.end(), [&](const series& other) {
               return other.what == one.what && other.capacity == one.capacity &&
                      other.who->from != origin::limit && other.broken.empty() &&
                      other.who->item_bytes == one.who->item_bytes &&
                      other.median_value() < one.median_value();
           });
}

bool broken(const std::vector<series>& results, const subject& who, work what, std::uint32_t capacity) {
    return std::any_of(results.begin(), results.end(), [&](const series& one) {
        return one.who == &who && one.what == what && one.capacity == capacity && !one.broken.empty();
    });
}

void print_table(const std::vector<series>& results, std::uint32_t capacity) {
    std::vector<const subject*> rows;
    std::vector<work> columns;
    for (const series& one : results)
        if (one.capacity == capacity && std::find(rows.begin(), rows.end(), one.who) == rows.end())
            rows.push_back(one.who);
    std::sort(rows.begin(), rows.end()); // as they stand in subjects()
    for (const work what : all_works)
        if (std::any_of(results.begin(), results.end(),
                        [&](const series& one) { return one.capacity == capacity && one.what == what; }))
            columns.push_back(what);

    std::printf("Capacity %u\n%-21s", capacity, "");
    for (const work what : columns)
        std::printf("%9s ", heading(what));
    std::printf("\n");
    for (const subject* who : rows) {
        std::printf("%-21s", who->name.c_str());
        for (const work what : columns) {
            const series* const one = find(results, who->name, what, capacity);
            if (one == nullptr) {
                std::printf("%9s ", broken(results, *who, what, capacity) ? "broken" : "");
                continue;
            }
            const bool loops = who->burst_is_loop && (what == work::burst || what == work::thread_burst ||
                                                      what == work::shared_burst);
            char figure[32];
            std::snprintf(figure, sizeof figure, "%.*f%s%s", one->median_value() < 100 ? 1 : 0,
                          one->median_value(), loops ? "~" : "", one->pauses() ? "p" : "");
            std::printf("%9s%c", figure, best_of_column(results, *one) ? '*' : ' ');
        }
        std::printf("\n");
    }
    std::printf("\n");
}

} // namespace

nlohmann::json rows_of(const std::vector<series>& results) {
    nlohmann::json rows = nlohmann::json::array();
    for (const series& one : results) {
        const series* const noria = find(results, reference(one.what), one.what, one.capacity);
        const bool own = one.who->from == origin::noria;
        rows.push_back(row_of(one, std::string(name(one.what)) + "/" + std::to_string(one.capacity),
                              own || noria == nullptr || !one.broken.empty()
                                  ? nlohmann::json()
                                  : nlohmann::json(noria->median_value() / one.median_value())));
    }
    return rows;
}

nlohmann::json json_of(const std::vector<goal_result>& goals) {
    nlohmann::json all = nlohmann::json::array();
    for (const goal_result& one : goals)
        all.push_back({{"goal", one.goal},
                       {"ours", one.ours},
                       {"against", one.against},
                       {"limit", one.limit},
                       {"ratio", one.ratio ? nlohmann::json(*one.ratio) : nlohmann::json()},
                       {"met", one.ratio ? nlohmann::json(one.met()) : nlohmann::json()}});
    return all;
}

nlohmann::json json_of(const std::vector<finding_result>& findings) {
    nlohmann::json rows = nlohmann::json::array();
    for (const finding_result& one : findings) {
        const std::string what = "finding/" + one.what->name;
        rows.push_back(row_of(one.with, what, nullptr));
        rows.push_back(row_of(one.without, what, one.with.median_value() / one.without.median_value()));
    }
    return rows;
}

void print_tables(const std::vector<series>& results) {
    if (results.empty())
        return;
    std::printf(
        "Median nanoseconds an item (r. trip: a round trip; 2p us: longest silence in microseconds).\n"
        "1 thr: one thread pushes and pops; 2p: two producers on one core. * the best of its item size;\n"
        "p waiting with pause was better, else without; ~ bursts are single operations in a loop;\n"
        "broken: items came damaged, out of order or not at all, so there is no figure.\n\n");
    std::vector<std::uint32_t> capacities;
    for (const series& one : results)
        if (std::find(capacities.begin(), capacities.end(), one.capacity) == capacities.end())
            capacities.push_back(one.capacity);
    for (const std::uint32_t capacity : capacities)
        print_table(results, capacity);
    std::printf("What Noria's names stand for:\n");
    for (const subject& one : subjects())
        if (one.from == origin::noria)
            std::printf("  %-20s %s\n", one.name.c_str(), one.type.c_str());
    std::printf("\n");
}

void print(const std::vector<goal_result>& goals) {
    std::printf("%-40s %-20s %-20s %6s %8s\n", "Goal (capacity 1024 unless said)", "ours", "divided by",
                "goal", "measured");
    for (const goal_result& one : goals) {
        std::printf("%-40s %-20s %-20s %6.2f ", one.goal.c_str(), one.ours.c_str(), one.against.c_str(),
                    one.limit);
        if (one.ratio)
            std::printf("%8.2f %s\n", *one.ratio, one.met() ? "met" : "MISSED");
        else
            std::printf("%8s not measured\n", "");
    }
    std::printf("\n");
}

void print(const std::vector<finding_result>& findings) {
    std::printf("Median nanoseconds, waiting without pause on both sides.\n\n");
    std::printf("%-34s %-22s %10s %10s %8s\n", "Finding", "case", "with, ns", "without", "factor");
    for (const finding_result& one : findings) {
        const std::string where =
            std::string(name(one.what->what)) + "/" + std::to_string(one.what->capacity);
        std::printf("%-34s %-22s %10.1f %10.1f %7.2fx\n   switched off: %s\n", one.what->name.c_str(),
                    where.c_str(), one.with.median_value(), one.without.median_value(),
                    one.without.median_value() / one.with.median_value(), one.what->switched_off.c_str());
    }
    std::printf("\n");
}

} // namespace bench
