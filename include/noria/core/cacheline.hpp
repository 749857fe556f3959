// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>

#include "noria/core/config.hpp"

namespace noria::inline NORIA_ABI {

// Bytes that travel together between caches. Not std::hardware_destructive_interference_size: that one warns,
// because it may differ between two translation units of one program.
inline constexpr std::size_t cache_line = NORIA_CACHE_LINE;

// What two threads write is kept this far apart: the spatial prefetcher of x86 fetches lines in pairs.
inline constexpr std::size_t thread_gap = 2 * cache_line;

static_assert(cache_line >= 32 && (cache_line & (cache_line - 1)) == 0,
              "NORIA_CACHE_LINE must be a power of two from 32 up");

} // namespace noria::inline NORIA_ABI
