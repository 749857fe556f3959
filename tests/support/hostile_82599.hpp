// SPDX-License-Identifier: BSL-1.0
#pragma once

// An 82599 that says what it likes: any length, index, status and DD in any descriptor at any time, any
// number in a counter, any bit in a register. It only ever writes to its rings and to buffers it was given,
// as far as it was told: an IOMMU would see to that.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "ixgbe/driver.hpp"
#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"
#include "noria/queue/tx_queue.hpp"

template <class Choices>
class hostile_82599 {
  public:
    static constexpr std::byte mark{0x5a};
    static constexpr std::uint32_t buffer_bytes = 2048;

    explicit hostile_82599(Choices& choices) noexcept : random_(choices) {}
    hostile_82599(const hostile_82599&) = delete;

    // Until then it is as good as any other card.
    bool hostile = false;

    // hardware::register_space.
    std::uint32_t read32(std::uint32_t offset) noexcept {
        if (hostile && random_.one_in(2))
            return any();
        switch (offset) {
        case ixgbe::reg::ctrl::at:
            return std::exchange(values_[0], values_[0] & ~(1u << 26 | 1u << 3)); // through its reset
        case ixgbe::reg::status::at:
            return 0;
        case ixgbe::reg::eec::at:
        case ixgbe::reg::rdrxctl::at:
        case ixgbe::reg::secrxstat::at:
        case ixgbe::reg::links::at:
            return values_[offset / 4] | 1u << 9 | 1u << 3 | 1u << 0 | 1u << 30;
        case ixgbe::reg::rah(0):
            return 1u << 31 | 2;
        default:
            if (offset == ixgbe::reg::ral(0))
                return 2;
            if (offset == ixgbe::reg::tdh(0))
                return values_[ixgbe::reg::tdt(0) / 4];
            return values_[offset / 4 % values_.size()];
        }
    }
    void write32(std::uint32_t offset, std::uint32_t value) noexcept {
        ASSERT_LT(offset, 4 * values_.size());
        values_[offset / 4] = value;
    }
    void doorbell32(std::uint32_t offset, std::uint32_t value) noexcept {
        if (offset == ixgbe::reg::rdt(0)) {
            ASSERT_LT(value, length(ixgbe::reg::rdlen(0)));
            for (; given_ != value; given_ = (given_ + 1) % length(ixgbe::reg::rdlen(0)))
                fill_buffers(*descriptor_at(ixgbe::reg::rdbal(0), given_));
        } else {
            EXPECT_LT(value, length(ixgbe::reg::tdlen(0)));
        }
        write32(offset, value);
    }

    // hardware::dma_space.
    noria::result<hardware::dma_memory> allocate(std::size_t bytes, std::size_t) noexcept {
        auto memory = std::make_unique<ixgbe::descriptor[]>((bytes + 15) / 16);
        auto* const at = reinterpret_cast<std::byte*>(memory.get());
        const std::uint64_t iova = 0x1000 * (1 + rings_.size());
        rings_.push_back({std::move(memory), iova});
        return hardware::dma_memory{.bytes = {at, bytes}, .iova = iova};
    }
    noria::result<noria::mapping> attach(noria::region& memory) noexcept {
        packets_.emplace(memory.bytes(), std::uint64_t{1} << 40);
        return *packets_;
    }

