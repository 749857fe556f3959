// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include "noria/core/cacheline.hpp"
#include "noria/core/config.hpp"
#include "noria/core/result.hpp"
#include "noria/core/sync.hpp"
#include "noria/ring/concepts.hpp"
#include "noria/ring/spsc_ring.hpp"

// A ring in memory that two processes map, each where it likes: there is no pointer in it.
//
//   using ring = shared_ring<descriptor, {.capacity = 1000}>;
//   one process:    auto made = ring::create(mapping);  auto producer = (*made)->open_producer();
//   the other one:  auto seen = ring::attach(mapping);  auto consumer = (*seen)->open_consumer();
//
// A process that dies leaves its role taken; who knows that it is dead reclaims it (spsc_ring.hpp).
//
// What is promised if the other process writes nonsense into the memory, by mistake or on purpose: no call
// reads or writes outside the ring, none waits, and none trusts the header after attach. An index that cannot
// be right counts as full or empty, and sound() tells. What is not: an index that is wrong but possible, and
// the items themselves. An item may be anything and may change while it is looked at, so take a copy
// (try_pop, pop_burst) and then examine that. Seal the file against shrinking (F_SEAL_SHRINK), or the other
// process can take the memory away.

namespace noria::inline NORIA_ABI {

namespace detail {

[[nodiscard]] constexpr spsc_options in_shared_memory(spsc_options options) noexcept {
    options.shared = true;
    return options;
}

} // namespace detail

// This process's view of such a ring: one pointer, copied freely, valid as long as the mapping. Nothing is
// ever destroyed, the memory just goes. Set-up path, but for what the ring itself offers.
template <plain_element T, spsc_options Options, class Sync = std_sync>
class basic_shared_ring {
  public:
    using ring_type = basic_spsc_ring<T, detail::in_shared_memory(Options), Sync>;

  private:
    // Everything that two programs must agree on to find the same ring in the same bytes.
    struct shape {
        std::uint32_t version = NORIA_VERSION_MAJOR << 16 | NORIA_VERSION_MINOR;
        std::uint32_t contract = NORIA_CONTRACT;
        std::uint32_t line = cache_line;
        std::uint32_t item_bytes = sizeof(T);
        std::uint32_t capacity = Options.capacity;
    };

    struct layout {
        explicit layout(std::uint32_t start) noexcept : ring(start) {}

        alignas(8) std::byte mark[8]; // an atomic, looked at before anybody may have made one
        typename Sync::template cell<shape> made_as;
        ring_type ring;
    };

    static constexpr std::uint64_t ready = 0x6e6f'7269'612e'7368; // "noria.sh"

  public:
    // What the memory has to hold at least, and what its address has to be a multiple of.
    static constexpr std::size_t bytes = sizeof(layout);
    static constexpr std::size_t alignment = alignof(layout);

    // Makes an empty ring, whatever was there. Precondition: no process uses a ring in this memory. `start`
    // as in the ring.
    [[nodiscard]] static result<basic_shared_ring> create(std::span<std::byte> memory,
                                                          std::uint32_t start = 0) noexcept {
        if (const char* wrong = misfit(memory))
            return make_error(std::errc::invalid_argument, wrong);
        auto* made = ::new (static_cast<void*>(memory.data())) layout(start);
        Sync::write(made->made_as, shape());
        auto& mark = Sync::template at<std::uint64_t>(made->mark);
        // Partner: the load in attach(). The ring is whole before anybody takes it for one.
        mark.store(ready, std::memory_order_release);
        return basic_shared_ring(made->ring);
    }

    // Finds the ring that another process has made here. It may be called before that has come to its end:
    // it fails then, with resource_unavailable_try_again, provided that the memory was zeroed. Two types of
    // one size are not told apart.
    [[nodiscard]] static result<basic_shared_ring> attach(std::span<std::byte> memory) noexcept {
        if (const char* wrong = misfit(memory))
            return make_error(std::errc::invalid_argument, wrong);
        auto* found = std::launder(reinterpret_cast<layout*>(memory.data()));
        const auto& made = Sync::template at<std::uint64_t>(found->mark);
        // Partner: the store in create(). The ring is used only when it is whole.
        const std::uint64_t mark = made.load(std::memory_order_acquire);
        if (mark == 0)
            return make_error(std::errc::resource_unavailable_try_again,
                              "there is no ring in this memory yet: let one process create it, then attach");
        if (mark != ready)
            return make_error(std::errc::invalid_argument,
                              "these bytes are not a shared ring: look at which file is mapped, and at what "
                              "offset");
        shape made_as;
        Sync::read(found->made_as, made_as);
        if (const char* wrong = difference(made_as))
            return make_error(std::errc::protocol_error, wrong);
        return basic_shared_ring(found->ring);
    }

    [[nodiscard]] ring_type& operator*() const noexcept { return *ring_; }
    [[nodiscard]] ring_type* operator->() const noexcept { return ring_; }

  private:
    explicit basic_shared_ring(ring_type& ring) noexcept : ring_(&ring) {}

    [[nodiscard]] static const char* misfit(std::span<std::byte> memory) noexcept {
        if (memory.size() < bytes)
            return "the memory is too small for this ring: map at least shared_ring<...>::bytes";
        if (reinterpret_cast<std::uintptr_t>(memory.data()) % alignment != 0)
            return "the ring must begin at a multiple of shared_ring<...>::alignment, as every mapping does";
        return nullptr;
    }

    [[nodiscard]] static const char* difference(const shape& theirs) noexcept {
        constexpr shape ours;
        if (theirs.version != ours.version)
            return "the ring was made by another version of Noria: build both programs with one";
        if (theirs.contract != ours.contract)
            return "the ring was made under another NORIA_CONTRACT: build both programs with one";
        if (theirs.line != ours.line)
            return "the ring was made for another NORIA_CACHE_LINE: build both programs with one";
        if (theirs.item_bytes != ours.item_bytes)
            return "the ring carries items of another size: name the same element type in both programs";
        if (theirs.capacity != ours.capacity)
            return "the ring has another capacity: give both programs the same";
        return nullptr;
    }

    ring_type* ring_;
};

// Between processes of this machine.
template <plain_element T, spsc_options Options>
using shared_ring = basic_shared_ring<T, Options>;

} // namespace noria::inline NORIA_ABI
