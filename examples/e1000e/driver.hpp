// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "e1000e/bring_up.hpp"
#include "e1000e/receive_queue.hpp"
#include "e1000e/statistics.hpp"
#include "e1000e/transmit_queue.hpp"
#include "hardware/addresses.hpp"
#include "hardware/dma_space.hpp"
#include "hardware/registers.hpp"
#include "hardware/wait.hpp"
#include "noria/core/owned.hpp"

// The driver of one Intel 82574, or of QEMU's model of it, put together. Its queues are backends of Noria:
//
//   auto card = *e1000e::driver<...>::open(registers, dma, clock);
//   auto rx = noria::rx_queue<e1000e::receive_queue<...>, noria::build_around>::create(card->receive(), ...);
//   auto tx = noria::tx_queue<e1000e::transmit_queue<...>>::create(card->transmit(), ...);
//   card->start();                  frames come in from here on
//   ... rx->poll, tx->send ...
//   card->stop();                   the card touches nothing of ours any more
//
// Registers, Dma and Clock are the seams to the machine (examples/hardware): a real card over VFIO, or QEMU
// over a socket.

namespace e1000e {

struct options {
    card_setup card{};
};

template <hardware::register_space Registers, hardware::dma_space Dma, noria::clock_source Clock>
class driver {
  public:
    using receive_queue_type = receive_queue<Registers, Dma>;
    using transmit_queue_type = transmit_queue<Registers, Dma>;
    static_assert(noria::check_backend<receive_queue_type>() && noria::check_transmit<transmit_queue_type>());

    // Set-up, one thread; about 15 ms. Takes the card over, from whatever state it is in, and begins to bring
    // the link up. No frame comes in before start(). What it refers to outlives it.
    [[nodiscard]] static noria::result<noria::owned<driver>>
    open(Registers& registers, Dma& dma, Clock& clock, const options& wanted = {}) noexcept {
        if (wanted.card.longest_frame < 64 || wanted.card.longest_frame > longest_jumbo)
            return noria::make_error(std::errc::invalid_argument,
                                     "the longest frame has 64 to 9234 bytes, CRC included", longest_jumbo,
                                     wanted.card.longest_frame);
        auto made = noria::owned<driver>::make(registers, dma, clock, wanted);
        if (!made)
            return noria::make_error(std::errc::not_enough_memory,
                                     "the system has no memory for the driver's bookkeeping");
        if (noria::error failed = made->take_over(); failed.code)
            return failed;
        return made;
    }

    driver(Registers& registers, Dma& dma, Clock& clock, const options& wanted) noexcept
        : registers_(registers), clock_(clock), options_(wanted), receive_(registers, dma),
          transmit_(registers, dma, offloads(wanted.card)) {}
    driver(const driver&) = delete;
    driver& operator=(const driver&) = delete;
    ~driver() { static_cast<void>(stop()); }

    // A backend. The card has two of each kind; this driver uses one.
    [[nodiscard]] receive_queue_type& receive(std::uint32_t = 0) noexcept { return receive_; }
    [[nodiscard]] transmit_queue_type& transmit(std::uint32_t = 0) noexcept { return transmit_; }
    [[nodiscard]] static constexpr std::uint32_t queues() noexcept { return 1; }
    [[nodiscard]] const noria::mac_address& mac() const noexcept { return mac_; }

    // Set-up. Lets frames in. After a stop() or a reset() the receive queue goes on with the buffers that it
    // had, and the transmit queue begins empty: then poll until nothing comes any more before this, complete
    // what was sent, and purge() the rest. After a reset that failed it says so again.
    [[nodiscard]] noria::error start() noexcept {
        if (last_reset_.code)
            return last_reset_;
        if (noria::error failed = receive_.start(); failed.code)
            return failed;
        transmit_.start();
        const std::uint32_t control = hardware::read_again_if_lost(registers_, reg::rctl::at);
        if (control == all_ones)
            return gone();
        registers_.write32(reg::rctl::at, control | reg::rctl::enable);
        started_ = true;
        return {};
    }

