// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include "e1000e/driver.hpp"
#include "hardware/model/card.hpp" // in tests/: the model of the 82599
#include "hardware/qtest/machine.hpp"
#include "hardware/vfio/container.hpp"
#include "hardware/vfio/device.hpp"
#include "hardware/vfio/memory.hpp"
#include "hardware/vfio/pci.hpp"
#include "ixgbe/driver.hpp"
#include "ixgbe/programs/settings.hpp"
#include "noria/memory/region.hpp"

// What the three programs share, second part: the machine whose cards they drive. Three of them, and a
// program is a template over which:
//
//   driver(i)        the driver of card i
//   owns_wire        is the other end of the cable ours too? Then
//     feed(i, frame)   a frame arrives at card i; false when the cable holds no more now
//     fed(i)           how many did
//     came_out(i)      how many left card i
//   map(bytes)       a region that lives as long as the machine
//   counts_live()    may its counters be read while frames come?
//   step()           the machine's own turn: how many frames it moved
//   idle()           nothing moved
//   right()          is it content with the driver?

namespace programs {

// Packet memory. It goes after the machine, which may have it mapped for its cards until then.
class memory_keeper {
  public:
    [[nodiscard]] noria::region& map(std::uint64_t bytes) {
        return kept_.emplace_back(or_exit(noria::region::map({.bytes = static_cast<std::size_t>(bytes)})));
    }

  private:
    std::deque<noria::region> kept_;
};

// The model of the 82599 in this process (tests/hardware/model). It works in step(), on our thread.
class model_machine : public memory_keeper {
  public:
    using driver_type =
        ixgbe::driver<model82599::card::register_access, model82599::dma_memory_map, model82599::clock>;
    static constexpr bool owns_wire = true;

    explicit model_machine(std::uint32_t ports) {
        for (std::uint32_t i = 0; i != ports; ++i)
            slots_.emplace_back(static_cast<std::uint8_t>(i));
    }

    [[nodiscard]] driver_type& driver(std::uint32_t i) noexcept { return *slots_[i].driver; }
    [[nodiscard]] bool feed(std::uint32_t i, std::span<const std::byte> frame) {
        const model82599::arrival what = slots_[i].card.wire_in(frame);
        slots_[i].fed += what == model82599::arrival::queued || what == model82599::arrival::missed;
        return true;
    }
    [[nodiscard]] std::uint64_t fed(std::uint32_t i) const noexcept { return slots_[i].fed; }
    [[nodiscard]] std::uint64_t came_out(std::uint32_t i) const noexcept { return slots_[i].came_out; }
    std::uint32_t step() {
        std::uint32_t moved = 0;
        for (slot& each : slots_) {
            const std::uint32_t done = each.card.step();
            each.card.wait(done * frame_time);
            moved += done;
        }
        return moved;
    }
    void idle() noexcept {}
    [[nodiscard]] static bool counts_live() noexcept { return true; }
    // The model takes notes of what a driver does wrong, and the driver of counters that it could not
    // believe.
    [[nodiscard]] bool right() {
        return std::ranges::all_of(slots_, [](slot& each) {
            return each.card.faults().records().empty() && each.driver->counts().gaps() == 0;
        });
    }

  private:
    // The longest at 10 Gbit/s. The card's clock has to go on with its frames: more bytes than a link can
    // bring are a counter that was misread, to the driver.
    static constexpr noria::nanoseconds frame_time = 1'231;

    struct slot {
        explicit slot(std::uint8_t number)
            : card({.mac = {0x90, 0xe2, 0xba, 0x82, 0x59, static_cast<std::uint8_t>(0x99 + number)},
                    .tick = 20'000,
                    .link_delay = 1'000'000}),
              registers(card.registers()), clock(card.clock()),
              driver(
                  or_exit(driver_type::open(registers, card.dma(), clock, {.card = {.promiscuous = true}}))) {
            card.wire_to([this](std::span<const std::byte>, std::uint32_t) { ++came_out; });
        }

        model82599::card card;
        model82599::card::register_access registers;
        model82599::clock clock;
        noria::owned<driver_type> driver;
        std::uint64_t fed = 0;
        std::uint64_t came_out = 0;
    };

    std::deque<slot> slots_;
};

// QEMU as a card and nothing else: its e1000e, and so the driver of that (examples/e1000e).
class qtest_machine : public memory_keeper {
  public:
    using driver_type = e1000e::driver<qtest::registers, qtest::memory, noria::monotonic_clock>;
    static constexpr bool owns_wire = true;

    explicit qtest_machine(std::uint32_t ports) : qemu_(start(ports)) {
        for (std::uint32_t i = 0; i != ports; ++i) {
            qtest::registers& registers = registers_.emplace_back(qemu_.registers_of(i));
            drivers_.push_back(
                or_exit(driver_type::open(registers, qemu_.ram(), clock_, {.card = {.promiscuous = true}})));
        }
        fed_.resize(ports);
        came_out_.resize(ports);
    }

