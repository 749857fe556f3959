// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/frame.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "noria/memory/page_pool.hpp"
#include "noria/packet/packet_pool.hpp"
#include "support/memory_block.hpp"
#include "support/random.hpp"

namespace {

using namespace noria;

TEST(frame, is_the_sum_of_its_pieces) {
    random_steps random;
    memory_block memory(frame::most_pieces * 256);
    for (std::byte& each : memory.bytes())
        each = random.byte();
    auto pages = page_pool::create(memory.bytes(), 256);
    ASSERT_TRUE(pages);
    std::vector<page*> under(frame::most_pieces);
    for (page*& each : under)
        each = pages->allocate();

    frame gathered;
    for (int run = 0; run != 200; ++run) {
        std::vector<std::byte> expected;
        const std::uint32_t pieces = random.below(frame::most_pieces + 1);
        for (std::uint32_t i = 0; i != pieces; ++i) {
            const std::uint32_t offset = random.below(256);
            const std::uint32_t length = random.below(257 - offset);
            const piece next{.under = under[i], .offset = offset, .length = length};
            ASSERT_TRUE(gathered.add(next));
            EXPECT_EQ(gathered.pieces()[i].data(), under[i]->data() + offset);
            expected.insert(expected.end(), next.data(), next.data() + length);
        }
        EXPECT_EQ(gathered.pieces().size(), pieces);
        EXPECT_EQ(gathered.length(), expected.size());
        EXPECT_FALSE(gathered.spoiled());
        const auto copy = std::make_unique<std::byte[]>(expected.size()); // exactly: the sanitizer looks
        gathered.copy_to(copy.get());
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(), copy.get()));
        gathered.clear();
        EXPECT_EQ(gathered.length(), 0u);
        EXPECT_TRUE(gathered.pieces().empty());
    }
    for (page* each : under)
        each->release();
}

TEST(frame, in_one_buffer_says_what_a_gathered_one_of_one_piece_says) {
    random_steps random;
    memory_block memory(256);
    for (std::byte& each : memory.bytes())
        each = random.byte();
    auto pages = page_pool::create(memory.bytes(), 256);
    ASSERT_TRUE(pages);
    page* const under = pages->allocate();
    for (std::uint32_t length = 0; length != 200; ++length) {
        const piece all{.under = under, .offset = 56, .length = length, .slot = 3};
        whole_frame whole(all);
        frame gathered;
        ASSERT_TRUE(gathered.blank() && gathered.add(all));
        EXPECT_FALSE(gathered.blank());
        EXPECT_EQ(whole.length(), gathered.length());
        EXPECT_EQ(whole.pieces().size(), gathered.pieces().size());
        EXPECT_EQ(whole.pieces()[0].data(), gathered.pieces()[0].data());
        EXPECT_EQ(whole.pieces()[0].slot, 3u);
        const auto copy = std::make_unique<std::byte[]>(length);
        whole.copy_to(copy.get());
        EXPECT_TRUE(std::equal(copy.get(), copy.get() + length, under->data() + 56));
    }
    under->release();
    frame bad;
    bad.spoil(drop_reason::device_error);
    EXPECT_FALSE(bad.blank()) << "what comes next is no new frame: it is the rest of this one";
}

TEST(frame, has_no_more_pieces_than_a_packet_has_fragments) {
    frame gathered;
    for (std::uint32_t i = 0; i != packet::most_fragments; ++i)
        EXPECT_TRUE(gathered.add({.length = 10}));
    EXPECT_FALSE(gathered.add({.length = 10}));
    EXPECT_EQ(gathered.length(), 10 * packet::most_fragments) << "what was refused is not counted";
}

TEST(frame, the_first_reason_to_drop_it_stays) {
    frame gathered;
    gathered.spoil(drop_reason::packet_too_big);
    gathered.spoil(drop_reason::device_error);
    EXPECT_TRUE(gathered.spoiled());
    EXPECT_EQ(gathered.why(), drop_reason::packet_too_big);
    gathered.clear();
    EXPECT_FALSE(gathered.spoiled());
}

TEST(frame, labels_the_packet_with_what_its_last_completion_said) {
    memory_block memory(1024);
    auto heads = page_pool::create(memory.bytes(), 512);
    ASSERT_TRUE(heads);
    page_pool* const classes[] = {&*heads};
    auto packets = packet_pool::create({.packets = 2, .heads = classes});
    ASSERT_TRUE(packets);
    const auto label = [&](std::uint32_t flags) {
        packet_ptr made = packets->allocate(60, 32);
        EXPECT_NE(made->put(60), nullptr);
        frame gathered;
        gathered.describe({.hash = 77, .checksum = 88, .vlan = 99, .flags = flags});
        gathered.label(*made);
        EXPECT_EQ(made->mac_header(), made->data());
        const packet_info info = made->info();
        made.free(drop_reason::consumed);
        EXPECT_EQ(info.hash, 77u);
        EXPECT_EQ(info.vlan, 99u);
        return info;
    };
    EXPECT_EQ(label(completion::end_of_packet).checksum_state, checksum_state::none);
    EXPECT_EQ(label(completion::checksum_ok).checksum_state, checksum_state::unnecessary);
    EXPECT_EQ(label(completion::checksum_sum).checksum_state, checksum_state::complete);
    EXPECT_EQ(label(completion::checksum_sum).checksum, 88u);
    EXPECT_EQ(label(completion::checksum_ok | completion::checksum_sum).checksum_state,
              checksum_state::unnecessary)
        << "verified says more than summed up";
}

} // namespace
