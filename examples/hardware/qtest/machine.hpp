// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hardware/file_descriptor.hpp"
#include "hardware/qtest/connection.hpp"
#include "hardware/qtest/interrupts.hpp"
#include "hardware/qtest/memory.hpp"
#include "hardware/qtest/pci.hpp"
#include "hardware/qtest/process.hpp"
#include "hardware/qtest/wire.hpp"

// QEMU as a model of a card, and of nothing else: no guest, no firmware, no root. A machine with a processor
// that sleeps, memory that we have mapped too, and one card or several whose registers we reach through the
// qtest socket. It takes 50 ms to start; a register access takes 15 us, and DMA goes at the speed of memory.

namespace qtest {

inline constexpr const char* qemu = "qemu-system-x86_64";

// A card in the machine, its three seams, and the other end of its cable.
struct port {
    port(connection& to, memory& ram, std::uint32_t slot, hardware::file_descriptor&& end) noexcept
        : pci(to, slot), vectors(to, pci, ram), cable(std::move(end)) {}

    pci_function pci;
    interrupts vectors;
    wire cable;
};

struct machine_options {
    const char* card = "e1000e";
    std::uint32_t ports = 1;                        // each card has one
    std::size_t ram_bytes = std::size_t{256} << 20; // only what is used is there
};

class machine {
  public:
    static constexpr std::uint32_t most_ports = 4;

