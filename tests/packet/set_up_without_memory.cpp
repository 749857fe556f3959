// SPDX-License-Identifier: BSL-1.0
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <system_error>
#include <utility>

#include <gtest/gtest.h>

#include "noria/memory/block_arena.hpp"
#include "noria/memory/page_pool.hpp"
#include "noria/memory/stride_pool.hpp"
#include "noria/packet/packet_pool.hpp"
#include "support/memory_block.hpp"

// What is made at set-up asks the system for memory in several places. Each of them fails here in turn: that
// is an error with advice each time, and whatever was had before goes back. A program of its own, since it
// replaces operator new: the kind that returns null is the library's, the other kind the test's own.

namespace {

std::uint64_t fail_at = 0; // 1: the next one; 0: none
std::array<void*, 64> live{};

void* had(void* memory) noexcept {
    for (void*& each : live)
        if (each == nullptr)
            return each = memory;
    std::abort();
}
void* aligned(std::size_t bytes, std::align_val_t align) noexcept {
    const auto to = static_cast<std::size_t>(align);
    return std::aligned_alloc(to, (bytes + to - 1) / to * to);
}
bool fails() noexcept {
    return fail_at != 0 && --fail_at == 0;
}
void* always(void* memory) {
    return memory != nullptr ? memory : throw std::bad_alloc();
}
void give_back(void* memory) noexcept {
    for (void*& each : live)
        if (each == memory)
            each = nullptr;
    std::free(memory);
}
std::size_t still_had() {
    std::size_t count = 0;
    for (const void* each : live)
        count += each != nullptr;
    return count;
}

} // namespace

void* operator new(std::size_t bytes) {
    return always(std::malloc(bytes));
}
void* operator new[](std::size_t bytes) {
    return always(std::malloc(bytes));
}
void* operator new(std::size_t bytes, std::align_val_t align) {
    return always(aligned(bytes, align));
}
void* operator new[](std::size_t bytes, std::align_val_t align) {
    return always(aligned(bytes, align));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
    return fails() ? nullptr : had(std::malloc(bytes));
}
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
    return fails() ? nullptr : had(std::malloc(bytes));
}
void* operator new(std::size_t bytes, std::align_val_t align, const std::nothrow_t&) noexcept {
    return fails() ? nullptr : had(aligned(bytes, align));
}
void* operator new[](std::size_t bytes, std::align_val_t align, const std::nothrow_t&) noexcept {
    return fails() ? nullptr : had(aligned(bytes, align));
}
void operator delete(void* memory) noexcept {
    give_back(memory);
}
void operator delete[](void* memory) noexcept {
    give_back(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    give_back(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    give_back(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
    give_back(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
    give_back(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    give_back(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
    give_back(memory);
}

namespace {

using namespace noria;

// How often `create` asks for memory; each of these was refused once.
template <class Create>
std::uint64_t refused_each(Create create) {
    const std::size_t before = still_had();
    for (std::uint64_t n = 1;; ++n) {
        fail_at = n;
        const auto made = create();
        const bool refused = fail_at == 0;
        fail_at = 0;
        EXPECT_NE(refused, made.has_value()) << "request " << n;
        if (made || n == 100)
            return n - 1;
        EXPECT_EQ(made.error().code, std::errc::not_enough_memory) << "request " << n;
        EXPECT_GT(std::string(made.error().advice).size(), 20u);
        EXPECT_EQ(still_had(), before) << "request " << n;
    }
}

TEST(set_up_without_memory, page_pool) {
    memory_block memory(16 * 256);
    EXPECT_GE(refused_each([&] { return page_pool::create(memory.bytes(), 256, {.track_ages = true}); }), 4u);
    EXPECT_EQ(still_had(), 0u);
}

TEST(set_up_without_memory, block_arena) {
    memory_block memory(16 * 4096);
    EXPECT_EQ(refused_each([&] { return block_arena::create(memory.bytes(), 4096); }), 1u);
    EXPECT_EQ(still_had(), 0u);
}

TEST(set_up_without_memory, stride_pool) {
    memory_block memory(16 * 4096);
    page_pool pages = page_pool::create(memory.bytes(), 4096).value();
    EXPECT_EQ(refused_each([&] { return stride_pool::create(pages, {.strides = 64}, 1); }), 3u);
    EXPECT_EQ(pages.in_flight(), 0u);
}

TEST(set_up_without_memory, packet_pool) {
    memory_block memory(12 * 1024);
    page_pool small = page_pool::create(memory.bytes().first(4096), 256).value();
    page_pool large = page_pool::create(memory.bytes().subspan(4096), 2048).value();
    page_pool* const heads[] = {&small, &large};
    const auto create = [&] {
        return packet_pool::create({.packets = 4, .heads = heads, .foreign_buffers = 2});
    };
    // The body, its slots and shares, the loans; and five recyclers have a stack and a ring.
    EXPECT_EQ(refused_each(create), 4u + 5 * 2);
    EXPECT_EQ(small.in_flight() + large.in_flight(), 0u);
    const result<packet_pool> made = create();
    ASSERT_TRUE(made);
}

} // namespace
