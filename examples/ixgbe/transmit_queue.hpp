// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "hardware/dma_space.hpp"
#include "hardware/wait.hpp"
#include "ixgbe/bring_up.hpp"
#include "ixgbe/descriptors.hpp"
#include "ixgbe/offload.hpp"
#include "ixgbe/registers.hpp"
#include "noria/backend/transmit.hpp"
#include "noria/core/bits.hpp"

// One transmit queue of the card, as a backend: a noria::tx_queue on top of it owns the packets.
//
//   tx_queue::send     --> transmit()    a descriptor for each piece of a packet, and TDT says how far
//   tx_queue::complete --> reap_sent()   DD in the descriptors that were to report (RS): all before are sent
//
// Not each descriptor reports, for each report is a write over the bus; but the last one of each call does,
// so that no packet waits for others to be known as sent.

namespace ixgbe {

struct transmit_options {
    // Offloads that tx_queue may ask for; what is not here it does in software.
    std::uint32_t offloads = noria::transmit_post::all_offloads;
    // No packet goes out in more pieces than this: beyond, tx_queue linearises. The card takes 40 descriptors
    // a packet less two (7.2.1.1); one may be a context, and one padding.
    std::uint32_t most_pieces = 36;
};

template <hardware::register_space Registers, hardware::dma_space Dma, noria::clock_source Clock>
class transmit_queue {
  public:
    // The card's queue number `queue`. All that is referred to outlives it.
    transmit_queue(Registers& registers, Dma& dma, Clock& clock, std::uint32_t queue,
                   const transmit_options& options) noexcept
        : registers_(&registers), doorbell_(reg::tdt(queue)), dma_(&dma), clock_(&clock), queue_(queue),
          options_(options) {}

    // Set-up. Packets that are sent may lie there.
    [[nodiscard]] noria::result<noria::mapping> attach(noria::region& memory) noexcept {
        return dma_->attach(memory);
    }

    // Set-up. Takes up the sizes and starts the queue.
    [[nodiscard]] noria::result<noria::transmit_setup>
    configure_transmit(const noria::transmit_setup& wanted) noexcept {
        if (wanted.descriptors == 0 || wanted.descriptors > most_packets)
            return noria::make_error(std::errc::invalid_argument,
                                     "a transmit queue of this card has between 1 and 4000 descriptors",
                                     most_packets, wanted.descriptors);
        if (noria::error failed = stop(); failed.code)
            return failed;
        // Twice as many, since before each packet there may be a context; one stays unused (7.2.3.3); and the
        // card wants multiples of 128 bytes: 8.
        if (noria::error failed = make_ring(noria::round_up(2 * wanted.descriptors + 1, 8u)); failed.code)
            return failed;
        pushed_ = finished_ = reported_ = 0; // what the last queue sent is gone with it
        if (noria::error failed = start(); failed.code)
            return failed;
        return noria::transmit_setup{.descriptors = wanted.descriptors,
                                     .most_pieces = std::min(wanted.most_pieces, options_.most_pieces),
                                     .offloads = options_.offloads,
                                     .most_link_header = context::most_link_header,
                                     .most_network_header = context::most_network_header};
    }

    // Takes whole packets until the ring is full; one doorbell for all.
    [[nodiscard]] std::uint32_t transmit(std::span<const noria::transmit_post> posts) noexcept {
        if (state_ != life::on) [[unlikely]]
            return 0;
        const std::uint32_t before = tail_;
        std::uint32_t used = 0;
        while (used != posts.size()) {
            used += place_plain(posts.subspan(used));
            std::uint32_t end = used;
            while (end != posts.size() && (posts[end].flags & noria::transmit_post::end_of_packet) == 0)
                ++end;
            if (end == posts.size() || pushed_ - reported_ > packet_mask_ ||
                !place(posts.subspan(used, end + 1 - used)))
                break;
            used = end + 1;
        }
        if (tail_ != before)
            ring_plain();
        return used;
    }

