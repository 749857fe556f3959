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
// address however often it is told. Told of a region while the card is at rest, asked by any thread.
class address_space {
  public:
    [[nodiscard]] mapping attach(region& memory) noexcept {
        const std::span<std::byte> bytes = memory.bytes();
        std::size_t place = 0;
        while (place != known_.size() &&
               (known_[place].data() != bytes.data() || known_[place].size() != bytes.size()))
            ++place;
        if (place == known_.size()) {
            place = next_;
            next_ = (next_ + 1) % known_.size();
            known_[place] = bytes;
        }
        return mapping(bytes, first_iova * (place + 1));
    }

    // Our address of [iova, iova + length), or null where an IOMMU would stop the card.
    [[nodiscard]] std::byte* address_of(std::uint64_t iova, std::uint64_t length) const noexcept {
        const std::uint64_t place = iova / first_iova - 1;
        const std::uint64_t offset = iova % first_iova;
        if (place >= known_.size() || offset > known_[place].size() || length > known_[place].size() - offset)
            return nullptr;
        return known_[place].data() + offset;
    }

  private:
    static constexpr std::uint64_t first_iova = std::uint64_t{1} << 40;

    std::array<std::span<std::byte>, 8> known_;
    std::size_t next_ = 0;
};

} // namespace noria::inline NORIA_ABI::backend
