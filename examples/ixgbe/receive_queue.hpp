// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <span>

#include "hardware/dma_space.hpp"
#include "hardware/wait.hpp"
#include "ixgbe/bring_up.hpp"
#include "ixgbe/receive_ring.hpp"
#include "ixgbe/registers.hpp"
#include "noria/backend/contract.hpp"
#include "noria/core/bits.hpp"
#include "noria/queue/geometry.hpp"

// One receive queue of the card, as a backend: a noria::rx_queue on top of it makes packets.
//
// The way of a frame, once the interrupt (interrupts.hpp) has called the poller:
//
//   rx_queue::poll --> post()   buffers into descriptors, and RDT says how far     (7.1.7)
//        |                      the card fetches them, a frame comes, DMA fills them
//        '-----------> reap()   DD says which are filled: completions              (7.1.8)
//        '-----------> the strategy makes a packet of the buffers, and the consumer has it
//
// The ring itself is in receive_ring.hpp; here is what is said to the card by registers.

namespace ixgbe {

// Where a frame is put (7.1.4, 7.1.10).
enum class receive_mode : std::uint8_t {
    buffers,     // in the next buffer, and where it is longer than that (jumbo) in the ones behind
    header_split // its headers in one buffer and the rest in others
};

struct receive_options {
    receive_mode mode = receive_mode::buffers;
    std::uint32_t header_bytes = 256; // header_split: the most that is split off; 64 to 1024, whole 64s
    // A frame that finds this queue without a buffer is dropped, and counted in QPRDC. Off: it waits in the
    // card's memory and holds up all queues, until that is full and frames of all of them are lost (MPC).
    bool drop_when_dry = false;
    bool strip_vlan = true; // tags are taken out of the frame and put in completion::vlan (7.4)
};

// Cuts memory so that the card can fill it: it counts buffers in KiB (SRRCTL.BSIZEPACKET, 8.2.3.8.7) and
// writes up to there, so they have whole ones behind the headroom. Half pages of 2 KiB and headroom.
[[nodiscard]] constexpr noria::receive_geometry geometry(std::uint32_t buffer_kib = 2,
                                                         std::uint32_t headroom = 64) noexcept {
    noria::receive_geometry cut = noria::linux_geometry;
    cut.page_bytes = 2 * (headroom + buffer_kib * 1024);
    cut.headroom = headroom;
    cut.tail_overhead = 0;
    return cut;
}

template <hardware::register_space Registers, hardware::dma_space Dma, noria::clock_source Clock>
class receive_queue {
  public:
    static constexpr noria::buffer_model model = noria::buffer_model::per_packet;
    static constexpr bool in_order = true;

    // The card's queue number `queue`. All that is referred to outlives it.
    receive_queue(Registers& registers, Dma& dma, Clock& clock, std::uint32_t queue,
                  const receive_options& options) noexcept
        : registers_(&registers), doorbell_(reg::rdt(queue)),
          ring_(options.mode == receive_mode::header_split), dma_(&dma), clock_(&clock), queue_(queue),
          options_(options) {}

    // Set-up. Packet memory that this queue's buffers will lie in.
    [[nodiscard]] noria::result<noria::mapping> attach(noria::region& memory) noexcept {
        return dma_->attach(memory);
    }

    // Set-up. Takes up the sizes and starts the queue, without a buffer yet. What an earlier queue posted is
    // gone with it.
    [[nodiscard]] noria::result<noria::receive_setup> configure(const noria::receive_setup& wanted) noexcept {
        if (noria::error wrong = check(wanted); wrong.code)
            return wrong;
        if (noria::error failed = stop(); failed.code)
            return failed;
        // A descriptor has two buffers where headers are split. One descriptor stays unused, for a head that
        // has caught up with its tail says "empty" (7.1.9). The card wants multiples of 128 bytes: 8.
        const std::uint32_t full =
            ring_.splits() ? noria::divide_up(wanted.descriptors, 2u) : wanted.descriptors;
        if (noria::error failed = ring_.make(*dma_, noria::round_up(full + 1, 8u)); failed.code)
            return failed;
        buffer_bytes_ = wanted.buffer_bytes;
        if (noria::error failed = start(); failed.code)
            return failed;
        return wanted;
    }

