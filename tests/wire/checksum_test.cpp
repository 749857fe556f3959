// SPDX-License-Identifier: BSL-1.0
#include "noria/wire/checksum.hpp"

#include <cstring>
#include <random>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

namespace {

using bytes = std::vector<std::uint8_t>;

std::span<const std::byte> view(const bytes& of) {
    return std::as_bytes(std::span(of));
}

// RFC 1071 section 1, word by word with the carry taken at once.
std::uint16_t naive(std::span<const std::byte> block) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < block.size(); ++i) {
        sum += std::to_integer<std::uint32_t>(block[i]) << (i % 2 == 0 ? 8 : 0);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(sum);
}

TEST(InternetSum, TheRfcsOwnExample) { // RFC 1071 section 3
    const bytes example = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    EXPECT_EQ(noria::sum_of(view(example)).value(), 0xddf2);
    EXPECT_EQ(noria::sum_of(view(example)).checksum(), 0x220d);
}

TEST(InternetSum, IsANumberModulo0xffff) {
    constexpr noria::internet_sum zero;
    static_assert(zero == noria::internet_sum(0xffff) && zero.verifies());
    static_assert(noria::internet_sum(0x1'0000).value() == 1 &&
                  noria::internet_sum(0xffff'ffff).value() == 0xffff);
    static_assert(noria::internet_sum(0x1234).at_offset(3).value() == 0x3412);
    static_assert(noria::internet_sum(0x1234).at_offset(2).value() == 0x1234);
    static_assert(!noria::internet_sum(1).verifies());
    SUCCEED();
}

RC_GTEST_PROP(InternetSum, WhatIsTakenOutIsGone, (std::uint32_t kept, std::uint32_t taken)) {
    const noria::internet_sum both = noria::internet_sum(kept) + noria::internet_sum(taken);
    RC_ASSERT(both - noria::internet_sum(taken) == noria::internet_sum(kept));
}

TEST(SumOf, EqualsTheNaiveSumAtEveryAlignmentAndLength) {
    constexpr std::size_t longest = 2048;
    alignas(16) std::uint8_t memory[16 + longest];
    std::minstd_rand random(1);
    for (std::uint8_t& byte : memory)
        byte = static_cast<std::uint8_t>(random() >> 8);
    for (std::size_t alignment = 0; alignment < 16; ++alignment)
        for (std::size_t length = 0; length <= longest; ++length) {
            const auto block = std::as_bytes(std::span(memory)).subspan(alignment, length);
            ASSERT_EQ(noria::sum_of(block).value(), naive(block)) << alignment << ' ' << length;
        }
}

TEST(SumOf, LosesNoCarry) {
    const bytes ones(200'001, 0xff);
    EXPECT_EQ(noria::sum_of(view(ones)).value(), naive(view(ones)));
    EXPECT_EQ(noria::sum_of(view(bytes(3000, 0))).value(), 0)
        << "all zero is zero and not its other spelling";
}

RC_GTEST_PROP(ChecksumAccumulator, AChainSumsLikeOnePiece, (const std::vector<bytes>& blocks)) {
    bytes whole;
    noria::checksum_accumulator sum;
    for (const bytes& block : blocks) {
        whole.insert(whole.end(), block.begin(), block.end());
        sum.add(view(block));
    }
    RC_ASSERT(sum.sum().value() == naive(view(whole)));
}

// 10.0.0.1:1000 -> 10.0.0.2:2000, "hello", its words written out one by one.
TEST(PseudoHeader, CoversAUdpDatagramOverIpv4) {
    const bytes datagram = {0x03, 0xe8, 0x07, 0xd0, 0x00, 0x0d, 0x00, 0x00, 'h', 'e', 'l', 'l', 'o'};
    const noria::internet_sum sum =
        noria::pseudo_header_sum(noria::ipv4_address{{10, 0, 0, 1}}, noria::ipv4_address{{10, 0, 0, 2}},
                                 noria::ip_protocol::udp, static_cast<std::uint16_t>(datagram.size())) +
        noria::sum_of(view(datagram));
    EXPECT_EQ(sum.value(), (0x0a00 + 0x0001 + 0x0a00 + 0x0002 + 0x0011 + 0x000d + 0x03e8 + 0x07d0 + 0x000d +
                            0x6865 + 0x6c6c + 0x6f00) %
                               0xffff);
}

RC_GTEST_PROP(PseudoHeader, OfIpv6IsTheSumOfItsLayout,
              (std::uint32_t length, const std::array<std::uint8_t, 32>& addresses)) {
    noria::ipv6_address source;
    noria::ipv6_address destination;
    std::memcpy(&source, addresses.data(), 16);
    std::memcpy(&destination, addresses.data() + 16, 16);
    bytes layout(addresses.begin(), addresses.end()); // RFC 8200 section 8.1
    for (const int shift : {24, 16, 8, 0})
        layout.push_back(static_cast<std::uint8_t>(length >> shift));
    layout.insert(layout.end(), {0, 0, 0, 6});
    RC_ASSERT(noria::pseudo_header_sum(source, destination, noria::ip_protocol::tcp, length).value() ==
              naive(view(layout)));
}

TEST(UpdateChecksum, TheRfcsOwnExample) { // RFC 1624 section 4
    EXPECT_EQ(noria::update_checksum(0xdd2f, noria::internet_sum(0x5555), noria::internet_sum(0x3285)),
              0x0000);
}

// A header whose checksum is kept up to date step by step has, after any changes, the one computed anew.
RC_GTEST_PROP(UpdateChecksum, EqualsComputingItAnew, ()) {
    auto header = *rc::gen::container<bytes>(20, rc::gen::arbitrary<std::uint8_t>());
    header[0] = 0x45; // never all zero
    std::uint16_t checksum = noria::sum_of(view(header)).checksum();
    const auto changes = *rc::gen::container<std::vector<std::pair<std::size_t, std::uint16_t>>>(
        rc::gen::pair(rc::gen::inRange<std::size_t>(1, 10), rc::gen::arbitrary<std::uint16_t>()));
    for (const auto& [word, value] : changes) {
        const std::size_t at = 2 * word;
        checksum = noria::update_checksum(checksum, noria::sum_of(view(header).subspan(at, 2)),
                                          noria::internet_sum(value));
        header[at] = static_cast<std::uint8_t>(value >> 8);
        header[at + 1] = static_cast<std::uint8_t>(value);
    }
    RC_ASSERT(checksum == noria::sum_of(view(header)).checksum());
}

TEST(UdpChecksum, IsNeverZero) {
    static_assert(noria::udp_checksum(noria::internet_sum(0xffff)) == 0xffff);
    static_assert(noria::udp_checksum(noria::internet_sum(0)) == 0xffff);
    static_assert(noria::udp_checksum(noria::internet_sum(0x1234)) == 0xedcb);
    SUCCEED();
}

} // namespace