    // The short way for packets in one piece that is neither too short nor too long, and that want nothing:
    // descriptors behind each other, up to where something is to be looked at.
    [[nodiscard]] std::uint32_t plain_room(std::uint32_t most) const noexcept {
        if (state_ != life::on) [[unlikely]]
            return 0;
        return std::min({most, free(), packet_mask_ + 1 - (pushed_ - reported_), report_every - unmarked_,
                         size_ - tail_, packet_mask_ + 1 - (pushed_ & packet_mask_)});
    }
    [[nodiscard]] plain_writer plain_places() noexcept {
        return {ring_ + tail_, &packets_[pushed_ & packet_mask_]};
    }
    void commit_plain(const plain_writer& filled) noexcept {
        const auto placed = static_cast<std::uint32_t>(filled.packet - &packets_[pushed_ & packet_mask_]);
        if (placed == 0)
            return;
        last_ = tail_ + placed - 1;
        tail_ = behind(last_);
        pushed_ += placed;
        unmarked_ += placed;
        if (unmarked_ == report_every)
            ask_for_report();
    }
    void ring_plain() noexcept {
        if (unmarked_ != 0)
            ask_for_report();
        registers_->doorbell32(doorbell_, tail_); // TDT: the card may send all before it
    }

    // Reports what the card has sent. It says so of few packets, and means all before these.
    [[nodiscard]] std::uint32_t reap_sent(std::span<noria::transmit_report> reports) noexcept {
        std::uint32_t written = 0;
        for (;;) {
            while (written != reports.size() && reported_ != finished_) {
                const std::uint32_t from = reported_ & packet_mask_;
                const auto room = static_cast<std::uint32_t>(reports.size()) - written;
                const auto together = std::min({room, finished_ - reported_, packet_mask_ + 1 - from});
                std::copy_n(&packets_[from], together, &reports[written]);
                written += together;
                reported_ += together;
            }
            if (written == reports.size() || !next_mark_done())
                return written;
        }
    }

    // Set-up. Lets the card send what it has, for a while; then it is stopped, and what it has not sent is
    // reported as an error, so that all memory comes back. (4.6.8.1, disable) A queue that does not stop is
    // stuck: the card may still read all that it was given. Nothing of that is reported then, and neither
    // does it start again nor is it made anew before lost(), or a stop() that works.
    [[nodiscard]] noria::error stop() noexcept {
        if (state_ == life::off)
            return {};
        if (state_ == life::kept)
            return hardware::still_in_use();
        static_cast<void>(hardware::wait_until(*registers_, reg::tdh(queue_), all_ones, tail_, *clock_,
                                               10 * hardware::millisecond));
        registers_->write32(reg::txdctl::at(queue_), reg::txdctl::flush); // and not enabled
        const noria::error failed =
            await_enable(0, "a transmit queue was expected to have stopped (TXDCTL.ENABLE) after 10 ms: "
                            "reset the card");
        if (failed.code && !is_gone(failed, *registers_))
            state_ = life::stuck;
        else
            lost();
        return failed;
    }

    // Set-up. Goes on after stop(), or after a reset of the card. (4.6.8.1, enable)
    [[nodiscard]] noria::error start() noexcept {
        if (state_ == life::stuck || state_ == life::kept)
            return hardware::still_in_use();
        if (ring_ == nullptr || state_ == life::on)
            return {};
        head_ = tail_ = 0;
        known_ = {};
        registers_->write32(reg::tdbal(queue_), static_cast<std::uint32_t>(memory_.iova));
        registers_->write32(reg::tdbah(queue_), static_cast<std::uint32_t>(memory_.iova >> 32));
        registers_->write32(reg::tdlen(queue_), size_ * static_cast<std::uint32_t>(sizeof(descriptor)));
        registers_->write32(reg::tdh(queue_), 0);
        registers_->write32(reg::tdt(queue_), 0);
        // Fetch 36 ahead when 8 are there; reports are written at once, for few are asked for (8.2.3.9.10).
        registers_->write32(reg::txdctl::at(queue_),
                            field(36, reg::txdctl::prefetch) | field(8, reg::txdctl::host) |
                                field(0, reg::txdctl::write_back) | reg::txdctl::enable);
        state_ = life::stuck; // until it says that it runs
        if (noria::error failed = await_enable(
                reg::txdctl::enable,
                "a transmit queue was expected to run (TXDCTL.ENABLE) after 10 ms: reset the card");
            failed.code)
            return failed;
        state_ = life::on;
        return {};
    }

    // The card was reset or has gone, or was stopped: it reads nothing of ours any more, and what it has not
    // reported will not be.
    void lost() noexcept {
        while (next_mark_done()) {
        }
        for (; finished_ != pushed_; ++finished_)
            packets_[finished_ & packet_mask_].flags = never_sent;
        first_mark_ = last_mark_;
        state_ = life::off;
    }

