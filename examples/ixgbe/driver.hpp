// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "hardware/addresses.hpp"
#include "hardware/dma_space.hpp"
#include "hardware/registers.hpp"
#include "hardware/wait.hpp"
#include "ixgbe/bring_up.hpp"
#include "ixgbe/link.hpp"
#include "ixgbe/receive_queue.hpp"
#include "ixgbe/rss.hpp"
#include "ixgbe/statistics.hpp"
#include "ixgbe/transmit_queue.hpp"
#include "noria/core/owned.hpp"

// The driver of one Intel 82599, put together. Its queues are backends of Noria:
//
//   auto card = *ixgbe::driver<...>::open(registers, dma, clock, {.queues = 2});
//   auto rx = noria::rx_queue<ixgbe::receive_queue<...>, noria::build_around>::create(card->receive(0), ...);
//   auto tx = noria::tx_queue<ixgbe::transmit_queue<...>>::create(card->transmit(0), ...);
//   card->start();                  frames are taken from here on,
//   card->wait_for_link();          and come once the link is up
//   ... rx->poll, tx->send ...
//   card->stop();                   the card touches nothing of ours any more
//
// Registers, Dma and Clock are the three seams to the machine (examples/hardware): a real card over VFIO, or
// a model of it in memory.

namespace ixgbe {

struct options {
    std::uint32_t queues = 1; // to receive, and as many to send: 1 to 16, spread by RSS
    card_setup card{};
    receive_options receive{};
    transmit_options transmit{};
    noria::toeplitz_key rss_key = noria::microsoft_key;
};

template <hardware::register_space Registers, hardware::dma_space Dma, noria::clock_source Clock>
class driver {
  public:
    using receive_queue_type = receive_queue<Registers, Dma, Clock>;
    using transmit_queue_type = transmit_queue<Registers, Dma, Clock>;

