// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "hardware/dma_space.hpp"
#include "hardware/iova_allocator.hpp"
#include "hardware/vfio/container.hpp"
#include "noria/core/bits.hpp"
#include "noria/memory/region.hpp"

namespace vfio {

// What the devices of a container can reach: memory for rings, and the regions packets lie in. Each region is
// mapped as a whole and once, at addresses of its own: with huge pages under it, and at a multiple of their
// size, the IOMMU needs one entry for 2 MiB. Set-up, one thread. Nothing stays mapped when it goes, so the
// devices are stopped before.
class memory {
  public:
    // Precondition: the container has a group.
    explicit memory(container& iommu) noexcept : iommu_(&iommu), addresses_(iommu.ranges()) {}
    memory(memory&&) = delete;
    ~memory() {
        for (const mapped& each : mapped_)
            iommu_->unmap(each.iova, each.bytes.size());
    }

    // Models hardware::dma_space.
    [[nodiscard]] noria::result<hardware::dma_memory> allocate(std::size_t bytes,
                                                               std::size_t alignment) noexcept {
        std::size_t begin = noria::round_up(used_, alignment);
        if (begin > rings_.size() || bytes > rings_.size() - begin) {
            auto more = noria::region::map({.bytes = bytes});
            if (!more)
                return more.error();
            auto at = map(more->bytes());
            if (!at)
                return at.error();
            rings_ = more->bytes();
            rings_iova_ = *at;
            own_.push_back(*std::move(more));
            begin = 0;
        }
        used_ = begin + bytes;
        return hardware::dma_memory{rings_.subspan(begin, bytes), rings_iova_ + begin};
    }

    // A region that is attached twice has one iova. Precondition: it outlives this, or is detached.
    [[nodiscard]] noria::result<noria::mapping> attach(noria::region& region) noexcept {
        for (const mapped& each : mapped_)
            if (each.bytes.data() == region.bytes().data() && each.bytes.size() == region.bytes().size())
                return noria::mapping(each.bytes, each.iova);
        const auto at = map(region.bytes());
        if (!at)
            return at.error();
        return noria::mapping(region.bytes(), *at);
    }

    // The devices see it no more; what they still write to its addresses, the IOMMU stops.
    void detach(const noria::region& region) noexcept {
        for (std::size_t i = 0; i != mapped_.size(); ++i)
            if (mapped_[i].bytes.data() == region.bytes().data()) {
                iommu_->unmap(mapped_[i].iova, mapped_[i].bytes.size());
                addresses_.release(mapped_[i].iova, mapped_[i].bytes.size());
                mapped_.erase(mapped_.begin() + static_cast<std::ptrdiff_t>(i));
                return;
            }
    }

    [[nodiscard]] const hardware::iova_allocator& addresses() const noexcept { return addresses_; }

  private:
    struct mapped {
        std::span<std::byte> bytes;
        std::uint64_t iova = 0;
    };

    [[nodiscard]] noria::result<std::uint64_t> map(std::span<std::byte> bytes) noexcept {
        const auto at = addresses_.allocate(bytes.size(), noria::region::huge_page_bytes);
        if (!at)
            return noria::make_error(std::errc::not_enough_memory,
                                     "the IOMMU has no `wanted` addresses left: attach less", bytes.size());
        if (noria::error failed = iommu_->map(bytes, *at); failed.code) {
            addresses_.release(*at, bytes.size());
            return failed;
        }
        mapped_.push_back({bytes, *at});
        return *at;
    }

    container* iommu_;
    hardware::iova_allocator addresses_;
    std::vector<noria::region> own_; // for rings,
    std::span<std::byte> rings_;     // the last of them,
    std::uint64_t rings_iova_ = 0;
    std::size_t used_ = 0; // and how much of it is out
    std::vector<mapped> mapped_;
};

static_assert(hardware::dma_space<memory>);

} // namespace vfio
