// SPDX-License-Identifier: BSL-1.0
// The driver of the 82574 at work, on QEMU's model of that card: frames go in at one end of its cable, come
// through the receive queue, leave through the transmit queue with their addresses swapped, and are counted
// where they come out. No card, no root, no guest; Debian's package qemu-system-x86 is all it takes.
//
//   g++ -std=c++20 -O2 -Iinclude -Iexamples examples/e1000e/echo_on_qemu.cpp -o echo -pthread && ./echo

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include <poll.h>
#include <unistd.h>

#include "e1000e/driver.hpp"
#include "e1000e/interrupts.hpp"
#include "hardware/polled_vector.hpp"
#include "hardware/qtest/machine.hpp"
#include "noria/poll/poller.hpp"
#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"
#include "noria/queue/tx_queue.hpp"

namespace {

constexpr std::uint32_t frames = 10'000;
constexpr std::uint32_t longest = 1514;
constexpr std::uint32_t on_the_wire = 20; // frames at a time: the cable holds few

using driver_type = e1000e::driver<qtest::registers, qtest::memory, noria::monotonic_clock>;
using receive_type = noria::rx_queue<driver_type::receive_queue_type, noria::build_around>;
using transmit_type = noria::tx_queue<driver_type::transmit_queue_type>;

template <class T>
T or_exit(noria::result<T> made) {
    if (!made) {
        std::fprintf(stderr, "%s\n", made.error().advice);
        std::exit(made.error().code == std::errc::no_such_file_or_directory ? 77 : 1);
    }
    return *std::move(made);
}
void or_exit(const noria::error& failed) {
    if (failed.code) {
        std::fprintf(stderr, "%s\n", failed.advice);
        std::exit(1);
    }
}

// One turn of the poller: what came in goes out, and what is out is reported.
struct echo {
    std::uint32_t operator()(std::uint32_t budget) noexcept {
        const std::uint32_t reports = out.complete(budget);
        const std::uint32_t done = in.poll(budget, [this](noria::packet_ptr packet) noexcept {
            std::array<std::byte, 6> destination;
            std::memcpy(destination.data(), packet->data(), 6);
            std::memcpy(packet->data(), packet->data() + 6, 6);
            std::memcpy(packet->data() + 6, destination.data(), 6);
            if (!out.send(packet))
                packet.free(noria::drop_reason::full_ring);
        });
        return done > reports ? done : reports;
    }

    receive_type& in;
    transmit_type& out;
};

} // namespace

int main() {
    // The machine: QEMU with one card, and memory that is its and ours.
    qtest::machine machine = or_exit(qtest::machine::start());
    qtest::registers registers = machine.registers_of(0);
    noria::monotonic_clock clock;

    auto card = or_exit(driver_type::open(registers, machine.ram(), clock, {.card = {.promiscuous = true}}));
    const auto& mac = card->mac().bytes;
    std::printf("The card is %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);

    // Queues of Noria on it. 4 KiB halves, so that the card's buffers of 2048 bytes fit behind the headroom.
    constexpr noria::rx_options options{
        .descriptors = 256, .packets = 1024, .frame_bytes = longest, .geometry = {.page_bytes = 8192}};
    noria::region memory = or_exit(noria::region::map({.bytes = receive_type::region_bytes(options)}));
    receive_type in = or_exit(receive_type::create(card->receive(), memory, options));
    transmit_type out = or_exit(transmit_type::create(card->transmit(), memory, {.descriptors = 256}));

    // A poller that sleeps until the card calls.
    e1000e::interrupts calls(registers, machine.at(0).vectors);
    or_exit(calls.open());
    echo work{in, out};
    hardware::polled_vector source(calls, 0, work, noria::static_moderation(50'000));
    noria::poller loop;
    noria::poll_instance turns(loop, source);

    or_exit(card->start());
    or_exit(card->wait_for_link());
    std::printf(", its link is up with %u Mbit/s\n", card->link().mbits);

    std::array<std::byte, longest> frame{};
    for (std::size_t i = 0; i != 12; ++i)
        frame[i] = static_cast<std::byte>(2 * i);
    std::array<std::byte, 2048> back;
    std::uint32_t sent = 0;
    std::uint32_t returned = 0;
    std::uint32_t swapped = 0;
    std::uint64_t slept = 0;
    const noria::nanoseconds begin = clock.now();
    turns.schedule(); // posts the first buffers, and arms the vector
    while (returned != frames && clock.now() - begin < 60'000'000'000) {
        qtest::wire& cable = machine.at(0).cable;
        while (sent != frames && sent - returned < on_the_wire &&
               cable.send(std::span(frame).first(60 + sent * 7 % (longest - 59)), 0))
            ++sent;
        while (loop.cycle().work_done != 0) {
        }
        pollfd called{.fd = calls.fd(0), .events = POLLIN, .revents = 0};
        if (::poll(&called, 1, 1) > 0) {
            std::uint64_t times = 0;
            static_cast<void>(::read(called.fd, &times, sizeof times) == sizeof times);
            ++slept;
            turns.schedule();
        }
        for (std::size_t bytes = cable.receive(back, 0); bytes != 0; bytes = cable.receive(back, 0)) {
            ++returned;
            swapped += bytes >= 60 && back[0] == frame[6] && back[6] == frame[0];
        }
    }
    const double seconds = static_cast<double>(clock.now() - begin) / 1e9;
    while (loop.cycle().work_done != 0) {
    }
    or_exit(card->stop());
    while (out.complete(64) != 0) {
    }
    out.purge();

    const noria::link_values link = card->counts().link();
    std::printf("%u frames in %.2f s, woken %llu times\n", returned, seconds,
                static_cast<unsigned long long>(slept));
    std::printf("The card counted %llu in and %llu out; the queues delivered %llu and sent %llu\n",
                static_cast<unsigned long long>(link.rx_packets),
                static_cast<unsigned long long>(link.tx_packets),
                static_cast<unsigned long long>(in.counters().delivered),
                static_cast<unsigned long long>(out.counters().sent));
    const noria::loss_ledger ledger = out.ledger();
    std::printf("The ledger of the transmit queue: %llu offered, %llu sent, %llu dropped, %llu held: it %s\n",
                static_cast<unsigned long long>(ledger.offered),
                static_cast<unsigned long long>(ledger.delivered),
                static_cast<unsigned long long>(ledger.dropped()),
                static_cast<unsigned long long>(ledger.held), ledger.closes() ? "closes" : "does not close");
    return returned == frames && swapped == frames && ledger.closes() ? 0 : 1;
}
