// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <system_error>

#include <sys/eventfd.h>
#include <unistd.h>

#include "noria/core/clock.hpp"
#include "noria/core/result.hpp"

#include "offsets.hpp"
#include "register_file.hpp"

namespace model82599 {

// From a cause to a message, 82599 section 7.3. A queue's event sets the cause of the vector that IVAR names;
// a cause that is not masked sends the vector's message, once, not before EITR lets it; and sending may clear
// the cause (EIAC) and mask it (EIAM with GPIE.EIAME) by itself. So nothing that comes in between is lost: it
// sets the cause again, and who unmasks is called at once.
//
// EICR has room for 16 vectors and the causes that are no queue's. Vectors 16 to 63 have the registers _EX
// alone, and always clear themselves.
class interrupt_block {
  public:
    static constexpr std::uint32_t most_vectors = 64;
    // Causes that are no queue's, bits of EICR.
    static constexpr unsigned receive_miss = 17;
    static constexpr unsigned link_change = 20;
    static constexpr unsigned timer = 30;

    explicit interrupt_block(register_file& registers) noexcept : registers_(registers) { fds_.fill(-1); }
    interrupt_block(const interrupt_block&) = delete;
    interrupt_block& operator=(const interrupt_block&) = delete;
    ~interrupt_block() {
        for (const int fd : fds_)
            if (fd >= 0)
                ::close(fd);
    }

    // hardware::interrupt_source.
    [[nodiscard]] noria::error open(std::uint32_t vectors) noexcept {
        if (vectors == 0 || vectors > most_vectors || opened_ != 0)
            return noria::make_error(std::errc::invalid_argument,
                                     "the card's vectors are opened once, all together, 1 to 64 of them",
                                     most_vectors, vectors);
        for (std::uint32_t vector = 0; vector != vectors; ++vector)
            if (fds_[vector] = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); fds_[vector] < 0)
                return noria::make_error(std::errc::too_many_files_open,
                                         "no eventfd for each vector: raise ulimit -n");
        opened_ = vectors;
        return {};
    }
    [[nodiscard]] int fd(std::uint32_t vector) const noexcept { return fds_[vector]; }
    [[nodiscard]] std::uint32_t vectors() const noexcept { return opened_; }

    // Something happened that the queue's vector is to tell.
    void receive_event(std::uint32_t queue) noexcept { queue_event(queue, 0); }
    void transmit_event(std::uint32_t queue) noexcept { queue_event(queue, 1); }
    void other_event(unsigned cause) noexcept { other_causes_ |= std::uint32_t{1} << cause; }

    [[nodiscard]] std::uint32_t read(std::uint32_t offset) noexcept {
        switch (offset) {
        case at::eicr: {
            const std::uint32_t causes = low(queue_causes_) | other_causes_;
            other_causes_ = 0;
            if (!other_clear_disable())
                queue_causes_ &= ~std::uint64_t{0xffff};
            mask_after_eicr();
            forget_fallen();
            return causes;
        }
        case at::eims:
            return low(queue_mask_) | other_mask_;
        case at::eims_ex:
        case at::eims_ex + 4:
            return half(queue_mask_, offset);
        case at::eiam:
            return low(queue_auto_mask_) | other_auto_mask_;
        case at::eiam_ex:
        case at::eiam_ex + 4:
            return half(queue_auto_mask_, offset);
        default: // EITR
            return registers_[offset];
        }
    }

