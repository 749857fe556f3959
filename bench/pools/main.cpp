// SPDX-License-Identifier: BSL-1.0

// pools: what Noria's pools and packets cost on this machine, beside DPDK's and beside what the machine can
// do. Two suites: memory and packet.

#include "costs/program.hpp"
#include "pools/subjects.hpp"

int main(int argc, char** argv) {
    using namespace bench::costs;
    program of{.about = "Pools and packets: Noria's and DPDK's, on this machine.",
               .suites = {"memory", "packet"},
               .subjects = {},
               .goals = {
                   {"memory", "get and put one", "get_put_1", "noria", "DPDK", 0.9},
                   {"memory", "get and put 8", "get_put_8", "noria", "DPDK", 0.9},
                   {"memory", "get and put 32", "get_put_32", "noria", "DPDK", 0.9},
                   {"memory", "returned from another thread", "other_thread", "noria", "DPDK", 0.8},
                   {"packet", "allocate and free one", "alloc_free_1", "noria", "DPDK", 0.9},
                   {"packet", "allocate and free 32", "alloc_free_32", "noria", "DPDK", 0.6},
                   {"packet", "allocate and free 256", "alloc_free_256", "noria", "DPDK", 0.6},
                   {"packet", "clone and free, 1500 bytes", "clone", "noria", "DPDK", 0.7},
                   {"packet", "headroom, 14 bytes there and back", "headroom", "noria", "DPDK", 0.5},
                   {"packet", "linearize 3 x 500 bytes", "linearize", "noria", "DPDK", 0.8},
                   {"packet", "linearize, the copy itself", "linearize", "noria", "memcpy", 1.15, "no copy"},
                   {"packet", "read 64 bytes over an edge", "read_edge", "noria", "DPDK", 0.8},
                   {"packet", "read 64 bytes inside", "read_inside", "noria", "DPDK", 1.0},
               }};
    pools::add_noria_memory(of.subjects);
    pools::add_noria_packet(of.subjects);
#ifdef BENCH_DPDK
    pools::add_dpdk(of.subjects);
    of.start_neighbour = pools::start_dpdk;
    of.neighbour_version = pools::dpdk_version;
#endif
    pools::add_limits(of.subjects);
    return start(argc, argv, std::move(of));
}
