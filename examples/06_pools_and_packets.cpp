// SPDX-License-Identifier: BSL-1.0
// Pools and packets without a receive queue: one function for each page of docs/how-to that is about them.
//
//   g++ -std=c++20 -O2 -Iinclude examples/06_pools_and_packets.cpp -o pools -pthread && ./pools

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <thread>
#include <utility>

#include "noria/memory.hpp"
#include "noria/packet.hpp"
#include "noria/ring.hpp"
#include "noria/wire.hpp"

namespace {

template <class T>
T or_exit(noria::result<T> made) {
    if (!made) {
        std::fprintf(stderr, "%s\n", made.error().advice);
        std::exit(1);
    }
    return *std::move(made);
}

void check(bool as_the_page_says) {
    if (!as_the_page_says) {
        std::fprintf(stderr, "a page of docs/how-to says otherwise\n");
        std::exit(1);
    }
}

// Memory for any of the pools below.
template <std::size_t Bytes>
struct memory_of {
    alignas(noria::cache_line) std::byte bytes[Bytes];
};

void a_pool_of_your_own() {
    // [pool]
    alignas(noria::cache_line) static std::byte memory[64 * 2048];
    auto buffers = or_exit(noria::page_pool::create(memory, 2048, {.track_ages = true}));
    const auto own = buffers.enter(); // this thread is the owner as long as `own` lives
    buffers.set_now(noria::monotonic_clock().now());

    noria::page* const buffer = buffers.allocate(); // null when all 64 are out
    if (buffer == nullptr)
        return;
    std::memset(buffer->data(), 0, buffer->size());
    buffer->hold();    // a second holder...
    buffer->release(); // ...who is done
    buffer->release(); // the last reference: the buffer is home
    // [/pool]
    noria::page* const lost = buffers.allocate();
    // [leak]
    buffers.set_now(noria::monotonic_clock().now());
    buffers.outstanding([](const noria::page& out, noria::nanoseconds age) noexcept {
        std::printf("  %u bytes have been out for %.3f s\n", out.size(), 1e-9 * static_cast<double>(age));
    });
    // [/leak]
    // [counted]
    noria::page* const lent = buffers.allocate();
    if (lent == nullptr)
        return;
    std::thread([lent] { lent->release(); }).join(); // now it lies in the return ring

    const std::uint32_t out = buffers.in_flight(); // first this: it collects what lies there
    const noria::page_pool_counters seen = buffers.counters();
    check(seen.handed_out() == seen.came_home() + out);
    // [/counted]
    check(out == 1);
    lost->release();
}

void a_pool_with_a_limit() {
    // [limit]
    auto memory = or_exit(noria::region::map({.bytes = 4 << 20})); // room for 2048 buffers
    auto arena = or_exit(noria::block_arena::create(memory.bytes(), 2048));
    noria::counting_source<noria::block_arena> source(arena);
    auto buffers = or_exit(noria::page_pool::create(source, 0, noria::linux_page_pool)); // keeps 128 and 1024
    const auto own = buffers.enter();

    static std::array<noria::page*, 3000> out;
    const std::uint32_t got = buffers.allocate_burst(out); // 2048: then the source has none
    release_burst(std::span(out).first(got));              // 1152 stay with the pool, the others go back
    // [/limit]
    check(got == 2048 && buffers.in_flight() == 0);
    // [limit-counters]
    const std::uint32_t kept = buffers.free(); // it collects, so it comes before counters()
    const noria::page_pool_counters seen = buffers.counters();
    std::printf(
        "  %u handed out, %llu asked for in vain; %llu went back, as there was no room; %u are kept\n", got,
        static_cast<unsigned long long>(seen.alloc_fail),
        static_cast<unsigned long long>(seen.recycle_ring_full), kept);
    check(seen.taken - seen.released == source.counters().takes - source.counters().gives);
    // [/limit-counters]
    check(kept == 128 + 1024 && seen.alloc_fail == 3000 - 2048 && seen.recycle_ring_full == 2048 - 1152);
    check(seen.taken - seen.released == kept && source.counters().peak_bytes == 4u << 20);
}

// What the other functions need: packets with heads of two sizes, and pages for fragments.
struct pools {
    memory_of<64 * 256> small_memory;
    memory_of<16 * 2048> large_memory;
    memory_of<16 * 4096> page_memory;
    // [packets]
    noria::page_pool small = or_exit(noria::page_pool::create(small_memory.bytes, 256));
    noria::page_pool large = or_exit(noria::page_pool::create(large_memory.bytes, 2048));
    noria::page_pool* heads[2] = {&small, &large}; // smallest first
    noria::packet_pool packets =
        or_exit(noria::packet_pool::create({.packets = 64, .heads = heads, .foreign_buffers = 4}));

