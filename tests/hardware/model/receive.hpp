// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "classify.hpp"
#include "crc.hpp"
#include "dma_engine.hpp"
#include "filters.hpp"
#include "interrupts.hpp"
#include "packet_buffer.hpp"
#include "ring.hpp"
#include "statistics.hpp"

namespace model82599 {

// What became of a frame at the card's door.
enum class arrival : std::uint8_t {
    queued,   // it is in the packet buffer
    filtered, // not for us, damaged, or of a size we do not take
    missed,   // the packet buffer is full: MPC counted it
    deaf      // no link, or receiving is switched off
};

// From the wire to memory: filters, packet buffer, queue, descriptors, write-back. 82599 section 7.1.
class receive_path {
  public:
    receive_path(register_file& registers, fault_log& faults, dma_engine& dma, interrupt_block& interrupts,
                 statistics_block& statistics, noria::nanoseconds latency)
        : registers_(registers), faults_(faults), dma_(dma), interrupts_(interrupts), statistics_(statistics),
          filter_(registers), classifier_(registers) {
        for (std::uint32_t queue = 0; queue != queues; ++queue)
            rings_.emplace_back(registers, faults, dma, at::receive_ring(queue), latency);
    }

    static constexpr std::uint32_t queues = 128;

    // A frame arrives, without its CRC.
    [[nodiscard]] arrival arrive(std::span<const std::byte> frame, bool damaged, bool link_up,
                                 bool loop_back) {
        // SECRXCTRL.RX_DIS holds the path shut.
        if (!link_up || !registers_.bit(at::rxctrl, 0) || registers_.bit(at::secrxctrl, 1))
            return arrival::deaf;
        const std::size_t on_wire = frame.size() + crc_bytes;
        statistics_.total_received(on_wire);
        if (on_wire < 64 || on_wire > longest(frame)) {
            statistics_.add(on_wire < 64 ? statistics_block::undersize : statistics_block::oversize);
            return arrival::filtered;
        }
        if (damaged)
            statistics_.add(statistics_block::crc_errors);
        if ((damaged && !registers_.bit(at::fctrl, store_bad_packets)) || !filter_.passes(frame))
            return arrival::filtered;
        if (!damaged)
            statistics_.good_received(frame, on_wire, frame.size() + (strips_crc() ? 0 : crc_bytes));
        if (!buffer_.push(frame, damaged, loop_back, dma_.moves_bytes(),
                          std::size_t{registers_.field(at::rxpbsize, 19, 10)} << 10)) {
            statistics_.missed(0);
            interrupts_.other_event(interrupt_block::receive_miss);
            return arrival::missed;
        }
        return arrival::queued;
    }

    // RXEN is written: what the data sheet wants done before, section 4.6.7.
    void begins() {
        if (!registers_.bit(at::secrxctrl, 1))
            faults_.record(fault::receive_unguarded, at::rxctrl);
        if (strips_crc() != registers_.bit(at::rdrxctl, 1))
            faults_.record(fault::crc_bits_differ, at::rdrxctl, registers_[at::hlreg0]);
        if (!registers_.bit(at::ctrl_ext, 16))
            faults_.record(fault::setting_forgotten, at::ctrl_ext);
        for (std::uint32_t queue = 0; queue != queues; ++queue)
            if (rings_[queue].enabled() && registers_.bit(at::dca_rxctrl(queue), 12))
                faults_.record(fault::setting_forgotten, at::dca_rxctrl(queue));
    }

    // Moves at most `most` frames to memory. How many it moved or dropped.
    std::uint32_t work(std::uint32_t most) {
        fetch();
        std::uint32_t moved = 0;
        while (moved != most && !buffer_.empty() && deliver(buffer_.front())) {
            buffer_.pop();
            ++moved;
        }
        return moved;
    }

    void write(std::uint32_t queue, std::uint32_t place, std::uint32_t value, noria::nanoseconds now) {
        rings_[queue].write(place, value, true, now);
    }
    // Queues that start and stop.
    void pass(noria::nanoseconds now) {
        for (std::uint32_t queue = 0; queue != queues; ++queue)
            if (rings_[queue].changing() && rings_[queue].work(now))
                running_[queue / 64] ^= std::uint64_t{1} << (queue % 64);
    }
    void forget_key() noexcept { classifier_.forget_key(); }
    void reset() {
        for (ring& each : rings_)
            each.reset();
        running_ = {};
        buffer_.clear();
        current_.active = false;
        classifier_.forget_key();
    }

