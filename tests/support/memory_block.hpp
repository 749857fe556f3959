// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "noria/core/cacheline.hpp"

// Memory for a pool that does not need a region's: aligned, filled with 0xa5, and watched by the sanitizers.
class memory_block {
  public:
    explicit memory_block(std::size_t bytes)
        : lines_((bytes + noria::cache_line - 1) / noria::cache_line), bytes_(bytes) {}
    std::span<std::byte> bytes() { return {reinterpret_cast<std::byte*>(lines_.data()), bytes_}; }

  private:
    struct alignas(noria::cache_line) line {
        line() { std::fill(std::begin(bytes), std::end(bytes), std::byte{0xa5}); }
        std::byte bytes[noria::cache_line];
    };
    std::vector<line> lines_;
    std::size_t bytes_;
};
