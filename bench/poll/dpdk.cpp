// SPDX-License-Identifier: BSL-1.0
#include <cstring>
#include <stdexcept>
#include <string>

#include <rte_byteorder.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_net.h>
#include <rte_thash.h>

#include "costs/eal.hpp"
#include "costs/harness.hpp"
#include "noria/wire/toeplitz.hpp"
#include "poll/dpdk_gfni.hpp"
#include "poll/subjects.hpp"
#include "poll/traffic.hpp"

namespace bench::costs::poll {
namespace {

rte_mempool* mbufs() {
    static rte_mempool* const pool = [] {
        rte_mempool* const made =
            rte_pktmbuf_pool_create("mbufs", 4095, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
        if (made == nullptr)
            throw std::runtime_error("DPDK has no memory for a pool: rte_pktmbuf_pool_create failed");
        return made;
    }();
    return pool;
}

// ---- receiving ----

struct device {
    const char* name;
    const char* options;
};
constexpr device silent{"net_ring0", ""};
constexpr device small{"net_null0", ",size=64,copy=0"};
constexpr device large{"net_null1", ",size=1500,copy=0"};
constexpr device small_copied{"net_null2", ",size=64,copy=1"};
constexpr device large_copied{"net_null3", ",size=1500,copy=1"};

// Its number, when it has one queue of each sort and was started.
std::uint16_t started(const device& one) {
    std::uint16_t port = 0;
    const rte_eth_conf nothing{};
    if (rte_eth_dev_get_port_by_name(one.name, &port) != 0 ||
        rte_eth_dev_configure(port, 1, 1, &nothing) != 0 ||
        rte_eth_rx_queue_setup(port, 0, 512, 0, nullptr, mbufs()) != 0 ||
        rte_eth_tx_queue_setup(port, 0, 512, 0, nullptr) != 0 || rte_eth_dev_start(port) != 0)
        throw std::runtime_error(std::string("DPDK did not start its device ") + one.name);
    return port;
}

template <const device& From>
std::uint16_t port_of() {
    static const std::uint16_t port = started(From);
    return port;
}

template <const device& From, unsigned Burst>
std::uint64_t receive(std::uint64_t times) {
    const std::uint16_t port = port_of<From>();
    return repeat(times, [&] {
        rte_mbuf* packets[Burst];
        if (rte_eth_rx_burst(port, 0, packets, Burst) != Burst)
            __builtin_trap();
        rte_pktmbuf_free_bulk(packets, Burst);
    });
}

std::uint64_t receive_nothing(std::uint64_t times) {
    const std::uint16_t port = port_of<silent>();
    return repeat(times, [&] {
        rte_mbuf* packets[32];
        if (rte_eth_rx_burst(port, 0, packets, 32) != 0)
            __builtin_trap();
    });
}

// ---- hashes ----

// What rte_softrss takes: 32-bit words of the processor's, made before the clock starts.
template <std::size_t Bytes>
struct words {
    std::uint32_t of[tuple_count][Bytes / 4];
    words() {
        for (std::size_t i = 0; i != tuple_count; ++i)
            for (std::size_t word = 0; word != Bytes / 4; ++word) {
                std::memcpy(&of[i][word], tuples()[i].data() + 4 * word, 4);
                of[i][word] = rte_be_to_cpu_32(of[i][word]);
            }
    }
};

template <std::size_t Bytes>
std::uint64_t softrss(std::uint64_t times) {
    words<Bytes> flows;
    std::uint32_t hashes[tuple_count];
    return repeat(times, [&] {
        for (std::size_t i = 0; i != tuple_count; ++i)
            hashes[i] = rte_softrss(flows.of[i], Bytes / 4, noria::microsoft_key.data());
        keep(hashes);
    });
}

// The same with a key that was turned to the processor's order beforehand.
template <std::size_t Bytes>
std::uint64_t softrss_be(std::uint64_t times) {
    words<Bytes> flows;
    std::uint32_t key[noria::toeplitz_key_size / 4];
    std::uint32_t original[noria::toeplitz_key_size / 4];
    std::memcpy(original, noria::microsoft_key.data(), sizeof original);
    rte_convert_rss_key(original, key, sizeof key);
    std::uint32_t hashes[tuple_count];
    return repeat(times, [&] {
        for (std::size_t i = 0; i != tuple_count; ++i)
            hashes[i] = rte_softrss_be(flows.of[i], Bytes / 4, reinterpret_cast<const std::uint8_t*>(key));
        keep(hashes);
    });
}

template <std::size_t Bytes, bool Bulk>
std::uint64_t gfni(std::uint64_t times) {
    std::uint64_t matrices[noria::toeplitz_key_size];
    gfni_matrices(matrices, noria::microsoft_key.data(), noria::toeplitz_key_size);
    std::uint8_t* flows[tuple_count];
    for (std::size_t i = 0; i != tuple_count; ++i)
        flows[i] = const_cast<std::uint8_t*>(tuples()[i].data());
    std::uint32_t hashes[tuple_count];
    return repeat(times, [&] {
        (Bulk ? gfni_bulk : gfni_each)(matrices, Bytes, flows, hashes, tuple_count);
        keep(hashes);
    });
}

// ---- headers ----

rte_mbuf* packet_of(const std::uint8_t* bytes, std::size_t size) {
    rte_mbuf* const made = rte_pktmbuf_alloc(mbufs());
    std::memcpy(rte_pktmbuf_append(made, static_cast<std::uint16_t>(size)), bytes, size);
    return made;
}

std::uint64_t parse(std::uint64_t times, rte_mbuf* one) {
    const std::uint64_t ticks = repeat(times, [&] {
        rte_net_hdr_lens lengths{};
        const std::uint32_t found = rte_net_get_ptype(unknown(one), &lengths, RTE_PTYPE_ALL_MASK);
        keep(&found);
        keep(&lengths);
    });
    rte_pktmbuf_free(one);
    return ticks;
}
template <frame_bytes (*Make)()>
std::uint64_t parse_linear(std::uint64_t times) {
    const frame_bytes frame = Make();
    return parse(times, packet_of(frame.data(), frame.size()));
}
std::uint64_t parse_pieces(std::uint64_t times) {
    const frame_bytes frame = tcp_frame();
    const auto [first, second] = piece_ends;
    rte_mbuf* const one = packet_of(frame.data(), first);
    if (rte_pktmbuf_chain(one, packet_of(frame.data() + first, second - first)) != 0 ||
        rte_pktmbuf_chain(one, packet_of(frame.data() + second, frame.size() - second)) != 0)
        __builtin_trap();
    return parse(times, one);
}

} // namespace

bool start_dpdk() {
    std::vector<std::string> devices;
    for (const device& one : {silent, small, large, small_copied, large_copied})
        devices.push_back(std::string(one.name) + one.options);
    return start_eal(devices);
}

std::string dpdk_version() {
    return eal_version();
}

void add_dpdk(std::vector<subject>& all) {
    const auto add = [&](const char* what, const char* name, const char* type, auto run, unsigned objects,
                         bool uncounted = false) {
        all.push_back({"poll", what, name, type, origin::neighbour, objects, false, uncounted, run});
    };
    add("rx_nothing", "DPDK", "rte_eth_rx_burst(32), net_ring, empty", receive_nothing, 1);
    add("rx_1", "DPDK", "rte_eth_rx_burst(1), rte_pktmbuf_free_bulk; net_null, size=64, copy=0",
        receive<small, 1>, 1);
    add("rx_8", "DPDK", "rte_eth_rx_burst(8)", receive<small, 8>, 8);
    add("rx_32", "DPDK", "rte_eth_rx_burst(32)", receive<small, 32>, 32);
    add("rx_64", "DPDK", "rte_eth_rx_burst(64)", receive<small, 64>, 64);
    add("rx_1500", "DPDK", "rte_eth_rx_burst(32), size=1500, copy=0", receive<large, 32>, 32);
    add("rx_copy_64", "DPDK", "rte_eth_rx_burst(32), size=64, copy=1", receive<small_copied, 32>, 32);
    add("rx_copy_1500", "DPDK", "rte_eth_rx_burst(32), size=1500, copy=1", receive<large_copied, 32>, 32);

    add("hash_ipv4", "DPDK softrss", "rte_softrss", softrss<ipv4_tuple>, tuple_count);
    add("hash_ipv4", "DPDK softrss_be", "rte_softrss_be", softrss_be<ipv4_tuple>, tuple_count);
    add("hash_ipv6", "DPDK softrss", "rte_softrss", softrss<ipv6_tuple>, tuple_count);
    add("hash_ipv6", "DPDK softrss_be", "rte_softrss_be", softrss_be<ipv6_tuple>, tuple_count);
    if (gfni_works()) {
        add("hash_ipv4", "DPDK gfni", "rte_thash_gfni", gfni<ipv4_tuple, false>, tuple_count, true);
        add("hash_ipv6", "DPDK gfni", "rte_thash_gfni", gfni<ipv6_tuple, false>, tuple_count, true);
        add("hashes_ipv4", "DPDK gfni", "rte_thash_gfni_bulk", gfni<ipv4_tuple, true>, tuple_count, true);
        add("hashes_ipv6", "DPDK gfni", "rte_thash_gfni_bulk", gfni<ipv6_tuple, true>, tuple_count, true);
    }

    add("parse_tcp", "DPDK", "rte_net_get_ptype", parse_linear<tcp_frame>, 1);
    add("parse_ipv6", "DPDK", "rte_net_get_ptype", parse_linear<ipv6_frame>, 1);
    add("parse_gre", "DPDK", "rte_net_get_ptype", parse_linear<gre_frame>, 1);
    add("parse_pieces", "DPDK", "rte_net_get_ptype: pulls nothing together", parse_pieces, 1);
}

} // namespace bench::costs::poll
