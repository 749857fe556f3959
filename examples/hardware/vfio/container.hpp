// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "hardware/file_descriptor.hpp"
#include "hardware/iova_allocator.hpp"
#include "noria/core/result.hpp"

// VFIO, the part about memory. The kernel hands whole groups of devices to a program: those that an IOMMU
// cannot keep apart. Groups go into a container, and a container is one IOMMU address space: what is mapped
// there is all that the devices in it can reach. (Linux, Documentation/driver-api/vfio.rst; type 1 is the
// IOMMU of PCs and of most arm64 machines.)

namespace vfio {

class container {
  public:
    // Set-up.
    [[nodiscard]] static noria::result<container> open() noexcept {
        container made(hardware::file_descriptor(::open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC)));
        if (!made.file_)
            return noria::make_error(static_cast<std::errc>(errno),
                                     "/dev/vfio/vfio could not be opened: type `modprobe vfio-pci`, and run "
                                     "as root or as the owner of that file");
        const int version = ::ioctl(made.file_.fd(), VFIO_GET_API_VERSION);
        if (version != VFIO_API_VERSION)
            return noria::make_error(std::errc::not_supported,
                                     "the kernel speaks version `found` of VFIO, and this driver `wanted`",
                                     VFIO_API_VERSION, static_cast<std::uint64_t>(version));
        if (::ioctl(made.file_.fd(), VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) <= 0)
            return noria::make_error(std::errc::not_supported,
                                     "the kernel has no type 1 IOMMU for VFIO: type `modprobe "
                                     "vfio_iommu_type1`");
        return made;
    }

    // Set-up. Takes over all devices of that group. The first group decides which addresses there are.
    [[nodiscard]] noria::error add_group(std::uint32_t number) noexcept {
        if (std::ranges::any_of(groups_, [&](const group& each) { return each.number == number; }))
            return {};
        std::array<char, 32> path;
        std::snprintf(path.data(), path.size(), "/dev/vfio/%u", number);
        hardware::file_descriptor file(::open(path.data(), O_RDWR | O_CLOEXEC));
        if (!file)
            return noria::make_error(static_cast<std::errc>(errno),
                                     errno == EBUSY
                                         ? "the device's group (`found`) is another program's: only "
                                           "one can have it"
                                         : "/dev/vfio/`found`, the device's group, could not be "
                                           "opened: bind its devices to vfio-pci, and run as root "
                                           "or as the owner of that file",
                                     0, number);
        vfio_group_status status{.argsz = sizeof status, .flags = 0};
        if (::ioctl(file.fd(), VFIO_GROUP_GET_STATUS, &status) != 0 ||
            (status.flags & VFIO_GROUP_FLAGS_VIABLE) == 0)
            return noria::make_error(std::errc::device_or_resource_busy,
                                     "the device's group (`found`) has other devices that the kernel still "
                                     "drives, and the IOMMU cannot keep them apart: bind them to vfio-pci "
                                     "too, see /sys/kernel/iommu_groups/`found`/devices",
                                     0, number);
        const int space = file_.fd();
        if (::ioctl(file.fd(), VFIO_GROUP_SET_CONTAINER, &space) != 0)
            return noria::make_error(static_cast<std::errc>(errno),
                                     "the device's group (`found`) could not join the address space: one "
                                     "that an IOMMU of another kind serves needs a container of its own",
                                     0, number);
        if (groups_.empty())
            if (noria::error failed = take_iommu(); failed.code)
                return failed;
        groups_.push_back({number, std::move(file)});
        return {};
    }

    // Set-up. The device of that address, "0000:bb:dd.f", which is in one of the groups.
    [[nodiscard]] noria::result<hardware::file_descriptor> device(const char* address) noexcept {
        int why = ENODEV; // where there is no group yet nobody is asked
        for (const group& each : groups_) {
            const int fd = ::ioctl(each.file.fd(), VFIO_GROUP_GET_DEVICE_FD, address);
            if (fd >= 0)
                return hardware::file_descriptor(fd);
            why = errno;
        }
        return noria::make_error(
            static_cast<std::errc>(why),
            "no group of this container has the device: bind it to vfio-pci, and add its "
            "group");
    }

    // Set-up. Devices see [memory, memory + bytes) at `iova` from here on: the kernel pins all of it, and
    // counts it as locked by this process. Whole pages, both.
    [[nodiscard]] noria::error map(std::span<std::byte> memory, std::uint64_t iova) noexcept {
        vfio_iommu_type1_dma_map wish{.argsz = sizeof wish,
                                      .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
                                      .vaddr = reinterpret_cast<std::uintptr_t>(memory.data()),
                                      .iova = iova,
                                      .size = memory.size()};
        if (::ioctl(file_.fd(), VFIO_IOMMU_MAP_DMA, &wish) == 0) {
            mapped_bytes_ += memory.size();
            return {};
        }
        if (errno != ENOMEM)
            return noria::make_error(static_cast<std::errc>(errno),
                                     "the IOMMU did not take a mapping of `wanted` bytes: whole pages, at "
                                     "addresses that it translates and nobody has mapped, are taken",
                                     memory.size(), 0);
        rlimit limit{};
        static_cast<void>(::getrlimit(RLIMIT_MEMLOCK, &limit));
        return noria::make_error(
            std::errc::not_enough_memory,
            "what devices reach is locked in memory: `wanted` bytes in all, and this process may lock "
            "`found` "
            "(unless privileged: CAP_IPC_LOCK). Raise `ulimit -l`, or memlock in limits.conf, or give the "
            "device less; noria::region::lock_advice() has the line to type",
            mapped_bytes_ + memory.size(), limit.rlim_cur);
    }

