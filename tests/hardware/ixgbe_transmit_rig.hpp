// SPDX-License-Identifier: BSL-1.0
#pragma once

// A card with a transmit queue of Noria, and memory for packets to be sent.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/ixgbe_rig.hpp"
#include "support/transmit.hpp"

namespace ixgbe_test {

using tx_type = noria::tx_queue<transmit_backend>;

class ixgbe_transmit : public testing::Test {
  protected:
    explicit ixgbe_transmit(const ixgbe::options& wanted = {}) : c(wanted) {}
    ~ixgbe_transmit() override {
        if (tx) {
            static_cast<void>(c.driver->stop());
            tx->complete(~0u);
            tx.reset();
        }
        EXPECT_EQ(memory.out(), sending_memory::nothing);
        c.expect_no_faults();
    }

    tx_type& start(const noria::tx_options& options = {.descriptors = 64}) {
        tx.emplace(need(tx_type::create(c.driver->transmit(0), memory.memory(), options)));
        c.start();
        return *tx;
    }
    std::vector<bytes> sent() {
        std::vector<bytes> frames;
        c.card.take_sent([&](std::span<const std::byte> frame, std::uint32_t) {
            frames.emplace_back(frame.begin(), frame.end());
        });
        return frames;
    }
    // A packet with those bytes, some of them in fragments.
    noria::packet_ptr packet_of(const bytes& frame, std::uint32_t linear) {
        std::vector<std::uint32_t> lengths;
        for (std::size_t left = frame.size() - linear; left != 0; left -= lengths.back())
            lengths.push_back(static_cast<std::uint32_t>(std::min<std::size_t>(left, 500)));
        noria::packet_ptr made = memory.make(linear, lengths);
        std::size_t at = 0;
        made->for_each_piece(0, made->size(), [&](std::byte* to, std::size_t n) noexcept {
            std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(at), n, to);
            at += n;
        });
        return made;
    }
    static bytes padded(bytes frame) {
        frame.resize(std::max<std::size_t>(frame.size(), 60));
        return frame;
    }

    opened_card c;
    sending_memory memory;
    std::optional<tx_type> tx;
};

inline constexpr std::uint32_t whole = noria::transmit_report::sent | noria::transmit_report::memory_free;
inline constexpr std::uint32_t never = noria::transmit_report::error | noria::transmit_report::memory_free;
inline constexpr std::uint32_t longest = ixgbe::longest_jumbo - 4; // and a CRC

// The backend alone, with posts that are written by hand.
class ixgbe_transmit_ring : public testing::Test {
  protected:
    ~ixgbe_transmit_ring() override { c.expect_no_faults(); }

    void start(std::uint32_t descriptors) {
        expect_ok(c.driver->stop());
        ASSERT_TRUE(queue.configure_transmit({.descriptors = descriptors, .most_pieces = 18}));
        c.start();
    }
    noria::transmit_post post(std::uint32_t id, std::uint32_t size, std::uint32_t at = 0) const {
        return {.iova = dma.iova_of(memory.bytes().data() + at),
                .id = id,
                .length = size,
                .packet_bytes = size,
                .flags = noria::transmit_post::end_of_packet};
    }
    std::uint32_t tail() { return c.card.behind()[0x6018]; }
    std::size_t frames_sent() {
        std::size_t frames = 0;
        c.card.take_sent([&](std::span<const std::byte>, std::uint32_t) { ++frames; });
        return frames;
    }
    // All reports that are there.
    std::vector<noria::transmit_report> reap(std::uint32_t at_a_time = 16) {
        std::vector<noria::transmit_report> all;
        std::array<noria::transmit_report, 16> some;
        while (const std::uint32_t n = queue.reap_sent(std::span(some).first(at_a_time)))
            all.insert(all.end(), some.begin(), some.begin() + n);
        return all;
    }

    opened_card c;
    transmit_backend& queue = c.driver->transmit(0);
    noria::region memory = need(noria::region::map({.bytes = 1 << 16, .best = noria::backing::plain_pages}));
    noria::mapping dma = need(queue.attach(memory));
};

} // namespace ixgbe_test
