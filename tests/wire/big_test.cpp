// SPDX-License-Identifier: BSL-1.0
#include "noria/wire/big.hpp"

#include <cstring>
#include <string>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

namespace {

enum class colour : std::uint16_t { red = 0x1234 };

static_assert(noria::big16(0x1234) == 0x1234);
static_assert(noria::big<colour>(colour::red) == colour::red);
static_assert(sizeof(noria::big32) == 4 && sizeof(noria::big<colour>) == 2);
static_assert(noria::wire_header<noria::big<colour>>);
static_assert(!noria::wire_header<std::uint32_t>, "a number of the machine's own order has an alignment");
static_assert(!noria::wire_header<std::string>);

RC_GTEST_PROP(Big, StoresTheMostSignificantByteFirst, (std::uint32_t value)) {
    const noria::big32 stored = value;
    unsigned char bytes[4];
    std::memcpy(bytes, &stored, 4);
    RC_ASSERT(bytes[0] == value >> 24);
    RC_ASSERT(bytes[1] == (value >> 16 & 0xff));
    RC_ASSERT(bytes[2] == (value >> 8 & 0xff));
    RC_ASSERT(bytes[3] == (value & 0xff));
    RC_ASSERT(stored == value);
}

TEST(Big, KeepsAnEnumeration) {
    noria::big<colour> stored = colour::red;
    unsigned char bytes[2];
    std::memcpy(bytes, &stored, 2);
    EXPECT_EQ(bytes[0], 0x12);
    EXPECT_EQ(bytes[1], 0x34);
    switch (stored) {
    case colour::red:
        break;
    default:
        FAIL();
    }
}

TEST(HeaderAt, GivesWhatFitsAtAnyAddressAndNothingElse) {
    std::byte bytes[9] = {};
    const std::span<const std::byte> all(bytes);
    for (std::size_t offset = 0; offset <= 5; ++offset)
        EXPECT_EQ(static_cast<const void*>(noria::header_at<noria::big32>(all, offset)), bytes + offset);
    for (const std::size_t offset : {std::size_t{6}, std::size_t{9}, std::size_t{10}, SIZE_MAX, SIZE_MAX - 3})
        EXPECT_EQ(noria::header_at<noria::big32>(all, offset), nullptr) << offset;
    EXPECT_EQ(noria::header_at<noria::big32>(std::span<const std::byte>()), nullptr);
}

TEST(HeaderAt, WritesThrough) {
    std::byte bytes[5] = {};
    *noria::header_at<noria::big32>(std::span<std::byte>(bytes), 1) = 0x01020304;
    EXPECT_EQ(bytes[0], std::byte{0});
    EXPECT_EQ(bytes[1], std::byte{1});
    EXPECT_EQ(bytes[4], std::byte{4});
    EXPECT_EQ(noria::header_at<noria::big32>(std::span<std::byte>(bytes), 2), nullptr);
}

} // namespace
