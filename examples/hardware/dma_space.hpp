// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/core/device_order.hpp"
#include "noria/core/result.hpp"
#include "noria/memory/mapping.hpp"
#include "noria/memory/region.hpp"

// The second seam of a driver: memory that the card reaches too.

namespace hardware {

// Memory for a driver's rings: where it is for us, and for the card. It begins as zeros, and stays until its
// space goes.
struct dma_memory {
    std::span<std::byte> bytes;
    std::uint64_t iova = 0;
};

// What one device can reach. Requires: allocate(bytes, alignment) -> result<dma_memory>, for rings; and
// attach(region&) -> result<noria::mapping>, for packets. Both noexcept, at set-up.
template <class Space>
concept dma_space = requires(Space& space, std::size_t bytes, noria::region& memory) {
    { space.allocate(bytes, bytes) } noexcept -> std::same_as<noria::result<dma_memory>>;
    { space.attach(memory) } noexcept -> std::same_as<noria::result<noria::mapping>>;
};

// Reads a word that the card writes behind our back; what is read after it is not older than it. One mov on
// x86-64. Pairs with the card's write of that word, which comes last. (An atomic, so that a model of a card
// on its own thread is seen by the thread sanitizer.)
[[nodiscard]] inline std::uint32_t read_from_device(std::uint32_t& word) noexcept {
    const std::uint32_t value = std::atomic_ref(word).load(std::memory_order_acquire);
    noria::coherent_device_order::from_device();
    return value;
}

} // namespace hardware
