// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <linux/vfio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "hardware/file_descriptor.hpp"
#include "hardware/interrupts.hpp"
#include "hardware/vfio/device.hpp"

namespace vfio {

// MSI-X vectors as eventfds: the kernel programs the device's table, and its handler for the message writes
// the eventfd. It goes before its device.
class interrupts {
  public:
    static constexpr std::uint32_t most_vectors = 64;

    explicit interrupts(device& of) noexcept : device_(&of) {}
    interrupts(const interrupts&) = delete;
    interrupts& operator=(const interrupts&) = delete;
    ~interrupts() { close(); }

    // Models hardware::interrupt_source. All vectors in one call: the kernel allocates them together, and a
    // second call for one more would begin with taking those there are away.
    [[nodiscard]] noria::error open(std::uint32_t vectors) noexcept {
        vfio_irq_info has{};
        has.argsz = sizeof has;
        has.index = VFIO_PCI_MSIX_IRQ_INDEX;
        if (::ioctl(device_->fd(), VFIO_DEVICE_GET_IRQ_INFO, &has) != 0 || vectors == 0 ||
            vectors > has.count || vectors > most_vectors)
            return noria::make_error(std::errc::invalid_argument,
                                     "the device has `found` MSI-X vectors, `wanted` were asked for, and at "
                                     "least 1 and at most 64 are",
                                     vectors, has.count);
        close();
        const vfio_irq_set head{.argsz = static_cast<std::uint32_t>(sizeof head + vectors * sizeof(int)),
                                .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
                                .index = VFIO_PCI_MSIX_IRQ_INDEX,
                                .start = 0,
                                .count = vectors};
        alignas(vfio_irq_set) std::array<std::byte, sizeof head + most_vectors * sizeof(int)> wish;
        std::memcpy(wish.data(), &head, sizeof head);
        for (std::uint32_t vector = 0; vector != vectors; ++vector) {
            fds_[vector] = hardware::file_descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
            const int fd = fds_[vector].fd();
            if (fd < 0)
                return noria::make_error(static_cast<std::errc>(errno), "no eventfd: see `ulimit -n`");
            std::memcpy(wish.data() + sizeof head + vector * sizeof fd, &fd, sizeof fd);
        }
        // Above 0: so many there would have been, and none were taken; errno says nothing then.
        const int refused = ::ioctl(device_->fd(), VFIO_DEVICE_SET_IRQS, wish.data());
        if (refused != 0)
            return noria::make_error(refused < 0 ? static_cast<std::errc>(errno)
                                                 : std::errc::resource_unavailable_try_again,
                                     "the kernel did not give the device its `wanted` vectors: `dmesg` says "
                                     "why",
                                     vectors);
        vectors_ = vectors;
        return {};
    }
    [[nodiscard]] int fd(std::uint32_t vector) noexcept { return fds_[vector].fd(); }
    [[nodiscard]] std::uint32_t vectors() noexcept { return vectors_; }

    void close() noexcept {
        if (vectors_ == 0)
            return;
        vfio_irq_set none{.argsz = sizeof none,
                          .flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
                          .index = VFIO_PCI_MSIX_IRQ_INDEX,
                          .start = 0,
                          .count = 0};
        static_cast<void>(::ioctl(device_->fd(), VFIO_DEVICE_SET_IRQS, &none));
        vectors_ = 0;
    }

  private:
    device* device_;
    std::array<hardware::file_descriptor, most_vectors> fds_;
    std::uint32_t vectors_ = 0;
};

static_assert(hardware::interrupt_source<interrupts>);

} // namespace vfio
