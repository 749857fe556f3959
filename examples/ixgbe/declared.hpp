// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "hardware/checked.hpp"
#include "ixgbe/registers.hpp"
#include "ixgbe/statistics.hpp"

// Every register that this driver uses, and how it may be used (the access column of 8.2.3): for
// hardware::checked, which stops all that is not here.

namespace ixgbe {

namespace detail {

// `count` of them, `step` bytes apart.
struct declared_registers {
    std::uint32_t first;
    std::uint32_t count;
    std::uint32_t step;
    hardware::use how;
};

inline constexpr hardware::use rw = hardware::use::read_write;
inline constexpr hardware::use ro = hardware::use::read_only;
inline constexpr hardware::use wo = hardware::use::write_only;

constexpr declared_registers one(std::uint32_t offset, hardware::use how = rw) {
    return {offset, 1, 4, how};
}
constexpr declared_registers some(several of, std::uint32_t count, hardware::use how = rw) {
    return {of.first, count, of.step, how};
}
// A register of the lower 64 receive queues, and of the others.
constexpr declared_registers lower(of_receive_queue of, std::uint32_t from = 0) {
    return {of(from), 64 - from, 0x40, rw};
}
constexpr declared_registers upper(of_receive_queue of) {
    return {of(64), 64, 0x40, rw};
}
constexpr declared_registers sending(of_transmit_queue of) {
    return {of(0), 128, 0x40, rw};
}

inline constexpr declared_registers declared_table[] = {
    one(reg::ctrl::at),
    one(reg::status::at, ro),
    one(reg::ctrl_ext::at),
    one(reg::eec::at),
    // Interrupts.
    one(reg::eicr::at),
    one(reg::eics::at, wo),
    one(reg::eims::at),
    one(reg::eimc::at, wo),
    one(reg::eiac::at),
    one(reg::eiam::at),
    some(reg::eics_ex, 2, wo),
    some(reg::eims_ex, 2),
    some(reg::eimc_ex, 2, wo),
    some(reg::eiam_ex, 2),
    one(reg::gpie::at),
    {reg::eitr::at(0), 24, 4, rw},
    {reg::eitr::at(24), 40, 4, rw},
    {reg::ivar::at(0), 64, 4, rw},
    one(reg::ivar::misc),
    // Filters and spreading.
    one(reg::fctrl::at),
    one(reg::vlnctrl::at),
    one(reg::mcstctrl::at),
    one(reg::rxcsum::at),
    one(reg::rfctl::at),
    some(reg::psrtype::at, 64),
    some(reg::ral, reg::addresses.count),
    some(reg::rah, reg::addresses.count),
    some(reg::mta, hardware::group_registers),
    some(reg::vfta, 128),
    one(reg::mrqc::at),
    some(reg::reta, 32),
    some(reg::rssrk, 10),
    // Receive.
    lower(reg::rdbal),
    upper(reg::rdbal),
    lower(reg::rdbah),
    upper(reg::rdbah),
    lower(reg::rdlen),
    upper(reg::rdlen),
    lower(reg::rdh),
    upper(reg::rdh),
    lower(reg::rdt),
    upper(reg::rdt),
    lower(reg::rxdctl::at),
    upper(reg::rxdctl::at),
    {reg::srrctl::at.first, 16, 4, rw},
    lower(reg::srrctl::at.others, 16),
    upper(reg::srrctl::at.others),
    {reg::dca_rxctrl::at.first, 16, 4, rw},
    lower(reg::dca_rxctrl::at.others, 16),
    upper(reg::dca_rxctrl::at.others),
    one(reg::rdrxctl::at),
    some(reg::rxpbsize, 8),
    one(reg::rxctrl::at),
    one(reg::secrxctrl::at),
    one(reg::secrxstat::at, ro),
    // Transmit.
    one(reg::dtxmxszrq),
    one(reg::dmatxctl::at),
    one(reg::dtxtcpflgl::at),
    one(reg::rttdcs::at),
    one(reg::mtqc),
    some(reg::txpbsize, 8),
    some(reg::txpbthresh, 8),
    sending(reg::tdbal),
    sending(reg::tdbah),
    sending(reg::tdlen),
    sending(reg::tdh),
    sending(reg::tdt),
    sending(reg::txdctl::at),
    // The MAC and its counters.
    one(reg::hlreg0::at),
    one(reg::maxfrs::at),
    one(reg::autoc::at),
    one(reg::links::at, ro),
    some(reg::mpc, 8, ro),
    some(reg::qprdc, 16, ro),
    some(reg::qprc, 16, ro),
    some(reg::qptc, 16, ro),
    some(reg::qbrc, 16, ro),
    {reg::qbrc.first + 4, 16, reg::qbrc.step, ro},
    some(reg::qbtc, 16, ro),
    {reg::qbtc.first + 4, 16, reg::qbtc.step, ro},
    {reg::gorc, 4, 4, ro},
    {reg::tor, 2, 4, ro},
    some(reg::rqsmr, 32),
    some(reg::tqsm, 32),
};

} // namespace detail

struct declared {
    [[nodiscard]] static constexpr hardware::use of(std::uint32_t offset) noexcept {
        for (const detail::declared_registers& each : detail::declared_table) {
            const std::uint32_t from_first = offset - each.first;
            if (offset >= each.first && from_first % each.step == 0 && from_first / each.step < each.count)
                return each.how;
        }
        for (const hardware::counter_register& each : counter_registers)
            if (each.offset == offset)
                return hardware::use::read_only;
        return hardware::use::nothing;
    }

    // In between only CTRL and STATUS answer (4.2.1.6).
    [[nodiscard]] static constexpr bool begins_reset(std::uint32_t offset, std::uint32_t value) noexcept {
        return offset == reg::ctrl::at && (value & both_resets) != 0;
    }
    [[nodiscard]] static constexpr bool ends_reset(std::uint32_t offset, std::uint32_t value) noexcept {
        return offset == reg::ctrl::at && (value & both_resets) == 0;
    }
    [[nodiscard]] static constexpr bool during_reset(std::uint32_t offset) noexcept {
        return offset == reg::ctrl::at || offset == reg::status::at;
    }

  private:
    static constexpr std::uint32_t both_resets = reg::ctrl::device_reset | reg::ctrl::link_reset;
};

static_assert(hardware::declared_registers<declared>);

} // namespace ixgbe
