// SPDX-License-Identifier: BSL-1.0
#pragma once

// A model of the card, the driver on it, a receive and a transmit queue of Noria on that, and beside them a
// list of what must come out next.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/model/card.hpp"
#include "ixgbe/driver.hpp"
#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"
#include "noria/queue/tx_queue.hpp"
#include "noria/stats/ledger.hpp"
#include "support/random.hpp"

namespace ixgbe_test {

using bytes = std::vector<std::byte>;
using driver_type =
    ixgbe::driver<model82599::card::register_access, model82599::dma_memory_map, model82599::clock>;
using receive_backend = driver_type::receive_queue_type;
using transmit_backend = driver_type::transmit_queue_type;
static_assert(noria::check_backend<receive_backend>() && noria::check_transmit<transmit_backend>());

// A test cannot go on without what was to be made.
template <class T>
T need(noria::result<T> made) {
    if (!made)
        throw std::runtime_error(made.error().advice);
    return *std::move(made);
}
inline void expect_ok(const noria::error& failed) {
    EXPECT_FALSE(failed.code) << failed.advice << " (wanted " << failed.wanted << ", found " << failed.found
                              << ")";
}

// To all, so that no filter minds; no IP.
inline bytes plain_frame(random_steps& random, std::uint32_t size) {
    bytes made(size);
    for (std::byte& each : made)
        each = random.byte();
    std::fill_n(made.begin(), 6, std::byte{0xff});
    made[12] = std::byte{0x88}; // a type that nobody looks into
    made[13] = std::byte{0xb5};
    return made;
}

// The card, and the driver that has opened it.
struct opened_card {
    explicit opened_card(const ixgbe::options& wanted = {},
                         const model82599::card_setup& setup = {.tick = 20'000, .link_delay = 1'000'000})
        : card(setup), driver(need(driver_type::open(registers, card.dma(), clock, wanted))) {}

    // Frames come in.
    void start() {
        expect_ok(driver->start());
        expect_ok(driver->wait_for_link());
    }
    void expect_no_faults() {
        for (const model82599::fault_record& each : card.faults().records())
            ADD_FAILURE() << each;
        card.faults().clear();
    }

    model82599::card card;
    model82599::card::register_access registers = card.registers();
    model82599::clock clock = card.clock();
    noria::owned<driver_type> driver;
};

template <class Strategy>
class rig : public opened_card {
  public:
    using rx_type = noria::rx_queue<receive_backend, Strategy>;
    using tx_type = noria::tx_queue<transmit_backend>;

    struct held_packet {
        noria::packet_ptr packet;
        bytes expected;
    };

    rig(const noria::rx_options& options, const ixgbe::options& wanted = {},
        const noria::tx_options& sending = {.descriptors = 256})
        : opened_card(wanted), memory_(need(noria::region::map({.bytes = rx_type::region_bytes(options),
                                                                .best = noria::backing::plain_pages,
                                                                .prefault = false}))),
          rx_(need(rx_type::create(driver->receive(0), memory_, options))),
          tx_(need(tx_type::create(driver->transmit(0), memory_, sending))) {
        start();
    }
    ~rig() {
        held.clear();
        if (tx_.packets_out() != 0) {
            static_cast<void>(driver->stop());
            tx_.complete(~0u);
        }
    }

    rx_type& rx() { return rx_; }
    tx_type& tx() { return tx_; }

    // The wire: a frame arrives.
    model82599::arrival offer(const bytes& frame, bool damaged = false) {
        const model82599::arrival what = card.wire_in(frame, damaged);
        if (what == model82599::arrival::queued) {
            ++offered_;
            fifo_.push_back(frame);
        } else if (what == model82599::arrival::missed) {
            ++offered_;
            ++missed_;
        }
        return what;
    }
    // The card: moves up to `most` frames, in or out.
    std::uint32_t step(std::uint32_t most = ~0u) {
        std::uint32_t all = 0;
        for (; all != most; ++all) {
            const std::size_t waiting = card.buffer().frames();
            const std::uint32_t dropped = card.behind()[0x1430];
            if (card.step(1) == 0)
                break;
            if (card.behind()[0x1430] != dropped) {
                ++dry_;
                fifo_.pop_front();
            } else if (card.buffer().frames() != waiting) {
                ring_.push_back(std::move(fifo_.front()));
                fifo_.pop_front();
            }
        }
        check_sent();
        return all;
    }
    // After what let the card work by itself, as waiting does. Not where a queue may drop.
    void catch_up() {
        for (std::size_t moved = fifo_.size() - card.buffer().frames(); moved != 0; --moved) {
            ring_.push_back(std::move(fifo_.front()));
            fifo_.pop_front();
        }
        check_sent();
    }
    // The queue: use(packet_ptr, bytes) gets each packet, which was found to hold those bytes.
    template <class Use>
    std::uint32_t poll(std::uint32_t budget, Use use) {
        const std::uint32_t done = rx_.poll(budget, [&](noria::packet_ptr packet) noexcept {
            take_note_of_drops();
            if (ring_.empty()) {
                ADD_FAILURE() << "a packet came out that was never put in";
                return;
            }
            bytes expected = std::move(ring_.front());
            ring_.pop_front();
            ++delivered_;
            bytes got(packet->size());
            EXPECT_TRUE(packet->copy_bits(0, got));
            EXPECT_EQ(got, expected);
            use(std::move(packet), std::move(expected));
        });
        take_note_of_drops();
        check_ledger();
        return done;
    }
    // Sends it, if there is room: what goes out must be these bytes, padded.
    void send(noria::packet_ptr packet, bytes expected) {
        if (!tx_.send(packet)) {
            packet.free(noria::drop_reason::full_ring);
            return;
        }
        expected.resize(std::max<std::size_t>(expected.size(), 60));
        sent_.push_back(std::move(expected));
    }
    void hold(noria::packet_ptr packet, bytes expected) {
        held.push_back({std::move(packet), std::move(expected)});
    }
    void free_one(random_steps& random) {
        std::swap(random.pick(held), held.back());
        bytes got(held.back().packet->size());
        EXPECT_TRUE(held.back().packet->copy_bits(0, got));
        EXPECT_EQ(got, held.back().expected) << "the bytes changed under a held packet";
        held.back().packet.free(noria::drop_reason::consumed);
        held.pop_back();
    }
    void free_all(random_steps& random) {
        while (!held.empty())
            free_one(random);
    }
    // Until nothing moves any more.
    void settle() {
        for (int quiet = 0; quiet != 3 && !testing::Test::HasFailure();) {
            std::uint32_t moved = step();
            moved += poll(64, [](noria::packet_ptr packet, const bytes&) noexcept {
                packet.free(noria::drop_reason::consumed);
            });
            moved += tx_.complete(256);
            quiet = moved == 0 ? quiet + 1 : 0;
        }
        EXPECT_TRUE(ring_.empty()) << ring_.size() << " frames went to memory and never came out";
        EXPECT_TRUE(sent_.empty()) << sent_.size() << " packets were taken and never went out";
    }
    // The card hangs, and is reset: what was in it is lost, what is in memory is not.
    void reset() {
        step(); // nothing will move behind our back
        expect_ok(driver->reset());
        lost_ += fifo_.size();
        fifo_.clear();
        sent_.clear(); // what of them had gone out was looked at before
        for (int quiet = 0; quiet != 3;) {
            std::uint32_t moved = poll(64, [](noria::packet_ptr packet, const bytes&) noexcept {
                packet.free(noria::drop_reason::consumed);
            });
            moved += tx_.complete(256);
            quiet = moved == 0 ? quiet + 1 : 0;
        }
        EXPECT_EQ(tx_.packets_out(), 0u);
        start();
    }
    // All packets are freed: nothing may be held by anybody.
    void expect_nothing_held() {
        EXPECT_EQ(rx_.packets_out(), 0u);
        EXPECT_EQ(rx_.pinned_bytes(), 0u);
        EXPECT_EQ(tx_.packets_out(), 0u);
        EXPECT_TRUE(tx_.ledger().closes());
    }
    // What the card counted is what happened.
    void expect_right_statistics() {
        step();
        driver->read_statistics();
        const noria::link_values link = driver->counts().link();
        EXPECT_EQ(link.rx_packets, delivered_ + dropped_ + ring_.size());
        EXPECT_EQ(link.rx_missed, missed_ + dry_);
        EXPECT_EQ(driver->counts().missed_in_fifo(), missed_);
        EXPECT_EQ(driver->counts().dropped_when_dry(), dry_);
        EXPECT_EQ(link.tx_packets, went_out_);
        EXPECT_EQ(link.tx_bytes, bytes_out_);
        EXPECT_EQ(driver->counts().gaps(), 0u);
    }

    std::uint64_t delivered() const { return delivered_; }
    std::uint64_t missed() const { return missed_; }
    std::uint64_t dry() const { return dry_; }
    std::uint64_t lost() const { return lost_; }
    std::uint64_t dropped() const { return dropped_; }
    std::uint64_t went_out() const { return went_out_; }
    std::size_t in_fifo() const { return fifo_.size(); }

  private:
    // Frames come out in order, so what was dropped meanwhile is what is next.
    void take_note_of_drops() {
        for (; dropped_ != rx_.drops().dropped(); ++dropped_) {
            if (ring_.empty()) {
                ADD_FAILURE() << "a frame was dropped that was never put in";
                return;
            }
            ring_.pop_front();
        }
    }
    void check_sent() {
        card.take_sent([&](std::span<const std::byte> frame, std::uint32_t) {
            ++went_out_;
            bytes_out_ += frame.size();
            if (sent_.empty()) {
                ADD_FAILURE() << "a frame went out that nobody sent";
                return;
            }
            EXPECT_EQ(bytes(frame.begin(), frame.end()), sent_.front());
            sent_.pop_front();
        });
    }
    void check_ledger() {
        noria::loss_ledger ledger;
        ledger.offered = offered_;
        ledger.delivered = rx_.counters().delivered;
        ledger.held = fifo_.size() + ring_.size();
        ledger.add_drops(rx_.drops());
        ledger.drop(noria::drop_reason::rx_missed, missed_ + dry_);
        ledger.drop(noria::drop_reason::not_specified, lost_);
        EXPECT_TRUE(ledger.closes()) << "off by " << ledger.discrepancy();
        EXPECT_EQ(card.buffer().frames(), fifo_.size());
    }

    noria::region memory_;
    rx_type rx_;
    tx_type tx_;

  public:
    std::vector<held_packet> held; // behind the queue, so that it goes first

  private:
    std::deque<bytes> fifo_; // in the card
    std::deque<bytes> ring_; // in memory, not yet out of the queue
    std::deque<bytes> sent_; // taken by the transmit queue, not yet on the wire
    std::uint64_t offered_ = 0, missed_ = 0, dry_ = 0, lost_ = 0, delivered_ = 0, dropped_ = 0;
    std::uint64_t went_out_ = 0, bytes_out_ = 0;
};

} // namespace ixgbe_test
