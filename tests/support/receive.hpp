// SPDX-License-Identifier: BSL-1.0
#pragma once

// A loopback card, a receive queue, and a model beside them that knows which packet must come next.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "noria/backend/loopback.hpp"
#include "noria/packet/pull.hpp"
#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"
#include "noria/stats/ledger.hpp"
#include "noria/wire/ethernet.hpp"
#include "noria/wire/ipv4.hpp"
#include "noria/wire/udp.hpp"
#include "support/random.hpp"

using frame_bytes = std::span<const std::byte>;

// Ethernet, IPv4, UDP: 42 bytes of headers in front of whatever is in `frame`, if it is long enough.
inline constexpr std::uint32_t udp_headers = 42;
inline void make_udp(std::vector<std::byte>& frame) {
    if (frame.size() < udp_headers)
        return;
    noria::ethernet_header ethernet{};
    ethernet.type = noria::ethertype::ipv4;
    noria::ipv4_header ip{};
    ip.version_and_length = 0x45;
    ip.total_length = static_cast<std::uint16_t>(frame.size() - sizeof ethernet);
    ip.protocol = noria::ip_protocol::udp;
    noria::udp_header udp{};
    udp.length = static_cast<std::uint16_t>(frame.size() - sizeof ethernet - sizeof ip);
    std::memcpy(frame.data(), &ethernet, sizeof ethernet);
    std::memcpy(frame.data() + sizeof ethernet, &ip, sizeof ip);
    std::memcpy(frame.data() + sizeof ethernet + sizeof ip, &udp, sizeof udp);
}

inline std::vector<std::byte> random_bytes(random_steps& random, std::uint32_t bytes) {
    std::vector<std::byte> made(bytes);
    for (std::byte& one : made)
        one = random.byte();
    return made;
}

// Some hundred frames of 0 to `longest` bytes, half of them UDP: many of a length at which something ends.
class traffic {
  public:
    traffic(random_steps& random, std::uint32_t longest) {
        std::vector<std::uint32_t> edges = {0, 1, 13, 14, 41, 42, 43, 59, 60, 61, 62, 63, 64, 65};
        // A copybreak or stride; room in a buffer (1472, 1536), a half (1664, 32704) and a page, without
        // headroom and with it.
        for (const std::uint32_t edge :
             {128u, 192u, 256u, 448u, 512u, 1472u, 1536u, 1664u, 2 * 1664u, 4032u, 4096u, 8192u, longest})
            edges.insert(edges.end(), {edge - 1, edge, edge + 1});
        for (const std::uint32_t edge : edges)
            if (edge <= longest)
                lengths_.push_back(edge);
        for (int i = 0; i != 100; ++i)
            lengths_.push_back(random.below(longest + 1));
        for (const std::uint32_t bytes : lengths_) {
            frames_.push_back(random_bytes(random, bytes));
            if (random.one_in(2))
                make_udp(frames_.back());
        }
    }

    frame_bytes any(random_steps& random) const { return random.pick(frames_); }

  private:
    std::vector<std::uint32_t> lengths_;
    std::vector<std::vector<std::byte>> frames_;
};

inline bool holds(const noria::packet& packet, frame_bytes bytes) {
    std::vector<std::byte> copy(packet.size());
    return packet.copy_bits(0, copy) && std::ranges::equal(copy, bytes);
}

// What the card's faults will do to the next frame: the same generator, asked in the same order.
class fault_model {
  public:
    explicit fault_model(const noria::backend::loopback_faults& faults)
        : faults_(faults), random_(faults.seed | 1) {}

    bool strikes(std::uint32_t one_in) {
        if (one_in == 0)
            return false;
        random_ ^= random_ << 13;
        random_ ^= random_ >> 7;
        random_ ^= random_ << 17;
        return random_ % one_in == 0;
    }
    const noria::backend::loopback_faults& faults() const { return faults_; }

  private:
    noria::backend::loopback_faults faults_;
    std::uint64_t random_;
};

template <class Strategy>
class receive_rig {
  public:
    static constexpr noria::buffer_model model = Strategy::supply::model;
    using card_type = noria::backend::loopback<model>;
    using queue_type = noria::rx_queue<card_type, Strategy>;

    struct held_packet {
        noria::packet_ptr packet;
        frame_bytes bytes;
    };

    explicit receive_rig(const noria::rx_options& options, const noria::backend::loopback_faults& faults = {})
        : card(faults), memory_(noria::region::map({.bytes = queue_type::region_bytes(options),
                                                    .best = noria::backing::plain_pages,
                                                    .prefault = false})),
          queue_(queue_type::create(card, *memory_, options)), faults_(faults) {}

    queue_type& queue() { return *queue_; }

    // The wire: a frame arrives.
    void offer(frame_bytes bytes) {
        ++offered_;
        if (card.offer({.bytes = bytes}))
            fifo_.push_back(bytes);
        else
            ++missed_;
    }
    // The card: moves frames from its FIFO to memory.
    std::uint32_t step(std::uint32_t most = card_type::fifo_frames) {
        const std::uint32_t moved = card.step(most);
        for (std::uint32_t i = 0; i != moved; ++i) {
            arrive(fifo_.front());
            fifo_.pop_front();
        }
        return moved;
    }
    // The queue: use(packet_ptr, bytes) gets each packet, which was found to hold those bytes.
    template <class Use>
    std::uint32_t poll(std::uint32_t budget, Use use) {
        const std::uint32_t done = queue().poll(budget, [&](noria::packet_ptr packet) noexcept {
            take_note_of_drops();
            if (ring_.empty() || ring_.front().damaged) {
                ADD_FAILURE() << "a packet came out that was never put in whole";
                return;
            }
            const frame_bytes bytes = ring_.front().bytes;
            ring_.pop_front();
            ++delivered_;
            delivered_bytes_ += bytes.size();
            check_packet(*packet, bytes);
            scribble(*packet);
            use(std::move(packet), bytes);
        });
        take_note_of_drops();
        check_ledger();
        return done;
    }

