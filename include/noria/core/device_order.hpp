// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstdint>

#include "noria/core/config.hpp"

// The device-order policy: what a driver says to memory that a device reads and writes behind its back. The
// C++ memory model does not know devices, so volatile and asm live here and nowhere else.
//
// For drivers of real devices; the loopback device is a thread, and meets the queue through the sync policy.
//
//   to_device()             what I wrote to memory is seen by the device before what I write next
//   from_device()           what I read next is not older than the ownership bit I have just seen
//   doorbell(register, v)   to_device, then the one store that the device waits for

namespace noria::inline NORIA_ABI {

// Requires: Order::to_device(), Order::from_device(), Order::doorbell(volatile u32&, u32), all static
// noexcept.
template <class Order>
concept device_order = requires(volatile std::uint32_t& reg, std::uint32_t value) {
    { Order::to_device() } noexcept;
    { Order::from_device() } noexcept;
    { Order::doorbell(reg, value) } noexcept;
};

// Cache-coherent DMA: x86-64 keeps the order itself and only the compiler is told; arm64 needs the outer
// shareable barriers (Arm ARM B2.3, DMB OSHST / OSHLD).
struct coherent_device_order {
    static void to_device() noexcept {
#if defined(__aarch64__)
        asm volatile("dmb oshst" : : : "memory");
#else
        asm volatile("" : : : "memory");
#endif
    }
    static void from_device() noexcept {
#if defined(__aarch64__)
        asm volatile("dmb oshld" : : : "memory");
#else
        asm volatile("" : : : "memory");
#endif
    }
    static void doorbell(volatile std::uint32_t& reg, std::uint32_t value) noexcept {
        to_device();
        reg = value;
    }
};

static_assert(device_order<coherent_device_order>);

} // namespace noria::inline NORIA_ABI
