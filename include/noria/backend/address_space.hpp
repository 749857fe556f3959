// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/memory/mapping.hpp"
#include "noria/memory/region.hpp"

namespace noria::inline NORIA_ABI::backend {

// What a card in software can reach, at addresses of its own, as behind an IOMMU. They begin where no pointer
// does: mixing the two up shows at once. It knows the last 8 regions it was told of, and a region by the same
// address however often it is told; the addresses of one that it forgot are nobody's ever after. Told of a
// region while the card is at rest, asked by any thread.
class address_space {
  public:
    [[nodiscard]] mapping attach(region& memory) noexcept {
        const std::span<std::byte> bytes = memory.bytes();
        std::uint64_t number = told_ < known_.size() ? 0 : told_ - known_.size();
        while (number != told_ &&
               (numbered(number).data() != bytes.data() || numbered(number).size() != bytes.size()))
            ++number;
        if (number == told_) {
            ++told_;
            known_[number % known_.size()] = bytes;
        }
        return mapping(bytes, first_iova * (number + 1));
    }

    // Our address of [iova, iova + length), or null where an IOMMU would stop the card.
    [[nodiscard]] std::byte* address_of(std::uint64_t iova, std::uint64_t length) const noexcept {
        const std::uint64_t number = iova / first_iova - 1;
        const std::uint64_t offset = iova % first_iova;
        if (number >= told_ || told_ - number > known_.size())
            return nullptr;
        const std::span<std::byte> bytes = numbered(number);
        if (offset > bytes.size() || length > bytes.size() - offset)
            return nullptr;
        return bytes.data() + offset;
    }

  private:
    static constexpr std::uint64_t first_iova = std::uint64_t{1} << 40;

    [[nodiscard]] std::span<std::byte> numbered(std::uint64_t number) const noexcept {
        return known_[number % known_.size()];
    }

    std::array<std::span<std::byte>, 8> known_;
    std::uint64_t told_ = 0; // of so many regions; each has its number
};

} // namespace noria::inline NORIA_ABI::backend