    noria::page_pool pages = or_exit(noria::page_pool::create(page_memory.bytes, 4096));
    noria::page_fragments cut = or_exit(noria::page_fragments::create(pages));
    // [/packets]
};

// [fragments]
// A packet of so many bytes: the first 64 in its head, the rest in fragments of at most 1500. Whatever it was
// given by the time memory runs out goes home with it.
noria::packet_ptr in_pieces(noria::packet_pool& packets, noria::page_fragments& cut,
                            std::span<const std::byte> bytes) {
    noria::packet_ptr made = packets.allocate(64);
    if (!made)
        return {};
    const std::size_t first = bytes.size() < 64 ? bytes.size() : 64;
    if (made->put(bytes.first(first)) == nullptr)
        return {};
    for (std::span<const std::byte> rest = bytes.subspan(first); !rest.empty();) {
        const auto length = static_cast<std::uint32_t>(rest.size() < 1500 ? rest.size() : 1500);
        const noria::page_fragment piece = cut.allocate(length);
        if (!piece)
            return {}; // dry
        std::memcpy(piece.data(), rest.data(), length);
        using attached = noria::packet::attached;
        const attached how = made->add_fragment({piece.under, piece.offset, length, piece.bytes});
        if (how != attached::taken)
            piece.under->release(); // grown: the packet holds that page already. Refused: we still do
        if (how == attached::refused)
            return {};
        rest = rest.subspan(length);
    }
    return made;
}
// [/fragments]

void packets_with_fragments(pools& all) {
    const auto own_packets = all.packets.enter();
    const auto own_pages = all.pages.enter();
    static constexpr std::array<std::byte, 4000> bytes{std::byte{0x45}};
    {
        const noria::packet_ptr packet = in_pieces(all.packets, all.cut, bytes);
        check(static_cast<bool>(packet) && packet->size() == 4000 && packet->headlen() == 64);
        // [read]
        std::array<std::byte, 20> copy{};
        const bool there = packet->copy_bits(1550, copy); // wherever the bytes lie; false: beyond the end
        const bool linear = linearize(*packet);           // one piece; false: no head is as large
        // [/read]
        check(there && !linear && packet->size() == 4000);
        std::printf("  %u bytes in %zu fragments, charged for %u\n", packet->size(),
                    packet->fragments().size(), packet->truesize());
    }
    // [around]
    // A buffer as a device fills it, with room for a header in front, and a packet around the bytes in it.
    constexpr std::uint32_t headroom = 64;
    constexpr std::uint32_t length = 600;
    const noria::page_fragment buffer = all.cut.allocate(headroom + length);
    if (!buffer)
        return;
    std::memset(buffer.data() + headroom, 0x55, length);
    noria::packet_ptr packet =
        all.packets.build_around(*buffer.under, {.offset = buffer.offset,
                                                 .headroom = headroom,
                                                 .bytes = length,
                                                 .room = buffer.bytes - headroom - length,
                                                 .held = buffer.bytes});
    if (!packet)
        buffer.under->release(); // no descriptor was left: the buffer is still ours
    // [/around]
    check(static_cast<bool>(packet) && packet->push(headroom) != nullptr);
    packet.free(noria::drop_reason::consumed);
}

// [lender]
// Some other library's buffer, which wants to be told when we are done with it.
struct lender {
    std::array<std::byte, 1500> bytes{};
    bool lent = true;

