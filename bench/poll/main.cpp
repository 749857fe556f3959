// SPDX-License-Identifier: BSL-1.0

// poll: what Noria's pollers, flows and receive path cost on this machine, beside DPDK's and beside what the
// machine can do.

#include "costs/program.hpp"
#include "poll/subjects.hpp"

int main(int argc, char** argv) {
    using namespace bench::costs;
    program of{
        .about = "Pollers, flows and the receive path: Noria's and DPDK's, on this machine.",
        .suites = {"poll"},
        .subjects = {},
        .goals = {
            {"poll", "a cycle among 10,000 as among 1", "among_10000", "noria", "noria", 1.1, "", "among_1"},
            {"poll", "a counter, by a plain addition", "count", "noria", "plain", 1.1},
            {"poll", "hash of IPv4 and ports", "hash_ipv4", "noria", "DPDK softrss_be", 0.8},
            {"poll", "hash of IPv4 and ports", "hash_ipv4", "noria", "DPDK gfni", 0.8},
            {"poll", "hash of IPv6 and ports", "hash_ipv6", "noria", "DPDK softrss_be", 0.8},
            {"poll", "hash of IPv6 and ports", "hash_ipv6", "noria", "DPDK gfni", 0.8},
            {"poll", "32 hashes of IPv4 and ports", "hashes_ipv4", "noria", "DPDK gfni", 0.8},
            {"poll", "32 hashes of IPv6 and ports", "hashes_ipv6", "noria", "DPDK gfni", 0.8},
            {"poll", "receive 32 x 64 bytes in place", "rx_32", "noria", "DPDK", 0.8},
            {"poll", "receive 32 x 1500 bytes in place", "rx_1500", "noria", "DPDK", 0.8},
            {"poll", "receive and copy 32 x 64 bytes", "rx_copy_64", "noria", "DPDK", 0.8},
            {"poll", "receive and copy 32 x 1500 bytes", "rx_copy_1500", "noria", "DPDK", 0.8},
        }};
    poll::add_turns(of.subjects);
    poll::add_wake(of.subjects);
    poll::add_receive(of.subjects);
    poll::add_flows(of.subjects);
#ifdef BENCH_DPDK
    poll::add_dpdk(of.subjects);
    of.start_neighbour = poll::start_dpdk;
    of.neighbour_version = poll::dpdk_version;
#endif
    return start(argc, argv, std::move(of));
}
