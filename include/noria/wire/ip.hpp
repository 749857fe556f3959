// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "noria/core/config.hpp"

namespace noria::inline NORIA_ABI {

// What an IP datagram carries: IANA "Protocol Numbers". IPv4 and IPv6 share the numbers; those marked v6 are
// extension headers (IANA "IPv6 Extension Header Types").
enum class ip_protocol : std::uint8_t {
    hop_by_hop = 0, // v6
    icmp = 1,
    ipv4 = 4, // an IPv4 datagram as it is (RFC 2003)
    tcp = 6,
    udp = 17,
    ipv6 = 41,     // an IPv6 datagram as it is (RFC 2473, RFC 4213)
    routing = 43,  // v6
    fragment = 44, // v6
    gre = 47,
    encapsulating_security = 50,
    authentication = 51,
    icmpv6 = 58,
    no_next_header = 59,      // v6
    destination_options = 60, // v6
    mobility = 135,           // v6
};

} // namespace noria::inline NORIA_ABI
