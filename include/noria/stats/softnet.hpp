// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "noria/core/sync.hpp"
#include "noria/stats/counter.hpp"
#include "noria/stats/text.hpp"

namespace noria::inline NORIA_ABI {

// What one cpu does between the devices and the consumers, as Linux's softnet_data counts it.
// Thread: one writer, the cpu's own thread; any reader.
template <class Sync = std_sync>
struct basic_softnet_counters {
    basic_counter<Sync> processed;    // packets taken up
    basic_counter<Sync> dropped;      // thrown away because the backlog was full, or by the flow limit
    basic_counter<Sync> time_squeeze; // cycles that were cut off with work left
    basic_counter<Sync> received_rps; // times that another cpu woke this one for packets steered to it
    basic_counter<Sync> flow_limit;   // those of `dropped` that belonged to a flow which had too much
};
using softnet_counters = basic_softnet_counters<>;

// The columns of /proc/net/softnet_stat, by position. Those without a name are always zero today.
enum class softnet_column : unsigned char {
    processed = 0,
    dropped = 1,
    time_squeeze = 2,
    received_rps = 9,
    flow_limit = 10,
    backlog = 11, // packets waiting now: input and process together
    cpu = 12,
    input = 13,
    process = 14,
};

// One row. The file has no names, and 9, 10, 11, 13 or 15 columns, by the age of the kernel: what a row does
// not have is unknown, which is not 0. The numbers are 32 bits wide and wrap; hardware_counter extends them.
struct softnet_row {
    static constexpr std::size_t most_columns = 15;

    std::array<std::uint32_t, most_columns> column{};
    std::size_t columns = 0;

    [[nodiscard]] constexpr bool knows(softnet_column which) const noexcept {
        return static_cast<std::size_t>(which) < columns;
    }
    // 0 where it is unknown.
    [[nodiscard]] constexpr std::uint32_t of(softnet_column which) const noexcept {
        return knows(which) ? column[static_cast<std::size_t>(which)] : 0;
    }

    friend constexpr bool operator==(const softnet_row&, const softnet_row&) noexcept = default;
};

// What waits on a cpu now.
struct softnet_backlog {
    std::uint32_t cpu = 0;
    std::uint32_t input = 0;   // steered here and not yet taken over
    std::uint32_t process = 0; // taken over and not yet processed
};

// Our own counters as a row, wrapped at 32 bits as the kernel's are. Thread: any.
template <class Sync>
[[nodiscard]] softnet_row to_softnet_row(const basic_softnet_counters<Sync>& counted,
                                         const softnet_backlog& waiting) noexcept {
    softnet_row row;
    row.columns = softnet_row::most_columns;
    const auto set = [&row](softnet_column which, std::uint64_t value) {
        row.column[static_cast<std::size_t>(which)] = static_cast<std::uint32_t>(value);
    };
    set(softnet_column::processed, counted.processed.value());
    set(softnet_column::dropped, counted.dropped.value());
    set(softnet_column::time_squeeze, counted.time_squeeze.value());
    set(softnet_column::received_rps, counted.received_rps.value());
    set(softnet_column::flow_limit, counted.flow_limit.value());
    set(softnet_column::backlog, std::uint64_t{waiting.input} + waiting.process);
    set(softnet_column::cpu, waiting.cpu);
    set(softnet_column::input, waiting.input);
    set(softnet_column::process, waiting.process);
    return row;
}

// Reads /proc/net/softnet_stat, row by row, out of `text`, which outlives it. Columns behind the fifteenth,
// should a kernel add some, are read over. A row is one cpu that is online: its number is in the row, and
// where an old kernel leaves it out it is unknown, since rows of cpus that are offline are missing.
class softnet_reader {
  public:
    explicit softnet_reader(std::string_view text) noexcept : text_(text) {}

    // On anything but `row` the row is left as it was.
    [[nodiscard]] row_status next(softnet_row& row) noexcept {
        if (text_.empty())
            return row_status::end;
        std::string_view line;
        if (!detail::take_line(text_, line))
            return row_status::malformed;
        softnet_row now;
        for (std::string_view word; !(word = detail::take_word(line)).empty();) {
            std::uint32_t value = 0;
            if (!detail::to_number(word, value, 16))
                return row_status::malformed;
            if (now.columns < softnet_row::most_columns)
                now.column[now.columns++] = value;
        }
        if (now.columns <= static_cast<std::size_t>(softnet_column::time_squeeze))
            return row_status::malformed;
        row = now;
        return row_status::row;
    }

  private:
    std::string_view text_;
};

// Writes rows as the kernel does, each with the columns it has. Returns the size needed, as all exporters.
// Source: softnet_seq_show in net/core/net-procfs.c, Linux 6.x, for the layout.
[[nodiscard]] inline std::size_t export_softnet(std::span<char> to,
                                                std::span<const softnet_row> rows) noexcept {
    detail::text_writer out(to);
    for (const softnet_row& row : rows)
        for (std::size_t i = 0; i < row.columns; ++i) {
            out.put_hex(row.column[i]);
            out.put(i + 1 == row.columns ? '\n' : ' ');
        }
    return out.size();
}

} // namespace noria::inline NORIA_ABI
