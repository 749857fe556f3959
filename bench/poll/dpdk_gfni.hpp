// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

// DPDK's hash for processors with GFNI and AVX-512.

namespace bench::costs::poll {

// Whether this processor has what it takes; or else none of the others may be called.
[[nodiscard]] bool gfni_works();

// A key, as the hashes take it: a matrix for each of its bytes.
void gfni_matrices(std::uint64_t* matrices, const std::uint8_t* key, int bytes);

void gfni_each(const std::uint64_t* matrices, int bytes, std::uint8_t** flows, std::uint32_t* hashes,
               unsigned count);
void gfni_bulk(const std::uint64_t* matrices, int bytes, std::uint8_t** flows, std::uint32_t* hashes,
               unsigned count);

} // namespace bench::costs::poll
