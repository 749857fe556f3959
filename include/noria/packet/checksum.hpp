// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "noria/core/contract.hpp"
#include "noria/packet/packet.hpp"
#include "noria/packet/pull.hpp"
#include "noria/wire/checksum.hpp"

// The checksum of a packet: said on the way in (complete), asked for on the way out (partial), there for each
// segment of a packet that is to be cut (per_segment). In between the packet's own operations keep it right.

namespace noria::inline NORIA_ABI {

// The sum over [offset, offset + length), wherever the bytes are, as if they lay in one piece that begins at
// `offset`. Precondition: they are in the packet. Any one thread. O(length + fragments).
[[nodiscard]] inline internet_sum sum_of(const packet& of, std::uint32_t offset,
                                         std::uint32_t length) noexcept {
    checksum_accumulator sum;
    of.for_each_piece(offset, length,
                      [&sum](const std::byte* from, std::size_t bytes) noexcept { sum.add({from, bytes}); });
    return sum.sum();
}

// `sum` is that of all bytes from data(): a device said so, or sum_of did. O(1).
inline void set_complete(packet& of, internet_sum sum) noexcept {
    of.info().set_sum(sum);
}

// The checksum of all bytes from `start` (counted from data()) goes into the two bytes at `field` (counted
// from `start`) before the packet leaves: by a device that can, else by fill_checksum. They hold the sum of
// the pseudo-header already, or zero where there is none. False, and nothing changed, when the field is not
// in the packet, at an odd distance from `start`, or too far from the head for 16 bits. O(1).
[[nodiscard]] inline bool set_partial(packet& of, std::uint32_t start, std::uint32_t field) noexcept {
    const std::uint64_t from_head = std::uint64_t{of.headroom()} + start;
    if (std::uint64_t{start} + field + 2 > of.size() || from_head > 0xffff || field > 0xffff ||
        field % 2 != 0)
        return false;
    packet_info& info = of.info();
    info.checksum_state = checksum_state::partial;
    info.checksum_start = static_cast<std::uint16_t>(from_head);
    info.checksum = static_cast<std::uint16_t>(field);
    return true;
}

// The packet is TCP behind Ethernet and IP, its header at `start` (counted from data()), and leaves as frames
// of `segment_bytes` payload each, the last one with what remains: through a device that segments. Until then
// it is one long packet with a partial checksum, to all operations, and its headers are those of a long
// packet. (fill_checksum makes it one that is not cut, where its field holds the sum of the pseudo-header as
// for set_partial; a device that cuts does not mind what is there.) False, and nothing changed, when the
// packet has no room for a TCP header there, `start` is too far from the head for 16 bits, or segment_bytes
// is 0. O(1).
[[nodiscard]] inline bool set_segments(packet& of, std::uint32_t start,
                                       std::uint16_t segment_bytes) noexcept {
    constexpr std::uint32_t shortest_header = 20; // RFC 9293 section 3.1
    const std::uint64_t from_head = std::uint64_t{of.headroom()} + start;
    if (std::uint64_t{start} + shortest_header > of.size() || from_head > 0xffff || segment_bytes == 0)
        return false;
    packet_info& info = of.info();
    info.checksum_state = checksum_state::per_segment;
    info.checksum_start = static_cast<std::uint16_t>(from_head);
    info.checksum = segment_bytes;
    return true;
}

// Computes a partial checksum and writes it into its field; the packet then says `none`. One that comes out
// as zero is written as 0xffff: UDP gives zero another meaning, and to all others both are the same. True
// when there is nothing to do, too. The owner of the packet's pool: the field is made linear and writable
// first. False, and nothing changed, when no head could be had for that. O(bytes from start).
[[nodiscard]] inline bool fill_checksum(packet& of) noexcept {
    if (!of.info().is_partial())
        return true;
    NORIA_EXPECTS(of.info().checksum_start >= of.headroom() &&
                      of.info().field_end() - of.headroom() <= of.size(),
                  "a partial checksum has its field in the packet: ask for it with set_partial");
    const std::uint32_t start = of.info().checksum_start - of.headroom();
    const std::uint32_t field = start + of.info().checksum_field();
    if (may_pull(of, field + 2) != pull_status::ok || !cow_head(of, 0))
        return false;
    const std::uint16_t checksum = big_endian(udp_checksum(sum_of(of, start, of.size() - start)));
    std::memcpy(of.data() + field, &checksum, sizeof checksum);
    of.info().forget_checksum();
    return true;
}

} // namespace noria::inline NORIA_ABI
