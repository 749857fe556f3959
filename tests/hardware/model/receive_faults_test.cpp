// SPDX-License-Identifier: BSL-1.0
// What the card notices of a driver that errs in receiving, and how a card can err on purpose.
#include "hardware/model/by_hand.hpp"

#include <cstdint>
#include <cstring>

namespace {

using by_hand::queue_memory;
using model82599::fault;

constexpr std::uint32_t one_buffer = 1u << 25;
constexpr std::uint32_t done = 1, end_of_packet = 2;

class receive_faults : public by_hand::fixture {
  protected:
    void SetUp() override { set_up(); }

    // One queue, of 8 descriptors and buffers of 2 KiB.
    void start(std::uint32_t srrctl, bool give = true) {
        start_receive(0, memory, srrctl, give);
        receive_on();
    }

    queue_memory memory{card, 8, 2048};
};

TEST_F(receive_faults, a_descriptor_that_was_not_filled_anew_is_noticed) {
    start(one_buffer | 2);
    card.wire_in(by_hand::plain_frame(60));
    card.step();
    write(0x1018, 0); // descriptor 7 is new, but then 0 is given back as it was
    write(0x1018, 1);
    card.step();
    EXPECT_EQ(card.faults().count(fault::stale_descriptor), 1u);
}

TEST_F(receive_faults, a_descriptor_changed_behind_the_cards_back_is_noticed) {
    start(one_buffer | 2);
    card.step();
    memory.word(0)[0] += 64;
    card.wire_in(by_hand::plain_frame(60));
    card.step();
    EXPECT_EQ(card.faults().count(fault::descriptor_changed), 1u);
}

TEST_F(receive_faults, a_wrong_address_touches_nothing) {
    start(one_buffer | 2, false);
    const std::uint64_t null[2] = {0, 0};
    const std::uint64_t wild[2] = {reinterpret_cast<std::uint64_t>(memory.buffer(1).data()), 0};
    const std::uint64_t across[2] = {memory.buffers.iova + memory.buffers.bytes.size() - 32, 0};
    std::memcpy(memory.word(0), null, 16);
    std::memcpy(memory.word(1), wild, 16);
    std::memcpy(memory.word(2), across, 16);
    write(0x1018, 3);
    for (int i = 0; i != 3; ++i)
        card.wire_in(by_hand::plain_frame(60));
    card.step();
    EXPECT_EQ(card.faults().count(fault::null_iova), 1u);
    EXPECT_EQ(card.faults().count(fault::outside_map), 2u);
    for (const std::byte byte : memory.buffers.bytes)
        ASSERT_EQ(byte, std::byte{});
    EXPECT_EQ(memory.word(2)[2] & 3, done | end_of_packet); // the report comes all the same
}

TEST_F(receive_faults, a_buffer_shorter_than_was_said_is_noticed) {
    start(one_buffer | 4, false);
    const std::uint64_t last[2] = {memory.buffer_iova(7), 0}; // 2 KiB, and 4 were said
    std::memcpy(memory.word(0), last, 16);
    write(0x1018, 1);
    card.wire_in(by_hand::plain_frame(60));
    card.step();
    EXPECT_EQ(card.faults().count(fault::buffer_too_short), 1u);
    EXPECT_EQ(card.faults().records().size(), 1u);
}

TEST_F(receive_faults, a_tail_beyond_the_ring_and_a_crooked_ring_are_noticed) {
    start(one_buffer | 2, false);
    write(0x1018, 8);
    EXPECT_EQ(card.faults().count(fault::tail_beyond_ring), 1u);
    EXPECT_EQ(read(0x1018), 0u);
    write(0x1008, 256);
    EXPECT_EQ(card.faults().count(fault::ring_changed), 1u);
    write(0x1040, static_cast<std::uint32_t>(memory.ring.iova) + 16);
    write(0x1044, static_cast<std::uint32_t>(memory.ring.iova >> 32));
    write(0x1048, 128);
    write(0x1068, 1u << 25);
    EXPECT_FALSE(until(0x1068, 1u << 25, 1u << 25));
    EXPECT_EQ(card.faults().count(fault::ring_misaligned), 1u);
}

TEST_F(receive_faults, what_has_to_be_done_before_is_asked_for) {
    write(0x18, 0);
    write(0x2f00, 0);
    start_receive(0, memory, one_buffer | 2);
    write(0x2200, 1u << 12);
    write(0x3000, 1);
    EXPECT_EQ(card.faults().count(fault::receive_unguarded), 1u);
    EXPECT_EQ(card.faults().count(fault::crc_bits_differ), 1u);
    EXPECT_EQ(card.faults().count(fault::setting_forgotten), 2u);
}

TEST_F(receive_faults, a_card_that_lies_is_to_be_had) {
    start(one_buffer | 2);
    card.tamper([](model82599::descriptor& given) { given.words[3] = 0xffff; });
    card.wire_in(by_hand::plain_frame(60));
    card.step();
    EXPECT_EQ(memory.word(0)[3], 0xffffu);
}

} // namespace
