// SPDX-License-Identifier: BSL-1.0
#include <stdexcept>
#include <string>

#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "costs/eal.hpp"
#include "costs/harness.hpp"
#include "pools/subjects.hpp"

namespace bench::costs::pools {
namespace {

constexpr unsigned cached = 256; // objects in each core's cache, as DPDK's own programs have them

rte_mempool* sound(rte_mempool* pool) {
    if (pool == nullptr)
        throw std::runtime_error("DPDK has no memory for a pool: rte_mempool_create failed");
    return pool;
}

// 2^n - 1 objects are what its ring holds best.
rte_mempool* objects() {
    static rte_mempool* const pool = sound(rte_mempool_create("objects", 8191, 2048, cached, 0, nullptr,
                                                              nullptr, nullptr, nullptr, SOCKET_ID_ANY, 0));
    return pool;
}
rte_mempool* mbufs() {
    static rte_mempool* const pool =
        sound(rte_pktmbuf_pool_create("mbufs", 4095, cached, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY));
    return pool;
}
// For buffers that lie elsewhere.
rte_mempool* bare_mbufs() {
    static rte_mempool* const pool =
        sound(rte_pktmbuf_pool_create("bare mbufs", 4095, cached, 0, 0, SOCKET_ID_ANY));
    return pool;
}

// A thread that has a cache of its own.
struct known_thread {
    known_thread() {
        if (rte_thread_register() != 0)
            __builtin_trap();
    }
    known_thread(const known_thread&) = delete;
    known_thread& operator=(const known_thread&) = delete;
    ~known_thread() { rte_thread_unregister(); }
};

template <unsigned Objects>
std::uint64_t get_put(std::uint64_t times) {
    rte_mempool* const pool = objects();
    if constexpr (Objects == 1) {
        return repeat(times, [&] {
            void* taken = nullptr;
            if (rte_mempool_get(pool, &taken) != 0)
                __builtin_trap();
            keep(taken);
            rte_mempool_put(pool, taken);
        });
    } else {
        void* taken[Objects];
        return repeat(times, [&] {
            if (rte_mempool_get_bulk(pool, taken, Objects) != 0)
                __builtin_trap();
            keep(taken);
            rte_mempool_put_bulk(pool, taken, Objects);
        });
    }
}

std::uint64_t other_thread(std::uint64_t times) {
    rte_mempool* const pool = objects();
    return hand_over<void, known_thread>(
        times,
        [&](std::span<void*> taken) {
            while (rte_mempool_get_bulk(pool, taken.data(), static_cast<unsigned>(taken.size())) != 0) {
            }
        },
        [&](std::span<void*> taken) {
            rte_mempool_put_bulk(pool, taken.data(), static_cast<unsigned>(taken.size()));
        });
}

std::uint64_t alloc_free(std::uint64_t times) {
    rte_mempool* const pool = mbufs();
    return repeat(times, [&] {
        rte_mbuf* const one = rte_pktmbuf_alloc(pool);
        keep(one);
        rte_pktmbuf_free(one);
    });
}

template <unsigned Objects>
std::uint64_t alloc_free_bulk(std::uint64_t times) {
    rte_mempool* const pool = mbufs();
    rte_mbuf* packets[Objects];
    return repeat(times, [&] {
        if (rte_pktmbuf_alloc_bulk(pool, packets, Objects) != 0)
            __builtin_trap();
        keep(packets);
        rte_pktmbuf_free_bulk(packets, Objects);
    });
}

rte_mbuf* linear(std::uint16_t bytes) {
    rte_mbuf* const made = rte_pktmbuf_alloc(mbufs());
    if (made == nullptr || rte_pktmbuf_append(made, bytes) == nullptr)
        __builtin_trap();
    return made;
}
rte_mbuf* in_parts(std::uint16_t bytes, unsigned parts) {
    rte_mbuf* const made = linear(bytes);
    for (unsigned i = 1; i != parts; ++i)
        if (rte_pktmbuf_chain(made, linear(bytes)) != 0)
            __builtin_trap();
    return made;
}

std::uint64_t clone_free(std::uint64_t times) {
    rte_mbuf* const original = linear(1500);
    const std::uint64_t ticks = repeat(times, [&] {
        rte_mbuf* const twin = rte_pktmbuf_clone(original, mbufs());
        keep(twin);
        rte_pktmbuf_free(twin);
    });
    rte_pktmbuf_free(original);
    return ticks;
}

std::uint64_t move_headroom(std::uint64_t times) {
    rte_mbuf* const one = linear(1500);
    const std::uint64_t ticks = repeat(times, [&] {
        keep(rte_pktmbuf_prepend(one, 14));
        keep(rte_pktmbuf_adj(one, 14));
    });
    rte_pktmbuf_free(one);
    return ticks;
}

std::uint64_t linearize(std::uint64_t times) {
    rte_mbuf* packets[granularity];
    return repeat(
        times, [&](std::uint64_t i) { packets[i] = in_parts(500, 3); },
        [&](std::uint64_t i) {
            if (rte_pktmbuf_linearize(packets[i]) != 0)
                __builtin_trap();
        },
        [&](std::uint64_t i) { rte_pktmbuf_free(packets[i]); });
}

std::uint64_t read_at(std::uint64_t times, std::uint32_t offset) {
    rte_mbuf* const one = in_parts(500, 2);
    char scratch[64];
    const std::uint64_t ticks =
        repeat(times, [&] { keep(rte_pktmbuf_read(one, unknown(offset), 64, scratch)); });
    rte_pktmbuf_free(one);
    return ticks;
}

void take_back(void* address, void* pool) {
    rte_mempool_put(static_cast<rte_mempool*>(pool), address);
}

std::uint64_t build_around(std::uint64_t times) {
    rte_mempool* const buffers = objects();
    rte_mempool* const pool = bare_mbufs();
    return repeat(times, [&] {
        void* buffer = nullptr;
        if (rte_mempool_get(buffers, &buffer) != 0)
            __builtin_trap();
        rte_mbuf* const one = rte_pktmbuf_alloc(pool);
        std::uint16_t room = 2048;
        rte_mbuf_ext_shared_info* const shared =
            rte_pktmbuf_ext_shinfo_init_helper(buffer, &room, take_back, buffers);
        rte_pktmbuf_attach_extbuf(one, buffer, reinterpret_cast<rte_iova_t>(buffer), room, shared);
        one->data_off = 128;
        one->data_len = 1500;
        one->pkt_len = 1500;
        keep(one);
        rte_pktmbuf_free(one);
    });
}

} // namespace

bool start_dpdk() {
    return start_eal();
}

std::string dpdk_version() {
    return eal_version();
}

void add_dpdk(std::vector<subject>& all) {
    const auto memory = [&](const char* what, const char* type, auto run, unsigned objects) {
        all.push_back({"memory", what, "DPDK", type, origin::neighbour, objects, false, false, run});
    };
    memory("get_put_1", "rte_mempool_get, _put", get_put<1>, 1);
    memory("get_put_8", "rte_mempool_get_bulk, _put_bulk", get_put<8>, 8);
    memory("get_put_32", "rte_mempool_get_bulk, _put_bulk", get_put<32>, 32);
    memory("other_thread", "rte_mempool_get_bulk here, _put_bulk there", other_thread, 32);
    all.back().two_threads = true;
    const auto packet = [&](const char* what, const char* type, auto run, unsigned objects = 1) {
        all.push_back({"packet", what, "DPDK", type, origin::neighbour, objects, false, false, run});
    };
    packet("alloc_free_1", "rte_pktmbuf_alloc, _free", alloc_free);
    packet("alloc_free_32", "rte_pktmbuf_alloc_bulk, _free_bulk", alloc_free_bulk<32>, 32);
    packet("alloc_free_256", "rte_pktmbuf_alloc_bulk, _free_bulk", alloc_free_bulk<256>, 256);
    packet("clone", "rte_pktmbuf_clone, _free", clone_free);
    packet("headroom", "rte_pktmbuf_prepend(14), _adj(14)", move_headroom);
    packet("linearize", "rte_pktmbuf_linearize", linearize);
    packet("read_edge", "rte_pktmbuf_read(468, 64)", [](std::uint64_t times) { return read_at(times, 468); });
    packet("read_inside", "rte_pktmbuf_read(200, 64)",
           [](std::uint64_t times) { return read_at(times, 200); });
    packet("build_around", "rte_mempool_get, rte_pktmbuf_alloc, _attach_extbuf, _free", build_around);
}

} // namespace bench::costs::pools
