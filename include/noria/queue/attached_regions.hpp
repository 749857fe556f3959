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

    // Set-up. `memory` outlives this.
    template <attaches Backend>
    [[nodiscard]] error attach(Backend& device, region& memory) noexcept {
        if (count_ == most_regions)
            return make_error(std::errc::invalid_argument,
                              "a transmit queue knows at most 8 regions: map fewer, larger ones");
        auto attached = device.attach(memory);
        if (!attached)
            return attached.error();
        known_[count_].bytes = memory.bytes();
        known_[count_++].dma = *std::move(attached);
        return {};
    }

    // Writes a post for each piece of the packet. How many: pieces_of(sending), for which there is room.
    // Precondition: the packet is not empty, and all its bytes are in regions that were attached. O(pieces).
    std::uint32_t write_posts(const packet& sending, std::uint32_t id, std::span<transmit_post> to) noexcept {
        std::uint32_t written = 0;
        sending.for_each_piece(0, sending.size(), [&](const std::byte* address, std::size_t bytes) noexcept {
            mapping& dma = around(address);
            const auto length = static_cast<std::uint32_t>(bytes);
            dma.sync_for_device(length);
            to[written++] = {.iova = dma.iova_of(address),
                             .id = id,
                             .length = length,
                             .packet_bytes = sending.size(),
                             .flags = 0};
        });
        to[written - 1].flags = transmit_post::end_of_packet;
        return written;
    }

  private:
    struct known {
        std::span<std::byte> bytes;
        mapping dma{{}, 0};
    };

    [[nodiscard]] mapping& around(const std::byte* address) noexcept {
        std::uint32_t i = 0;
        while (i + 1 != count_ &&
               static_cast<std::size_t>(address - known_[i].bytes.data()) >= known_[i].bytes.size())
            ++i;
        return known_[i].dma; // which stops the program if the last is not it either
    }

    std::uint32_t count_ = 0;
    std::array<known, most_regions> known_;
};

} // namespace noria::inline NORIA_ABI
