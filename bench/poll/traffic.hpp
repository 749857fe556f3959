// SPDX-License-Identifier: BSL-1.0
#pragma once

// What everybody hashes and parses.

#include <array>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <vector>

namespace bench::costs::poll {

// ---- to be hashed: addresses and ports as they stand in a packet ----

inline constexpr std::size_t tuple_count = 32;
inline constexpr std::size_t ipv4_tuple = 12; // bytes
inline constexpr std::size_t ipv6_tuple = 36;
using tuple_bytes = std::array<std::uint8_t, ipv6_tuple>;

[[nodiscard]] inline const std::array<tuple_bytes, tuple_count>& tuples() {
    static const auto all = [] {
        std::array<tuple_bytes, tuple_count> made;
        std::mt19937 random(1);
        for (tuple_bytes& one : made)
            for (std::uint8_t& byte : one)
                byte = static_cast<std::uint8_t>(random());
        return made;
    }();
    return all;
}

// ---- to be parsed ----

using frame_bytes = std::vector<std::uint8_t>;

namespace detail {

inline frame_bytes join(std::initializer_list<frame_bytes> parts) {
    frame_bytes all;
    for (const frame_bytes& part : parts)
        for (const std::uint8_t byte : part)
            all.push_back(byte);
    return all;
}
inline frame_bytes ethernet(std::uint8_t type_high, std::uint8_t type_low) {
    return {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, type_high, type_low};
}
inline frame_bytes ipv4(std::uint8_t protocol, std::size_t payload) {
    return {0x45, 0,        0,    static_cast<std::uint8_t>(20 + payload),
            0,    0,        0x40, 0,
            64,   protocol, 0,    0,
            10,   0,        0,    1,
            10,   0,        0,    2};
}
inline frame_bytes ipv6(std::uint8_t protocol, std::size_t payload) {
    frame_bytes header(40);
    header[0] = 0x60;
    header[5] = static_cast<std::uint8_t>(payload);
    header[6] = protocol;
    header[7] = 64;
    header[23] = 1;
    header[39] = 2;
    return header;
}
inline frame_bytes tcp() {
    return {0x04, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 1, 0, 0, 0, 0, 0};
}
inline frame_bytes udp(std::uint8_t port_high, std::uint8_t port_low, std::size_t payload) {
    return {0x04, 0, port_high, port_low, 0, static_cast<std::uint8_t>(8 + payload), 0, 0};
}

} // namespace detail

// Ethernet, IPv4, TCP.
[[nodiscard]] inline frame_bytes tcp_frame() {
    using namespace detail;
    return join({ethernet(0x08, 0x00), ipv4(6, 30), tcp(), frame_bytes(10)});
}
// Ethernet, two VLAN tags, IPv6, TCP.
[[nodiscard]] inline frame_bytes ipv6_frame() {
    using namespace detail;
    return join(
        {ethernet(0x88, 0xa8), {0, 1, 0x81, 0, 0, 2, 0x86, 0xdd}, ipv6(6, 30), tcp(), frame_bytes(10)});
}
// Ethernet, IPv4, GRE, and in it IPv4 and TCP.
[[nodiscard]] inline frame_bytes gre_frame() {
    using namespace detail;
    return join({ethernet(0x08, 0x00), ipv4(47, 54), {0, 0, 0x08, 0}, ipv4(6, 30), tcp(), frame_bytes(10)});
}
// Ethernet, IPv4, UDP, VXLAN, and in it Ethernet, IPv4 and TCP.
[[nodiscard]] inline frame_bytes vxlan_frame() {
    using namespace detail;
    return join({ethernet(0x08, 0x00),
                 ipv4(17, 80),
                 udp(0x12, 0xb5, 72),
                 {8, 0, 0, 0, 0, 0, 7, 0},
                 ethernet(0x08, 0x00),
                 ipv4(6, 30),
                 tcp(),
                 frame_bytes(10)});
}

// The first bytes of a frame that comes in pieces: a device with short buffers put its headers on three.
inline constexpr std::array<std::size_t, 2> piece_ends = {20, 44};

} // namespace bench::costs::poll
