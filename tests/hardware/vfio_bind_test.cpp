// SPDX-License-Identifier: BSL-1.0
// The helper that takes devices from the kernel, on a tree that looks like /sys and /proc.

#include "hardware/vfio/bind_plan.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;

class vfio_bind : public testing::Test {
  protected:
    vfio_bind() {
        std::string name = (fs::temp_directory_path() / "noria-bind-XXXXXX").string();
        root = ::mkdtemp(name.data());
        write("proc/net/route", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\n");
        write("proc/net/ipv6_route", "");
    }
    ~vfio_bind() override { fs::remove_all(root); }

    void write(const fs::path& file, const std::string& text) {
        fs::create_directories((root / file).parent_path());
        std::ofstream(root / file, std::ios::app) << text;
    }
    std::string read(const fs::path& file) {
        std::string text;
        std::getline(std::ifstream(root / file), text);
        return text;
    }
    fs::path device(const std::string& address) { return fs::path("sys/bus/pci/devices") / address; }

    void add_device(const std::string& address, const std::string& driver, int group,
                    const std::string& interface = "") {
        write(device(address) / "vendor", "0x8086\n");
        write(device(address) / "device", "0x10d3\n");
        write(device(address) / "driver_override", "");
        write("sys/bus/pci/drivers_probe", "");
        if (!driver.empty()) {
            write(fs::path("sys/bus/pci/drivers") / driver / "unbind", "");
            fs::create_symlink("../../drivers/" + driver, root / device(address) / "driver");
        }
        if (group >= 0) {
            const fs::path of = fs::path("sys/kernel/iommu_groups") / std::to_string(group);
            write(of / "devices" / address, "");
            fs::create_symlink(root / of, root / device(address) / "iommu_group");
        }
        if (!interface.empty()) {
            write(device(address) / "net" / interface / "mtu", "1500\n");
            write(fs::path("sys/class/net") / interface / "mtu", "1500\n");
        }
    }
    vfio::bind_plan plan(const std::string& address) { return plan_to_bind(vfio::pci(address, root)); }

    fs::path root;
};

TEST_F(vfio_bind, says_what_it_will_do) {
    add_device("0000:03:00.0", "e1000e", 7, "eth1");
    const auto said = plan("0000:03:00.0");
    EXPECT_EQ(said.refused, "");
    ASSERT_EQ(said.facts.size(), 1u);
    EXPECT_EQ(said.facts[0], "0000:03:00.0 is 8086:10d3, driven by e1000e, and is behind eth1");
    ASSERT_EQ(said.steps.size(), 3u);
    EXPECT_EQ(said.steps[0], "take it from e1000e; eth1 will be gone or cut off");
    EXPECT_NE(said.steps[2].find("/dev/vfio/7"), std::string::npos);

    add_device("0000:04:00.0", "", 8);
    EXPECT_EQ(plan("0000:04:00.0").steps.size(), 2u) << "nobody to take it from";
    add_device("0000:05:00.0", "vfio-pci", 9);
    EXPECT_TRUE(plan("0000:05:00.0").steps.empty());
    EXPECT_EQ(plan("0000:05:00.0").refused, "");
}

TEST_F(vfio_bind, refuses_what_is_not_there) {
    add_device("0000:03:00.0", "e1000e", 7);
    for (const char* address : {"0000:09:00.0", "", "eth1", "0000:03:00.8", "0000:03:00",
                                "../devices/0000:03:00.0", "0000:03:00.0/", "0000:03:00.G"})
        EXPECT_NE(plan(address).refused, "") << address;
    add_device("0000:06:00.0", "e1000e", -1);
    EXPECT_NE(plan("0000:06:00.0").refused.find("no IOMMU group"), std::string::npos);
}

TEST_F(vfio_bind, refuses_the_way_to_everywhere) {
    add_device("0000:03:00.0", "e1000e", 7, "eth1");
    write("proc/net/route", "eth1\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\n"); // 10.0.0.0/24
    EXPECT_EQ(plan("0000:03:00.0").refused, "");
    write("proc/net/route", "eth1\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\n");
    EXPECT_NE(plan("0000:03:00.0").refused.find("default route goes through eth1"), std::string::npos);
    EXPECT_TRUE(plan("0000:03:00.0").steps.empty());
    add_device("0000:04:00.0", "e1000e", 8, "eth2");
    EXPECT_EQ(plan("0000:04:00.0").refused, "");
}

TEST_F(vfio_bind, refuses_it_over_IPv6_too) {
    add_device("0000:03:00.0", "e1000e", 7, "eth1");
    const std::string zeros(32, '0');
    // What a machine without IPv6 has, and what says "nowhere".
    write("proc/net/ipv6_route", zeros + " 00 " + zeros + " 00 " + zeros + " ffffffff 1 0 00200200 lo\n");
    write("proc/net/ipv6_route",
          "fe80" + std::string(28, '0') + " 40 " + zeros + " 00 " + zeros + " 00000100 1 0 00000001 eth1\n");
    EXPECT_EQ(plan("0000:03:00.0").refused, "");
    write("proc/net/ipv6_route",
          zeros + " 00 " + zeros + " 00 fe80" + std::string(28, '0') + " 00000400 1 0 00000003 eth1\n");
    EXPECT_NE(plan("0000:03:00.0").refused, "");
}

// The route goes through a VLAN on a bridge, and the device is what lies below.
TEST_F(vfio_bind, sees_what_is_built_on_an_interface) {
    add_device("0000:03:00.0", "e1000e", 7, "eth1");
    write("sys/class/net/eth1/upper_br0/mtu", "");
    write("sys/class/net/br0/upper_br0.5/mtu", "");
    write("sys/class/net/br0.5/upper_br0/mtu", ""); // no tree of the kernel's, and it ends all the same
    write("proc/net/route", "br0.5\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\n");
    EXPECT_NE(plan("0000:03:00.0").refused.find("br0.5"), std::string::npos);
}

TEST_F(vfio_bind, names_those_in_the_same_group) {
    add_device("0000:03:00.0", "e1000e", 7);
    add_device("0000:03:00.1", "snd", 7);
    add_device("0000:00:1c.0", "pcieport", 7); // a bridge, which the kernel keeps
    const auto said = plan("0000:03:00.0");
    EXPECT_EQ(said.refused, "");
    ASSERT_EQ(said.facts.size(), 2u);
    EXPECT_NE(said.facts[1].find("0000:03:00.1"), std::string::npos);
}

TEST_F(vfio_bind, writes_what_it_said) {
    add_device("0000:03:00.0", "e1000e", 7);
    EXPECT_FALSE(carry_out(vfio::pci("0000:03:00.0", root), true)) << "no kernel here that would obey";
    EXPECT_EQ(read("sys/bus/pci/drivers/e1000e/unbind"), "0000:03:00.0");
    EXPECT_EQ(read(device("0000:03:00.0") / "driver_override"), "vfio-pci");
    EXPECT_EQ(read("sys/bus/pci/drivers_probe"), "0000:03:00.0");
    EXPECT_TRUE(plan_to_give_back(vfio::pci("0000:03:00.0", root)).steps.empty());
    add_device("0000:04:00.0", "vfio-pci", 8);
    EXPECT_EQ(plan_to_give_back(vfio::pci("0000:04:00.0", root)).steps.size(), 1u);
}

} // namespace
