// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "noria/memory/page.hpp"

namespace noria::inline NORIA_ABI {

// Bytes of a packet that stayed where the device put them, and one reference to the page they lie on. What it
// pins is `truesize` bytes, which is never less than what it shows: a held 64-byte tail can pin a page.
struct fragment {
    page* under = nullptr;
    std::uint32_t offset = 0;   // in the page, bytes
    std::uint32_t length = 0;   // bytes, not zero
    std::uint32_t truesize = 0; // bytes

    [[nodiscard]] std::byte* data() const noexcept { return under->data() + offset; }

    // Do the bytes of `next` lie right behind these? Then one fragment can show both, with one reference.
    [[nodiscard]] bool is_followed_by(const fragment& next) const noexcept {
        return under == next.under && offset + length == next.offset;
    }
    // Shows the bytes of `next`, which follows, too. What truesize grew by: together the two pin no more than
    // the page.
    std::uint32_t grow(const fragment& next) noexcept {
        const std::uint32_t room = truesize < under->size() ? under->size() - truesize : 0;
        const std::uint32_t more = next.truesize < room ? next.truesize : room;
        length += next.length;
        truesize += more;
        return more;
    }
};

} // namespace noria::inline NORIA_ABI