    static void done(void* context, std::span<std::byte>) noexcept {
        static_cast<lender*>(context)->lent = false; // on whatever thread the last reference went
    }
};
// [/lender]

void foreign_memory(pools& all) {
    const auto own_packets = all.packets.enter();
    // [wrap]
    lender other;
    noria::packet_ptr packet = all.packets.wrap(other.bytes, &other, &lender::done);
    if (!packet)
        return; // nothing was lent, and nobody will be called
    // [/wrap]
    check(static_cast<bool>(packet) && other.lent);
    packet.free(noria::drop_reason::consumed);
    check(!other.lent);
}

// [step]
// The code under test: takes two blocks, and keeps both or none.
struct two_blocks {
    std::byte* first = nullptr;
    std::byte* second = nullptr;

    [[nodiscard]] bool take(auto& source) noexcept {
        first = source.take(0, noria::allocation_class::atomic);
        second = first == nullptr ? nullptr : source.take(1, noria::allocation_class::atomic);
        if (second != nullptr)
            return true;
        if (first != nullptr)
            source.give(std::exchange(first, nullptr), 0);
        return false;
    }
};
// [/step]

// [pair]
// The code under test: two buffers, or none.
struct two_buffers {
    noria::page* first = nullptr;
    noria::page* second = nullptr;

