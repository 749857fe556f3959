// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/core/contract.hpp"

namespace noria::inline NORIA_ABI {

// What making memory known to a device would have cost: calls and bytes. Where caches are coherent and there
// is no IOMMU these calls are free, and on other machines they are the price of a strategy; so they are
// counted even where nothing has to be done.
struct dma_counters {
    std::uint64_t maps = 0;
    // Calls and bytes of one kind are not neighbours: g++ makes one vector addition of two that are, which
    // takes twice the instructions of two plain ones.
    std::uint64_t syncs_for_cpu = 0;
    std::uint64_t syncs_for_device = 0;
    std::uint64_t unmaps = 0;
    std::uint64_t bytes_for_cpu = 0;
    std::uint64_t bytes_for_device = 0;
};

// A region made known to one device: where its bytes are for us, and where they are for the device (the
// iova). Belongs to the thread that drives the queue.
class mapping {
  public:
    mapping(std::span<std::byte> bytes, std::uint64_t iova) noexcept : bytes_(bytes), iova_(iova) {
        ++counters_.maps;
    }

    // The device's address of `address`, which lies in the region.
    [[nodiscard]] std::uint64_t iova_of(const std::byte* address) const noexcept {
        NORIA_EXPECTS(address >= bytes_.data() && address < bytes_.data() + bytes_.size(),
                      "this address is not in the mapped region: the device cannot reach it");
        return iova_ + static_cast<std::uint64_t>(address - bytes_.data());
    }

    // Our address of [iova, iova + length), or null when any of it is outside: what a device says is not
    // trusted.
    [[nodiscard]] std::byte* address_of(std::uint64_t iova, std::uint64_t length) const noexcept {
        const std::uint64_t offset = iova - iova_;
        if (iova < iova_ || offset > bytes_.size() || length > bytes_.size() - offset)
            return nullptr;
        return bytes_.data() + offset;
    }

    // Before the processor reads what the device wrote, and before the device may write again.
    void sync_for_cpu(std::uint32_t bytes) noexcept {
        ++counters_.syncs_for_cpu;
        counters_.bytes_for_cpu += bytes;
    }
    void sync_for_device(std::uint64_t bytes, std::uint64_t times = 1) noexcept { // in all of so many calls
        counters_.syncs_for_device += times;
        counters_.bytes_for_device += bytes;
    }

    // A strategy that maps a buffer for one packet only says so here.
    void map_buffer(std::uint64_t times = 1) noexcept { counters_.maps += times; }
    void unmap_buffer() noexcept { ++counters_.unmaps; }

    [[nodiscard]] const dma_counters& counters() const noexcept { return counters_; }

  private:
    std::span<std::byte> bytes_;
    std::uint64_t iova_;
    dma_counters counters_;
};

} // namespace noria::inline NORIA_ABI
