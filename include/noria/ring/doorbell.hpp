// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "noria/core/contract.hpp"
#include "noria/core/device_order.hpp"
#include "noria/core/sync.hpp"

// How the other side learns that descriptors are waiting, where it does not look by itself. A ring rings once
// a publication, however many descriptors that holds, and passes the index behind the last of them: what a
// network card calls its tail.

namespace noria::inline NORIA_ABI {

// Requires: bell.ring(tail), const and noexcept. What was written before is seen by whoever hears the bell.
template <class Bell>
concept doorbell = requires(const Bell& bell, std::uint32_t tail) {
    { bell.ring(tail) } noexcept;
};

// The other side polls.
struct no_doorbell {
    static constexpr void ring(std::uint32_t) noexcept {}
};

// A word in memory. Thread: ring() from the publishing side only. Cost: one store.
template <class Sync>
class basic_atomic_doorbell {
  public:
    using word_type = typename Sync::template atomic<std::uint32_t>;

    // Precondition: the word outlives the bell.
    explicit basic_atomic_doorbell(word_type& word) noexcept : word_(word) {}

    void ring(std::uint32_t tail) const noexcept {
        // Partner: the acquire load of whoever watches the word. It sees what was published before.
        word_.store(tail, std::memory_order_release);
    }

  private:
    word_type& word_;
};
using atomic_doorbell = basic_atomic_doorbell<std_sync>;

// A register of a device. Thread: the publishing side. Cost: one uncached write, and a barrier on arm64.
template <device_order Order>
class basic_mmio_doorbell {
  public:
    // `mask`: the number of slots less one for a device that counts slots (82599 data sheet, 8.2.3.8.5: RDT),
    // all ones for one that counts descriptors. Precondition: the register outlives the bell.
    explicit basic_mmio_doorbell(volatile std::uint32_t& reg, std::uint32_t mask = 0xffff'ffff) noexcept
        : register_(reg), mask_(mask) {}

    void ring(std::uint32_t tail) const noexcept { Order::doorbell(register_, tail & mask_); }

  private:
    volatile std::uint32_t& register_;
    std::uint32_t mask_;
};
using mmio_doorbell = basic_mmio_doorbell<coherent_device_order>;

// An eventfd, for a side that sleeps in poll(2) or io_uring. Thread: any. Cost: one system call, write(2),
// every time.
class eventfd_doorbell {
  public:
    // Precondition: an eventfd made with EFD_NONBLOCK, open for as long as the bell is.
    explicit eventfd_doorbell(int fd) noexcept : fd_(fd) {}

    void ring(std::uint32_t) const noexcept {
        constexpr std::uint64_t one = 1;
        // A count that is full refuses with EAGAIN: the bell is ringing already.
        [[maybe_unused]] const bool rung = ::write(fd_, &one, sizeof one) == sizeof one || errno == EAGAIN;
        NORIA_EXPECTS(rung, "the bell is an open eventfd");
    }

  private:
    int fd_;
};

static_assert(doorbell<no_doorbell> && doorbell<atomic_doorbell> && doorbell<mmio_doorbell> &&
              doorbell<eventfd_doorbell>);

} // namespace noria::inline NORIA_ABI
