// SPDX-License-Identifier: BSL-1.0
#include "hardware/model/by_hand.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace {

using by_hand::bytes;
using by_hand::queue_memory;
using model82599::fault;

constexpr std::uint32_t eop = 1u << 24, ifcs = 1u << 25, rs = 1u << 27, vle = 1u << 30, tse = 1u << 31;
constexpr std::uint32_t ixsm = 1u << 8, txsm = 1u << 9;

class transmit : public by_hand::fixture {
  protected:
    void SetUp() override {
        set_up();
        start_transmit(0, memory);
    }
    void tail(std::uint32_t value) {
        write(0x6018, value);
        card.step();
    }
    [[nodiscard]] bool reported(std::uint32_t index) { return (memory.word(index)[3] & 1) != 0; }

    queue_memory memory{card, 8, 16384};
};

TEST_F(transmit, a_frame_goes_out_and_is_reported) {
    const bytes frame = by_hand::plain_frame(100);
    fill_transmit(memory, 0, frame);
    EXPECT_TRUE(sent().empty());
    tail(1);
    EXPECT_EQ(sent(), std::vector<bytes>{frame});
    EXPECT_TRUE(reported(0));
    EXPECT_EQ(read(0x6010), 1u); // TDH
    EXPECT_EQ(read(0x4080), 1u); // GPTC
    EXPECT_EQ(read(0x4090), 104u);
    EXPECT_EQ(card.transmit_doorbells(0), 2u); // 0 at the start, and 1
    expect_no_faults();
}

TEST_F(transmit, only_those_that_ask_are_reported) {
    const bytes frame = by_hand::plain_frame(100);
    fill_transmit(memory, 0, frame, eop | ifcs);
    fill_transmit(memory, 1, frame, eop | ifcs);
    fill_transmit(memory, 2, frame);
    tail(3);
    EXPECT_EQ(sent().size(), 3u);
    EXPECT_FALSE(reported(0));
    EXPECT_FALSE(reported(1));
    EXPECT_TRUE(reported(2));
    expect_no_faults();
}

TEST_F(transmit, a_packet_waits_until_its_end_is_there) {
    const bytes frame = by_hand::plain_frame(300);
    fill_transmit(memory, 0, std::span(frame).first(100), ifcs, 0, 300);
    fill_transmit(memory, 1, std::span(frame).subspan(100, 120), ifcs);
    tail(2);
    EXPECT_TRUE(sent().empty());
    fill_transmit(memory, 2, std::span(frame).subspan(220));
    tail(3);
    EXPECT_EQ(sent(), std::vector<bytes>{frame});
    expect_no_faults();
}

TEST_F(transmit, short_frames_are_padded_and_too_short_ones_refused) {
    fill_transmit(memory, 0, by_hand::plain_frame(17));
    fill_transmit(memory, 1, by_hand::plain_frame(16));
    tail(2);
    const auto frames = sent();
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].size(), 60u);
    EXPECT_EQ(frames[0][17], std::byte{});
    EXPECT_EQ(card.faults().count(fault::frame_too_short), 1u);
}

TEST_F(transmit, the_ring_wraps) {
    const bytes frame = by_hand::plain_frame(100);
    for (std::uint32_t i = 0; i != 20; ++i) {
        fill_transmit(memory, i % 8, frame);
        tail((i + 1) % 8);
    }
    EXPECT_EQ(sent().size(), 20u);
    expect_no_faults();
}

TEST_F(transmit, all_that_waits_goes_out_in_the_order_of_the_ring_at_most_so_many_a_step) {
    for (std::uint32_t i = 0; i != 7; ++i)
        fill_transmit(memory, i, by_hand::plain_frame(100 + i));
    write(0x6018, 7);
    EXPECT_EQ(card.step(3), 3u);
    EXPECT_EQ(read(0x6010), 3u);
    EXPECT_EQ(card.step(), 4u);
    const auto frames = sent();
    for (std::size_t i = 0; i != 7; ++i)
        EXPECT_EQ(frames[i].size(), 100 + i);
}

