// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "noria/wire/big.hpp"

namespace noria::inline NORIA_ABI {

inline constexpr std::uint16_t vxlan_port = 4789; // UDP, destination (IANA)

// RFC 7348 section 5. An Ethernet frame follows.
struct vxlan_header {
    static constexpr std::uint32_t id_valid = 0x0800'0000;

    big32 flags;
    big32 id_and_reserved; // 24 bits and 8

    // A header without this flag is to be ignored.
    [[nodiscard]] constexpr bool valid() const noexcept { return (flags & id_valid) != 0; }
    // The network among those that share the wire.
    [[nodiscard]] constexpr std::uint32_t id() const noexcept { return id_and_reserved >> 8; }
};

static_assert(wire_header<vxlan_header> && sizeof(vxlan_header) == 8);

} // namespace noria::inline NORIA_ABI
