// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "hardware/vfio/pci.hpp"

// Taking a device from the kernel, and giving it back: what would be done, and whether it may be.

namespace vfio {

// Interfaces that packets to everywhere leave by: of IPv4 (a destination and a mask of zeros in
// /proc/net/route) and of IPv6 (a prefix of zero bits in /proc/net/ipv6_route).
[[nodiscard]] inline std::set<std::string> default_route_interfaces(const std::filesystem::path& root = "/") {
    std::set<std::string> all;
    std::string line;
    const auto zero = [](const std::string& number) {
        return number.find_first_not_of('0') == std::string::npos;
    };
    std::ifstream four(root / "proc/net/route");
    std::getline(four, line); // headings
    while (std::getline(four, line)) {
        std::istringstream words(line);
        std::string name, destination, gateway, flags, skipped, mask;
        words >> name >> destination >> gateway >> flags >> skipped >> skipped >> skipped >> mask;
        constexpr unsigned long up = 1;
        if (words && zero(destination) && zero(mask) && (std::strtoul(flags.c_str(), nullptr, 16) & up) != 0)
            all.insert(name);
    }
    std::ifstream six(root / "proc/net/ipv6_route");
    while (std::getline(six, line)) {
        std::istringstream words(line);
        std::vector<std::string> word;
        for (std::string each; words >> each;)
            word.push_back(each);
        constexpr unsigned long reject = 0x200; // "nowhere": every machine has such a line
        if (word.size() >= 10 && zero(word[0]) && zero(word[1]) &&
            (std::strtoul(word[8].c_str(), nullptr, 16) & reject) == 0)
            all.insert(word[9]);
    }
    all.erase("lo");
    return all;
}

// An interface and all that is built on it: bridges, bonds, VLANs.
inline void add_with_uppers(const std::string& interface, const std::filesystem::path& root,
                            std::set<std::string>& all) {
    if (!all.insert(interface).second)
        return;
    std::error_code none;
    for (const auto& each : std::filesystem::directory_iterator(root / "sys/class/net" / interface, none)) {
        const std::string name = each.path().filename().string();
        if (name.starts_with("upper_"))
            add_with_uppers(name.substr(6), root, all);
    }
}

// What is to happen to a device, in sentences for who has to live with it.
struct bind_plan {
    std::vector<std::string> facts;
    std::vector<std::string> steps;
    std::string refused; // why not; empty: it may be done
};

[[nodiscard]] inline std::string listed(const std::set<std::string>& names) {
    std::string all;
    for (const std::string& each : names)
        all += (all.empty() ? "" : ", ") + each;
    return all;
}

[[nodiscard]] inline bind_plan plan_to_bind(const pci& device) {
    bind_plan plan;
    if (!device.exists()) {
        plan.refused =
            "there is no PCI device \"" + device.address() + "\": `lspci -D` lists them, as 0000:bb:dd.f";
        return plan;
    }
    const std::string driver = device.driver();
    std::set<std::string> lost;
    for (const std::string& each : device.interfaces())
        add_with_uppers(each, device.root(), lost);
    plan.facts.push_back(device.address() + " is " + device.id() + ", driven by " +
                         (driver.empty() ? "nobody" : driver) +
                         (lost.empty() ? "" : ", and is behind " + listed(lost)));
    if (driver == "vfio-pci")
        return plan;

    const std::set<std::string> needed = default_route_interfaces(device.root());
    for (const std::string& each : lost)
        if (needed.contains(each)) {
            plan.refused = "the default route goes through " + each +
                           ": without it this machine would not be reached any more. Take another device, or "
                           "give the route another way first (`ip route`)";
            return plan;
        }
    const auto group = device.iommu_group();
    if (!group) {
        plan.refused = "it is in no IOMMU group, so nothing would stop it from writing anywhere: switch the "
                       "IOMMU on (intel_iommu=on or amd_iommu=on, and VT-d or AMD-Vi in the firmware)";
        return plan;
    }
    for (const std::string& each : device.group_members()) {
        const std::string others = pci(each, device.root()).driver();
        if (each != device.address() && !others.empty() && others != "vfio-pci" && others != "pcieport")
            plan.facts.push_back(each + " is in the same IOMMU group and driven by " + others +
                                 ": no program can have either before that one is bound as well");
    }
    if (!driver.empty())
        plan.steps.push_back("take it from " + driver +
                             (lost.empty() ? "" : "; " + listed(lost) + " will be gone or cut off"));
    plan.steps.push_back("reserve it for vfio-pci (driver_override), and let the kernel bind it");
    plan.steps.push_back("then who may open /dev/vfio/" + std::to_string(*group) + " can have it");
    return plan;
}

// Its own driver again, whichever the kernel finds for it.
[[nodiscard]] inline bind_plan plan_to_give_back(const pci& device) {
    bind_plan plan;
    if (!device.exists())
        plan.refused = "there is no PCI device \"" + device.address() + "\": `lspci -D` lists them";
    else if (device.driver().empty()) // as a bind leaves it that failed half way
        plan.steps.push_back("end its reservation, and let the kernel find a driver for it");
    else if (device.driver() != "vfio-pci")
        plan.facts.push_back(device.address() + " is not vfio-pci's");
    else
        plan.steps.push_back("take it from vfio-pci, and let the kernel find a driver for it");
    return plan;
}

// Does it. True: afterwards the device has that driver (vfio-pci, or any other). Writing an empty line to
// driver_override ends the reservation.
[[nodiscard]] inline bool carry_out(const pci& device, bool to_vfio) {
    if (!device.driver().empty() && !device.write("driver/unbind", device.address()))
        return false;
    if (!device.write("driver_override", to_vfio ? "vfio-pci" : "") ||
        !device.write_to_bus("drivers_probe", device.address()))
        return false;
    const std::string driver = device.driver();
    return to_vfio ? driver == "vfio-pci" : !driver.empty() && driver != "vfio-pci";
}

} // namespace vfio
