// SPDX-License-Identifier: BSL-1.0
#include <cstring>
#include <span>

#include "costs/harness.hpp"
#include "noria/flow/parse_packet.hpp"
#include "noria/flow/rss.hpp"
#include "noria/memory/region.hpp"
#include "noria/packet.hpp"
#include "poll/subjects.hpp"
#include "poll/traffic.hpp"

namespace bench::costs::poll {
namespace {

// ---- hashes ----

template <std::size_t Bytes>
std::uint64_t hash_each(std::uint64_t times) {
    static const noria::toeplitz_hasher hasher;
    std::uint32_t hashes[tuple_count];
    return repeat(times, [&] {
        for (std::size_t i = 0; i != tuple_count; ++i)
            hashes[i] = hasher(std::span(tuples()[i]).first(Bytes));
        keep(hashes);
    });
}

template <std::size_t Bytes>
std::uint64_t hash_burst(std::uint64_t times) {
    static const noria::toeplitz_hasher hasher;
    std::uint32_t hashes[tuple_count];
    noria::flow_tuple flows[tuple_count];
    for (std::size_t i = 0; i != tuple_count; ++i) {
        std::memcpy(flows[i].bytes.data(), tuples()[i].data(), Bytes);
        flows[i].size = Bytes;
    }
    return repeat(times, [&] {
        noria::rss_hash_burst(hasher, flows, hashes);
        keep(hashes);
    });
}

// ---- headers ----

// Frames of a sort, in one piece.
template <frame_bytes (*Make)()>
std::uint64_t parse_frame(std::uint64_t times) {
    const frame_bytes made = Make();
    return repeat(times, [&] {
        const std::span frame(unknown(made.data()), unknown(made.size()));
        const noria::parsed_headers found = noria::parse_headers(std::as_bytes(frame));
        keep(&found);
    });
}

// Packets, with all their headers in the head, or in it and on two pages behind it.
struct packets {
    static constexpr std::uint32_t room = 512;
    static constexpr std::uint32_t count = 256;
    noria::region memory = noria::region::map({.bytes = 2 * std::size_t{count} * room}).value();
    noria::page_pool heads =
        noria::page_pool::create(memory.bytes().first(std::size_t{count} * room), room).value();
    noria::page_pool pages =
        noria::page_pool::create(memory.bytes().subspan(std::size_t{count} * room), room).value();
    noria::page_pool* head_pools[1] = {&heads};
    noria::packet_pool pool = noria::packet_pool::create({.packets = count, .heads = head_pools}).value();

    noria::packet_ptr linear(std::span<const std::uint8_t> bytes) {
        // Room behind, since what is pulled goes there.
        noria::packet_ptr made = pool.allocate(room / 2, 64);
        std::memcpy(made->put(static_cast<std::uint32_t>(bytes.size())), bytes.data(), bytes.size());
        return made;
    }
    noria::packet_ptr in_pieces(std::span<const std::uint8_t> bytes) {
        noria::packet_ptr made = linear(bytes.first(piece_ends[0]));
        attach(*made, bytes.subspan(piece_ends[0], piece_ends[1] - piece_ends[0]));
        attach(*made, bytes.subspan(piece_ends[1]));
        return made;
    }

  private:
    void attach(noria::packet& to, std::span<const std::uint8_t> bytes) {
        noria::page* const under = pages.allocate();
        std::memcpy(under->data(), bytes.data(), bytes.size());
        static_cast<void>(to.add_fragment({.under = under,
                                           .offset = 0,
                                           .length = static_cast<std::uint32_t>(bytes.size()),
                                           .truesize = room}));
    }
};

// A function that works inside the pools' owner sections.
template <class Run>
std::uint64_t inside(Run run) {
    static packets all;
    const auto packets = all.pool.enter();
    const auto pages = all.pages.enter();
    return run(all);
}

template <frame_bytes (*Make)()>
std::uint64_t parse_linear(std::uint64_t times) {
    return inside([&](packets& all) {
        noria::packet_ptr one = all.linear(Make());
        const std::uint64_t ticks = repeat(times, [&] {
            const noria::parsed_packet found = noria::parse_packet(*unknown(one.get()));
            keep(&found);
        });
        one.free(noria::drop_reason::consumed);
        return ticks;
    });
}

std::uint64_t parse_pieces(std::uint64_t times) {
    return inside([&](packets& all) {
        noria::packet_ptr some[granularity];
        return repeat(
            times, [&](std::uint64_t i) { some[i] = all.in_pieces(tcp_frame()); },
            [&](std::uint64_t i) {
                const noria::parsed_packet found = noria::parse_packet(*some[i]);
                keep(&found);
            },
            [&](std::uint64_t i) { some[i].free(noria::drop_reason::consumed); });
    });
}

// callgrind knows no GFNI, with which the hash turns bits round where there is any.
#ifdef __GFNI__
constexpr bool hash_uncounted = true;
#else
constexpr bool hash_uncounted = false;
#endif

} // namespace

void add_flows(std::vector<subject>& all) {
    const auto add = [&](const char* what, const char* name, const char* type, auto run, unsigned objects = 1,
                         bool uncounted = false) {
        all.push_back({"poll", what, name, type, origin::noria, objects, false, uncounted, run});
    };
    const auto hash = [&](const char* what, const char* type, auto run) {
        add(what, "noria", type, run, tuple_count, hash_uncounted);
    };
    hash("hash_ipv4", "toeplitz_hasher, 12 bytes", hash_each<ipv4_tuple>);
    hash("hash_ipv6", "toeplitz_hasher, 36 bytes", hash_each<ipv6_tuple>);
    hash("hashes_ipv4", "rss_hash_burst, 32 times 12 bytes", hash_burst<ipv4_tuple>);
    hash("hashes_ipv6", "rss_hash_burst, 32 times 36 bytes", hash_burst<ipv6_tuple>);
    add("parse_tcp", "noria", "parse_headers: IPv4, TCP", parse_frame<tcp_frame>);
    add("parse_tcp", "packet", "parse_packet: looks for tunnels too, and that all is linear",
        parse_linear<tcp_frame>);
    add("parse_ipv6", "noria", "parse_headers: two VLAN tags, IPv6, TCP", parse_frame<ipv6_frame>);
    add("parse_gre", "noria", "parse_packet: IPv4, GRE, IPv4, TCP", parse_linear<gre_frame>);
    add("parse_vxlan", "noria", "parse_packet: IPv4, UDP, VXLAN, Ethernet, IPv4, TCP",
        parse_linear<vxlan_frame>);
    add("parse_pieces", "noria", "parse_packet: IPv4, TCP, on three pieces, and pulled together",
        parse_pieces);
}

} // namespace bench::costs::poll
