// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "ixgbe/descriptors.hpp"
#include "noria/backend/transmit.hpp"

// What the card does with a packet on its way out: noria's words for it in the card's (7.2.4 segmentation,
// 7.2.5 checksums, 7.4.5 VLAN tags).

namespace ixgbe {

// The flags for a packet's data descriptors, and the context they speak of.
struct offload {
    bool possible = false;
    std::uint32_t command = 0; // for word 2
    std::uint32_t options = 0; // for word 3; the payload is in it
    context with{};
};

// Precondition: `first` is the first post of a packet, and asks for something. What does not fit into the
// fields of the card is not possible.
[[nodiscard]] inline offload make_offload(const noria::transmit_post& first) noexcept {
    using noria::transmit_post;
    const auto asks = [&](std::uint32_t flag) { return (first.flags & flag) != 0; };
    // Without a word on where headers begin there is just Ethernet's.
    const std::uint32_t network = first.network_header != 0 ? first.network_header : 14;
    const std::uint32_t transport = first.transport_header > network ? first.transport_header : network;

    offload made;
    made.options = tx::check;
    std::uint32_t payload = first.packet_bytes;
    if (asks(transmit_post::insert_vlan)) {
        made.command |= tx::insert_vlan;
        made.with.word0 |= field(first.vlan, 16);
    }
    made.with.word2 |= asks(transmit_post::ipv6) ? 0 : tx::ipv4;
    if (asks(transmit_post::insert_checksum) || asks(transmit_post::segment)) {
        made.options |= tx::l4_sum;
        const bool tcp = asks(transmit_post::segment) || first.checksum_field == 16;
        if (!tcp && first.checksum_field != 6)
            return {}; // neither TCP's place nor UDP's: the card knows no other
        made.with.word2 |= tcp ? tx::l4_tcp : tx::l4_udp;
    } else {
        made.with.word2 |= tx::l4_none;
    }
    if (asks(transmit_post::segment)) {
        // Each segment gets an IPv4 header with a length of its own, and so a sum.
        made.options |= asks(transmit_post::ipv6) ? 0 : tx::ip_sum;
        made.command |= tx::segment;
        if (first.header_bytes <= transport || first.header_bytes - transport > 0xff ||
            first.header_bytes >= first.packet_bytes || first.segment_bytes == 0)
            return {};
        made.with.word3 = field(first.header_bytes - transport, 8) | field(first.segment_bytes, 16);
        payload -= first.header_bytes;
    }
    if (network > context::most_link_header || transport - network > context::most_network_header ||
        payload > tx::most_payload)
        return {};
    made.with.word0 |= field(network, 9) | (transport - network);
    made.options |= field(payload, tx::payload);
    made.possible = true;
    return made;
}

// The contexts that the card has of one queue. It remembers two.
class known_contexts {
  public:
    struct place {
        std::uint32_t index;
        bool is_new; // the card has to be told
    };
    // Where that one is, or comes: in place of the one that was told longer ago.
    [[nodiscard]] place place_of(const context& wanted) noexcept {
        for (std::uint32_t i = 0; i != tx::contexts; ++i)
            if (known_[i] == wanted)
                return {i, false};
        const std::uint32_t index = next_;
        next_ = (index + 1) % tx::contexts;
        known_[index] = wanted;
        return {index, true};
    }

  private:
    std::array<std::optional<context>, tx::contexts> known_;
    std::uint32_t next_ = 0;
};

} // namespace ixgbe
