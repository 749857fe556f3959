// SPDX-License-Identifier: BSL-1.0
// What lies in the transmit ring of the 82599, bit by bit, and how much of it there is room for.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/faulty.hpp"
#include "hardware/ixgbe_transmit_rig.hpp"

namespace {

using namespace ixgbe_test;
using noria::transmit_post;

constexpr std::uint32_t data = 3u << 20 | 1u << 25 | 1u << 29; // type, IFCS, DEXT
constexpr std::uint32_t eop = 1u << 24, rs = 1u << 27;

class ixgbe_transmit_descriptors : public ixgbe_transmit_ring {
  protected:
    const ixgbe::descriptor* ring() {
        const std::uint64_t at = c.card.behind()[0x6000] | std::uint64_t{c.card.behind()[0x6004]} << 32;
        return reinterpret_cast<const ixgbe::descriptor*>(c.card.dma().address_of(at, 16));
    }
    // A packet in so many pieces of 10 bytes.
    std::vector<transmit_post> in_pieces(std::uint32_t pieces) {
        std::vector<transmit_post> posts(pieces, post(1, 10));
        for (transmit_post& each : posts) {
            each.packet_bytes = 10 * pieces;
            each.flags = 0;
        }
        posts.back().flags = transmit_post::end_of_packet;
        return posts;
    }
};

TEST_F(ixgbe_transmit_descriptors, the_last_of_a_packet_ends_it) {
    start(64);
    std::vector<transmit_post> posts = in_pieces(2);
    posts.push_back(post(2, 60));
    ASSERT_EQ(queue.transmit(posts), 3u);
    const auto* const at = ring();
    const std::uint64_t iova = posts[0].iova;
    for (int i = 0; i != 3; ++i) {
        EXPECT_EQ(at[i].words[0], static_cast<std::uint32_t>(iova));
        EXPECT_EQ(at[i].words[1], static_cast<std::uint32_t>(iova >> 32));
    }
    EXPECT_EQ(at[0].words[2], 10 | data);
    EXPECT_EQ(at[0].words[3], 20u << 14) << "of the whole packet, and no context is spoken of";
    EXPECT_EQ(at[1].words[2], 10 | data | eop);
    EXPECT_EQ(at[1].words[3], 20u << 14);
    EXPECT_EQ(at[2].words[2], 60 | data | eop | rs);
    EXPECT_EQ(at[2].words[3], 60u << 14);
    c.card.step();
    EXPECT_EQ(frames_sent(), 2u);
}

// Packets of other kinds are counted as plain ones are, and a change of kind reports nothing.
TEST_F(ixgbe_transmit_descriptors, few_of_any_kind_report) {
    start(128);
    std::vector<transmit_post> posts;
    for (int i = 0; i != 40; ++i)
        for (const transmit_post& each : in_pieces(2))
            posts.push_back(each);
    ASSERT_EQ(queue.transmit(posts), 80u);
    for (std::uint32_t i = 0; i != 80; ++i)
        EXPECT_EQ((ring()[i].words[2] & rs) != 0, i == 31 || i == 63 || i == 79) << i;
    c.card.step();
    EXPECT_EQ(reap().size(), 40u);

    std::vector<transmit_post> mixed(3, post(1, 60));
    for (const transmit_post& each : in_pieces(2))
        mixed.push_back(each);
    mixed.insert(mixed.end(), 4, post(1, 60));
    ASSERT_EQ(queue.transmit(mixed), 9u);
    for (std::uint32_t i = 80; i != 89; ++i)
        EXPECT_EQ((ring()[i].words[2] & rs) != 0, i == 88) << i;
    c.card.step();
    EXPECT_EQ(reap().size(), 8u);
    EXPECT_EQ(frames_sent(), 48u);
}

// One descriptor stays unused, wherever the ring's end is; and all others are of use.
TEST_F(ixgbe_transmit_descriptors, all_but_one_are_of_use) {
    start(1);
    ASSERT_EQ(c.card.behind()[0x6008], 8u * 16);
    for (std::uint32_t begin = 0; begin != 16; ++begin) {
        const std::vector<transmit_post> plain(9, post(1, 60));
        EXPECT_EQ(queue.transmit(plain), 7u) << begin;
        const std::uint64_t rung = c.card.transmit_doorbells();
        EXPECT_EQ(queue.transmit(plain), 0u);
        EXPECT_EQ(c.card.transmit_doorbells(), rung) << "where nothing is taken nothing rings";
        c.card.step();
        EXPECT_EQ(reap().size(), 7u);
        EXPECT_EQ(queue.transmit(in_pieces(7)), 7u) << begin;
        EXPECT_EQ(queue.transmit({plain.data(), 1}), 0u);
        c.card.step();
        EXPECT_EQ(reap().size(), 1u);
        EXPECT_EQ(queue.transmit(in_pieces(6)), 6u);
        EXPECT_EQ(queue.transmit(in_pieces(2)), 0u);
        EXPECT_EQ(queue.transmit({plain.data(), 1}), 1u);
        c.card.step();
        EXPECT_EQ(reap().size(), 2u);
        ASSERT_EQ(queue.transmit({plain.data(), 1}), 1u); // and one further
        c.card.step();
        EXPECT_EQ(reap().size(), 1u);
        EXPECT_EQ(frames_sent(), 11u);
    }
}

// What has more pieces than the ring or the card has room for, and what the card does not know how to do.
TEST_F(ixgbe_transmit_descriptors, what_can_never_go_is_an_error) {
    for (const std::uint32_t descriptors : {1u, 64u}) {
        start(descriptors);
        const std::uint32_t most = descriptors == 1 ? 7 : 38;
        for (const std::uint32_t pieces : {most, most + 1}) {
            const std::uint64_t rung = c.card.transmit_doorbells();
            ASSERT_EQ(queue.transmit(in_pieces(pieces)), pieces);
            EXPECT_EQ(c.card.transmit_doorbells() - rung, pieces == most ? 1u : 0u);
            c.card.step();
            const auto reports = reap();
            ASSERT_EQ(reports.size(), 1u);
            EXPECT_EQ(reports[0].flags, pieces == most ? whole : never) << pieces;
        }
        transmit_post odd = post(1, 60);
        odd.flags |= transmit_post::insert_checksum;
        odd.checksum_field = 12;
        ASSERT_EQ(queue.transmit({&odd, 1}), 1u);
        const auto reports = reap();
        ASSERT_EQ(reports.size(), 1u);
        EXPECT_EQ(reports[0].flags, never);
        EXPECT_EQ(frames_sent(), 1u);
    }
}

TEST_F(ixgbe_transmit_descriptors, memory_for_a_ring_is_used_again) {
    start(64);
    const std::uint32_t at = c.card.behind()[0x6000];
    for (const std::uint32_t descriptors : {64u, 10u, 64u}) {
        start(descriptors);
        EXPECT_EQ(c.card.behind()[0x6000], at);
    }
}

// The short way for plain packets is there whenever there is room, and leads nowhere when the queue is off.
TEST_F(ixgbe_transmit_descriptors, plain_packets_have_room_in_a_ring_that_runs) {
    EXPECT_EQ(queue.plain_room(5), 0u);
    start(64);
    EXPECT_EQ(queue.plain_room(5), 5u);
    const std::uint32_t at_once = queue.plain_room(1000);
    EXPECT_GT(at_once, 5u);
    EXPECT_LE(at_once, 135u);
    const std::vector<transmit_post> plain(200, post(1, 60));
    EXPECT_EQ(queue.transmit(plain), 135u);
    EXPECT_EQ(queue.plain_room(5), 0u);
    c.card.step();
    EXPECT_EQ(reap().size(), 135u);
    EXPECT_EQ(frames_sent(), 135u);
    EXPECT_GT(queue.plain_room(5), 0u);
    expect_ok(queue.stop());
    EXPECT_EQ(queue.plain_room(5), 0u);
}

// It waits for nothing, and says nothing to the card.
TEST_F(ixgbe_transmit_descriptors, what_is_off_is_not_stopped_again) {
    start(64);
    expect_ok(queue.stop());
    const noria::nanoseconds before = c.card.now();
    expect_ok(queue.stop());
    EXPECT_EQ(c.card.now(), before);
}

TEST_F(ixgbe_transmit_descriptors, a_card_that_is_gone_has_stopped) {
    start(64);
    c.card.cable(false);
    const transmit_post one = post(1, 60);
    ASSERT_EQ(queue.transmit({&one, 1}), 1u);
    c.card.pull_out();
    EXPECT_EQ(queue.stop().code, std::errc::no_such_device);
    EXPECT_FALSE(queue.running());
    ASSERT_EQ(reap().size(), 1u);
    EXPECT_EQ(queue.transmit({&one, 1}), 0u);
}

TEST_F(ixgbe_transmit_descriptors, a_queue_that_does_not_start_is_none) {
    hardware::faulty registers(c.registers);
    ixgbe::transmit_queue other(registers, c.card.dma(), c.clock, 1, {});
    registers.stick(ixgbe::reg::txdctl::at(1), ixgbe::reg::txdctl::enable, 0);
    EXPECT_EQ(other.configure_transmit({.descriptors = 64, .most_pieces = 18}).error().code,
              std::errc::timed_out);
    const transmit_post one = post(1, 60);
    EXPECT_EQ(other.transmit({&one, 1}), 0u);
}

} // namespace
