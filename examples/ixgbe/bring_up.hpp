// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "hardware/addresses.hpp"
#include "hardware/registers.hpp"
#include "hardware/wait.hpp"
#include "ixgbe/registers.hpp"

// From a card in any state to one that is ready for queues, and back to rest: the steps of 4.6.3, in order.
// All are set-up: one thread, some milliseconds, and every wait has an end.

namespace ixgbe {

// What concerns the whole card and not one queue.
struct card_setup {
    std::uint32_t longest_frame = 1518; // bytes, CRC included; up to 9728, longer ones are dropped
    bool promiscuous = false;           // frames for others too
    bool all_multicast = false;
};

// Was this error the card's end? A register that has answered with all ones once may have been a bus that
// hiccups, and then the card reads and writes our memory as before: only who gets them again is to believe
// that it is gone.
template <hardware::register_space Registers>
[[nodiscard]] bool is_gone(const noria::error& failed, Registers& registers) noexcept {
    return failed.code == std::errc::no_such_device && registers.read32(reg::ctrl::at) == all_ones;
}

template <hardware::register_space Registers, noria::clock_source Clock>
class bring_up {
  public:
    bring_up(Registers& registers, Clock& clock) noexcept : registers_(registers), clock_(clock) {}

    // Steps 1 to 4: quiet, stopped, reset, and everything loaded that the card loads by itself.
    [[nodiscard]] noria::error reset() noexcept {
        if (last_reset_ == progress::ended)
            last_reset_ = progress::none;
        const std::uint32_t control = hardware::read_again_if_lost(registers_, reg::ctrl::at);
        if (control == all_ones)
            return gone();
        // One that is under way, this driver's or somebody's before it, ends first.
        if (last_reset_ == progress::under_way || (control & both_resets) != 0)
            static_cast<void>(await_reset());
        mask_interrupts(); // 4.6.3.1
        const bool rests = stop_dma();
        if (noria::error failed = pull_reset(); failed.code)
            return failed;
        // Requests that would not end may still be under way in the card; a second reset gets rid of them
        // (5.2.5.3.2).
        if (!rests)
            if (noria::error failed = pull_reset(); failed.code)
                return failed;
        mask_interrupts(); // the reset has undone the first time
        if (noria::error failed =
                wait_for(reg::eec::at, reg::eec::auto_read_done, 100 * millisecond,
                         "the card was expected to have loaded its EEPROM (EEC.ARD) 100 ms after a reset: "
                         "power the machine off and on, and see whether the EEPROM is intact");
            failed.code)
            return failed;
        return wait_for(reg::rdrxctl::at, reg::rdrxctl::dma_init_done, 100 * millisecond,
                        "the card was expected to have its DMA ready (RDRXCTL.DMAIDONE) 100 ms after a "
                        "reset: power the machine off and on");
    }

    // Behind reset(), whatever that said: may the card still use what it was given? Not when it was reset, or
    // when nobody answers any more, also when asked again.
    [[nodiscard]] bool may_use_memory() noexcept {
        return last_reset_ != progress::ended &&
               hardware::read_again_if_lost(registers_, reg::ctrl::at) != all_ones;
    }

    // No address is ours but the first, and no group or VLAN is let in (4.6.7).
    void clear_filter_tables() noexcept {
        hardware::clear_addresses(registers_, reg::addresses);
        for (std::uint32_t i = 0; i != 128; ++i)
            registers_.write32(reg::vfta(i), 0);
        registers_.write32(reg::mcstctrl::at, reg::mcstctrl::filter);
    }

    // Steps before the first queue: what the whole receive path shares (4.6.7). It stays off.
    void prepare_receive(const card_setup& setup) noexcept {
        clear(reg::rxctrl::at, reg::rxctrl::enable);
        set(reg::ctrl_ext::at, reg::ctrl_ext::no_snoop_disable);
        // All 512 KiB of packet memory for the one traffic class there is.
        registers_.write32(reg::rxpbsize(0), field(512, reg::packet_buffer_kib));
        for (std::uint32_t i = 1; i != 8; ++i)
            registers_.write32(reg::rxpbsize(i), 0);
        // The CRC is taken off, and both places that know of it have to agree (7.1.3).
        set(reg::hlreg0::at, reg::hlreg0::strip_crc | reg::hlreg0::jumbo);
        change(reg::rdrxctl::at, reg::rdrxctl::coalescing_first, reg::rdrxctl::crc_strip);
        registers_.write32(reg::maxfrs::at, field(setup.longest_frame, reg::maxfrs::bytes));
        set_filters(setup);
        // The hash of RSS where a fragment's checksum could be: one or the other (8.2.3.7.5).
        registers_.write32(reg::rxcsum::at, reg::rxcsum::hash_in_descriptor);
        // No coalescing of segments: who forwards must send what came. NFS is not looked for either.
        registers_.write32(reg::rfctl::at, reg::rfctl::coalescing_disable | reg::rfctl::nfs_write_disable |
                                               reg::rfctl::nfs_read_disable);
    }

