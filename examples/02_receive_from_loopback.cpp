// SPDX-License-Identifier: BSL-1.0
// A receive queue, without root and without a network card: a few frames go in at one end and come out at the
// other as packets.
//
//   g++ -std=c++20 -O2 -Iinclude examples/02_receive_from_loopback.cpp -o receive && ./receive

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "noria/backend.hpp"
#include "noria/queue.hpp"

namespace {

// How frames become packets. Short ones are copied; of long ones just the headers are, and the rest stays
// where the device put it. Try noria::build_around, or any other name in noria/queue/strategy.hpp: if it does
// not fit the device, the compiler says so in a sentence.
// [types]
using strategy = noria::page_attach;
using card_type = noria::backend::loopback<strategy::supply::model>;
using queue_type = noria::rx_queue<card_type, strategy>;
// [/types]

// An IPv4 and UDP frame. `bytes` is its whole length, 42 of which are headers.
std::vector<std::byte> udp_frame(std::uint16_t bytes) {
    std::vector<std::byte> frame(bytes, std::byte{0x55});
    noria::ethernet_header ethernet{};
    ethernet.type = noria::ethertype::ipv4;
    noria::ipv4_header ip{};
    ip.version_and_length = 0x45;
    ip.protocol = noria::ip_protocol::udp;
    ip.total_length = static_cast<std::uint16_t>(bytes - sizeof ethernet);
    noria::udp_header udp{};
    udp.length = static_cast<std::uint16_t>(bytes - sizeof ethernet - sizeof ip);
    std::byte* at = frame.data();
    at = std::copy_n(reinterpret_cast<const std::byte*>(&ethernet), sizeof ethernet, at);
    at = std::copy_n(reinterpret_cast<const std::byte*>(&ip), sizeof ip, at);
    std::copy_n(reinterpret_cast<const std::byte*>(&udp), sizeof udp, at);
    return frame;
}

// Set-up calls say what went wrong and what to do about it.
template <class T>
T or_exit(noria::result<T> made) {
    if (!made) {
        std::fprintf(stderr, "%s: %s\n", made.error().code.message().c_str(), made.error().advice);
        std::exit(1);
    }
    return *std::move(made);
}

} // namespace

int main() {
    // All memory is mapped once, before the first packet: posted buffers, heads, everything.
    // [make]
    const noria::rx_options options{.descriptors = 64, .packets = 128, .frame_bytes = 1514};
    const auto card = std::make_unique<card_type>();
    auto memory = or_exit(noria::region::map({.bytes = queue_type::region_bytes(options)}));
    auto queue = or_exit(queue_type::create(*card, memory, options));
    // [/make]
    std::printf("%zu KiB of %s\n\n", memory.bytes().size() / 1024, name(memory.got()));

    // What the queue hands out is a packet, and whoever has the packet_ptr owns it. Reading it in place is
    // fine; keeping it for later is fine as well, and costs what truesize() says.
    std::printf("  size  linear  fragments  truesize  first bytes\n");
    // [consume]
    const auto print = [](noria::packet_ptr packet) noexcept {
        std::printf("%6u  %6u  %9zu  %8u ", packet->size(), packet->headlen(), packet->fragments().size(),
                    packet->truesize());
        std::array<std::byte, 16> first{};
        if (packet->copy_bits(0, first)) // wherever they are
            for (const std::byte each : first)
                std::printf(" %02x", std::to_integer<unsigned>(each));
        std::printf("\n");
        packet.free(noria::drop_reason::consumed);
    };
    // [/consume]

    // The first poll gives the device its first buffers. There is nothing to receive yet.
    static_cast<void>(queue.poll(64, print));

    // The wire's side: frames arrive in the card's FIFO, and the card moves them to memory when it is run.
    // With hardware this happens by itself; here it is yours to say when.
    // [wire]
    const std::vector<std::byte> frames[] = {udp_frame(60), udp_frame(256), udp_frame(257), udp_frame(1514)};
    for (const std::vector<std::byte>& each : frames)
        card->offer({.bytes = each});
    card->step();
    // [/wire]

    // Our side: less than the budget means that there was no more.
    // [poll]
    const std::uint32_t done = queue.poll(64, print);
    // [/poll]

    const noria::receive_counters& seen = queue.counters();
    std::printf("\n%u completions, %llu packets, %llu bytes copied, %llu drops\n", done,
                static_cast<unsigned long long>(seen.delivered),
                static_cast<unsigned long long>(seen.built.copied_bytes),
                static_cast<unsigned long long>(queue.drops().dropped()));
    return seen.delivered == std::size(frames) ? 0 : 1;
}