    // As that of a receive queue.
    void keep() noexcept { state_ = state_ == life::off ? life::off : life::kept; }

    // May the card read what it was given? A queue that is stuck or kept runs too.
    [[nodiscard]] bool running() const noexcept { return state_ != life::off; }

  private:
    static constexpr std::uint32_t most_packets = 4000;
    static constexpr std::uint32_t most_descriptors = 38; // of one packet
    static constexpr std::uint32_t report_every = 32;     // descriptors
    static constexpr std::uint32_t never_sent =
        std::uint32_t{noria::transmit_report::error} | std::uint32_t{noria::transmit_report::memory_free};

    using transmit_posts = std::span<const noria::transmit_post>;

    // A descriptor that reports, and the packets that are sent when it does.
    struct mark {
        std::uint32_t descriptor;
        std::uint32_t packets;
    };

    [[nodiscard]] noria::error await_enable(std::uint32_t wanted, const char* what) noexcept {
        return hardware::await(*registers_, reg::txdctl::at(queue_), reg::txdctl::enable, wanted, *clock_,
                               10 * hardware::millisecond, what);
    }

    // The first of these posts that are plain packets, as far as there is room. How many that were.
    [[nodiscard, gnu::noinline]] std::uint32_t place_plain(transmit_posts posts) noexcept {
        const std::uint32_t before = pushed_;
        while (!posts.empty()) {
            const std::uint32_t room = plain_room(static_cast<std::uint32_t>(posts.size()));
            if (room == 0)
                break;
            plain_writer to = plain_places();
            std::uint32_t used = 0;
            for (; used != room; ++used) {
                const noria::transmit_post& post = posts[used];
                if (post.flags != noria::transmit_post::end_of_packet || !to.takes(post.length))
                    break;
                to.put(post.iova, post.length, post.id);
            }
            commit_plain(to);
            posts = posts.subspan(used);
            if (used != room)
                break;
        }
        return pushed_ - before;
    }

    // One packet. False when the ring has no room for it now. What can never be sent is taken as well, and
    // reported as an error.
    [[nodiscard]] bool place(transmit_posts pieces) noexcept {
        const noria::transmit_post& first = pieces.front();
        offload how{.possible = true, .options = field(first.packet_bytes, tx::payload)};
        const bool with_context = (first.flags & options_.offloads) != 0;
        if (with_context)
            how = make_offload(first);
        // What goes on the wire is no longer than without an offload.
        const bool cut = with_context && (first.flags & noria::transmit_post::segment) != 0;
        const std::uint32_t segment = std::uint32_t{first.header_bytes} + first.segment_bytes;
        const std::uint32_t on_wire = cut ? std::min(segment, first.packet_bytes) : first.packet_bytes;
        const bool padded = first.packet_bytes < tx::shortest;
        std::uint32_t wanted = (with_context ? 1u : 0u) + (padded ? 1u : 0u);
        for (const noria::transmit_post& piece : pieces)
            wanted += noria::divide_up(piece.length, tx::most_bytes);
        if (!how.possible || on_wire > tx::longest || wanted > std::min(most_descriptors, size_ - 1))
            [[unlikely]] {
            push(first.id, never_sent);
            // It is told of with the packets before it, at once where there are none.
            if (unmarked_ == 0) {
                if (first_mark_ == last_mark_)
                    finished_ = pushed_;
                else
                    marks_[(last_mark_ - 1) & packet_mask_].packets = pushed_;
            }
            return true;
        }
        if (wanted > free())
            return false;
        if (with_context)
            how.options |= field(use_context(how.with), tx::context_index);
        if (padded)
            how.options += field(tx::shortest - first.packet_bytes, tx::payload);
        for (const noria::transmit_post& piece : pieces)
            for (std::uint32_t at = 0; at != piece.length;) {
                const std::uint32_t length = std::min(piece.length - at, tx::most_bytes);
                write_data(next(), piece.iova + at, length, how.command, how.options);
                at += length;
            }
        if (padded)
            write_data(next(), zeros_, tx::shortest - first.packet_bytes, how.command, how.options);
        ring_[last_].words[2] |= tx::end_of_packet;
        push(first.id, plain_writer::done);
        if (unmarked_ >= report_every)
            ask_for_report();
        return true;
    }

