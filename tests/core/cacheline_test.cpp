// SPDX-License-Identifier: BSL-1.0
#include "noria/core/cacheline.hpp"

#include <gtest/gtest.h>

namespace {

using namespace noria;

struct two_writers {
    alignas(thread_gap) int one;
    alignas(thread_gap) int other;
};

static_assert(cache_line == NORIA_CACHE_LINE);
static_assert(alignof(two_writers) == thread_gap, "the gap can be asked for as an alignment");

TEST(cacheline, a_gap_keeps_two_writers_a_pair_of_lines_apart) {
    two_writers data{};
    const auto distance =
        reinterpret_cast<const char*>(&data.other) - reinterpret_cast<const char*>(&data.one);
    EXPECT_GE(distance, static_cast<std::ptrdiff_t>(2 * cache_line));
}

} // namespace
