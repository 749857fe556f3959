// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "noria/wire/big.hpp"
#include "noria/wire/ip.hpp"

namespace noria::inline NORIA_ABI {

struct ipv6_address {
    std::array<std::uint8_t, 16> bytes;

    friend bool operator==(const ipv6_address&, const ipv6_address&) noexcept = default;
};

// RFC 8200 section 3.
struct ipv6_header {
    big32 version_class_flow; // version 4 bits, traffic class 8, flow label 20
    big16 payload_length;     // extension headers included; zero in a jumbogram (RFC 2675)
    ip_protocol next_header;
    std::uint8_t hop_limit;
    ipv6_address source;
    ipv6_address destination;

    [[nodiscard]] constexpr unsigned version() const noexcept { return version_class_flow >> 28; }
    [[nodiscard]] constexpr std::uint8_t traffic_class() const noexcept {
        return static_cast<std::uint8_t>(version_class_flow >> 20);
    }
    [[nodiscard]] constexpr std::uint32_t flow_label() const noexcept {
        return version_class_flow & 0xf'ffff;
    }
};

// What the extension headers have in common: RFC 8200 section 4, RFC 6564.
struct ipv6_extension {
    ip_protocol next_header;
    std::uint8_t length;

    // Bytes. The authentication header counts in words of 4 (RFC 4302 section 2.2), the others in words of 8.
    [[nodiscard]] constexpr std::size_t header_length(ip_protocol own_type) const noexcept {
        return own_type == ip_protocol::authentication ? (length + 2u) * 4 : (length + 1u) * 8;
    }
};

// RFC 8200 section 4.5.
struct ipv6_fragment {
    ip_protocol next_header;
    std::uint8_t reserved;
    big16 offset_and_more; // offset in units of 8 bytes, already shifted; bit 0 says that more follow
    big32 identification;

    // Bytes from the start of the original datagram's fragmentable part.
    [[nodiscard]] constexpr std::size_t fragment_offset() const noexcept { return offset_and_more & 0xfff8; }
    // False for the "atomic" fragment that is the whole datagram (RFC 6946).
    [[nodiscard]] constexpr bool is_fragment() const noexcept { return (offset_and_more & 0xfff9) != 0; }
};

static_assert(wire_header<ipv6_header> && sizeof(ipv6_header) == 40);
static_assert(wire_header<ipv6_extension> && sizeof(ipv6_extension) == 2);
static_assert(wire_header<ipv6_fragment> && sizeof(ipv6_fragment) == 8);

} // namespace noria::inline NORIA_ABI
