// SPDX-License-Identifier: BSL-1.0
#include "noria/flow/steering.hpp"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

namespace {

using noria::no_cpu;

// Offers what the concept asks for, and nothing more.
struct all_but_one {
    std::uint32_t offline;
    [[nodiscard]] bool online(std::uint32_t cpu) const noexcept { return cpu != offline; }
    [[nodiscard]] std::uint32_t dequeued(std::uint32_t) const noexcept { return 0; }
};

RC_GTEST_PROP(CpuMap, ScalesTheHashToTheLengthOfTheList, (std::uint32_t hash)) {
    const auto cpus = *rc::gen::nonEmpty<std::vector<std::uint16_t>>();
    const noria::cpu_map map(cpus);
    const auto place =
        static_cast<std::size_t>(static_cast<double>(hash) * static_cast<double>(cpus.size()) / 4294967296.0);
    RC_ASSERT(map.cpu(hash) == (hash == 0 ? no_cpu : cpus[place]));
    RC_ASSERT(map.steer(hash, all_but_one{no_cpu}) == map.cpu(hash));
    RC_ASSERT(map.steer(hash, all_but_one{cpus[place]}) == no_cpu);
}

TEST(CpuMap, TheLastCpuHasTheHighestHashes) {
    const std::vector<std::uint16_t> cpus{4, 5, 6};
    const noria::cpu_map map(cpus);
    EXPECT_EQ(map.cpu(1), 4u);
    EXPECT_EQ(map.cpu(0x5555'5555), 4u);
    EXPECT_EQ(map.cpu(0x5555'5556), 5u);
    EXPECT_EQ(map.cpu(0xffff'ffff), 6u);
}

TEST(CpuMap, WithoutCpusOrHashNothingIsSteered) {
    const std::vector<std::uint16_t> cpus{4, 5, 6};
    EXPECT_EQ(noria::cpu_map().cpu(77), no_cpu);
    EXPECT_EQ(noria::cpu_map(cpus).cpu(0), no_cpu);
}

} // namespace
