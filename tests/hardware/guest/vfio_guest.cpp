// SPDX-License-Identifier: BSL-1.0
// VFIO for real: this program runs inside a machine that QEMU emulates, with an IOMMU and two cards on one
// cable, both bound to vfio-pci. run.py starts that machine and reads the verdict.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "e1000e/driver.hpp"
#include "e1000e/interrupts.hpp"
#include "hardware/vfio/container.hpp"
#include "hardware/vfio/device.hpp"
#include "hardware/vfio/interrupts.hpp"
#include "hardware/vfio/memory.hpp"
#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"
#include "noria/queue/tx_queue.hpp"
#include "support/transmit.hpp"

namespace {

using namespace noria;

constexpr nanoseconds sure = 20'000'000'000; // long enough for anything that comes at all
constexpr std::array addresses{"0000:00:02.0", "0000:00:03.0"};
constexpr rx_options receive_options{
    .descriptors = 64, .packets = 200, .frame_bytes = 2048, .geometry = {.page_bytes = 8192}};
monotonic_clock real_clock;

using driver_type = e1000e::driver<hardware::mapped_registers, vfio::memory, monotonic_clock>;
using receive_type = rx_queue<driver_type::receive_queue_type, build_around>;
using transmit_type = tx_queue<driver_type::transmit_queue_type>;

// What cannot be made ends the program: there is nobody to go on for.
template <class T>
T need(result<T> made) {
    if (!made) {
        std::printf("%s (wanted %llu, found %llu)\n", made.error().advice,
                    static_cast<unsigned long long>(made.error().wanted),
                    static_cast<unsigned long long>(made.error().found));
        std::exit(1);
    }
    return *std::move(made);
}

// A card, its vectors and its driver.
struct card {
    card(vfio::container& in, vfio::memory& memory, const char* address)
        : device(need(vfio::device::open(in, address))), vectors(device), registers(device.registers()),
          driver(need(driver_type::open(registers, memory, real_clock, {.card = {.promiscuous = true}}))),
          calls(registers, vectors) {}

    vfio::device device;
    vfio::interrupts vectors;
    hardware::mapped_registers registers;
    owned<driver_type> driver;
    e1000e::interrupts<hardware::mapped_registers, vfio::interrupts> calls;
};

// Both cards in one address space.
struct cable {
    cable() : iommu(need(vfio::container::open())) {
        for (std::size_t i = 0; i != addresses.size(); ++i) {
            if (i == 0)
                need_group(addresses[i]);
            if (!memory)
                memory.emplace(iommu);
            cards[i].emplace(iommu, *memory, addresses[i]);
        }
    }
    void need_group(const char* address) {
        const error failed = iommu.add_group(vfio::pci(address).iommu_group().value());
        if (failed.code) {
            std::printf("%s\n", failed.advice);
            std::exit(1);
        }
    }
    void start() {
        for (auto& each : cards)
            ASSERT_FALSE(each->driver->start().code);
        for (auto& each : cards)
            ASSERT_FALSE(each->driver->wait_for_link().code);
    }

