// SPDX-License-Identifier: BSL-1.0
#include "hardware/model/by_hand.hpp"
#include "hardware/wait.hpp"

#include <cstdint>

#include "noria/memory/region.hpp"

namespace {

using model82599::fault;

class card_registers : public by_hand::fixture {};

TEST_F(card_registers, a_reset_takes_a_while_and_leaves_the_defaults) {
    write(0x5080, 0x700);
    write(0x5400, 0x11111111);
    write(0x5404, 1u << 31 | 0x2222);
    write(0x0, 1u << 26);
    EXPECT_EQ(read(0x0) & 1u << 26, 1u << 26);
    static_cast<void>(read(0x5080));
    ASSERT_TRUE(until(0x0, 1u << 26, 0));
    static_cast<void>(read(0x5080));
    EXPECT_EQ(card.faults().count(fault::access_during_reset), 2u);
    card.pass(10'000'000);
    EXPECT_EQ(read(0x5080), 0u);
    EXPECT_EQ(read(0x5400), 0x82bae290u); // the address is in the EEPROM
    EXPECT_EQ(read(0x5404), 1u << 31 | 0x9959u);
    EXPECT_EQ(read(0xa200), 0x82bae290u); // the same, where all 128 are
    EXPECT_EQ(read(0x2f00) & 1u << 3, 1u << 3);
    EXPECT_EQ(read(0x10010) & 1u << 9, 1u << 9);
    EXPECT_EQ(read(0x8d04) & 1, 1u);
    EXPECT_EQ(read(0x4268), 1518u << 16);
}

TEST_F(card_registers, a_link_reset_is_one_too) {
    write(0x5080, 0x700);
    write(0x0, 1u << 3);
    EXPECT_EQ(read(0x0) & 1u << 3, 1u << 3);
    ASSERT_TRUE(until(0x0, 1u << 3, 0));
    EXPECT_EQ(read(0x5080), 0u);
}

TEST_F(card_registers, what_is_not_declared_is_noticed) {
    EXPECT_EQ(read(0x5480 + 4 * 16), 0u); // behind PSRTYPE
    EXPECT_EQ(card.faults().count(fault::undeclared_register), 1u);
    static_cast<void>(read(0x889));
    static_cast<void>(read(0x20000));
    EXPECT_EQ(card.faults().count(fault::misaligned_access), 2u);
    static_cast<void>(read(0x888)); // EIMC can only be written
    write(0x8, 0);                  // STATUS can only be read
    EXPECT_EQ(card.faults().count(fault::wrong_access), 2u);
}

TEST_F(card_registers, the_card_lets_go_of_the_bus_on_request) {
    EXPECT_EQ(read(0x8) & 1u << 19, 1u << 19);
    write(0x0, 1u << 2);
    EXPECT_EQ(read(0x8) & 1u << 19, 0u);
}

TEST_F(card_registers, a_card_pulled_out_reads_all_ones) {
    card.pull_out();
    EXPECT_EQ(read(0x8), ~0u);
    EXPECT_EQ(read(0x800), ~0u);
    write(0x8, 0);
    EXPECT_EQ(card.step(), 0u);
    EXPECT_EQ(card.wire_in(by_hand::plain_frame(60)), model82599::arrival::deaf);
    expect_no_faults();
}

// A driver that looks at the clock between its reads always gets there.
TEST_F(card_registers, looking_at_the_clock_lets_time_pass) {
    auto clock = card.clock();
    auto registers = card.registers();
    registers.write32(0x0, 1u << 26);
    EXPECT_EQ(hardware::wait_until(registers, 0x0, 1u << 26, 0, clock, 10'000'000), hardware::waited::met);
    EXPECT_EQ(hardware::wait_until(registers, 0x42a4, 1u << 30, 1u << 30, clock, 90'000'000),
              hardware::waited::met);
    EXPECT_EQ(hardware::wait_until(registers, 0x8, 1u << 19, 0, clock, 1'000'000),
              hardware::waited::timed_out);
    card.pull_out();
    EXPECT_EQ(hardware::wait_until(registers, 0x8, 1u << 19, 0, clock, 1'000'000), hardware::waited::gone);
}

class card_link : public by_hand::fixture {};

TEST_F(card_link, comes_up_some_time_after_the_negotiation_and_links_tells_it_one_read_late) {
    reset();
    EXPECT_EQ(read(0x42a4) >> 28 & 3, 3u); // 10G
    card.cable(false);
    EXPECT_EQ(read(0x42a4) >> 30 & 1, 1u); // stale
    EXPECT_EQ(read(0x42a4) >> 30 & 1, 0u);
    card.cable(true, model82599::link_speed::gigabit);
    EXPECT_FALSE(read(0x42a4) >> 30 & 1);
    EXPECT_FALSE(read(0x42a4) >> 30 & 1);
    card.pass(1'000'000);
    static_cast<void>(read(0x42a4));
    EXPECT_EQ(read(0x42a4) >> 28 & 7, 4u | 2u);
    write(0x42a0, read(0x42a0) | 1u << 12);
    EXPECT_EQ(read(0x42a0) & 1u << 12, 0u);
    static_cast<void>(read(0x42a4));
    EXPECT_FALSE(read(0x42a4) >> 30 & 1);
    EXPECT_TRUE(until(0x42a4, 1u << 30, 1u << 30));
    EXPECT_NE(read(0x42b0) & 0xf'0000, 0u); // ANLP1
    expect_no_faults();
}

class card_eeprom : public by_hand::fixture {
  protected:
    [[nodiscard]] std::uint32_t word(std::uint32_t which) {
        write(0x10014, which << 2 | 1);
        EXPECT_TRUE(until(0x10014, 2, 2));
        return read(0x10014) >> 16;
    }
};

TEST_F(card_eeprom, its_words_sum_to_baba_and_begin_with_the_address) {
    std::uint32_t sum = 0;
    for (std::uint32_t i = 0; i != 0x40; ++i)
        sum += word(i);
    EXPECT_EQ(sum & 0xffff, 0xbabau);
    EXPECT_EQ(word(0), 0xe290u);
    EXPECT_EQ(word(2), 0x9959u);
}

TEST_F(card_eeprom, the_semaphore_goes_to_who_reads_it_first) {
    EXPECT_EQ(read(0x10140) & 1, 0u);
    EXPECT_EQ(read(0x10140) & 1, 1u);
    write(0x10140, 3);
    EXPECT_EQ(read(0x10140) & 3, 3u);
    write(0x10140, 0);
    EXPECT_EQ(read(0x10140) & 1, 0u);
}

// To measure a driver and not the model: descriptors are told, and no byte of a frame is moved.
class card_without_bytes : public by_hand::fixture {
  protected:
    card_without_bytes() : fixture({.link_delay = 1'000'000, .moves_bytes = false}) {}
};

TEST_F(card_without_bytes, tells_of_frames_that_it_does_not_move) {
    set_up();
    by_hand::queue_memory in(card, 8, 2048);
    by_hand::queue_memory out(card, 8, 2048);
    start_receive(0, in, 1u << 25 | 2);
    start_transmit(0, out);
    receive_on();
    const by_hand::bytes frame = by_hand::plain_frame(100); // which has to stay meanwhile
    static_cast<void>(card.wire_in(frame));
    fill_transmit(out, 0, frame);
    write(0x6018, 1);
    card.step();
    EXPECT_EQ(in.word(0)[2] & 3, 3u);
    EXPECT_EQ(in.word(0)[3], 100u);
    EXPECT_EQ(in.buffer(0)[0], std::byte{});
    EXPECT_EQ(out.word(0)[3] & 1, 1u);
    const auto frames = sent();
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].size(), 100u);
    expect_no_faults();
}

