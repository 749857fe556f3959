// SPDX-License-Identifier: BSL-1.0
#if defined(__x86_64__)

#include "hardware/model/trapped_registers.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using model82599::decoded_access;
using model82599::trapped_registers;

struct encoded {
    std::array<std::uint8_t, 12> code;
    std::size_t length;
    bool is_write;
    unsigned gpr;
};

// As an assembler writes them.
TEST(decoded_access, knows_the_moves_of_32_bits) {
    const encoded cases[] = {
        {{0x8b, 0x07}, 2, false, 0},                               // mov eax, [rdi]
        {{0x44, 0x8b, 0x4f, 0x08}, 4, false, 9},                   // mov r9d, [rdi+8]
        {{0x8b, 0x8f, 0x00, 0x08, 0x00, 0x00}, 6, false, 1},       // mov ecx, [rdi+0x800]
        {{0x8b, 0x14, 0x37}, 3, false, 2},                         // mov edx, [rdi+rsi]
        {{0x8b, 0x44, 0xb7, 0x10}, 4, false, 0},                   // mov eax, [rdi+rsi*4+0x10]
        {{0x8b, 0x84, 0x24, 0x00, 0x01, 0x00, 0x00}, 7, false, 0}, // mov eax, [rsp+0x100]
        {{0x8b, 0x04, 0xb5, 0x00, 0x01, 0x00, 0x00}, 7, false, 0}, // mov eax, [rsi*4+0x100]
        {{0x8b, 0x05, 0x00, 0x01, 0x00, 0x00}, 6, false, 0},       // mov eax, [rip+0x100]
        {{0x89, 0x07}, 2, true, 0},                                // mov [rdi], eax
        {{0x45, 0x89, 0x1c, 0x24}, 4, true, 11},                   // mov [r12], r11d
        {{0x0f, 0x38, 0xf9, 0x08}, 4, true, 1},                    // movdiri [rax], ecx
        {{0xc7, 0x07, 0x78, 0x56, 0x34, 0x12}, 6, true, 0},        // mov dword [rdi], 0x12345678
        {{0xc7, 0x87, 0x88, 0x08, 0x00, 0x00, 0x78, 0x56, 0x34, 0x12},
         10,
         true,
         0},                                                            // mov dword [rdi+0x888], ..
        {{0x41, 0xc7, 0x45, 0x00, 0x78, 0x56, 0x34, 0x12}, 8, true, 0}, // mov dword [r13], ..
    };
    for (const encoded& each : cases) {
        const std::optional<decoded_access> found = decoded_access::from(each.code.data());
        ASSERT_TRUE(found);
        EXPECT_EQ(found->length, each.length);
        EXPECT_EQ(found->is_write, each.is_write);
        EXPECT_EQ(found->gpr, each.gpr);
        EXPECT_EQ(found->immediate.has_value(), each.code[0] == 0xc7 || each.code[1] == 0xc7);
        EXPECT_EQ(found->immediate.value_or(0x12345678), 0x12345678u);
    }
}

TEST(decoded_access, refuses_what_is_no_such_move) {
    const std::array<std::uint8_t, 4> cases[] = {
        {0x48, 0x8b, 0x07}, // mov rax, [rdi]
        {0x8a, 0x07},       // mov al, [rdi]
        {0x8b, 0xc7},       // mov eax, edi
        {0x03, 0x07},       // add eax, [rdi]
        {0x0f, 0x38, 0xf8}, // movdir64b
    };
    for (const auto& each : cases)
        EXPECT_FALSE(decoded_access::from(each.data()));
}

// Out of line, so that it is a move: clang makes a load and a comparison one instruction.
[[gnu::noinline]] std::uint32_t load(const volatile std::uint32_t& word) {
    return word;
}

TEST(trapped_registers, turn_loads_and_stores_into_calls) {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> written;
    trapped_registers trapped(
        4096, [](std::uint32_t offset) { return offset * 3 + 1; },
        [&](std::uint32_t offset, std::uint32_t value) { written.emplace_back(offset, value); });
    ASSERT_NE(trapped.base(), nullptr);
    auto* words = reinterpret_cast<volatile std::uint32_t*>(trapped.base());
    for (std::uint32_t i = 0; i < 1024; i += 100) {
        EXPECT_EQ(load(words[i]), i * 12 + 1);
        words[i] = ~i;
    }
    words[7] = 42;
    ASSERT_EQ(written.size(), 12u);
    EXPECT_EQ(written[3], std::pair(1200u, ~300u));
    EXPECT_EQ(written[11], std::pair(28u, 42u));
    EXPECT_EQ(trapped.accesses(), 23u);
}

} // namespace

#endif
