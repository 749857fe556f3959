// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "noria/wire/ethernet.hpp"

#include "offsets.hpp"
#include "register_file.hpp"

namespace model82599 {

// Which frames are for us: 82599 section 7.1.1, "packet filtering".
class address_filter {
  public:
    explicit address_filter(const register_file& registers) noexcept : registers_(registers) {}

    // Precondition: frame.size() >= 14.
    [[nodiscard]] bool passes(std::span<const std::byte> frame) const noexcept {
        noria::mac_address to{};
        std::memcpy(to.bytes.data(), frame.data(), to.bytes.size());
        return destination_passes(to) && vlan_passes(frame);
    }

  private:
    static constexpr unsigned multicast_promiscuous = 8;
    static constexpr unsigned unicast_promiscuous = 9;
    static constexpr unsigned broadcast_accept = 10;

    [[nodiscard]] bool destination_passes(const noria::mac_address& to) const noexcept {
        const bool broadcast = std::ranges::all_of(to.bytes, [](std::uint8_t byte) { return byte == 0xff; });
        if (broadcast)
            return registers_.bit(at::fctrl, broadcast_accept) ||
                   registers_.bit(at::fctrl, multicast_promiscuous);
        if (to.is_multicast())
            return registers_.bit(at::fctrl, multicast_promiscuous) || is_own(to) ||
                   (registers_.bit(at::mcstctrl, 2) && in_multicast_table(to));
        return registers_.bit(at::fctrl, unicast_promiscuous) || is_own(to);
    }

    // RAL and RAH: byte 0 lowest, bit 31 says valid.
    [[nodiscard]] bool is_own(const noria::mac_address& to) const noexcept {
        const std::uint32_t low = to.bytes[0] | std::uint32_t{to.bytes[1]} << 8 |
                                  std::uint32_t{to.bytes[2]} << 16 | std::uint32_t{to.bytes[3]} << 24;
        const std::uint32_t high = to.bytes[4] | std::uint32_t{to.bytes[5]} << 8;
        for (std::uint32_t i = 0; i != 128; ++i)
            if (registers_[at::ral + 8 * i + 4] >> 31 != 0 && registers_[at::ral + 8 * i] == low &&
                (registers_[at::ral + 8 * i + 4] & 0xffff) == high)
                return true;
        return false;
    }

    // 12 bits of the last two bytes, which ones MCSTCTRL 1:0 says; the upper 7 are the register of MTA, the
    // lower 5 its bit.
    [[nodiscard]] bool in_multicast_table(const noria::mac_address& to) const noexcept {
        constexpr unsigned shift[] = {4, 3, 2, 0};
        const std::uint32_t last = to.bytes[4] | std::uint32_t{to.bytes[5]} << 8;
        const std::uint32_t place = last >> shift[registers_.field(at::mcstctrl, 1, 0)] & 0xfff;
        return registers_.bit(at::mta + 4 * (place >> 5), place & 31);
    }

    [[nodiscard]] bool vlan_passes(std::span<const std::byte> frame) const noexcept {
        const auto byte = [&](std::size_t i) { return std::to_integer<std::uint32_t>(frame[i]); };
        if (!registers_.bit(at::vlnctrl, 30) || frame.size() < 18 ||
            (byte(12) << 8 | byte(13)) != registers_.field(at::vlnctrl, 15, 0))
            return true;
        const std::uint32_t id = (byte(14) << 8 | byte(15)) & 0xfff;
        return registers_.bit(at::vfta + 4 * (id >> 5), id & 31);
    }

    const register_file& registers_;
};

} // namespace model82599