    [[nodiscard]] const ring& queue(std::uint32_t which) const noexcept { return rings_[which]; }
    [[nodiscard]] const packet_buffer& buffer() const noexcept { return buffer_; }

  private:
    static constexpr std::size_t crc_bytes = 4;
    static constexpr unsigned store_bad_packets = 1;

    // Bits of word 2.
    static constexpr std::uint32_t done = 1u << 0, end_of_packet = 1u << 1, vlan_present = 1u << 3,
                                   looped_back = 1u << 18, header_overflow = 1u << 23, mac_error = 1u << 29;

    [[nodiscard]] bool strips_crc() const noexcept { return registers_.bit(at::hlreg0, 1); }

    // On the wire: 1518, or with JUMBOEN what MAXFRS says; and a tag on top.
    [[nodiscard]] std::size_t longest(std::span<const std::byte> frame) const noexcept {
        const bool jumbo = registers_.bit(at::hlreg0, 2);
        const bool tagged = frame.size() >= 18 && frame[12] == std::byte{0x81} && frame[13] == std::byte{0};
        return (jumbo ? registers_.field(at::maxfrs, 31, 16) : 1518u) + (tagged ? 4u : 0u);
    }

    void fetch() {
        for (std::size_t half = 0; half != running_.size(); ++half)
            for (std::uint64_t left = running_[half]; left != 0; left &= left - 1)
                rings_[64 * half + static_cast<std::size_t>(std::countr_zero(left))].fetch(
                    [](const descriptor& given) { return (given.words[2] & done) != 0; });
    }

    // The frame that is being written to memory: it may wait for descriptors in the middle.
    struct delivery {
        bool active = false;
        frame_facts facts;
        std::span<const std::byte> bytes; // as software will see them: no tag, perhaps with CRC
        std::size_t written = 0;
        std::uint32_t vlan = 0;   // word 3, in place
        std::uint32_t status = 0; // word 2 of the last descriptor, without its checksum bits
    };

    // How a queue wants its frames: SRRCTL.
    struct buffers {
        std::size_t packet;
        std::size_t header;
        std::uint32_t type;
        bool may_drop;
    };
    [[nodiscard]] buffers buffers_of(std::uint32_t queue) const noexcept {
        const std::uint32_t srrctl = at::srrctl(queue);
        return {.packet = std::size_t{registers_.field(srrctl, 4, 0)} * 1024,
                .header = std::size_t{registers_.field(srrctl, 13, 8)} * 64,
                .type = registers_.field(srrctl, 27, 25),
                .may_drop = registers_.bit(srrctl, 28)};
    }

    // False where it has to wait for descriptors, and all frames behind it too.
    [[nodiscard]] bool deliver(const packet_buffer::frame& arrived) {
        if (!current_.active)
            prepare(arrived);
        const std::uint32_t queue = current_.facts.queue;
        const buffers as = buffers_of(queue);
        ring& to = rings_[queue];
        if (!to.enabled() || !usable(queue, as) ||
            (as.may_drop && current_.written == 0 && to.owned() < needed(as))) {
            statistics_.queue_dropped(queue);
            current_.active = false;
            return true;
        }
        while (current_.active) {
            if (to.owned() == 0)
                return false;
            fill_one(to, as);
        }
        statistics_.queue_received(queue, current_.bytes.size());
        interrupts_.receive_event(queue);
        return true;
    }

    void prepare(const packet_buffer::frame& arrived) {
        current_ = {.active = true, .facts = classifier_.look(arrived.bytes), .bytes = arrived.bytes};
        current_.status = (arrived.damaged ? mac_error : 0) | (arrived.loop_back ? looped_back : 0);
        const auto byte = [&](std::size_t i) { return std::to_integer<std::uint32_t>(arrived.bytes[i]); };
        const bool strip = registers_.bit(at::receive_ring(current_.facts.queue) + at::control, 30) &&
                           arrived.bytes.size() >= 18 &&
                           (byte(12) << 8 | byte(13)) == registers_.field(at::vlnctrl, 15, 0);
        if ((!strip && strips_crc()) || !dma_.moves_bytes())
            return;
        reworked_.assign(arrived.bytes.begin(), arrived.bytes.end());
        if (!strips_crc())
            append_crc(reworked_, arrived.damaged);
        if (strip) {
            current_.vlan = (byte(14) << 8 | byte(15)) << 16;
            current_.status |= vlan_present;
            reworked_.erase(reworked_.begin() + 12, reworked_.begin() + 16);
            current_.facts.split_length -= std::min(current_.facts.split_length, 4u);
        }
        current_.bytes = reworked_;
    }