TEST_F(transmit, a_head_is_written_instead_of_reports_where_software_wants_that) {
    const hardware::dma_memory head = card.dma().allocate(4, 16).value();
    write(0x6038, static_cast<std::uint32_t>(head.iova) | 1);
    write(0x603c, static_cast<std::uint32_t>(head.iova >> 32));
    for (std::uint32_t i = 0; i != 3; ++i)
        fill_transmit(memory, i, by_hand::plain_frame(100), i == 1 ? eop | ifcs | rs : eop | ifcs);
    tail(3);
    std::uint32_t value = 0;
    std::memcpy(&value, head.bytes.data(), 4);
    EXPECT_EQ(value, 2u); // where it was at the report
    EXPECT_FALSE(reported(1));
    expect_no_faults();
}

// With a write-back threshold reports come in groups, or when they have waited long enough.
TEST_F(transmit, reports_wait_for_a_group) {
    write(0x6028, read(0x6028) | 4u << 16);
    for (std::uint32_t i = 0; i != 6; ++i)
        fill_transmit(memory, i, by_hand::plain_frame(100));
    tail(3);
    EXPECT_FALSE(reported(0));
    tail(6);
    EXPECT_TRUE(reported(0));
    EXPECT_TRUE(reported(3));
    EXPECT_FALSE(reported(4));
    card.pass(100'000);
    EXPECT_TRUE(reported(5));
    expect_no_faults();
    fill_transmit(memory, 6, by_hand::plain_frame(100), eop | ifcs);
    tail(7);
    EXPECT_EQ(card.faults().count(fault::report_missing), 1u);
}

TEST_F(transmit, checksums_are_filled_in) {
    for (const unsigned protocol : {6u, 17u})
        for (const bool ipv6 : {false, true}) {
            const by_hand::frame_shape shape{.protocol = protocol, .payload = 101, .ipv6 = ipv6};
            bytes frame =
                by_hand::make_frame({.protocol = protocol, .payload = 101, .ipv6 = ipv6, .checksums = false});
            const std::size_t l4 = by_hand::transport_at(shape);
            by_hand::store16(frame, l4 + (protocol == 6 ? 16 : 6),
                             by_hand::folded(by_hand::pseudo_header(shape, frame, frame.size() - l4)));
            const std::uint32_t index = read(0x6010);
            fill_context(memory, index,
                         {std::uint32_t(l4 - 14) | 14u << 9, 0,
                          1u << 29 | 2u << 20 | (ipv6 ? 0u : 1u << 10) | (protocol == 6 ? 1u << 11 : 0u), 0});
            fill_transmit(memory, (index + 1) % 8, frame, eop | ifcs | rs, (ipv6 ? 0 : ixsm) | txsm);
            tail((index + 2) % 8);
            EXPECT_EQ(sent(), std::vector<bytes>{by_hand::make_frame(shape)}) << protocol << ipv6;
        }
    expect_no_faults();
}

TEST_F(transmit, a_tag_is_inserted_behind_the_addresses) {
    fill_context(memory, 0, {0x6123'0000u, 0, 1u << 29 | 2u << 20, 1u << 4});
    fill_transmit(memory, 1, by_hand::make_frame({}), eop | ifcs | rs | vle, 1u << 4 | 1u << 7);
    tail(2);
    EXPECT_EQ(sent(), std::vector<bytes>{by_hand::make_frame({.tagged = true})});
    expect_no_faults();
}

// A context stays until the next one with its number.
TEST_F(transmit, both_contexts_of_a_queue_are_kept) {
    fill_context(memory, 0, {0x0001'0000u, 0, 1u << 29 | 2u << 20, 0});
    fill_context(memory, 1, {0x0002'0000u, 0, 1u << 29 | 2u << 20, 1u << 4});
    for (std::uint32_t i = 0; i != 4; ++i)
        fill_transmit(memory, 2 + i, by_hand::plain_frame(100), eop | ifcs | vle, (i % 2) << 4);
    tail(6);
    const auto frames = sent();
    ASSERT_EQ(frames.size(), 4u);
    for (std::size_t i = 0; i != 4; ++i)
        EXPECT_EQ(by_hand::load16(frames[i], 14), 1 + i % 2);
}

TEST_F(transmit, a_long_tcp_frame_is_cut_into_segments) {
    for (const bool ipv6 : {false, true}) {
        const by_hand::frame_shape shape{.protocol = 6, .payload = 2500, .ipv6 = ipv6};
        const std::size_t ip = 14;
        const std::size_t l4 = by_hand::transport_at(shape);
        bytes frame = by_hand::make_frame({.protocol = 6, .payload = 2500, .ipv6 = ipv6, .checksums = false});
        frame[l4 + 13] = std::byte{0x19};                // FIN, PSH, ACK
        by_hand::store16(frame, ip + (ipv6 ? 4 : 2), 0); // no length
        by_hand::store16(frame, l4 + 16, by_hand::folded(by_hand::pseudo_header(shape, frame, 0)));
        const std::uint32_t index = read(0x6010);
        fill_context(memory, index,
                     {std::uint32_t(l4 - 14) | 14u << 9, 0,
                      1u << 29 | 2u << 20 | (ipv6 ? 0u : 1u << 10) | 1u << 11, 1000u << 16 | 20u << 8});
        fill_transmit(memory, (index + 1) % 8, frame, eop | ifcs | rs | tse, (ipv6 ? 0 : ixsm) | txsm, 2500);
        tail((index + 2) % 8);

        const auto segments = sent();
        ASSERT_EQ(segments.size(), 3u);
        std::size_t at = 0;
        for (std::size_t i = 0; i != 3; ++i) {
            const std::size_t payload = i == 2 ? 500 : 1000;
            const bytes& segment = segments[i];
            ASSERT_EQ(segment.size(), l4 + 20 + payload);
            if (!ipv6) {
                EXPECT_EQ(by_hand::load16(segment, ip + 2), 40 + payload);
                EXPECT_EQ(by_hand::load16(segment, ip + 4), 0xabcd + i);
                EXPECT_EQ(by_hand::folded(by_hand::word_sum(std::span(segment).subspan(ip, 20))), 0xffff);
            } else {
                EXPECT_EQ(by_hand::load16(segment, ip + 4), 20 + payload);
            }
            EXPECT_EQ(by_hand::load16(segment, l4 + 4), 0u);
            EXPECT_EQ(by_hand::load16(segment, l4 + 6), 0x1000 + at);
            EXPECT_EQ(segment[l4 + 13], i == 2 ? std::byte{0x19} : std::byte{0x10});
            EXPECT_EQ(
                by_hand::folded(by_hand::word_sum(std::span(segment).subspan(l4),
                                                  by_hand::pseudo_header(shape, segment, 20 + payload))),
                0xffff);
            EXPECT_EQ(bytes(segment.begin() + static_cast<std::ptrdiff_t>(l4 + 20), segment.end()),
                      bytes(frame.begin() + static_cast<std::ptrdiff_t>(l4 + 20 + at),
                            frame.begin() + static_cast<std::ptrdiff_t>(l4 + 20 + at + payload)));
            at += payload;
        }
    }
    EXPECT_EQ(read(0x4080), 6u); // GPTC
    expect_no_faults();
}

TEST_F(transmit, nothing_goes_out_without_link_or_in_loop_back) {
    fill_transmit(memory, 0, by_hand::make_frame({}));
    card.cable(false);
    tail(1);
    EXPECT_TRUE(sent().empty());
    EXPECT_FALSE(reported(0));
    queue_memory receive(card, 8, 2048);
    start_receive(0, receive, 1u << 25 | 2);
    receive_on();
    write(0x4240, read(0x4240) | 1u << 15);
    card.step();
    EXPECT_TRUE(sent().empty());
    EXPECT_TRUE(reported(0));
    EXPECT_EQ(by_hand::first(receive.buffer(0), 142), by_hand::make_frame({}));
    EXPECT_EQ(receive.word(0)[2] & 1u << 18, 1u << 18);
}

// What the card notices of a driver that errs.

TEST_F(transmit, a_queue_started_before_te_stays_off) {
    write(0x4a80, 0);
    queue_memory late(card, 8, 2048);
    write(0x6040, static_cast<std::uint32_t>(late.ring.iova));
    write(0x6044, static_cast<std::uint32_t>(late.ring.iova >> 32));
    write(0x6048, 128);
    write(0x6068, 1u << 25);
    EXPECT_EQ(card.faults().count(fault::queue_before_te), 1u);
    card.pass(1'000'000);
    EXPECT_EQ(read(0x6068) & 1u << 25, 0u);
}

TEST_F(transmit, the_arbiter_is_to_rest_while_mtqc_changes) {
    write(0x8120, 0);
    EXPECT_EQ(card.faults().count(fault::arbiter_running), 1u);
}

TEST_F(transmit, crooked_descriptors_are_noticed) {
    const auto one = [&](auto prepare, fault expected) {
        const std::uint32_t index = read(0x6010);
        fill_transmit(memory, index, by_hand::plain_frame(100));
        prepare(memory.word(index));
        tail((index + 1) % 8);
        EXPECT_EQ(card.faults().count(expected), 1u) << name(expected);
        EXPECT_EQ(card.faults().records().size(), 1u);
        card.faults().clear();
        static_cast<void>(sent());
    };
    one([](std::uint32_t* words) { words[2] &= ~(1u << 29); }, fault::bad_descriptor);
    one([](std::uint32_t* words) { words[2] &= ~0xffffu; }, fault::bad_descriptor);
    one([](std::uint32_t* words) { words[2] &= ~ifcs; }, fault::no_checksequence);
    one([](std::uint32_t* words) { words[3] += 1u << 14; }, fault::wrong_payload_length);
    one([](std::uint32_t* words) { words[3] |= txsm; }, fault::context_missing);
    one([](std::uint32_t* words) { words[0] = words[1] = 0; }, fault::null_iova);
    one([](std::uint32_t* words) { words[1] += 7; }, fault::outside_map);
    one([](std::uint32_t* words) { words[3] |= 1; }, fault::stale_descriptor);
}

TEST_F(transmit, forty_descriptors_a_packet_and_no_more) {
    queue_memory large(card, 64, 64);
    start_transmit(1, large);
    const bytes frame = by_hand::plain_frame(41 * 20);
    const auto send = [&](std::uint32_t at, std::uint32_t pieces) {
        for (std::uint32_t i = 0; i != pieces; ++i)
            fill_transmit(large, (at + i) % 64, std::span(frame).subspan(20 * i, 20),
                          i + 1 == pieces ? eop | ifcs | rs : ifcs, 0, 20 * pieces);
        write(0x6058, (at + pieces) % 64);
        card.step();
    };
    send(0, 40);
    expect_no_faults();
    send(40, 41);
    EXPECT_EQ(card.faults().count(fault::too_many_descriptors), 1u);
}

TEST_F(transmit, a_report_in_the_middle_of_a_packet_is_noticed) {
    const bytes frame = by_hand::plain_frame(200);
    fill_transmit(memory, 0, std::span(frame).first(100), ifcs | rs, 0, 200);
    fill_transmit(memory, 1, std::span(frame).subspan(100));
    tail(2);
    EXPECT_EQ(card.faults().count(fault::report_too_early), 1u);
}

} // namespace