    void hold(noria::packet_ptr packet, frame_bytes bytes) { held.push_back({std::move(packet), bytes}); }
    // Frees one of the held packets, which still has its bytes.
    void free_one(random_steps& random) {
        std::swap(random.pick(held), held.back());
        EXPECT_TRUE(holds(*held.back().packet, held.back().bytes)) << "the bytes changed under a held packet";
        held.back().packet.free(noria::drop_reason::consumed);
        held.pop_back();
    }
    void free_all(random_steps& random) {
        while (!held.empty())
            free_one(random);
    }

    // Runs card and queue until nothing moves, with a consumer that frees at once. Then nothing may be on the
    // way.
    void settle() {
        for (int quiet = 0; quiet != 3;) {
            const std::uint32_t moved = step();
            const std::uint32_t done = poll(64, [](noria::packet_ptr packet, frame_bytes) noexcept {
                packet.free(noria::drop_reason::consumed);
            });
            quiet = moved + done == 0 ? quiet + 1 : 0;
            if (testing::Test::HasFailure())
                return;
        }
        EXPECT_TRUE(ring_.empty()) << ring_.size() << " frames went to memory and never came out";
        EXPECT_TRUE(fifo_.empty()) << "the card is stuck with " << fifo_.size() << " frames";
        EXPECT_EQ(queue().counters().refused, duplicates_);
    }
    // At the end of a test: all packets are freed, so nothing may be held by anybody.
    void expect_nothing_held() {
        EXPECT_EQ(queue().packets_out(), 0u);
        EXPECT_EQ(queue().pinned_bytes(), 0u);
    }

    std::uint64_t delivered() const { return delivered_; }
    std::uint64_t missed() const { return missed_; }
    std::uint64_t lost() const { return lost_; }
    std::uint64_t duplicates() const { return duplicates_; }
    std::size_t in_ring() const { return ring_.size(); }

    card_type card;

  private:
    struct sent {
        frame_bytes bytes;
        bool damaged = false;
    };

    void arrive(frame_bytes bytes) {
        const auto& faults = faults_.faults();
        if (faults_.strikes(faults.drop)) {
            ++lost_;
            return;
        }
        if (faults_.strikes(faults.truncate))
            bytes = bytes.first(bytes.size() / 2);
        const bool damaged = faults_.strikes(faults.error);
        faults_.strikes(faults.late);
        duplicates_ += faults_.strikes(faults.duplicate);
        ring_.push_back({bytes, damaged});
    }

    // Frames come out in order, so what was dropped meanwhile is what is next.
    void take_note_of_drops() {
        for (; dropped_ != queue().drops().dropped(); ++dropped_) {
            if (ring_.empty()) {
                ADD_FAILURE() << "a frame was dropped that was never put in";
                return;
            }
            damaged_ += ring_.front().damaged;
            ring_.pop_front();
        }
        EXPECT_EQ(queue().drops().of(noria::drop_reason::device_error), damaged_);
    }

    void check_packet(const noria::packet& packet, frame_bytes bytes) const {
        EXPECT_TRUE(holds(packet, bytes)) << "a frame of " << bytes.size() << " bytes came out as "
                                          << packet.size() << " bytes, or different ones";
        EXPECT_GE(packet.truesize(), packet.size());
        for (const noria::fragment& part : packet.fragments()) {
            EXPECT_GT(part.length, 0u);
            EXPECT_LE(std::uint64_t{part.offset} + part.length, part.under->size());
            EXPECT_GE(part.truesize, part.length);
        }
    }

    // What is free around a packet's head is the packet's: writing there changes nobody's bytes.
    static void scribble(const noria::packet& packet) {
        std::fill_n(packet.data() - packet.headroom(), packet.headroom(), std::byte{0xee});
        std::fill_n(packet.data() + packet.headlen(), packet.room_behind_tail(), std::byte{0xee});
    }

    void check_ledger() {
        EXPECT_EQ(card.offered(), offered_);
        EXPECT_EQ(card.moved() + card.lost() + card.missed() + card.fifo_waiting(), offered_);
        EXPECT_EQ(card.missed(), missed_);
        EXPECT_EQ(card.lost(), lost_);
        EXPECT_EQ(card.fifo_waiting(), fifo_.size());
        EXPECT_EQ(queue().counters().delivered, delivered_);
        EXPECT_EQ(queue().counters().bytes, delivered_bytes_);
        noria::loss_ledger ledger;
        ledger.offered = card.offered();
        ledger.delivered = queue().counters().delivered;
        ledger.held = card.fifo_waiting() + ring_.size();
        ledger.add_drops(queue().drops());
        ledger.drop(noria::drop_reason::rx_missed, card.missed());
        ledger.drop(noria::drop_reason::not_specified, card.lost());
        EXPECT_TRUE(ledger.closes()) << "off by " << ledger.discrepancy();
        EXPECT_EQ(queue().drops().of(noria::drop_reason::consumed), 0u);
    }

    noria::result<noria::region> memory_;
    noria::result<queue_type> queue_;

  public:
    std::vector<held_packet> held; // behind the queue, so that it goes first

  private:
    fault_model faults_;
    std::deque<frame_bytes> fifo_; // in the card, nowhere else
    std::deque<sent> ring_;        // in memory, not yet out of the queue
    std::uint64_t offered_ = 0, missed_ = 0, lost_ = 0, duplicates_ = 0;
    std::uint64_t delivered_ = 0, delivered_bytes_ = 0, dropped_ = 0, damaged_ = 0;
};