    // Set-up. Starts QEMU; it ends with this object, and leaves nothing behind: all that passes between us
    // are descriptors that it inherits. MAC addresses are 52:54:00:12:34:56 and following.
    [[nodiscard]] static noria::result<machine> start(const machine_options& options = {}) {
        if (!installed(qemu))
            return noria::make_error(std::errc::no_such_file_or_directory,
                                     "there is no qemu-system-x86_64 on the path: install Debian's package "
                                     "qemu-system-x86");
        if (options.ports == 0 || options.ports > most_ports)
            return noria::make_error(std::errc::invalid_argument, "a machine has 1 to 4 cards");
        auto ram = memory::create(options.ram_bytes);
        if (!ram)
            return ram.error();
        const hardware::file_descriptor bios = sleeping_bios();
        std::array<hardware::file_descriptor, 2> control = pair(SOCK_STREAM);
        if (!bios || !control[0])
            return noria::make_error(static_cast<std::errc>(errno), "no descriptors left: see `ulimit -n`");

        std::vector<std::array<hardware::file_descriptor, 2>> cables;
        std::vector<int> passed{ram->fd(), bios.fd(), control[1].fd()};
        for (std::uint32_t i = 0; i != options.ports; ++i) {
            cables.push_back(pair(SOCK_DGRAM));
            if (!cables.back()[0])
                return noria::make_error(static_cast<std::errc>(errno),
                                         "no descriptors left: see `ulimit -n`");
            passed.push_back(cables.back()[1].fd());
        }
        auto started = process::start(arguments(options, passed), passed);
        if (!started)
            return started.error();

        control[1] = hardware::file_descriptor(); // its end: when it is gone, we hear of it

        machine made;
        made.body_ = std::make_unique<body>(*std::move(ram), *std::move(started), std::move(control[0]));
        for (std::uint32_t i = 0; i != options.ports; ++i) {
            auto& card = made.body_->ports.emplace_back(std::make_unique<port>(
                made.body_->qemu, made.body_->ram, first_slot + i, std::move(cables[i][0])));
            card->pci.place(0xe000'0000 + (std::uint64_t{i} << 20), 0xc000 + (i << 8));
        }
        if (made.body_->ports[0]->pci.read32(0) == ~0u || made.body_->qemu.broken())
            return noria::make_error(std::errc::not_connected,
                                     "QEMU ended before it answered, or took more than 5 s: it says why on "
                                     "standard error. What runs is version 7.2 or newer");
        return made;
    }

    [[nodiscard]] connection& control() noexcept { return body_->qemu; }
    [[nodiscard]] memory& ram() noexcept { return body_->ram; }
    [[nodiscard]] port& at(std::uint32_t number) noexcept { return *body_->ports[number]; }
    // The registers behind a card's first base address register.
    [[nodiscard]] registers registers_of(std::uint32_t number) noexcept {
        return {body_->qemu, at(number).pci.place_of(0)};
    }

    // Pulls all cards out of the bus, so to say.
    void kill() noexcept { body_->running.end(); }

  private:
    static constexpr std::uint32_t first_slot = 2;
    static constexpr std::uint32_t first_mac = 0x56;

    // QEMU ends before its memory goes: members are destroyed bottom up.
    struct body {
        body(memory&& shared, process&& started, hardware::file_descriptor&& control) noexcept
            : ram(std::move(shared)), running(std::move(started)), qemu(std::move(control)) {}

        memory ram;
        process running;
        connection qemu;
        std::vector<std::unique_ptr<port>> ports;
    };

    [[nodiscard]] static std::array<hardware::file_descriptor, 2> pair(int kind) noexcept {
        int ends[2] = {-1, -1};
        static_cast<void>(::socketpair(AF_UNIX, kind | SOCK_CLOEXEC, 0, ends));
        return {hardware::file_descriptor(ends[0]), hardware::file_descriptor(ends[1])};
    }

    // A ROM for the place where the processor begins: cli, hlt, and back if something wakes it. It must not
    // be stopped (-S), for then cards receive nothing and their timers stand.
    [[nodiscard]] static hardware::file_descriptor sleeping_bios() noexcept {
        constexpr std::uint8_t code[] = {0xfa, 0xf4, 0xeb, 0xfd};
        constexpr off_t size = 65536, reset_vector = size - 16;
        hardware::file_descriptor rom(::memfd_create("qtest bios", MFD_CLOEXEC));
        if (!rom || ::ftruncate(rom.fd(), size) != 0 ||
            ::pwrite(rom.fd(), code, sizeof code, reset_vector) != sizeof code)
            return hardware::file_descriptor();
        return rom;
    }

    // `passed`: memory, ROM, control, and the cables.
    [[nodiscard]] static std::vector<std::string> arguments(const machine_options& options,
                                                            const std::vector<int>& passed) {
        const auto file = [&](std::size_t i) { return "/proc/self/fd/" + std::to_string(passed[i]); };
        const std::string bytes = std::to_string(options.ram_bytes);
        std::vector<std::string> all{qemu,
                                     "-nodefaults",
                                     "-no-user-config",
                                     "-nographic",
                                     "-accel",
                                     "tcg",
                                     "-M",
                                     "q35,memory-backend=ram",
                                     "-m",
                                     bytes + "B",
                                     "-object",
                                     "memory-backend-file,id=ram,share=on,size=" + bytes +
                                         "B,mem-path=" + file(0),
                                     "-bios",
                                     file(1),
                                     "-chardev",
                                     "socket,id=control,fd=" + std::to_string(passed[2]),
                                     "-object",
                                     "qtest,id=qtest,chardev=control,log=/dev/null"};
        for (std::uint32_t i = 0; i != options.ports; ++i) {
            const std::string number = std::to_string(i);
            std::array<char, 32> mac;
            std::snprintf(mac.data(), mac.size(), "52:54:00:12:34:%02x", first_mac + i);
            const std::string address = std::to_string(first_slot + i) + ".0";
            all.insert(all.end(), {"-netdev",
                                   "dgram,id=cable" + number +
                                       ",local.type=fd,local.str=" + std::to_string(passed[3 + i]),
                                   "-device",
                                   std::string(options.card) + ",netdev=cable" + number + ",addr=" + address +
                                       ",romfile=,mac=" + mac.data()});
        }
        return all;
    }

    machine() = default;

    std::unique_ptr<body> body_;
};

} // namespace qtest
