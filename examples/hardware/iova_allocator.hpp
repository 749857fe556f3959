// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <span>

#include "noria/core/contract.hpp"

namespace hardware {

// Addresses from `first` to `last`, both included: a range may end where the numbers do.
struct iova_range {
    std::uint64_t first = 0;
    std::uint64_t last = 0;

    friend bool operator==(const iova_range&, const iova_range&) noexcept = default;
};

// Gives out the addresses under which a device sees memory: always the lowest place that fits. Where an IOMMU
// stands between, any address would do that it can translate, and our own pointers are no good choice: they
// have 47 bits, many IOMMUs have 39, and a pointer that a driver mistakes for an iova is better caught.
//
// Set-up, one thread. O(log n) in the number of pieces to give back, O(n) to find a place.
class iova_allocator {
  public:
    // Nothing below this is given out: an iova that was never set, or nearly not, hits nothing.
    static constexpr std::uint64_t lowest = 1 << 20;

    // `usable`: what the IOMMU translates, in any order; what overlaps counts once.
    explicit iova_allocator(std::span<const iova_range> usable) {
        for (const iova_range& each : usable)
            if (each.last >= lowest && each.first <= each.last)
                insert({std::max(each.first, lowest), each.last});
    }

    // The first of `bytes` addresses that nobody else has. Nothing when there is no such place. Precondition:
    // bytes is not 0, alignment is a power of two.
    [[nodiscard]] std::optional<std::uint64_t> allocate(std::uint64_t bytes, std::uint64_t alignment) {
        NORIA_EXPECTS(bytes != 0 && (alignment & (alignment - 1)) == 0 && alignment != 0,
                      "ask for at least one byte, at a power of two");
        for (const auto& [first, last] : free_) {
            const std::uint64_t before = -first & (alignment - 1);
            if (before > last - first || last - first - before < bytes - 1)
                continue;
            const iova_range whole{first, last};
            const iova_range taken{first + before, first + before + (bytes - 1)};
            free_.erase(first);
            if (taken.first != whole.first)
                free_[whole.first] = taken.first - 1;
            if (taken.last != whole.last)
                free_[taken.last + 1] = whole.last;
            return taken.first;
        }
        return std::nullopt;
    }

    // Precondition: they were given out, by one call or several, and are not free already.
    void release(std::uint64_t first, std::uint64_t bytes) {
        const iova_range back{first, first + (bytes - 1)};
        NORIA_EXPECTS(!touches_free(back), "these addresses are free already");
        insert(back);
    }

    // Does an area lie in what is free, all of it?
    [[nodiscard]] bool is_free(std::uint64_t first, std::uint64_t bytes) const {
        const auto behind = free_.upper_bound(first);
        return behind != free_.begin() && std::prev(behind)->second - first >= bytes - 1 &&
               std::prev(behind)->second >= first;
    }

    // What is free, in order; no two of them touch. `use` gets an iova_range.
    template <class Use>
    void for_each_free(Use use) const {
        for (const auto& [first, last] : free_)
            use(iova_range{first, last});
    }

  private:
    [[nodiscard]] bool touches_free(const iova_range& area) const {
        const auto behind = free_.upper_bound(area.last);
        return behind != free_.begin() && std::prev(behind)->second >= area.first;
    }

    // Together with what it touches or overlaps.
    void insert(iova_range more) {
        auto next = free_.upper_bound(more.first);
        if (next != free_.begin()) {
            const auto before = std::prev(next);
            if (before->second >= more.first || before->second + 1 == more.first) {
                more = {before->first, std::max(before->second, more.last)};
                free_.erase(before);
            }
        }
        while (next != free_.end() && (next->first <= more.last || next->first == more.last + 1)) {
            more.last = std::max(next->second, more.last);
            next = free_.erase(next);
        }
        free_[more.first] = more.last;
    }

    std::map<std::uint64_t, std::uint64_t> free_; // first -> last
};

} // namespace hardware
