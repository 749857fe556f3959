// SPDX-License-Identifier: BSL-1.0
#include "copy_or_not/answer.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

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

// Where attaching begins to win for one holding time and touch: the sizes in rising order, each with its
// duel.
nlohmann::json line_of(const std::string& hold, touch what, const std::vector<const cell_result*>& by_size) {
    const cell_result* last_copy = nullptr;
    std::size_t copy_wins = 0;
    for (const cell_result* result : by_size)
        if (copy_against_attach(*result).copy_wins()) {
            last_copy = result;
            ++copy_wins;
        }
    nlohmann::json line = {{"hold", hold}, {"touch", name(what)}};
    const std::string when = "Packets held: " + hold + ", read: " + name(what) + ": ";
    if (last_copy == nullptr) {
        line["copybreak"] = 0;
        line["text"] = when + "attach always; copying wins at no size.";
    } else if (copy_wins == by_size.size()) {
        line["copybreak"] = nullptr;
        line["text"] = when + "copy always; attaching wins at no size up to " +
                       std::to_string(by_size.back()->frame_bytes) + " bytes.";
    } else {
        line["copybreak"] = last_copy->frame_bytes;
        line["text"] = when + "copy frames up to " + std::to_string(last_copy->frame_bytes) +
                       " bytes, attach longer ones" +
                       (last_copy == by_size[copy_wins - 1]
                            ? "."
                            : "; below that line the two change places, so look at the map.");
    }
    return line;
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
    for (const auto& key : order) {
        auto& by_size = lines[key];
        if (by_size.size() < 2)
            continue;
        std::sort(by_size.begin(), by_size.end(),
                  [](auto* one, auto* other) { return one->frame_bytes < other->frame_bytes; });
        by_hold.push_back(line_of(key.second, key.first, by_size));
        sentences.push_back(by_hold.back()["text"]);
    }
    for (const cell_result& result : results) {
        const series* best = fastest(result, [](const series&) { return true; });
        if (best == nullptr || result.where.traffic != "capture")
            continue;
        sentences.push_back("Your capture, held: " + result.where.hold.name +
                            ", read: " + name(result.where.touch) + ": " + best->strategy +
                            " is fastest with " + text("%.1f", best->median_ns()) + " ns a packet.");
    }
    if (!wrong.empty()) {
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
        // The best is chosen on one half of the repetitions and measured on the other, so that luck does not
        // choose.
        const series* best = nullptr;
        for (const series& one : result.all)
            if (one.strategy != learner &&
                (best == nullptr ||
                 median(every_second(one.nanoseconds(), 0)) < median(every_second(best->nanoseconds(), 0))))
                best = &one;
        if (best == nullptr)
            continue;
        const double chosen_on = median(every_second(best->nanoseconds(), 0));
        const double measured_on = median(every_second(best->nanoseconds(), 1));
        const double behind = median(every_second(mine->nanoseconds(), 1)) / measured_on - 1;
        const double noise = std::abs(measured_on / chosen_on - 1);
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