    // Set-up. Devices do not see it any more, whatever they still do. What was mapped by one call goes by
    // one. The bytes that were mapped.
    std::uint64_t unmap(std::uint64_t iova, std::uint64_t bytes) noexcept {
        return unmap({.argsz = sizeof(vfio_iommu_type1_dma_unmap), .flags = 0, .iova = iova, .size = bytes});
    }
    // All there is; the bytes that were mapped still.
    std::uint64_t unmap_all() noexcept {
        return unmap({.argsz = sizeof(vfio_iommu_type1_dma_unmap),
                      .flags = VFIO_DMA_UNMAP_FLAG_ALL,
                      .iova = 0,
                      .size = 0});
    }

    // Addresses that the IOMMU translates: all there are but those that the machine needs itself, for
    // messages of interrupts for example.
    [[nodiscard]] std::span<const hardware::iova_range> ranges() const noexcept { return ranges_; }
    // Sizes of pages that the IOMMU knows, a bit each: bit 21 is 2 MiB.
    [[nodiscard]] std::uint64_t page_sizes() const noexcept { return page_sizes_; }
    [[nodiscard]] std::uint64_t mapped_bytes() const noexcept { return mapped_bytes_; }

  private:
    struct group {
        std::uint32_t number;
        hardware::file_descriptor file;
    };

    explicit container(hardware::file_descriptor file) noexcept : file_(std::move(file)) {}

    [[nodiscard]] noria::error take_iommu() noexcept {
        if (::ioctl(file_.fd(), VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) != 0)
            return noria::make_error(
                static_cast<std::errc>(errno),
                errno == EPERM
                    ? "the kernel refuses the IOMMU, since a device could forge interrupts: it has no "
                      "interrupt remapping. Switch that on in the firmware (VT-d, AMD-Vi), or in QEMU with "
                      "intel-iommu,intremap=on; `dmesg` says more"
                    : "the kernel refuses the IOMMU: is it switched on (intel_iommu=on, and VT-d in the "
                      "firmware)? `dmesg` says more");

        // First how long the answer is, then the answer.
        vfio_iommu_type1_info head{};
        head.argsz = sizeof head;
        if (::ioctl(file_.fd(), VFIO_IOMMU_GET_INFO, &head) != 0)
            return noria::make_error(static_cast<std::errc>(errno), "the IOMMU does not describe itself");
        std::vector<std::uint64_t> answer((head.argsz + 7) / 8);
        std::memcpy(answer.data(), &head, sizeof head);
        if (::ioctl(file_.fd(), VFIO_IOMMU_GET_INFO, answer.data()) != 0)
            return noria::make_error(static_cast<std::errc>(errno), "the IOMMU does not describe itself");
        std::memcpy(&head, answer.data(), sizeof head);
        if ((head.flags & VFIO_IOMMU_INFO_PGSIZES) != 0)
            page_sizes_ = head.iova_pgsizes;
        if ((head.flags & VFIO_IOMMU_INFO_CAPS) != 0)
            read_ranges(std::as_bytes(std::span(answer)), head.cap_offset);
        if (ranges_.empty())
            return noria::make_error(std::errc::not_supported,
                                     "the kernel does not say which addresses the IOMMU translates: use "
                                     "Linux 5.4 or newer");
        return {};
    }

    // The answer has a list of capabilities in it; each says where the next begins, and 0 ends it.
    void read_ranges(std::span<const std::byte> answer, std::uint32_t at) noexcept {
        for (vfio_info_cap_header head{}; at != 0 && at + sizeof head <= answer.size(); at = head.next) {
            std::memcpy(&head, answer.data() + at, sizeof head);
            vfio_iommu_type1_info_cap_iova_range list;
            if (head.id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE && at + sizeof list <= answer.size()) {
                std::memcpy(&list, answer.data() + at, sizeof list);
                for (std::size_t i = 0; i != list.nr_iovas; ++i) {
                    vfio_iova_range range{};
                    const std::size_t place = at + sizeof list + i * sizeof range;
                    if (place + sizeof range > answer.size())
                        break;
                    std::memcpy(&range, answer.data() + place, sizeof range);
                    ranges_.push_back({range.start, range.end});
                }
            }
            if (head.next <= at) // it goes forward, or it has no end
                break;
        }
    }

    std::uint64_t unmap(vfio_iommu_type1_dma_unmap wish) noexcept {
        if (::ioctl(file_.fd(), VFIO_IOMMU_UNMAP_DMA, &wish) != 0)
            return 0;
        mapped_bytes_ -= std::min<std::uint64_t>(mapped_bytes_, wish.size);
        return wish.size;
    }

    hardware::file_descriptor file_;
    std::vector<group> groups_; // go before the container
    std::vector<hardware::iova_range> ranges_;
    std::uint64_t page_sizes_ = 4096;
    std::uint64_t mapped_bytes_ = 0;
};

} // namespace vfio
