// SPDX-License-Identifier: BSL-1.0
// What is asked of the 82599 for a packet, in the bits of its descriptors (7.2.3.2.3, 7.2.3.2.4).
#include <cstdint>
#include <tuple>
#include <utility>

#include <gtest/gtest.h>

#include "ixgbe/offload.hpp"

namespace {

using ixgbe::make_offload;
using noria::transmit_post;

constexpr std::uint32_t tagged = transmit_post::insert_vlan;
constexpr std::uint32_t summed = transmit_post::insert_checksum;
constexpr std::uint32_t cut = transmit_post::segment;
constexpr std::uint32_t ipv6 = transmit_post::ipv6;

transmit_post asking(std::uint32_t flags, std::uint32_t packet_bytes = 1000) {
    return {.packet_bytes = packet_bytes,
            .flags = flags,
            .vlan = 0x602a,
            .network_header = 14,
            .transport_header = 34,
            .checksum_field = 16,
            .header_bytes = 54,
            .segment_bytes = 500};
}

struct words {
    std::uint32_t command; // word 2 of the data
    std::uint32_t options; // word 3 of the data
    std::uint32_t context[3];
};
void expect(const transmit_post& post, const words& right) {
    const ixgbe::offload made = make_offload(post);
    ASSERT_TRUE(made.possible);
    EXPECT_EQ(made.command, right.command);
    EXPECT_EQ(made.options, right.options);
    EXPECT_EQ(made.with.word0, right.context[0]);
    EXPECT_EQ(made.with.word2, right.context[1]);
    EXPECT_EQ(made.with.word3, right.context[2]);
}

constexpr std::uint32_t cc = 1u << 7, ixsm = 1u << 8, txsm = 1u << 9; // options; the payload is above 14
constexpr std::uint32_t vle = 1u << 30, tse = 1u << 31;               // command
constexpr std::uint32_t v4 = 1u << 10, tcp = 1u << 11, none = 3u << 11;
constexpr std::uint32_t headers = 14u << 9 | 20;

TEST(ixgbe_offload, says_it_in_the_bits_of_the_card) {
    expect(asking(tagged), {vle, cc | 1000u << 14, {0x602au << 16 | headers, v4 | none, 0}});
    expect(asking(tagged | ipv6), {vle, cc | 1000u << 14, {0x602au << 16 | headers, none, 0}});
    expect(asking(summed), {0, cc | txsm | 1000u << 14, {headers, v4 | tcp, 0}});
    expect(asking(summed | ipv6), {0, cc | txsm | 1000u << 14, {headers, tcp, 0}});
    const std::uint32_t segments = 20u << 8 | 500u << 16;
    for (const std::uint32_t with_sum : {0u, summed}) { // a segment always has one
        expect(asking(cut | with_sum),
               {tse, cc | ixsm | txsm | (1000u - 54) << 14, {headers, v4 | tcp, segments}});
        expect(asking(cut | ipv6 | with_sum),
               {tse, cc | txsm | (1000u - 54) << 14, {headers, tcp, segments}});
    }
    expect(asking(cut | tagged),
           {tse | vle, cc | ixsm | txsm | (1000u - 54) << 14, {0x602au << 16 | headers, v4 | tcp, segments}});

    transmit_post udp = asking(summed);
    udp.checksum_field = 6;
    expect(udp, {0, cc | txsm | 1000u << 14, {headers, v4, 0}});
    udp.flags = cut; // which is TCP's, whatever else it says
    expect(udp, {tse, cc | ixsm | txsm | (1000u - 54) << 14, {headers, v4 | tcp, segments}});
}

// Where nobody says where headers begin there is Ethernet's, and no more.
TEST(ixgbe_offload, knows_where_headers_begin) {
    for (const auto& [network, transport, word0] : {std::tuple(0, 0, 14u << 9),
                                                    {0, 34, headers},
                                                    {18, 38, 18u << 9 | 20},
                                                    {18, 18, 18u << 9},
                                                    {18, 10, 18u << 9},
                                                    {18, 19, 18u << 9 | 1},
                                                    {1, 2, 1u << 9 | 1}}) {
        transmit_post post = asking(summed);
        post.network_header = static_cast<std::uint16_t>(network);
        post.transport_header = static_cast<std::uint16_t>(transport);
        expect(post, {0, cc | txsm | 1000u << 14, {word0, v4 | tcp, 0}});
    }
}

// What does not fit into a field, and what makes no sense.
TEST(ixgbe_offload, knows_what_the_card_cannot_do) {
    const auto possible = [](transmit_post post, auto change) {
        change(post);
        return make_offload(post).possible;
    };
    for (const auto& [field, can] : {std::pair(6, true), {16, true}, {5, false}, {12, false}, {17, false}}) {
        const auto set = [to = field](transmit_post& of) {
            of.checksum_field = static_cast<std::uint16_t>(to);
        };
        EXPECT_EQ(possible(asking(summed), set), can) << field;
        EXPECT_TRUE(possible(asking(tagged), set)) << "nobody asked for a sum";
    }
    for (const auto& [bytes, can] :
         {std::pair(34, false), {35, true}, {34 + 255, true}, {34 + 256, false}, {20, false}})
        EXPECT_EQ(
            possible(asking(cut),
                     [to = bytes](transmit_post& of) { of.header_bytes = static_cast<std::uint16_t>(to); }),
            can)
            << bytes << " bytes of headers";
    for (const auto& [bytes, can] : {std::pair(53, false), {54, false}, {55, true}})
        EXPECT_EQ(
            possible(asking(cut),
                     [to = bytes](transmit_post& of) { of.packet_bytes = static_cast<std::uint32_t>(to); }),
            can)
            << bytes << " bytes in all";
    EXPECT_FALSE(possible(asking(cut), [](transmit_post& of) { of.segment_bytes = 0; }));
    EXPECT_TRUE(possible(asking(cut), [](transmit_post& of) { of.segment_bytes = 1; }));
    EXPECT_TRUE(possible(asking(summed), [](transmit_post& of) { of.segment_bytes = 0; }));

    for (const auto& [ip, l4, can] :
         {std::tuple(127, 147, true), {128, 148, false}, {14, 14 + 511, true}, {14, 14 + 512, false}})
        EXPECT_EQ(possible(asking(summed),
                           [to_ip = ip, to_l4 = l4](transmit_post& of) {
                               of.network_header = static_cast<std::uint16_t>(to_ip);
                               of.transport_header = static_cast<std::uint16_t>(to_l4);
                           }),
                  can)
            << ip << ", " << l4;
    constexpr std::uint32_t most = (1u << 18) - 1;
    EXPECT_TRUE(make_offload(asking(tagged, most)).possible);
    EXPECT_FALSE(make_offload(asking(tagged, most + 1)).possible);
    EXPECT_TRUE(make_offload(asking(cut, most + 54)).possible) << "the payload alone counts";
    EXPECT_FALSE(make_offload(asking(cut, most + 55)).possible);
}

} // namespace
