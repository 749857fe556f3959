// SPDX-License-Identifier: BSL-1.0

// Compiled for more than the other sources: nothing of them may be included here, or a copy of theirs that
// not every processor knows could take the place of their own.

#define ALLOW_EXPERIMENTAL_API
#define ALLOW_INTERNAL_API
#include <rte_thash.h>

#include "poll/dpdk_gfni.hpp"

namespace bench::costs::poll {

#ifdef RTE_THASH_GFNI_DEFINED

bool gfni_works() {
    // Not rte_thash_gfni_supported(): that is whether DPDK's own library was compiled with it.
    return __builtin_cpu_supports("gfni") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
           __builtin_cpu_supports("avx512vbmi") != 0;
}

void gfni_matrices(std::uint64_t* matrices, const std::uint8_t* key, int bytes) {
    rte_thash_complete_matrix(matrices, key, bytes);
}

void gfni_each(const std::uint64_t* matrices, int bytes, std::uint8_t** flows, std::uint32_t* hashes,
               unsigned count) {
    for (unsigned i = 0; i != count; ++i)
        hashes[i] = rte_thash_gfni(matrices, flows[i], bytes);
}

void gfni_bulk(const std::uint64_t* matrices, int bytes, std::uint8_t** flows, std::uint32_t* hashes,
               unsigned count) {
    rte_thash_gfni_bulk(matrices, bytes, flows, hashes, count);
}

#else

bool gfni_works() {
    return false;
}

void gfni_matrices(std::uint64_t*, const std::uint8_t*, int) {}

void gfni_each(const std::uint64_t*, int, std::uint8_t**, std::uint32_t*, unsigned) {}

void gfni_bulk(const std::uint64_t*, int, std::uint8_t**, std::uint32_t*, unsigned) {}

#endif

} // namespace bench::costs::poll