    [[nodiscard]] bool usable(std::uint32_t queue, const buffers& as) {
        if (as.type != one_buffer && as.type != split && as.type != split_always) {
            faults_.record(fault::unsupported, at::srrctl(queue), as.type);
            return false;
        }
        if (as.packet == 0 || (as.type != one_buffer && as.header == 0)) {
            faults_.record(fault::buffer_size_zero, at::srrctl(queue));
            return false;
        }
        return true;
    }

    [[nodiscard]] std::uint32_t needed(const buffers& as) const noexcept {
        const std::size_t in_packets = current_.bytes.size() - header_part(as).length;
        return std::max<std::uint32_t>(1,
                                       static_cast<std::uint32_t>((in_packets + as.packet - 1) / as.packet));
    }

    // What of the frame goes to the header buffer of its first descriptor, and how word 0 and 2 say so.
    struct header_share {
        std::size_t length = 0;
        std::uint32_t word0 = 0;
        std::uint32_t word2 = 0;
    };
    [[nodiscard]] header_share header_part(const buffers& as) const noexcept {
        constexpr std::uint32_t split_header = 1u << 31;
        const auto reported = [](std::size_t length) {
            return static_cast<std::uint32_t>(length & 0x3ff) << 21;
        };
        if (as.type == one_buffer)
            return {};
        const std::size_t found = current_.facts.split_length;
        const std::size_t all = current_.bytes.size();
        if (as.type == split_always && all <= as.header)
            return {all, reported(all), 0};
        if (found == 0)
            return as.type == split ? header_share{} : header_share{as.header, reported(as.header), 0};
        if (found <= as.header)
            return {found, reported(found) | split_header, 0};
        return {as.type == split ? 0 : as.header, reported(found) | split_header, header_overflow};
    }

    // One descriptor: its buffers, and its write-back.
    void fill_one(ring& to, const buffers& as) {
        const descriptor given = to.peek();
        if (!dma_.has_room(given.low(), as.packet))
            faults_.record(fault::buffer_too_short, given.low(), as.packet);
        const header_share header = current_.written == 0 ? header_part(as) : header_share{};
        if (header.length != 0)
            static_cast<void>(
                dma_.write(given.high() & ~std::uint64_t{1}, current_.bytes.first(header.length)));
        current_.written += header.length;
        const auto piece = current_.bytes.subspan(
            current_.written, std::min(as.packet, current_.bytes.size() - current_.written));
        if (!piece.empty())
            static_cast<void>(dma_.write(given.low(), piece));
        current_.written += piece.size();
        current_.active = current_.written != current_.bytes.size();

        const frame_facts& facts = current_.facts;
        dma_.write_back(to.address_of_head(), {{facts.hash_type | facts.packet_type | header.word0, word1(),
                                                done | (current_.active ? 0 : end_of_packet) |
                                                    current_.status | facts.status | header.word2,
                                                static_cast<std::uint32_t>(piece.size()) | current_.vlan}});
        to.advance();
    }

    // The hash; or with PCSD off, what is left of an older time: the IP identification.
    [[nodiscard]] std::uint32_t word1() const noexcept {
        return registers_.bit(at::rxcsum, 13) ? current_.facts.hash : current_.facts.identification;
    }

    static constexpr std::uint32_t one_buffer = 1, split = 2, split_always = 5;

    register_file& registers_;
    fault_log& faults_;
    dma_engine& dma_;
    interrupt_block& interrupts_;
    statistics_block& statistics_;
    address_filter filter_;
    classifier classifier_;
    packet_buffer buffer_;
    std::vector<ring> rings_;
    std::array<std::uint64_t, 2> running_{};
    delivery current_;
    std::vector<std::byte> reworked_; // what current_.bytes shows, where it is not as it arrived
};

} // namespace model82599
