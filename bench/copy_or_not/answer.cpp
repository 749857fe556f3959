// SPDX-License-Identifier: BSL-1.0
#include "copy_or_not/answer.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <random>

#include "common/statistics.hpp"

namespace bench {
namespace {

constexpr const char* learner = "adaptive";

std::string text(const char* format, double value) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, format, value);
    return buffer;
}

// The fastest of those that `fits`; null when none does.
template <class Fits>
const series* fastest(const cell_result& result, Fits&& fits) {
    const series* best = nullptr;
    for (const series& one : result.all)
        if (one.strategy != learner && fits(one) && (best == nullptr || one.median_ns() < best->median_ns()))
            best = &one;
    return best;
}

struct duel {
    const series* copy = nullptr;
    const series* attach = nullptr;

    [[nodiscard]] bool decided() const { return copy != nullptr && attach != nullptr; }
    [[nodiscard]] bool copy_wins() const { return copy->median_ns() < attach->median_ns(); }
    [[nodiscard]] double margin() const {
        const double one = copy->median_ns();
        const double other = attach->median_ns();
        return std::max(one, other) / std::min(one, other);
    }
};

duel copy_against_attach(const cell_result& result) {
    const auto copying = [&](const series& one) { return copies(one.strategy, result.frame_bytes); };
    return {fastest(result, copying), fastest(result, [&](const series& one) { return !copying(one); })};
}

// "12 %" or "3.1 times"
std::string by(double margin) {
    return margin < 2 ? text("%.0f %%", 100 * (margin - 1)) : text("%.1f times", margin);
}

std::string reading(touch what) {
    switch (what) {
    case touch::none:
        return "nothing read";
    case touch::headers:
        return "headers read";
    case touch::bytes:
        return "every byte read";
    case touch::checksum:
        return "checksums computed";
    case touch::copy_out:
        return "copied to the application";
    }
    return "";
}

std::string circumstances(const std::string& hold, touch what) {
    const std::string held = hold == "0"      ? "freed at once"
                             : hold == "half" ? "half of the pool held"
                                              : hold + " held";
    return held + ", " + reading(what);
}

// Where attaching begins to win for one holding time and touch: the sizes in rising order, each with its
// duel.
nlohmann::json line_of(const std::string& hold, touch what, const std::vector<const cell_result*>& by_size) {
    const cell_result* last_copy = nullptr;
    std::size_t copy_wins = 0;
    double copy_margin = 1;
    double attach_margin = 1;
    for (const cell_result* result : by_size) {
        const duel both = copy_against_attach(*result);
        if (both.copy_wins()) {
            last_copy = result;
            ++copy_wins;
            copy_margin = std::max(copy_margin, both.margin());
        } else {
            attach_margin = std::max(attach_margin, both.margin());
        }
    }
    nlohmann::json line = {{"hold", hold}, {"touch", name(what)}};
    const std::string when = "Packets " + circumstances(hold, what) + ": ";
    const std::string largest = std::to_string(by_size.back()->frame_bytes);
    if (last_copy == nullptr) {
        line["copybreak"] = 0;
        line["text"] =
            when + "attach always; copying is behind at every size, by up to " + by(attach_margin) + ".";
    } else if (copy_wins == by_size.size()) {
        line["copybreak"] = nullptr;
        line["text"] = when + "never attach up to " + largest + " bytes; copying is ahead by up to " +
                       by(copy_margin) + ".";
    } else {
        line["copybreak"] = last_copy->frame_bytes;
        line["text"] =
            when + "attaching starts to win above " + std::to_string(last_copy->frame_bytes) +
            " bytes; up to there copying is ahead by at most " + by(copy_margin) +
            ", from there attaching by up to " + by(attach_margin) +
            (last_copy == by_size[copy_wins - 1] ? "."
                                                 : " (below the line the two change places: see the map).");
    }
    return line;
}

