// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <span>

#include "noria/backend/contract.hpp"
#include "noria/backend/loopback.hpp"

namespace noria::inline NORIA_ABI::backend {

// Frames from memory, over and over, through a loopback device: a capture as if it came off the wire. A
// backend itself, with the device's two sides.
template <buffer_model Model>
class replay {
  public:
    static constexpr buffer_model model = Model;
    static constexpr bool in_order = true;

    // The frames and their bytes outlive it. Precondition: there is at least one.
    explicit replay(std::span<const wire_frame> frames, loopback_faults faults = {}) noexcept
        : frames_(frames), card_(faults) {
        NORIA_EXPECTS(!frames.empty(), "a replay needs at least one frame: look at what the capture gave");
    }

    // The queue's side.
    [[nodiscard]] result<mapping> attach(region& memory) noexcept { return card_.attach(memory); }
    [[nodiscard]] result<receive_setup> configure(const receive_setup& wanted) noexcept {
        return card_.configure(wanted);
    }
    [[nodiscard]] std::uint32_t post(std::span<const buffer_post> posts) noexcept {
        return card_.post(posts);
    }
    [[nodiscard]] std::uint32_t reap(std::span<completion> completions) noexcept {
        return card_.reap(completions);
    }

    [[nodiscard]] result<transmit_setup> configure_transmit(const transmit_setup& wanted) noexcept {
        return card_.configure_transmit(wanted);
    }
    [[nodiscard]] std::uint32_t transmit(std::span<const transmit_post> posts) noexcept {
        return card_.transmit(posts);
    }
    [[nodiscard]] std::uint32_t reap_sent(std::span<transmit_report> reports) noexcept {
        return card_.reap_sent(reports);
    }

    // The wire's side; where packets come out is card().sending(). Puts up to `most` frames on the wire, no
    // more than the card's FIFO has room for, so that none is missed, and lets the card run. How many frames
    // it moved to memory.
    std::uint32_t step(std::uint32_t most) noexcept {
        const std::uint32_t room = card_.fifo_room();
        send(most < room ? most : room);
        return card_.step();
    }
    // As a wire does it: `frames` arrive whether there is room or not.
    void send(std::uint32_t frames) noexcept {
        for (std::uint32_t i = 0; i != frames; ++i) {
            card_.offer(frames_[next_]);
            if (++next_ == frames_.size())
                next_ = 0;
        }
    }

    [[nodiscard]] loopback<Model>& card() noexcept { return card_; }
    [[nodiscard]] const loopback<Model>& card() const noexcept { return card_; }

  private:
    std::span<const wire_frame> frames_;
    std::size_t next_ = 0;
    loopback<Model> card_;
};

static_assert(check_backend<replay<buffer_model::per_packet>>());
static_assert(check_transmit<replay<buffer_model::per_packet>>());

} // namespace noria::inline NORIA_ABI::backend
