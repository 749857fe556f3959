// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "noria/packet/fragment.hpp"

namespace noria::inline NORIA_ABI {

// Calls `piece(address, bytes)` for each stretch of memory that [offset, offset + length) lies in, where
// bytes begin with `headlen` linear ones at `data` and go on in `fragments`: in order, and never for none. A
// negative offset reaches in front of `data`. Precondition: the memory is there. O(fragments).
template <class Piece>
    requires std::is_nothrow_invocable_v<Piece&, std::byte*, std::size_t>
[[gnu::always_inline]] inline void for_each_piece(std::byte* data, std::uint32_t headlen,
                                                  std::span<const fragment> fragments, std::int64_t offset,
                                                  std::size_t length, Piece piece) noexcept {
    if (length != 0 && offset < std::int64_t{headlen}) {
        const auto here = static_cast<std::size_t>(std::int64_t{headlen} - offset);
        const std::size_t now = here < length ? here : length;
        piece(data + offset, now);
        length -= now;
        offset = std::int64_t{headlen};
    }
    auto skip = static_cast<std::size_t>(offset - std::int64_t{headlen});
    for (const fragment* from = fragments.data(); length != 0; ++from) {
        if (skip >= from->length) {
            skip -= from->length;
            continue;
        }
        const std::size_t now = from->length - skip < length ? from->length - skip : length;
        piece(from->data() + skip, now);
        length -= now;
        skip = 0;
    }
}

} // namespace noria::inline NORIA_ABI
