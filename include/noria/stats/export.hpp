// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "noria/stats/drop_reason.hpp"
#include "noria/stats/link.hpp"
#include "noria/stats/text.hpp"

// Counters for monitors. Like every exporter of this library these fill a span of chars and return the size
// needed: where that is above the span's, the text in it is cut off, and is to be written again with more
// room. Without a terminating zero. Thread: any, beside the writers. No allocation; not for the data path.

namespace noria::inline NORIA_ABI {

// One queue as an exporter sees it. Precondition: the name is UTF-8, and no other queue has it.
struct exported_queue {
    std::string_view name;
    link_values link;                      // values(counters), or what a device's registers came to
    const drop_histogram* drops = nullptr; // null: nobody counts them
};

namespace detail {

// put(reason, count) for every reason that was met. Consumed is no drop and is left out.
template <class Put>
void for_each_drop(const drop_histogram* drops, Put put) noexcept {
    if (drops == nullptr)
        return;
    const auto look = [&](drop_reason reason) {
        if (const std::uint64_t count = drops->of(reason); count != 0 && reason != drop_reason::consumed)
            put(reason, count);
    };
    for (std::uint32_t i = 0; i < drop_reason_count; ++i)
        look(static_cast<drop_reason>(i));
    look(user_drop_reason(1, 0));
}

inline void put_metric_head(text_writer& out, std::string_view name, std::string_view help) noexcept {
    for (const std::string_view part :
         {std::string_view("# HELP noria_"), name, std::string_view("_total "), help,
          std::string_view("\n# TYPE noria_"), name, std::string_view("_total counter\n")})
        out.put(part);
}

} // namespace detail

// All queues as Prometheus text (exposition format 0.0.4), one metric after the other as the format wants it:
// noria_<counter>_total{queue="..."} for the link, and noria_drops_total{queue="...",reason="..."}.
[[nodiscard]] inline std::size_t export_prometheus(std::span<char> to,
                                                   std::span<const exported_queue> queues) noexcept {
    detail::text_writer out(to);
    for (const auto& field : link_fields<std::uint64_t>) {
        detail::put_metric_head(out, field.name, field.help);
        for (const exported_queue& queue : queues) {
            out.put("noria_");
            out.put(field.name);
            out.put("_total{queue=\"");
            out.put_label(queue.name);
            out.put("\"} ");
            out.put(queue.link.*field.count);
            out.put('\n');
        }
    }
    detail::put_metric_head(out, "drops", "Packets dropped, by reason.");
    for (const exported_queue& queue : queues)
        detail::for_each_drop(queue.drops, [&](drop_reason reason, std::uint64_t count) {
            out.put("noria_drops_total{queue=\"");
            out.put_label(queue.name);
            out.put("\",reason=\"");
            out.put(name(reason));
            out.put("\"} ");
            out.put(count);
            out.put('\n');
        });
    return out.size();
}

// All queues as one JSON text (RFC 8259): an array of {"queue":"...","link":{...},"drops":{...}}, with a line
// feed at the end. Numbers are written in full; a reader that keeps them as doubles rounds above 2^53.
[[nodiscard]] inline std::size_t export_json(std::span<char> to,
                                             std::span<const exported_queue> queues) noexcept {
    detail::text_writer out(to);
    const auto put_member = [&out](std::string_view& separator, std::string_view name, std::uint64_t count) {
        out.put(separator);
        separator = ",";
        out.put('"');
        out.put_json(name);
        out.put("\":");
        out.put(count);
    };
    std::string_view between_queues = "[";
    for (const exported_queue& queue : queues) {
        out.put(between_queues);
        between_queues = ",\n ";
        out.put("{\"queue\":\"");
        out.put_json(queue.name);
        out.put("\",\"link\":{");
        std::string_view separator;
        for (const auto& field : link_fields<std::uint64_t>)
            put_member(separator, field.name, queue.link.*field.count);
        out.put("},\"drops\":{");
        separator = {};
        detail::for_each_drop(queue.drops, [&](drop_reason reason, std::uint64_t count) {
            put_member(separator, name(reason), count);
        });
        out.put("}}");
    }
    out.put(queues.empty() ? "[]\n" : "]\n");
    return out.size();
}

} // namespace noria::inline NORIA_ABI
