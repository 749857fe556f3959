// SPDX-License-Identifier: BSL-1.0
// What the 82599 does with packets on their way out, by its driver and on the model of the card.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/ixgbe_transmit_rig.hpp"
#include "hardware/model/by_hand.hpp"
#include "noria/packet/checksum.hpp"
#include "noria/wire/checksum.hpp"

namespace {

using namespace ixgbe_test;
using noria::transmit_post;

// What the card is to do with a short packet does not get lost when it is padded.
TEST_F(ixgbe_transmit, a_padded_packet_keeps_its_tag) {
    tx_type& out = start();
    for (std::uint32_t size = 14; size != 20; ++size)
        for (std::uint16_t vlan = 1; vlan != 4; ++vlan) { // more than the two contexts of the card
            noria::packet_ptr tiny = memory.make(size);
            tiny->info().vlan = vlan;
            bytes frame = bytes_sent(*tiny);
            ASSERT_TRUE(out.send(tiny));
            c.card.step();
            const std::array tag{std::byte{0x81}, std::byte{0x00}, std::byte{0x00},
                                 static_cast<std::byte>(vlan)};
            frame.insert(frame.begin() + 12, tag.begin(), tag.end());
            EXPECT_EQ(sent(), std::vector<bytes>{padded(frame)}) << size << " bytes, VLAN " << vlan;
            EXPECT_EQ(out.complete(4), 1u);
        }
}

// The same in the descriptors: there is a context (CC), which one, and that the sum is to be filled in
// (TXSM).
TEST_F(ixgbe_transmit, a_padded_packet_keeps_its_options) {
    transmit_backend& queue = c.driver->transmit(0);
    ASSERT_TRUE(queue.configure_transmit({.descriptors = 64, .most_pieces = 18}));
    c.start();
    auto tiny = need(noria::region::map({.bytes = 4096, .best = noria::backing::plain_pages}));
    const noria::mapping dma = need(queue.attach(tiny));
    const std::uint64_t ring_at = c.card.behind()[0x6000] | std::uint64_t{c.card.behind()[0x6004]} << 32;
    const auto* const ring =
        reinterpret_cast<const ixgbe::descriptor*>(c.card.dma().address_of(ring_at, 128));
    ASSERT_NE(ring, nullptr);
    c.card.pull_out(); // what is asked for has no room in so few bytes: only we are to see it
    // The second of two contexts, and both descriptors of the packet, its bytes and the zeros behind them.
    for (std::uint16_t vlan = 1; vlan != 3; ++vlan) {
        const transmit_post one{.iova = dma.iova_of(tiny.bytes().data()),
                                .id = vlan,
                                .length = 16,
                                .packet_bytes = 16,
                                .flags = transmit_post::end_of_packet | transmit_post::insert_vlan |
                                         transmit_post::insert_checksum,
                                .vlan = vlan,
                                .checksum_field = 6};
        ASSERT_EQ(queue.transmit({&one, 1}), 1u);
        for (const std::uint32_t piece : {1u, 2u})
            EXPECT_EQ(ring[3 * (vlan - 1u) + piece].words[3],
                      17u << 14 | 1u << 9 | 1u << 7 | (vlan - 1u) << 4);
    }
}

// The same with an offload: a tag does not make room for more, and of what is cut each segment counts.
TEST_F(ixgbe_transmit, what_is_too_long_is_an_error_with_an_offload_too) {
    constexpr std::uint32_t longest = ixgbe::longest_jumbo - 4; // and a CRC
    constexpr std::uint16_t headers = 54;
    transmit_backend& queue = c.driver->transmit(0);
    ASSERT_TRUE(queue.configure_transmit({.descriptors = 64, .most_pieces = 18}));
    c.start();
    auto big = need(noria::region::map({.bytes = 60'000, .best = noria::backing::plain_pages}));
    const noria::mapping dma = need(queue.attach(big));
    const bytes front = by_hand::make_frame({.protocol = 6, .payload = 1});
    std::copy(front.begin(), front.end(), big.bytes().begin());
    transmit_post tagged{.iova = dma.iova_of(big.bytes().data()),
                         .id = 1,
                         .flags = transmit_post::end_of_packet | transmit_post::insert_vlan,
                         .vlan = 5};
    transmit_post cut = tagged;
    cut.flags = transmit_post::end_of_packet | transmit_post::segment;
    cut.network_header = 14;
    cut.transport_header = 34;
    cut.checksum_field = 16;
    cut.header_bytes = headers;
    // How many frames go out? None for what is refused, of which the card never hears.
    const auto try_it = [&](transmit_post post, std::uint32_t packet_bytes, std::uint32_t segment_bytes) {
        post.length = post.packet_bytes = packet_bytes;
        post.segment_bytes = static_cast<std::uint16_t>(segment_bytes);
        const std::uint32_t before = c.card.behind()[0x6018];
        EXPECT_EQ(queue.transmit({&post, 1}), 1u);
        const bool given = c.card.behind()[0x6018] != before;
        c.card.step();
        noria::transmit_report report;
        EXPECT_EQ(queue.reap_sent({&report, 1}), 1u);
        EXPECT_EQ((report.flags & noria::transmit_report::error) == 0, given);
        EXPECT_NE(report.flags & noria::transmit_report::memory_free, 0u);
        const std::size_t frames = sent().size();
        EXPECT_EQ(frames != 0, given);
        return frames;
    };
    EXPECT_EQ(try_it(tagged, longest, 0), 1u);
    EXPECT_EQ(try_it(tagged, longest + 1, 0), 0u);
    EXPECT_EQ(try_it(tagged, 16'000, 0), 0u);
    EXPECT_EQ(try_it(cut, 30'000, longest - headers), 4u);
    EXPECT_EQ(try_it(cut, 30'000, longest - headers + 1), 0u);
    EXPECT_EQ(try_it(cut, 60'000, 1460), 42u);
}

// All kinds of headers: the seed is in the field, the card fills in the rest, as by_hand does.
TEST_F(ixgbe_transmit, the_card_fills_checksums_in) {
    random_steps random;
    tx_type& out = start();
    for (const bool ipv6 : {false, true})
        for (const unsigned protocol : {6u, 17u})
            for (const bool tagged : {false, true})
                for (const unsigned options : {0u, 3u}) {
                    const by_hand::frame_shape shape{.protocol = protocol,
                                                     .payload = 600 + random.below(300),
                                                     .ipv6 = ipv6,
                                                     .tagged = tagged,
                                                     .ip_options = ipv6 ? 0 : options};
                    const bytes right = by_hand::make_frame(shape);
                    bytes wanting = right;
                    const std::size_t l4 = by_hand::transport_at(shape);
                    const std::size_t field = protocol == 6 ? 16 : 6;
                    by_hand::store16(
                        wanting, l4 + field,
                        by_hand::folded(by_hand::pseudo_header(shape, right, right.size() - l4)));
                    noria::packet_ptr sending = packet_of(wanting, 120);
                    sending->set_network_header(static_cast<std::uint32_t>(by_hand::network_at(shape)));
                    ASSERT_TRUE(set_partial(*sending, static_cast<std::uint32_t>(l4),
                                            static_cast<std::uint32_t>(field)));
                    ASSERT_TRUE(out.send(sending));
                    c.card.step();
                    EXPECT_EQ(sent(), std::vector<bytes>{right});
                    out.complete(4);
                }
}

// Contexts are written when they change and not before each packet.
TEST_F(ixgbe_transmit, the_card_remembers_two_contexts) {
    tx_type& out = start({.descriptors = 1000});
    const auto wanting = [&](std::uint16_t vlan) {
        noria::packet_ptr one = memory.make(100);
        one->info().vlan = vlan;
        return one;
    };
    const auto tail = [&] { return c.card.behind()[0x6018]; };
    std::uint32_t before = tail();
    for (int i = 0; i != 20; ++i) {
        noria::packet_ptr one = wanting(static_cast<std::uint16_t>(1 + i % 2));
        ASSERT_TRUE(out.send(one));
    }
    EXPECT_EQ(tail() - before, 22u);
    before = tail();
    for (int i = 0; i != 20; ++i) {
        noria::packet_ptr one = wanting(static_cast<std::uint16_t>(10 + i % 3));
        ASSERT_TRUE(out.send(one));
    }
    EXPECT_EQ(tail() - before, 40u);
    c.card.step();
    const std::vector<bytes> frames = sent();
    ASSERT_EQ(frames.size(), 40u);
    for (std::size_t i = 0; i != frames.size(); ++i) {
        EXPECT_EQ(frames[i].size(), 104u);
        EXPECT_EQ(by_hand::load16(frames[i], 12), 0x8100u);
        EXPECT_EQ(by_hand::load16(frames[i], 14), i < 20 ? 1 + i % 2 : 10 + (i - 20) % 3);
    }
}

// Half of the ring is for contexts: with one before each packet it takes what it said it would.
TEST_F(ixgbe_transmit, a_context_for_each_packet_takes_no_room_from_them) {
    tx_type& out = start({.descriptors = 40});
    std::uint32_t taken = 0;
    for (std::uint16_t i = 1; i != 100; ++i) {
        noria::packet_ptr one = memory.make(100);
        one->info().vlan = i;
        taken += out.send(one);
        if (one)
            one.free(noria::drop_reason::full_ring);
    }
    EXPECT_EQ(taken, 40u - out.most_pieces() + 1) << "the queue stops with room for a longest one left";
    c.card.step();
    EXPECT_EQ(sent().size(), taken);
    EXPECT_EQ(out.complete(100), taken);
}

// A long TCP segment becomes short ones: by hand, each with its own sequence number, lengths and sums.
TEST_F(ixgbe_transmit, the_card_cuts_segments) {
    for (const bool ipv6 : {false, true}) {
        tx.reset();
        start();
        const by_hand::frame_shape shape{.protocol = 6, .payload = 2500, .ipv6 = ipv6, .checksums = false};
        bytes frame = by_hand::make_frame(shape);
        const std::size_t l4 = by_hand::transport_at(shape);
        const std::size_t payload = by_hand::payload_at(shape);
        by_hand::store16(frame, by_hand::network_at(shape) + (ipv6 ? 4 : 2), 0);
        by_hand::store16(frame, l4 + 16, by_hand::folded(by_hand::pseudo_header(shape, frame, 0)));
        noria::packet_ptr sending = packet_of(frame, 120);
        // The post is written by hand here, and by tx_queue in ixgbe_segment_test.cpp.
        transmit_backend& queue = c.driver->transmit(0);
        noria::mapping dma = need(queue.attach(memory.memory()));
        std::vector<transmit_post> posts;
        sending->for_each_piece(0, sending->size(), [&](std::byte* at, std::size_t n) noexcept {
            posts.push_back({.iova = dma.iova_of(at),
                             .id = 7,
                             .length = static_cast<std::uint32_t>(n),
                             .packet_bytes = sending->size()});
        });
        posts.back().flags = transmit_post::end_of_packet;
        posts[0].flags |= transmit_post::segment | transmit_post::insert_checksum |
                          (ipv6 ? std::uint32_t{transmit_post::ipv6} : 0u);
        posts[0].network_header = 14;
        posts[0].transport_header = static_cast<std::uint16_t>(l4);
        posts[0].checksum_field = 16;
        posts[0].header_bytes = static_cast<std::uint16_t>(payload);
        posts[0].segment_bytes = 1000;
        ASSERT_EQ(queue.transmit(posts), posts.size());
        c.card.step();
        const std::vector<bytes> frames = sent();
        ASSERT_EQ(frames.size(), 3u);
        for (std::size_t i = 0; i != 3; ++i) {
            const bytes& each = frames[i];
            const std::size_t here = i == 2 ? 500 : 1000;
            ASSERT_EQ(each.size(), payload + here);
            EXPECT_TRUE(std::equal(each.begin() + static_cast<std::ptrdiff_t>(payload), each.end(),
                                   frame.begin() + static_cast<std::ptrdiff_t>(payload + 1000 * i)));
            const std::size_t l4_bytes = each.size() - l4;
            EXPECT_EQ(by_hand::load16(each, 14 + (ipv6 ? 4 : 2)), ipv6 ? l4_bytes : 20 + l4_bytes);
            EXPECT_EQ(by_hand::load16(each, l4 + 6), 0x1000 + 1000 * i) << "the sequence number";
            EXPECT_EQ(by_hand::folded(by_hand::word_sum(std::span(each).subspan(l4),
                                                        by_hand::pseudo_header(shape, each, l4_bytes))),
                      0xffffu);
            if (!ipv6) {
                EXPECT_EQ(by_hand::folded(by_hand::word_sum(std::span(each).subspan(14, 20))), 0xffffu);
            }
        }
        noria::transmit_report report;
        EXPECT_EQ(queue.reap_sent({&report, 1}), 1u);
        EXPECT_EQ(report.id, 7u);
    }
}

// A piece may be longer than a descriptor can say.
TEST_F(ixgbe_transmit, cuts_long_pieces_into_several_descriptors) {
    transmit_backend& queue = c.driver->transmit(0);
    ASSERT_TRUE(queue.configure_transmit({.descriptors = 64, .most_pieces = 18}));
    c.start();
    auto big = need(noria::region::map({.bytes = 60'000, .best = noria::backing::plain_pages}));
    const noria::mapping dma = need(queue.attach(big));
    const bytes headers = by_hand::make_frame({.protocol = 6, .payload = 1});
    std::copy(headers.begin(), headers.end(), big.bytes().begin());
    const transmit_post one{.iova = dma.iova_of(big.bytes().data()),
                            .id = 3,
                            .length = 50'054,
                            .packet_bytes = 50'054,
                            .flags = transmit_post::end_of_packet | transmit_post::segment,
                            .network_header = 14,
                            .transport_header = 34,
                            .checksum_field = 16,
                            .header_bytes = 54,
                            .segment_bytes = 1000};
    const std::uint32_t before = c.card.behind()[0x6018];
    ASSERT_EQ(queue.transmit({&one, 1}), 1u);
    EXPECT_EQ(c.card.behind()[0x6018] - before, 1u + 4u) << "a context, and 16 KiB a descriptor";
    c.card.step();
    EXPECT_EQ(sent().size(), 50u);
}

} // namespace
