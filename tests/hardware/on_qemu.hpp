// SPDX-License-Identifier: BSL-1.0
#pragma once

// QEMU's 82574 with our driver on it, a receive queue with any strategy, a transmit queue, and the other end
// of the cable.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "e1000e/driver.hpp"
#include "e1000e/interrupts.hpp"
#include "hardware/qtest/machine.hpp"
#include "noria/packet/pull.hpp"
#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"
#include "noria/queue/tx_queue.hpp"
#include "support/random.hpp"
#include "support/transmit.hpp"

using on_qemu_driver = e1000e::driver<qtest::registers, qtest::memory, noria::monotonic_clock>;
using frame_bytes = std::span<const std::byte>;

// In the first lines of a test: without QEMU there is nothing to test.
#define SKIP_WITHOUT_QEMU()                                                                                  \
    if (!qtest::installed(qtest::qemu))                                                                      \
    GTEST_SKIP() << "there is no " << qtest::qemu << " on the path (Debian: qemu-system-x86)"

// Long enough for anything that comes at all.
inline constexpr noria::nanoseconds sure = 10'000'000'000;
inline noria::monotonic_clock real_clock;

struct card_on_qemu {
    explicit card_on_qemu(const e1000e::card_setup& setup = {.promiscuous = true})
        : machine(*qtest::machine::start()), registers(machine.registers_of(0)), calls(machine.at(0).vectors),
          interrupts(registers, calls) {
        auto opened = on_qemu_driver::open(registers, machine.ram(), real_clock, {.card = setup});
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().advice);
        driver = *std::move(opened);
    }
    void start() {
        const noria::error failed = driver->start();
        ASSERT_FALSE(failed.code) << failed.advice;
    }

    qtest::wire& cable() { return machine.at(0).cable; }
    // A frame from the card, as it comes out of the cable; empty if none comes.
    std::vector<std::byte> sent(noria::nanoseconds limit = sure) {
        std::vector<std::byte> frame(16384);
        frame.resize(cable().receive(frame, limit));
        return frame;
    }

    qtest::machine machine;
    qtest::registers registers;
    qtest::interrupts& calls;
    e1000e::interrupts<qtest::registers, qtest::interrupts> interrupts;
    noria::owned<on_qemu_driver> driver;
};

// Frames for the receive queue: Ethernet to nobody in particular, and random bytes behind.
inline std::vector<std::byte> random_frame_of(random_steps& random, std::size_t bytes) {
    std::vector<std::byte> frame(bytes);
    for (std::byte& each : frame)
        each = random.byte();
    frame[0] &= std::byte{0xfe}; // to one station
    frame[12] = std::byte{0x88}; // an Ethertype that nobody looks into
    frame[13] = std::byte{0xb5};
    return frame;
}
// What a frame is when it has been on a wire: 60 bytes at least, zeros behind.
inline std::vector<std::byte> padded(std::vector<std::byte> frame) {
    if (frame.size() < 60)
        frame.resize(60);
    return frame;
}
inline std::vector<std::byte> bytes_of(const noria::packet& packet) {
    std::vector<std::byte> all(packet.size());
    EXPECT_TRUE(packet.copy_bits(0, all));
    return all;
}

// 4 KiB halves: 2048 bytes and more for a frame, which is a size the card has.
inline constexpr noria::receive_geometry card_geometry{.page_bytes = 8192};
inline constexpr noria::rx_options receive_options{
    .descriptors = 64, .packets = 300, .frame_bytes = 2048, .geometry = card_geometry};

template <class Strategy>
class receiving {
  public:
    using queue_type = noria::rx_queue<on_qemu_driver::receive_queue_type, Strategy>;

    explicit receiving(card_on_qemu& on, const noria::rx_options& options = receive_options)
        : card_(on), memory_(noria::region::map({.bytes = queue_type::region_bytes(options),
                                                 .best = noria::backing::plain_pages,
                                                 .prefault = false})),
          queue_(queue_type::create(on.driver->receive(), *memory_, options)) {
        EXPECT_TRUE(queue_) << (queue_ ? "" : queue_.error().advice);
        poll(); // posts buffers
    }

    queue_type& queue() { return *queue_; }
    noria::region& memory() { return *memory_; }

    // Polls once; what comes is kept.
    std::uint32_t poll(std::uint32_t budget = 64) {
        return queue().poll(
            budget, [this](noria::packet_ptr packet) noexcept { packets.push_back(std::move(packet)); });
    }
    // Polls until that many packets are there.
    bool wait_for(std::size_t wanted) {
        const noria::nanoseconds end = real_clock.now() + sure;
        while (packets.size() < wanted && real_clock.now() < end)
            poll();
        return packets.size() >= wanted;
    }
    void free_all() {
        for (noria::packet_ptr& each : packets)
            each.free(noria::drop_reason::consumed);
        packets.clear();
    }

  private:
    card_on_qemu& card_;
    noria::result<noria::region> memory_;
    noria::result<queue_type> queue_;

  public:
    std::vector<noria::packet_ptr> packets; // go before the queue
};

class sending_on_qemu {
  public:
    using queue_type = noria::tx_queue<on_qemu_driver::transmit_queue_type>;

    explicit sending_on_qemu(card_on_qemu& on, const noria::tx_options& options = {.descriptors = 64})
        : queue_(queue_type::create(on.driver->transmit(), memory.memory(), options)) {
        EXPECT_TRUE(queue_) << (queue_ ? "" : queue_.error().advice);
    }

    queue_type& queue() { return *queue_; }
    // Until nothing is out.
    bool finish() {
        const noria::nanoseconds end = real_clock.now() + sure;
        while (queue().packets_out() != 0 && real_clock.now() < end)
            queue().complete(64);
        return queue().packets_out() == 0;
    }

    sending_memory memory;

  private:
    noria::result<queue_type> queue_;
};
