// SPDX-License-Identifier: BSL-1.0
// The suite over DPDK's mbufs. Where there is no DPDK it says so, and ends with 77: skipped.
#include <iostream>

#if __has_include(<rte_mbuf.h>)

#include <iterator>
#include <sched.h>
#include <string>

#include <rte_eal.h>

#include "suite/dpdk_adapter.hpp"
#include "suite/packet_suite.hpp"
#include "suite/program.hpp"
#include "support/random.hpp"

namespace {

// One logical core, bound to where this thread is; nothing of the hardware, and no huge pages.
bool start_dpdk() {
    std::string words[] = {"suite",
                           "--no-huge",
                           "--no-pci",
                           "-m",
                           "64",
                           "--no-telemetry",
                           "--no-shconf",
                           "--log-level=error",
                           "--lcores=0@" + std::to_string(sched_getcpu())};
    char* arguments[std::size(words)];
    for (std::size_t i = 0; i != std::size(words); ++i)
        arguments[i] = words[i].data();
    return rte_eal_init(static_cast<int>(std::size(words)), arguments) >= 0;
}

} // namespace

int main(int argc, char** argv) {
    using namespace suite;
    const program_options wanted = parse(argc, argv, random_steps::count(200'000, 40'000));
    if (!wanted.understood)
        return 2;
    if (!start_dpdk()) {
        std::cout << "skipped: DPDK does not start here\n";
        return 77;
    }
    dpdk_adapter adapter;
    if (!adapter.has_memory()) {
        std::cout << "skipped: DPDK has no memory for its pools\n";
        return 77;
    }
    std::cout << "--seed " << wanted.seed << std::endl;
    random_choices choices(wanted.seed);
    packet_suite<dpdk_adapter, random_choices> suite(adapter, choices);
    return run(suite, wanted.steps, wanted.seed) && report(suite, dpdk_adapter::shortages) ? 0 : 1;
}

#else

int main() {
    std::cout << "skipped: there is no DPDK here (Debian: libdpdk-dev)\n";
    return 77;
}

#endif
