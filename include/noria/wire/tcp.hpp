// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "noria/wire/big.hpp"

namespace noria::inline NORIA_ABI {

// RFC 9293 section 3.1, without options; header_length() says how many bytes there really are.
struct tcp_header {
    static constexpr std::uint8_t fin = 0x01;
    static constexpr std::uint8_t syn = 0x02;
    static constexpr std::uint8_t rst = 0x04;
    static constexpr std::uint8_t psh = 0x08;
    static constexpr std::uint8_t ack = 0x10;
    static constexpr std::uint8_t urg = 0x20;
    static constexpr std::uint8_t ece = 0x40; // RFC 3168
    static constexpr std::uint8_t cwr = 0x80; // RFC 3168

    big16 source_port;
    big16 destination_port;
    big32 sequence;
    big32 acknowledgement;
    std::uint8_t data_offset; // header length in words of 4, in the upper half
    std::uint8_t flags;
    big16 window;
    big16 checksum; // over pseudo-header, header and payload
    big16 urgent;

    // Bytes, options included; what is below 20 is no header.
    [[nodiscard]] constexpr std::size_t header_length() const noexcept {
        return (data_offset >> 4) * std::size_t{4};
    }
};

static_assert(wire_header<tcp_header> && sizeof(tcp_header) == 20);

} // namespace noria::inline NORIA_ABI