    // Set-up, one thread; about 40 ms. Takes the card over, from whatever state it is in, and begins to bring
    // the link up. No frame comes in before start(). What it refers to outlives it.
    [[nodiscard]] static noria::result<noria::owned<driver>>
    open(Registers& registers, Dma& dma, Clock& clock, const options& wanted = {}) noexcept {
        if (wanted.queues == 0 || wanted.queues > rss_queues)
            return noria::make_error(std::errc::invalid_argument,
                                     "this driver uses 1 to 16 queues: RSS reaches no more", rss_queues,
                                     wanted.queues);
        if (wanted.card.longest_frame < 64 || wanted.card.longest_frame > longest_jumbo)
            return noria::make_error(std::errc::invalid_argument,
                                     "the longest frame has 64 to 9728 bytes, CRC included", longest_jumbo,
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
        : registers_(registers), clock_(clock), steps_(registers, clock), options_(wanted) {
        for (std::uint32_t i = 0; i != wanted.queues; ++i) {
            receive_[i].emplace(registers, dma, clock, i, wanted.receive);
            transmit_[i].emplace(registers, dma, clock, i, wanted.transmit);
        }
    }
    driver(const driver&) = delete;
    driver& operator=(const driver&) = delete;
    ~driver() { static_cast<void>(stop()); }

    // A backend. Precondition: i < queues().
    [[nodiscard]] receive_queue_type& receive(std::uint32_t i) noexcept { return receive_[i].value(); }
    [[nodiscard]] transmit_queue_type& transmit(std::uint32_t i) noexcept { return transmit_[i].value(); }
    [[nodiscard]] std::uint32_t queues() const noexcept { return options_.queues; }
    [[nodiscard]] const noria::mac_address& mac() const noexcept { return mac_; }

    // Set-up. Lets frames in. After a stop() or a reset() all queues go on with the buffers that they had:
    // then poll until nothing comes any more before this, and complete() what was sent. After a reset that
    // failed it says so again.
    [[nodiscard]] noria::error start() noexcept {
        if (last_reset_.code)
            return last_reset_;
        for (std::uint32_t i = 0; i != queues(); ++i) {
            if (noria::error failed = receive(i).start(); failed.code)
                return failed;
            if (noria::error failed = transmit(i).start(); failed.code)
                return failed;
        }
        steps_.say_loaded(true);
        return steps_.enable_receive();
    }

    // Set-up; the queues' threads rest. No frame comes in or goes out behind this, and the card touches no
    // memory of ours. An error says that it is gone, or that a queue did not obey and all were reset for it.
    // Only where that reset was not seen to end, for want of CTRL.RST or of an answer, nobody knows what the
    // card still does: the queues run on, as running() says, and keep what they have. Then try again, or
    // reset it from outside, with vfio::device::reset(), and then with reset(), before the memory is used for
    // anything else. Some hundred us a queue.
    [[nodiscard]] noria::error stop() noexcept {
        if (!any_running())
            return {};
        if (last_reset_.code)
            return begin_anew();
        steps_.disable_receive();
        noria::error first;
        const auto note = [&first](const noria::error& failed) {
            if (!first.code)
                first = failed;
        };
        for (std::uint32_t i = 0; i != queues(); ++i) {
            note(receive(i).stop());
            note(transmit(i).stop());
        }
        steps_.say_loaded(false);
        read_statistics();
        note(check());
        if (!first.code)
            return {};
        const noria::error failed = begin_anew();
        return failed.code ? failed : first;
    }

    // Set-up; the queues' threads rest. For a card that hangs: everything anew, as at open. Then poll and
    // complete until nothing comes, and start(). Interrupts have to be programmed again. Where the reset does
    // not end the bus has the last word, as after stop().
    [[nodiscard]] noria::error reset() noexcept {
        if (!last_reset_.code) // else it may be in the middle of that one
            read_statistics();
        return begin_anew();
    }

    // Is the card still there? One register read: ask now and then, for rings alone do not tell.
    [[nodiscard]] noria::error check() noexcept {
        return registers_.read32(reg::status::at) == all_ones ? gone() : noria::error{};
    }

    [[nodiscard]] link_state link() noexcept { return read_link(registers_); }
    [[nodiscard]] noria::error wait_for_link(noria::nanoseconds limit = 9'000 * millisecond) noexcept {
        return ixgbe::wait_for_link(registers_, clock_, limit);
    }

    // Any time.
    void set_promiscuous(bool on) noexcept {
        options_.card.promiscuous = on;
        steps_.set_filters(options_.card);
    }
    void set_all_multicast(bool on) noexcept {
        options_.card.all_multicast = on;
        steps_.set_filters(options_.card);
    }
    void join(const noria::mac_address& group) noexcept { hardware::join(registers_, reg::addresses, group); }
    void set_mac(const noria::mac_address& address) noexcept {
        hardware::set_mac(registers_, reg::addresses, address);
        mac_ = address;
    }
    void set_rss_table(const noria::indirection_table& table) noexcept {
        ixgbe::set_rss_table(registers_, table);
    }

    // One thread, at least each 50 s (see statistics::read).
    void read_statistics() noexcept { statistics_.read(registers_, clock_.now()); }
    // Any thread.
    [[nodiscard]] const statistics& counts() const noexcept { return statistics_; }

  private:
    // The queues hear of it: the card uses nothing of theirs any more, or nobody knows.
    [[nodiscard]] noria::error begin_anew() noexcept {
        last_reset_ = take_over();
        const bool may_use_memory = steps_.may_use_memory();
        for (std::uint32_t i = 0; i != queues(); ++i) {
            if (may_use_memory) {
                receive(i).keep();
                transmit(i).keep();
            } else {
                receive(i).lost();
                transmit(i).lost();
            }
        }
        return last_reset_;
    }

    // The order of 4.6.3.
    [[nodiscard]] noria::error take_over() noexcept {
        if (noria::error failed = steps_.reset(); failed.code)
            return failed;
        const auto mac = hardware::read_mac(registers_, reg::addresses);
        if (!mac)
            return mac.error();
        mac_ = *mac;
        steps_.clear_filter_tables();
        steps_.prepare_receive(options_.card);
        // What is no IP is not worth splitting. (7.1.10; without virtualisation there is one pool)
        if (options_.receive.mode == receive_mode::header_split)
            registers_.write32(reg::psrtype::at(0), reg::psrtype::tcp | reg::psrtype::udp |
                                                        reg::psrtype::ipv4 | reg::psrtype::ipv6);
        enable_rss(registers_, queues(), options_.rss_key);
        steps_.prepare_transmit();
        start_link(registers_);
        statistics::assign_sets(registers_, queues());
        statistics_.forget(registers_, clock_.now());
        return {};
    }

    [[nodiscard]] bool any_running() const noexcept {
        for (std::uint32_t i = 0; i != queues(); ++i)
            if (receive_[i]->running() || transmit_[i]->running())
                return true;
        return false;
    }

    Registers& registers_;
    Clock& clock_;
    bring_up<Registers, Clock> steps_;
    options options_;
    noria::mac_address mac_{};
    noria::error last_reset_;
    statistics statistics_;
    std::array<std::optional<receive_queue_type>, rss_queues> receive_;
    std::array<std::optional<transmit_queue_type>, rss_queues> transmit_;
};

} // namespace ixgbe
