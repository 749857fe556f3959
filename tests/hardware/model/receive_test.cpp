// SPDX-License-Identifier: BSL-1.0
#include "hardware/model/by_hand.hpp"

#include <cstdint>
#include <vector>

namespace {

using by_hand::bytes;
using by_hand::first;
using by_hand::queue_memory;
using model82599::arrival;

constexpr std::uint32_t one_buffer = 1u << 25, split = 2u << 25, split_always = 5u << 25, drop = 1u << 28;
constexpr std::uint32_t done = 1, end_of_packet = 2;

class receive : public by_hand::fixture {
  protected:
    void SetUp() override { set_up(); }

    // One queue, of 8 descriptors and buffers of 2 KiB.
    void start(std::uint32_t srrctl, bool give = true) {
        start_receive(0, memory, srrctl, give);
        receive_on();
    }
    [[nodiscard]] std::uint32_t length(std::uint32_t index) { return memory.word(index)[3] & 0xffff; }

    queue_memory memory{card, 8, 2048};
};

TEST_F(receive, a_frame_lands_in_the_first_buffer_and_its_descriptor_says_so) {
    start(one_buffer | 2);
    const bytes frame = by_hand::plain_frame(90);
    EXPECT_EQ(card.wire_in(frame), arrival::queued);
    EXPECT_EQ(memory.word(0)[2] & done, 0u); // not before the card works
    card.step();
    EXPECT_EQ(memory.word(0)[2], done | end_of_packet);
    EXPECT_EQ(memory.word(0)[3], 90u);
    EXPECT_EQ(first(memory.buffer(0), 90), frame);
    EXPECT_EQ(read(0x1010), 1u); // RDH
    expect_no_faults();
}

TEST_F(receive, one_descriptor_always_stays_unused) {
    start(one_buffer | 2);
    for (unsigned i = 0; i != 8; ++i)
        EXPECT_EQ(card.wire_in(by_hand::plain_frame(60 + i)), arrival::queued);
    card.step();
    EXPECT_EQ(read(0x1010), 7u);
    EXPECT_EQ(card.buffer().frames(), 1u);
    EXPECT_EQ(memory.word(6)[2] & done, done);
    EXPECT_EQ(memory.word(7)[2] & done, 0u);
    // Two more, and it wraps.
    fill_receive(memory, 0);
    write(0x1018, 0);
    card.step();
    EXPECT_EQ(length(7), 67u);
    EXPECT_EQ(read(0x1010), 0u);
    EXPECT_EQ(card.receive_doorbells(0), 3u); // at the start 0, then 7 and 0
    expect_no_faults();
}

TEST_F(receive, a_frame_longer_than_a_buffer_takes_several) {
    write(0x4240, read(0x4240) | 1u << 2);
    write(0x4268, 9018u << 16);
    start(one_buffer | 2);
    const bytes frame = by_hand::plain_frame(5000);
    EXPECT_EQ(card.wire_in(frame), arrival::queued);
    card.step();
    bytes whole;
    for (std::uint32_t i = 0; i != 3; ++i) {
        EXPECT_EQ(memory.word(i)[2] & 3, i == 2 ? done | end_of_packet : done);
        const bytes piece = first(memory.buffer(i), length(i));
        whole.insert(whole.end(), piece.begin(), piece.end());
    }
    EXPECT_EQ(whole, frame);
    EXPECT_EQ(length(0), 2048u);
    EXPECT_EQ(length(2), 904u);
    expect_no_faults();
}

TEST_F(receive, a_long_frame_waits_in_the_middle_for_descriptors) {
    write(0x4240, read(0x4240) | 1u << 2);
    write(0x4268, 9018u << 16);
    start(one_buffer | 2, false);
    write(0x1018, 2);
    EXPECT_EQ(card.wire_in(by_hand::plain_frame(5000)), arrival::queued);
    card.step();
    EXPECT_EQ(read(0x1010), 2u);
    EXPECT_EQ(memory.word(1)[2] & 3, done);
    EXPECT_EQ(read(0x1030), 0u); // QPRC: not before the end
    write(0x1018, 3);
    card.step();
    EXPECT_EQ(memory.word(2)[2] & 3, done | end_of_packet);
    EXPECT_EQ(read(0x1030), 1u);
    expect_no_faults();
}

TEST_F(receive, what_is_too_long_or_too_short_stays_outside) {
    start(one_buffer | 2);
    EXPECT_EQ(card.wire_in(by_hand::plain_frame(1514)), arrival::queued);
    EXPECT_EQ(card.wire_in(by_hand::plain_frame(1515)), arrival::filtered);
    bytes tagged = by_hand::plain_frame(1518);
    by_hand::store16(tagged, 12, 0x8100);
    EXPECT_EQ(card.wire_in(tagged), arrival::queued);
    EXPECT_EQ(card.wire_in(by_hand::plain_frame(59)), arrival::filtered);
    EXPECT_EQ(read(0x40ac), 1u); // ROC
    EXPECT_EQ(read(0x40a4), 1u); // RUC
    EXPECT_EQ(read(0x4074), 2u); // GPRC
    EXPECT_EQ(read(0x40d0), 4u); // TPR
}

TEST_F(receive, addresses_are_filtered) {
    start(one_buffer | 2);
    const bytes other = by_hand::plain_frame(60, 0x92);
    const bytes group = by_hand::plain_frame(60, 0x91); // 91:e2:ba:82:59:99
    bytes all = by_hand::plain_frame(60);
    std::fill_n(all.begin(), 6, std::byte{0xff});
    EXPECT_EQ(card.wire_in(other), arrival::filtered);
    EXPECT_EQ(card.wire_in(group), arrival::filtered);
    EXPECT_EQ(card.wire_in(all), arrival::queued);
    write(0x5080, 0);
    EXPECT_EQ(card.wire_in(all), arrival::filtered);
    write(0x5080, 1u << 9); // UPE
    EXPECT_EQ(card.wire_in(other), arrival::queued);
    EXPECT_EQ(card.wire_in(group), arrival::filtered);
    write(0x5080, 1u << 8); // MPE
    EXPECT_EQ(card.wire_in(other), arrival::filtered);
    EXPECT_EQ(card.wire_in(group), arrival::queued);
    EXPECT_EQ(card.wire_in(all), arrival::queued);
    // A second address, and then the multicast table: 47:36 of the address choose one of 4096 bits.
    write(0x5080, 0);
    write(0x5408, 0x82ba'e292);
    write(0x540c, 0x9959 | 1u << 31);
    EXPECT_EQ(card.wire_in(other), arrival::queued);
    write(0x540c, 0x9959); // not valid
    EXPECT_EQ(card.wire_in(other), arrival::filtered);
    write(0x5200 + 4 * (0x995 >> 5), 1u << (0x995 & 31));
    EXPECT_EQ(card.wire_in(group), arrival::filtered);
    write(0x5090, 1u << 2); // MFE
    EXPECT_EQ(card.wire_in(group), arrival::queued);
    expect_no_faults();
}

TEST_F(receive, a_vlan_filter_lets_its_members_in_only) {
    start(one_buffer | 2);
    const bytes tagged = by_hand::make_frame({.tagged = true}); // 0x123
    EXPECT_EQ(card.wire_in(tagged), arrival::queued);
    write(0x5088, 0x8100 | 1u << 30);
    EXPECT_EQ(card.wire_in(tagged), arrival::filtered);
    write(0xa000 + 4 * (0x123 >> 5), 1u << (0x123 & 31));
    EXPECT_EQ(card.wire_in(tagged), arrival::queued);
    EXPECT_EQ(card.wire_in(by_hand::plain_frame(60)), arrival::queued);
}

TEST_F(receive, a_tag_is_stripped_where_the_queue_wants_it) {
    start(one_buffer | 2);
    const bytes tagged = by_hand::make_frame({.tagged = true});
    card.wire_in(tagged);
    card.step();
    EXPECT_EQ(length(0), tagged.size());
    EXPECT_EQ(memory.word(0)[2] & 1u << 3, 0u);
    write(0x1028, read(0x1028) | 1u << 30);
    card.wire_in(tagged);
    card.step();
    EXPECT_EQ(memory.word(1)[2] & 1u << 3, 1u << 3); // VP
    EXPECT_EQ(memory.word(1)[3], 0x6123'0000u | (tagged.size() - 4));
    EXPECT_EQ(first(memory.buffer(1), length(1)), by_hand::make_frame({}));
}

TEST_F(receive, the_crc_is_kept_on_request) {
    write(0x4240, 1u << 0 | 1u << 10);
    write(0x2f00, read(0x2f00) & ~2u);
    start(one_buffer | 2);
    bytes frame = by_hand::plain_frame(60);
    card.wire_in(frame);
    card.step();
    EXPECT_EQ(length(0), 64u);
    // A frame with its CRC behind it always leaves the same remainder (IEEE 802.3 clause 3.2.9).
    std::uint32_t crc = ~0u;
    for (const std::byte byte : first(memory.buffer(0), 64)) {
        crc ^= std::to_integer<std::uint32_t>(byte);
        for (int bit = 0; bit != 8; ++bit)
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb8'8320 : 0);
    }
    EXPECT_EQ(crc, 0xdebb20e3u);
    EXPECT_EQ(read(0x4088), 64u); // GORC counts the CRC now
    expect_no_faults();
}

TEST_F(receive, a_damaged_frame_comes_in_with_sbp_only) {
    start(one_buffer | 2);
    EXPECT_EQ(card.wire_in(by_hand::plain_frame(60), true), arrival::filtered);
    write(0x5080, 1u << 1);
    EXPECT_EQ(card.wire_in(by_hand::plain_frame(60), true), arrival::queued);
    card.step();
    EXPECT_EQ(memory.word(0)[2], done | end_of_packet | 1u << 29); // RXE
    EXPECT_EQ(read(0x4000), 2u);                                   // CRCERRS
    EXPECT_EQ(read(0x4074), 0u);                                   // GPRC
}

TEST_F(receive, header_split_puts_headers_apart) {
    write(0x5480, 1u << 4 | 1u << 5); // behind TCP and UDP
    start(split | 4u << 8 | 2);       // 256 bytes for headers
    const bytes udp = by_hand::make_frame({});
    const bytes other = by_hand::plain_frame(100);
    card.wire_in(udp);
    card.wire_in(other);
    card.step();
    EXPECT_EQ(memory.word(0)[0] >> 31, 1u);          // SPH
    EXPECT_EQ(memory.word(0)[0] >> 21 & 0x3ff, 42u); // HDR_LEN
    EXPECT_EQ(length(0), 100u);
    EXPECT_EQ(first(memory.header(0), 42), first(udp, 42));
    EXPECT_EQ(first(memory.buffer(0), 100), bytes(udp.begin() + 42, udp.end()));
    EXPECT_EQ(memory.word(1)[0] >> 21, 0u); // nothing to split
    EXPECT_EQ(first(memory.buffer(1), length(1)), other);
    expect_no_faults();
}

TEST_F(receive, headers_too_long_for_their_buffer_stay_with_the_rest) {
    write(0x5480, 1u << 4);
    start(split | 1u << 8 | 2); // 64 bytes
    const bytes frame = by_hand::make_frame({.protocol = 6, .ip_options = 5});
    card.wire_in(frame);
    card.step();
    EXPECT_EQ(memory.word(0)[2] & 1u << 23, 1u << 23); // HBO
    EXPECT_EQ(memory.word(0)[0] >> 21 & 0x3ff, 74u);
    EXPECT_EQ(first(memory.buffer(0), length(0)), frame);
    expect_no_faults();
}

TEST_F(receive, split_always_fills_the_header_buffer_first) {
    write(0x5480, 1u << 4);
    start(split_always | 2u << 8 | 2); // 128 bytes
    const bytes small = by_hand::plain_frame(100);
    const bytes large = by_hand::plain_frame(300);
    const bytes tcp = by_hand::make_frame({.protocol = 6, .payload = 200});
    for (const bytes& frame : {small, large, tcp})
        card.wire_in(frame);
    card.step();
    EXPECT_EQ(memory.word(0)[0] >> 21, 100u);
    EXPECT_EQ(length(0), 0u);
    EXPECT_EQ(memory.word(0)[2] & 3, done | end_of_packet);
    EXPECT_EQ(first(memory.header(0), 100), small);
    EXPECT_EQ(memory.word(1)[0] >> 21, 128u);
    EXPECT_EQ(length(1), 172u);
    EXPECT_EQ(memory.word(2)[0] >> 21, 54u | 1u << 10); // SPH
    EXPECT_EQ(length(2), 200u);
    EXPECT_EQ(first(memory.header(2), 54), first(tcp, 54));
    expect_no_faults();
}

// Without DROP_EN a queue without descriptors stops all; MPC counts what the packet buffer has no room for.
TEST_F(receive, a_dry_queue_holds_up_the_others_until_the_packet_buffer_is_full) {
    write(0x3c00, 4u << 10); // 4 KiB
    start(one_buffer | 2, false);
    unsigned taken = 0;
    while (card.wire_in(by_hand::plain_frame(1000)) == arrival::queued)
        ++taken;
    card.step();
    EXPECT_EQ(taken, 4u);
    EXPECT_EQ(read(0x3fa0), 1u); // MPC
    EXPECT_EQ(read(0x1430), 0u); // QPRDC
    EXPECT_EQ(read(0x4074), 5u); // GPRC counts the missed one too
    EXPECT_EQ(read(0x1030), 0u); // QPRC does not
    write(0x1018, 7);
    card.step();
    EXPECT_EQ(read(0x1030), 4u);
    EXPECT_EQ(read(0x800) & 1u << 17, 1u << 17); // EICR: a frame was missed
}

TEST_F(receive, a_queue_that_may_drop_does_and_the_others_go_on) {
    queue_memory second(card, 8, 2048);
    start_receive(1, second, one_buffer | 2);
    start(one_buffer | drop | 2, false);
    write(0x5818, 1 | 1u << 22); // RSS by UDP ports
    for (std::uint32_t i = 0; i != 32; ++i)
        write(0x5c00 + 4 * i, 0x01000100); // odd entries to queue 1
    for (std::uint32_t i = 0; i != 10; ++i)
        write(0x5c80 + 4 * i, 0x9e3779b9u * (i + 1));
    unsigned in = 0;
    for (unsigned port = 1; port != 13; ++port)
        in += card.wire_in(by_hand::make_frame({.source_port = port})) == arrival::queued;
    EXPECT_EQ(in, 12u);
    card.step();
    EXPECT_EQ(read(0x3fa0), 0u);
    const std::uint32_t dropped = read(0x1430);
    const std::uint32_t received = read(0x1030);
    EXPECT_EQ(received, read(0x1050)); // RDH of queue 1
    EXPECT_GT(dropped, 0u);
    EXPECT_GT(received, 0u);
    EXPECT_EQ(dropped + received + card.buffer().frames(), 12u);
    expect_no_faults();
}

TEST_F(receive, a_queue_that_is_off_drops) {
    start(one_buffer | 2);
    write(0x1028, 0);
    EXPECT_EQ(read(0x1028) & 1u << 25, 1u << 25); // it takes a while
    ASSERT_TRUE(until(0x1028, 1u << 25, 0));
    card.wire_in(by_hand::plain_frame(60));
    card.step();
    EXPECT_EQ(read(0x1430), 1u);
}

TEST_F(receive, nothing_comes_in_while_receiving_is_off_or_the_path_is_shut) {
    EXPECT_EQ(card.wire_in(by_hand::plain_frame(60)), arrival::deaf);
    start(one_buffer | 2);
    write(0x8d00, 2);
    EXPECT_EQ(card.wire_in(by_hand::plain_frame(60)), arrival::deaf);
    write(0x8d00, 0);
    card.cable(false);
    EXPECT_EQ(card.wire_in(by_hand::plain_frame(60)), arrival::deaf);
}

} // namespace
