// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <bit>
#include <cstdint>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "noria/core/cacheline.hpp"
#include "noria/core/contract.hpp"
#include "noria/ring/concepts.hpp"
#include "noria/ring/index.hpp"

// What a ring keeps its items in: slots of its own, or slots that the caller lends it.

namespace noria::inline NORIA_ABI {

// As a capacity: the caller brings the slots, and says how many items they are to hold, at run time.
inline constexpr std::uint32_t dynamic = 0xffff'ffff;

// Room for an element that is not plain data. Nothing lives in it until construct(), and whoever ends the
// element's stay destroys it: for a ring that is the release.
template <ring_element T>
union raw_slot {
    T value;

    raw_slot() noexcept {}
    ~raw_slot() {}

    // Precondition: nothing lives here. Cost: that of T's constructor, which must not throw.
    template <class... Args>
        requires std::is_nothrow_constructible_v<T, Args...>
    T& construct(Args&&... args) noexcept {
        return *::new (static_cast<void*>(&value)) T(std::forward<Args>(args)...);
    }
};

// The slot of a ring of T: a cell of the sync policy for plain data, a raw_slot for anything else. The order
// of publication is the same for both, so a model checker that follows cells proves it for raw slots too.
template <ring_element T, class Sync>
using ring_slot =
    typename std::conditional_t<plain_element<T>, std::type_identity<typename Sync::template cell<T>>,
                                std::type_identity<raw_slot<T>>>::type;

// The slot of a ring in which each slot is published by itself: the mark that does so lies beside the item,
// in the same cache line. The mark is the ring's.
template <ring_element T, class Sync>
struct alignas(ring_slot<T, Sync>) alignas(sizeof(ring_slot<T, Sync>) + 4 < cache_line
                                               ? std::bit_ceil(sizeof(ring_slot<T, Sync>) + 4)
                                               : cache_line) marked_slot {
    ring_slot<T, Sync> item;
    typename Sync::template atomic<std::uint32_t> mark;
};

namespace detail {

// Where the item lies in a slot.
template <class Slot>
[[nodiscard]] inline Slot& item_in(Slot& slot) noexcept {
    return slot;
}
template <class T, class Sync>
[[nodiscard]] inline ring_slot<T, Sync>& item_in(marked_slot<T, Sync>& slot) noexcept {
    return slot.item;
}

template <class T, class Sync, class Slot, class Item>
inline void fill_slot(Slot& slot, Item&& item) noexcept {
    auto& here = item_in(slot);
    if constexpr (std::is_same_v<decltype(here), raw_slot<T>&>)
        here.construct(std::forward<Item>(item));
    else
        Sync::write(here, item);
}

template <class T, class Sync, class Slot>
inline void empty_slot(Slot& slot, T& out) noexcept {
    auto& here = item_in(slot);
    if constexpr (std::is_same_v<decltype(here), raw_slot<T>&>)
        out = std::move(here.value);
    else
        Sync::read(here, out);
}

} // namespace detail

namespace detail {

template <class Slot>
inline constexpr std::uint32_t slots_per_line =
    sizeof(Slot) < cache_line ? static_cast<std::uint32_t>(std::bit_floor(cache_line / sizeof(Slot))) : 1;

} // namespace detail

// Slots inside the ring object. Those of plain data are touched at set-up, so that the data path meets no
// page fault.
template <class Slot, std::uint32_t Capacity>
class inline_storage {
    static_assert(Capacity != 0 && Capacity <= max_ring_capacity, "a ring holds 1 to 2^31 items");

  public:
    // What a handle remembers of the slots: nothing. Where they are follows from where the ring is, and how
    // many there are is known to the compiler.
    struct view_type {
        explicit view_type(inline_storage&) noexcept {}
        [[nodiscard]] static Slot* slots(inline_storage& storage) noexcept { return storage.slots_; }
        [[nodiscard]] static constexpr std::uint32_t capacity() noexcept { return Capacity; }
        [[nodiscard]] static constexpr std::uint32_t mask() noexcept { return slots_for(Capacity) - 1; }
    };

    [[nodiscard]] Slot* slots() noexcept { return slots_; }
    [[nodiscard]] static constexpr std::uint32_t capacity() noexcept { return Capacity; }
    [[nodiscard]] static constexpr std::uint32_t mask() noexcept { return slots_for(Capacity) - 1; }

  private:
    alignas(thread_gap) Slot slots_[slots_for(Capacity)]{};
};

// Slots in the caller's memory, which outlives the ring: huge pages, shared memory, a size known late.
// Precondition: slots.size() >= slots_for(capacity). Aligned to thread_gap they share no line with a
// neighbour.
template <class Slot>
class span_storage {
  public:
    // What a handle remembers of the slots: all, so as not to look it up beside the other side's index.
    using view_type = span_storage;

    span_storage(std::span<Slot> slots, std::uint32_t capacity) noexcept
        : slots_(slots.data()), capacity_(capacity), mask_(slots_for(capacity) - 1) {
        NORIA_EXPECTS(slots.size() > mask_,
                      "lend slots_for(capacity) slots: the capacity, rounded up to a power of two");
    }

    [[nodiscard]] Slot* slots() const noexcept { return slots_; }
    [[nodiscard]] Slot* slots(const span_storage&) const noexcept { return slots_; }
    [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] std::uint32_t mask() const noexcept { return mask_; }

  private:
    Slot* slots_;
    std::uint32_t capacity_;
    std::uint32_t mask_;
};

// The storage that a capacity asks for.
template <class Slot, std::uint32_t Capacity>
using ring_storage = typename std::conditional_t<Capacity == dynamic, std::type_identity<span_storage<Slot>>,
                                                 std::type_identity<inline_storage<Slot, Capacity>>>::type;

} // namespace noria::inline NORIA_ABI