// What a user with this capture wants to know.
nlohmann::json capture_sentence(const cell_result& result) {
    const duel both = copy_against_attach(result);
    if (!both.decided())
        return nullptr;
    const series& best = both.copy_wins() ? *both.copy : *both.attach;
    const series& other = both.copy_wins() ? *both.attach : *both.copy;
    return "The capture, " + circumstances(result.where.hold.name, result.where.touch) + ": " +
           (both.copy_wins() ? "copy" : "attach") + " (" + best.strategy + ", " +
           text("%.0f", best.median_ns()) + " ns a packet; the best that " +
           (both.copy_wins() ? "attaches, " : "copies everything, ") + other.strategy + ", " +
           text("%.0f", other.median_ns()) + ").";
}

// The best fixed strategy, how far `mine` is behind it, and how far it is from itself.
struct duel_of_halves {
    const series* best = nullptr;
    double behind = 0;
    double noise = 0;
};

// What each strategy took in each repetition, in units of what that repetition took of all: a machine that
// others use too is slow for a second, then fast, and that is no merit of whoever had the fast second.
std::map<const series*, std::vector<double>> in_step(const cell_result& result) {
    std::map<const series*, std::vector<double>> values;
    std::size_t repetitions = result.all.front().repetitions.size();
    for (const series& one : result.all)
        repetitions = std::min(repetitions, one.repetitions.size());
    for (std::size_t r = 0; r != repetitions; ++r) {
        std::vector<double> together;
        for (const series& one : result.all)
            together.push_back(one.repetitions[r].ns_per_packet);
        for (const series& one : result.all)
            values[&one].push_back(one.repetitions[r].ns_per_packet / median(together));
    }
    return values;
}

// The best is chosen on one half of the repetitions and measured on the other, so that luck does not choose.
// Which repetitions make up a half is luck too, so this is done for many ways to halve them: what counts is
// the median.
duel_of_halves judge(const cell_result& result, const series& mine) {
    constexpr int ways = 201;
    const std::map<const series*, std::vector<double>> values = in_step(result);
    std::map<const series*, int> chosen;
    std::vector<double> behind;
    std::vector<double> noise;
    std::vector<std::size_t> order(values.at(&mine).size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::mt19937 draw(1); // always the same ways
    for (int way = 0; way != ways; ++way) {
        std::shuffle(order.begin(), order.end(), draw);
        const auto middle = order.begin() + static_cast<std::ptrdiff_t>(order.size() / 2);
        const std::vector<std::size_t> choosing(order.begin(), middle);
        const std::vector<std::size_t> measuring(middle, order.end());
        const series* best = nullptr;
        double chosen_on = 0;
        for (const series& one : result.all) {
            if (one.strategy == learner)
                continue;
            const double here = median(at(values.at(&one), choosing));
            if (best == nullptr || here < chosen_on) {
                best = &one;
                chosen_on = here;
            }
        }
        if (best == nullptr)
            return {};
        const double measured_on = median(at(values.at(best), measuring));
        ++chosen[best];
        behind.push_back(median(at(values.at(&mine), measuring)) / measured_on - 1);
        noise.push_back(std::abs(measured_on / chosen_on - 1));
    }
    const auto most_often = std::max_element(
        chosen.begin(), chosen.end(), [](auto& one, auto& other) { return one.second < other.second; });
    return {most_often->first, median(behind), median(noise)};
}

} // namespace

std::vector<double> series::nanoseconds() const {
    std::vector<double> values;
    for (const measurement& one : repetitions)
        values.push_back(one.ns_per_packet);
    return values;
}
double series::median_ns() const {
    return median(nanoseconds());
}
std::uint64_t series::drops() const {
    std::uint64_t sum = 0;
    for (const measurement& one : repetitions)
        for (const auto& [reason, count] : one.dropped)
            sum += count;
    return sum;
}
const series* cell_result::find(const std::string& strategy) const {
    const auto at =
        std::find_if(all.begin(), all.end(), [&](const series& one) { return one.strategy == strategy; });
    return at == all.end() ? nullptr : &*at;
}

bool copies(const std::string& strategy, std::uint32_t frame_bytes) {
    if (strategy == "stride_copy")
        return true;
    const bool copies_short =
        strategy == "per_packet_copybreak" || strategy == "stride_attach" || strategy == "page_attach";
    return copies_short && frame_bytes != 0 && frame_bytes <= 256;
}

