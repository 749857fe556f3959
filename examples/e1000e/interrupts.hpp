// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstdint>

#include "e1000e/registers.hpp"
#include "hardware/interrupts.hpp"
#include "hardware/registers.hpp"
#include "noria/core/clock.hpp"

// How the card calls, and how it is kept from calling all the time (7.4).
//
//   a frame is in memory --> ICR: cause RXQ0 --> IMS: is it let through?
//        --> EITR: has the time since the last one passed? --> MSI-X message, eventfd --> a poller's turn
//
// The message takes its cause back (EIAC). Whoever is called masks the vector, polls until the queue is
// empty, and re-arms it with one write to IMS. A frame that came after the last look has set the cause again,
// so that write brings the message: no call is lost.
//
// The card can mask by itself when it calls (EIAME), and that stays off: QEMU then masks all vectors when one
// calls, and those whose turn it is not would wait for ever. It masks that one anyway, where silicon does
// not; so the vector is armed after every turn, which is right for both.

namespace e1000e {

// Vector 0 is that of both queues, vector 1 for the rest, of which the link is let through.
template <hardware::register_space Registers, hardware::interrupt_source Source>
class interrupts {
  public:
    static constexpr bool masks_when_it_calls = false; // see hardware/polled_vector.hpp

    // Set-up. Both outlive this.
    interrupts(Registers& registers, Source& source) noexcept : registers_(registers), source_(source) {}

    // Set-up, once: all vectors in one call, for that is how the kernel wants it. Then program().
    [[nodiscard]] noria::error open() noexcept {
        if (noria::error failed = source_.open(vectors); failed.code)
            return failed;
        program();
        return {};
    }

    // Set-up, and after each reset of the card. Everything is masked behind it, but for the link.
    void program() noexcept {
        namespace ivar = reg::ivar;
        const auto to = [](std::uint32_t vector, unsigned at) { return field(vector | ivar::valid, at); };
        registers_.write32(ivar::at, to(0, ivar::receive_queue) | to(0, ivar::transmit_queue) |
                                         to(other_vector(), ivar::other) | ivar::every_write_back);
        registers_.write32(reg::eiac, queue_causes);
        const std::uint32_t control = registers_.read32(reg::ctrl_ext::at);
        registers_.write32(reg::ctrl_ext::at, (control & ~(reg::ctrl_ext::auto_mask_by_message |
                                                           reg::ctrl_ext::auto_mask_by_read)) |
                                                  reg::ctrl_ext::pba_support);
        for (std::uint32_t vector = 0; vector != vectors; ++vector)
            set_interval(vector, intervals_[vector]);
        arm(other_vector());
    }

    // The card calls when there is something to be done for that vector, once: at once, if there is already.
    // One register write, which nobody waits for.
    void arm(std::uint32_t vector) noexcept { registers_.write32(reg::ims, causes_of(vector)); }
    void mask(std::uint32_t vector) noexcept { registers_.write32(reg::imc, causes_of(vector)); }

    // At least so many ns from one call to the next, in steps of 256, up to 16.7 ms; 0 for none (7.4.4).
    // A reset of the card forgets it, and program() says it again.
    void set_interval(std::uint32_t vector, noria::nanoseconds least) noexcept {
        intervals_[vector] = least;
        noria::nanoseconds steps = (least + reg::eitr::interval_step - 1) / reg::eitr::interval_step;
        steps = steps < reg::eitr::most_steps ? steps : reg::eitr::most_steps;
        registers_.write32(reg::eitr::at(vector), static_cast<std::uint32_t>(steps));
    }

    // As if its cause had come: to see whether the way to the eventfd is open.
    void fire(std::uint32_t vector) noexcept { registers_.write32(reg::ics, causes_of(vector)); }

    // When the other vector has called: did the link go or come? Takes the cause back, and arms it again.
    // Reading ICR clears all causes, also the one that a poller of the queues waits for: that is set again.
    [[nodiscard]] bool link_changed() noexcept {
        const std::uint32_t causes = registers_.read32(reg::icr);
        if (causes == all_ones)
            return false;
        // With MSI-X a read need not clear what has not been sent (7.4.5); a written 1 does.
        registers_.write32(reg::icr, causes & ~queue_causes);
        if ((causes & queue_causes) != 0)
            registers_.write32(reg::ics, causes & queue_causes);
        arm(other_vector());
        return (causes & reg::cause::link_change) != 0;
    }

    // What to wait on. Read it empty before the turn that it calls for.
    [[nodiscard]] int fd(std::uint32_t vector) const noexcept { return source_.fd(vector); }
    [[nodiscard]] static constexpr std::uint32_t other_vector() noexcept { return 1; }

  private:
    static constexpr std::uint32_t vectors = 2; // of the card's five
    static constexpr std::uint32_t queue_causes = reg::cause::receive_queue | reg::cause::transmit_queue;

    [[nodiscard]] static constexpr std::uint32_t causes_of(std::uint32_t vector) noexcept {
        return vector == 0 ? queue_causes : reg::cause::other | reg::cause::link_change;
    }

    Registers& registers_;
    Source& source_;
    std::array<noria::nanoseconds, vectors> intervals_{};
};

} // namespace e1000e
