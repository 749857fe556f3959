// SPDX-License-Identifier: BSL-1.0
#include "noria/core/endian.hpp"

#include <array>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

namespace {

using namespace noria;

static_assert(byte_swap(std::uint8_t{0x12}) == 0x12);
static_assert(byte_swap(std::uint16_t{0x1234}) == 0x3412);
static_assert(byte_swap(std::uint32_t{0x1234'5678}) == 0x7856'3412);
static_assert(byte_swap(std::uint64_t{0x0123'4567'89ab'cdef}) == 0xefcd'ab89'6745'2301);
static_assert(std::endian::native != std::endian::little || big_endian(std::uint16_t{0x0800}) == 0x0008);

template <class T>
class endian : public testing::Test {};
using widths = testing::Types<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>;
TYPED_TEST_SUITE(endian, widths);

// At every alignment, byte by byte, the highest first; the bytes around it stay as they are.
TYPED_TEST(endian, store_writes_the_highest_byte_first_and_load_reads_it_back) {
    EXPECT_TRUE(rc::check([](TypeParam value) {
        const auto at = *rc::gen::inRange<std::size_t>(1, 9);
        std::array<std::byte, 24> memory;
        memory.fill(std::byte{0xa5});
        store_big(memory.data() + at, value);
        for (std::size_t i = 0; i != sizeof value; ++i)
            RC_ASSERT(std::to_integer<std::uint64_t>(memory[at + i]) ==
                      ((std::uint64_t{value} >> 8 * (sizeof value - 1 - i)) & 0xff));
        RC_ASSERT(memory[at - 1] == std::byte{0xa5} && memory[at + sizeof value] == std::byte{0xa5});
        RC_ASSERT(load_big<TypeParam>(memory.data() + at) == value);
        RC_ASSERT(big_endian(big_endian(value)) == value);
    }));
}

} // namespace