    [[nodiscard]] bool take(noria::page_pool& from) noexcept {
        first = from.allocate();
        second = first == nullptr ? nullptr : from.allocate();
        if (second != nullptr)
            return true;
        if (first != nullptr)
            std::exchange(first, nullptr)->release();
        return false;
    }
};
// [/pair]

// [twice]
// The code under test: a packet and a copy of it. What it has got by the time it fails goes home with it.
[[nodiscard]] bool twice(noria::packet_pool& from) {
    const noria::packet_ptr one = from.allocate(64);
    const noria::packet_ptr other = one ? copy(*one) : noria::packet_ptr();
    return static_cast<bool>(other);
}
// [/twice]

void too_few_packets() {
    // [few]
    alignas(noria::cache_line) static std::byte memory[16 * 256];
    auto heads = or_exit(noria::page_pool::create(memory, 256));
    noria::page_pool* const sizes[] = {&heads};
    auto packets = or_exit(noria::packet_pool::create({.packets = 8, .heads = sizes, .keep_heads = false}));
    const auto own = packets.enter();

    std::uint32_t descriptors = 0; // what twice() has to itself: none, one, ...
    for (bool done = false; !done; ++descriptors) {
        std::array<noria::packet_ptr, 8> held; // all the others
        const std::uint32_t out = packets.allocate_burst(std::span(held).first(8 - descriptors), 64);
        done = twice(packets);
        check(packets.in_flight() == out && heads.in_flight() == out); // strong: nothing is lost
    }
    std::uint32_t free_heads = 0; // and the same with heads
    for (bool done = false; !done; ++free_heads) {
        std::array<noria::page*, 16> held{};
        const std::uint32_t out = heads.allocate_burst(std::span(held).first(16 - free_heads));
        done = twice(packets);
        check(packets.in_flight() == 0 && heads.in_flight() == out);
        release_burst(std::span(held).first(out));
    }
    // [/few]
    check(descriptors == 3 && free_heads == 3); // it fails with none and one, and succeeds with two
}

void allocation_failures() {
    static memory_of<4096 * 64> memory;
    // [budget]
    auto arena = or_exit(noria::block_arena::create(memory.bytes, 64)); // 4096 pages of 64 bytes
    auto budget = or_exit(noria::budget_allocator<noria::block_arena>::create(
        arena, {.marks = noria::watermarks::from(4096, 1000)})); // low 1250, high 1500
    // [/budget]
    // [inject]
    // Fail the first allocation, then the second, and so on, until a run gets through without meeting one.
    two_blocks tested;
    for (std::uint64_t n = 1;; ++n) {
        const std::uint64_t free = budget.free_pages();
        const std::uint64_t injected = budget.counters().injected;
        budget.fail_nth(n);
        const bool done = tested.take(budget);
        if (budget.counters().injected == injected) { // it took fewer than n
            check(done);
            break;
        }
        check(!done && budget.free_pages() == free); // strong: nothing is lost
    }
    budget.fail_nth(0);
    // [/inject]
    check(budget.counters().injected == 2);
    budget.give(tested.first, 0);
    budget.give(tested.second, 1);
    {
        // [under]
        // A pool that draws from it, as a receive path would, one page at a time.
        auto for_receiving = budget.as(noria::allocation_class::atomic);
        auto buffers = or_exit(noria::page_pool::create(for_receiving, 0, {.refill = 1}));
        budget.fail_nth(2);
        noria::page* const first = buffers.allocate();
        noria::page* const second = buffers.allocate();
        // [/under]
        check(first != nullptr && second == nullptr && buffers.counters().alloc_fail == 1);
        first->release();
    }
    {
        // [fresh]
        auto for_receiving = budget.as(noria::allocation_class::atomic);
        for (std::uint64_t n = 1;; ++n) {
            // A fresh pool each time: one that was used has pages at home, and asks the source for fewer.
            auto buffers = or_exit(noria::page_pool::create(for_receiving, 0, {.refill = 1}));
            const auto own = buffers.enter();
            const std::uint64_t injected = budget.counters().injected;
            budget.fail_nth(n);
            two_buffers pair;
            const bool done = pair.take(buffers);
            if (budget.counters().injected == injected) {
                check(done && n == 3); // it takes two: so the third was never asked for
                pair.first->release();
                pair.second->release();
                break;
            }
            check(!done && buffers.in_flight() == 0);
        }
        budget.fail_nth(0);
        // [/fresh]
    }
    check(budget.free_pages() == 4096);

    // [incident]
    // 2000 pages hold files that could be read again. A burst takes single pages, and no tick comes between.
    budget.fill_cache(2000);
    std::uint64_t taken = 0;
    while (budget.take(0, noria::allocation_class::atomic) != nullptr)
        ++taken;
    std::printf("  after %llu pages an atomic allocation fails: %llu are free, %llu more could be\n",
                static_cast<unsigned long long>(taken), static_cast<unsigned long long>(budget.free_pages()),
                static_cast<unsigned long long>(budget.cached_pages()));
    // [/incident]
    check(budget.free_pages() == 375 && budget.cached_pages() == 2000);
    // [tick]
    budget.tick(); // background reclaim, 32 pages at a time unless you say otherwise
    const bool again = budget.take(0, noria::allocation_class::atomic) != nullptr;
    // [/tick]
    check(again);
}

// [header]
// The UDP destination port of an Ethernet frame with an IPv4 header, wherever its bytes lie; 0: it has none.
std::uint16_t destination_port(noria::packet& packet) {
    constexpr std::uint32_t ip_at = sizeof(noria::ethernet_header);
    const auto ip = noria::pull_header<const noria::ipv4_header>(packet, ip_at);
    if (!ip || ip->protocol != noria::ip_protocol::udp)
        return 0; // too short, no memory, or something else
    // What we still need of the first header is read before the second is pulled: that may move the bytes.
    const auto udp_at = static_cast<std::uint32_t>(ip_at + ip->header_length());
    const auto udp = noria::pull_header<const noria::udp_header>(packet, udp_at);
    return udp ? std::uint16_t{udp->destination_port} : std::uint16_t{0};
}
// [/header]

// [peek]
// The same without changing the packet: what is not linear is copied out.
std::uint16_t destination_port_only_read(const noria::packet& packet) {
    std::array<std::byte, sizeof(noria::ipv4_header)> space;
    const std::byte* const at = packet.header_pointer(sizeof(noria::ethernet_header), space);
    if (at == nullptr)
        return 0;
    const auto& ip = *reinterpret_cast<const noria::ipv4_header*>(at); // a wire layout: any alignment will do
    if (ip.protocol != noria::ip_protocol::udp)
        return 0;
    noria::udp_header udp{};
    const bool there =
        packet.copy_bits(static_cast<std::int64_t>(sizeof(noria::ethernet_header) + ip.header_length()),
                         std::as_writable_bytes(std::span(&udp, 1)));
    return there ? std::uint16_t{udp.destination_port} : std::uint16_t{0};
}
// [/peek]

void ledger(pools& all) {
    const auto own = all.packets.enter();
    all.packets.allocate(64).free(noria::drop_reason::ip_checksum);
    all.packets.allocate(64).free(noria::user_drop_reason(1, 7));
    const noria::packet_ptr held = all.packets.allocate(64);
    // [ledger]
    using number = unsigned long long;
    const noria::packet_pool& packets = all.packets;
    std::printf("  %llu made: %u in flight, %llu consumed, %llu dropped\n", number{packets.made()},
                packets.in_flight(), number{packets.consumed()}, number{packets.dropped()});
    for (std::uint32_t i = 0; i != noria::drop_reason_count; ++i) {
        const auto reason = static_cast<noria::drop_reason>(i);
        if (const std::uint64_t count = packets.dropped(reason); count != 0)
            std::printf("    %s: %llu\n", name(reason), number{count});
    }
    // All reasons that users have numbered themselves, together: any of them stands for them.
    std::printf("    user: %llu\n", number{packets.dropped(noria::user_drop_reason(1, 0))});
    check(packets.made() == packets.in_flight() + packets.dropped() + packets.consumed());
    // [/ledger]
    check(packets.in_flight() == 1 && packets.dropped(noria::drop_reason::ip_checksum) == 1);
    check(packets.dropped(noria::user_drop_reason(2, 3)) == 1);
}

void read_a_header(pools& all) {
    const auto own_packets = all.packets.enter();
    const auto own_pages = all.pages.enter();
    std::array<std::byte, 300> frame{};
    noria::ipv4_header ip{};
    ip.version_and_length = 0x4f; // options of 40 bytes: the UDP header begins at 74, in a fragment
    ip.protocol = noria::ip_protocol::udp;
    std::memcpy(frame.data() + 14, &ip, sizeof ip);
    frame[14 + 60 + 3] = std::byte{53};
    const noria::packet_ptr packet = in_pieces(all.packets, all.cut, frame);
    check(static_cast<bool>(packet) && destination_port_only_read(*packet) == 53);
    check(packet->headlen() == 64 && destination_port(*packet) == 53 && packet->headlen() == 82);
}

void free_on_another_thread(pools& all) {
    // [there]
    noria::spsc_ring<noria::packet_ptr, {.capacity = 16}> ring;
    auto [producer, consumer] = ring.split();
    constexpr int count = 1000;
    std::thread other([from = std::move(consumer)]() mutable {
        for (int freed = 0; freed != count;) {
            noria::packet_ptr packet;
            if (!from.try_pop(packet)) {
                std::this_thread::yield();
                continue;
            }
            packet.free(noria::drop_reason::consumed); // head, fragments and descriptor each find their pool
            ++freed;
        }
    });
    // [/there]
    // [here]
    {
        const auto own_packets = all.packets.enter();
        const auto own_pages = all.pages.enter();
        static constexpr std::array<std::byte, 900> bytes{};
        for (int sent = 0; sent != count;) {
            noria::packet_ptr packet = in_pieces(all.packets, all.cut, bytes);
            if (!packet) {
                std::this_thread::yield(); // all are on their way
                continue;
            }
            while (!producer.try_push(std::move(packet))) // full: the packet is still ours
                std::this_thread::yield();
            ++sent;
        }
    }
    other.join();
    // [/here]
    check(all.packets.in_flight() == 0 && all.pages.in_flight() <= 1);
}

} // namespace

int main() {
    std::printf("A pool of your own\n");
    a_pool_of_your_own();
    a_pool_with_a_limit();
    static pools all;
    std::printf("Packets with fragments\n");
    packets_with_fragments(all);
    foreign_memory(all);
    std::printf("Allocation failures\n");
    allocation_failures();
    too_few_packets();
    std::printf("Where packets went\n");
    ledger(all);
    read_a_header(all);
    free_on_another_thread(all);
    const noria::page_fragments_counters seen = all.cut.counters();
    std::printf("%llu fragments; %llu times the pool gave a page, %llu times it was not asked\n",
                static_cast<unsigned long long>(seen.alloc_first + seen.alloc_fast),
                static_cast<unsigned long long>(seen.alloc_first),
                static_cast<unsigned long long>(seen.page_again));
    return 0;
}
