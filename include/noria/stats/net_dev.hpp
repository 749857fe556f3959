// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "noria/stats/link.hpp"
#include "noria/stats/text.hpp"

namespace noria::inline NORIA_ABI {

// The columns of /proc/net/dev, in today's order. Several are sums of counters that mean different things,
// which is why the file cannot tell rx_missed from rx_dropped.
enum class net_dev_column : unsigned char {
    rx_bytes,
    rx_packets,
    rx_errs,
    rx_drop, // rx_dropped + rx_missed
    rx_fifo,
    rx_frame, // rx_length_errors + rx_over_errors + rx_crc_errors + rx_frame_errors
    rx_compressed,
    rx_multicast,
    tx_bytes,
    tx_packets,
    tx_errs,
    tx_drop,
    tx_fifo,
    tx_colls,
    tx_carrier, // tx_carrier_errors + tx_aborted_errors + tx_window_errors + tx_heartbeat_errors
    tx_compressed,
};

// One interface. A column that the file did not have is unknown, which is not 0.
class net_dev_row {
  public:
    static constexpr std::size_t columns = 16;

    std::string_view name;

    constexpr void set(net_dev_column which, std::uint64_t value) noexcept {
        value_[static_cast<std::size_t>(which)] = value;
        known_ |= 1u << static_cast<unsigned>(which);
    }
    [[nodiscard]] constexpr bool knows(net_dev_column which) const noexcept {
        return (known_ >> static_cast<unsigned>(which) & 1) != 0;
    }
    // 0 where it is unknown.
    [[nodiscard]] constexpr std::uint64_t of(net_dev_column which) const noexcept {
        return value_[static_cast<std::size_t>(which)];
    }

    friend constexpr bool operator==(const net_dev_row&, const net_dev_row&) noexcept = default;

  private:
    std::array<std::uint64_t, columns> value_{};
    std::uint32_t known_ = 0;
};

// The canonical set as the kernel sums it up for this file. `name` outlives the row.
// Source: dev_seq_printf_stats in net/core/net-procfs.c, Linux 6.x, for which counter goes where.
[[nodiscard]] constexpr net_dev_row to_net_dev_row(std::string_view name, const link_values& link) noexcept {
    net_dev_row row;
    row.name = name;
    row.set(net_dev_column::rx_bytes, link.rx_bytes);
    row.set(net_dev_column::rx_packets, link.rx_packets);
    row.set(net_dev_column::rx_errs, link.rx_errors);
    row.set(net_dev_column::rx_drop, link.rx_dropped + link.rx_missed);
    row.set(net_dev_column::rx_fifo, link.rx_fifo_errors);
    row.set(net_dev_column::rx_frame,
            link.rx_length_errors + link.rx_over_errors + link.rx_crc_errors + link.rx_frame_errors);
    row.set(net_dev_column::rx_compressed, link.rx_compressed);
    row.set(net_dev_column::rx_multicast, link.rx_multicast);
    row.set(net_dev_column::tx_bytes, link.tx_bytes);
    row.set(net_dev_column::tx_packets, link.tx_packets);
    row.set(net_dev_column::tx_errs, link.tx_errors);
    row.set(net_dev_column::tx_drop, link.tx_dropped);
    row.set(net_dev_column::tx_fifo, link.tx_fifo_errors);
    row.set(net_dev_column::tx_colls, link.tx_collisions);
    row.set(net_dev_column::tx_carrier, link.tx_carrier_errors + link.tx_aborted_errors +
                                            link.tx_window_errors + link.tx_heartbeat_errors);
    row.set(net_dev_column::tx_compressed, link.tx_compressed);
    return row;
}

namespace detail {

struct net_dev_heading {
    std::string_view word; // in the second line of the file
    unsigned char side;    // 0: receive, 1: transmit
    unsigned char width;   // the least that the kernel gives the column
};

// In the order of net_dev_column.
inline constexpr net_dev_heading net_dev_headings[net_dev_row::columns] = {
    {"bytes", 0, 7}, {"packets", 0, 7}, {"errs", 0, 4},        {"drop", 0, 4},
    {"fifo", 0, 4},  {"frame", 0, 5},   {"compressed", 0, 10}, {"multicast", 0, 9},
    {"bytes", 1, 8}, {"packets", 1, 7}, {"errs", 1, 4},        {"drop", 1, 4},
    {"fifo", 1, 4},  {"colls", 1, 5},   {"carrier", 1, 7},     {"compressed", 1, 10},
};

} // namespace detail

// Reads /proc/net/dev, interface by interface, out of `text`, which outlives it and the names in its rows.
// Goes by the headings, so that the files of old kernels, which lack columns, are read too, and one with a
// new column would be.
class net_dev_reader {
  public:
    explicit net_dev_reader(std::string_view text) noexcept : text_(text) { read_headings(); }

