// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <vector>

#include "noria/core/clock.hpp"

#include "dma_engine.hpp"
#include "offsets.hpp"
#include "register_file.hpp"

namespace model82599 {

// A ring of descriptors, of either direction, 82599 sections 7.1.9 and 7.2.1. The card owns those from its
// head up to the tail that software writes; where both are equal it owns none, so one place always stays
// empty. It fetches what it was given at once, as silicon does with up to 64, and notices when software
// changes a descriptor that is not its own any more.
class ring {
  public:
    ring(register_file& registers, fault_log& faults, dma_engine& dma, std::uint32_t offset,
         noria::nanoseconds latency) noexcept
        : registers_(registers), faults_(faults), dma_(dma), offset_(offset), latency_(latency) {}

    static constexpr std::uint32_t enable = 1u << 25;
    static constexpr std::uint32_t flush = 1u << 26; // SWFLSH, clears itself

    // A register of the ring, `place` bytes into its block. `may_start`: what else the queue needs is there.
    void write(std::uint32_t place, std::uint32_t value, bool may_start, noria::nanoseconds now) {
        std::uint32_t& cell = registers_[offset_ + place];
        switch (place) {
        case at::base_low:
        case at::base_high:
        case at::length:
            if (enabled_ || changing_)
                faults_.record(fault::ring_changed, offset_ + place, value);
            cell = value;
            break;
        case at::head:
            cell = value < size() || value == 0 ? value : 0;
            fetched_ = cell;
            break;
        case at::tail:
            ++doorbells_;
            if (value >= size() && value != 0)
                faults_.record(fault::tail_beyond_ring, offset_ + place, value);
            else
                cell = value;
            break;
        default: // control
            cell = (value & ~(enable | flush)) | (enabled_ ? enable : 0);
            if (((value & enable) != 0) != enabled_ && ((value & enable) == 0 || can_start(may_start))) {
                changing_ = true;
                changed_at_ = now + latency_;
            } else {
                changing_ = false;
            }
        }
    }

    // Becomes what it was asked to be. True if the queue has just started or stopped.
    bool work(noria::nanoseconds now) {
        if (!changing_ || now < changed_at_)
            return false;
        changing_ = false;
        enabled_ = !enabled_;
        registers_.set_bit(offset_ + at::control, 25, enabled_);
        broken_ = false;
        if (enabled_) {
            cached_.resize(size());
            fetched_ = head();
        }
        return true;
    }

    [[nodiscard]] bool enabled() const noexcept { return enabled_; }
    [[nodiscard]] bool changing() const noexcept { return changing_; }
    [[nodiscard]] std::uint32_t size() const noexcept { return registers_[offset_ + at::length] / 16; }
    [[nodiscard]] std::uint32_t head() const noexcept { return registers_[offset_ + at::head]; }
    // How many descriptors the card owns and can use.
    [[nodiscard]] std::uint32_t owned() const noexcept {
        const std::uint32_t tail = registers_[offset_ + at::tail];
        if (!enabled_ || broken_)
            return 0;
        return tail >= head() ? tail - head() : tail + size() - head();
    }
    // How often software wrote the tail.
    [[nodiscard]] std::uint64_t doorbells() const noexcept { return doorbells_; }

    // Takes what was given since the last time. `still_software` says of a descriptor that it never was
    // filled anew.
    template <class StillSoftware>
    void fetch(StillSoftware still_software) {
        const std::uint32_t tail = registers_[offset_ + at::tail];
        while (enabled_ && !broken_ && fetched_ != tail) {
            descriptor& into = cached_[fetched_];
            if (!dma_.fetch(address(fetched_), into)) {
                broken_ = true; // the whole queue stands still: its ring is not where it was said to be
                return;
            }
            if (still_software(into))
                faults_.record(fault::stale_descriptor, offset_, fetched_);
            fetched_ = next(fetched_);
        }
    }

    // The `ahead`th descriptor from the head. Precondition: fetched, and ahead < owned().
    [[nodiscard]] const descriptor& peek(std::uint32_t ahead = 0) {
        const std::uint32_t index = (head() + ahead) % size();
        descriptor now{};
        if (dma_.fetch(address(index), now) && now != cached_[index]) {
            faults_.record(fault::descriptor_changed, offset_, index);
            cached_[index] = now; // once is enough
        }
        return cached_[index];
    }
    // Where it is in memory.
    [[nodiscard]] std::uint64_t address_of_head() const noexcept { return address(head()); }

    // Gives the first descriptor back.
    void advance() noexcept { registers_[offset_ + at::head] = next(head()); }

    void reset() noexcept {
        enabled_ = changing_ = broken_ = false;
        fetched_ = 0;
    }

  private:
    [[nodiscard]] std::uint32_t next(std::uint32_t index) const noexcept {
        return index + 1 >= size() ? 0 : index + 1;
    }
    [[nodiscard]] std::uint64_t base() const noexcept {
        return registers_[offset_ + at::base_low] | std::uint64_t{registers_[offset_ + at::base_high]} << 32;
    }
    [[nodiscard]] std::uint64_t address(std::uint32_t index) const noexcept {
        return base() + std::uint64_t{16} * index;
    }
    [[nodiscard]] bool can_start(bool may_start) {
        const std::uint32_t length = registers_[offset_ + at::length];
        if (base() % 128 != 0 || length % 128 != 0 || length == 0) {
            faults_.record(fault::ring_misaligned, base(), length);
            return false;
        }
        if (!may_start)
            faults_.record(fault::queue_before_te, offset_);
        return may_start;
    }

    register_file& registers_;
    fault_log& faults_;
    dma_engine& dma_;
    std::uint32_t offset_; // of its block of registers
    noria::nanoseconds latency_;
    noria::nanoseconds changed_at_ = 0;
    std::vector<descriptor> cached_;
    std::uint32_t fetched_ = 0; // the first that was not fetched
    std::uint64_t doorbells_ = 0;
    bool enabled_ = false;
    bool changing_ = false;
    bool broken_ = false;
};

} // namespace model82599
