// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/stats/drop_reason.hpp"
#include "noria/stats/link.hpp"

namespace noria::inline NORIA_ABI {

// One queue as an exporter sees it. Precondition: nothing is null.
struct exported_queue {
    const char* name;
    const link_counters* link;
    const drop_histogram* drops;
};

namespace detail {

// Writes what fits and counts everything, so that one run tells the size the next run needs.
class text_writer {
  public:
    explicit text_writer(std::span<char> to) noexcept : to_(to) {}

    void put(char c) noexcept {
        if (size_ < to_.size())
            to_[size_] = c;
        ++size_;
    }
    void put(const char* text) noexcept {
        for (; *text != '\0'; ++text)
            put(*text);
    }
    void put(std::uint64_t number) noexcept {
        std::array<char, 20> digits; // 2^64 - 1 has twenty
        const char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
        for (const char* digit = digits.data(); digit != end; ++digit)
            put(*digit);
    }
    // Inside a label's quotes a backslash, a quote and a line feed are escaped.
    void put_label(const char* text) noexcept {
        for (; *text != '\0'; ++text) {
            if (*text == '\\' || *text == '"' || *text == '\n')
                put('\\');
            put(*text == '\n' ? 'n' : *text);
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

  private:
    std::span<char> to_;
    std::size_t size_ = 0;
};

struct link_metric {
    const char* name;
    counter link_counters::* count;
};

inline constexpr link_metric link_metrics[] = {
    {"rx_packets", &link_counters::rx_packets},
    {"rx_bytes", &link_counters::rx_bytes},
    {"rx_multicast", &link_counters::rx_multicast},
    {"rx_missed", &link_counters::rx_missed},
    {"rx_dropped", &link_counters::rx_dropped},
    {"rx_errors", &link_counters::rx_errors},
    {"rx_length_errors", &link_counters::rx_length_errors},
    {"rx_over_errors", &link_counters::rx_over_errors},
    {"rx_crc_errors", &link_counters::rx_crc_errors},
    {"rx_frame_errors", &link_counters::rx_frame_errors},
    {"tx_packets", &link_counters::tx_packets},
    {"tx_bytes", &link_counters::tx_bytes},
    {"tx_errors", &link_counters::tx_errors},
    {"tx_dropped", &link_counters::tx_dropped},
};

} // namespace detail

// Writes the counters of all queues as Prometheus text (exposition format 0.0.4), one metric after the other
// as the format wants it: noria_<counter>_total{queue="..."} for the link, and
// noria_drops_total{queue="...",reason="..."} for every reason that was met; consumed is no drop and is left
// out. Returns the size needed. Where it is above to.size(), `to` holds a cut-off text: call again with more
// room. Thread: any, beside the writers. No terminating zero. Cost: no allocation; not for the data path.
[[nodiscard]] inline std::size_t export_prometheus(std::span<char> to,
                                                   std::span<const exported_queue> queues) noexcept {
    detail::text_writer out(to);
    for (const detail::link_metric& metric : detail::link_metrics) {
        out.put("# TYPE noria_");
        out.put(metric.name);
        out.put("_total counter\n");
        for (const exported_queue& queue : queues) {
            out.put("noria_");
            out.put(metric.name);
            out.put("_total{queue=\"");
            out.put_label(queue.name);
            out.put("\"} ");
            out.put((queue.link->*metric.count).value());
            out.put('\n');
        }
    }
    out.put("# TYPE noria_drops_total counter\n");
    for (const exported_queue& queue : queues) {
        const auto put_drops = [&](drop_reason reason) {
            const std::uint64_t drops = queue.drops->of(reason);
            if (drops == 0 || reason == drop_reason::consumed)
                return;
            out.put("noria_drops_total{queue=\"");
            out.put_label(queue.name);
            out.put("\",reason=\"");
            out.put(name(reason));
            out.put("\"} ");
            out.put(drops);
            out.put('\n');
        };
        for (std::uint32_t i = 0; i < drop_reason_count; ++i)
            put_drops(static_cast<drop_reason>(i));
        put_drops(user_drop_reason(1, 0));
    }
    return out.size();
}

} // namespace noria::inline NORIA_ABI
