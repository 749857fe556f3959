// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

// Where the registers are that the model does something with. The driver has a list of its own, made
// independently: a slip in one of them shows.

namespace model82599::at {

// General.
inline constexpr std::uint32_t ctrl = 0x0000;
inline constexpr std::uint32_t status = 0x0008;
inline constexpr std::uint32_t ctrl_ext = 0x0018;
inline constexpr std::uint32_t eec = 0x10010;
inline constexpr std::uint32_t eerd = 0x10014;
inline constexpr std::uint32_t swsm = 0x10140;
inline constexpr std::uint32_t fwsm = 0x10148;
inline constexpr std::uint32_t gssr = 0x10160;

// Interrupts.
inline constexpr std::uint32_t eicr = 0x0800;
inline constexpr std::uint32_t eics = 0x0808;
inline constexpr std::uint32_t eiac = 0x0810;
inline constexpr std::uint32_t eims = 0x0880;
inline constexpr std::uint32_t eimc = 0x0888;
inline constexpr std::uint32_t eiam = 0x0890;
inline constexpr std::uint32_t gpie = 0x0898;
inline constexpr std::uint32_t eics_ex = 0x0a90; // two of each
inline constexpr std::uint32_t eims_ex = 0x0aa0;
inline constexpr std::uint32_t eimc_ex = 0x0ab0;
inline constexpr std::uint32_t eiam_ex = 0x0ad0;
inline constexpr std::uint32_t ivar = 0x0900;
inline constexpr std::uint32_t ivar_misc = 0x0a00;
[[nodiscard]] constexpr std::uint32_t eitr(std::uint32_t vector) noexcept {
    return vector < 24 ? 0x0820 + 4 * vector : 0x12300 + 4 * (vector - 24);
}

// Link.
inline constexpr std::uint32_t hlreg0 = 0x4240;
inline constexpr std::uint32_t msca = 0x425c;
inline constexpr std::uint32_t msrwd = 0x4260;
inline constexpr std::uint32_t maxfrs = 0x4268;
inline constexpr std::uint32_t autoc = 0x42a0;
inline constexpr std::uint32_t links = 0x42a4;
inline constexpr std::uint32_t anlp1 = 0x42b0;

// Receive.
[[nodiscard]] constexpr std::uint32_t receive_ring(std::uint32_t queue) noexcept {
    return queue < 64 ? 0x1000 + 0x40 * queue : 0xd000 + 0x40 * (queue - 64);
}
[[nodiscard]] constexpr std::uint32_t srrctl(std::uint32_t queue) noexcept {
    return queue < 16 ? 0x2100 + 4 * queue : receive_ring(queue) + 0x14;
}
[[nodiscard]] constexpr std::uint32_t dca_rxctrl(std::uint32_t queue) noexcept {
    return queue < 16 ? 0x2200 + 4 * queue : receive_ring(queue) + 0x0c;
}
inline constexpr std::uint32_t rdrxctl = 0x2f00;
inline constexpr std::uint32_t rxctrl = 0x3000;
inline constexpr std::uint32_t rxpbsize = 0x3c00;
inline constexpr std::uint32_t rxcsum = 0x5000;
inline constexpr std::uint32_t fctrl = 0x5080;
inline constexpr std::uint32_t vlnctrl = 0x5088;
inline constexpr std::uint32_t mcstctrl = 0x5090;
inline constexpr std::uint32_t mta = 0x5200;
inline constexpr std::uint32_t psrtype = 0x5480;
inline constexpr std::uint32_t mrqc = 0x5818;
inline constexpr std::uint32_t reta = 0x5c00;
inline constexpr std::uint32_t rssrk = 0x5c80;
inline constexpr std::uint32_t secrxctrl = 0x8d00;
inline constexpr std::uint32_t secrxstat = 0x8d04;
inline constexpr std::uint32_t vfta = 0xa000;
// The first 16 answer at 0x5400 too; from there on other registers follow.
inline constexpr std::uint32_t ral = 0xa200;

// Transmit.
[[nodiscard]] constexpr std::uint32_t transmit_ring(std::uint32_t queue) noexcept {
    return 0x6000 + 0x40 * queue;
}
inline constexpr std::uint32_t rttdcs = 0x4900;
inline constexpr std::uint32_t dmatxctl = 0x4a80;
inline constexpr std::uint32_t dtxtcpflgl = 0x4a88;
inline constexpr std::uint32_t dtxtcpflgh = 0x4a8c;
inline constexpr std::uint32_t mtqc = 0x8120;
inline constexpr std::uint32_t dtxmxszrq = 0x8100;

// Within a ring of either direction.
inline constexpr std::uint32_t base_low = 0x00;
inline constexpr std::uint32_t base_high = 0x04;
inline constexpr std::uint32_t length = 0x08;
inline constexpr std::uint32_t head = 0x10;
inline constexpr std::uint32_t tail = 0x18;
inline constexpr std::uint32_t control = 0x28; // RXDCTL, TXDCTL
inline constexpr std::uint32_t head_write_back_low = 0x38;
inline constexpr std::uint32_t head_write_back_high = 0x3c;

} // namespace model82599::at
