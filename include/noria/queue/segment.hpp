// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/core/contract.hpp"
#include "noria/packet/packet.hpp"
#include "noria/packet/pull.hpp"
#include "noria/wire/big.hpp"
#include "noria/wire/checksum.hpp"
#include "noria/wire/ipv4.hpp"
#include "noria/wire/ipv6.hpp"
#include "noria/wire/tcp.hpp"

// A long TCP packet that a device cuts into segments: where its headers are, and what the device wants them
// to be before it repeats them in front of each.

namespace noria::inline NORIA_ABI {

// Where the headers of a TCP packet are that has payload, counted from data().
struct segment_headers {
    std::uint32_t network = 0;
    std::uint32_t transport = 0;
    std::uint32_t payload = 0; // 0: it is no such packet
    bool ipv6 = false;

    [[nodiscard]] explicit operator bool() const noexcept { return payload != 0; }
};

namespace detail {

// Copies the header at `at` out, wherever it lies. False when the packet ends before it does.
template <wire_header Header>
[[nodiscard]] inline bool look(const packet& at_it, std::size_t at, Header& header) noexcept {
    return at_it.copy_bits(static_cast<std::int64_t>(at), std::as_writable_bytes(std::span(&header, 1)));
}

[[nodiscard]] inline bool ipv4_carries_tcp(const packet& of, const segment_headers& at) noexcept {
    ipv4_header header{};
    return look(of, at.network, header) && header.version() == 4 && header.protocol == ip_protocol::tcp &&
           header.header_length() >= sizeof header && !header.is_fragment() &&
           at.network + header.header_length() == at.transport;
}
// Behind extension headers too that neither cut the datagram nor change what the sum covers.
[[nodiscard]] inline bool ipv6_carries_tcp(const packet& of, const segment_headers& at) noexcept {
    ipv6_header header{};
    if (!look(of, at.network, header) || header.version() != 6)
        return false;
    ip_protocol next = header.next_header;
    std::size_t here = at.network + sizeof header;
    ipv6_extension extension{};
    while (here < at.transport &&
           (next == ip_protocol::hop_by_hop || next == ip_protocol::destination_options) &&
           look(of, here, extension)) {
        here += extension.header_length(next);
        next = extension.next_header;
    }
    return here == at.transport && next == ip_protocol::tcp;
}

} // namespace detail

// What there is at these two places. Nothing when they hold no IP header and no TCP header behind it, when a
// header is cut short or the datagram is a fragment of one, and when no payload is left to cut. Any one
// thread. O(headers + fragments).
[[nodiscard]] inline segment_headers find_segment_headers(const packet& of, std::uint32_t network,
                                                          std::uint32_t transport) noexcept {
    segment_headers found{.network = network, .transport = transport};
    tcp_header tcp{};
    if (!detail::look(of, transport, tcp) || tcp.header_length() < sizeof tcp)
        return {};
    found.payload = transport + static_cast<std::uint32_t>(tcp.header_length());
    found.ipv6 = detail::ipv6_carries_tcp(of, found);
    // Posts have 16 bits for offsets.
    if (found.payload >= of.size() || found.payload > 0xffff ||
        (!found.ipv6 && !detail::ipv4_carries_tcp(of, found)))
        return {};
    return found;
}

// Makes the headers as a device wants them that writes lengths and sums of its own into each segment: there
// is none in them yet, neither IP's length and sum nor, in the field of TCP's sum, the length in the sum of
// the pseudo-header (82599 section 7.2.4). They are made linear and writable first. Once more does no harm.
// The owner of the packet's pool. False, and no byte changed, when there was no head for that. Precondition:
// `at` are the packet's headers. O(headers).
[[nodiscard]] inline bool leave_lengths_out(packet& of, const segment_headers& at) noexcept {
    NORIA_EXPECTS(at, "what is cut has headers that were found: ask find_segment_headers first");
    if (may_pull(of, at.payload) != pull_status::ok || !cow_head(of, 0))
        return false;
    const std::span<std::byte> bytes = of.linear();
    internet_sum covered;
    if (at.ipv6) {
        auto& header = *header_at<ipv6_header>(bytes, at.network);
        header.payload_length = std::uint16_t{0};
        covered = pseudo_header_sum(header.source, header.destination, ip_protocol::tcp, 0);
    } else {
        auto& header = *header_at<ipv4_header>(bytes, at.network);
        header.total_length = std::uint16_t{0};
        header.checksum = std::uint16_t{0};
        covered = pseudo_header_sum(header.source, header.destination, ip_protocol::tcp, 0);
    }
    header_at<tcp_header>(bytes, at.transport)->checksum = covered.value();
    return true;
}

} // namespace noria::inline NORIA_ABI
