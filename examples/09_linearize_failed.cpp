// SPDX-License-Identifier: BSL-1.0
// The incident "linearize failed": packets vanish on their way out, and every counter says they were sent.
// A packet in 13 pieces meets a card that takes 8 a packet, at a moment when memory is short.
//
//   g++ -std=c++20 -O2 -Iinclude examples/09_linearize_failed.cpp -o linearize && ./linearize

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <utility>

#include "noria/backend/loopback.hpp"
#include "noria/memory.hpp"
#include "noria/packet.hpp"
#include "noria/queue/tx_queue.hpp"

namespace {

using card_type = noria::backend::loopback<noria::buffer_model::per_packet>;
using queue_type = noria::tx_queue<card_type>;

constexpr std::uint32_t fragment_bytes = 512;
constexpr std::uint32_t fragments = 12;
constexpr std::uint32_t card_takes = 8; // descriptors a packet
constexpr std::array<std::uint32_t, 3> head_bytes{256, 3072, 8192};
constexpr std::uint32_t heads_each = 64;
constexpr int ticks = 1000;
constexpr int short_from = 400; // ticks in which somebody else has the memory
constexpr int short_to = 500;

template <class T>
T or_exit(noria::result<T> made) {
    if (!made) {
        std::fprintf(stderr, "%s\n", made.error().advice);
        std::exit(1);
    }
    return *std::move(made);
}

// Memory for packets: heads of three sizes and pages for fragments, all in one region.
struct supplies {
    supplies()
        : memory(or_exit(noria::region::map({.bytes = 1 << 20}))), left(memory.bytes()),
          small(pool(heads_each, head_bytes[0])), middle(pool(heads_each, head_bytes[1])),
          large(pool(heads_each, head_bytes[2])), pages(pool(512, fragment_bytes)),
          packets(or_exit(noria::packet_pool::create({.packets = 256, .heads = heads}))) {}

    noria::page_pool pool(std::uint32_t how_many, std::uint32_t bytes) {
        const auto part = left.first(std::size_t{how_many} * bytes);
        left = left.subspan(part.size());
        return or_exit(noria::page_pool::create(part, bytes));
    }

    // 64 bytes of headers, which fill no more than a small head, and 12 fragments.
    noria::packet_ptr make() {
        noria::packet_ptr made = packets.allocate(64);
        if (!made)
            return made;
        static_cast<void>(made->put(64));
        for (std::uint32_t i = 0; i != fragments; ++i) {
            noria::page* const under = pages.allocate();
            if (under == nullptr) {
                made.free(noria::drop_reason::no_memory);
                return {};
            }
            static_cast<void>(made->add_fragment({under, 0, fragment_bytes, fragment_bytes}));
        }
        return made;
    }

    noria::region memory;
    std::span<std::byte> left;
    noria::page_pool small, middle, large, pages;
    noria::page_pool* heads[3] = {&small, &middle, &large};
    noria::packet_pool packets;
};

enum class sender : unsigned char { driver, drops, keeps };
enum class shortage : unsigned char { of_large_heads, of_all_but_small };

struct outcome {
    std::uint64_t offered = 0, reported = 0, on_the_wire = 0, failed = 0, dropped = 0;
};

// [driver]
// As the driver had it: what cannot be made linear is freed, and the stack hears that it was sent.
void send_as_the_driver_did(queue_type& queue, noria::packet_ptr packet, outcome& seen) noexcept {
    if (noria::pieces_of(*packet) > card_takes && !noria::linearize(*packet)) {
        ++seen.failed;
        packet.free(noria::drop_reason::no_memory);
        ++seen.reported; // NETDEV_TX_OK
        return;
    }
    seen.reported += queue.send(packet);
}
// [/driver]

outcome run(sender who, shortage of) {
    supplies all;
    card_type card({}, {}, card_takes);
    // [queue]
    const noria::tx_options options{.retries = who == sender::keeps ? 1000u : 0u};
    queue_type queue = or_exit(queue_type::create(card, all.memory, options));
    // [/queue]

    outcome seen;
    std::array<noria::packet_ptr, 2 * heads_each> theirs;
    noria::packet_ptr waiting;
    for (int tick = 0; tick != ticks + 10; ++tick) {
        if (tick == short_from) {
            const std::uint32_t least = of == shortage::of_large_heads ? head_bytes[2] : head_bytes[1];
            static_cast<void>(all.packets.allocate_burst(theirs, least));
        }
        if (tick == short_to)
            noria::free_bulk(theirs, noria::drop_reason::consumed);

        if (!waiting && tick < ticks) {
            waiting = all.make();
            seen.offered += static_cast<bool>(waiting);
        }
        // [send]
        if (waiting && who == sender::driver)
            send_as_the_driver_did(queue, std::move(waiting), seen);
        else if (waiting && !queue.send(waiting))
            static_cast<void>(
                waiting); // the queue is busy, and the packet still ours: again at the next tick

        card.sending().step(16, [&](auto) noexcept { ++seen.on_the_wire; });
        queue.complete(64);
        if (!queue.ledger().closes())
            std::exit(1);
        // [/send]
    }
    if (who != sender::driver) {
        seen.reported = queue.counters().sent;
        seen.failed = queue.counters().linearize_failed;
        seen.dropped = queue.drops().of(noria::drop_reason::no_memory);
    }
    return seen;
}

} // namespace

int main() {
    struct act {
        const char* what;
        sender who;
        shortage of;
    };
    constexpr std::array<act, 5> acts{
        {{"the driver, large heads short", sender::driver, shortage::of_large_heads},
         {"the driver, all but small short", sender::driver, shortage::of_all_but_small},
         {"tx_queue, large heads short", sender::drops, shortage::of_large_heads},
         {"tx_queue, all but small short", sender::drops, shortage::of_all_but_small},
         {"the same, kept for retry", sender::keeps, shortage::of_all_but_small}}};
    std::printf("One packet a tick, %u pieces each; the card takes %u. Ticks %d to %d: memory is short.\n\n"
                "  %-32s %8s %14s %12s %14s %8s %9s\n",
                fragments + 1, card_takes, short_from, short_to - 1, "", "offered", "reported sent",
                "on the wire", "linearize fail", "dropped", "vanished");
    bool as_told = true;
    for (const act& each : acts) {
        const outcome seen = run(each.who, each.of);
        const std::uint64_t vanished = seen.reported - seen.on_the_wire;
        std::printf(
            "  %-32s %8llu %14llu %12llu %14llu %8llu %9llu\n", each.what,
            static_cast<unsigned long long>(seen.offered), static_cast<unsigned long long>(seen.reported),
            static_cast<unsigned long long>(seen.on_the_wire), static_cast<unsigned long long>(seen.failed),
            static_cast<unsigned long long>(seen.dropped), static_cast<unsigned long long>(vanished));
        as_told = as_told && (each.who == sender::driver) == (vanished != 0) &&
                  seen.offered == seen.reported + seen.dropped;
    }
    std::printf("\nThe driver counts what it lost as sent. tx_queue makes only as much linear as the card's\n"
                "limit asks for, which a smaller head holds; where even that fails it says so, or waits.\n");
    return as_told ? 0 : 1;
}
