// SPDX-License-Identifier: BSL-1.0
#include "hardware/model/by_hand.hpp"

#include <cstdint>

#include <sys/eventfd.h>

namespace {

using by_hand::queue_memory;

constexpr std::uint32_t eicr = 0x800, eics = 0x808, eiac = 0x810, eims = 0x880, eimc = 0x888, eiam = 0x890,
                        gpie = 0x898;
constexpr std::uint32_t msix = 1u << 4, ocd = 1u << 5, eiame = 1u << 30, pba = 1u << 31;

class interrupts : public by_hand::fixture {
  protected:
    void SetUp() override {
        set_up();
        start_receive(0, memory, 1u << 25 | 2);
        receive_on();
        ASSERT_FALSE(card.interrupts().open(20).code);
        write(gpie, msix | ocd | eiame | pba);
        write(0x900, 0x80 | 3); // IVAR: receive queue 0 to vector 3
        static_cast<void>(read(eicr));
    }

    // How often the vector has called since the last time.
    [[nodiscard]] std::uint64_t calls(std::uint32_t vector) {
        eventfd_t count = 0;
        return ::eventfd_read(card.interrupts().fd(vector), &count) == 0 ? count : 0;
    }
    void frame() {
        static_cast<void>(card.wire_in(by_hand::plain_frame(60)));
        card.step();
    }

