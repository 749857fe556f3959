// SPDX-License-Identifier: BSL-1.0
// A card that lies: the driver and the queues on it read and write nothing but their buffers, lose nothing,
// and come to an end.
#include <algorithm>
#include <array>
#include <cstdint>

#include <gtest/gtest.h>

#include "support/hostile_82599.hpp"
#include "support/random.hpp"

namespace {

using namespace noria;

constexpr rx_options options{
    .descriptors = 64, .packets = 100, .frame_bytes = 9216, .geometry = ixgbe::geometry()};

template <class Strategy>
void live(random_steps& random, ixgbe::receive_mode mode, std::uint64_t completions) {
    rx_options wanted = options;
    // Whole buffers would be as long as a frame: then this is a queue without several of them.
    if (std::is_same_v<typename Strategy::supply, fresh_buffers>)
        wanted.frame_bytes = 2048;
    using queue_type = rx_queue<ixgbe::receive_queue<hostile_82599<random_steps>, hostile_82599<random_steps>,
                                                     hostile_82599<random_steps>>,
                                Strategy>;
    auto memory = region::map({.bytes = queue_type::region_bytes(wanted), .best = backing::plain_pages});
    ASSERT_TRUE(memory);
    std::uint64_t done = 0;
    while (done < completions && !testing::Test::HasFailure())
        done += live_with_hostile_82599<Strategy>(random, *memory, wanted, mode, completions / 4);
}

// 10,000,000 completions and reports in all, and no more where others take longer.
TEST(ixgbe_hostile, a_card_that_lies_harms_nobody) {
    random_steps random;
    for (const auto mode : {ixgbe::receive_mode::buffers, ixgbe::receive_mode::header_split}) {
        const auto each = std::min<std::uint64_t>(random_steps::count(1'250'000, 20'000), 1'250'000);
        live<per_packet>(random, mode, each);
        live<per_packet_copybreak>(random, mode, each);
        live<page_attach>(random, mode, each);
        live<build_around>(random, mode, each);
    }
}

// The end of a life is a few words of the card: many short lives, and all has come back after each.
TEST(ixgbe_hostile, a_card_that_lies_while_it_is_stopped_and_reset_keeps_nothing_unsaid) {
    random_steps random;
    const std::uint64_t lives = random_steps::count(1'000, 100);
    for (std::uint64_t i = 0; i != lives && !HasFailure(); ++i)
        live<build_around>(random, ixgbe::receive_mode::buffers, 64);
}

// It lies from the very first register on.
TEST(ixgbe_hostile, a_card_that_lies_from_the_beginning_ends_in_an_error_or_in_a_driver) {
    using card_type = hostile_82599<random_steps>;
    using driver_type = ixgbe::driver<card_type, card_type, card_type>;
    random_steps random;
    std::uint64_t opened = 0;
    const std::uint64_t tries = random_steps::count(200, 20);
    for (std::uint64_t i = 0; i != tries; ++i) {
        const auto card = std::make_unique<card_type>(random);
        card->hostile = true;
        auto made = driver_type::open(*card, *card, *card);
        opened += made.has_value();
        if (made) {
            static_cast<void>((*made)->receive(0).configure({.descriptors = 8, .buffer_bytes = 2048}));
            static_cast<void>((*made)->start());
        }
    }
    EXPECT_LT(opened, tries);
}

} // namespace
