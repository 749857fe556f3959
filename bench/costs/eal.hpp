// SPDX-License-Identifier: BSL-1.0
#pragma once

// DPDK in a program of ours: one logical core, bound to where this thread is; nothing of the hardware.

#include <sched.h>
#include <string>
#include <vector>

#include <rte_eal.h>
#include <rte_version.h>

namespace bench::costs {

// With such devices as are made up: "net_null0,size=64". False when it does not start here.
[[nodiscard]] inline bool start_eal(const std::vector<std::string>& devices = {}) {
    std::vector<std::string> words = {"noria",
                                      "--no-huge",
                                      "--no-pci",
                                      "-m",
                                      "512",
                                      "--no-telemetry",
                                      "--no-shconf",
                                      "--log-level=error",
                                      "--lcores=0@" + std::to_string(sched_getcpu())};
    for (const std::string& device : devices)
        words.push_back("--vdev=" + device);
    std::vector<char*> arguments;
    for (std::string& word : words)
        arguments.push_back(word.data());
    return rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) >= 0;
}

[[nodiscard]] inline std::string eal_version() {
    return rte_version();
}

} // namespace bench::costs
