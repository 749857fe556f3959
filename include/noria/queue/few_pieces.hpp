// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "noria/core/contract.hpp"
#include "noria/packet/packet.hpp"
#include "noria/packet/pull.hpp"

// A packet in no more pieces than a device can take.

namespace noria::inline NORIA_ABI {

// How many descriptors it takes to send the packet as it lies.
[[nodiscard]] inline std::uint32_t pieces_of(const packet& of) noexcept {
    return static_cast<std::uint32_t>(of.fragments().size()) + (of.headlen() != 0);
}

// How many fragment bytes must become linear for that to be at most `most`; 0 when it is. Precondition: most
// is not 0. O(fragments).
[[nodiscard]] inline std::uint32_t bytes_too_many_pieces(const packet& of, std::uint32_t most) noexcept {
    NORIA_EXPECTS(most != 0, "a device takes at least one piece a packet");
    if (pieces_of(of) <= most)
        return 0;
    const auto parts = of.fragments();
    std::uint32_t bytes = 0;
    for (std::size_t i = 0; i != parts.size() + 1 - most; ++i) // the head is one of the pieces then
        bytes += parts[i].length;
    return bytes;
}

// Brings the packet down to `most` pieces, by making as few of its first fragments linear as that takes.
// Linux makes all of it linear (skb_linearize), and so wants the largest head there is in the very moment
// when memory is short; this wants a smaller one, and none at all when the room behind the tail is enough.
// False, and nothing changed, when there was no memory. Precondition: most is not 0. The owner of the
// packet's pool. O(bytes moved + fragments).
[[nodiscard]] inline bool fit_pieces(packet& of, std::uint32_t most) noexcept {
    const std::uint32_t bytes = bytes_too_many_pieces(of, most);
    return bytes == 0 || static_cast<bool>(pull_tail(of, bytes));
}

} // namespace noria::inline NORIA_ABI
