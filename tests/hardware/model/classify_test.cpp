// SPDX-License-Identifier: BSL-1.0
#include "hardware/model/by_hand.hpp"

#include <array>
#include <cstdint>
#include <set>
#include <vector>

namespace {

using by_hand::bytes;
using by_hand::queue_memory;

constexpr std::uint32_t one_buffer = 1u << 25;

// The key and three of the flows of Microsoft's verification suite for RSS (Windows driver documentation,
// "Verifying the RSS Hash Calculation").
constexpr std::array<std::uint8_t, 40> suite_key = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

class classify : public by_hand::fixture {
  protected:
    void SetUp() override {
        set_up();
        write(0x5000, 1u << 13); // PCSD: the hash, please
        for (std::uint32_t i = 0; i != 10; ++i)
            write(0x5c80 + 4 * i, suite_key[4 * i] | std::uint32_t{suite_key[4 * i + 1]} << 8 |
                                      std::uint32_t{suite_key[4 * i + 2]} << 16 |
                                      std::uint32_t{suite_key[4 * i + 3]} << 24);
        start_receive(0, memory, one_buffer | 2);
        receive_on();
    }

    // The words of the descriptor that tells of this frame.
    [[nodiscard]] std::array<std::uint32_t, 4> told(const bytes& frame) {
        const std::uint32_t index = read(0x1010);
        EXPECT_EQ(card.wire_in(frame), model82599::arrival::queued);
        card.step();
        std::array<std::uint32_t, 4> words{};
        std::memcpy(words.data(), memory.word(index), sizeof words);
        return words;
    }

