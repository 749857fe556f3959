// SPDX-License-Identifier: BSL-1.0
#pragma once

// Registers and memory in which nobody lives: what the driver of the 82574 writes is seen in them, and a test
// answers in the card's place.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "e1000e/descriptors.hpp"
#include "e1000e/registers.hpp"
#include "hardware/dma_space.hpp"
#include "noria/core/clock.hpp"
#include "noria/memory/mapping.hpp"
#include "noria/memory/region.hpp"

namespace e1000e_test {

namespace reg = e1000e::reg;

// Registers that keep what is written, and say in what order that was. ICR clears.
struct quiet_card {
    std::uint32_t read32(std::uint32_t offset) noexcept {
        const std::uint32_t value = values[offset];
        if (offset == reg::icr)
            values[offset] = 0;
        if (offset == reg::ctrl::at) // a reset ends at once
            values[offset] &= ~reg::ctrl::device_reset;
        if (offset == reg::eecd::at)
            return reg::eecd::auto_read_done;
        return value;
    }
    void write32(std::uint32_t offset, std::uint32_t value) noexcept {
        writes.emplace_back(offset, value);
        values[offset] = value;
    }
    void doorbell32(std::uint32_t offset, std::uint32_t value) noexcept {
        ++doorbells;
        write32(offset, value);
    }
    std::vector<std::uint32_t> written_to(std::uint32_t offset) const {
        std::vector<std::uint32_t> all;
        for (const auto& [at, value] : writes)
            if (at == offset)
                all.push_back(value);
        return all;
    }

    std::map<std::uint32_t, std::uint32_t> values{{reg::rah(0), hardware::address_valid | 2},
                                                  {reg::ral(0), 2}};
    std::vector<std::pair<std::uint32_t, std::uint32_t>> writes;
    std::uint64_t doorbells = 0;
};

// Memory at iovas that are no pointers.
struct plain_memory {
    static constexpr std::uint64_t base = std::uint64_t{1} << 40;

    noria::result<hardware::dma_memory> allocate(std::size_t bytes, std::size_t alignment) noexcept {
        rings.emplace_back(std::make_unique<std::byte[]>(bytes + alignment), 0);
        auto& [memory, iova] = rings.back();
        const std::size_t before = -reinterpret_cast<std::uintptr_t>(memory.get()) & (alignment - 1);
        iova = reinterpret_cast<std::uintptr_t>(memory.get()) + before + base;
        return hardware::dma_memory{{memory.get() + before, bytes}, iova};
    }
    noria::result<noria::mapping> attach(noria::region& memory) noexcept {
        return noria::mapping(memory.bytes(), reinterpret_cast<std::uintptr_t>(memory.bytes().data()) + base);
    }
    e1000e::descriptor* ring(std::size_t which) {
        return reinterpret_cast<e1000e::descriptor*>(rings[which].second - base);
    }

    std::vector<std::pair<std::unique_ptr<std::byte[]>, std::uint64_t>> rings;
};

// Each look at it is a millisecond.
struct fast_clock {
    noria::nanoseconds now() noexcept { return time += 1'000'000; }
    noria::nanoseconds time = 0;
};

} // namespace e1000e_test