    [[nodiscard]] driver_type& driver(std::uint32_t i) noexcept { return *drivers_[i]; }
    [[nodiscard]] bool feed(std::uint32_t i, std::span<const std::byte> frame) {
        const bool sent = qemu_.at(i).cable.send(frame, 0);
        fed_[i] += sent;
        return sent;
    }
    [[nodiscard]] std::uint64_t fed(std::uint32_t i) const noexcept { return fed_[i]; }
    [[nodiscard]] std::uint64_t came_out(std::uint32_t i) const noexcept { return came_out_[i]; }
    // QEMU works by itself; what it sends has to be taken off the cable.
    std::uint32_t step() {
        std::array<std::byte, 2048> frame;
        std::uint32_t moved = 0;
        for (std::uint32_t i = 0; i != drivers_.size(); ++i)
            for (; qemu_.at(i).cable.receive(frame, 0) != 0; ++moved)
                ++came_out_[i];
        return moved;
    }
    void idle() noexcept { ::usleep(50); } // QEMU may want this processor
    // It would count some frames twice (examples/e1000e/README.md).
    [[nodiscard]] static bool counts_live() noexcept { return false; }
    [[nodiscard]] bool right() noexcept { return true; }

  private:
    [[nodiscard]] static qtest::machine start(std::uint32_t ports) {
        auto made = qtest::machine::start({.ports = ports});
        if (!made && made.error().code == std::errc::no_such_file_or_directory) {
            complain(made.error());
            std::exit(skipped);
        }
        return or_exit(std::move(made));
    }

    qtest::machine qemu_;
    noria::monotonic_clock clock_;
    std::deque<qtest::registers> registers_;
    std::vector<noria::owned<driver_type>> drivers_;
    std::vector<std::uint64_t> fed_, came_out_;
};

// Cards of this computer, which belong to vfio-pci. All are of one kind.
template <template <hardware::register_space, hardware::dma_space, noria::clock_source> class Driver>
class vfio_machine : public memory_keeper {
  public:
    using driver_type = Driver<hardware::mapped_registers, vfio::memory, noria::monotonic_clock>;
    static constexpr bool owns_wire = false;

    explicit vfio_machine(const std::vector<std::string>& addresses)
        : iommu_(or_exit(vfio::container::open())), cards_(open(iommu_, addresses)), memory_(iommu_) {
        for (const vfio::device& each : cards_) {
            hardware::mapped_registers& registers = registers_.emplace_back(each.registers());
            drivers_.push_back(
                or_exit(driver_type::open(registers, memory_, clock_, {.card = {.promiscuous = true}})));
        }
    }

    [[nodiscard]] driver_type& driver(std::uint32_t i) noexcept { return *drivers_[i]; }
    std::uint32_t step() noexcept { return 0; }
    void idle() noexcept {}
    // In a guest the card may be QEMU's.
    [[nodiscard]] bool counts_live() const noexcept { return !in_qemu_; }
    [[nodiscard]] bool right() noexcept { return true; }

  private:
    [[nodiscard]] static bool in_qemu() {
        std::string vendor;
        std::ifstream("/sys/class/dmi/id/sys_vendor") >> vendor;
        return vendor == "QEMU";
    }
    [[nodiscard]] static std::deque<vfio::device> open(vfio::container& in,
                                                       const std::vector<std::string>& addresses) {
        std::deque<vfio::device> all;
        for (const std::string& each : addresses)
            all.push_back(or_exit(vfio::device::open(in, each.c_str())));
        return all;
    }

    const bool in_qemu_ = in_qemu();
    vfio::container iommu_;
    std::deque<vfio::device> cards_;
    vfio::memory memory_;
    noria::monotonic_clock clock_;
    std::deque<hardware::mapped_registers> registers_;
    std::vector<noria::owned<driver_type>> drivers_;
};

// Which driver a card of that PCI id wants; an id that is in neither list was not thought of, and is refused.
enum class kind : unsigned char { unknown, ixgbe, e1000e };
[[nodiscard]] inline kind kind_of(const std::string& id) {
    for (const char* each : {"8086:10f7", "8086:10f8", "8086:10fb"}) // 82599: KX4, backplane, SFP+
        if (id == each)
            return kind::ixgbe;
    return id == "8086:10d3" ? kind::e1000e : kind::unknown; // 82574L
}

// Calls program(machine) with the machine that `device` names, and `ports` cards in it. What it returned.
template <class Program>
int with_device(const std::string& device, std::uint32_t ports, Program program) {
    if (device == "model") {
        model_machine machine(ports);
        return program(machine);
    }
    if (device == "qtest") {
        qtest_machine machine(ports);
        return program(machine);
    }
    std::vector<std::string> addresses;
    for (std::size_t begin = 0; begin <= device.size();) {
        const std::size_t end = std::min(device.find(',', begin), device.size());
        addresses.push_back(device.substr(begin, end - begin));
        begin = end + 1;
    }
    const kind first = kind_of(vfio::pci(addresses[0]).id());
    for (const std::string& each : addresses)
        if (!vfio::pci(each).exists() || kind_of(vfio::pci(each).id()) != first || first == kind::unknown) {
            std::fprintf(stderr,
                         "%s is not `model`, not `qtest`, and no 82599 or 82574 at 0000:bb:dd.f (of the same "
                         "kind as the others): `lspci -Dnn` lists what there is\n",
                         each.c_str());
            return 2;
        }
    if (addresses.size() != ports) {
        std::fprintf(stderr, "This program wants %u PCI address(es), with commas between\n", ports);
        return 2;
    }
    if (first == kind::ixgbe) {
        vfio_machine<ixgbe::driver> machine(addresses);
        return program(machine);
    }
    vfio_machine<e1000e::driver> machine(addresses);
    return program(machine);
}

} // namespace programs