    void write(std::uint32_t offset, std::uint32_t value) noexcept {
        const std::uint64_t queues = value & 0xffff;
        const std::uint32_t others = value & 0x7fff'0000;
        const std::uint64_t extended = std::uint64_t{value} << (offset % 8 == 0 ? 0 : 32);
        switch (offset) {
        case at::eicr:
            queue_causes_ &= ~queues;
            other_causes_ &= ~others;
            mask_after_eicr();
            break;
        case at::eics:
            queue_causes_ |= queues;
            other_causes_ |= others;
            break;
        case at::eims:
            queue_mask_ |= queues;
            other_mask_ |= others;
            break;
        case at::eimc:
            queue_mask_ &= ~queues;
            other_mask_ &= ~others;
            break;
        case at::eiam:
            queue_auto_mask_ = (queue_auto_mask_ & ~std::uint64_t{0xffff}) | queues;
            other_auto_mask_ = others;
            break;
        case at::eics_ex:
        case at::eics_ex + 4:
            queue_causes_ |= extended;
            break;
        case at::eims_ex:
        case at::eims_ex + 4:
            queue_mask_ |= extended;
            break;
        case at::eimc_ex:
        case at::eimc_ex + 4:
            queue_mask_ &= ~extended;
            break;
        case at::eiam_ex:
        case at::eiam_ex + 4:
            queue_auto_mask_ =
                (queue_auto_mask_ & ~(std::uint64_t{0xffff'ffff} << (offset % 8 == 0 ? 0 : 32))) | extended;
            break;
        default: // EITR: bit 31 leaves the time that is running alone
            registers_[offset] = value & 0x7fff'ffff;
            if (value >> 31 == 0)
                not_before_[vector_of_eitr(offset)] = 0;
        }
        forget_fallen();
    }

    // Sends what is due.
    void work(noria::nanoseconds now) {
        for (std::uint64_t due = waiting(); due != 0; due &= due - 1) {
            const auto vector = static_cast<std::uint32_t>(std::countr_zero(due));
            if (vector < opened_ && now >= not_before_[vector])
                send(vector, now);
        }
    }

    // The vectors that have something to tell and have not: held back by EITR, or not open. What stands in
    // the card's pending bits (PBA).
    [[nodiscard]] std::uint64_t waiting() const noexcept { return level() & ~told_; }
    // Messages sent so far.
    [[nodiscard]] std::uint64_t sent(std::uint32_t vector) const noexcept { return sent_[vector]; }

    void reset() noexcept {
        queue_causes_ = queue_mask_ = queue_auto_mask_ = told_ = 0;
        other_causes_ = other_mask_ = other_auto_mask_ = 0;
        not_before_ = {};
    }

  private:
    [[nodiscard]] bool msix() const noexcept { return registers_.bit(at::gpie, 4); }
    [[nodiscard]] bool other_clear_disable() const noexcept { return registers_.bit(at::gpie, 5); }
    [[nodiscard]] bool auto_mask_on_message() const noexcept { return registers_.bit(at::gpie, 30); }

    [[nodiscard]] static std::uint32_t low(std::uint64_t queues) noexcept {
        return static_cast<std::uint32_t>(queues & 0xffff);
    }
    [[nodiscard]] static std::uint32_t half(std::uint64_t queues, std::uint32_t offset) noexcept {
        return static_cast<std::uint32_t>(queues >> (offset % 8 == 0 ? 0 : 32));
    }
    [[nodiscard]] static std::uint32_t vector_of_eitr(std::uint32_t offset) noexcept {
        return (offset < at::eitr(24) ? (offset - at::eitr(0)) / 4 : 24 + (offset - at::eitr(24)) / 4) %
               most_vectors;
    }

    void queue_event(std::uint32_t queue, unsigned direction) noexcept {
        const std::uint32_t entry =
            registers_[at::ivar + 4 * (queue / 2)] >> (8 * ((queue & 1) * 2 + direction)) & 0xff;
        if ((entry & 0x80) != 0)
            queue_causes_ |= std::uint64_t{1} << (entry & (msix() ? 0x3f : 0x0f));
    }

    // A vector's line: up while a cause is set and not masked.
    [[nodiscard]] std::uint64_t level() const noexcept {
        std::uint64_t up = queue_causes_ & queue_mask_;
        const std::uint32_t others = other_causes_ & other_mask_;
        if (!msix()) // one message for all
            return up != 0 || others != 0 ? 1 : 0;
        for (const unsigned byte : {0u, 1u}) { // of IVAR_MISC: the timer, everything else
            const std::uint32_t entry = registers_[at::ivar_misc] >> (8 * byte) & 0xff;
            const std::uint32_t asked = others & (byte == 0 ? 1u << timer : ~(1u << timer));
            if (asked != 0 && (entry & 0x80) != 0)
                up |= std::uint64_t{1} << (entry & 0x3f);
        }
        return up;
    }

    // A line that fell and rises again is told again.
    void forget_fallen() noexcept { told_ &= level(); }

    void send(std::uint32_t vector, noria::nanoseconds now) {
        static_cast<void>(::eventfd_write(fds_[vector], 1));
        ++sent_[vector];
        // 11:3 in steps of 2.048 us.
        const std::uint64_t interval = registers_.field(at::eitr(vector), 11, 3);
        not_before_[vector] = interval == 0 ? 0 : now + interval * 2048;
        told_ |= std::uint64_t{1} << vector;
        const std::uint64_t own = std::uint64_t{1} << vector;
        if (msix()) {
            const std::uint64_t auto_clear = registers_[at::eiac] | ~std::uint64_t{0xffff};
            const std::uint64_t causes = queue_causes_ & own;
            queue_causes_ &= ~(own & auto_clear);
            if (auto_mask_on_message()) {
                queue_mask_ &= ~(causes & queue_auto_mask_);
                if (causes == 0)
                    other_mask_ &= ~(other_causes_ & other_auto_mask_);
            }
        }
        forget_fallen();
    }

    void mask_after_eicr() noexcept {
        if (auto_mask_on_message())
            return;
        queue_mask_ &= ~queue_auto_mask_;
        other_mask_ &= ~other_auto_mask_;
    }

    register_file& registers_;
    std::uint64_t queue_causes_ = 0; // a bit a vector
    std::uint64_t queue_mask_ = 0;
    std::uint64_t queue_auto_mask_ = 0;
    std::uint32_t other_causes_ = 0; // bits 30:16 of EICR
    std::uint32_t other_mask_ = 0;
    std::uint32_t other_auto_mask_ = 0;
    std::uint64_t told_ = 0; // lines that are up and whose message has gone
    std::uint32_t opened_ = 0;
    std::array<int, most_vectors> fds_;
    std::array<std::uint64_t, most_vectors> sent_{};
    std::array<noria::nanoseconds, most_vectors> not_before_{};
};

} // namespace model82599
