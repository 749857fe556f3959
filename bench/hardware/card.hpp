// SPDX-License-Identifier: BSL-1.0
#pragma once

// The model of a card with its cost taken out: it moves descriptors and no frames, it works only when told
// to, and what a driver writes to a tail goes where a mapped register would be, by one store.

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include "hardware/model/card.hpp"
#include "hardware/registers.hpp"
#include "ixgbe/registers.hpp"
#include "noria/core/result.hpp"

namespace bench::hardware_costs {

// Nothing can be measured without what was to be made.
template <class T>
T need(noria::result<T> made) {
    if (!made)
        throw std::runtime_error(made.error().advice);
    return *std::move(made);
}
inline void need(const noria::error& failed) {
    if (failed.code)
        throw std::runtime_error(failed.advice);
}

// A tail that is written reaches the card at once, which counts it; or when tell() is called, so that a timed
// section holds the driver's store and nothing of the model.
enum class tails : std::uint8_t { at_once, when_told };

template <tails Reach>
class card_registers {
  public:
    explicit card_registers(model82599::card& card) : card_(card), memory_(bytes), mapped_(memory_) {}
    card_registers(const card_registers&) = delete;
    card_registers& operator=(const card_registers&) = delete;

    [[nodiscard]] std::uint32_t read32(std::uint32_t offset) noexcept { return card_.read32(offset); }
    void write32(std::uint32_t offset, std::uint32_t value) noexcept { card_.write32(offset, value); }
    void doorbell32(std::uint32_t offset, std::uint32_t value) noexcept {
        if constexpr (Reach == tails::at_once)
            card_.write32(offset, value);
        else
            mapped_.doorbell32(offset, value);
    }

    // Hands the card the tails of these two queues.
    void tell(std::uint32_t receive, std::uint32_t transmit) noexcept {
        if constexpr (Reach == tails::when_told)
            for (const std::uint32_t offset : {ixgbe::reg::rdt(receive), ixgbe::reg::tdt(transmit)})
                card_.write32(offset, mapped_.read32(offset));
    }

  private:
    static constexpr std::size_t bytes = std::size_t{128} << 10;

    model82599::card& card_;
    std::vector<std::byte> memory_;
    hardware::mapped_registers mapped_;
};
static_assert(hardware::register_space<card_registers<tails::when_told>>);

// A card whose frames are those that the wire is given, and go nowhere when they are sent.
class quiet_card : public model82599::card {
  public:
    quiet_card() : card({.tick = 20'000, .link_delay = 1'000'000, .moves_bytes = false}) {
        wire_to([](std::span<const std::byte>, std::uint32_t) {});
    }
    // So many frames of 60 bytes lie in memory behind this, and what was sent is reported.
    void work(std::uint32_t frames) {
        for (std::uint32_t i = 0; i != frames; ++i)
            if (wire_in(frame_) != model82599::arrival::queued)
                throw std::runtime_error("the model has no room for a burst of frames");
        step();
        if (buffer().frames() != 0 || !faults().records().empty())
            throw std::runtime_error("the model found a fault in what the driver did");
    }

  private:
    // To all, and of a type that nobody looks into.
    static constexpr std::array<std::byte, 60> frame_ = [] {
        std::array<std::byte, 60> made{};
        for (std::size_t i = 0; i != 6; ++i)
            made[i] = std::byte{0xff};
        made[12] = std::byte{0x88};
        made[13] = std::byte{0xb5};
        return made;
    }();
};

} // namespace bench::hardware_costs
