// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstdint>

#include "hardware/qtest/connection.hpp"
#include "hardware/registers.hpp"
#include "noria/core/bits.hpp"
#include "noria/core/device_order.hpp"

namespace qtest {

// A device's configuration space, through the two ports every PC has had since 1992 (PCI 3.0, section
// 3.2.2.3.2). No firmware runs in our machine: what it would have set up is set up here.
class pci_function {
  public:
    static constexpr std::uint32_t bars = 6;

    // `slot` on bus 0.
    pci_function(connection& to, std::uint32_t slot) noexcept
        : qemu_(&to), select_(0x8000'0000u | slot << 11) {}

    [[nodiscard]] std::uint32_t read32(std::uint32_t offset) noexcept {
        qemu_->write("outl", 0xcf8, select_ | offset);
        return qemu_->read("inl", 0xcfc);
    }
    void write32(std::uint32_t offset, std::uint32_t value) noexcept {
        qemu_->write("outl", 0xcf8, select_ | offset);
        qemu_->write("outl", 0xcfc, value);
    }

    // Gives each base address register its place, memory from `memory` on and ports from `ports` on, and lets
    // the device answer there and reach our memory. (PCI 3.0, section 6.2.5.1: a register reads back with
    // zeros in the bits that its size leaves no choice about.)
    void place(std::uint64_t memory, std::uint32_t ports) noexcept {
        for (std::uint32_t bar = 0; bar != bars; ++bar) {
            const std::uint32_t at = first_bar + 4 * bar;
            const std::uint32_t sizes = sizes_of(at);
            if (sizes == 0)
                continue;
            const bool is_ports = (sizes & 1) != 0;
            // A place of 64 bits: its upper half is the register behind it, and no place of its own.
            const bool is_wide = !is_ports && (sizes & 6) == 4;
            const std::uint32_t upper = is_wide ? sizes_of(at + 4) : ~0u;
            const std::uint64_t bytes = ~(std::uint64_t{upper} << 32 | (sizes & (is_ports ? ~3u : ~15u))) + 1;
            std::uint64_t& next = is_ports ? next_port_ : next_memory_;
            if (next == 0)
                next = is_ports ? ports : memory;
            next = noria::round_up(next, bytes);
            places_[bar] = next;
            write32(at, static_cast<std::uint32_t>(next));
            if (is_wide) {
                write32(at + 4, static_cast<std::uint32_t>(next >> 32));
                ++bar;
            }
            next += bytes;
        }
        constexpr std::uint32_t answer_ports = 1, answer_memory = 2, bus_master = 4;
        write32(command, answer_ports | answer_memory | bus_master);
    }
    [[nodiscard]] std::uint64_t place_of(std::uint32_t bar) const noexcept { return places_[bar]; }

    // Where a capability is in the configuration space; 0 when it has none of that kind (section 6.7). Not
    // more steps than there is room for.
    [[nodiscard]] std::uint32_t capability(std::uint32_t kind) noexcept {
        std::uint32_t at = read32(0x34) & 0xfc;
        for (int steps = 0; at >= 0x40 && steps != 48; ++steps) {
            const std::uint32_t head = read32(at);
            if ((head & 0xff) == kind)
                return at;
            at = head >> 8 & 0xfc;
        }
        return 0;
    }

  private:
    static constexpr std::uint32_t command = 0x04, first_bar = 0x10;

    // What a base address register makes of all ones.
    [[nodiscard]] std::uint32_t sizes_of(std::uint32_t bar) noexcept {
        write32(bar, ~0u);
        return read32(bar);
    }

    connection* qemu_;
    std::uint32_t select_;
    std::uint64_t next_memory_ = 0, next_port_ = 0;
    std::array<std::uint64_t, bars> places_{};
};

// A card's registers behind the socket.
class registers {
  public:
    registers(connection& to, std::uint64_t base) noexcept : qemu_(&to), base_(base) {}

    [[nodiscard]] std::uint32_t read32(std::uint32_t offset) noexcept {
        return qemu_->read("readl", base_ + offset);
    }
    void write32(std::uint32_t offset, std::uint32_t value) noexcept {
        qemu_->write("writel", base_ + offset, value);
    }
    void doorbell32(std::uint32_t offset, std::uint32_t value) noexcept {
        noria::coherent_device_order::to_device();
        write32(offset, value);
    }

  private:
    connection* qemu_;
    std::uint64_t base_;
};

static_assert(hardware::register_space<registers>);

} // namespace qtest
