// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "noria/wire/checksum.hpp"

namespace programs {

inline constexpr std::uint32_t shortest_frame = 60; // bytes, without the CRC
inline constexpr std::uint32_t longest_frame = 1514;

// An Ethernet frame with a UDP datagram for the discard port (RFC 863), from one address kept for
// documentation to another (RFC 5737). To all stations; from an address that nobody was sold.
class udp_frame {
  public:
    explicit udp_frame(std::uint32_t bytes = shortest_frame) noexcept {
        constexpr std::array<std::uint8_t, 42> headers{
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0, 0x82, 0x59, 0x99, 0x08, 0x00, // Ethernet
            0x45, 0,    0,    0,    0,    0,    0,    0, 0, 0,    0,    0,                // IPv4
            192,  0,    2,    1,    198,  51,   100,  2,                                  // from, to
            0x27, 0x10, 0,    9,    0,    0,    0,    0};                                 // UDP
        for (std::size_t i = 0; i != headers.size(); ++i)
            bytes_[i] = static_cast<std::byte>(headers[i]);
        bytes_[22] = std::byte{64}; // hops
        bytes_[23] = std::byte{17}; // UDP
        resize(bytes);
    }

    // Lengths, and the checksum over the IP header. UDP's own is left out, which over IPv4 it may be.
    // Precondition: shortest_frame <= bytes <= longest_frame.
    void resize(std::uint32_t bytes) noexcept {
        size_ = bytes;
        put16(16, bytes - 14);
        put16(38, bytes - 34);
        put16(24, 0);
        const std::uint16_t checksum = noria::sum_of(std::span(bytes_).subspan(14, 20)).checksum();
        std::memcpy(&bytes_[24], &checksum, 2);
    }
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return std::span(bytes_).first(size_); }

  private:
    void put16(std::size_t at, std::uint32_t value) noexcept {
        bytes_[at] = static_cast<std::byte>(value >> 8);
        bytes_[at + 1] = static_cast<std::byte>(value);
    }

    std::array<std::byte, longest_frame> bytes_{};
    std::uint32_t size_ = 0;
};

} // namespace programs
