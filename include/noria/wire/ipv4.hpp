// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "noria/wire/big.hpp"
#include "noria/wire/ip.hpp"

namespace noria::inline NORIA_ABI {

struct ipv4_address {
    std::array<std::uint8_t, 4> bytes;

    friend bool operator==(const ipv4_address&, const ipv4_address&) noexcept = default;
};

// RFC 791 section 3.1, without options; header_length() says how many bytes there really are.
struct ipv4_header {
    static constexpr std::uint16_t dont_fragment = 0x4000;
    static constexpr std::uint16_t more_fragments = 0x2000;
    static constexpr std::uint16_t fragment_offset_mask = 0x1fff;

    std::uint8_t version_and_length;
    std::uint8_t type_of_service; // DSCP 6 bits (RFC 2474), ECN 2 bits (RFC 3168)
    big16 total_length;           // header and payload; a short frame's padding is not in it
    big16 identification;
    big16 fragment; // the flags above, and the offset in units of 8 bytes
    std::uint8_t time_to_live;
    ip_protocol protocol;
    big16 checksum; // over the header, options included
    ipv4_address source;
    ipv4_address destination;

    [[nodiscard]] constexpr unsigned version() const noexcept { return version_and_length >> 4; }
    // Bytes, options included; what is below 20 is no header.
    [[nodiscard]] constexpr std::size_t header_length() const noexcept {
        return (version_and_length & 0x0fu) * 4;
    }
    // Bytes from the start of the original datagram's payload.
    [[nodiscard]] constexpr std::size_t fragment_offset() const noexcept {
        return std::size_t{fragment} % (fragment_offset_mask + 1u) * 8;
    }
    [[nodiscard]] constexpr bool is_fragment() const noexcept {
        return (fragment & (more_fragments | fragment_offset_mask)) != 0;
    }
};

static_assert(wire_header<ipv4_header> && sizeof(ipv4_header) == 20);

} // namespace noria::inline NORIA_ABI
