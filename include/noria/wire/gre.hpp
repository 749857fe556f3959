// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "noria/wire/big.hpp"
#include "noria/wire/ethernet.hpp"

namespace noria::inline NORIA_ABI {

// RFC 2784 and RFC 2890, without the words that the flags announce: checksum, key and sequence number, in
// that order.
struct gre_header {
    static constexpr std::uint16_t has_checksum = 0x8000;
    static constexpr std::uint16_t has_routing = 0x4000; // RFC 1701 only, and of no fixed length
    static constexpr std::uint16_t has_key = 0x2000;
    static constexpr std::uint16_t has_sequence = 0x1000;
    static constexpr std::uint16_t version_mask = 0x0007; // 1 is PPTP's (RFC 2637), another header

    big16 flags;
    big<ethertype> type; // what it carries

    [[nodiscard]] constexpr unsigned version() const noexcept { return flags & unsigned{version_mask}; }
    // Bytes, with the words announced. Of meaning in version 0 without routing.
    [[nodiscard]] constexpr std::size_t header_length() const noexcept {
        const unsigned set = flags;
        return 4 + ((set & has_checksum) != 0 ? 4u : 0u) + ((set & has_key) != 0 ? 4u : 0u) +
               ((set & has_sequence) != 0 ? 4u : 0u);
    }
};

static_assert(wire_header<gre_header> && sizeof(gre_header) == 4);

} // namespace noria::inline NORIA_ABI
