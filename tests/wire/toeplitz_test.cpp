// SPDX-License-Identifier: BSL-1.0
#include "noria/wire/toeplitz.hpp"

#include <algorithm>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

namespace {

using bytes = std::vector<std::uint8_t>;

void append_address(bytes& to, const char* text) {
    std::uint8_t address[16];
    const bool v6 = std::string_view(text).find(':') != std::string_view::npos;
    EXPECT_EQ(::inet_pton(v6 ? AF_INET6 : AF_INET, text, address), 1) << text;
    to.insert(to.end(), address, address + (v6 ? 16 : 4));
}

void append_port(bytes& to, std::uint16_t port) {
    to.push_back(static_cast<std::uint8_t>(port >> 8));
    to.push_back(static_cast<std::uint8_t>(port));
}

// Microsoft, "Verifying the RSS Hash Calculation".
struct vector {
    const char* destination;
    std::uint16_t destination_port;
    const char* source;
    std::uint16_t source_port;
    std::uint32_t without_ports;
    std::uint32_t with_ports;

    [[nodiscard]] bytes input(bool ports, bool reversed = false) const {
        bytes result;
        append_address(result, reversed ? destination : source);
        append_address(result, reversed ? source : destination);
        if (ports) {
            append_port(result, reversed ? destination_port : source_port);
            append_port(result, reversed ? source_port : destination_port);
        }
        return result;
    }
};

const vector vectors[] = {
    {"161.142.100.80", 1766, "66.9.149.187", 2794, 0x323e8fc2, 0x51ccc178},
    {"65.69.140.83", 4739, "199.92.111.2", 14230, 0xd718262a, 0xc626b0ea},
    {"12.22.207.184", 38024, "24.19.198.95", 12898, 0xd2d0a5de, 0x5c2b394a},
    {"209.142.163.6", 2217, "38.27.205.30", 48228, 0x82989176, 0xafc7327f},
    {"202.188.127.2", 1303, "153.39.163.191", 44251, 0x5d1809c5, 0x10e828a2},
    {"3ffe:2501:200:3::1", 1766, "3ffe:2501:200:1fff::7", 2794, 0x2cc18cd5, 0x40207d3d},
    {"ff02::1", 4739, "3ffe:501:8::260:97ff:fe40:efab", 14230, 0x0f0c461c, 0xdde51bbf},
    {"fe80::200:f8ff:fe21:67cf", 38024, "3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251, 0x4b61e985, 0x02d1feef},
};

constexpr std::uint8_t one_bit[] = {0x80};
static_assert(noria::toeplitz_bitwise(noria::microsoft_key, one_bit) == 0x6d5a56da,
              "the first 32 bits of the key");
constexpr std::uint8_t last_bit[] = {0x01};
static_assert(noria::toeplitz_bitwise(noria::microsoft_key, last_bit) == (0x5a56da25u >> 1 | 0x80000000u));

TEST(Toeplitz, GivesTheHashesMicrosoftPublished) {
    const noria::toeplitz_hasher hasher;
    for (const vector& given : vectors)
        for (const bool ports : {false, true}) {
            const bytes input = given.input(ports);
            const std::uint32_t expected = ports ? given.with_ports : given.without_ports;
            EXPECT_EQ(noria::toeplitz_bitwise(noria::microsoft_key, input), expected) << given.source;
            EXPECT_EQ(hasher(input), expected) << given.source;
        }
}

TEST(Toeplitz, TheSymmetricKeyHashesBothDirectionsAlike) {
    const noria::toeplitz_hasher hasher(noria::symmetric_key);
    const noria::toeplitz_hasher asymmetric;
    for (const vector& given : vectors)
        for (const bool ports : {false, true}) {
            EXPECT_EQ(hasher(given.input(ports)), hasher(given.input(ports, true)));
            EXPECT_NE(asymmetric(given.input(ports)), asymmetric(given.input(ports, true)));
        }
}

rc::Gen<bytes> sized(std::size_t from, std::size_t to) {
    return rc::gen::mapcat(rc::gen::inRange(from, to + 1), [](std::size_t size) {
        return rc::gen::container<bytes>(size, rc::gen::arbitrary<std::uint8_t>());
    });
}

RC_GTEST_PROP(Toeplitz, TheTableEqualsTheDefinition, ()) {
    const bytes key = *sized(noria::toeplitz_key_size, 52);
    const bytes input = *sized(0, noria::toeplitz_max_input);
    RC_ASSERT(noria::toeplitz_hasher(key)(input) == noria::toeplitz_bitwise(key, input));
}

RC_GTEST_PROP(Toeplitz, SeveralTogetherEqualEachAlone, ()) {
    const noria::toeplitz_hasher hasher(*sized(noria::toeplitz_key_size, noria::toeplitz_key_size));
    const auto size = *rc::gen::inRange<std::size_t>(0, noria::toeplitz_max_input + 1);
    const std::array inputs{*sized(size, size), *sized(size, size), *sized(size, size)};
    const auto hashes = hasher.together<3>({inputs[0].data(), inputs[1].data(), inputs[2].data()}, size);
    for (std::size_t i = 0; i != 3; ++i)
        RC_ASSERT(hashes[i] == hasher(inputs[i]));
}

// The definition once more, as a product over single bits taken from arrays of bits.
RC_GTEST_PROP(Toeplitz, TheDefinitionEqualsASumOverBits, ()) {
    const bytes input = *sized(0, 48);
    const bytes key = *sized(input.size() + 4, 52);
    const auto bit = [](const bytes& of, std::size_t i) { return (of[i / 8] >> (7 - i % 8) & 1) != 0; };
    std::uint32_t hash = 0;
    for (std::size_t i = 0; i < 8 * input.size(); ++i)
        for (std::size_t j = 0; bit(input, i) && j < 32; ++j)
            hash ^= static_cast<std::uint32_t>(bit(key, i + j)) << (31 - j);
    RC_ASSERT(noria::toeplitz_bitwise(key, input) == hash);
}

#if NORIA_CONTRACT == 2
TEST(ToeplitzDeathTest, RefusesAShortKeyAndALongInput) {
    const bytes short_key(39);
    const bytes long_input(37);
    const noria::toeplitz_hasher hasher;
    EXPECT_DEATH(noria::toeplitz_hasher{short_key}, "40 bytes");
    EXPECT_DEATH((void)hasher(long_input), "36 bytes");
    EXPECT_DEATH((void)hasher.together<1>({long_input.data()}, long_input.size()), "36 bytes");
    EXPECT_DEATH((void)noria::toeplitz_bitwise(short_key, long_input), "four bytes longer");
}
#endif

} // namespace
