// SPDX-License-Identifier: BSL-1.0
// Frames in and out of the 82574 on a model of it that nobody here wrote, through rx_queue and tx_queue.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/on_qemu.hpp"
#include "noria/packet/checksum.hpp"
#include "noria/wire/checksum.hpp"
#include "noria/wire/ethernet.hpp"
#include "noria/wire/ipv4.hpp"
#include "noria/wire/tcp.hpp"

namespace {

using namespace noria;

template <class Strategy>
class e1000e_receive : public testing::Test {};
struct strategy_names {
    template <class Strategy>
    static std::string GetName(int n) {
        static constexpr std::array names{"per_packet", "per_packet_copybreak", "page_attach",
                                          "build_around"};
        return names[static_cast<std::size_t>(n)];
    }
};
using per_packet_strategies = testing::Types<per_packet, per_packet_copybreak, page_attach, build_around>;
TYPED_TEST_SUITE(e1000e_receive, per_packet_strategies, strategy_names);

// Several times round the ring, with packets held now and then.
TYPED_TEST(e1000e_receive, every_frame_comes_once_in_order_and_whole) {
    SKIP_WITHOUT_QEMU();
    random_steps random;
    card_on_qemu card;
    receiving<TypeParam> in(card);
    card.start();
    EXPECT_EQ(card.driver->receive().buffer_bytes(), 2048u);
    std::uint64_t frames = 0;
    std::uint64_t bytes = 0;
    for (std::uint64_t round = random_steps::count(60, 30); round != 0; --round) {
        std::vector<std::vector<std::byte>> sent;
        for (std::uint32_t i = 1 + random.below(20); i != 0; --i) {
            sent.push_back(random_frame_of(random, 14 + random.below(1501)));
            ASSERT_TRUE(card.cable().send(sent.back()));
        }
        ASSERT_TRUE(in.wait_for(sent.size()));
        ASSERT_EQ(in.packets.size(), sent.size());
        for (std::size_t i = 0; i != sent.size(); ++i) {
            ASSERT_EQ(bytes_of(*in.packets[i]), padded(sent[i]));
            bytes += padded(sent[i]).size();
        }
        frames += sent.size();
        in.free_all();
    }
    EXPECT_GT(frames, 64u) << "round the ring";
    EXPECT_EQ(in.queue().counters().delivered, frames);
    EXPECT_EQ(in.queue().counters().bytes, bytes);
    EXPECT_EQ(in.queue().counters().refused, 0u);
    EXPECT_EQ(in.queue().drops().dropped(), 0u);
}

// Longer than a buffer: the card goes on in the next one.
TYPED_TEST(e1000e_receive, long_frames_lie_in_several_buffers) {
    SKIP_WITHOUT_QEMU();
    random_steps random;
    card_on_qemu card({.longest_frame = e1000e::longest_jumbo, .promiscuous = true});
    // Whole buffers are for the longest frame, unless there are several to a frame.
    rx_options options = receive_options;
    options.frame_bytes = 9216;
    receiving<TypeParam> in(card, options);
    card.start();
    const std::uint32_t buffer = card.driver->receive().buffer_bytes();
    EXPECT_TRUE(buffer == 2048 || buffer == 8192);
    std::uint64_t sent = 0;
    for (const std::uint32_t length : {1514u, 1515u, buffer - 1, buffer, buffer + 1, 2 * buffer, 9000u,
                                       4 * 2048u, 4 * 2048u + 1, 9216u, 60u, 9216u})
        if (length <= 9216) {
            const auto frame = random_frame_of(random, length);
            ASSERT_TRUE(card.cable().send(frame));
            ASSERT_TRUE(in.wait_for(1)) << length;
            EXPECT_EQ(bytes_of(*in.packets[0]), frame) << length;
            in.free_all();
            ++sent;
        }
    EXPECT_EQ(in.queue().counters().delivered, sent);
    EXPECT_EQ(in.queue().drops().dropped(), 0u);
}

// A card without buffers keeps the wire waiting; nothing is lost on QEMU's, and nothing on ours.
TYPED_TEST(e1000e_receive, a_dry_ring_fills_again) {
    SKIP_WITHOUT_QEMU();
    random_steps random;
    card_on_qemu card;
    rx_options options = receive_options;
    options.packets = 20;
    options.descriptors = 16;
    receiving<TypeParam> in(card, options);
    card.start();
    std::vector<std::vector<std::byte>> sent;
    for (int i = 0; i != 40; ++i) {
        sent.push_back(random_frame_of(random, 1000));
        ASSERT_TRUE(card.cable().send(sent.back()));
        in.poll(1); // so that the cable does not fill
    }
    std::size_t seen = 0;
    while (seen != sent.size() && in.wait_for(1)) {
        for (const packet_ptr& each : in.packets)
            EXPECT_EQ(bytes_of(*each), sent[seen++]);
        in.free_all();
    }
    EXPECT_EQ(seen, sent.size());
    EXPECT_EQ(in.queue().drops().dropped(), 0u);
}

// All sizes of buffer that the card knows, and what lies between them.
TEST(e1000e_on_qemu, fills_buffers_as_far_as_it_was_told) {
    SKIP_WITHOUT_QEMU();
    random_steps random;
    card_on_qemu card({.longest_frame = e1000e::longest_jumbo, .promiscuous = true});
    auto& queue = card.driver->receive();
    const auto memory = card.machine.ram().allocate(16 * 16384, 4096);
    ASSERT_TRUE(memory);
    EXPECT_EQ(queue.configure({.descriptors = 8, .buffer_bytes = 255}).error().code,
              std::errc::invalid_argument);
    EXPECT_FALSE(queue.configure({.descriptors = 4089, .buffer_bytes = 2048}));
    for (const auto& [room, size] : {std::pair(256u, 256u),
                                     {511u, 256u},
                                     {512u, 512u},
                                     {1664u, 1024u},
                                     {2048u, 2048u},
                                     {4095u, 2048u},
                                     {4096u, 4096u},
                                     {8192u, 8192u},
                                     {16384u, 16384u},
                                     {100'000u, 16384u}}) {
        ASSERT_TRUE(queue.configure({.descriptors = 16, .buffer_bytes = room}));
        EXPECT_EQ(queue.buffer_bytes(), size);
        std::ranges::fill(memory->bytes, std::byte{});
        std::array<buffer_post, 16> posts;
        for (std::uint32_t i = 0; i != 16; ++i)
            posts[i] = {.iova = memory->iova + i * 16384, .id = 100 + i, .length = room};
        ASSERT_EQ(queue.post(posts), 16u);
        card.start();
        const auto frame = random_frame_of(random, std::min(9216u, 2 * size + 100));
        ASSERT_TRUE(card.cable().send(frame));
        std::vector<std::byte> got;
        std::array<completion, 1> done;
        for (const nanoseconds end = real_clock.now() + sure; real_clock.now() < end;) {
            if (queue.reap(done) == 0)
                continue;
            const std::byte* const at = memory->bytes.data() + (done[0].id - 100) * 16384;
            const bool last = (done[0].flags & completion::end_of_packet) != 0;
            EXPECT_EQ(done[0].length, last ? frame.size() - got.size() : size);
            got.insert(got.end(), at, at + done[0].length);
            EXPECT_EQ(at[done[0].length], std::byte{}) << "no byte behind";
            if (last)
                break;
        }
        EXPECT_EQ(got, frame) << room;
        EXPECT_EQ(queue.configure({.descriptors = 16, .buffer_bytes = room}).error().code,
                  std::errc::device_or_resource_busy)
            << "not while frames come in";
        ASSERT_FALSE(card.driver->stop().code);
    }
}

TEST(e1000e_on_qemu, sends_packets_of_any_pieces) {
    SKIP_WITHOUT_QEMU();
    random_steps random;
    card_on_qemu card({.longest_frame = e1000e::longest_jumbo});
    sending_on_qemu out(card);
    card.start();
    std::uint64_t sent = 0;
    std::uint64_t bytes = 0;
    for (std::uint64_t round = random_steps::count(300, 100); round != 0; --round) {
        std::vector<std::uint32_t> pieces(random.below(4) * random.below(5));
        for (std::uint32_t& each : pieces)
            each = 1 + random.below(512);
        packet_ptr packet = out.memory.make(14 + random.below(200), pieces, random.below(256) & 0xff);
        ASSERT_TRUE(packet);
        packet->data()[0] = std::byte{2};
        const auto expected = padded(bytes_sent(*packet));
        bytes += packet->size();
        ASSERT_TRUE(out.queue().send(packet));
        ASSERT_EQ(padded(card.sent()), expected); // QEMU leaves the padding out
        ++sent;
        out.queue().complete(64);
    }
    EXPECT_TRUE(out.finish());
    EXPECT_EQ(out.queue().counters().sent, sent);
    EXPECT_EQ(out.queue().counters().bytes, bytes);
    EXPECT_EQ(out.memory.out(), sending_memory::nothing);
    EXPECT_TRUE(out.queue().ledger().closes());
}

// The queue fills up, stops, and wakes; nothing changes places.
TEST(e1000e_on_qemu, a_full_ring_takes_no_more_and_goes_on) {
    SKIP_WITHOUT_QEMU();
    card_on_qemu card;
    sending_on_qemu out(card, {.descriptors = 32});
    card.start();
    std::uint32_t taken = 0;
    std::uint32_t seen = 0;
    packet_ptr packet;
    const nanoseconds end = real_clock.now() + sure;
    while (seen != 200 && real_clock.now() < end) {
        if (!packet && taken != 200)
            packet = out.memory.make(60, {40}, static_cast<std::uint8_t>(taken));
        if (packet && out.queue().send(packet)) {
            ++taken;
            continue;
        }
        const auto frame = card.sent();
        ASSERT_EQ(frame.size(), 100u);
        EXPECT_EQ(frame[0], static_cast<std::byte>(seen++));
        out.queue().complete(1);
    }
    EXPECT_TRUE(out.finish());
    EXPECT_GT(out.queue().counters().busy, 0u);
    EXPECT_EQ(out.queue().counters().sent, 200u);
    EXPECT_TRUE(out.queue().ledger().closes());
}

struct transport_frame {
    ethernet_header ethernet{};
    ipv4_header ip{};
    tcp_header tcp{};
    std::array<std::byte, 100> payload{};
};

// A TCP segment with right checksums.
std::vector<std::byte> tcp_frame(random_steps& random) {
    transport_frame frame;
    frame.ethernet.destination.bytes = {2, 0, 0, 0, 0, 1};
    frame.ethernet.type = ethertype::ipv4;
    frame.ip.version_and_length = 0x45;
    frame.ip.total_length = static_cast<std::uint16_t>(sizeof frame - sizeof frame.ethernet);
    frame.ip.time_to_live = 64;
    frame.ip.protocol = ip_protocol::tcp;
    frame.ip.source.bytes = {10, 0, 0, 1};
    frame.ip.destination.bytes = {10, 0, 0, 2};
    frame.ip.checksum = sum_of(std::as_bytes(std::span(&frame.ip, 1))).checksum();
    frame.tcp.data_offset = 0x50;
    for (std::byte& each : frame.payload)
        each = random.byte();
    constexpr std::uint16_t length = sizeof frame.tcp + sizeof frame.payload;
    std::vector<std::byte> bytes(sizeof frame);
    std::memcpy(bytes.data(), &frame, sizeof frame);
    const internet_sum sum =
        pseudo_header_sum(frame.ip.source, frame.ip.destination, ip_protocol::tcp, length) +
        sum_of(std::span(bytes).last(length));
    frame.tcp.checksum = sum.checksum();
    std::memcpy(bytes.data(), &frame, sizeof frame);
    return bytes;
}
constexpr std::uint32_t tcp_at = sizeof(ethernet_header) + sizeof(ipv4_header);
constexpr std::uint32_t tcp_checksum_at = 16;

TEST(e1000e_on_qemu, says_which_checksums_are_right) {
    SKIP_WITHOUT_QEMU();
    random_steps random;
    card_on_qemu card;
    receiving<build_around> in(card);
    card.start();
    const std::vector<std::byte> good = tcp_frame(random);
    std::vector<std::byte> bad_tcp = good;
    bad_tcp.back() ^= std::byte{1};
    std::vector<std::byte> bad_ip = good;
    bad_ip[sizeof(ethernet_header) + 8] ^= std::byte{1}; // time to live
    const std::vector<std::byte> neither = random_frame_of(random, 200);
    for (const auto& each : {good, bad_tcp, bad_ip, neither})
        ASSERT_TRUE(card.cable().send(each));
    ASSERT_TRUE(in.wait_for(4)) << "frames with wrong checksums come as well";
    EXPECT_EQ(in.packets[0]->info().checksum_state, checksum_state::unnecessary);
    for (std::size_t i = 1; i != 4; ++i)
        EXPECT_EQ(in.packets[i]->info().checksum_state, checksum_state::none) << i;
}

constexpr std::uint16_t tag_control = 0x602a;
constexpr std::array tag{std::byte{0x81}, std::byte{0x00}, std::byte{0x60}, std::byte{0x2a}};

TEST(e1000e_on_qemu, takes_tags_out) {
    SKIP_WITHOUT_QEMU();
    random_steps random;
    std::vector<std::byte> plain = random_frame_of(random, 200);
    std::vector<std::byte> tagged = plain;
    tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
    for (const bool strips : {true, false}) {
        card_on_qemu card({.promiscuous = true, .vlan = strips});
        receiving<per_packet> in(card);
        card.start();
        ASSERT_TRUE(card.cable().send(tagged) && card.cable().send(plain));
        ASSERT_TRUE(in.wait_for(2));
        EXPECT_EQ(in.packets[0]->info().vlan, strips ? tag_control : 0);
        EXPECT_EQ(bytes_of(*in.packets[0]), strips ? plain : tagged);
        EXPECT_EQ(in.packets[1]->info().vlan, 0);
        EXPECT_EQ(bytes_of(*in.packets[1]), plain);
    }
}

// The card does what a packet wants on its way out, and what it cannot do it says.
TEST(e1000e_on_qemu, fills_checksums_and_puts_tags_in) {
    SKIP_WITHOUT_QEMU();
    random_steps random;
    card_on_qemu card;
    sending_on_qemu out(card);
    card.start();
    const std::vector<std::byte> good = tcp_frame(random);
    std::vector<std::byte> seeded = good; // with the sum of the pseudo-header in the field
    ipv4_header ip;
    std::memcpy(&ip, good.data() + sizeof(ethernet_header), sizeof ip);
    const auto length = static_cast<std::uint16_t>(good.size() - tcp_at);
    const big16 seed = pseudo_header_sum(ip.source, ip.destination, ip_protocol::tcp, length).value();
    std::memcpy(seeded.data() + tcp_at + tcp_checksum_at, &seed, sizeof seed);
    std::vector<std::byte> tagged = good;
    tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
    std::vector<std::byte> tagged_only = seeded;
    tagged_only.insert(tagged_only.begin() + 12, tag.begin(), tag.end());

    struct wish {
        bool checksum;
        std::uint16_t vlan;
        const std::vector<std::byte>& expected;
    };
    for (const wish& each : {wish{true, 0, good}, wish{true, 0, good}, wish{true, tag_control, tagged},
                             wish{false, tag_control, tagged_only}, wish{false, 0, seeded}}) {
        packet_ptr packet = out.memory.make(60, {static_cast<std::uint32_t>(good.size() - 60)});
        std::memcpy(packet->data(), seeded.data(), 60);
        std::memcpy(packet->fragments()[0].data(), seeded.data() + 60, seeded.size() - 60);
        if (each.checksum) {
            ASSERT_TRUE(set_partial(*packet, tcp_at, tcp_checksum_at));
        }
        packet->info().vlan = each.vlan;
        ASSERT_TRUE(out.queue().send(packet));
        EXPECT_EQ(card.sent(), each.expected);
    }
    EXPECT_TRUE(out.finish());
    EXPECT_EQ(out.queue().counters().sent, 5u);
    EXPECT_EQ(out.queue().counters().doorbells, 5u);
}

TEST(e1000e_on_qemu, says_what_it_cannot_send) {
    SKIP_WITHOUT_QEMU();
    card_on_qemu card;
    auto& queue = card.driver->transmit();
    ASSERT_TRUE(queue.configure_transmit({.descriptors = 64, .most_pieces = 18}));
    card.start();
    const auto memory = card.machine.ram().allocate(32768, 64);
    ASSERT_TRUE(memory);
    transmit_post good{.iova = memory->iova,
                       .id = 1,
                       .length = 100,
                       .packet_bytes = 100,
                       .flags = transmit_post::end_of_packet};
    transmit_post far = good; // the card has 8 bits for where a checksum goes
    far.flags |= transmit_post::insert_checksum;
    far.transport_header = 250;
    far.checksum_field = 6;
    far.id = 2;
    transmit_post long_piece = good;
    long_piece.length = long_piece.packet_bytes = 16385;
    long_piece.id = 3;
    ASSERT_EQ(queue.transmit(std::array{good, far, long_piece, good}), 4u);
    EXPECT_EQ(card.sent().size(), 100u);
    EXPECT_EQ(card.sent().size(), 100u);
    std::array<transmit_report, 5> reports;
    std::size_t got = 0;
    for (const nanoseconds end = real_clock.now() + sure; got != 4 && real_clock.now() < end;)
        got += queue.reap_sent(std::span(reports).subspan(got));
    ASSERT_EQ(got, 4u);
    for (const auto& [i, id, bad] : {std::tuple(0, 1, false), {1, 2, true}, {2, 3, true}, {3, 1, false}}) {
        EXPECT_EQ(reports[static_cast<std::size_t>(i)].id, static_cast<std::uint32_t>(id));
        EXPECT_EQ(reports[static_cast<std::size_t>(i)].flags,
                  (bad ? transmit_report::error : transmit_report::sent) | transmit_report::memory_free);
    }
}

} // namespace