    // noria::clock_source.
    noria::nanoseconds now() noexcept { return now_ += 50'000; }

    // Writes to a few descriptors of both rings: nearly what an honest card would, or not at all.
    void scribble(std::uint32_t most) noexcept {
        for (std::uint32_t n = random_.below(most + 1); n != 0; --n) {
            const std::uint32_t size = length(ixgbe::reg::rdlen(0));
            const bool next = !random_.one_in(4); // in order, or anywhere
            scribble_at_ = next ? (scribble_at_ + 1) % size : random_.below(size);
            ixgbe::descriptor& to = *descriptor_at(ixgbe::reg::rdbal(0), scribble_at_);
            to.words[0] = any();
            to.words[1] = any();
            to.words[3] = random_.one_in(4) ? any() : random_.below(buffer_bytes + 2);
            to.words[2] = random_.one_in(4) ? any() : 1 | random_.below(4) | random_.below(2) << 29;
        }
        for (std::uint32_t n = random_.below(most + 1); n != 0; --n) {
            const std::uint32_t size = length(ixgbe::reg::tdlen(0));
            ixgbe::descriptor& to = *descriptor_at(ixgbe::reg::tdbal(0), random_.below(size));
            to.words[random_.one_in(8) ? random_.below(4) : 3] = random_.one_in(2) ? any() : 1;
        }
    }

  private:
    struct ring {
        std::unique_ptr<ixgbe::descriptor[]> memory;
        std::uint64_t iova;
    };

    std::uint32_t any() noexcept {
        constexpr std::array<std::uint32_t, 8> edges{0, 1, 3, 2048, 0xffff, 0x7fff'ffff, 0x8000'0001, ~0u};
        return random_.one_in(2) ? edges[random_.below(edges.size())] : random_.below(~0u);
    }
    std::uint32_t length(std::uint32_t register_of_it) const noexcept {
        return values_[register_of_it / 4] / 16;
    }
    ixgbe::descriptor* descriptor_at(std::uint32_t base, std::uint32_t index) noexcept {
        const std::uint64_t iova = values_[base / 4] | std::uint64_t{values_[base / 4 + 1]} << 32;
        for (ring& each : rings_)
            if (each.iova == iova)
                return each.memory.get() + index;
        std::abort(); // the driver has forgotten to say where its ring is
    }
    void fill_buffers(const ixgbe::descriptor& given) noexcept {
        for (const unsigned low : {0u, 2u}) {
            const std::uint64_t iova = given.words[low] | std::uint64_t{given.words[low + 1]} << 32;
            if (low == 2 && iova == 0)
                continue; // headers are not split
            std::byte* const to = packets_->address_of(iova, buffer_bytes);
            ASSERT_NE(to, nullptr) << "a buffer that is not in the region, as long as it was said to be";
            std::fill_n(to, buffer_bytes, mark);
        }
    }

    Choices& random_;
    std::array<std::uint32_t, 0x20000 / 4> values_{};
    std::vector<ring> rings_;
    std::optional<noria::mapping> packets_;
    noria::nanoseconds now_ = 0;
    std::uint32_t given_ = 0;
    std::uint32_t scribble_at_ = 0;
};

// The driver, and queues of that strategy, on such a card, until so many completions and reports were worked
// off or there is nothing left to choose. The number of them.
template <class Strategy, class Choices>
std::uint64_t live_with_hostile_82599(Choices& choices, noria::region& memory,
                                      const noria::rx_options& options, ixgbe::receive_mode mode,
                                      std::uint64_t enough) {
    using card_type = hostile_82599<Choices>;
    using driver_type = ixgbe::driver<card_type, card_type, card_type>;
    const auto card = std::make_unique<card_type>(choices);
    auto opened = driver_type::open(*card, *card, *card, {.receive = {.mode = mode}});
    if (!opened) {
        ADD_FAILURE() << opened.error().advice;
        return 0;
    }
    noria::owned<driver_type> driver = *std::move(opened);
    auto rx = noria::rx_queue<typename driver_type::receive_queue_type, Strategy>::create(driver->receive(0),
                                                                                          memory, options);
    auto tx = noria::tx_queue<typename driver_type::transmit_queue_type>::create(driver->transmit(0), memory,
                                                                                 {.descriptors = 64});
    if (!rx || !tx || driver->start().code) {
        ADD_FAILURE() << "the card was still honest";
        return 0;
    }
    card->hostile = true;
    std::vector<noria::packet_ptr> held;
    std::vector<std::byte> bytes(options.frame_bytes);
    std::uint64_t done = 0;
    while (done < enough && !choices.used_up() && !testing::Test::HasFailure()) {
        card->scribble(48);
        done += rx->poll(choices.below(100), [&](noria::packet_ptr packet) noexcept {
            ASSERT_LE(packet->size(), options.frame_bytes);
            ASSERT_GE(packet->truesize(), packet->size());
            if (choices.one_in(8)) {
                ASSERT_TRUE(packet->copy_bits(0, std::span(bytes).first(packet->size())));
                const auto end = bytes.begin() + packet->size();
                EXPECT_TRUE(std::all_of(bytes.begin(), end, [](std::byte b) { return b == card_type::mark; }))
                    << "bytes that were never in a buffer";
            }
            if (choices.one_in(2) && tx->send(packet))
                return;
            if (held.size() < options.packets / 4)
                held.push_back(std::move(packet));
            else
                packet.free(noria::drop_reason::filter);
        });
        done += tx->complete(choices.below(80));
        if (choices.one_in(64))
            driver->read_statistics();
        while (!held.empty() && choices.one_in(2))
            held.pop_back();
        EXPECT_TRUE(tx->ledger().closes());
    }
    held.clear();
    // It obeys or does not: whatever it says, the driver comes to an end, and nothing is lost.
    noria::error failed = driver->stop();
    const auto hand_back = [&] {
        while (tx->complete(64) != 0) {
        }
        for (int i = 0; i != 4; ++i)
            static_cast<void>(rx->poll(64, [](noria::packet_ptr) noexcept {}));
    };
    hand_back();
    for (int i = 0; i != 4 && choices.one_in(2); ++i) {
        failed = choices.one_in(2) ? driver->reset() : driver->stop();
        hand_back();
    }
    // Only while nobody knows what the card still does may anything be kept: an error has said so, and the
    // queues do. The bus, which resets it from outside, has the last word.
    if (driver->receive(0).running() || driver->transmit(0).running()) {
        EXPECT_TRUE(failed.code) << "something is kept, and nobody was told";
        card->hostile = false;
        EXPECT_FALSE(driver->reset().code);
        hand_back();
    }
    EXPECT_EQ(tx->packets_out(), 0u);
    EXPECT_EQ(rx->packets_out(), 0u);
    EXPECT_EQ(rx->pinned_bytes(), 0u);
    return done;
}
