// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "hardware/registers.hpp"
#include "ixgbe/registers.hpp"
#include "noria/flow/rss.hpp"
#include "noria/wire/toeplitz.hpp"

// Which queue a frame goes to: the card hashes addresses and ports, and a table has a queue for each value of
// the hash's last seven bits (7.1.2.8). noria/flow/rss.hpp computes the same in software.

namespace ixgbe {

inline constexpr std::uint32_t rss_queues = 16; // an entry of the table has four bits

// Before frames are let in: the table may be changed later, the rest may not.
// Precondition: each entry of the table is a queue below 16 that exists.
template <hardware::register_space Registers>
void set_rss_table(Registers& registers, const noria::indirection_table& table) noexcept {
    for (std::uint32_t i = 0; i != noria::indirection_table::size; i += 4) {
        std::uint32_t four = 0; // entries, a byte each, the first one lowest
        for (std::uint32_t j = 0; j != 4; ++j)
            four |= std::uint32_t{table.queue(i + j)} << 8 * j;
        registers.write32(reg::reta(i / 4), four);
    }
}

template <hardware::register_space Registers>
void enable_rss(Registers& registers, std::uint32_t queues,
                const noria::toeplitz_key& key = noria::microsoft_key) noexcept {
    for (std::uint32_t i = 0; i != key.size() / 4; ++i)
        registers.write32(reg::rssrk(i), key[4 * i] | std::uint32_t{key[4 * i + 1]} << 8 |
                                             std::uint32_t{key[4 * i + 2]} << 16 |
                                             std::uint32_t{key[4 * i + 3]} << 24);
    set_rss_table(registers, noria::indirection_table(static_cast<std::uint16_t>(queues)));
    registers.write32(reg::mrqc::at, reg::mrqc::rss | reg::mrqc::ipv4 | reg::mrqc::tcp_ipv4 |
                                         reg::mrqc::udp_ipv4 | reg::mrqc::ipv6 | reg::mrqc::tcp_ipv6 |
                                         reg::mrqc::udp_ipv6);
}

} // namespace ixgbe
