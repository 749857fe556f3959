// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <bit>
#include <cstdint>

#include "noria/core/contract.hpp"

// The arithmetic of rings. An index counts items since the beginning and is never reduced: it wraps at 2^32
// by itself. `tail` is the index of the next item to come, `head` of the next item to go, and tail - head
// items are in the ring, whatever both have wrapped to. Full and empty differ (capacity and 0), so no slot is
// lost.
//
// Slots are rounded up to a power of two, because only such a number divides 2^32: index & (slots - 1) then
// goes on without a seam when the index wraps. How many of the slots are used is the capacity, which is any
// number.

namespace noria::inline NORIA_ABI {

// The largest capacity: the distance of two indices must not be mistaken for a negative one.
inline constexpr std::uint32_t max_ring_capacity = std::uint32_t{1} << 31;

// How many slots hold `capacity` items. Precondition: 1 <= capacity <= max_ring_capacity.
[[nodiscard]] constexpr std::uint32_t slots_for(std::uint32_t capacity) noexcept {
    NORIA_EXPECTS(capacity != 0 && capacity <= max_ring_capacity, "a ring holds 1 to 2^31 items");
    return std::bit_ceil(capacity);
}

// How many items are in the ring.
[[nodiscard]] constexpr std::uint32_t items_between(std::uint32_t head, std::uint32_t tail) noexcept {
    return tail - head;
}

// The index at which a ring that has been emptied up to `head` is full: the producer stays below it.
[[nodiscard]] constexpr std::uint32_t full_index(std::uint32_t head, std::uint32_t capacity) noexcept {
    return head + capacity;
}

// Which of two indices of one ring comes first. Precondition: they are less than 2^31 apart.
[[nodiscard]] constexpr bool before(std::uint32_t left, std::uint32_t right) noexcept {
    return static_cast<std::int32_t>(left - right) < 0;
}

// Where consecutive items lie: `first` of them from slot `offset` on, and `second` from slot 0 on.
struct slot_run {
    std::uint32_t offset = 0;
    std::uint32_t first = 0;
    std::uint32_t second = 0;
};

// The place of the `count` items from `index` on. `mask` is the number of slots less one; count is at most
// mask + 1.
[[nodiscard]] constexpr slot_run run_at(std::uint32_t index, std::uint32_t count,
                                        std::uint32_t mask) noexcept {
    const std::uint32_t offset = index & mask;
    const std::uint32_t to_end = mask + 1 - offset;
    const std::uint32_t second = count > to_end ? count - to_end : 0;
    return {offset, count - second, second};
}

// The same where slot mask + 1 is slot 0 again, because the memory is mapped twice: one stretch always.
[[nodiscard]] constexpr slot_run mirrored_run_at(std::uint32_t index, std::uint32_t count,
                                                 std::uint32_t mask) noexcept {
    return {index & mask, count, 0};
}

} // namespace noria::inline NORIA_ABI
