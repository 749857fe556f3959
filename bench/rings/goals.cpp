// SPDX-License-Identifier: BSL-1.0
#include "rings/goals.hpp"

#include <functional>

namespace bench {
namespace {

using who = std::function<bool(const subject&)>;

bool neighbour(const subject& one) {
    return one.from == origin::neighbour;
}
bool index_ring(const subject& one) {
    return neighbour(one) && one.index_ring;
}
bool shared(const subject& one) {
    return neighbour(one) && one.shared;
}
bool of_libxdp(const subject& one) {
    return one.package == "libxdp-dev";
}
bool of_dpdk(const subject& one) {
    return one.package == "libdpdk-dev";
}
bool shared_of_dpdk(const subject& one) {
    return of_dpdk(one) && one.shared;
}
bool two_lines(const subject& one) {
    return one.name == "limit: two lines";
}

struct goal {
    const char* text;
    const char* ours;
    work what;
    std::uint32_t capacity;
    double limit;
    who against;
};

const std::vector<goal>& goals() {
    static const std::vector<goal> all = {
        {"one at a time", "spsc_ring", work::one, 1024, 0.5, neighbour},
        {"burst 32 copied", "spsc_ring", work::burst, 1024, 0.5, neighbour},
        {"burst 32 in place, libxdp", "spsc_ring", work::in_place, 1024, 0.6, of_libxdp},
        {"burst 32 in place, rte_ring", "spsc_ring", work::in_place, 1024, 0.45, of_dpdk},
        {"round trip", "hybrid_ring", work::round_trip, 1024, 1.05, neighbour},
        {"round trip, two-line limit", "hybrid_ring", work::round_trip, 1024, 1.1, two_lines},
        {"round trip, index rings", "spsc_ring", work::round_trip, 1024, 0.9, index_ring},
        {"one thread 1+1, same_core", "spsc_ring same_core", work::thread_one, 1024, 1.0, neighbour},
        {"one thread 1+1", "spsc_ring", work::thread_one, 1024, 1.5, neighbour},
        {"one thread 32+32", "spsc_ring", work::thread_burst, 1024, 1.0, neighbour},
        {"MPSC, one producer, one at a time", "fan_in", work::one, 1024, 0.15, shared},
        {"MPSC, one producer, burst 32, rte_ring", "fan_in", work::burst, 1024, 0.6, shared_of_dpdk},
        {"two producers on one core", "fan_in", work::shared_one, 1024, 0.15, shared},
        {"two producers on one core", "mpsc_ring", work::shared_one, 1024, 0.7, shared},
        {"two producers on one core, burst 32", "fan_in", work::shared_burst, 1024, 0.15, shared},
        {"two producers on one core, burst 32", "mpsc_ring", work::shared_burst, 1024, 0.7, shared},
        {"one at a time, 64 slots", "hybrid_ring", work::one, 64, 0.8, neighbour},
        {"burst 32 copied, 64 slots", "spsc_ring", work::burst, 64, 1.05, neighbour},
        {"burst 32 in place, 64 slots", "spsc_ring", work::in_place, 64, 1.05, neighbour},
    };
    return all;
}

} // namespace

std::vector<goal_result> judge(const std::vector<series>& results) {
    std::vector<goal_result> judged;
    for (const goal& one : goals()) {
        goal_result result{
            .goal = one.text, .limit = one.limit, .ours = one.ours, .against = "", .ratio = {}};
        const series* const ours = find(results, one.ours, one.what, one.capacity);
        const series* best = nullptr;
        for (const series& other : results)
            if (other.broken.empty() && other.what == one.what && other.capacity == one.capacity &&
                one.against(*other.who) &&
                (ours == nullptr || other.who->item_bytes == ours->who->item_bytes) &&
                (best == nullptr || other.median_value() < best->median_value()))
                best = &other;
        if (best != nullptr)
            result.against = best->who->name;
        if (ours != nullptr && best != nullptr)
            result.ratio = ours->median_value() / best->median_value();
        judged.push_back(result);
    }
    return judged;
}

} // namespace bench