    // The number of a context like that: one that the card still knows, or the other one written anew.
    [[nodiscard]] std::uint32_t use_context(const context& wanted) noexcept {
        const known_contexts::place where = known_.place_of(wanted);
        if (where.is_new)
            write_context(next(), wanted, where.index);
        return where.index;
    }

    void ask_for_report() noexcept {
        ring_[last_].words[2] |= tx::report;
        marks_[last_mark_++ & packet_mask_] = {.descriptor = last_, .packets = pushed_};
        unmarked_ = 0;
    }

    // Has the card come as far as the next descriptor that was to report?
    [[nodiscard]] bool next_mark_done() noexcept {
        if (first_mark_ == last_mark_)
            return false;
        const mark& next = marks_[first_mark_ & packet_mask_];
        if ((hardware::read_from_device(ring_[next.descriptor].words[3]) & tx::done) == 0)
            return false;
        head_ = behind(next.descriptor);
        finished_ = next.packets;
        ++first_mark_;
        return true;
    }

    void push(std::uint32_t id, std::uint32_t flags) noexcept {
        packets_[pushed_++ & packet_mask_] = {.id = id, .flags = flags};
    }
    // The next free descriptor. There is one.
    [[nodiscard]] descriptor& next() noexcept {
        last_ = tail_;
        tail_ = behind(tail_);
        ++unmarked_;
        return ring_[last_];
    }
    [[nodiscard]] std::uint32_t free() const noexcept {
        return size_ - 1 - (tail_ >= head_ ? tail_ - head_ : tail_ + size_ - head_);
    }
    [[nodiscard]] std::uint32_t behind(std::uint32_t index) const noexcept {
        return index + 1 == size_ ? 0 : index + 1;
    }

    [[nodiscard]] noria::error make_ring(std::uint32_t descriptors) noexcept {
        if (descriptors > room_) {
            // Behind the ring lie some zeros, to pad with.
            auto memory = dma_->allocate(descriptors * sizeof(descriptor) + 64, 128);
            if (!memory)
                return memory.error();
            const std::uint32_t packets = std::bit_ceil(descriptors);
            std::unique_ptr<noria::transmit_report[]> reports(new (std::nothrow)
                                                                  noria::transmit_report[packets]);
            std::unique_ptr<mark[]> marks(new (std::nothrow) mark[packets]);
            if (reports == nullptr || marks == nullptr)
                return noria::make_error(std::errc::not_enough_memory,
                                         "the system has no memory for the queue's bookkeeping");
            memory_ = *memory;
            packets_ = std::move(reports);
            marks_ = std::move(marks);
            packet_mask_ = packets - 1;
            room_ = descriptors;
        }
        size_ = descriptors;
        ring_ = reinterpret_cast<descriptor*>(memory_.bytes.data());
        zeros_ = memory_.iova + room_ * sizeof(descriptor);
        return {};
    }

    // What transmit and reap_sent need comes first.
    Registers* registers_;
    descriptor* ring_ = nullptr;
    std::unique_ptr<noria::transmit_report[]> packets_; // in the order they were taken
    std::unique_ptr<mark[]> marks_;
    std::uint32_t packet_mask_ = 0;
    std::uint32_t size_ = 0;       // descriptors in the ring
    std::uint32_t head_ = 0;       // the first of which it is not known that the card is done with it
    std::uint32_t tail_ = 0;       // the next free one
    std::uint32_t last_ = 0;       // the one before it
    std::uint32_t unmarked_ = 0;   // descriptors since the last that reports
    std::uint32_t pushed_ = 0;     // packets taken: these three count on and wrap;
    std::uint32_t finished_ = 0;   // those of them whose end is known;
    std::uint32_t reported_ = 0;   // those that were told
    std::uint32_t first_mark_ = 0; // these two as well
    std::uint32_t last_mark_ = 0;
    std::uint32_t doorbell_; // where TDT is
    enum class life : std::uint8_t { off, on, stuck, kept } state_ = life::off;
    known_contexts known_;

    Dma* dma_;
    Clock* clock_;
    std::uint32_t queue_;
    transmit_options options_;
    hardware::dma_memory memory_;
    std::uint64_t zeros_ = 0; // iova
    std::uint32_t room_ = 0;  // descriptors that memory_ has room for
};

} // namespace ixgbe
