// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "e1000e/descriptors.hpp"
#include "e1000e/registers.hpp"
#include "hardware/dma_space.hpp"
#include "noria/backend/contract.hpp"
#include "noria/core/bits.hpp"
#include "noria/core/contract.hpp"

// The card's receive queue, as a backend: a noria::rx_queue on top of it makes packets.
//
//   rx_queue::poll --> post()   buffers into descriptors, and RDT says how far     (7.1.8)
//        |                      the card fetches them, a frame comes, DMA fills them
//        '-----------> reap()   DD says which are filled: completions              (7.1.4)
//        '-----------> the strategy makes a packet of the buffers, and the consumer has it
//
//      ring   [ done | done | empty | empty | empty | ours | ours ]
//               ^ head_       (the card's head, RDH)  ^ tail_, RDT

namespace e1000e {

template <hardware::register_space Registers, hardware::dma_space Dma>
class receive_queue {
  public:
    static constexpr noria::buffer_model model = noria::buffer_model::per_packet;
    static constexpr bool in_order = true;

    // All that is referred to outlives it.
    receive_queue(Registers& card, Dma& dma) noexcept : card_(&card), dma_(&dma) {}
    receive_queue(const receive_queue&) = delete;
    receive_queue& operator=(const receive_queue&) = delete;

    // Set-up. Packet memory that the buffers will lie in.
    [[nodiscard]] noria::result<noria::mapping> attach(noria::region& memory) noexcept {
        return dma_->attach(memory);
    }

    // Set-up, while the card lets no frames in. Takes up the sizes and starts the queue, without a buffer
    // yet. What an earlier queue posted is gone with it.
    //
    // The card has one size for all buffers, a power of two (RCTL.BSIZE): the largest that is not above
    // buffer_bytes. What is above stays empty, and a longer frame fills several.
    [[nodiscard]] noria::result<noria::receive_setup> configure(const noria::receive_setup& wanted) noexcept {
        if (wanted.descriptors == 0 || wanted.descriptors > most_descriptors)
            return noria::make_error(std::errc::invalid_argument,
                                     "a receive queue of this driver has between 1 and 4088 buffers",
                                     most_descriptors, wanted.descriptors);
        const std::uint32_t bytes = buffer_size_within(wanted.buffer_bytes);
        if (bytes == 0)
            return noria::make_error(std::errc::invalid_argument,
                                     "the card's smallest buffer is `wanted` bytes, and these have `found` "
                                     "behind headroom and tail overhead: use longer ones, 2048 at best",
                                     256, wanted.buffer_bytes);
        if (kept_)
            return hardware::still_in_use();
        if ((card_->read32(reg::rctl::at) & reg::rctl::enable) != 0)
            return noria::make_error(std::errc::device_or_resource_busy,
                                     "the card lets frames in, or is gone: make the queue before start(), or "
                                     "after stop()");
        running_ = false;
        // One descriptor stays unused, for a tail that has caught up with the head says "empty" (7.1.8). The
        // card wants multiples of 128 bytes: 8.
        if (noria::error failed = make_ring(noria::round_up(wanted.descriptors + 1, 8u)); failed.code)
            return failed;
        buffer_bytes_ = bytes;
        head_ = tail_ = 0;
        in_frame_ = spoil_ = false;
        if (noria::error failed = start(); failed.code)
            return failed;
        return wanted;
    }

    // Takes buffers until the ring is full; one doorbell for all.
    [[nodiscard]] std::uint32_t post(std::span<const noria::buffer_post> posts) noexcept {
        if (!running_) [[unlikely]]
            return 0;
        std::uint32_t taken = 0;
        std::uint32_t tail = tail_;
        for (; taken != posts.size() && behind(tail) != head_; tail = behind(tail), ++taken) {
            const noria::buffer_post& post = posts[taken];
            NORIA_EXPECTS(post.length >= buffer_bytes_,
                          "the card writes as far as it was told at configure: no buffer is shorter");
            buffers_[tail] = {.iova = post.iova, .id = post.id};
            write_receive(ring_[tail], post.iova);
        }
        if (taken != 0) {
            tail_ = tail;
            card_->doorbell32(reg::rdt, tail); // the card may use all before it
        }
        return taken;
    }

    // Reports what the card has filled, in the order of the ring. Nothing it says is used as an index, and no
    // length is believed that a buffer does not have.
    [[nodiscard]] std::uint32_t reap(std::span<noria::completion> completions) noexcept {
        std::uint32_t written = 0;
        for (; written != completions.size() && head_ != tail_; ++written) {
            descriptor& from = ring_[head_];
            // The word with DD first: what is read behind it is not older (7.1.4).
            const std::uint32_t status = hardware::read_from_device(from.words[2]);
            if ((status & rx::done) == 0)
                break;
            completions[written] = describe(from, status, buffers_[head_].id);
            head_ = behind(head_);
        }
        return written;
    }

