// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "dma_engine.hpp"
#include "interrupts.hpp"
#include "offload.hpp"
#include "ring.hpp"
#include "statistics.hpp"

namespace model82599 {

// From memory to the wire: descriptors, contexts, offloads, and the report that a packet has gone. 82599
// section 7.2.
class transmit_path {
  public:
    // Takes a frame as it is on the wire, without its CRC.
    using wire = std::function<void(std::span<const std::byte> frame, std::uint32_t queue)>;

    transmit_path(register_file& registers, fault_log& faults, dma_engine& dma, interrupt_block& interrupts,
                  statistics_block& statistics, noria::nanoseconds latency, wire out)
        : registers_(registers), faults_(faults), dma_(dma), interrupts_(interrupts), statistics_(statistics),
          out_(std::move(out)), states_(queues) {
        for (std::uint32_t queue = 0; queue != queues; ++queue)
            rings_.emplace_back(registers, faults, dma, at::transmit_ring(queue), latency);
    }

    static constexpr std::uint32_t queues = 128;

    // Sends at most `most` packets, in turn from the queues that have some. How many it sent.
    std::uint32_t work(std::uint32_t most, bool link_up, noria::nanoseconds now) {
        std::uint32_t done = 0;
        for (std::size_t half = 0; half != running_.size(); ++half)
            for (std::uint64_t left = running_[half]; left != 0; left &= left - 1) {
                const auto queue = static_cast<std::uint32_t>(64 * half) +
                                   static_cast<std::uint32_t>(std::countr_zero(left));
                rings_[queue].fetch([](const descriptor& given) {
                    return (given.words[3] & descriptor_done) != 0 && !is_context(given);
                });
                while (link_up && done != most && send_one(queue, now))
                    ++done;
                flush_late(queue, now);
            }
        return done;
    }

    void write(std::uint32_t queue, std::uint32_t place, std::uint32_t value, noria::nanoseconds now) {
        rings_[queue].write(place, value, registers_.bit(at::dmatxctl, 0), now);
    }
    void pass(noria::nanoseconds now) {
        for (std::uint32_t queue = 0; queue != queues; ++queue)
            if (rings_[queue].changing() && rings_[queue].work(now)) {
                running_[queue / 64] ^= std::uint64_t{1} << (queue % 64);
                states_[queue] = {};
            }
    }
    void reset() {
        for (ring& each : rings_)
            each.reset();
        states_.assign(queues, {});
        running_ = {};
    }

    [[nodiscard]] const ring& queue(std::uint32_t which) const noexcept { return rings_[which]; }

  private:
    static constexpr std::uint32_t descriptor_done = 1u << 0; // of word 3
    // Bits of word 2.
    static constexpr std::uint32_t end_of_packet = 1u << 24, insert_crc = 1u << 25, report_status = 1u << 27,
                                   extended = 1u << 29, vlan_enable = 1u << 30, segmentation = 1u << 31;
    static constexpr std::uint32_t context_type = 2, data_type = 3;
    static constexpr std::size_t crc_bytes = 4;
    static constexpr std::size_t shortest = 17, longest = std::size_t{256} << 10;
    // How long reports that WTHRESH holds back may wait for more of them.
    static constexpr noria::nanoseconds longest_wait = 20'000;

    struct queue_state {
        std::array<transmit_context, 2> contexts{};
        std::vector<std::uint64_t> unreported{}; // where descriptors are that asked for a report
        noria::nanoseconds since = 0;
    };

    [[nodiscard]] static std::uint32_t type_of(const descriptor& given) noexcept {
        return given.words[2] >> 20 & 0xf;
    }
    [[nodiscard]] static bool is_context(const descriptor& given) noexcept {
        return (given.words[2] & extended) != 0 && type_of(given) == context_type;
    }
    [[nodiscard]] std::uint32_t control(std::uint32_t queue) const noexcept {
        return registers_[at::transmit_ring(queue) + at::control];
    }
    [[nodiscard]] std::uint32_t write_back_threshold(std::uint32_t queue) const noexcept {
        return control(queue) >> 16 & 0x7f;
    }

    // One packet with the contexts in front of it. False where none is there whole.
    [[nodiscard]] bool send_one(std::uint32_t queue, noria::nanoseconds now) {
        ring& from = rings_[queue];
        queue_state& state = states_[queue];
        while (from.owned() != 0 && is_context(from.peek()))
            take_context(from, state);
        const std::uint32_t pieces = packet_length(from);
        if (pieces == 0)
            return false;
        if (pieces > 40 - std::min(write_back_threshold(queue), 40u))
            faults_.record(fault::too_many_descriptors, queue, pieces);

        const descriptor first = from.peek();
        frame_.clear();
        bool reported = false;
        bool whole = true;
        for (std::uint32_t i = 0; i != pieces; ++i) {
            const descriptor piece = from.peek();
            const bool last = i + 1 == pieces;
            whole = gather(piece, last, queue) && whole;
            if ((piece.words[2] & report_status) != 0) {
                reported = true;
                state.unreported.push_back(from.address_of_head());
                state.since = now;
            }
            from.advance();
        }
        if (!reported && write_back_threshold(queue) != 0)
            faults_.record(fault::report_missing, queue);
        if (whole)
            hand_out(first, queue, state);
        if (state.unreported.size() >= std::max(write_back_threshold(queue), 1u))
            report(queue);
        return true;
    }

