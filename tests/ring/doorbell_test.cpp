// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/doorbell.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "support/strict_sync.hpp"

namespace {

using namespace noria;

struct archetype {
    void ring(std::uint32_t) const noexcept {}
};
struct throwing {
    void ring(std::uint32_t) const {}
};
struct changing {
    void ring(std::uint32_t) noexcept {}
};
static_assert(doorbell<archetype> && !doorbell<throwing> && !doorbell<changing> && !doorbell<int>);
static_assert(doorbell<basic_atomic_doorbell<strict_sync>>);

TEST(atomic_doorbell, stores_the_tail) {
    std::atomic<std::uint32_t> word{7};
    const atomic_doorbell bell(word);
    EXPECT_EQ(word.load(), 7u);
    bell.ring(0xffff'ffff);
    EXPECT_EQ(word.load(), 0xffff'ffffu);

    strict_sync::atomic<std::uint32_t> strict_word{7};
    basic_atomic_doorbell<strict_sync>(strict_word).ring(8);
    EXPECT_EQ(strict_word.load(std::memory_order_relaxed), 8u);
}

TEST(mmio_doorbell, writes_the_tail_as_the_device_counts) {
    volatile std::uint32_t reg = 7;
    const mmio_doorbell counts_descriptors(reg);
    EXPECT_EQ(reg, 7u);
    counts_descriptors.ring(0xffff'fff5);
    EXPECT_EQ(reg, 0xffff'fff5u);
    mmio_doorbell(reg, 511).ring(0xffff'fff5);
    EXPECT_EQ(reg, 511u & 0xffff'fff5u);
}

// A device order that takes notes.
struct noting_order {
    static inline int barriers = 0, bells = 0;
    static void to_device() noexcept { ++barriers; }
    static void from_device() noexcept {}
    static void doorbell(volatile std::uint32_t& reg, std::uint32_t value) noexcept {
        to_device();
        reg = value;
        ++bells;
    }
};
TEST(mmio_doorbell, goes_through_the_device_order) {
    volatile std::uint32_t reg = 0;
    const basic_mmio_doorbell<noting_order> bell(reg);
    EXPECT_EQ(noting_order::barriers, 0);
    bell.ring(3);
    EXPECT_EQ(reg, 3u);
    EXPECT_EQ(noting_order::barriers, 1);
    EXPECT_EQ(noting_order::bells, 1);
}

bool readable(int fd) {
    pollfd one{fd, POLLIN, 0};
    return ::poll(&one, 1, 0) == 1;
}

TEST(eventfd_doorbell, makes_its_descriptor_readable) {
    const int fd = ::eventfd(0, EFD_NONBLOCK);
    ASSERT_GE(fd, 0);
    const eventfd_doorbell bell(fd);
    EXPECT_FALSE(readable(fd));
    bell.ring(5);
    bell.ring(6);
    EXPECT_TRUE(readable(fd));
    std::uint64_t count = 0;
    EXPECT_EQ(::read(fd, &count, sizeof count), 8);
    EXPECT_EQ(count, 2u); // each ring is one, whatever the tail
    EXPECT_FALSE(readable(fd));

    // One that nobody answers stays as it is, and nobody waits.
    const std::uint64_t most = 0xffff'ffff'ffff'fffe;
    EXPECT_EQ(::write(fd, &most, sizeof most), 8);
    bell.ring(7);
    EXPECT_TRUE(readable(fd));
    ::close(fd);
}

TEST(eventfd_doorbell_contract, is_watched) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "death tests fork, which the thread sanitizer does not like";
#endif
    if (!checked_mode)
        GTEST_SKIP() << "contracts are not checked in this build";
    EXPECT_DEATH(eventfd_doorbell(-1).ring(0), "an open eventfd");
}

} // namespace
