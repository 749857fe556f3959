// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/flow/parse.hpp"
#include "noria/flow/tunnel.hpp"
#include "noria/packet/packet.hpp"
#include "noria/packet/pull.hpp"

namespace noria::inline NORIA_ABI {

// The headers of a packet, and where they are now: `pulled` ok says that all that were found whole are
// linear.
struct parsed_packet {
    parsed_headers outer;
    tunnel_headers tunnel;
    pull_status pulled = pull_status::ok;

    // Up to the payload of the innermost header that is understood and whole.
    [[nodiscard]] constexpr std::uint16_t payload_offset() const noexcept {
        return tunnel.kind == tunnel_kind::none ? outer.payload_offset : tunnel.inner.payload_offset;
    }
};

namespace detail {

// A packet as a header_walk looks at it: a header that lies in pieces is copied out.
class packet_frame {
  public:
    explicit packet_frame(const packet& of) noexcept : packet_(&of) {}
    [[nodiscard]] std::size_t size() const noexcept { return packet_->size(); }
    [[nodiscard]] const std::byte* header(std::size_t offset, std::span<std::byte> scratch) const noexcept {
        return packet_->header_pointer(static_cast<std::uint32_t>(offset), scratch);
    }

  private:
    const packet* packet_;
};

} // namespace detail

// parse_headers and parse_tunnel of a packet whose bytes lie anywhere; then makes linear what was found, and
// not a byte more. When no memory is to be had for that, the packet is as it was, and what was found is true
// all the same. Precondition: the packet begins at its Ethernet header. The owner of the packet's pool.
// Cost: where the headers are linear, as those of a flat frame; else a copy of each header that lies in
// pieces, and one pull.
[[nodiscard]] inline parsed_packet parse_packet(packet& of) noexcept {
    const detail::packet_frame frame(of);
    parsed_packet found;
    detail::header_walk(detail::flat_frame(of.linear()), found.outer).from_ethernet();
    if (!found.outer.truncated || of.is_linear()) {
        detail::walk_tunnel(detail::flat_frame(of.linear()), found.outer, found.tunnel);
    } else {
        found.outer = {};
        detail::header_walk(frame, found.outer).from_ethernet();
    }
    if (!of.is_linear() && (found.tunnel.kind == tunnel_kind::none || found.tunnel.inner.truncated)) {
        found.tunnel = {};
        detail::walk_tunnel(frame, found.outer, found.tunnel);
    }
    found.pulled = may_pull(of, found.payload_offset());
    return found;
}

} // namespace noria::inline NORIA_ABI