    // Takes buffers until the ring is full; one doorbell for all. Where headers are split the first buffer
    // that a descriptor gets is for headers.
    [[nodiscard]] std::uint32_t post(std::span<const noria::buffer_post> posts) noexcept {
        if (state_ != life::on) [[unlikely]]
            return 0;
        for ([[maybe_unused]] const noria::buffer_post& post : posts)
            NORIA_EXPECTS(post.length >= announced_bytes(),
                          "the card writes as far as it was told at configure: no buffer is shorter");
        if (ring_.splits())
            for ([[maybe_unused]] const noria::buffer_post& post : posts)
                NORIA_EXPECTS(post.iova % 2 == 0,
                              "an odd address of a header buffer says that it is filled (DD): with "
                              "header_split the geometry's headroom is even");
        const std::uint32_t before = ring_.tail();
        const std::uint32_t taken = ring_.give(posts);
        if (ring_.tail() != before)
            registers_->doorbell32(doorbell_, ring_.tail()); // RDT: the card may use all before it
        return taken;
    }

    // Reports what the card has filled, in the order of the ring. Nothing it says is used as an index here,
    // and what it says of lengths is checked above, against the buffer.
    [[nodiscard]] std::uint32_t reap(std::span<noria::completion> completions) noexcept {
        return ring_.read(completions);
    }

    // Set-up. The card uses the buffers no more, and what it has filled can still be reaped; nothing can be
    // posted before start(). A queue that does not stop is stuck: the card may still write to its ring and to
    // all buffers it was given, and so neither is used anew, by start() or configure(), before lost(), or a
    // stop() that works. Where driver::reset() fails too, vfio::device::reset() has the last word. (4.6.7.1,
    // disable)
    [[nodiscard]] noria::error stop() noexcept {
        if (state_ == life::off)
            return {};
        if (state_ == life::kept)
            return hardware::still_in_use();
        const std::uint32_t control = read_control();
        noria::error failed = hardware::gone();
        if (control != all_ones) {
            registers_->write32(reg::rxdctl::at(queue_), control & ~reg::rxdctl::enable);
            failed = await_enable(0, "a receive queue was expected to have stopped (RXDCTL.ENABLE) after "
                                     "10 ms: reset the card");
        }
        // Descriptors that it had fetched before may still be in use.
        if (!failed.code)
            hardware::let_pass(*clock_, 100 * hardware::microsecond);
        if (failed.code && !is_gone(failed, *registers_))
            state_ = life::stuck;
        else
            lost();
        return failed;
    }

    // Set-up. Goes on after stop(), or after a reset of the card, with the buffers it had. The filled ones
    // have been reaped. A queue that does not start is stuck too. (4.6.7.1, enable)
    [[nodiscard]] noria::error start() noexcept {
        if (state_ == life::stuck || state_ == life::kept)
            return hardware::still_in_use();
        if (!ring_.made() || state_ == life::on)
            return {};
        if (ring_.has_unread())
            return noria::make_error(std::errc::operation_in_progress,
                                     "frames from before the stop are still in the ring: poll until there "
                                     "are none before you start the queue again");
        ring_.begin_at_zero();
        program_ring();
        const std::uint32_t control = read_control();
        if (control == all_ones)
            return hardware::gone();
        registers_->write32(reg::rxdctl::at(queue_),
                            (control & ~(reg::rxdctl::flush | reg::rxdctl::strip_vlan)) |
                                reg::rxdctl::enable | (options_.strip_vlan ? reg::rxdctl::strip_vlan : 0));
        state_ = life::stuck; // until it says that it runs
        if (noria::error failed =
                await_enable(reg::rxdctl::enable, "a receive queue was expected to run (RXDCTL.ENABLE) after "
                                                  "10 ms: reset the card");
            failed.code)
            return failed;
        state_ = life::on;
        if (ring_.tail() != 0)
            registers_->doorbell32(doorbell_, ring_.tail());
        return {};
    }

