// SPDX-License-Identifier: BSL-1.0
// pull_tail, and what it costs: bytes that lie in fragments are made linear, so that a header can be read
// through a plain pointer.
//
//   g++ -std=c++20 -O2 -Iinclude examples/03_pull_tail.cpp -o pull && ./pull

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "noria/core/clock.hpp"
#include "noria/memory.hpp"
#include "noria/packet.hpp"

namespace {

constexpr std::uint32_t page_bytes = 4096;
constexpr std::uint32_t head_bytes = 256;
constexpr std::uint32_t frame_bytes = 9018;

template <class T>
T or_exit(noria::result<T> made) {
    if (!made) {
        std::fprintf(stderr, "%s\n", made.error().advice);
        std::exit(1);
    }
    return *std::move(made);
}

// [fragmented]
// A jumbo frame as a card leaves it behind: 64 linear bytes, the rest on three pages.
noria::packet_ptr fragmented(noria::packet_pool& packets, noria::page_pool& pages) {
    noria::packet_ptr made = packets.allocate(64);
    static_cast<void>(made->put(64));
    for (std::uint32_t left = frame_bytes - 64; left != 0;) {
        const std::uint32_t here = left < page_bytes ? left : page_bytes;
        // From here on the packet has our reference to the page, and lets go of it when the bytes are gone.
        static_cast<void>(made->add_fragment({pages.allocate(), 0, here, page_bytes}));
        left -= here;
    }
    return made;
}
// [/fragmented]

} // namespace

int main() {
    // Pages for fragments, heads of two sizes, and packets. A receive queue does this by itself.
    auto memory = or_exit(noria::region::map({.bytes = 1 << 20}));
    const auto part = [&](std::size_t nth) { return memory.bytes().subspan(nth << 17, 1 << 17); };
    auto pages = or_exit(noria::page_pool::create(part(0), page_bytes));
    auto small = or_exit(noria::page_pool::create(part(1), head_bytes));
    auto large = or_exit(noria::page_pool::create(part(2), 10240));
    noria::page_pool* const heads[] = {&small, &large};
    auto packets = or_exit(noria::packet_pool::create({.packets = 16, .heads = heads}));

    // [own]
    // Inside these this thread is the pools' owner: it allocates, and frees without atomic operations.
    const auto own_packets = packets.enter();
    const auto own_pages = pages.enter();
    const auto own_small = small.enter();
    const auto own_large = large.enter();
    // [/own]

    std::printf("A packet of %u bytes, 64 of them linear, its head of %u bytes:\n\n", frame_bytes,
                head_bytes);
    std::printf(
        "  pull_tail  headlen before  after  fragments  head moved  bytes copied  truesize  ns a call\n");
    constexpr std::array<std::uint32_t, 7> how_many{1, 64, 192, 193, 1024, 4096, frame_bytes - 64};
    for (const std::uint32_t bytes : how_many) {
        noria::packet_ptr packet = fragmented(packets, pages);
        const std::uint32_t before = packet->headlen();
        // [pull]
        const noria::pulled done = pull_tail(*packet, bytes);
        if (!done) { // no head could be had: then nothing at all has changed
            std::printf("%11u  no memory\n", bytes);
            return 1;
        }
        // [/pull]
        std::printf("%11u  %14u  %5u  %9zu  %10s  %12u  %8u", bytes, before, packet->headlen(),
                    packet->fragments().size(), done.moved ? "yes" : "no", bytes + (done.moved ? before : 0),
                    packet->truesize());
        packet.free(noria::drop_reason::consumed);

        // The same again, many times, and as many times without the pull, whose cost is the difference. The
        // least of many rounds counts: what is above it was somebody else's.
        constexpr std::uint32_t rounds = 100;
        constexpr std::uint32_t times = 200;
        const noria::monotonic_clock clock;
        noria::nanoseconds least[] = {~0ull, ~0ull};
        for (std::uint32_t round = 0; round != 2 * rounds; ++round) {
            const bool pulls = round % 2 != 0;
            const noria::nanoseconds start = clock.now();
            for (std::uint32_t i = 0; i != times; ++i) {
                noria::packet_ptr each = fragmented(packets, pages);
                if (pulls && !pull_tail(*each, bytes))
                    return 1;
                each.free(noria::drop_reason::consumed);
            }
            least[pulls] = std::min(least[pulls], clock.now() - start);
        }
        const double more = static_cast<double>(least[1]) - static_cast<double>(least[0]);
        std::printf("  %9.1f\n", more / times);
    }
    std::printf(
        "\nAs long as the head has room, pull_tail costs a copy of the bytes pulled. When it has none, a\n"
        "bigger head is taken and all linear bytes move: every pointer into the old one is stale. That is\n"
        "what `moved` says, and what noria::header_view looks out for in checked builds.\n");
    return 0;
}
