// SPDX-License-Identifier: BSL-1.0
// Long TCP packets that the 82599 cuts into frames: through tx_queue and the driver, on the model of the
// card. What comes out is compared with what this file cuts by hand.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/ixgbe_transmit_rig.hpp"
#include "hardware/model/by_hand.hpp"
#include "noria/packet/checksum.hpp"
#include "noria/wire/ethernet.hpp"

namespace {

using namespace ixgbe_test;
using by_hand::load16;
using by_hand::store16;

constexpr unsigned fin = 0x01, psh = 0x08, cwr = 0x80;

// A packet of TCP, as long as it likes, and how it is to be cut.
struct long_packet {
    bytes all;
    std::size_t network = 14;
    std::size_t transport = 0;
    std::size_t payload = 0; // where it begins
    std::size_t segment = 0; // payload of each frame
    std::uint16_t tag = 0;   // for the card to put in
    bool ipv6 = false;
};

std::uint32_t load32(std::span<const std::byte> in, std::size_t at) {
    return load16(in, at) << 16 | load16(in, at + 2);
}
void store32(bytes& in, std::size_t at, std::uint32_t value) {
    store16(in, at, value >> 16);
    store16(in, at + 2, value & 0xffff);
}

// Whatever headers say what can be said of TCP, and is not touched: tags, options, extension headers, flags.
// Counts begin where they soon wrap. What is in the lengths and sums is nobody's business.
long_packet make_long(random_steps& random, std::size_t payload, std::size_t segment) {
    long_packet made;
    bytes& all = made.all;
    const auto some = [&](std::size_t n) {
        for (; n != 0; --n)
            all.push_back(random.byte());
    };
    some(12);
    for (std::uint32_t tags = random.below(3); tags != 0; --tags) {
        by_hand::put(all, {tags == 2 ? 0x88u : 0x81u, tags == 2 ? 0xa8u : 0x00u});
        some(2);
    }
    made.ipv6 = random.one_in(2);
    if (made.ipv6) {
        const bool extended = random.one_in(3);
        by_hand::put(all, {0x86, 0xdd, 0x60});
        made.network = all.size() - 1;
        some(5);
        by_hand::put(all, {extended ? (random.one_in(2) ? 0u : 60u) : 6u});
        some(33);
        if (extended) {
            by_hand::put(all, {6, 1});
            some(14);
        }
    } else {
        const std::uint32_t words = random.below(4);
        by_hand::put(all, {0x08, 0x00, 0x45 + words});
        made.network = all.size() - 1;
        some(3);
        by_hand::put(all, {0xff, 0xf0 + random.below(16), 0x40, 0}); // identification, do not fragment
        some(1);
        by_hand::put(all, {6});
        some(10 + 4 * words);
    }
    made.transport = all.size();
    const std::uint32_t words = 5 + random.below(11);
    some(4);
    by_hand::put(all, {0xff, 0xff, 0xff, random.below(256)}); // the sequence number
    some(4);
    by_hand::put(all, {words << 4, random.below(256)});
    some(6 + 4 * (words - 5));
    made.payload = all.size();
    some(payload);
    made.segment = segment;
    if (random.one_in(3))
        made.tag = static_cast<std::uint16_t>(1 + random.below(0xffff));
    return made;
}

// Some fill their frames to the last byte, some not even one.
long_packet make_long(random_steps& random) {
    const std::uint32_t segment = 1 + random.below(random.one_in(3) ? 100 : 1500);
    const std::uint32_t payload = random.one_in(4) ? segment * (1 + random.below(3))
                                                   : 1 + random.below(std::min(40 * segment, 12'000u));
    return make_long(random, payload, segment);
}

std::vector<bytes> cut(const long_packet& from) {
    std::vector<bytes> frames;
    for (std::size_t at = from.payload; at < from.all.size(); at += from.segment) {
        const std::size_t here = std::min(from.segment, from.all.size() - at);
        const bool last = at + here == from.all.size();
        const auto payload = from.all.begin() + static_cast<std::ptrdiff_t>(at);
        bytes frame = by_hand::first(from.all, from.payload);
        frame.insert(frame.end(), payload, payload + static_cast<std::ptrdiff_t>(here));
        const std::size_t ip = from.network;
        const std::size_t tcp = from.transport;
        store32(frame, tcp + 4, load32(frame, tcp + 4) + static_cast<std::uint32_t>(at - from.payload));
        const unsigned goes = (last ? 0 : fin | psh) | (frames.empty() ? 0 : cwr);
        frame[tcp + 13] &= static_cast<std::byte>(~goes);
        const auto length = static_cast<std::uint32_t>(frame.size() - tcp);
        std::uint32_t covered = 6 + length;
        if (from.ipv6) {
            store16(frame, ip + 4, static_cast<unsigned>(frame.size() - ip - 40));
            covered = by_hand::word_sum(std::span(frame).subspan(ip + 8, 32), covered);
        } else {
            store16(frame, ip + 2, static_cast<unsigned>(frame.size() - ip));
            store16(frame, ip + 4, (load16(frame, ip + 4) + static_cast<unsigned>(frames.size())) & 0xffff);
            store16(frame, ip + 10, 0);
            const auto header = std::span(frame).subspan(ip, tcp - ip);
            store16(frame, ip + 10, 0xffffu ^ by_hand::folded(by_hand::word_sum(header)));
            covered = by_hand::word_sum(std::span(frame).subspan(ip + 12, 8), covered);
        }
        store16(frame, tcp + 16, 0);
        store16(frame, tcp + 16,
                0xffffu ^ by_hand::folded(by_hand::word_sum(std::span(frame).subspan(tcp), covered)));
        if (from.tag != 0) {
            bytes tag(4);
            store16(tag, 0, 0x8100);
            store16(tag, 2, from.tag);
            frame.insert(frame.begin() + 12, tag.begin(), tag.end());
        }
        frame.resize(std::max<std::size_t>(frame.size(), 60));
        frames.push_back(std::move(frame));
    }
    return frames;
}

class ixgbe_segments : public ixgbe_transmit {
  protected:
    explicit ixgbe_segments(std::uint32_t offloads = noria::transmit_post::all_offloads)
        : ixgbe_transmit({.transmit = {.offloads = offloads}}),
          the_card_tags((offloads & noria::transmit_post::insert_vlan) != 0) {}

    // A packet of it, whose headers may lie in fragments, with room for a tag in front.
    noria::packet_ptr packet_to_cut(const long_packet& from) {
        constexpr std::size_t piece = 480, most_pieces = 17;
        const std::size_t most_behind = piece * most_pieces;
        const std::size_t least = from.all.size() > most_behind ? from.all.size() - most_behind : 0;
        const std::size_t linear =
            std::min(least + random.below(random.one_in(2) ? 40 : 150), from.all.size());
        noria::packet_ptr made =
            memory.packets.allocate(static_cast<std::uint32_t>(linear), sizeof(noria::vlan_tag));
        std::copy_n(from.all.begin(), linear, made->put(static_cast<std::uint32_t>(linear)));
        for (std::size_t at = linear; at != from.all.size();) {
            const std::size_t here = std::min(piece, from.all.size() - at);
            noria::page* const under = memory.pages.allocate();
            std::copy_n(from.all.begin() + static_cast<std::ptrdiff_t>(at), here, under->data());
            EXPECT_EQ(made->add_fragment({under, 0, static_cast<std::uint32_t>(here), under->size()}),
                      noria::packet::attached::taken);
            at += here;
        }
        EXPECT_TRUE(set_segments(*made, static_cast<std::uint32_t>(from.transport),
                                 static_cast<std::uint16_t>(from.segment)));
        made->info().vlan = from.tag;
        if (random.one_in(2))
            made->set_network_header(static_cast<std::uint32_t>(from.network));
        return made;
    }

    // Packets of all kinds in any order: each goes out once, whole or cut, and the books close.
    void send_some_and_compare() {
        tx_type& out = start({.descriptors = 100});
        std::deque<bytes> expected;
        std::uint64_t octets = 0, packets = 0, cuts = 0, shared = 0;
        const auto look = [&] {
            for (const bytes& each : sent()) {
                ASSERT_FALSE(expected.empty());
                ASSERT_EQ(each, expected.front());
                expected.pop_front();
            }
        };
        for (std::uint64_t i = random_steps::count(800, 80); i != 0 && !HasFailure(); --i) {
            std::vector<noria::packet_ptr> burst, twins;
            std::vector<bytes> before;
            for (std::uint32_t n = 1 + random.below(4); n != 0; --n, ++packets) {
                if (random.one_in(3)) {
                    burst.push_back(memory.make(20 + random.below(200), {}, static_cast<std::uint8_t>(i)));
                    expected.push_back(padded(bytes_sent(*burst.back())));
                } else {
                    const long_packet what = make_long(random);
                    burst.push_back(packet_to_cut(what));
                    const std::vector<bytes> frames = cut(what);
                    expected.insert(expected.end(), frames.begin(), frames.end());
                    cuts += frames.size() > 1;
                }
                octets += burst.back()->size();
                if (burst.back()->info().vlan != 0 && !the_card_tags)
                    octets += sizeof(noria::vlan_tag);
                if (random.one_in(5)) {
                    twins.push_back(burst.back()->clone());
                    before.push_back(bytes_sent(*twins.back()));
                    shared += twins.back()->info().segment_bytes() != 0;
                }
            }
            for (std::span left(burst); !left.empty(); left = left.subspan(out.send(left))) {
                c.card.step(random.below(10));
                out.complete(64);
            }
            look();
            for (std::size_t t = 0; t != twins.size(); ++t) {
                EXPECT_EQ(bytes_sent(*twins[t]), before[t]) << "its headers were written to";
                twins[t].free(noria::drop_reason::consumed);
            }
            EXPECT_TRUE(out.ledger().closes());
        }
        c.card.step();
        look();
        while (out.complete(64) != 0) {
        }
        EXPECT_TRUE(expected.empty());
        EXPECT_EQ(out.counters().sent, packets);
        EXPECT_EQ(out.counters().bytes, octets) << "of packets, as they were posted";
        EXPECT_EQ(out.drops().dropped(), 0u);
        EXPECT_EQ(out.free_descriptors(), 100u);
        EXPECT_GT(cuts, 50u);
        EXPECT_GT(shared, 5u);
    }

    random_steps random;
    bool the_card_tags;
};

TEST_F(ixgbe_segments, are_what_cutting_by_hand_gives) {
    send_some_and_compare();
}

// The tag is then put into the headers before the card sees them.
struct ixgbe_segments_without_tags : ixgbe_segments {
    ixgbe_segments_without_tags() : ixgbe_segments(noria::transmit_post::segment) {}
};
TEST_F(ixgbe_segments_without_tags, are_what_cutting_by_hand_gives) {
    send_some_and_compare();
}

struct ixgbe_without_segments : ixgbe_segments {
    ixgbe_without_segments()
        : ixgbe_segments(noria::transmit_post::insert_checksum | noria::transmit_post::insert_vlan) {}
};
TEST_F(ixgbe_without_segments, what_is_to_be_cut_is_dropped_and_all_else_goes_out) {
    tx_type& out = start();
    std::vector<noria::packet_ptr> burst;
    burst.push_back(memory.make(100));
    burst.push_back(packet_to_cut(make_long(random, 3000, 1000)));
    burst.push_back(memory.make(100));
    EXPECT_EQ(out.send(burst), 3u);
    c.card.step();
    EXPECT_EQ(sent().size(), 2u);
    EXPECT_EQ(out.complete(64), 2u);
    EXPECT_EQ(out.drops().of(noria::drop_reason::gso_segment), 1u);
    EXPECT_EQ(memory.packets.dropped(noria::drop_reason::gso_segment), 1u);
    EXPECT_TRUE(out.ledger().closes());
}

// Frames that are longer than the card takes, by one byte: the driver says so, and nothing else is lost.
TEST_F(ixgbe_segments, that_are_too_long_for_the_card_are_a_device_error) {
    tx_type& out = start();
    constexpr std::size_t longest = ixgbe::longest_jumbo - 4;
    for (const bool fits : {true, false}) {
        long_packet what = make_long(random, 12'000, 1);
        what.tag = 0;
        what.segment = longest - what.payload + (fits ? 0 : 1);
        std::vector<noria::packet_ptr> burst;
        burst.push_back(packet_to_cut(what));
        burst.push_back(memory.make(100));
        EXPECT_EQ(out.send(burst), 2u);
        c.card.step();
        std::vector<bytes> frames = sent();
        frames.pop_back();
        EXPECT_EQ(frames, fits ? cut(what) : std::vector<bytes>{});
        EXPECT_EQ(out.complete(64), 2u);
        EXPECT_EQ(out.drops().of(noria::drop_reason::device_error), fits ? 0u : 1u);
        EXPECT_TRUE(out.ledger().closes());
    }
}

// One segment is as long as the packet, however long it might have been.
TEST_F(ixgbe_segments, that_might_be_longer_than_the_packet_are_none) {
    tx_type& out = start();
    for (const std::uint32_t most : {2'000u, 9'700u, 60'000u}) {
        long_packet what = make_long(random, 1'000, 1);
        what.tag = 0;
        what.segment = most;
        std::vector<noria::packet_ptr> burst;
        burst.push_back(packet_to_cut(what));
        EXPECT_EQ(out.send(burst), 1u);
        c.card.step();
        EXPECT_EQ(sent(), cut(what));
        EXPECT_EQ(out.complete(64), 1u);
        EXPECT_EQ(out.drops().of(noria::drop_reason::device_error), 0u) << most;
    }
}

} // namespace
