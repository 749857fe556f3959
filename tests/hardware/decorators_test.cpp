// SPDX-License-Identifier: BSL-1.0
// What can be put around registers: a list of what was done, a check against what was declared, faults.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/checked.hpp"
#include "hardware/faulty.hpp"
#include "hardware/registers.hpp"
#include "hardware/traced.hpp"

namespace {

// The archetype: what the concept asks for, and a memory of what was called.
struct remembered {
    std::map<std::uint32_t, std::uint32_t> values;
    std::vector<hardware::access_record> calls;

    std::uint32_t read32(std::uint32_t offset) noexcept {
        calls.push_back({hardware::access_kind::read, offset, values[offset]});
        return values[offset];
    }
    void write32(std::uint32_t offset, std::uint32_t value) noexcept {
        calls.push_back({hardware::access_kind::write, offset, value});
        values[offset] = value;
    }
    void doorbell32(std::uint32_t offset, std::uint32_t value) noexcept {
        calls.push_back({hardware::access_kind::doorbell, offset, value});
        values[offset] = value;
    }
};
static_assert(hardware::register_space<remembered>);

struct four_registers {
    static constexpr hardware::use of(std::uint32_t offset) noexcept {
        switch (offset) {
        case 0:
            return hardware::use::read_write;
        case 4:
            return hardware::use::read_only;
        case 8:
            return hardware::use::write_only;
        case 12:
            return hardware::use::read_write;
        default:
            return hardware::use::nothing;
        }
    }
    static constexpr bool begins_reset(std::uint32_t offset, std::uint32_t value) noexcept {
        return offset == 0 && (value & 1) != 0;
    }
    static constexpr bool ends_reset(std::uint32_t offset, std::uint32_t value) noexcept {
        return offset == 0 && (value & 1) == 0;
    }
    static constexpr bool during_reset(std::uint32_t offset) noexcept { return offset == 0; }
};

static_assert(hardware::register_space<hardware::traced<remembered>>);
static_assert(hardware::register_space<hardware::checked<remembered, four_registers>>);
static_assert(hardware::register_space<hardware::faulty<remembered>>);

using hardware::access_kind;

TEST(traced_registers, are_the_same_registers_and_a_list) {
    remembered inner;
    hardware::traced traced(inner);
    traced.write32(0x10, 7);
    EXPECT_EQ(traced.read32(0x10), 7u);
    traced.doorbell32(0x18, 9);
    const std::vector<hardware::access_record> expected{
        {access_kind::write, 0x10, 7}, {access_kind::read, 0x10, 7}, {access_kind::doorbell, 0x18, 9}};
    EXPECT_EQ(inner.calls, expected);
    EXPECT_EQ(std::vector(traced.trace().begin(), traced.trace().end()), expected);

    char* text = nullptr;
    std::size_t length = 0;
    std::FILE* const file = open_memstream(&text, &length);
    traced.print(file);
    std::fclose(file);
    EXPECT_EQ(std::string(text, length), "write    00010 < 00000007\n"
                                         "read     00010 = 00000007\n"
                                         "doorbell 00018 < 00000009\n");
    std::free(text);
    traced.clear();
    EXPECT_TRUE(traced.trace().empty());
}

TEST(traced_registers, keep_the_last_accesses) {
    remembered inner;
    hardware::traced traced(inner, 3);
    for (std::uint32_t i = 0; i != 10; ++i)
        traced.write32(4 * i, i);
    ASSERT_EQ(traced.trace().size(), 3u);
    EXPECT_EQ(traced.trace().front().value, 7u);
    EXPECT_EQ(traced.trace().back().value, 9u);
}

TEST(checked_registers, stop_what_was_not_declared) {
    remembered inner;
    inner.values = {{0, 2}, {4, 3}};
    hardware::checked<remembered, four_registers> checked(inner);
    EXPECT_EQ(checked.read32(4), 3u);
    checked.write32(8, 5);
    checked.doorbell32(12, 6);
    EXPECT_EQ(checked.refused(), 0u);
    EXPECT_EQ(inner.calls.size(), 3u);

    checked.write32(4, 1); // read only
    EXPECT_EQ(checked.refused(), 1u);
    EXPECT_EQ(checked.first_refused(), 4u);
    EXPECT_EQ(checked.read32(8), 0u); // write only
    EXPECT_EQ(checked.read32(16), 0u);
    checked.doorbell32(2, 1);
    EXPECT_EQ(checked.refused(), 4u);
    EXPECT_EQ(checked.first_refused(), 4u);
    EXPECT_EQ(inner.calls.size(), 3u) << "none of these reached the card";
}

TEST(checked_registers, stop_what_comes_in_the_middle_of_a_reset) {
    remembered inner;
    hardware::checked<remembered, four_registers> checked(inner);
    checked.write32(0, 1);
    EXPECT_EQ(checked.read32(4), 0u);
    checked.write32(12, 1);
    checked.write32(0, 0);
    EXPECT_EQ(checked.refused(), 3u);
    EXPECT_EQ(checked.read32(0), 1u);
    inner.values[0] = 0; // the card is through
    EXPECT_EQ(checked.read32(0), 0u);
    checked.write32(12, 1);
    EXPECT_EQ(checked.refused(), 3u);
}

TEST(faulty_registers, are_gone_after_so_many_accesses) {
    remembered inner;
    hardware::faulty faulty(inner);
    faulty.write32(0, 5);
    faulty.pull_out_after(2);
    EXPECT_FALSE(faulty.gone());
    EXPECT_EQ(faulty.read32(0), 5u);
    faulty.write32(0, 6);
    EXPECT_TRUE(faulty.gone());
    EXPECT_EQ(faulty.read32(0), 0xffff'ffffu);
    faulty.write32(0, 7);
    faulty.doorbell32(0, 8);
    EXPECT_EQ(inner.values[0], 6u);
    EXPECT_EQ(faulty.accesses(), 6u);
}

TEST(faulty_registers, have_bits_that_stick) {
    remembered inner;
    hardware::faulty faulty(inner);
    faulty.stick(4, 0xf0, 0xa5);
    faulty.write32(4, 0x1234'5678);
    EXPECT_EQ(faulty.read32(4), 0x1234'56a8u);
    EXPECT_EQ(inner.values[4], 0x1234'5678u) << "it is only read wrongly";
    faulty.let_go();
    EXPECT_EQ(faulty.read32(4), 0x1234'5678u);
}

TEST(faulty_registers, ring_late_and_in_order) {
    remembered inner;
    hardware::faulty faulty(inner);
    faulty.hold_doorbells();
    faulty.doorbell32(4, 1);
    faulty.doorbell32(4, 2);
    faulty.write32(8, 1); // is no doorbell
    EXPECT_EQ(inner.calls.size(), 1u);
    faulty.ring();
    ASSERT_EQ(inner.calls.size(), 3u);
    EXPECT_EQ(inner.calls[1].value, 1u);
    EXPECT_EQ(inner.calls[2].value, 2u);
    faulty.doorbell32(4, 3);
    EXPECT_EQ(inner.values[4], 3u);

    faulty.hold_doorbells();
    for (std::uint32_t i = 0; i != 65; ++i)
        faulty.doorbell32(12, i);
    EXPECT_EQ(inner.values[12], 64u);
    faulty.hold_doorbells();
    faulty.doorbell32(12, 99);
    faulty.pull_out_after(0);
    faulty.ring();
    EXPECT_EQ(inner.values[12], 64u) << "nobody is there who would hear it";
}

} // namespace