nlohmann::json answer(const std::vector<cell_result>& results) {
    nlohmann::json map = nlohmann::json::array();
    nlohmann::json wrong = nlohmann::json::array();
    std::map<std::pair<touch, std::string>, std::vector<const cell_result*>> lines;
    std::vector<std::pair<touch, std::string>> order;
    for (const cell_result& result : results) {
        const series* best = fastest(result, [](const series&) { return true; });
        if (best == nullptr)
            continue;
        const series* worst = best;
        for (const series& one : result.all)
            if (one.strategy != learner && one.median_ns() > worst->median_ns())
                worst = &one;
        wrong.push_back({{"case", result.where.name()},
                         {"best", best->strategy},
                         {"worst", worst->strategy},
                         {"ratio", worst->median_ns() / best->median_ns()}});
        const duel both = copy_against_attach(result);
        if (!both.decided())
            continue;
        map.push_back(
            {{"traffic", result.where.traffic},
             {"frame_bytes", result.frame_bytes == 0 ? nlohmann::json() : nlohmann::json(result.frame_bytes)},
             {"hold", result.where.hold.name},
             {"touch", name(result.where.touch)},
             {"winner", (both.copy_wins() ? both.copy : both.attach)->strategy},
             {"family", both.copy_wins() ? "copy" : "attach"},
             {"margin", both.margin()}});
        if (result.frame_bytes != 0) {
            const std::pair key(result.where.touch, result.where.hold.name);
            if (!lines.contains(key))
                order.push_back(key);
            lines[key].push_back(&result);
        }
    }
    nlohmann::json by_hold = nlohmann::json::array();
    nlohmann::json sentences = nlohmann::json::array();
    for (const cell_result& result : results)
        if (result.where.traffic == "capture")
            if (auto sentence = capture_sentence(result); !sentence.is_null())
                sentences.push_back(std::move(sentence));
    for (const auto& key : order) {
        auto& by_size = lines[key];
        if (by_size.size() < 2)
            continue;
        std::sort(by_size.begin(), by_size.end(),
                  [](auto* one, auto* other) { return one->frame_bytes < other->frame_bytes; });
        by_hold.push_back(line_of(key.second, key.first, by_size));
        sentences.push_back(by_hold.back()["text"]);
    }
    const bool several =
        std::any_of(wrong.begin(), wrong.end(), [](const auto& one) { return one["ratio"] > 1.0; });
    if (several) {
        const auto most =
            *std::max_element(wrong.begin(), wrong.end(), [](const auto& one, const auto& other) {
                return one["ratio"] < other["ratio"];
            });
        sentences.push_back("Choosing wrong costs up to " + text("%.1f", most["ratio"].get<double>()) +
                            " times: " + most["worst"].get<std::string>() + " instead of " +
                            most["best"].get<std::string>() + " (" + most["case"].get<std::string>() + ").");
    }
    return {{"sentences", sentences}, {"by_hold", by_hold}, {"map", map}, {"cost_of_wrong", wrong}};
}

nlohmann::json regret(const std::vector<cell_result>& results) {
    nlohmann::json cells = nlohmann::json::array();
    std::vector<double> net;
    std::vector<double> noises;
    for (const cell_result& result : results) {
        const series* mine = result.find(learner);
        if (mine == nullptr || mine->repetitions.size() < 2)
            continue;
        const duel_of_halves judged = judge(result, *mine);
        if (judged.best == nullptr)
            continue;
        const series* best = judged.best;
        const double behind = judged.behind;
        const double noise = judged.noise;
        net.push_back(std::max(0.0, behind - noise));
        noises.push_back(noise);
        std::uint64_t fewest_drops = best->drops();
        for (const series& one : result.all)
            if (one.strategy != learner)
                fewest_drops = std::min(fewest_drops, one.drops());
        cells.push_back({{"case", result.where.name()},
                         {"best_fixed", best->strategy},
                         {"regret", behind},
                         {"noise", noise},
                         {"net", net.back()},
                         {"drops", mine->drops()},
                         {"fewest_drops_of_fixed", fewest_drops}});
    }
    if (net.empty())
        return nullptr;
    return {{"median", median(net)},
            {"worst", *std::max_element(net.begin(), net.end())},
            {"noise_median", median(noises)},
            {"cells", cells}};
}

} // namespace bench
