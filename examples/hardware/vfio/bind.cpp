// SPDX-License-Identifier: BSL-1.0
// Takes a PCI device from the kernel, so that a program can drive it (VFIO), and gives it back.
//
//   g++ -std=c++20 -O2 -Iinclude -Iexamples examples/hardware/vfio/bind.cpp -o vfio_bind
//   sudo ./vfio_bind 0000:03:00.0              first says what it will do, then does it
//   sudo ./vfio_bind 0000:03:00.0 --dry-run    only says it
//   sudo ./vfio_bind 0000:03:00.0 --back       the kernel's driver has it again

#include <cstdio>
#include <cstring>
#include <string>

#include "hardware/vfio/bind_plan.hpp"

int main(int count, char** words) {
    bool back = false;
    bool dry = false;
    const char* address = nullptr;
    bool wrong = false;
    for (int i = 1; i < count; ++i) {
        if (std::strcmp(words[i], "--back") == 0)
            back = true;
        else if (std::strcmp(words[i], "--dry-run") == 0)
            dry = true;
        else if (words[i][0] != '-' && address == nullptr)
            address = words[i];
        else
            wrong = true;
    }
    if (wrong || address == nullptr) {
        std::fprintf(stderr, "Usage: %s 0000:bb:dd.f [--dry-run] [--back]\n", words[0]);
        return 2;
    }

    const vfio::pci device(address);
    const vfio::bind_plan plan = back ? vfio::plan_to_give_back(device) : vfio::plan_to_bind(device);
    for (const std::string& each : plan.facts)
        std::printf("%s\n", each.c_str());
    if (!plan.refused.empty()) {
        std::fprintf(stderr, "Not done: %s\n", plan.refused.c_str());
        return 1;
    }
    if (plan.steps.empty()) {
        std::printf("There is nothing to do.\n");
        return 0;
    }
    std::printf(dry ? "I would:\n" : "I will:\n");
    for (const std::string& each : plan.steps)
        std::printf("  - %s\n", each.c_str());
    if (dry)
        return 0;
    if (!vfio::carry_out(device, !back)) {
        std::fprintf(stderr,
                     "The kernel did not do it: run as root, with `modprobe vfio-pci` before; `dmesg` "
                     "says more\n");
        return 1;
    }
    std::printf("Done: it is driven by %s now\n",
                device.driver().empty() ? "nobody" : device.driver().c_str());
    return 0;
}
