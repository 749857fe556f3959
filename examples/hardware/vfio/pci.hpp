// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// What the kernel tells of a PCI device in /sys/bus/pci (Linux, Documentation/ABI/testing/sysfs-bus-pci).

namespace vfio {

class pci {
  public:
    // `root`: where sys and proc are, for tests.
    explicit pci(std::string address, std::filesystem::path root = "/")
        : address_(std::move(address)), root_(std::move(root)) {}

    [[nodiscard]] const std::string& address() const noexcept { return address_; }
    // As 0000:bb:dd.f; anything else would be a path of somebody's choice.
    [[nodiscard]] bool well_formed() const {
        const std::string form = "hhhh:hh:hh.d";
        if (address_.size() != form.size())
            return false;
        for (std::size_t i = 0; i != form.size(); ++i) {
            const char is = address_[i];
            const bool digit = is >= '0' && is <= '9';
            const bool fits = form[i] == 'h'   ? digit || (is >= 'a' && is <= 'f')
                              : form[i] == 'd' ? is >= '0' && is <= '7'
                                               : is == form[i];
            if (!fits)
                return false;
        }
        return true;
    }
    [[nodiscard]] bool exists() const { return well_formed() && std::filesystem::exists(folder()); }

    // "8086:10d3".
    [[nodiscard]] std::string id() const { return number("vendor") + ":" + number("device"); }
    // Who drives it: "e1000e", or nobody.
    [[nodiscard]] std::string driver() const { return link("driver"); }
    [[nodiscard]] std::optional<std::uint32_t> iommu_group() const {
        const std::string name = link("iommu_group");
        if (name.empty())
            return std::nullopt;
        return static_cast<std::uint32_t>(std::strtoul(name.c_str(), nullptr, 10));
    }
    // Addresses of all devices of its group, itself too.
    [[nodiscard]] std::vector<std::string> group_members() const {
        return names(folder() / "iommu_group" / "devices");
    }
    // Network interfaces that its driver made of it.
    [[nodiscard]] std::vector<std::string> interfaces() const { return names(folder() / "net"); }

    // Writes a line to a file of the device, or of the bus; false when the kernel says no.
    [[nodiscard]] bool write(const char* file, const std::string& line) const {
        return write_line(folder() / file, line);
    }
    [[nodiscard]] bool write_to_bus(const char* file, const std::string& line) const {
        return write_line(bus() / file, line);
    }
    [[nodiscard]] const std::filesystem::path& root() const noexcept { return root_; }

  private:
    [[nodiscard]] std::filesystem::path bus() const { return root_ / "sys/bus/pci"; }
    [[nodiscard]] std::filesystem::path folder() const { return bus() / "devices" / address_; }

    [[nodiscard]] std::string number(const char* file) const {
        std::string text;
        std::ifstream(folder() / file) >> text;
        return text.starts_with("0x") ? text.substr(2) : text;
    }
    [[nodiscard]] std::string link(const char* file) const {
        std::error_code none;
        return std::filesystem::read_symlink(folder() / file, none).filename().string();
    }
    [[nodiscard]] static std::vector<std::string> names(const std::filesystem::path& in) {
        std::vector<std::string> all;
        std::error_code none;
        for (const auto& each : std::filesystem::directory_iterator(in, none))
            all.push_back(each.path().filename().string());
        return all;
    }
    [[nodiscard]] static bool write_line(const std::filesystem::path& to, const std::string& line) {
        std::ofstream file(to);
        file << line << '\n' << std::flush;
        return file.good();
    }

    std::string address_;
    std::filesystem::path root_;
};

} // namespace vfio
