// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "noria/backend/transmit.hpp"
#include "noria/core/result.hpp"
#include "noria/memory/mapping.hpp"
#include "noria/memory/region.hpp"
#include "noria/packet/packet.hpp"

namespace noria::inline NORIA_ABI {

// The regions that packets to be sent may lie in, and the addresses by which the device knows them. One
// thread.
class attached_regions {
  public:
    // Several receive queues' say, when what came in is sent on.
    static constexpr std::uint32_t most_regions = 8;

    attached_regions() = default;
    attached_regions(const attached_regions&) = delete;
    attached_regions& operator=(const attached_regions&) = delete;

    // Set-up. `memory` outlives this.
    template <attaches Backend>
    [[nodiscard]] error attach(Backend& device, region& memory) noexcept {
        if (count_ == most_regions)
            return make_error(std::errc::invalid_argument,
                              "a transmit queue knows at most 8 regions: map fewer, larger ones");
        auto attached = device.attach(memory);
        if (!attached)
            return attached.error();
        known& place = known_[count_++];
        place.dma = *std::move(attached);
        place.where.begin_ = memory.bytes().data();
        place.where.bytes_ = memory.bytes().size();
        place.where.iova_ = place.dma.iova_of(place.where.begin_);
        place.where.dma_ = &place.dma;
        return {};
    }

    // Writes a post for each piece of the packet. How many: pieces_of(sending), for which there is room.
    // Precondition: the packet is not empty, and all its bytes are in regions that were attached. O(pieces).
    std::uint32_t write_posts(const packet& sending, std::uint32_t id, std::span<transmit_post> to) noexcept {
        std::uint32_t written = 0;
        sending.for_each_piece(0, sending.size(), [&](const std::byte* address, std::size_t bytes) noexcept {
            const auto length = static_cast<std::uint32_t>(bytes);
            to[written++] = {.iova = iova_of(address, length),
                             .id = id,
                             .length = length,
                             .packet_bytes = sending.size(),
                             .flags = 0};
        });
        to[written - 1].flags = transmit_post::end_of_packet;
        return written;
    }

    // One of the regions, for who posts many pieces that lie there: nothing is looked up for a piece, and all
    // of them are counted at once.
    class one_region {
      public:
        [[nodiscard]] bool has(const std::byte* address) const noexcept {
            return offset_of(address) < bytes_;
        }
        // Precondition: has(address).
        [[nodiscard]] std::uint64_t iova_of(const std::byte* address) const noexcept {
            return iova_ + offset_of(address);
        }
        // So many pieces there, of so many bytes in all, are for the device to read.
        void sync_for_device(std::uint32_t pieces, std::uint64_t bytes) const noexcept {
            dma_->sync_for_device(bytes, pieces);
        }

      private:
        friend class attached_regions;

        [[nodiscard]] std::size_t offset_of(const std::byte* address) const noexcept {
            return static_cast<std::size_t>(address - begin_);
        }

        const std::byte* begin_ = nullptr;
        std::size_t bytes_ = 0;
        std::uint64_t iova_ = 0; // of the first byte
        mapping* dma_ = nullptr;
    };
    // The one where the last piece lay, and the next one probably does too. Precondition: one was attached.
    [[nodiscard]] const one_region& last() const noexcept { return last_->where; }

  private:
    struct known {
        one_region where;
        mapping dma{{}, 0};
    };

    // The device's address of what is about to be sent.
    [[nodiscard]] std::uint64_t iova_of(const std::byte* address, std::uint32_t length) noexcept {
        const known* const behind = known_.data() + count_;
        if (!last_->where.has(address))
            for (last_ = known_.data(); !last_->where.has(address) && last_ + 1 < behind;)
                ++last_;
        last_->dma.sync_for_device(length);
        return last_->dma.iova_of(address); // which stops the program if that is not it either
    }

    std::uint32_t count_ = 0;
    std::array<known, most_regions> known_;
    known* last_ = known_.data();
};

} // namespace noria::inline NORIA_ABI
