// SPDX-License-Identifier: BSL-1.0
// QEMU as a card and nothing else: what stands between the driver and it.

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "hardware/on_qemu.hpp"

namespace {

using namespace noria;

TEST(qtest, a_program_ends_with_its_object) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const hardware::file_descriptor reads(ends[0]);
    pid_t id = 0;
    {
        const hardware::file_descriptor writes(ends[1]);
        auto started = qtest::process::start({"sleep", "1000"}, std::array{writes.fd()});
        ASSERT_TRUE(started);
        id = started->id();
    }
    char none = 0;
    EXPECT_EQ(::read(reads.fd(), &none, 1), 0) << "it had our end of the pipe, and is gone";
    EXPECT_EQ(::kill(id, 0), -1);
    EXPECT_FALSE(qtest::installed("a program that nobody has"));
    EXPECT_TRUE(qtest::installed("sh"));
}

TEST(qtest, memory_takes_the_place_of_a_region) {
    auto ram = qtest::memory::create(std::size_t{16} << 20);
    ASSERT_TRUE(ram);
    auto rings = ram->allocate(1000, 128);
    ASSERT_TRUE(rings);
    EXPECT_GE(rings->iova, 1u << 20);
    EXPECT_EQ(rings->iova % 128, 0u);
    EXPECT_EQ(rings->bytes.data(), ram->bytes().data() + rings->iova);
    EXPECT_TRUE(std::ranges::all_of(rings->bytes, [](std::byte each) { return each == std::byte{}; }));

    auto more = ram->allocate(1000, 128);
    ASSERT_TRUE(more);
    EXPECT_GE(more->iova, rings->iova + 1000);

    auto packets = region::map({.bytes = 1 << 20, .best = backing::plain_pages});
    ASSERT_TRUE(packets);
    packets->bytes()[12345] = std::byte{7};
    auto attached = ram->attach(*packets);
    ASSERT_TRUE(attached);
    const std::uint64_t iova = attached->iova_of(packets->bytes().data());
    EXPECT_GE(iova, more->iova + 1000);
    EXPECT_EQ(ram->bytes()[iova + 12345], std::byte{7}) << "what was there is there";
    ram->bytes()[iova + 54321] = std::byte{8}; // the device writes
    EXPECT_EQ(packets->bytes()[54321], std::byte{8});
    auto again = ram->attach(*packets);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->iova_of(packets->bytes().data()), iova);

    auto shared = region::map({.bytes = 1 << 20, .best = backing::plain_pages, .shared = true});
    ASSERT_TRUE(shared);
    EXPECT_EQ(ram->attach(*shared).error().code, std::errc::not_supported);
    const auto too_much = ram->allocate(std::size_t{16} << 20, 128);
    EXPECT_EQ(too_much.error().code, std::errc::not_enough_memory);
    EXPECT_GT(too_much.error().wanted, too_much.error().found);
}

TEST(qtest, a_qemu_that_does_not_start_is_an_error) {
    SKIP_WITHOUT_QEMU();
    const auto machine = qtest::machine::start({.card = "a card that nobody has"});
    ASSERT_FALSE(machine);
    EXPECT_EQ(machine.error().code, std::errc::not_connected);
    EXPECT_FALSE(qtest::machine::start({.ports = 5}));
}

TEST(qtest, cards_have_addresses_of_their_own) {
    SKIP_WITHOUT_QEMU();
    auto machine = qtest::machine::start({.ports = 2});
    ASSERT_TRUE(machine) << machine.error().advice;
    auto first = machine->registers_of(0);
    auto second = machine->registers_of(1);
    EXPECT_EQ(first.read32(e1000e::reg::rah(0)) & 0xffff, 0x5634u);
    EXPECT_EQ(second.read32(e1000e::reg::rah(0)) & 0xffff, 0x5734u);
    first.write32(e1000e::reg::mta(0), 0x1234);
    EXPECT_EQ(first.read32(e1000e::reg::mta(0)), 0x1234u);
    EXPECT_EQ(second.read32(e1000e::reg::mta(0)), 0u);

    EXPECT_EQ(machine->at(0).vectors.open(6).code, std::errc::invalid_argument) << "it has five";
    EXPECT_FALSE(machine->at(0).vectors.open(5).code);
    EXPECT_EQ(machine->at(0).vectors.open(5).code, std::errc::device_or_resource_busy);
    EXPECT_FALSE(machine->at(1).vectors.open(1).code);

    machine->kill();
    EXPECT_EQ(first.read32(e1000e::reg::rah(0)), e1000e::all_ones);
    EXPECT_FALSE(machine->at(0).cable.send(std::array<std::byte, 60>{}));
    EXPECT_TRUE(machine->control().broken());
}

// QEMU's virtio card has registers with an address of 64 bits. The upper half is not a place of its own.
TEST(qtest, an_address_of_64_bits_has_two_halves) {
    SKIP_WITHOUT_QEMU();
    auto machine = qtest::machine::start({.card = "virtio-net-pci"});
    ASSERT_TRUE(machine) << machine.error().advice;
    qtest::pci_function& pci = machine->at(0).pci;
    ASSERT_EQ(pci.read32(0x20) & 7, 4u) << "the fifth has 64 bits";
    EXPECT_EQ(pci.read32(0x20) & ~15u, pci.place_of(4));
    EXPECT_EQ(pci.read32(0x24), 0u);
    EXPECT_EQ(pci.place_of(5), 0u);
    // Its common configuration answers there (virtio 1.2, section 4.1.4.3): how many queues it has.
    EXPECT_EQ(machine->control().read("readw", pci.place_of(4) + 0x12), 3u);
}

} // namespace
