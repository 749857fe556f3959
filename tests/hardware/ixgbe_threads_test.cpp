// SPDX-License-Identifier: BSL-1.0
// The driver and the card each on a std::thread of its own: what is not ordered by a doorbell, a status word
// or a register read, the thread sanitizer finds.
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/ixgbe_rig.hpp"
#include "hardware/model/threaded_card.hpp"
#include "ixgbe/interrupts.hpp"

namespace {

using namespace ixgbe_test;
using model82599::threaded_card;
using threaded_driver =
    ixgbe::driver<threaded_card::register_access, threaded_card::dma_access, threaded_card::clock_access>;

// Frames with a number in them, as many as there are, whenever the card has room.
struct traffic_source {
    std::uint64_t frames = 0;
    std::uint32_t bytes = 60;
    std::uint64_t next = 0;
    std::uint64_t sent_back = 0;
    std::uint64_t out_of_order = 0;
    std::atomic<bool> over{false};

    static std::uint64_t number_in(std::span<const std::byte> frame) {
        std::uint64_t number = 0;
        std::memcpy(&number, frame.data() + 14, sizeof number);
        return number;
    }
    void turn(model82599::card& card) {
        for (int burst = 0; burst != 8 && next != frames && card.buffer().frames() < 64; ++burst) {
            std::vector<std::byte> frame(bytes + next % 7 * 100, std::byte{0xff});
            std::memcpy(frame.data() + 14, &next, sizeof next);
            if (card.wire_in(frame) != model82599::arrival::queued)
                return; // there is no link yet
            ++next;
        }
        card.take_sent([this](std::span<const std::byte> frame, std::uint32_t) {
            out_of_order += number_in(frame) != sent_back;
            ++sent_back;
        });
        over.store(sent_back == frames, std::memory_order_relaxed);
    }
};

template <class Strategy>
void forward(ixgbe::receive_mode mode, std::uint32_t bytes) {
    traffic_source wire;
    wire.frames = random_steps::count(20'000, 1'000);
    wire.bytes = bytes;
    threaded_card card({.tick = 2'000, .link_delay = 1'000'000},
                       [&wire](model82599::card& model) { wire.turn(model); });
    auto registers = card.registers();
    auto clock = card.clock();
    auto driver = need(threaded_driver::open(registers, card.dma(), clock,
                                             {.card = {.longest_frame = 9018}, .receive = {.mode = mode}}));
    const noria::rx_options options{
        .descriptors = 64, .packets = 400, .frame_bytes = 9216, .geometry = ixgbe::geometry()};
    using rx_type = noria::rx_queue<threaded_driver::receive_queue_type, Strategy>;
    using tx_type = noria::tx_queue<threaded_driver::transmit_queue_type>;
    auto memory = need(
        noria::region::map({.bytes = rx_type::region_bytes(options), .best = noria::backing::plain_pages}));
    auto rx = need(rx_type::create(driver->receive(0), memory, options));
    auto tx = need(tx_type::create(driver->transmit(0), memory, {.descriptors = 256}));
    expect_ok(driver->start());
    std::uint64_t got = 0;
    std::vector<noria::packet_ptr> waiting; // for room
    while (!wire.over.load(std::memory_order_relaxed)) {
        tx.complete(64);
        if (!waiting.empty()) {
            const std::uint32_t sent = tx.send(waiting);
            waiting.erase(waiting.begin(), waiting.begin() + sent);
        }
        if (waiting.empty())
            static_cast<void>(rx.poll(64, [&](noria::packet_ptr packet) noexcept {
                std::array<std::byte, 22> first;
                EXPECT_TRUE(packet->copy_bits(0, first));
                EXPECT_EQ(traffic_source::number_in(first), got);
                ++got;
                if (!waiting.empty() || !tx.send(packet))
                    waiting.push_back(std::move(packet));
            }));
        std::this_thread::yield();
    }
    while (tx.packets_out() != 0)
        tx.complete(64);
    expect_ok(driver->stop());
    driver->read_statistics();
    EXPECT_EQ(driver->counts().link().rx_packets, wire.frames);
    EXPECT_EQ(driver->counts().link().tx_packets, wire.frames);
    EXPECT_EQ(got, wire.frames);
    card.stop();
    EXPECT_EQ(wire.out_of_order, 0u);
    card.on_card([](model82599::card& model) {
        for (const model82599::fault_record& each : model.faults().records())
            ADD_FAILURE() << each;
    });
    EXPECT_EQ(rx.drops().dropped(), 0u);
}

TEST(ixgbe_threads, forwards_in_order_whatever_the_card_does_meanwhile) {
    forward<noria::build_around>(ixgbe::receive_mode::buffers, 60);
    forward<noria::per_packet>(ixgbe::receive_mode::buffers, 60);
    forward<noria::page_attach>(ixgbe::receive_mode::buffers, 3000);
    forward<noria::build_around>(ixgbe::receive_mode::header_split, 3000);
}

// The card is pulled out while the driver works: it ends, and nothing is lost.
TEST(ixgbe_threads, a_card_that_goes_while_its_driver_works) {
    std::atomic<std::uint32_t> turns{0};
    threaded_card card({.tick = 2'000, .link_delay = 1'000'000}, [&turns](model82599::card& model) {
        static_cast<void>(model.wire_in(std::vector<std::byte>(100, std::byte{0xff})));
        model.take_sent([](std::span<const std::byte>, std::uint32_t) {});
        if (turns.fetch_add(1, std::memory_order_relaxed) == 3'000)
            model.pull_out();
    });
    auto registers = card.registers();
    auto clock = card.clock();
    auto made = threaded_driver::open(registers, card.dma(), clock, {});
    if (!made) {
        EXPECT_EQ(made.error().code, std::errc::no_such_device);
        return;
    }
    const noria::rx_options options{
        .descriptors = 64, .packets = 100, .frame_bytes = 2048, .geometry = ixgbe::geometry()};
    using rx_type = noria::rx_queue<threaded_driver::receive_queue_type, noria::build_around>;
    auto memory = need(
        noria::region::map({.bytes = rx_type::region_bytes(options), .best = noria::backing::plain_pages}));
    auto rx = rx_type::create((*made)->receive(0), memory, options);
    if (rx && !(*made)->start().code) {
        while (!(*made)->check().code)
            static_cast<void>(rx->poll(64, [](noria::packet_ptr) noexcept {}));
        static_cast<void>((*made)->stop());
        EXPECT_EQ(rx->packets_out(), 0u);
    }
    card.stop();
}

} // namespace