    vfio::container iommu;
    std::optional<vfio::memory> memory;
    std::array<std::optional<card>, 2> cards;
};

bool fires(int fd) {
    pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
    std::uint64_t count = 0;
    return ::poll(&wait, 1, 20'000) > 0 && ::read(fd, &count, sizeof count) == sizeof count;
}

// What the kernel has said since, line by line.
class kernel_log {
  public:
    kernel_log() : file_(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
        ::lseek(file_.fd(), 0, SEEK_END);
    }
    bool says(const std::string& what) {
        std::array<char, 8192> line;
        for (const nanoseconds end = real_clock.now() + sure; real_clock.now() < end;) {
            const ssize_t got = ::read(file_.fd(), line.data(), line.size());
            if (got > 0 &&
                std::string(line.data(), static_cast<std::size_t>(got)).find(what) != std::string::npos)
                return true;
        }
        return false;
    }

  private:
    hardware::file_descriptor file_;
};

std::uint64_t locked_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
        if (word == "VmLck:") {
            std::uint64_t kib = 0;
            status >> kib;
            return kib;
        }
    return 0;
}

TEST(vfio, the_iommu_says_what_it_translates) {
    cable two;
    const auto ranges = two.iommu.ranges();
    ASSERT_FALSE(ranges.empty());
    for (const auto& each : ranges) {
        EXPECT_LE(each.first, each.last);
        EXPECT_FALSE(each.first <= 0xfee0'0000 && 0xfee0'0000 <= each.last)
            << "interrupts are written there: nothing may be mapped over it";
    }
    EXPECT_NE(two.iommu.page_sizes() & 4096, 0u);
    EXPECT_NE(two.iommu.page_sizes() & (2u << 20), 0u);
}

TEST(vfio, registers_and_configuration_are_the_card_s) {
    cable two;
    vfio::device& device = two.cards[0]->device;
    EXPECT_EQ(device.read_config(0), 0x8086);
    EXPECT_EQ(device.read_config(2), 0x10d3);
    EXPECT_NE(two.cards[0]->driver->mac(), two.cards[1]->driver->mac());
    EXPECT_TRUE(device.may_reach_memory());
    device.enable(false);
    EXPECT_FALSE(device.may_reach_memory());
    EXPECT_FALSE(device.reset().code);
    EXPECT_TRUE(device.may_reach_memory()) << "a reset takes that away, and it is given back";
    EXPECT_EQ(vfio::device::open(two.iommu, "0000:00:1f.0").error().code, std::errc::device_or_resource_busy)
        << "not bound";
    EXPECT_EQ(vfio::device::open(two.iommu, "0000:77:00.0").error().code, std::errc::no_such_device);
    EXPECT_EQ(two.cards[0]->vectors.open(6).code, std::errc::invalid_argument) << "it has five";
    vfio::container empty = need(vfio::container::open());
    errno = EACCES; // of something else, long ago
    EXPECT_EQ(empty.device(addresses[0]).error().code, std::errc::no_such_device);
}

// Frames from the first card to the second and back, each waited for with its eventfd; a reset of both
// through the bus half way.
TEST(vfio, frames_pass_both_ways_with_interrupts) {
    cable two;
    region packets = need(region::map({.bytes = 2 * receive_type::region_bytes(receive_options)}));
    EXPECT_EQ(packets.got(), backing::huge_pages) << "init has asked for some";
    sending_memory memory;
    std::array<std::optional<region>, 2> regions;
    std::array<std::optional<receive_type>, 2> in;
    std::array<std::optional<transmit_type>, 2> out;
    for (std::size_t i = 0; i != 2; ++i) {
        card& one = *two.cards[i];
        regions[i] = need(region::map({.bytes = receive_type::region_bytes(receive_options)}));
        in[i].emplace(need(receive_type::create(one.driver->receive(), *regions[i], receive_options)));
        out[i].emplace(
            need(transmit_type::create(one.driver->transmit(), memory.memory(), {.descriptors = 64})));
        ASSERT_FALSE(one.calls.open().code);
        EXPECT_EQ(one.vectors.vectors(), 2u);
    }
    two.start();
    for (auto& each : two.cards) {
        each->calls.fire(each->calls.other_vector());
        EXPECT_TRUE(fires(each->calls.fd(each->calls.other_vector())));
    }
    std::uint64_t frames = 0;
    for (int round = 0; round != 200; ++round) {
        if (round == 100)
            for (std::size_t i = 0; i != 2; ++i) {
                card& one = *two.cards[i];
                ASSERT_FALSE(one.driver->stop().code);
                out[i]->complete(64);
                out[i]->purge();
                ASSERT_FALSE(one.device.reset().code);
                const error failed = one.driver->reset();
                ASSERT_FALSE(failed.code) << failed.advice;
                one.calls.program();
                two.start();
            }
        const std::size_t from = static_cast<std::size_t>(round) % 2;
        const std::size_t to = 1 - from;
        const auto nothing = [](packet_ptr) noexcept { FAIL() << "a frame that nobody sent"; };
        EXPECT_EQ(in[to]->poll(64, nothing), 0u); // posts buffers
        two.cards[to]->calls.arm(0);
        packet_ptr packet =
            memory.make(60 + static_cast<std::uint32_t>(round), {512, 300}, static_cast<std::uint8_t>(round));
        packet->data()[0] = std::byte{2};
        const std::vector<std::byte> sent = bytes_sent(*packet);
        ASSERT_TRUE(out[from]->send(packet));
        ASSERT_TRUE(fires(two.cards[to]->calls.fd(0))) << round;
        std::vector<std::byte> got;
        const nanoseconds end = real_clock.now() + sure;
        while (got.empty() && real_clock.now() < end)
            in[to]->poll(64, [&](packet_ptr came) noexcept { got = bytes_sent(*came); });
        ASSERT_EQ(got, sent) << round;
        ++frames;
        while (out[from]->packets_out() != 0 && real_clock.now() < end)
            out[from]->complete(64);
    }
    EXPECT_EQ(in[0]->counters().delivered + in[1]->counters().delivered, frames);
    EXPECT_EQ(out[0]->counters().sent + out[1]->counters().sent, frames);
    for (std::size_t i = 0; i != 2; ++i) {
        EXPECT_TRUE(out[i]->ledger().closes());
        EXPECT_EQ(in[i]->counters().refused, 0u);
        EXPECT_FALSE(two.cards[i]->driver->stop().code);
    }
    EXPECT_EQ(memory.out(), sending_memory::nothing);
}

// The first card is told to receive at an address that is not mapped, or not any more. What counts is that
// the memory stays as it was, and that the IOMMU says so.
TEST(vfio, what_is_not_mapped_is_not_reached) {
    cable two;
    kernel_log log;
    sending_memory memory;
    transmit_type out =
        need(transmit_type::create(two.cards[1]->driver->transmit(), memory.memory(), {.descriptors = 64}));
    auto& in = two.cards[0]->driver->receive();
    ASSERT_TRUE(in.configure({.descriptors = 8, .buffer_bytes = 2048}));
    region target = need(region::map({.bytes = 1 << 20}));
    region kept = need(region::map({.bytes = 1 << 20}));
    const std::uint64_t gone = need(two.memory->attach(target)).iova_of(target.bytes().data());
    const std::uint64_t good = need(two.memory->attach(kept)).iova_of(kept.bytes().data());
    EXPECT_NE(gone, reinterpret_cast<std::uintptr_t>(target.bytes().data())) << "an iova is no pointer";
    std::ranges::fill(target.bytes(), std::byte{0x5a});
    two.memory->detach(target);
    constexpr std::uint64_t nobody_s = 0xdead'0000;
    EXPECT_TRUE(two.memory->addresses().is_free(nobody_s, 4096));
    EXPECT_TRUE(two.memory->addresses().is_free(gone, target.bytes().size()));

    two.start();
    const std::array posts{buffer_post{.iova = nobody_s, .id = 1, .length = 2048},
                           buffer_post{.iova = gone, .id = 2, .length = 2048},
                           buffer_post{.iova = good, .id = 3, .length = 2048}};
    ASSERT_EQ(in.post(posts), 3u);
    for (int i = 0; i != 3; ++i) {
        packet_ptr packet = memory.make(200);
        packet->data()[0] = std::byte{2};
        ASSERT_TRUE(out.send(packet));
    }
    // A card does not notice that the IOMMU stopped its write: it reports all three.
    std::array<completion, 4> done;
    std::uint32_t seen = 0;
    for (const nanoseconds end = real_clock.now() + sure; seen != 3 && real_clock.now() < end;)
        seen += in.reap(std::span(done).subspan(seen));
    ASSERT_EQ(seen, 3u);
    EXPECT_TRUE(std::ranges::all_of(target.bytes(), [](std::byte each) { return each == std::byte{0x5a}; }));
    EXPECT_EQ(kept.bytes()[1], std::byte{2}) << "the third was mapped: that the cards do write shows here";
    EXPECT_TRUE(log.says("fault addr 0xdead0000"));
    while (out.packets_out() != 0)
        out.complete(64);
}

TEST(vfio, the_limit_on_locked_memory_is_explained) {
    cable two;
    const region wanted = need(region::map({.bytes = 4 << 20, .best = backing::plain_pages}));
    const rlimit limit{.rlim_cur = 1 << 20, .rlim_max = 1 << 20};
    const pid_t child = ::fork();
    if (child == 0) { // without root's privileges, which know no limit
        const bool ready = ::setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && ::setresuid(1000, 1000, 1000) == 0;
        vfio::container own = std::move(two.iommu);
        const error failed = own.map(wanted.bytes(), 1 << 30);
        const bool explained = failed.code == std::errc::not_enough_memory && failed.found == 1 << 20 &&
                               failed.wanted >= 4 << 20 &&
                               std::string(failed.advice).find("ulimit -l") != std::string::npos;
        std::printf("%s\n", failed.advice);
        std::fflush(stdout);
        ::_exit(ready && explained ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST(vfio, nothing_stays_mapped) {
    const std::uint64_t before = locked_kib();
    vfio::container iommu = need(vfio::container::open());
    ASSERT_FALSE(iommu.add_group(vfio::pci(addresses[0]).iommu_group().value()).code);
    {
        vfio::memory memory(iommu);
        region one = need(region::map({.bytes = 4 << 20}));
        region other = need(region::map({.bytes = 1 << 20, .best = backing::plain_pages}));
        const auto first = need(memory.attach(one));
        const auto again = need(memory.attach(one));
        EXPECT_EQ(first.iova_of(one.bytes().data()), again.iova_of(one.bytes().data()));
        static_cast<void>(need(memory.attach(other)));
        static_cast<void>(need(memory.allocate(1000, 128)));
        EXPECT_GE(iommu.mapped_bytes(), 7u << 20);
        EXPECT_GE(locked_kib(), before + 7 * 1024);
    }
    EXPECT_EQ(iommu.mapped_bytes(), 0u);
    EXPECT_EQ(iommu.unmap_all(), 0u) << "the kernel knows of none either";
    EXPECT_EQ(locked_kib(), before);

    // What is left when a program ends goes with the container.
    region left = need(region::map({.bytes = 4 << 20}));
    ASSERT_FALSE(iommu.map(left.bytes(), 1 << 30).code);
    EXPECT_GT(locked_kib(), before);
    {
        const vfio::container gone = std::move(iommu);
    }
    EXPECT_EQ(locked_kib(), before);
}

} // namespace
