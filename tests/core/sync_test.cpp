// SPDX-License-Identifier: BSL-1.0
#include "noria/core/sync.hpp"

#include <array>
#include <cstdint>
#include <set>
#include <span>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace noria;

static_assert(std::is_same_v<std_sync::cell<int>, int>);
static_assert(std::is_same_v<std::span<std_sync::cell<int>>, std::span<int>>,
              "in production a cell is its value");
static_assert(std::is_same_v<std_sync::atomic<std::uint32_t>, std::atomic<std::uint32_t>>);
static_assert(noexcept(std_sync::relax()) && noexcept(std_sync::self()));
static_assert(noexcept(std_sync::prefetch_read(nullptr)) && noexcept(std_sync::prefetch_write(nullptr)));

TEST(std_sync, reads_and_writes_cells) {
    std_sync::cell<std::uint64_t> cell = 0;
    std_sync::write(cell, 0x0123'4567'89ab'cdef);
    std::uint64_t value = 0;
    std_sync::read(cell, value);
    EXPECT_EQ(value, 0x0123'4567'89ab'cdefu);
}

TEST(std_sync, finds_an_atomic_in_memory_laid_out_by_others) {
    alignas(8) std::array<std::byte, 16> memory{};
    std_sync::at<std::uint32_t>(memory.data() + 4).store(0xffff'ffff, std::memory_order_relaxed);
    for (std::size_t i = 0; i != memory.size(); ++i)
        EXPECT_EQ(memory[i], i / 4 == 1 ? std::byte{0xff} : std::byte{0}) << i;
    EXPECT_EQ(std_sync::at<std::uint32_t>(memory.data() + 4).load(std::memory_order_relaxed), ~0u);
}

TEST(std_sync, hints_change_nothing) {
    const std::array<int, 3> data = {1, 2, 3};
    std_sync::prefetch_read(data.data());
    std_sync::prefetch_write(data.data());
    std_sync::relax();
    EXPECT_EQ(data, (std::array<int, 3>{1, 2, 3}));
}

TEST(std_sync, self_tells_running_threads_apart) {
    constexpr std::size_t threads = 8;
    std::array<const void*, threads> self{};
    std::atomic<std::size_t> waiting{threads};
    std::vector<std::thread> running;
    for (const void*& mine : self)
        running.emplace_back([&] {
            mine = std_sync::self();
            waiting.fetch_sub(1);
            while (waiting.load() != 0) // all at once: a thread that ended may leave its place to the next
                std::this_thread::yield();
            EXPECT_EQ(mine, std_sync::self()) << "and it stays";
        });
    for (std::thread& each : running)
        each.join();
    std::set<const void*> different(self.begin(), self.end());
    different.insert(std_sync::self());
    EXPECT_EQ(different.size(), threads + 1);
    EXPECT_EQ(different.count(nullptr), 0u);
}

} // namespace
