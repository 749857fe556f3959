// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstdint>

#include "hardware/interrupts.hpp"
#include "hardware/registers.hpp"
#include "ixgbe/registers.hpp"
#include "ixgbe/rss.hpp"
#include "noria/core/clock.hpp"

// How the card calls, and how it is kept from calling all the time (7.3).
//
//   a frame is in memory --> EICR: cause of the queue's vector (IVAR) --> EIMS: is it let through?
//        --> EITR: has the time since the last one passed? --> MSI-X message, eventfd --> a poller's turn
//
// The message takes its cause back (EIAC) and masks itself (EIAM_EX with GPIE.EIAME): while somebody polls,
// the card is silent. Whoever finds the queue empty re-arms it with one write to EIMS_EX. A frame that came
// after the last look has set the cause again, so that write brings the message: no call is lost.

namespace ixgbe {

// The vectors of one card: vector n is that of receive queue n and transmit queue n; the one behind all
// queues' is for the rest, of which the link is let through.
template <hardware::register_space Registers, hardware::interrupt_source Source>
class interrupts {
  public:
    static constexpr bool masks_when_it_calls = true; // EIAM: see hardware/polled_vector.hpp

    // Set-up. Both outlive this.
    interrupts(Registers& registers, Source& source) noexcept : registers_(registers), source_(source) {}

    // Set-up, once: all vectors in one call, for that is how the kernel wants it. Then program().
    // Precondition: 1 to 16 queues.
    [[nodiscard]] noria::error open(std::uint32_t queues) noexcept {
        queues_ = queues;
        if (noria::error failed = source_.open(queues + 1); failed.code)
            return failed;
        program();
        return {};
    }

    // Set-up, and after each reset of the card. Everything is masked behind it, but for the link. (4.6.6)
    void program() noexcept {
        registers_.write32(reg::gpie::at, reg::gpie::msix_mode | reg::gpie::other_clear_disable |
                                              reg::gpie::auto_mask | reg::gpie::pba_support);
        for (std::uint32_t queue = 0; queue < queues_; queue += 2)
            registers_.write32(reg::ivar::at(queue),
                               entries_of(queue) | (queue + 1 < queues_ ? entries_of(queue + 1) : 0));
        registers_.write32(reg::ivar::misc, field(reg::ivar::valid | other_vector(), 8));
        registers_.write32(reg::eiac::at, all_vectors() & reg::eicr::queues);
        registers_.write32(reg::eiam_ex(0), all_vectors());
        for (std::uint32_t vector = 0; vector <= queues_; ++vector)
            set_interval(vector, intervals_[vector]);
        registers_.write32(reg::eims::at, reg::eicr::link_change);
    }

    // The card calls when there is something to be done for the queues of that vector, once: at once, if
    // there is already. One register write, which nobody waits for.
    void arm(std::uint32_t vector) noexcept { registers_.write32(reg::eims_ex(0), bit(vector)); }
    void mask(std::uint32_t vector) noexcept { registers_.write32(reg::eimc_ex(0), bit(vector)); }

    // At least so many ns from one call to the next, in steps of 2048, up to about 1 ms; 0 for none (7.3.2).
    // The time that runs already goes on. A reset of the card forgets it, and program() says it again.
    void set_interval(std::uint32_t vector, noria::nanoseconds least) noexcept {
        intervals_[vector] = least;
        const noria::nanoseconds most = reg::eitr::interval_mask >> 3;
        noria::nanoseconds steps = least / reg::eitr::interval_step + (least % reg::eitr::interval_step != 0);
        steps = steps < most ? steps : most;
        registers_.write32(reg::eitr::at(vector),
                           field(static_cast<std::uint32_t>(steps), 3) | reg::eitr::keep_counter);
    }

    // As if a frame had come: to see whether the way to the eventfd is open.
    void fire(std::uint32_t vector) noexcept { registers_.write32(reg::eics_ex(0), bit(vector)); }

    // When the other vector has called: did the link go or come? Takes the cause back.
    [[nodiscard]] bool link_changed() noexcept {
        const std::uint32_t causes = registers_.read32(reg::eicr::at);
        return causes != all_ones && (causes & reg::eicr::link_change) != 0;
    }

    // What to wait on. Read it empty before the turn that it calls for.
    [[nodiscard]] int fd(std::uint32_t vector) const noexcept { return source_.fd(vector); }
    [[nodiscard]] std::uint32_t other_vector() const noexcept { return queues_; }

  private:
    // Both directions of a queue, in its half of the register.
    [[nodiscard]] static std::uint32_t entries_of(std::uint32_t queue) noexcept {
        const std::uint32_t entry = reg::ivar::valid | queue;
        return field(entry, 8 * reg::ivar::receive_byte(queue)) |
               field(entry, 8 * reg::ivar::transmit_byte(queue));
    }
    [[nodiscard]] std::uint32_t all_vectors() const noexcept { return (std::uint32_t{1} << queues_) - 1; }

    Registers& registers_;
    Source& source_;
    std::uint32_t queues_ = 0;
    std::array<noria::nanoseconds, rss_queues + 1> intervals_{};
};

} // namespace ixgbe