    // Set-up. Goes on after a reset of the card, with the buffers it had. The filled ones have been reaped.
    // (4.6.5)
    [[nodiscard]] noria::error start() noexcept {
        if (ring_ == nullptr || running_)
            return {};
        if (head_ != tail_ && (hardware::read_from_device(ring_[head_].words[2]) & rx::done) != 0)
            return noria::make_error(std::errc::operation_in_progress,
                                     "frames from before the stop are still in the ring: poll until there "
                                     "are none before you start the card again");
        begin_at_zero();
        program_ring();
        const std::uint32_t control = hardware::read_again_if_lost(*card_, reg::rctl::at);
        if (control == all_ones)
            return gone();
        card_->write32(reg::rctl::at, (control & ~reg::rctl::buffer_bits) | buffer_code(buffer_bytes_));
        running_ = true;
        if (tail_ != 0)
            card_->doorbell32(reg::rdt, tail_);
        return {};
    }

    // The card was reset or has gone: it uses nothing of ours any more.
    void lost() noexcept { running_ = kept_ = false; }
    // The card was to be reset, and nobody saw the end of it: all stays as it is until lost().
    void keep() noexcept { kept_ = running_; }

    [[nodiscard]] bool running() const noexcept { return running_; }
    // Bytes that the card puts in a buffer.
    [[nodiscard]] std::uint32_t buffer_bytes() const noexcept { return buffer_bytes_; }

  private:
    static constexpr std::uint32_t most_descriptors = 4088;

    struct buffer {
        std::uint64_t iova = 0;
        std::uint32_t id = 0;
    };

    // Memory for rings is not given back, so one that is long enough is used again.
    [[nodiscard]] noria::error make_ring(std::uint32_t descriptors) noexcept {
        if (descriptors > room_) {
            const auto memory = dma_->allocate(descriptors * sizeof(descriptor), 128);
            if (!memory)
                return memory.error();
            std::unique_ptr<buffer[]> buffers(new (std::nothrow) buffer[descriptors]);
            if (buffers == nullptr)
                return noria::make_error(std::errc::not_enough_memory,
                                         "the system has no memory for the queue's bookkeeping");
            memory_ = *memory;
            buffers_ = std::move(buffers);
            room_ = descriptors;
        }
        size_ = descriptors;
        ring_ = reinterpret_cast<descriptor*>(memory_.bytes.data());
        std::fill_n(ring_, size_, descriptor{});
        return {};
    }

    // The card counts from 0 when it starts: so do we, with the buffers that are still to be filled in front.
    void begin_at_zero() noexcept {
        std::rotate(buffers_.get(), buffers_.get() + head_, buffers_.get() + size_);
        tail_ = head_ <= tail_ ? tail_ - head_ : tail_ + size_ - head_;
        head_ = 0;
        for (std::uint32_t i = 0; i != tail_; ++i)
            write_receive(ring_[i], buffers_[i].iova);
        // Of a frame that a reset has cut in two the end will never come, so what comes next would be taken
        // for it: that frame is marked as damaged.
        spoil_ = in_frame_;
    }

    // Descriptors are written back one by one, and at once: who polls does not want to wait for a batch.
    void program_ring() noexcept {
        hardware::change(*card_, reg::rfctl::at, 0, reg::rfctl::extended_descriptors);
        card_->write32(reg::rdbal, static_cast<std::uint32_t>(memory_.iova));
        card_->write32(reg::rdbah, static_cast<std::uint32_t>(memory_.iova >> 32));
        card_->write32(reg::rdlen, size_ * static_cast<std::uint32_t>(sizeof(descriptor)));
        card_->write32(reg::rdh, 0);
        card_->write32(reg::rdt, 0);
        card_->write32(reg::rdtr, 0);
        card_->write32(reg::radv, 0);
        card_->write32(reg::rxdctl::at, reg::rxdctl::in_descriptors | reg::rxdctl::write_back_each);
    }

    [[nodiscard]] std::uint32_t behind(std::uint32_t index) const noexcept {
        return index + 1 == size_ ? 0 : index + 1;
    }

    // What the descriptor says of its buffer (7.1.4).
    [[nodiscard]] noria::completion describe(const descriptor& from, std::uint32_t status,
                                             std::uint32_t id) noexcept {
        noria::completion body{.id = id, .length = rx::length(from.words[3])};
        in_frame_ = (status & rx::end_of_packet) == 0;
        if (body.length > buffer_bytes_) [[unlikely]] { // no card can have written that
            body.length = buffer_bytes_;
            body.flags = noria::completion::error;
        }
        if (in_frame_)
            return body;
        body.flags |= noria::completion::end_of_packet;
        if ((status & rx::vlan) != 0)
            body.vlan = rx::tag(from.words[3]);
        if (rx::checksums_good(status))
            body.flags |= noria::completion::checksum_ok;
        if ((status & rx::damaged) != 0 || spoil_)
            body.flags |= noria::completion::error;
        spoil_ = false;
        return body;
    }

    // What post and reap need comes first.
    Registers* card_;
    descriptor* ring_ = nullptr;
    std::unique_ptr<buffer[]> buffers_; // that the descriptor of this number was given
    std::uint32_t size_ = 0;            // descriptors in the ring
    std::uint32_t head_ = 0;            // the next that the card fills
    std::uint32_t tail_ = 0;            // the next that is given to it
    std::uint32_t buffer_bytes_ = 0;
    bool running_ = false;
    bool kept_ = false;
    bool in_frame_ = false; // the last buffer was not the end of its frame
    bool spoil_ = false;    // the next frame is no good

    Dma* dma_;
    hardware::dma_memory memory_;
    std::uint32_t room_ = 0; // descriptors that memory_ has room for
};

} // namespace e1000e