    queue_memory memory{card, 64, 2048};
};

TEST_F(interrupts, a_frame_calls_the_vector_of_its_queue_if_it_is_not_masked) {
    frame();
    EXPECT_EQ(calls(3), 0u);
    EXPECT_EQ(read(eims), 0u);
    write(eims, 1u << 3);
    EXPECT_EQ(read(eims), 1u << 3);
    EXPECT_EQ(calls(3), 1u); // the cause had stayed
    expect_no_faults();
}

TEST_F(interrupts, without_auto_clear_a_cause_calls_once_until_it_is_cleared) {
    write(eims, 1u << 3);
    frame();
    frame();
    EXPECT_EQ(calls(3), 1u);
    EXPECT_EQ(read(eicr), 1u << 3); // OCD: queues' causes stay
    EXPECT_EQ(read(eicr), 1u << 3);
    write(eicr, 1u << 3);
    EXPECT_EQ(read(eicr), 0u);
    frame();
    EXPECT_EQ(calls(3), 1u);
    write(gpie, msix | eiame | pba);
    EXPECT_EQ(read(eicr), 1u << 3); // without OCD reading clears
    EXPECT_EQ(read(eicr), 0u);
}

// What NAPI, and our poller, live on: no event between the last look and the unmasking is lost.
TEST_F(interrupts, auto_clear_and_auto_mask_lose_nothing) {
    write(eiac, 1u << 3);
    write(eiam, 1u << 3);
    write(eims, 1u << 3);
    frame();
    EXPECT_EQ(calls(3), 1u);
    EXPECT_EQ(read(eims), 0u); // masked itself
    EXPECT_EQ(read(eicr), 0u); // and cleared
    frame();
    frame();
    EXPECT_EQ(calls(3), 0u);
    write(eims, 1u << 3);
    card.step();
    EXPECT_EQ(calls(3), 1u);
    write(eims, 1u << 3); // nothing new
    card.step();
    EXPECT_EQ(calls(3), 0u);
}

TEST_F(interrupts, masking_takes_eimc) {
    write(eims, 1u << 3 | 1u << 5);
    write(eims, 1u << 6); // adds
    EXPECT_EQ(read(eims), 1u << 3 | 1u << 5 | 1u << 6);
    write(eimc, 1u << 3);
    EXPECT_EQ(read(eims), 1u << 5 | 1u << 6);
    frame();
    EXPECT_EQ(calls(3), 0u);
    EXPECT_EQ(read(0xaa0), 1u << 5 | 1u << 6); // EIMS_EX is the same
}

TEST_F(interrupts, moderation_spaces_calls) {
    write(eiac, 1u << 3);
    write(eims, 1u << 3);
    write(0x820 + 4 * 3, 5u << 3 | 1u << 31); // 10.24 us
    EXPECT_EQ(read(0x820 + 4 * 3), 5u << 3);
    frame();
    EXPECT_EQ(calls(3), 1u);
    const auto begin = card.now();
    frame();
    EXPECT_EQ(calls(3), 0u);
    EXPECT_EQ(card.interrupts().waiting(), 1u << 3);
    for (int look = 0; look != 10'000 && calls(3) == 0; ++look)
        card.pass(10);
    EXPECT_NEAR(static_cast<double>(card.now() - begin), 10'240, 50);
    // Writing EITR without bit 31 begins anew, with it does not.
    frame();
    write(0x820 + 4 * 3, 5u << 3 | 1u << 31);
    card.step();
    EXPECT_EQ(calls(3), 0u);
    write(0x820 + 4 * 3, 5u << 3);
    card.step();
    EXPECT_EQ(calls(3), 1u);
}

TEST_F(interrupts, software_can_raise_any_vector) {
    write(eims, 0xffff);
    write(eics, 1u << 9);
    card.step();
    EXPECT_EQ(calls(9), 1u);
    EXPECT_EQ(calls(3), 0u);
}

TEST_F(interrupts, vectors_from_16_on_have_registers_of_their_own) {
    write(0x900, 0x80 | 18);
    frame();
    write(0xaa0, 1u << 18);
    card.step();
    EXPECT_EQ(calls(18), 1u);
    EXPECT_EQ(read(0xaa0), 1u << 18);
    EXPECT_EQ(read(eims), 0u);
    EXPECT_EQ(read(eicr), 0u);
    frame();
    EXPECT_EQ(calls(18), 1u); // cleared itself
    write(0xad0, 1u << 18);   // EIAM_EX
    frame();
    EXPECT_EQ(calls(18), 1u);
    EXPECT_EQ(read(0xaa0), 0u);
    write(0xa90, 1u << 18);
    write(0xaa0, 1u << 18);
    card.step();
    EXPECT_EQ(calls(18), 1u);
    write(0xaa0, 1u << 18);
    write(0xab0, 1u << 18);
    EXPECT_EQ(read(0xaa0), 0u);
    EXPECT_EQ(read(0xaa4), 0u);
}

TEST_F(interrupts, queues_share_a_register_of_the_map_four_bytes_each_pair) {
    queue_memory send(card, 8, 2048);
    queue_memory other(card, 8, 2048);
    start_receive(1, other, 1u << 25 | 2);
    start_transmit(1, send);
    write(0x900, 0x84838281); // receive 0, transmit 0, receive 1, transmit 1
    write(eiac, 0xffff);
    write(eims, 0xffff);
    frame();
    EXPECT_EQ(calls(1), 1u);
    fill_transmit(send, 0, by_hand::plain_frame(100));
    write(0x6058, 1);
    card.step();
    EXPECT_EQ(calls(4), 1u);
    write(0x5818, 1 | 1u << 22);
    for (std::uint32_t i = 0; i != 32; ++i)
        write(0x5c00 + 4 * i, 0x01010101);
    static_cast<void>(card.wire_in(by_hand::make_frame({})));
    card.step();
    EXPECT_EQ(calls(3), 1u);
    EXPECT_EQ(calls(2), 0u);
    write(0x900, 0); // not valid: nobody is called
    frame();
    EXPECT_EQ(calls(0) + calls(1) + calls(2) + calls(3), 0u);
}

TEST_F(interrupts, other_causes_have_a_vector_of_their_own) {
    write(0xa00, (0x80 | 7) << 8);
    write(eims, 1u << 20);
    card.cable(false);
    card.step();
    EXPECT_EQ(calls(7), 1u);
    EXPECT_EQ(read(eicr), 1u << 20);
    EXPECT_EQ(read(eicr), 0u); // reading clears these, OCD or not
    card.cable(true);
    card.pass(2'000'000);
    EXPECT_EQ(calls(7), 1u);
}

TEST_F(interrupts, a_vector_nobody_opened_waits) {
    write(0x900, 0x80 | 30);
    write(0xaa0, 1u << 30);
    frame();
    EXPECT_EQ(card.interrupts().waiting(), 1u << 30);
}

TEST_F(interrupts, they_are_opened_once_and_a_reset_forgets_the_rest) {
    EXPECT_TRUE(card.interrupts().open(1).code);
    write(eims, 0xffff);
    frame();
    reset();
    EXPECT_EQ(read(eims), 0u);
    EXPECT_EQ(read(gpie), 0u);
    EXPECT_EQ(card.interrupts().vectors(), 20u);
}

} // namespace
