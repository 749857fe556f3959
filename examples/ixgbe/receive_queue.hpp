// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "hardware/dma_space.hpp"
#include "ixgbe/await.hpp"
#include "ixgbe/descriptors.hpp"
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
//      ring   [ done | done | empty | empty | empty | ours | ours ]
//               ^ head_       ^ RDH, the card's       ^ tail_, RDT

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
          splits_(options.mode == receive_mode::header_split), dma_(&dma), clock_(&clock), queue_(queue),
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
        const std::uint32_t full = splits_ ? noria::divide_up(wanted.descriptors, 2u) : wanted.descriptors;
        if (noria::error failed = make_ring(noria::round_up(full + 1, 8u)); failed.code)
            return failed;
        buffer_bytes_ = wanted.buffer_bytes;
        head_ = tail_ = 0;
        frame_open_ = false;
        second_there_ = false;
        spoil_ = 0;
        if (noria::error failed = start(); failed.code)
            return failed;
        return wanted;
    }

    // Takes buffers until the ring is full; one doorbell for all. Where headers are split the first buffer
    // that a descriptor gets is for headers.
    [[nodiscard]] std::uint32_t post(std::span<const noria::buffer_post> posts) noexcept {
        if (!running_) [[unlikely]]
            return 0;
        std::uint32_t taken = 0;
        std::uint32_t tail = tail_;
        while (taken != posts.size()) {
            const std::uint32_t next = behind(tail);
            if (next == head_)
                break;
            if (splits_ && !headers_[tail].there && spare_count_ != 0)
                headers_[tail] = spares_[--spare_count_];
            const noria::buffer_post& post = posts[taken++];
            NORIA_EXPECTS(post.length >= announced_bytes(),
                          "the card writes as far as it was told at configure: no buffer is shorter");
            if (splits_ && !headers_[tail].there) {
                headers_[tail] = {.iova = post.iova, .id = post.id, .there = true};
                continue;
            }
            buffers_[tail] = {.iova = post.iova, .id = post.id, .there = true};
            write_receive(ring_[tail], post.iova, splits_ ? headers_[tail].iova : 0);
            tail = next;
        }
        if (tail != tail_) {
            tail_ = tail;
            registers_->doorbell32(doorbell_, tail); // RDT: the card may use all before it
        }
        return taken;
    }

    // Reports what the card has filled, in the order of the ring. Nothing it says is used as an index here,
    // and what it says of lengths is checked above, against the buffer.
    [[nodiscard]] std::uint32_t reap(std::span<noria::completion> completions) noexcept {
        std::uint32_t written = 0;
        std::uint32_t head = head_;
        if (second_there_ && !completions.empty()) [[unlikely]] {
            completions[written++] = second_;
            second_there_ = false;
        }
        while (written != completions.size() && head != tail_) {
            descriptor& from = ring_[head];
            // The word with DD first: what is read behind it is not older (7.1.8).
            const std::uint32_t status = hardware::read_from_device(from.words[2]);
            if ((status & rx::done) == 0)
                break;
            const noria::completion body = describe(from, status, buffers_[head].id);
            if (splits_ && was_split(from, status)) {
                // Two buffers of one frame, two completions. The header's is not the frame's last.
                completions[written++] = {.id = headers_[head].id,
                                          .length = rx::header_length(from.words[0])};
                headers_[head].there = false;
                if (written == completions.size()) {
                    second_ = body;
                    second_there_ = true;
                } else {
                    completions[written++] = body;
                }
            } else {
                // A header buffer that was not needed is for the next descriptor that wants one. (Were it to
                // stay with this one, all buffers of a short ring could end as headers that wait for bodies.)
                if (splits_) {
                    spares_[spare_count_++] = headers_[head];
                    headers_[head].there = false;
                }
                completions[written++] = body;
            }
            head = behind(head);
        }
        head_ = head;
        return written;
    }

    // Set-up. The card uses the buffers no more, and what it has filled can still be reaped; nothing can be
    // posted before start(). (4.6.7.1, disable)
    [[nodiscard]] noria::error stop() noexcept {
        if (!running_)
            return {};
        running_ = false;
        const std::uint32_t control = registers_->read32(reg::rxdctl::at(queue_));
        if (control == all_ones)
            return gone();
        registers_->write32(reg::rxdctl::at(queue_), control & ~reg::rxdctl::enable);
        noria::error failed =
            await(*registers_, reg::rxdctl::at(queue_), reg::rxdctl::enable, 0, *clock_, 10 * millisecond,
                  "a receive queue was expected to have stopped (RXDCTL.ENABLE) after 10 ms: reset the card");
        // Descriptors that it had fetched before may still be in use.
        hardware::let_pass(*clock_, 100 * microsecond);
        return failed;
    }

    // Set-up. Goes on after stop(), or after a reset of the card, with the buffers it had. The filled ones
    // have been reaped. (4.6.7.1, enable)
    [[nodiscard]] noria::error start() noexcept {
        if (ring_ == nullptr || running_)
            return {};
        if (second_there_ ||
            (head_ != tail_ && (hardware::read_from_device(ring_[head_].words[2]) & rx::done) != 0))
            return noria::make_error(std::errc::operation_in_progress,
                                     "frames from before the stop are still in the ring: poll until there "
                                     "are none before you start the queue again");
        begin_at_zero();
        program_ring();
        const std::uint32_t control = registers_->read32(reg::rxdctl::at(queue_));
        if (control == all_ones)
            return gone();
        registers_->write32(reg::rxdctl::at(queue_),
                            (control & ~(reg::rxdctl::flush | reg::rxdctl::strip_vlan)) |
                                reg::rxdctl::enable | (options_.strip_vlan ? reg::rxdctl::strip_vlan : 0));
        if (noria::error failed =
                await(*registers_, reg::rxdctl::at(queue_), reg::rxdctl::enable, reg::rxdctl::enable, *clock_,
                      10 * millisecond,
                      "a receive queue was expected to run (RXDCTL.ENABLE) after 10 ms: reset the card");
            failed.code)
            return failed;
        running_ = true;
        if (tail_ != 0)
            registers_->doorbell32(doorbell_, tail_);
        return {};
    }

    // The card was reset or has gone: it uses nothing of ours any more.
    void lost() noexcept { running_ = false; }

    [[nodiscard]] bool running() const noexcept { return running_; }
    [[nodiscard]] std::uint32_t number() const noexcept { return queue_; }

  private:
    static constexpr std::uint32_t most_descriptors = 8192; // more than that silicon does not like

    struct buffer {
        std::uint64_t iova = 0;
        std::uint32_t id = 0;
        bool there = false;
    };

    [[nodiscard]] noria::error check(const noria::receive_setup& wanted) const noexcept {
        if (wanted.descriptors == 0 || wanted.descriptors >= most_descriptors)
            return noria::make_error(std::errc::invalid_argument,
                                     "a receive queue of this card has between 1 and 8191 buffers",
                                     most_descriptors - 1, wanted.descriptors);
        if (splits_ && wanted.descriptors < 2)
            return noria::make_error(std::errc::invalid_argument,
                                     "a frame whose headers are split off takes 2 buffers: post as many", 2,
                                     wanted.descriptors);
        if (wanted.buffer_bytes < 1024)
            return noria::make_error(
                std::errc::invalid_argument,
                "this card counts buffers in KiB, and these are shorter than one behind headroom and tail "
                "overhead: use ixgbe::geometry(), and frame_bytes in whole KiB",
                1024, wanted.buffer_bytes);
        if (splits_ &&
            (options_.header_bytes == 0 || options_.header_bytes % 64 != 0 || options_.header_bytes > 1024))
            return noria::make_error(std::errc::invalid_argument,
                                     "header_bytes is a multiple of 64, 64 to 1024", 256,
                                     options_.header_bytes);
        return {};
    }

    [[nodiscard]] noria::error make_ring(std::uint32_t descriptors) noexcept {
        if (descriptors > room_) {
            auto memory = dma_->allocate(descriptors * sizeof(descriptor), 128);
            if (!memory)
                return memory.error();
            std::unique_ptr<buffer[]> buffers(new (std::nothrow) buffer[descriptors]);
            std::unique_ptr<buffer[]> headers(new (std::nothrow) buffer[descriptors]);
            std::unique_ptr<buffer[]> spares(new (std::nothrow) buffer[descriptors]);
            if (buffers == nullptr || headers == nullptr || spares == nullptr)
                return noria::make_error(std::errc::not_enough_memory,
                                         "the system has no memory for the queue's bookkeeping");
            memory_ = *memory;
            buffers_ = std::move(buffers);
            headers_ = std::move(headers);
            spares_ = std::move(spares);
            room_ = descriptors;
        }
        size_ = descriptors;
        spare_count_ = 0;
        ring_ = reinterpret_cast<descriptor*>(memory_.bytes.data());
        std::fill_n(ring_, size_, descriptor{});
        std::fill_n(buffers_.get(), size_, buffer{});
        std::fill_n(headers_.get(), size_, buffer{});
        return {};
    }

    // The card counts from 0 when it starts: so do we, with the buffers that are still to be filled in front.
    void begin_at_zero() noexcept {
        std::rotate(buffers_.get(), buffers_.get() + head_, buffers_.get() + size_);
        std::rotate(headers_.get(), headers_.get() + head_, headers_.get() + size_);
        tail_ = head_ <= tail_ ? tail_ - head_ : tail_ + size_ - head_;
        head_ = 0;
        for (std::uint32_t i = 0; i != tail_; ++i)
            write_receive(ring_[i], buffers_[i].iova, splits_ ? headers_[i].iova : 0);
        // Of a frame that the stop has cut in two the end will never come, so what comes next would be taken
        // for it: that frame is marked as damaged.
        spoil_ = frame_open_ ? std::uint32_t{noria::completion::error} : 0;
    }

    void program_ring() noexcept {
        registers_->write32(reg::rdbal(queue_), static_cast<std::uint32_t>(memory_.iova));
        registers_->write32(reg::rdbah(queue_), static_cast<std::uint32_t>(memory_.iova >> 32));
        registers_->write32(reg::rdlen(queue_), size_ * static_cast<std::uint32_t>(sizeof(descriptor)));
        const std::uint32_t type = splits_ ? reg::srrctl::header_split : reg::srrctl::one_buffer;
        registers_->write32(reg::srrctl::at(queue_),
                            announced_bytes() / 1024 |
                                field(splits_ ? options_.header_bytes / 64 : 0, reg::srrctl::header_bytes) |
                                field(type, reg::srrctl::type) |
                                (options_.drop_when_dry ? reg::srrctl::drop_enable : 0));
        const std::uint32_t dca = registers_->read32(reg::dca_rxctrl::at(queue_));
        registers_->write32(reg::dca_rxctrl::at(queue_), dca & ~reg::dca_rxctrl::reserved_one);
        registers_->write32(reg::rdh(queue_), 0);
        registers_->write32(reg::rdt(queue_), 0);
    }

    // What the card is told of a buffer: whole KiB, at most 16.
    [[nodiscard]] std::uint32_t announced_bytes() const noexcept {
        return (buffer_bytes_ < 16 * 1024 ? buffer_bytes_ : 16 * 1024) & ~1023u;
    }

    [[nodiscard]] std::uint32_t behind(std::uint32_t index) const noexcept {
        return index + 1 == size_ ? 0 : index + 1;
    }

    // What the descriptor says of the buffer for packets (7.1.6.2).
    [[nodiscard]] noria::completion describe(const descriptor& from, std::uint32_t status,
                                             std::uint32_t id) noexcept {
        noria::completion body{.id = id, .length = rx::length(from.words[3])};
        frame_open_ = (status & rx::end_of_packet) == 0;
        if (frame_open_)
            return body;
        body.flags = noria::completion::end_of_packet;
        if (rx::hash_type(from.words[0]) != 0)
            body.hash = from.words[1];
        if ((status & rx::vlan) != 0)
            body.vlan = rx::tag(from.words[3]);
        if (rx::checksums_good(status))
            body.flags |= noria::completion::checksum_ok;
        if ((status & rx::damaged) != 0)
            body.flags |= noria::completion::error;
        if (spoil_ != 0) [[unlikely]] {
            body.flags |= spoil_;
            spoil_ = 0;
        }
        return body;
    }

    // Headers that are longer than their buffer are not split off, whatever else it says.
    [[nodiscard]] static bool was_split(const descriptor& from, std::uint32_t status) noexcept {
        return (from.words[0] & rx::split) != 0 && (status & rx::header_overflow) == 0;
    }

    // What post and reap need comes first.
    Registers* registers_;
    descriptor* ring_ = nullptr;
    std::unique_ptr<buffer[]> buffers_; // that the descriptor of this number was given
    std::unique_ptr<buffer[]> headers_;
    std::unique_ptr<buffer[]> spares_; // for headers, with no descriptor
    std::uint32_t spare_count_ = 0;
    std::uint32_t size_ = 0; // descriptors in the ring
    std::uint32_t head_ = 0; // the next to be reaped
    std::uint32_t tail_ = 0; // the next that is given to it
    std::uint32_t doorbell_; // where RDT is
    std::uint32_t buffer_bytes_ = 0;
    std::uint32_t spoil_ = 0; // what the next frame is marked with
    bool running_ = false;
    bool splits_;
    bool frame_open_ = false;   // the last buffer was not the end of its frame
    bool second_there_ = false; // of a split frame, for which there was no room
    noria::completion second_;

    Dma* dma_;
    Clock* clock_;
    std::uint32_t queue_;
    receive_options options_;
    hardware::dma_memory memory_;
    std::uint32_t room_ = 0; // descriptors that memory_ has room for
};

} // namespace ixgbe
