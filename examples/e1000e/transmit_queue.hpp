// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "e1000e/bring_up.hpp"
#include "e1000e/descriptors.hpp"
#include "e1000e/registers.hpp"
#include "hardware/dma_space.hpp"
#include "noria/backend/transmit.hpp"
#include "noria/core/bits.hpp"

// The card's transmit queue, as a backend: a noria::tx_queue on top of it owns the packets on their way.
//
//   tx_queue::send ------> transmit()    pieces into descriptors, and TDT says how far       (7.2.11)
//                                        the card fetches them and their bytes, and sends
//   tx_queue::complete --> reap_sent()   DD in the last descriptor of a packet: it is sent

namespace e1000e {

template <hardware::register_space Registers, hardware::dma_space Dma>
class transmit_queue {
  public:
    // `offloads`: what is to be done with packets on their way out, of insert_vlan and fill_checksum. (The
    // card would cut up TCP too: see README.md.) All that is referred to outlives it.
    transmit_queue(Registers& card, Dma& dma, std::uint32_t offloads) noexcept
        : card_(&card), dma_(&dma), offloads_(offloads) {}
    transmit_queue(const transmit_queue&) = delete;
    transmit_queue& operator=(const transmit_queue&) = delete;

    // Set-up. Packet memory that is sent from.
    [[nodiscard]] noria::result<noria::mapping> attach(noria::region& memory) noexcept {
        return dma_->attach(memory);
    }

    // Set-up, with nothing under way. Takes up the sizes and starts the queue. A packet may want two
    // descriptors beside those of its pieces, so the ring has twice as many as it can have pieces.
    [[nodiscard]] noria::result<noria::transmit_setup>
    configure_transmit(const noria::transmit_setup& wanted) noexcept {
        if (wanted.descriptors == 0 || wanted.descriptors > most_descriptors)
            return noria::make_error(std::errc::invalid_argument,
                                     "a transmit queue of this driver has between 1 and 2040 descriptors",
                                     most_descriptors, wanted.descriptors);
        if (kept_)
            return hardware::still_in_use();
        running_ = false;
        if (noria::error failed = make_ring(noria::round_up(2 * wanted.descriptors + 4, 8u)); failed.code)
            return failed;
        start();
        // 8 bits say where a checksum goes, from the first byte on: shared out between the headers.
        constexpr std::uint32_t link = 63;
        constexpr std::uint32_t field_of_tcp = 16;
        return noria::transmit_setup{.descriptors = wanted.descriptors,
                                     .most_pieces = wanted.most_pieces,
                                     .offloads = offloads_,
                                     .most_link_header = link,
                                     .most_network_header = 0xff - field_of_tcp - link};
    }

    // Takes whole packets while there is room; one doorbell for all.
    [[nodiscard]] std::uint32_t transmit(std::span<const noria::transmit_post> posts) noexcept {
        if (!running_) [[unlikely]]
            return 0;
        std::uint32_t taken = 0;
        const std::uint32_t before = tail_;
        while (taken != posts.size()) {
            const std::span<const noria::transmit_post> pieces = first_packet(posts.subspan(taken));
            if (pieces.empty() || used_ + pieces.size() + most_extra >= size_ || behind(youngest_) == oldest_)
                break;
            put(pieces);
            taken += static_cast<std::uint32_t>(pieces.size());
        }
        if (tail_ != before)
            card_->doorbell32(reg::tdt, tail_); // the card may send all before it
        return taken;
    }

    // Reports what is sent, in the order it was given. For this card that is also when it is done with the
    // memory.
    [[nodiscard]] std::uint32_t reap_sent(std::span<noria::transmit_report> reports) noexcept {
        std::uint32_t written = 0;
        for (; written != reports.size() && oldest_ != youngest_; ++written) {
            const packet& next = packets_[oldest_];
            // Partner: the card's write of DD, after which it reads neither descriptors nor bytes.
            if (next.descriptors != 0 &&
                (hardware::read_from_device(ring_[next.last].words[3]) & tx::done) == 0)
                break;
            const std::uint32_t end = next.descriptors != 0 ? std::uint32_t{noria::transmit_report::sent}
                                                            : std::uint32_t{noria::transmit_report::error};
            reports[written] = {.id = next.id, .flags = end | noria::transmit_report::memory_free};
            used_ -= next.descriptors;
            oldest_ = behind(oldest_);
        }
        return written;
    }

    // Set-up. Begins with an empty ring, at first and after a reset of the card: what was in it is never
    // reported (tx_queue::purge). (4.6.6)
    void start() noexcept {
        if (ring_ == nullptr || running_)
            return;
        card_->write32(reg::tctl::at, reg::tctl::pad_short); // not while the ring changes
        tail_ = used_ = oldest_ = youngest_ = 0;
        context_ = {};
        std::fill_n(ring_, size_, descriptor{});
        card_->write32(reg::tdbal, static_cast<std::uint32_t>(memory_.iova));
        card_->write32(reg::tdbah, static_cast<std::uint32_t>(memory_.iova >> 32));
        card_->write32(reg::tdlen, size_ * static_cast<std::uint32_t>(sizeof(descriptor)));
        card_->write32(reg::tdh, 0);
        card_->write32(reg::tdt, 0);
        card_->write32(reg::txdctl::at,
                       reg::txdctl::always_one | reg::txdctl::in_descriptors | reg::txdctl::write_back_each);
        card_->write32(reg::tipg::at, reg::tipg::copper);
        card_->write32(reg::tctl::at, reg::tctl::enable | reg::tctl::pad_short |
                                          reg::tctl::collision_threshold | reg::tctl::collision_distance |
                                          reg::tctl::several_requests);
        running_ = true;
    }

