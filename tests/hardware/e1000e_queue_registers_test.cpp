// SPDX-License-Identifier: BSL-1.0
// What the queues of the 82574 say to which register, and what they make of the card's answers: in the
// numbers of the data sheet.

#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/e1000e_tried_card.hpp"

namespace {

using namespace noria;
using namespace e1000e_test;

TEST(e1000e_queue_registers, a_receive_queue) {
    opened o;
    auto& queue = o.driver->receive();
    ASSERT_TRUE(queue.configure({.descriptors = 8, .buffer_bytes = 2048}));
    const std::uint64_t iova = o.memory.rings[0].second;
    EXPECT_EQ(iova % 128, 0u);
    const written ring{{0x5008, 1u << 15}, // RFCTL: EXSTEN
                       {0x2800, static_cast<std::uint32_t>(iova)},
                       {0x2804, static_cast<std::uint32_t>(iova >> 32)},
                       {0x2808, 16 * 16}, // RDLEN
                       {0x2810, 0},       // RDH
                       {0x2818, 0},       // RDT
                       {0x2820, 0},       // RDTR
                       {0x282c, 0},       // RADV
                       {0x2828, 1u << 24 | 1u << 16},
                       {0x100, 1u << 15 | 1u << 26}};
    EXPECT_EQ(o.card.writes, ring);
    // As many as the ring has, and no buffer more.
    const std::vector<buffer_post> posts(20, {.iova = 0x1'0000'2000, .id = 7, .length = 2048});
    EXPECT_EQ(queue.post(posts), 15u);
    EXPECT_EQ(queue.post(posts), 0u);
    EXPECT_EQ(o.card.doorbells, 1u) << "where nothing is taken nothing rings";
    EXPECT_EQ(o.card.values[0x2818], 15u);
    EXPECT_EQ(o.memory.ring(0)[14].words[0], 0x2000u);
    EXPECT_EQ(o.memory.ring(0)[14].words[1], 1u);
    // Begun anew: with none of the last queue's buffers, nor of its frames.
    o.memory.ring(0)[0].words[2] = 1; // DD, and the frame goes on
    o.memory.ring(0)[0].words[3] = 100;
    std::array<completion, 4> done;
    EXPECT_EQ(queue.reap(done), 1u);
    o.memory.ring(0)[1].words[2] = 3;
    ASSERT_TRUE(queue.configure({.descriptors = 8, .buffer_bytes = 2048}));
    o.card.writes.clear();
    ASSERT_TRUE(queue.configure({.descriptors = 7, .buffer_bytes = 2048}));
    EXPECT_EQ(o.card.values[0x2808], 8u * 16);
    EXPECT_EQ(o.memory.rings.size(), 1u) << "memory for a ring is used again";
    EXPECT_EQ(o.card.written_to(0x2818), (std::vector<std::uint32_t>{0}));
    EXPECT_EQ(queue.reap(done), 0u);
    EXPECT_EQ(queue.post(posts), 7u);
    o.memory.ring(0)[0].words[2] = 3;
    o.memory.ring(0)[0].words[3] = 100;
    ASSERT_EQ(queue.reap(done), 1u);
    EXPECT_EQ(done[0].flags, completion::end_of_packet) << "no frame was cut in two";
    ASSERT_TRUE(queue.configure({.descriptors = 16, .buffer_bytes = 2048}));
    EXPECT_EQ(o.memory.rings.size(), 2u);
    EXPECT_EQ(queue.post(posts), 20u);
}

// What the card wrote over the last buffer's descriptor says nothing of the next one.
TEST(e1000e_queue_registers, a_buffer_that_was_just_posted_is_not_filled) {
    opened o;
    auto& queue = o.driver->receive();
    ASSERT_TRUE(queue.configure({.descriptors = 7, .buffer_bytes = 2048}));
    const std::vector<buffer_post> posts(7, {.iova = 0x1'0000'2000, .id = 7, .length = 2048});
    std::array<completion, 8> done;
    for (int round = 0; round != 3; ++round) {
        ASSERT_EQ(queue.post(posts), 7u);
        EXPECT_EQ(queue.reap(done), 0u);
        for (std::uint32_t i = 0; i != 8; ++i)
            for (std::uint32_t& word : o.memory.ring(0)[i].words)
                word = all;
        EXPECT_EQ(queue.reap(done), 7u) << "and the eighth is not the card's";
    }
}

// Without memory for a ring there is no queue, and none that runs.
TEST(e1000e_queue_registers, a_ring_for_which_there_is_no_memory) {
    struct dry_memory : plain_memory {
        result<hardware::dma_memory> allocate(std::size_t, std::size_t) noexcept {
            return make_error(std::errc::not_enough_memory, "none is left");
        }
    } memory;
    tried_card card;
    e1000e::receive_queue receive(card, memory);
    EXPECT_EQ(receive.configure({.descriptors = 8, .buffer_bytes = 2048}).error().code,
              std::errc::not_enough_memory);
    EXPECT_FALSE(receive.running());
    EXPECT_FALSE(receive.start().code) << "there is nothing to start";
    EXPECT_FALSE(receive.running());
    e1000e::transmit_queue transmit(card, memory, 0);
    EXPECT_EQ(transmit.configure_transmit({.descriptors = 8, .most_pieces = 18}).error().code,
              std::errc::not_enough_memory);
    transmit.start();
    EXPECT_FALSE(transmit.running());
    EXPECT_TRUE(card.writes.empty());
}

TEST(e1000e_queue_registers, sizes_of_buffers) {
    opened o;
    auto& queue = o.driver->receive();
    for (const auto& [bytes, code] : {std::pair(256u, 3u << 16),
                                      {511u, 3u << 16},
                                      {512u, 2u << 16},
                                      {1024u, 1u << 16},
                                      {2047u, 1u << 16},
                                      {2048u, 0u},
                                      {4096u, 1u << 25 | 3u << 16},
                                      {8192u, 1u << 25 | 2u << 16},
                                      {16384u, 1u << 25 | 1u << 16},
                                      {65536u, 1u << 25 | 1u << 16}}) {
        ASSERT_TRUE(queue.configure({.descriptors = 8, .buffer_bytes = bytes}));
        EXPECT_EQ(o.rctl(), 1u << 15 | 1u << 26 | code) << bytes;
    }
    EXPECT_EQ(queue.configure({.descriptors = 8, .buffer_bytes = 255}).error().wanted, 256u);
    EXPECT_EQ(queue.configure({.descriptors = 0, .buffer_bytes = 2048}).error().code,
              std::errc::invalid_argument);
    EXPECT_TRUE(queue.configure({.descriptors = 1, .buffer_bytes = 2048}));
    EXPECT_TRUE(queue.configure({.descriptors = 4088, .buffer_bytes = 2048}));
    EXPECT_EQ(queue.configure({.descriptors = 4089, .buffer_bytes = 2048}).error().code,
              std::errc::invalid_argument);
    EXPECT_TRUE(queue.running());
    o.card.values[0x100] |= 1u << 1; // RXEN
    EXPECT_EQ(queue.configure({.descriptors = 8, .buffer_bytes = 2048}).error().code,
              std::errc::device_or_resource_busy);
}

TEST(e1000e_queue_registers, what_a_filled_buffer_says) {
    constexpr std::uint32_t last = 3; // DD, EOP
    constexpr std::uint32_t end = completion::end_of_packet;
    constexpr std::uint32_t good = end | completion::checksum_ok;
    constexpr std::uint32_t bad = end | completion::error;
    for (const auto& [status, word3, length, vlan, flags] :
         {std::tuple(last, 100u, 100u, 0u, end),
          {last, 2048u, 2048u, 0u, end},
          {last, 2049u, 2048u, 0u, bad}, // that no card has written
          {1u, 2049u, 2048u, 0u, std::uint32_t{completion::error}},
          {last, 0xffffu, 2048u, 0u, bad},
          {last | 1u << 3, 0x602a'0040u, 64u, 0x602au, end}, // VP
          {last, 0x602a'0040u, 64u, 0u, end},
          {1u | 1u << 3 | 1u << 5, 0x602a'0040u, 64u, 0u, 0u}, // not the last
          {last | 1u << 4, 100u, 100u, 0u, good},              // UDPCS
          {last | 1u << 5, 100u, 100u, 0u, good},              // TCPCS
          {last | 1u << 6, 100u, 100u, 0u, end},               // IPCS alone
          {last | 1u << 2 | 1u << 5, 100u, 100u, 0u, end},     // IXSM
          {last | 1u << 5 | 1u << 29, 100u, 100u, 0u, end},    // TCPE
          {last | 1u << 5 | 1u << 30, 100u, 100u, 0u, end},    // IPE
          {last | 1u << 24, 100u, 100u, 0u, bad},              // CE, SE, SEQ, CXE, RXE
          {last | 1u << 25, 100u, 100u, 0u, bad},
          {last | 1u << 26, 100u, 100u, 0u, bad},
          {last | 1u << 28, 100u, 100u, 0u, bad},
          {last | 1u << 31, 100u, 100u, 0u, bad}}) {
        opened o;
        auto& queue = o.driver->receive();
        ASSERT_TRUE(queue.configure({.descriptors = 8, .buffer_bytes = 2048}));
        const buffer_post one{.iova = 0x2000, .id = 9, .length = 2048};
        ASSERT_EQ(queue.post({&one, 1}), 1u);
        o.memory.ring(0)[0].words[3] = word3;
        o.memory.ring(0)[0].words[2] = status;
        completion done;
        ASSERT_EQ(queue.reap({&done, 1}), 1u);
        EXPECT_EQ(done.id, 9u);
        EXPECT_EQ(done.length, length) << std::hex << status;
        EXPECT_EQ(done.vlan, vlan) << std::hex << status;
        EXPECT_EQ(done.flags, flags) << std::hex << status;
    }
}

TEST(e1000e_queue_registers, a_transmit_queue) {
    opened o;
    auto& queue = o.driver->transmit();
    const auto setup = queue.configure_transmit({.descriptors = 64, .most_pieces = 18});
    ASSERT_TRUE(setup);
    EXPECT_EQ(setup->descriptors, 64u);
    EXPECT_EQ(setup->most_pieces, 18u);
    EXPECT_EQ(setup->offloads, transmit_post::insert_checksum | transmit_post::insert_vlan);
    EXPECT_EQ(setup->most_link_header + setup->most_network_header + 16, 255u) << "the field of TCP";
    EXPECT_GE(setup->most_link_header, 14u + 2 * 4);
    EXPECT_GE(setup->most_network_header, 60u);
    const std::uint64_t iova = o.memory.rings[0].second;
    EXPECT_EQ(iova % 128, 0u);
    EXPECT_EQ(o.card.writes, (written{{0x400, 1u << 3}, // TCTL: PSP alone, while the ring changes
                                      {0x3800, static_cast<std::uint32_t>(iova)},
                                      {0x3804, static_cast<std::uint32_t>(iova >> 32)},
                                      {0x3808, 136 * 16},
                                      {0x3810, 0},
                                      {0x3818, 0},
                                      {0x3828, 1u << 24 | 1u << 22 | 1u << 16},
                                      {0x410, 0x0060'2008},
                                      {0x400, 1u << 28 | 0x3fu << 12 | 0xfu << 4 | 1u << 3 | 1u << 1}}));
    for (const std::uint32_t descriptors : {0u, 2041u})
        EXPECT_EQ(queue.configure_transmit({.descriptors = descriptors, .most_pieces = 18}).error().code,
                  std::errc::invalid_argument);
    for (const std::uint32_t descriptors : {1u, 2040u})
        EXPECT_TRUE(queue.configure_transmit({.descriptors = descriptors, .most_pieces = 18}));
    EXPECT_EQ(o.card.values[0x3808], 4088u * 16) << "no more than the card has room for";
    const std::size_t rings = o.memory.rings.size();
    for (const std::uint32_t descriptors : {2040u, 64u})
        EXPECT_TRUE(queue.configure_transmit({.descriptors = descriptors, .most_pieces = 18}));
    EXPECT_EQ(o.memory.rings.size(), rings) << "memory for a ring is used again";
    opened untagged({.vlan = false});
    EXPECT_EQ(
        untagged.driver->transmit().configure_transmit({.descriptors = 64, .most_pieces = 18})->offloads,
        std::uint32_t{transmit_post::insert_checksum});
}

// The card has 8 bits for where a checksum goes, and 14 for how long a piece is.
TEST(e1000e_queue_registers, what_cannot_be_sent_is_an_error) {
    for (const auto& [transport, field, flags, can] :
         {std::tuple(34, 16, transmit_post::insert_checksum, true),
          {0, 16, transmit_post::insert_checksum, false},
          {1, 6, transmit_post::insert_checksum, true},
          {249, 6, transmit_post::insert_checksum, true},
          {250, 6, transmit_post::insert_checksum, false},
          {0, 300, transmit_post::insert_vlan, true}}) {
        opened o;
        auto& queue = o.driver->transmit();
        ASSERT_TRUE(queue.configure_transmit({.descriptors = 64, .most_pieces = 18}));
        const transmit_post one{.iova = 1,
                                .id = 1,
                                .length = 100,
                                .packet_bytes = 100,
                                .flags = transmit_post::end_of_packet | flags,
                                .transport_header = static_cast<std::uint16_t>(transport),
                                .checksum_field = static_cast<std::uint16_t>(field)};
        ASSERT_EQ(queue.transmit({&one, 1}), 1u);
        EXPECT_EQ(o.card.doorbells, can ? 1u : 0u) << transport << ", " << field;
        transmit_report report;
        EXPECT_EQ(queue.reap_sent({&report, 1}), can ? 0u : 1u);
    }
}

// A queue that is made anew begins with an empty ring, and nothing of the last one's is reported.
TEST(e1000e_queue_registers, a_transmit_queue_that_is_made_anew) {
    opened o;
    auto& queue = o.driver->transmit();
    const transmit_post one{
        .iova = 1, .id = 1, .length = 60, .packet_bytes = 60, .flags = transmit_post::end_of_packet};
    std::array<transmit_report, 4> reports;
    for (int i = 0; i != 3; ++i) {
        ASSERT_TRUE(queue.configure_transmit({.descriptors = 64, .most_pieces = 18}));
        ASSERT_EQ(queue.transmit({&one, 1}), 1u);
        EXPECT_EQ(queue.reap_sent(reports), 0u);
        EXPECT_EQ(o.card.values[0x3818], 1u);
        o.memory.ring(0)[0].words[3] |= 1;
        if (i == 0) {
            ASSERT_EQ(queue.reap_sent(reports), 1u);
            EXPECT_EQ(reports[0].flags, transmit_report::sent | transmit_report::memory_free);
        }
    }
}

} // namespace
