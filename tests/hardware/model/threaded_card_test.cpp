// SPDX-License-Identifier: BSL-1.0
#include "hardware/model/threaded_card.hpp"
#include "hardware/wait.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "support/random.hpp"

namespace {

using model82599::card;
using model82599::threaded_card;

// Two rings of 64 by hand; what is sent comes back, because the wire leads from the one to the other.
struct rings {
    explicit rings(threaded_card& owner)
        : receive(owner.dma().allocate(1024, 128).value()), send(owner.dma().allocate(1024, 128).value()),
          buffers(owner.dma().allocate(std::size_t{2048} * 128, 4096).value()) {}

    [[nodiscard]] static std::uint32_t* word(const hardware::dma_memory& ring, std::uint32_t index) {
        return reinterpret_cast<std::uint32_t*>(ring.bytes.data()) + 4 * (index % 64);
    }
    // The first 64 buffers are for receiving.
    [[nodiscard]] std::uint64_t iova(std::uint32_t buffer) const {
        return buffers.iova + std::uint64_t{2048} * buffer;
    }
    [[nodiscard]] std::byte* bytes(std::uint32_t buffer) const {
        return buffers.bytes.data() + std::size_t{2048} * buffer;
    }

    hardware::dma_memory receive;
    hardware::dma_memory send;
    hardware::dma_memory buffers;
};

template <class Registers, class Clock>
void await(Registers& registers, Clock& clock, std::uint32_t offset, std::uint32_t mask,
           std::uint32_t value) {
    ASSERT_EQ(hardware::wait_until(registers, offset, mask, value, clock, 1'000'000'000),
              hardware::waited::met);
}

void bring_up(threaded_card& owner, const rings& memory) {
    auto registers = owner.registers();
    auto clock = owner.clock();
    registers.write32(0x888, ~0u);
    registers.write32(0x0, 1u << 26);
    await(registers, clock, 0x0, 1u << 26, 0);
    hardware::let_pass(clock, 10'000'000);
    await(registers, clock, 0x42a4, 1u << 30, 1u << 30);
    registers.write32(0x4240, 1u << 0 | 1u << 1 | 1u << 10 | 1u << 15); // loop back
    registers.write32(0x2f00, 1u << 1);
    registers.write32(0x5080, 7u << 8); // all addresses
    registers.write32(0x18, 1u << 16);
    registers.write32(0x4a80, 1);
    registers.write32(0x2100, 1u << 25 | 2);
    registers.write32(0x2200, 0);
    for (const auto& [block, ring] :
         {std::pair(0x1000u, &memory.receive), std::pair(0x6000u, &memory.send)}) {
        registers.write32(block, static_cast<std::uint32_t>(ring->iova));
        registers.write32(block + 4, static_cast<std::uint32_t>(ring->iova >> 32));
        registers.write32(block + 8, 1024);
        registers.write32(block + 0x28, 1u << 25);
        await(registers, clock, block + 0x28, 1u << 25, 1u << 25);
    }
    registers.write32(0x8d00, 2);
    registers.write32(0x3000, 1);
    registers.write32(0x8d00, 0);
}

void give(const rings& memory, std::uint32_t index) {
    const std::uint64_t descriptor[2] = {memory.iova(index % 64), 0};
    std::memcpy(rings::word(memory.receive, index), descriptor, sizeof descriptor);
}

// Frames out by one thread and in by another, while the card works on a third.
TEST(threaded_card, carries_frames_between_two_threads) {
    threaded_card owner({.link_delay = 100'000});
    const rings memory(owner);
    bring_up(owner, memory);
    const auto frames = static_cast<std::uint32_t>(random_steps::count(2000, 200));

    std::thread sender([&] {
        auto registers = owner.registers();
        std::uint32_t reported = 0;
        for (std::uint32_t i = 0; i != frames;) {
            while (reported != i &&
                   (hardware::read_from_device(rings::word(memory.send, reported)[3]) & 1) != 0)
                ++reported;
            if (i - reported == 63) {
                std::this_thread::yield();
                continue;
            }
            std::byte* bytes = memory.bytes(64 + i % 64);
            std::memset(bytes, static_cast<int>(i), 100);
            std::memcpy(bytes + 20, &i, sizeof i);
            std::uint32_t* words = rings::word(memory.send, i);
            words[0] = static_cast<std::uint32_t>(memory.iova(64 + i % 64));
            words[1] = static_cast<std::uint32_t>(memory.iova(64 + i % 64) >> 32);
            words[2] = 0x2b30'0000 | 100;
            words[3] = 100u << 14;
            ++i;
            registers.doorbell32(0x6018, i % 64);
        }
    });

    auto registers = owner.registers();
    for (std::uint32_t i = 0; i != 63; ++i)
        give(memory, i);
    registers.doorbell32(0x1018, 63);
    for (std::uint32_t i = 0; i != frames; ++i) {
        std::uint32_t* words = rings::word(memory.receive, i);
        while ((hardware::read_from_device(words[2]) & 1) == 0)
            std::this_thread::yield();
        ASSERT_EQ(words[3] & 0xffff, 100u);
        std::uint32_t number = 0;
        std::memcpy(&number, memory.bytes(i % 64) + 20, sizeof number);
        ASSERT_EQ(number, i);
        give(memory, i + 63);
        registers.doorbell32(0x1018, (i + 64) % 64);
    }
    sender.join();
    EXPECT_GE(registers.read32(0x4080), frames); // GPTC, and what it began with
    owner.stop();
    owner.on_card([](card& model) {
        for (const auto& each : model.faults().records())
            ADD_FAILURE() << each;
    });
}

TEST(threaded_card, answers_several_threads) {
    threaded_card owner;
    std::vector<std::thread> readers;
    std::atomic<unsigned> right{0};
    for (std::uint32_t queue = 0; queue != 4; ++queue)
        readers.emplace_back([&, queue] {
            auto registers = owner.registers();
            for (std::uint32_t i = 0; i != 200; ++i) {
                registers.write32(0x2100 + 4 * queue, i);
                right.fetch_add(registers.read32(0x2100 + 4 * queue) == i, std::memory_order_relaxed);
            }
        });
    for (std::thread& each : readers)
        each.join();
    EXPECT_EQ(right.load(std::memory_order_relaxed), 800u);
}

TEST(threaded_card, has_traffic_of_its_own_and_answers_after_its_end) {
    std::uint32_t turns = 0; // the card's thread alone looks at it, until that ends
    threaded_card owner({}, [&](card&) { ++turns; });
    const std::uint32_t before = owner.on_card([&](card&) { return turns; });
    while (owner.on_card([&](card&) { return turns; }) == before) {
    }
    owner.stop();
    EXPECT_GT(turns, before);
    EXPECT_EQ(owner.registers().read32(0x8) & 1u << 19, 1u << 19);
}

} // namespace