class card_memory : public by_hand::fixture {};

TEST_F(card_memory, addresses_are_the_cards_own) {
    const auto ring = card.dma().allocate(4096, 128).value();
    EXPECT_EQ(ring.iova % 128, 0u);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(ring.bytes.data()) % 128, 0u);
    EXPECT_GT(ring.iova >> 32, 0u);
    EXPECT_NE(ring.iova, reinterpret_cast<std::uintptr_t>(ring.bytes.data()));
    EXPECT_EQ(card.dma().address_of(ring.iova + 4000, 96), ring.bytes.data() + 4000);
    EXPECT_EQ(card.dma().address_of(ring.iova + 4000, 97), nullptr);
    EXPECT_EQ(card.dma().address_of(ring.iova - 1, 1), nullptr);
    EXPECT_EQ(card.dma().address_of(~std::uint64_t{0}, 1), nullptr);
    EXPECT_EQ(card.dma().address_of(ring.iova, ~std::uint64_t{0}), nullptr);
    EXPECT_FALSE(card.dma().allocate(0, 128));
    EXPECT_FALSE(card.dma().allocate(16, 48));
}

TEST_F(card_memory, a_region_is_known_by_one_address) {
    noria::region memory =
        noria::region::map({.bytes = 1 << 20, .best = noria::backing::plain_pages}).value();
    const noria::mapping once = card.dma().attach(memory).value();
    const noria::mapping again = card.dma().attach(memory).value();
    const std::byte* place = memory.bytes().data() + 100;
    EXPECT_EQ(once.iova_of(place), again.iova_of(place));
    EXPECT_EQ(card.dma().address_of(once.iova_of(place), 8), place);
}

} // namespace