    // On anything but `row` the row is left as it was. Malformed too: headings that are none, and a row with
    // more or fewer numbers than headings. Where an old kernel says "No statistics available." the row knows
    // nothing.
    [[nodiscard]] row_status next(net_dev_row& row) noexcept {
        if (headings_ == 0)
            return row_status::malformed;
        if (text_.empty())
            return row_status::end;
        std::string_view line;
        if (!detail::take_line(text_, line))
            return row_status::malformed;
        // The last colon: the name of an alias has one of its own. Old kernels put no blank behind it.
        const std::size_t colon = line.rfind(':');
        if (colon == std::string_view::npos)
            return row_status::malformed;
        std::string_view before = line.substr(0, colon);
        net_dev_row now;
        now.name = detail::take_word(before);
        line.remove_prefix(colon + 1);
        if (now.name.empty() || !detail::take_word(before).empty())
            return row_status::malformed;
        if (!read_numbers(line, now))
            return row_status::malformed;
        row = now;
        return row_status::row;
    }

  private:
    static constexpr std::size_t most_headings = 32;
    static constexpr unsigned char no_column = 0xff;

    // "Inter-|   Receive ...|  Transmit" and " face |bytes packets ...|bytes packets ...".
    void read_headings() noexcept {
        std::string_view line;
        if (!detail::take_line(text_, line) || !detail::take_line(text_, line) || line.find('|') == line.npos)
            return;
        for (unsigned char side = 0; side != 2; ++side) {
            line.remove_prefix(line.find('|') + 1);
            std::string_view words = line.substr(0, line.find('|'));
            for (std::string_view word; !(word = detail::take_word(words)).empty();) {
                if (headings_ == most_headings) {
                    headings_ = 0;
                    return;
                }
                column_[headings_++] = column_of(word, side);
            }
        }
    }

    [[nodiscard]] static unsigned char column_of(std::string_view word, unsigned char side) noexcept {
        for (unsigned char i = 0; i != net_dev_row::columns; ++i)
            if (detail::net_dev_headings[i].side == side && detail::net_dev_headings[i].word == word)
                return i;
        return no_column;
    }

    [[nodiscard]] bool read_numbers(std::string_view line, net_dev_row& into) const noexcept {
        if (line == " No statistics available.")
            return true;
        for (std::size_t i = 0; i != headings_; ++i) {
            std::uint64_t value = 0;
            if (!detail::to_number(detail::take_word(line), value))
                return false;
            if (column_[i] != no_column)
                into.set(static_cast<net_dev_column>(column_[i]), value);
        }
        return detail::take_word(line).empty();
    }

    std::string_view text_;
    std::array<unsigned char, most_headings> column_{}; // of each heading
    std::size_t headings_ = 0;                          // 0: they were not understood
};

// Writes the file as the kernel does, byte for byte: headings, then a line for each row. What is unknown is
// written as 0, as the kernel writes what a driver does not count. Returns the size needed, as all exporters.
[[nodiscard]] inline std::size_t export_net_dev(std::span<char> to,
                                                std::span<const net_dev_row> rows) noexcept {
    detail::text_writer out(to);
    out.put("Inter-|   Receive                                                |  Transmit\n"
            " face |bytes    packets errs drop fifo frame compressed multicast|"
            "bytes    packets errs drop fifo colls carrier compressed\n");
    for (const net_dev_row& row : rows) {
        out.put(row.name, 6);
        out.put(':');
        for (std::size_t i = 0; i != net_dev_row::columns; ++i) {
            out.put(' ');
            out.put(row.of(static_cast<net_dev_column>(i)), detail::net_dev_headings[i].width);
        }
        out.put('\n');
    }
    return out.size();
}

} // namespace noria::inline NORIA_ABI
