// SPDX-License-Identifier: BSL-1.0
#include "noria/stats/vocabulary.hpp"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "noria/memory/page_pool_counters.hpp"
#include "noria/queue/rx_queue.hpp"
#include "noria/stats/link.hpp"

namespace {

namespace vocabularies = noria::vocabularies;

struct named_vocabulary {
    const char* name;
    noria::vocabulary words;
};
const named_vocabulary all[] = {
    {"linux_link", vocabularies::linux_link},
    {"ixgbe", vocabularies::ixgbe},
    {"e1000e", vocabularies::e1000e},
    {"mlx5", vocabularies::mlx5},
    {"mlx5_ring", vocabularies::mlx5_ring},
    {"virtio_net", vocabularies::virtio_net},
    {"dpdk", vocabularies::dpdk},
    {"af_xdp", vocabularies::af_xdp},
};

// What other rooms count is named by the tables, which cannot see those rooms: it is still called so.
static_assert(requires(noria::receive_counters of_queue, noria::page_pool_counters of_pool) {
    of_queue.buff_alloc_err;
    of_queue.fillers;
    of_queue.filler_strides;
    of_queue.wqe_err;
    of_queue.oversize;
    of_queue.refused;
    of_pool.alloc_slow;
    of_pool.alloc_fail;
});

bool is_canonical(std::string_view name) {
    // Of other rooms: see above.
    const std::set<std::string_view> others = {"alloc_slow",     "alloc_fail", "buff_alloc_err", "fillers",
                                               "filler_strides", "wqe_err",    "oversize",       "refused"};
    return others.contains(name) || std::ranges::any_of(noria::link_fields<std::uint64_t>,
                                                        [&](auto& field) { return field.name == name; });
}

TEST(Vocabulary, TranslatesCanonicalNames) {
    for (const auto& [name, words] : all) {
        std::set<std::string_view> seen;
        for (const noria::alias& each : words) {
            SCOPED_TRACE(std::string(name) + ": " + std::string(each.word));
            EXPECT_TRUE(is_canonical(each.canonical)) << each.canonical;
            EXPECT_TRUE(seen.insert(each.word).second) << "the word stands for two things";
            EXPECT_EQ(noria::canonical_for(words, each.word), each.canonical);
            EXPECT_LT(each.word.size(), 32u) << "as long as ethtool's names get";
        }
    }
}

// A word that is a canonical name of another counter would be read as that one.
TEST(Vocabulary, NoWordMeansSomethingElseHere) {
    for (const auto& [name, words] : all)
        for (const noria::alias& each : words)
            EXPECT_TRUE(!is_canonical(each.word) || each.word == each.canonical) << name << ": " << each.word;
}

TEST(Vocabulary, MissedIsNeverDropped) {
    EXPECT_EQ(noria::word_for(vocabularies::ixgbe, "rx_missed"), "rx_missed_errors");
    EXPECT_EQ(noria::word_for(vocabularies::mlx5, "rx_missed"), "rx_out_of_buffer");
    EXPECT_EQ(noria::word_for(vocabularies::dpdk, "rx_missed"), "imissed");
    EXPECT_EQ(noria::word_for(vocabularies::af_xdp, "rx_missed"), "rx_fill_ring_empty_descs");
    EXPECT_EQ(noria::canonical_for(vocabularies::ixgbe, "rx_no_dma_resources"), "rx_missed");
    EXPECT_EQ(noria::canonical_for(vocabularies::af_xdp, "rx_ring_full"), "rx_dropped");
    EXPECT_EQ(noria::word_for(vocabularies::dpdk, "rx_dropped"), "");
    EXPECT_EQ(noria::canonical_for(vocabularies::dpdk, "rx_dropped"), "");
}

} // namespace