    // The card was reset or has gone: it uses nothing of ours any more.
    void lost() noexcept { running_ = kept_ = false; }
    // The card was to be reset, and nobody saw the end of it: all stays as it is until lost().
    void keep() noexcept { kept_ = running_; }

    [[nodiscard]] bool running() const noexcept { return running_; }

  private:
    static constexpr std::uint32_t most_descriptors = 2040;
    static constexpr std::uint32_t most_extra = 2;   // descriptors of a packet: a context, and padding
    static constexpr std::size_t padding_bytes = 64; // zeros, behind the ring

    struct packet {
        std::uint32_t id;
        std::uint32_t last;        // its last descriptor
        std::uint32_t descriptors; // of it; 0: the card cannot do what is asked, and never had it
    };

    // Memory for rings is not given back, so one that is long enough is used again.
    [[nodiscard]] noria::error make_ring(std::uint32_t descriptors) noexcept {
        if (descriptors > room_) {
            const auto memory = dma_->allocate(descriptors * sizeof(descriptor) + padding_bytes, 128);
            if (!memory)
                return memory.error();
            std::unique_ptr<packet[]> packets(new (std::nothrow) packet[descriptors]);
            if (packets == nullptr)
                return noria::make_error(std::errc::not_enough_memory,
                                         "the system has no memory for the queue's bookkeeping");
            memory_ = *memory;
            packets_ = std::move(packets);
            room_ = descriptors;
        }
        size_ = descriptors;
        ring_ = reinterpret_cast<descriptor*>(memory_.bytes.data());
        return {};
    }

    [[nodiscard]] std::uint32_t behind(std::uint32_t index) const noexcept {
        return index + 1 == size_ ? 0 : index + 1;
    }

    // Up to the first piece that ends a packet; nothing if none does.
    [[nodiscard]] static std::span<const noria::transmit_post>
    first_packet(std::span<const noria::transmit_post> posts) noexcept {
        for (std::size_t i = 0; i != posts.size(); ++i)
            if ((posts[i].flags & noria::transmit_post::end_of_packet) != 0)
                return posts.first(i + 1);
        return {};
    }

    void put(std::span<const noria::transmit_post> pieces) noexcept {
        const noria::transmit_post& first = pieces.front();
        packet& now = packets_[youngest_];
        now = {.id = first.id, .last = 0, .descriptors = 0};
        youngest_ = behind(youngest_);
        if (!can_be_sent(pieces))
            return;
        const std::uint32_t begin = used_;
        std::uint32_t command = 0;
        std::uint32_t options = 0;
        if ((first.flags & noria::transmit_post::insert_checksum) != 0) {
            set_context(
                {.l4_start = static_cast<std::uint8_t>(first.transport_header),
                 .l4_field = static_cast<std::uint8_t>(first.transport_header + first.checksum_field)});
            options |= tx::l4_sum;
        }
        if ((first.flags & noria::transmit_post::insert_vlan) != 0) {
            command |= tx::insert_vlan;
            options |= field(first.vlan, tx::vlan);
        }
        const std::uint32_t missing =
            first.packet_bytes < tx::least_bytes ? tx::least_bytes - first.packet_bytes : 0;
        constexpr std::uint32_t end = tx::end_of_packet | tx::report;
        for (const noria::transmit_post& each : pieces)
            put(each.iova, each.length, command | (&each == &pieces.back() && missing == 0 ? end : 0),
                options);
        if (missing != 0)
            put(memory_.iova + room_ * sizeof(descriptor), missing, command | end, options);
        now.last = tail_ == 0 ? size_ - 1 : tail_ - 1;
        now.descriptors = used_ - begin;
    }
    void put(std::uint64_t iova, std::uint32_t length, std::uint32_t command,
             std::uint32_t options) noexcept {
        write_data(ring_[tail_], iova, length, command, options);
        tail_ = behind(tail_);
        ++used_;
    }

    // The card has 8 bits for where a checksum begins and where it goes; and a frame has an end.
    [[nodiscard]] static bool can_be_sent(std::span<const noria::transmit_post> pieces) noexcept {
        const noria::transmit_post& first = pieces.front();
        const bool in_reach = (first.flags & noria::transmit_post::insert_checksum) == 0 ||
                              (first.transport_header != 0 &&
                               std::uint32_t{first.transport_header} + first.checksum_field <= 0xff);
        return in_reach && first.packet_bytes <= longest_jumbo - 4 &&
               std::ranges::all_of(
                   pieces, [](const noria::transmit_post& each) { return each.length <= tx::most_bytes; });
    }

    // The card remembers one context: the same again costs nothing.
    void set_context(const context& wanted) noexcept {
        if (wanted == context_)
            return;
        context_ = wanted;
        write_context(ring_[tail_], wanted);
        tail_ = behind(tail_);
        ++used_;
    }

    // What transmit and reap_sent need comes first.
    Registers* card_;
    descriptor* ring_ = nullptr;
    std::unique_ptr<packet[]> packets_; // what the card has; of fewer packets than descriptors
    std::uint32_t size_ = 0;            // descriptors in the ring
    std::uint32_t tail_ = 0;            // the next that is given to the card
    std::uint32_t used_ = 0;            // descriptors
    std::uint32_t oldest_ = 0;          // of the packets,
    std::uint32_t youngest_ = 0;        // and behind the last of them
    context context_;
    bool running_ = false;
    bool kept_ = false;

    Dma* dma_;
    std::uint32_t offloads_;
    hardware::dma_memory memory_;
    std::uint32_t room_ = 0; // descriptors that memory_ has room for
};

} // namespace e1000e