    // The card was reset or has gone: it uses nothing of ours any more.
    void lost() noexcept { state_ = life::off; }
    // The card was to be reset, and nobody saw the end of it: its registers say nothing of this queue. All
    // stays as it is until lost().
    void keep() noexcept { state_ = state_ == life::off ? life::off : life::kept; }

    // May the card write to what it was given? A queue that is stuck or kept runs too.
    [[nodiscard]] bool running() const noexcept { return state_ != life::off; }
    [[nodiscard]] std::uint32_t number() const noexcept { return queue_; }

  private:
    static constexpr std::uint32_t most_descriptors = 8192; // more than that silicon does not like

    [[nodiscard]] std::uint32_t read_control() noexcept {
        return hardware::read_again_if_lost(*registers_, reg::rxdctl::at(queue_));
    }
    [[nodiscard]] noria::error await_enable(std::uint32_t wanted, const char* what) noexcept {
        return hardware::await(*registers_, reg::rxdctl::at(queue_), reg::rxdctl::enable, wanted, *clock_,
                               10 * hardware::millisecond, what);
    }

    [[nodiscard]] noria::error check(const noria::receive_setup& wanted) const noexcept {
        if (wanted.descriptors == 0 || wanted.descriptors >= most_descriptors)
            return noria::make_error(std::errc::invalid_argument,
                                     "a receive queue of this card has between 1 and 8191 buffers",
                                     most_descriptors - 1, wanted.descriptors);
        if (ring_.splits() && wanted.descriptors < 2)
            return noria::make_error(std::errc::invalid_argument,
                                     "a frame whose headers are split off takes 2 buffers: post as many", 2,
                                     wanted.descriptors);
        if (wanted.buffer_bytes < 1024)
            return noria::make_error(
                std::errc::invalid_argument,
                "this card counts buffers in KiB, and these are shorter than one behind headroom and tail "
                "overhead: use ixgbe::geometry(), and frame_bytes in whole KiB",
                1024, wanted.buffer_bytes);
        if (ring_.splits() &&
            (options_.header_bytes == 0 || options_.header_bytes % 64 != 0 || options_.header_bytes > 1024))
            return noria::make_error(std::errc::invalid_argument,
                                     "header_bytes is a multiple of 64, 64 to 1024", 256,
                                     options_.header_bytes);
        return {};
    }

    void program_ring() noexcept {
        registers_->write32(reg::rdbal(queue_), static_cast<std::uint32_t>(ring_.iova()));
        registers_->write32(reg::rdbah(queue_), static_cast<std::uint32_t>(ring_.iova() >> 32));
        registers_->write32(reg::rdlen(queue_),
                            ring_.size() * static_cast<std::uint32_t>(sizeof(descriptor)));
        const std::uint32_t type = ring_.splits() ? reg::srrctl::header_split : reg::srrctl::one_buffer;
        registers_->write32(
            reg::srrctl::at(queue_),
            announced_bytes() / 1024 |
                field(ring_.splits() ? options_.header_bytes / 64 : 0, reg::srrctl::header_bytes) |
                field(type, reg::srrctl::type) | (options_.drop_when_dry ? reg::srrctl::drop_enable : 0));
        const std::uint32_t dca = hardware::read_again_if_lost(*registers_, reg::dca_rxctrl::at(queue_));
        registers_->write32(reg::dca_rxctrl::at(queue_), dca & ~reg::dca_rxctrl::reserved_one);
        registers_->write32(reg::rdh(queue_), 0);
        registers_->write32(reg::rdt(queue_), 0);
    }

    // What the card is told of a buffer: whole KiB, at most 16.
    [[nodiscard]] std::uint32_t announced_bytes() const noexcept {
        return (buffer_bytes_ < 16 * 1024 ? buffer_bytes_ : 16 * 1024) & ~1023u;
    }

    Registers* registers_;
    std::uint32_t doorbell_; // where RDT is
    std::uint32_t buffer_bytes_ = 0;
    enum class life : std::uint8_t { off, on, stuck, kept } state_ = life::off;
    receive_ring ring_;

    Dma* dma_;
    Clock* clock_;
    std::uint32_t queue_;
    receive_options options_;
};

} // namespace ixgbe
