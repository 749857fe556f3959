// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "noria/wire/big.hpp"

namespace noria::inline NORIA_ABI {

// RFC 768.
struct udp_header {
    big16 source_port;
    big16 destination_port;
    big16 length;   // header and payload
    big16 checksum; // over pseudo-header, header and payload; zero says that there is none
};

static_assert(wire_header<udp_header> && sizeof(udp_header) == 8);

} // namespace noria::inline NORIA_ABI
