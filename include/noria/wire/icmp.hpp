// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "noria/wire/big.hpp"

namespace noria::inline NORIA_ABI {

// The part that all messages share: RFC 792, and RFC 4443 section 2.1 for IPv6.
struct icmp_header {
    std::uint8_t type;
    std::uint8_t code;
    big16 checksum;
    big32 rest; // what it means depends on the type
};

static_assert(wire_header<icmp_header> && sizeof(icmp_header) == 8);

} // namespace noria::inline NORIA_ABI