    queue_memory memory{card, 64, 2048};
};

// 66.9.149.187:2794 to 161.142.100.80:1766, the first of the suite.
bytes suite_flow(unsigned protocol) {
    bytes frame = by_hand::make_frame({.protocol = protocol, .checksums = false});
    const unsigned addresses[] = {66, 9, 149, 187, 161, 142, 100, 80};
    for (std::size_t i = 0; i != 8; ++i)
        frame[26 + i] = static_cast<std::byte>(addresses[i]);
    by_hand::store16(frame, 34, 2794);
    by_hand::store16(frame, 36, 1766);
    return frame;
}

TEST_F(classify, the_hash_is_the_one_of_the_verification_suite) {
    write(0x5818, 1 | 1u << 16 | 1u << 17);
    const auto tcp = told(suite_flow(6));
    EXPECT_EQ(tcp[0] & 0xf, 1u); // TCP over IPv4
    EXPECT_EQ(tcp[1], 0x51ccc178u);
    const auto udp = told(suite_flow(17)); // not asked for: addresses alone
    EXPECT_EQ(udp[0] & 0xf, 2u);
    EXPECT_EQ(udp[1], 0x323e8fc2u);
    write(0x5818, 1 | 1u << 22);
    const auto ports = told(suite_flow(17));
    EXPECT_EQ(ports[0] & 0xf, 7u);
    EXPECT_EQ(ports[1], 0x51ccc178u);
    EXPECT_EQ(told(suite_flow(6))[0] & 0xf, 0u);
    EXPECT_EQ(told(by_hand::plain_frame(60))[1], 0u);
    expect_no_faults();
}

TEST_F(classify, ipv6_hashes_have_types_of_their_own) {
    write(0x5818, 1 | 1u << 20 | 1u << 21 | 1u << 23);
    EXPECT_EQ(told(by_hand::make_frame({.protocol = 6, .ipv6 = true}))[0] & 0xf, 3u);
    EXPECT_EQ(told(by_hand::make_frame({.protocol = 17, .ipv6 = true}))[0] & 0xf, 8u);
    write(0x5818, 1 | 1u << 20);
    EXPECT_EQ(told(by_hand::make_frame({.protocol = 17, .ipv6 = true}))[0] & 0xf, 5u);
}

TEST_F(classify, fragments_are_hashed_by_their_addresses) {
    write(0x5818, 1 | 1u << 16 | 1u << 17);
    bytes fragment = suite_flow(6);
    by_hand::store16(fragment, 20, 0x2000); // more follow
    const auto words = told(fragment);
    EXPECT_EQ(words[0] & 0xf, 2u);
    EXPECT_EQ(words[1], 0x323e8fc2u);
    EXPECT_EQ(words[2] & 1u << 5, 0u); // and have no checksum of their own
    EXPECT_EQ(words[0] & 1u << 8, 0u);
}

// The low 7 bits of the hash choose one of 128 entries, four a register, the first in the lowest byte.
TEST_F(classify, the_table_sends_a_hash_to_its_queue) {
    write(0x5818, 1 | 1u << 16);
    constexpr std::uint32_t entry = 0x51ccc178u & 0x7f;
    std::vector<queue_memory> others;
    others.reserve(3);
    for (const std::uint32_t queue : {3u, 9u, 15u}) {
        others.emplace_back(card, 8, 2048);
        start_receive(queue, others.back(), one_buffer | 2);
        write(0x5c00 + (entry & ~3u), queue << 8 * (entry % 4));
        card.wire_in(suite_flow(6));
        card.step();
        EXPECT_EQ(read(0x1010 + 0x40 * queue), 1u) << queue;
    }
    EXPECT_EQ(read(0x1010), 0u);
}

TEST_F(classify, without_rss_all_go_to_the_first_queue_and_none_has_a_hash) {
    EXPECT_EQ(told(suite_flow(6))[1], 0u);
    write(0x5000, 0);
    EXPECT_EQ(told(by_hand::make_frame({}))[1], 0xabcdu); // the IP identification
}

struct type_case {
    by_hand::frame_shape shape;
    std::uint32_t type;
};
TEST_F(classify, the_packet_type_has_a_bit_for_each_header) {
    const type_case cases[] = {
        {{.protocol = 17}, 1u << 4 | 1u << 9},
        {{.protocol = 6}, 1u << 4 | 1u << 8},
        {{.protocol = 6, .ip_options = 2}, 1u << 4 | 1u << 5 | 1u << 8},
        {{.protocol = 17, .ipv6 = true}, 1u << 6 | 1u << 9},
        {{.protocol = 6, .ipv6 = true, .tagged = true}, 1u << 6 | 1u << 8},
        {{.protocol = 99}, 1u << 4},
    };
    for (const type_case& each : cases)
        EXPECT_EQ(told(by_hand::make_frame(each.shape))[0] & 0x1fff0, each.type);
    EXPECT_EQ(told(by_hand::plain_frame(60))[0] & 0x1fff0, 0u);
}

constexpr std::uint32_t udpcs = 1u << 4, l4i = 1u << 5, ipcs = 1u << 6, l4e = 1u << 30, ipe = 1u << 31;
constexpr std::uint32_t all_checks = udpcs | l4i | ipcs | l4e | ipe;

TEST_F(classify, good_checksums_are_called_good) {
    for (const unsigned protocol : {6u, 17u})
        for (const bool ipv6 : {false, true})
            for (const bool tagged : {false, true})
                for (const std::size_t payload : {12u, 101u}) { // so short that there is padding, and odd
                    bytes frame = by_hand::make_frame(
                        {.protocol = protocol, .payload = payload, .ipv6 = ipv6, .tagged = tagged});
                    frame.resize(std::max<std::size_t>(frame.size(), 60), std::byte{0x55});
                    EXPECT_EQ(told(frame)[2] & all_checks,
                              (protocol == 17 ? udpcs : 0) | l4i | (ipv6 ? 0 : ipcs));
                }
}

TEST_F(classify, bad_checksums_are_called_bad) {
    bytes frame = by_hand::make_frame({.protocol = 6});
    frame.back() ^= std::byte{1};
    EXPECT_EQ(told(frame)[2] & all_checks, l4i | l4e | ipcs);
    frame.back() ^= std::byte{1};
    frame[22] ^= std::byte{1}; // time to live
    EXPECT_EQ(told(frame)[2] & all_checks, l4i | ipcs | ipe);
}

TEST_F(classify, what_has_no_checksum_is_not_checked) {
    bytes none = by_hand::make_frame({});
    by_hand::store16(none, 40, 0);
    EXPECT_EQ(told(none)[2] & all_checks, ipcs);
    EXPECT_EQ(told(by_hand::make_frame({.protocol = 99}))[2] & all_checks, ipcs);
    EXPECT_EQ(told(by_hand::plain_frame(60))[2] & all_checks, 0u);
}

} // namespace
