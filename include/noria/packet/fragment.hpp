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
};

} // namespace noria::inline NORIA_ABI
