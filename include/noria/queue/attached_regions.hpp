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
        known& place = known_[count_];
        place.dma = *std::move(attached);
        place.where.begin_ = memory.bytes().data();
        place.where.bytes_ = memory.bytes().size();
        place.where.iova_ = place.dma.iova_of(place.where.begin_);
        ++count_;
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

    // The region where the last piece lay, and the next one probably does too: for who posts many and looks
    // nothing up for them.
    class window {
      public:
        // Where in the region that is; not less than bytes() when it is not in there.
        [[nodiscard]] std::size_t offset_of(const std::byte* address) const noexcept {
            return static_cast<std::size_t>(address - begin_);
        }
        [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
        [[nodiscard]] std::uint64_t iova_at(std::size_t offset) const noexcept { return iova_ + offset; }

      private:
        friend class attached_regions;
        const std::byte* begin_ = nullptr;
        std::size_t bytes_ = 0;
        std::uint64_t iova_ = 0; // of the first byte
    };
    [[nodiscard]] const window& last() const noexcept { return last_->where; }
    // So many bytes there, of so many pieces, are for the device to read.
    void sync_last(std::uint64_t bytes, std::uint32_t pieces) noexcept {
        last_->dma.sync_for_device(bytes, pieces);
    }

  private:
    struct known {
        window where;
        mapping dma{{}, 0};

        [[nodiscard]] bool has(const std::byte* address) const noexcept {
            return where.offset_of(address) < where.bytes();
        }
    };

    // The device's address of what is about to be sent.
    [[nodiscard]] std::uint64_t iova_of(const std::byte* address, std::uint32_t length) noexcept {
        const known* const behind = known_.data() + count_;
        if (!last_->has(address))
            for (last_ = known_.data(); !last_->has(address) && last_ + 1 < behind;)
                ++last_;
        last_->dma.sync_for_device(length);
        return last_->dma.iova_of(address); // which stops the program if that is not it either
    }

    std::uint32_t count_ = 0;
    std::array<known, most_regions> known_;
    known* last_ = known_.data();
};

} // namespace noria::inline NORIA_ABI
