// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hardware/file_descriptor.hpp"
#include "hardware/registers.hpp"
#include "hardware/vfio/container.hpp"
#include "hardware/vfio/pci.hpp"
#include "noria/core/result.hpp"

namespace vfio {

// A device that is ours: its registers in our memory, its configuration space, and its reset. It goes before
// its container.
class device {
  public:
    // Set-up. Takes the device of that address, "0000:bb:dd.f", into the container; it is bound to vfio-pci.
    // The device is reset, and may reach memory: that which is mapped in the container.
    [[nodiscard]] static noria::result<device> open(container& in, const char* address) {
        const pci facts(address);
        if (!facts.exists())
            return noria::make_error(std::errc::no_such_device,
                                     "there is no device of this address: `lspci -D` lists them, as "
                                     "0000:bb:dd.f");
        if (facts.driver() != "vfio-pci")
            return noria::make_error(std::errc::device_or_resource_busy,
                                     "the device is not vfio-pci's: bind it with "
                                     "examples/hardware/vfio/bind.cpp, which says what it "
                                     "does before it does it");
        const auto group = facts.iommu_group();
        if (!group)
            return noria::make_error(
                std::errc::not_supported,
                "the device is in no IOMMU group, so nothing would stop it from writing "
                "anywhere: switch the IOMMU on (intel_iommu=on or amd_iommu=on, and VT-d "
                "or AMD-Vi in the firmware)");
        if (noria::error failed = in.add_group(*group); failed.code)
            return failed;
        auto file = in.device(address);
        if (!file)
            return file.error();
        device made(*std::move(file));
        if (noria::error failed = made.set_up(); failed.code)
            return failed;
        return made;
    }

    device(device&& other) noexcept
        : file_(std::move(other.file_)), config_(other.config_), bar_(std::exchange(other.bar_, {})) {}
    device& operator=(device&&) = delete;
    ~device() {
        if (!bar_.empty())
            ::munmap(bar_.data(), bar_.size());
    }

    // The registers behind the first base address register. They end with the device.
    [[nodiscard]] hardware::mapped_registers registers() const noexcept {
        return hardware::mapped_registers(bar_);
    }
    [[nodiscard]] std::span<std::byte> bar() const noexcept { return bar_; }
    [[nodiscard]] int fd() const noexcept { return file_.fd(); }

    // Of the configuration space; all ones where the device does not answer.
    [[nodiscard]] std::uint16_t read_config(std::uint32_t offset) const noexcept {
        std::uint16_t value = 0xffff;
        if (::pread(file_.fd(), &value, sizeof value, static_cast<off_t>(config_ + offset)) != sizeof value)
            return 0xffff;
        return value;
    }
    void write_config(std::uint32_t offset, std::uint16_t value) noexcept {
        static_cast<void>(::pwrite(file_.fd(), &value, sizeof value, static_cast<off_t>(config_ + offset)) ==
                          sizeof value);
    }

    // Set-up. May the device answer at its addresses, and reach memory? After a reset it may not.
    void enable(bool on = true) noexcept {
        constexpr std::uint16_t both = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
        const std::uint16_t before = read_config(PCI_COMMAND);
        write_config(PCI_COMMAND,
                     static_cast<std::uint16_t>(on ? before | both : before & ~PCI_COMMAND_MASTER));
    }
    [[nodiscard]] bool may_reach_memory() const noexcept {
        return (read_config(PCI_COMMAND) & PCI_COMMAND_MASTER) != 0;
    }

    // Set-up. Through the bus, from outside: what a device that hangs cannot refuse. It may reach memory
    // again behind this, and its vectors are still ours; all that its driver told it is forgotten.
    [[nodiscard]] noria::error reset() noexcept {
        if (::ioctl(file_.fd(), VFIO_DEVICE_RESET) != 0)
            return noria::make_error(
                static_cast<std::errc>(errno),
                "the device has no reset that concerns it alone: its driver's own has to "
                "do");
        enable();
        return {};
    }

  private:
    explicit device(hardware::file_descriptor file) noexcept : file_(std::move(file)) {}

    [[nodiscard]] noria::error set_up() noexcept {
        const auto config = region(VFIO_PCI_CONFIG_REGION_INDEX);
        const auto bar = region(VFIO_PCI_BAR0_REGION_INDEX);
        if (config.size == 0 || bar.size == 0 || (bar.flags & VFIO_REGION_INFO_FLAG_MMAP) == 0)
            return noria::make_error(
                std::errc::not_supported,
                "the device has no registers behind its first base address register that "
                "could be mapped: is it the right one?");
        config_ = config.offset;
        void* const at = ::mmap(nullptr, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, file_.fd(),
                                static_cast<off_t>(bar.offset));
        if (at == MAP_FAILED)
            return noria::make_error(static_cast<std::errc>(errno),
                                     "the device's registers could not be mapped: `dmesg` says why");
        bar_ = {static_cast<std::byte*>(at), bar.size};
        if (reset().code) // what it was doing for others ends, if it can be
            enable();
        return {};
    }

    [[nodiscard]] vfio_region_info region(std::uint32_t index) const noexcept {
        vfio_region_info info{};
        info.argsz = sizeof info;
        info.index = index;
        if (::ioctl(file_.fd(), VFIO_DEVICE_GET_REGION_INFO, &info) != 0)
            info.size = 0;
        return info;
    }

    hardware::file_descriptor file_;
    std::uint64_t config_ = 0; // where the configuration space is in the file
    std::span<std::byte> bar_;
};

} // namespace vfio