    // What the whole transmit path shares (4.6.8). It runs from here on, with no queue yet: the card wants
    // it on before the first queue is.
    void prepare_transmit() noexcept {
        set(reg::hlreg0::at, reg::hlreg0::transmit_crc | reg::hlreg0::transmit_pad);
        set(reg::rttdcs::at, reg::rttdcs::arbiter_disable); // while the following changes
        registers_.write32(reg::mtqc, 0);                   // one traffic class, no virtualisation
        registers_.write32(reg::dtxmxszrq, 0xfff);
        registers_.write32(reg::txpbsize(0), field(160, reg::packet_buffer_kib));
        registers_.write32(reg::txpbthresh(0), 160 - 10); // KiB; a longest frame below
        for (std::uint32_t i = 1; i != 8; ++i) {
            registers_.write32(reg::txpbsize(i), 0);
            registers_.write32(reg::txpbthresh(i), 0);
        }
        clear(reg::rttdcs::at, reg::rttdcs::arbiter_disable);
        // FIN and PSH belong to the last segment of what is cut, CWR to the first: after a reset the ones in
        // the middle keep it.
        registers_.write32(reg::dtxtcpflgl::at,
                           field(0xff6, reg::dtxtcpflgl::first) | field(0xf76, reg::dtxtcpflgl::middle));
        set(reg::dmatxctl::at, reg::dmatxctl::enable);
    }

    // Which frames are let in, besides those for our address and to all. Any time.
    void set_filters(const card_setup& setup) noexcept {
        registers_.write32(
            reg::fctrl::at,
            reg::fctrl::accept_broadcast | (setup.promiscuous ? reg::fctrl::unicast_promiscuous : 0) |
                (setup.promiscuous || setup.all_multicast ? reg::fctrl::multicast_promiscuous : 0));
    }

    // Frames come in from here on. The security block sits in their way and must not look while the switch
    // is turned (4.6.7, workaround in RXCTRL.RXEN).
    [[nodiscard]] noria::error enable_receive() noexcept {
        set(reg::secrxctrl::at, reg::secrxctrl::receive_disable);
        noria::error failed =
            wait_for(reg::secrxstat::at, reg::secrxstat::ready, 10 * millisecond,
                     "the security block was expected to be empty (SECRXSTAT) after 10 ms: reset the card");
        if (!failed.code)
            set(reg::rxctrl::at, reg::rxctrl::enable);
        clear(reg::secrxctrl::at, reg::secrxctrl::receive_disable);
        return failed;
    }
    void disable_receive() noexcept { clear(reg::rxctrl::at, reg::rxctrl::enable); }

    // For the firmware: somebody looks after the card, or no longer does.
    void say_loaded(bool loaded) noexcept {
        change(reg::ctrl_ext::at, reg::ctrl_ext::driver_loaded, loaded ? reg::ctrl_ext::driver_loaded : 0);
    }

  private:
    // 8.2.3.5: a mask is cleared with EIMC and with nothing else; reading EICR forgets what has come.
    void mask_interrupts() noexcept {
        registers_.write32(reg::eimc::at, all_ones);
        registers_.write32(reg::eimc_ex(0), all_ones);
        registers_.write32(reg::eimc_ex(1), all_ones);
        static_cast<void>(registers_.read32(reg::eicr::at));
    }

    // 5.2.5.3.2, master disable: nothing of ours may be reached any more when somebody else gets the memory.
    // False: it did not come to rest.
    [[nodiscard]] bool stop_dma() noexcept {
        disable_receive();
        for (std::uint32_t queue = 0; queue != all_queues; ++queue) {
            registers_.write32(reg::txdctl::at(queue), reg::txdctl::flush);
            change(reg::rxdctl::at(queue), reg::rxdctl::enable, reg::rxdctl::flush);
        }
        hardware::let_pass(clock_, 2 * millisecond);
        set(reg::ctrl::at, reg::ctrl::gio_master_disable);
        return hardware::wait_until(registers_, reg::status::at, reg::status::gio_master_enabled, 0, clock_,
                                    80 * millisecond) == hardware::waited::met;
    }

    // 4.2.1.6: both resets at once, so that the link begins anew too. The bits say when it is over, and are
    // not to be looked at for a millisecond (8.2.3.1.1).
    [[nodiscard]] noria::error pull_reset() noexcept {
        last_reset_ = progress::none;
        const std::uint32_t control = hardware::read_again_if_lost(registers_, reg::ctrl::at);
        if (control == all_ones)
            return gone();
        last_reset_ = progress::under_way;
        registers_.write32(reg::ctrl::at, control | both_resets);
        hardware::let_pass(clock_, millisecond);
        return await_reset();
    }
    [[nodiscard]] noria::error await_reset() noexcept {
        if (noria::error failed = await(registers_, reg::ctrl::at, both_resets, 0, clock_, 10 * millisecond,
                                        "the card was expected to be through its reset (CTRL.RST) after 10 "
                                        "ms: power the machine off and on");
            failed.code)
            return failed;
        hardware::let_pass(clock_, 10 * millisecond); // before any other register is touched
        last_reset_ = progress::ended;
        return {};
    }

    [[nodiscard]] noria::error wait_for(std::uint32_t offset, std::uint32_t bits, noria::nanoseconds limit,
                                        const char* what) noexcept {
        return await(registers_, offset, bits, bits, clock_, limit, what);
    }

    void set(std::uint32_t offset, std::uint32_t bits) noexcept { change(offset, 0, bits); }
    void clear(std::uint32_t offset, std::uint32_t bits) noexcept { change(offset, bits, 0); }
    void change(std::uint32_t offset, std::uint32_t take_away, std::uint32_t put_in) noexcept {
        hardware::change(registers_, offset, take_away, put_in);
    }

    static constexpr std::uint32_t both_resets = reg::ctrl::device_reset | reg::ctrl::link_reset;

    Registers& registers_;
    Clock& clock_;
    enum class progress : std::uint8_t { none, under_way, ended } last_reset_ = progress::none;
};

} // namespace ixgbe
