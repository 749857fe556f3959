// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace model82599 {

// The frame check sequence: IEEE 802.3-2022 clause 3.2.9, bit by bit into a table.
[[nodiscard]] inline std::uint32_t crc_of(std::span<const std::byte> frame) noexcept {
    static constexpr auto table = [] {
        std::array<std::uint32_t, 256> made{};
        for (std::uint32_t i = 0; i != made.size(); ++i) {
            std::uint32_t value = i;
            for (int bit = 0; bit != 8; ++bit)
                value = value >> 1 ^ ((value & 1) != 0 ? 0xedb8'8320 : 0);
            made[i] = value;
        }
        return made;
    }();
    std::uint32_t crc = ~std::uint32_t{0};
    for (const std::byte byte : frame)
        crc = crc >> 8 ^ table[(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xff];
    return ~crc;
}

// Lowest byte first. A damaged frame has another.
inline void append_crc(std::vector<std::byte>& frame, bool damaged) {
    const std::uint32_t crc = crc_of(frame) ^ (damaged ? 1u : 0u);
    for (int shift = 0; shift != 32; shift += 8)
        frame.push_back(static_cast<std::byte>(crc >> shift));
}

} // namespace model82599