    // How many descriptors the packet at the head has; 0 where its end is not there yet.
    [[nodiscard]] static std::uint32_t packet_length(ring& from) {
        for (std::uint32_t ahead = 0; ahead != from.owned(); ++ahead)
            if ((from.peek(ahead).words[2] & end_of_packet) != 0)
                return ahead + 1;
        return 0;
    }

    void take_context(ring& from, queue_state& state) {
        const descriptor given = from.peek();
        if ((given.words[2] & (report_status | end_of_packet)) != 0)
            faults_.record(fault::report_too_early, from.head(), given.words[2]);
        const std::uint32_t index = given.words[3] >> 4 & 7;
        if (index >= state.contexts.size())
            faults_.record(fault::bad_descriptor, from.head(), given.words[3]);
        else
            state.contexts[index] = transmit_context::from(given);
        from.advance();
    }

    // Reads one buffer into the frame.
    [[nodiscard]] bool gather(const descriptor& piece, bool last, std::uint32_t queue) {
        const std::uint32_t word2 = piece.words[2];
        const std::size_t length = word2 & 0xffff;
        if ((word2 & extended) == 0 || type_of(piece) != data_type || length == 0) {
            faults_.record(fault::bad_descriptor, queue, word2);
            return false;
        }
        if ((word2 & insert_crc) == 0 || !registers_.bit(at::hlreg0, 0))
            faults_.record(fault::no_checksequence, queue, word2);
        if (!last && (word2 & report_status) != 0)
            faults_.record(fault::report_too_early, queue, word2);
        if (frame_.size() + length > longest) {
            faults_.record(fault::frame_too_long, queue, frame_.size() + length);
            return false;
        }
        const std::size_t before = frame_.size();
        frame_.resize(before + length);
        return dma_.read(piece.low(), std::span(frame_).subspan(before));
    }

    // The frame is whole: offloads, and out with it.
    void hand_out(const descriptor& first, std::uint32_t queue, const queue_state& state) {
        offload what{.ip_checksum = (first.words[3] & 1u << 8) != 0,
                     .l4_checksum = (first.words[3] & 1u << 9) != 0,
                     .insert_vlan = (first.words[2] & vlan_enable) != 0,
                     .segment = (first.words[2] & segmentation) != 0,
                     .context = {}};
        if (what.ip_checksum || what.l4_checksum || what.insert_vlan || what.segment) {
            const std::uint32_t index = first.words[3] >> 4 & 7;
            if (index < state.contexts.size())
                what.context = state.contexts[index];
            if (!what.context.given) {
                faults_.record(fault::context_missing, queue, index);
                return;
            }
        }
        const std::size_t payload = first.words[3] >> 14;
        const std::size_t covered = what.segment ? what.context.headers() : 0;
        if (payload + covered != frame_.size())
            faults_.record(fault::wrong_payload_length, payload, frame_.size());
        if (frame_.size() < shortest) {
            faults_.record(fault::frame_too_short, queue, frame_.size());
            return;
        }
        if (covered >= frame_.size() || what.context.l4_offset() > frame_.size() ||
            (what.segment && what.context.segment_size == 0)) {
            faults_.record(fault::bad_descriptor, queue, covered);
            return;
        }
        if (!what.segment) {
            fill_checksums(frame_, what);
            put_on_wire(frame_, queue, what);
            return;
        }
        what.flags_kept[0] = static_cast<std::byte>(registers_.field(at::dtxtcpflgl, 7, 0));
        what.flags_kept[1] = static_cast<std::byte>(registers_.field(at::dtxtcpflgl, 23, 16));
        what.flags_kept[2] = static_cast<std::byte>(registers_.field(at::dtxtcpflgh, 7, 0));
        cut_segments(frame_, what, [&](std::span<std::byte> segment) {
            segment_.assign(segment.begin(), segment.end());
            put_on_wire(segment_, queue, what);
        });
    }

    void put_on_wire(std::vector<std::byte>& frame, std::uint32_t queue, const offload& what) {
        statistics_.queue_sent(queue, frame.size());
        if (what.insert_vlan) // DMATXCTL 31:16 is the type of a tag
            insert_vlan(frame, static_cast<std::uint16_t>(registers_.field(at::dmatxctl, 31, 16)),
                        what.context.vlan);
        if (frame.size() < 60 && registers_.bit(at::hlreg0, 10))
            frame.resize(60);
        statistics_.sent(frame, frame.size() + crc_bytes);
        out_(frame, queue);
    }

    // DD into each descriptor that asked, or where software wants the head instead, that.
    void report(std::uint32_t queue) {
        queue_state& state = states_[queue];
        const std::uint32_t ring_offset = at::transmit_ring(queue);
        const std::uint32_t low = registers_[ring_offset + at::head_write_back_low];
        if ((low & 1) != 0) {
            const std::uint64_t high = registers_[ring_offset + at::head_write_back_high];
            dma_.write_word((low & ~3u) | high << 32, rings_[queue].head());
        } else {
            for (const std::uint64_t place : state.unreported)
                dma_.write_done(place);
        }
        state.unreported.clear();
        interrupts_.transmit_event(queue);
    }
    void flush_late(std::uint32_t queue, noria::nanoseconds now) {
        if (!states_[queue].unreported.empty() && now - states_[queue].since >= longest_wait)
            report(queue);
    }

    register_file& registers_;
    fault_log& faults_;
    dma_engine& dma_;
    interrupt_block& interrupts_;
    statistics_block& statistics_;
    wire out_;
    std::vector<ring> rings_;
    std::vector<queue_state> states_;
    std::array<std::uint64_t, 2> running_{};
    std::vector<std::byte> frame_;
    std::vector<std::byte> segment_;
};

} // namespace model82599
