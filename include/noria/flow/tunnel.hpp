// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/core/contract.hpp"
#include "noria/flow/parse.hpp"
#include "noria/wire/gre.hpp"
#include "noria/wire/vxlan.hpp"

namespace noria::inline NORIA_ABI {

enum class tunnel_kind : std::uint8_t { none, ip_in_ip, gre, vxlan };

// What a frame carries behind its own headers, if that is a frame or a datagram again.
struct tunnel_headers {
    tunnel_kind kind = tunnel_kind::none;
    std::uint32_t vxlan_id = 0; // of a VXLAN whose header is whole
    // As parse_headers gives them, from the tunnel's own header on; offsets count from the first byte of the
    // outer frame. So all that takes parsed_headers of a frame takes these.
    parsed_headers inner;

    friend constexpr bool operator==(const tunnel_headers&, const tunnel_headers&) noexcept = default;
};

namespace detail {

template <class Frame>
[[nodiscard]] inline bool is_vxlan(const Frame& frame, const parsed_headers& outer) noexcept {
    std::array<std::byte, sizeof(udp_header)> scratch;
    return outer.has_transport() &&
           reinterpret_cast<const udp_header*>(frame.header(outer.transport_offset, scratch))
                   ->destination_port == vxlan_port;
}

// `found` is as tunnel_headers begin.
template <class Frame>
inline void walk_tunnel(const Frame& frame, const parsed_headers& outer, tunnel_headers& found) noexcept {
    // What is in a fragment is whole only when all are back together.
    if (outer.fragment)
        return;
    header_walk walk(frame, outer, found.inner);
    switch (outer.transport) {
    case ip_protocol::ipv4:
        found.kind = tunnel_kind::ip_in_ip;
        return walk.from_network(ethertype::ipv4);
    case ip_protocol::ipv6:
        found.kind = tunnel_kind::ip_in_ip;
        return walk.from_network(ethertype::ipv6);
    case ip_protocol::gre: {
        ethertype carried{};
        if (const auto* header = walk.template peek<gre_header>()) {
            if (header->version() != 0 || (header->flags & gre_header::has_routing) != 0)
                return;
            carried = header->type;
            static_cast<void>(walk.skip(header->header_length()));
        }
        found.kind = tunnel_kind::gre;
        return carried == ethertype::ethernet ? walk.from_ethernet() : walk.from_network(carried);
    }
    case ip_protocol::udp:
        if (!is_vxlan(frame, outer))
            return;
        if (const auto* header = walk.template take<vxlan_header>()) {
            if (!header->valid())
                return;
            found.vxlan_id = header->id();
        }
        found.kind = tunnel_kind::vxlan;
        return walk.from_ethernet();
    default:
        return;
    }
}

} // namespace detail

// Finds what a frame carries by IPv4 or IPv6 in IP, GRE (version 0) or VXLAN: one level. As safe as
// parse_headers, and one that goes past the end of the outer datagram is malformed.
// Precondition: `outer` is parse_headers(frame). Thread: any. Cost: as parse_headers, and one or two headers
// more; two comparisons where there is no tunnel.
[[nodiscard]] inline tunnel_headers parse_tunnel(std::span<const std::byte> frame,
                                                 const parsed_headers& outer) noexcept {
    NORIA_EXPECTS(outer.payload_offset <= frame.size(), "these headers were parsed from another frame");
    tunnel_headers found;
    detail::walk_tunnel(detail::flat_frame(frame), outer, found);
    return found;
}

} // namespace noria::inline NORIA_ABI
