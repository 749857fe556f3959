// SPDX-License-Identifier: BSL-1.0
#include "copy_or_not/report.hpp"

#include <algorithm>
#include <cstdio>

#include "common/statistics.hpp"

namespace bench {
namespace {

// Drops by reason and other counts, over all repetitions.
struct totals {
    std::uint64_t offered = 0;
    std::uint64_t delivered = 0;
    std::uint64_t held = 0;
    std::map<std::string, std::uint64_t> dropped;
    std::uint64_t pinned_peak_bytes = 0;
    measurement measured; // the sums of the measured parts

    explicit totals(const series& of) {
        for (const measurement& one : of.repetitions) {
            offered += one.offered;
            delivered += one.delivered;
            held += one.held;
            for (const auto& [reason, count] : one.dropped)
                dropped[reason] += count;
            pinned_peak_bytes = std::max(pinned_peak_bytes, one.pinned_peak_bytes);
            measured.packets += one.packets;
            measured.payload_bytes += one.payload_bytes;
            measured.bytes_copied += one.bytes_copied;
            measured.bytes_copied_out += one.bytes_copied_out;
            measured.heads += one.heads;
            measured.descriptors += one.descriptors;
            measured.references += one.references;
            measured.pages_allocated += one.pages_allocated;
            measured.dma.maps += one.dma.maps;
            measured.dma.unmaps += one.dma.unmaps;
            measured.dma.syncs_for_cpu += one.dma.syncs_for_cpu;
            measured.dma.syncs_for_device += one.dma.syncs_for_device;
        }
    }
};

nlohmann::json row_of(const cell_result& result, const series& one) {
    const totals sum(one);
    const std::vector<double> values = one.nanoseconds();
    const double ns = one.median_ns();
    const series* noria = result.find("adaptive");
    const auto each = [&](std::uint64_t count) {
        return sum.measured.packets == 0
                   ? 0.0
                   : static_cast<double>(count) / static_cast<double>(sum.measured.packets);
    };
    nlohmann::json row = {
        {"case", result.where.name()},
        {"subject", one.strategy},
        {"unit", "ns/packet"},
        {"median", ns},
        {"min", *std::min_element(values.begin(), values.end())},
        {"max", *std::max_element(values.begin(), values.end())},
        {"repetitions", values.size()},
        {"ratio",
         noria == nullptr || noria == &one ? nlohmann::json() : nlohmann::json(noria->median_ns() / ns)},
        {"strategy", one.strategy},
        {"traffic", result.where.traffic},
        {"frame_bytes", result.frame_bytes == 0 ? nlohmann::json() : nlohmann::json(result.frame_bytes)},
        {"hold", result.where.hold.name},
        {"hold_packets", result.where.hold.packets},
        {"touch", name(result.where.touch)},
        {"ns_per_byte", ns / result.mean_bytes},
        {"offered", sum.offered},
        {"delivered", sum.delivered},
        {"dropped", sum.dropped},
        {"held", sum.held},
        {"packets_measured", sum.measured.packets},
        {"delivered_bytes", sum.measured.payload_bytes},
        {"bytes_copied", sum.measured.bytes_copied},
        // From the wire's buffer to where the consumer reads, and on into its own buffer when it copies out.
        {"copies_per_byte",
         sum.measured.payload_bytes == 0
             ? 0.0
             : static_cast<double>(sum.measured.bytes_copied + sum.measured.bytes_copied_out) /
                   static_cast<double>(sum.measured.payload_bytes)},
        {"allocations", sum.measured.heads + sum.measured.pages_allocated},
        {"allocations_per_packet", each(sum.measured.heads + sum.measured.pages_allocated)},
        {"descriptors_per_packet", each(sum.measured.descriptors)},
        {"references", sum.measured.references},
        {"references_per_packet", each(sum.measured.references)},
        {"maps", sum.measured.dma.maps},
        {"unmaps", sum.measured.dma.unmaps},
        {"syncs", sum.measured.dma.syncs_for_cpu + sum.measured.dma.syncs_for_device},
        {"pinned_peak_bytes", sum.pinned_peak_bytes},
        {"held_payload_bytes", static_cast<double>(result.where.hold.packets) * result.mean_bytes},
        {"memcpy_floor_ns", result.floor_ns},
        {"samples", values},
    };
    if (one.strategy == "adaptive")
        row["copybreak"] = one.repetitions.back().copybreak;
    return row;
}

// A column is no wider than it must be.
std::string short_name(const std::string& strategy) {
    return strategy == "per_packet_copybreak" ? "copybreak" : strategy;
}

} // namespace

nlohmann::json rows_of(const std::vector<cell_result>& results) {
    nlohmann::json rows = nlohmann::json::array();
    for (const cell_result& result : results)
        for (const series& one : result.all)
            rows.push_back(row_of(result, one));
    return rows;
}

void print_table(const std::vector<cell_result>& results) {
    if (results.empty())
        return;
    std::printf("Nanoseconds a packet on the receiving core (median; * fastest; memcpy: a plain copy of the "
                "same bytes)\n\n");
    std::printf("%-30s", "traffic, hold, touch");
    for (const series& one : results.front().all)
        std::printf(" %13s", short_name(one.strategy).c_str());
    std::printf(" %9s\n", "memcpy");
    for (const cell_result& result : results) {
        double best = result.all.front().median_ns();
        for (const series& one : result.all)
            best = std::min(best, one.median_ns());
        std::printf("%-30s", result.where.name().c_str());
        for (const series& one : result.all)
            std::printf(" %12.1f%c", one.median_ns(), one.median_ns() == best ? '*' : ' ');
        std::printf(" %9.1f\n", result.floor_ns);
    }
    std::printf("\n");
}

} // namespace bench