    // Set-up; the queues' threads rest. No frame comes in or goes out behind this, and the card touches no
    // memory of ours: it is reset, or gone, which is an error. Only where the reset was not seen to end, for
    // want of CTRL.RST or of an answer, nobody knows what it still does: the queues run on, as running()
    // says, and keep what they have. Then try again, or reset it from outside, with vfio::device::reset(),
    // and then with reset(), before the memory is used for anything else. Frames that had come in are in the
    // ring still. 35 ms.
    [[nodiscard]] noria::error stop() noexcept {
        // A transmit queue sends from when it is made.
        if (!started_ && !transmit_.running())
            return {};
        hardware::change(registers_, reg::rctl::at, reg::rctl::enable, 0);
        registers_.write32(reg::tctl::at, reg::tctl::pad_short);
        hardware::let_pass(clock_, 10 * millisecond); // the frames on their way end (10.2.5.1)
        return reset();
    }

    // Set-up; the queues' threads rest. For a card that hangs: everything anew, as at open. Then poll and
    // complete until nothing comes, and start(). Interrupts have to be programmed again. Where the reset does
    // not end the bus has the last word, as after stop().
    [[nodiscard]] noria::error reset() noexcept {
        if (!last_reset_.code) // else it may be in the middle of that one
            read_statistics();
        reset_ended_ = false;
        last_reset_ = take_over();
        // Reset, or gone, also when asked again: it uses nothing of ours any more.
        if (reset_ended_ || hardware::read_again_if_lost(registers_, reg::ctrl::at) == all_ones) {
            started_ = false;
            receive_.lost();
            transmit_.lost();
        } else {
            receive_.keep();
            transmit_.keep();
        }
        return last_reset_;
    }

    // Is the card still there? One register read: ask now and then, for rings alone do not tell.
    [[nodiscard]] noria::error check() noexcept {
        return registers_.read32(reg::status::at) == all_ones ? gone() : noria::error{};
    }

    [[nodiscard]] link_state link() noexcept { return read_link(registers_); }
    [[nodiscard]] noria::error wait_for_link(noria::nanoseconds limit = 5'000 * millisecond) noexcept {
        return e1000e::wait_for_link(registers_, clock_, limit);
    }

    // Any time.
    void set_promiscuous(bool on) noexcept {
        options_.card.promiscuous = on;
        set_filters();
    }
    void set_all_multicast(bool on) noexcept {
        options_.card.all_multicast = on;
        set_filters();
    }
    void join(const noria::mac_address& group) noexcept { hardware::join(registers_, reg::addresses, group); }
    void set_mac(const noria::mac_address& address) noexcept {
        hardware::set_mac(registers_, reg::addresses, address);
        mac_ = address;
    }

    // One thread, at least each 45 minutes (see statistics::read).
    void read_statistics() noexcept { statistics_.read(registers_, clock_.now()); }
    // Any thread.
    [[nodiscard]] const statistics& counts() const noexcept { return statistics_; }

  private:
    // The order of 4.6.
    [[nodiscard]] noria::error take_over() noexcept {
        if (noria::error failed = e1000e::reset(registers_, clock_); failed.code)
            return failed;
        reset_ended_ = true;
        if (noria::error failed = wait_until_loaded(registers_, clock_); failed.code)
            return failed;
        const auto mac = hardware::read_mac(registers_, reg::addresses);
        if (!mac)
            return mac.error();
        mac_ = *mac;
        hardware::clear_addresses(registers_, reg::addresses);
        start_link(registers_, options_.card.vlan);
        statistics_.forget(registers_, clock_.now());
        registers_.write32(reg::rxcsum::at,
                           reg::rxcsum::check_ip | reg::rxcsum::check_l4 | reg::rxcsum::hash_in_descriptor);
        registers_.write32(reg::rctl::at, filters(options_.card));
        hardware::change(registers_, reg::ctrl_ext::at, 0, reg::ctrl_ext::driver_loaded);
        return {};
    }

    void set_filters() noexcept {
        hardware::change(registers_, reg::rctl::at, filter_bits, filters(options_.card));
    }

    [[nodiscard]] static std::uint32_t offloads(const card_setup& of) noexcept {
        return noria::transmit_post::insert_checksum |
               (of.vlan ? std::uint32_t{noria::transmit_post::insert_vlan} : 0);
    }

    Registers& registers_;
    Clock& clock_;
    options options_;
    noria::mac_address mac_{};
    bool started_ = false;
    bool reset_ended_ = false;
    noria::error last_reset_;
    statistics statistics_;
    receive_queue_type receive_;
    transmit_queue_type transmit_;
};

} // namespace e1000e
