// SPDX-License-Identifier: BSL-1.0
#include "hardware/model/by_hand.hpp"

#include <cstdint>

namespace {

using by_hand::bytes;
using by_hand::queue_memory;
using model82599::fault;

class statistics : public by_hand::fixture {
  protected:
    void SetUp() override {
        set_up();
        start_receive(0, memory, 1u << 25 | 2);
        start_transmit(0, sending);
        receive_on();
    }
    void in(const bytes& frame) {
        static_cast<void>(card.wire_in(frame));
        card.step();
    }
    void out(const bytes& frame) {
        const std::uint32_t index = read(0x6010);
        fill_transmit(sending, index, frame);
        write(0x6018, (index + 1) % sending.count);
        card.step();
    }

    queue_memory memory{card, 64, 2048};
    queue_memory sending{card, 8, 2048};
};

TEST_F(statistics, reading_clears) {
    in(by_hand::plain_frame(60));
    in(by_hand::plain_frame(60));
    EXPECT_EQ(read(0x4074), 2u); // GPRC
    EXPECT_EQ(read(0x4074), 0u);
    write(0x4074, 7);
    EXPECT_EQ(read(0x4074), 0u);
    EXPECT_EQ(card.faults().count(fault::wrong_access), 1u);
}

// GORC and QBRC count the CRC only where it is not stripped; TOR and GOTC always do.
TEST_F(statistics, octets_count_the_crc_or_not) {
    in(by_hand::plain_frame(100));
    out(by_hand::plain_frame(200));
    EXPECT_EQ(read(0x4088), 100u); // GORC
    EXPECT_EQ(read(0x1034), 100u); // QBRC
    EXPECT_EQ(read(0x40c0), 104u); // TOR
    EXPECT_EQ(read(0x4090), 204u); // GOTC
    EXPECT_EQ(read(0x8700), 200u); // QBTC
    for (const std::uint32_t high : {0x408cu, 0x1038u, 0x40c4u, 0x4094u, 0x8704u})
        EXPECT_EQ(read(high), 0u);
    EXPECT_EQ(read(0x4088), 0u);
    expect_no_faults();
}

TEST_F(statistics, octets_have_36_bits_and_the_low_half_is_read_first) {
    static_cast<void>(read(0x408c));
    EXPECT_EQ(card.faults().count(fault::high_half_first), 1u);
    // 4.3 GB by frames would take a while: the block alone, then.
    model82599::register_file registers;
    model82599::fault_log faults;
    model82599::statistics_block block(registers, faults);
    static_cast<void>(block.read(0x4088));
    const bytes frame = by_hand::plain_frame(60);
    for (int i = 0; i != 3; ++i)
        block.good_received(frame, 64, 0xf000'0000);
    EXPECT_EQ(block.read(0x4088), 0xd000'0000u);
    block.good_received(frame, 64, 1); // in between
    EXPECT_EQ(block.read(0x408c), 2u);
    EXPECT_EQ(block.read(0x4088), 1u);
    EXPECT_EQ(block.read(0x408c), 0u);
    for (int i = 0; i != 20; ++i)
        block.good_received(frame, 64, 0xffff'ffff);
    EXPECT_EQ(block.read(0x4088), 0xffff'ffffu); // and sticks there
    EXPECT_EQ(block.read(0x408c), 0xfu);
}

TEST_F(statistics, counters_stick_at_all_ones) {
    card.behind()[0x4074] = 0xffff'fffe;
    for (int i = 0; i != 3; ++i)
        in(by_hand::plain_frame(60));
    EXPECT_EQ(read(0x4074), 0xffff'ffffu);
}

TEST_F(statistics, frames_are_counted_by_address_and_size) {
    write(0x5080, 1u << 8 | 1u << 10);
    bytes all = by_hand::plain_frame(60);
    std::fill_n(all.begin(), 6, std::byte{0xff});
    const bytes group = by_hand::plain_frame(1000, 0x91);
    for (const bytes& frame :
         {all, group, by_hand::plain_frame(61), by_hand::plain_frame(123), by_hand::plain_frame(124),
          by_hand::plain_frame(251), by_hand::plain_frame(507), by_hand::plain_frame(1019),
          by_hand::plain_frame(1514)}) {
        in(frame);
        out(frame);
    }
    const std::uint32_t sizes[] = {1, 2, 2, 1, 2, 1}; // 64, -127, -255, -511, -1023, above
    for (std::uint32_t i = 0; i != 6; ++i) {
        EXPECT_EQ(read(0x405c + 4 * i), sizes[i]) << i;
        EXPECT_EQ(read(0x40d8 + 4 * i), sizes[i]) << i;
    }
    EXPECT_EQ(read(0x4078), 1u); // BPRC
    EXPECT_EQ(read(0x407c), 1u); // MPRC
    EXPECT_EQ(read(0x40f4), 1u); // BPTC
    EXPECT_EQ(read(0x40f0), 1u); // MPTC
    EXPECT_EQ(read(0x40d0), 9u); // TPR
    EXPECT_EQ(read(0x40d4), 9u); // TPT
    EXPECT_EQ(read(0x4080), 9u); // GPTC
    expect_no_faults();
}

TEST_F(statistics, queues_count_where_the_maps_send_them) {
    in(by_hand::plain_frame(100));
    EXPECT_EQ(read(0x1030), 1u);
    write(0x2300, 0x05);
    write(0x8600, 0x06);
    in(by_hand::plain_frame(100));
    out(by_hand::plain_frame(100));
    EXPECT_EQ(read(0x1030), 0u);
    EXPECT_EQ(read(0x1030 + 0x40 * 5), 1u);
    EXPECT_EQ(read(0x1034 + 0x40 * 5), 100u);
    EXPECT_EQ(read(0x6030 + 0x40 * 6), 1u);
    EXPECT_EQ(read(0x8700 + 8 * 6), 100u);
}

// A driver that does not clear them at its start reads what somebody left.
TEST(statistics_at_power_on, hold_what_somebody_left) {
    model82599::card card;
    EXPECT_NE(card.read32(0x4074), 0u);
    EXPECT_EQ(card.read32(0x4074), 0u);
    EXPECT_NE(card.read32(0x4088), 0u);
}

} // namespace
