// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <span>
#include <thread>

#include <sys/eventfd.h>
#include <unistd.h>

#include "hardware/interrupts.hpp"
#include "hardware/qtest/memory.hpp"
#include "hardware/qtest/pci.hpp"

namespace qtest {

// MSI-X without an interrupt controller. A vector fires when the device writes 4 bytes of `data` to an
// `address` (PCI 3.0, section 6.8.2), and nobody says that there has to be an APIC: here it is a word of
// memory, and a thread of ours looks at the words every 50 us and turns them into eventfds.
class interrupts {
  public:
    static constexpr std::uint32_t most_vectors = 32;

    interrupts(connection& qemu, pci_function& device, memory& ram) noexcept
        : qemu_(&qemu), device_(&device), ram_(&ram) {}
    interrupts(const interrupts&) = delete;
    interrupts& operator=(const interrupts&) = delete;
    ~interrupts() {
        watcher_ = {}; // asks it to stop, and waits
        for (const int each : std::span(fds_).first(vectors_))
            ::close(each);
    }

    // Models hardware::interrupt_source.
    [[nodiscard]] noria::error open(std::uint32_t vectors) noexcept {
        if (vectors_ != 0)
            return noria::make_error(std::errc::device_or_resource_busy,
                                     "vectors are opened once, all of them together");
        constexpr std::uint32_t msix = 0x11, enable = 1u << 31;
        const std::uint32_t at = device_->capability(msix);
        const std::uint32_t there = at == 0 ? 0 : (device_->read32(at) >> 16 & 0x7ff) + 1;
        if (vectors == 0 || vectors > there || vectors > most_vectors)
            return noria::make_error(std::errc::invalid_argument,
                                     "the device has `found` vectors, `wanted` were asked for", vectors,
                                     there);
        const auto words = ram_->allocate(vectors * sizeof(std::uint32_t), 64);
        if (!words)
            return words.error();
        words_ = reinterpret_cast<std::uint32_t*>(words->bytes.data());
        for (; vectors_ != vectors; ++vectors_) {
            fds_[vectors_] = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
            if (fds_[vectors_] < 0)
                return noria::make_error(static_cast<std::errc>(errno), "no eventfd: see `ulimit -n`");
        }

        const std::uint32_t where = device_->read32(at + 4);
        registers table(*qemu_, device_->place_of(where & 7) + (where & ~7u));
        for (std::uint32_t vector = 0; vector != vectors; ++vector) {
            const std::uint64_t address = words->iova + vector * sizeof(std::uint32_t);
            table.write32(16 * vector, static_cast<std::uint32_t>(address));
            table.write32(16 * vector + 4, static_cast<std::uint32_t>(address >> 32));
            table.write32(16 * vector + 8, fired);
            table.write32(16 * vector + 12, 0); // not masked
        }
        device_->write32(at, device_->read32(at) | enable);
        watcher_ = std::jthread([this](const std::stop_token& stop) noexcept {
            while (!stop.stop_requested()) {
                look();
                const std::timespec time{.tv_sec = 0, .tv_nsec = 50'000};
                ::nanosleep(&time, nullptr);
            }
        });
        return {};
    }
    [[nodiscard]] int fd(std::uint32_t vector) noexcept { return fds_[vector]; }
    [[nodiscard]] std::uint32_t vectors() noexcept { return vectors_; }

  private:
    static constexpr std::uint32_t fired = 1;

    void look() noexcept {
        for (std::uint32_t vector = 0; vector != vectors_; ++vector) {
            // Partner: the device's write of the vector's word, which comes after all that it tells of.
            const std::uint32_t word = std::atomic_ref(words_[vector]).exchange(0, std::memory_order_acquire);
            if (word == 0)
                continue;
            const std::uint64_t one = 1;
            static_cast<void>(::write(fds_[vector], &one, sizeof one) == sizeof one);
        }
    }

    connection* qemu_;
    pci_function* device_;
    memory* ram_;
    std::uint32_t* words_ = nullptr;
    std::uint32_t vectors_ = 0;
    std::array<int, most_vectors> fds_{};
    std::jthread watcher_;
};

static_assert(hardware::interrupt_source<interrupts>);

} // namespace qtest
