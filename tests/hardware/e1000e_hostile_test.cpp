// SPDX-License-Identifier: BSL-1.0
// What the driver of the 82574 makes of a card that writes anything.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <gtest/gtest.h>

#include "e1000e/driver.hpp"
#include "hardware/e1000e_quiet_card.hpp"
#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"
#include "support/random.hpp"

namespace {

using namespace noria;
using namespace e1000e_test;

template <class Strategy>
class e1000e_hostile : public testing::Test {};
using per_packet_strategies = testing::Types<per_packet, per_packet_copybreak, page_attach, build_around>;
TYPED_TEST_SUITE(e1000e_hostile, per_packet_strategies);

// The card writes anything into any descriptor, at any time. What comes of it is packets of bytes that are
// there, or drops, and no buffer goes missing; the sanitizer looks on.
TYPED_TEST(e1000e_hostile, may_write_anything) {
    random_steps random;
    quiet_card card;
    plain_memory memory;
    fast_clock clock;
    using driver_type = e1000e::driver<quiet_card, plain_memory, fast_clock>;
    auto driver = driver_type::open(card, memory, clock);
    ASSERT_TRUE(driver) << driver.error().advice;
    using queue_type = rx_queue<typename driver_type::receive_queue_type, TypeParam>;
    constexpr rx_options options{
        .descriptors = 32, .packets = 100, .frame_bytes = 4096, .geometry = {.page_bytes = 8192}};
    auto packets = region::map({.bytes = queue_type::region_bytes(options), .best = backing::plain_pages});
    ASSERT_TRUE(packets);
    auto made = queue_type::create((*driver)->receive(), *packets, options);
    ASSERT_TRUE(made) << made.error().advice;
    queue_type queue = *std::move(made);
    ASSERT_FALSE((*driver)->start().code);
    e1000e::descriptor* const ring = memory.ring(0);
    const std::uint32_t size = card.values[reg::rdlen] / 16;

    const std::uint64_t wanted = random_steps::count(60'000, 10'000);
    std::uint64_t delivered = 0;
    std::uint64_t bytes = 0;
    std::uint64_t resets = 0;
    for (std::uint64_t done = 0; done < wanted;) {
        for (std::uint32_t i = random.below(size); i != 0; --i) {
            e1000e::descriptor& any = ring[random.below(size)];
            for (std::uint32_t& word : any.words)
                word = random.one_in(3) ? random.below(1u << 31) * 2 + random.below(2) : word;
            any.words[2] |= random.below(4); // DD, EOP
            if (random.one_in(2))
                any.words[3] = any.words[3] >> 16 << 16 | random.below(2049);
        }
        done += queue.poll(64, [&](packet_ptr packet) noexcept {
            ++delivered;
            ASSERT_LE(packet->size(), 4096u);
            std::array<std::byte, 4096> copy; // reads every byte
            ASSERT_TRUE(packet->copy_bits(0, std::span(copy).first(packet->size())));
            bytes += packet->size();
        });
        if (random.one_in(100)) {
            ++resets;
            ASSERT_FALSE((*driver)->reset().code);
            while (queue.poll(64, [&](packet_ptr) noexcept { ++delivered; }) != 0) {
            }
            ASSERT_FALSE((*driver)->start().code);
        }
        ASSERT_EQ(queue.packets_out(), 0u);
        ASSERT_LT(card.values[reg::rdt], size);
    }
    EXPECT_GT(resets, 0u);
    EXPECT_GT(delivered, 0u);
    EXPECT_EQ(queue.counters().delivered, delivered);
    EXPECT_GE(queue.counters().bytes, bytes);
    EXPECT_GT(queue.drops().of(drop_reason::device_error), 0u);
    EXPECT_EQ(queue.counters().refused, 0u) << "a completion names what was posted, whatever the card says";
}

} // namespace
