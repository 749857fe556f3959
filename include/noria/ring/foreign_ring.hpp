// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/core/cacheline.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/sync.hpp"
#include "noria/ring/concepts.hpp"
#include "noria/ring/index.hpp"
#include "noria/ring/role.hpp"
#include "noria/ring/token.hpp"

// One half of a ring in memory that somebody else laid out and whose other half is somebody else's: AF_XDP's
// four rings, for one (Linux, Documentation/networking/af_xdp.rst). Two free-running indices, a word of flags
// and the slots, at given offsets. The other side is not trusted: an index of its that cannot be true is
// counted and otherwise as if it had not been written.

namespace noria::inline NORIA_ABI {

// Where things lie, in bytes from the beginning of the memory: what XDP_MMAP_OFFSETS tells.
struct foreign_layout {
    std::size_t producer = 0; // the index that the producer writes
    std::size_t consumer = 0; // the index that the consumer writes
    std::size_t flags = 0;
    std::size_t slots = 0;
    std::uint32_t capacity = 0; // items, a power of two: all slots are used
};

namespace detail {

// What both halves hold of the ring.
template <plain_element T, class Sync>
struct foreign_memory {
    using index = typename Sync::template atomic<std::uint32_t>;
    using slot_type = typename Sync::template cell<T>;

    foreign_memory(std::span<std::byte> memory, const foreign_layout& layout) noexcept
        : producer(word(memory, layout.producer)), consumer(word(memory, layout.consumer)),
          flags(word(memory, layout.flags)),
          slots(reinterpret_cast<slot_type*>(
              place(memory, layout.slots, sizeof(slot_type) * layout.capacity, alignof(slot_type)))),
          capacity(layout.capacity) {
        NORIA_EXPECTS(std::has_single_bit(capacity) && capacity <= max_ring_capacity,
                      "a foreign ring uses all its slots, and they are a power of two");
    }

    [[nodiscard]] static std::byte* place(std::span<std::byte> memory, std::size_t offset,
                                          [[maybe_unused]] std::size_t bytes,
                                          [[maybe_unused]] std::size_t alignment) noexcept {
        NORIA_EXPECTS(offset <= memory.size() && bytes <= memory.size() - offset,
                      "the whole ring lies in the memory: map as much as its offsets say");
        std::byte* const begin = memory.data() + offset;
        NORIA_EXPECTS(reinterpret_cast<std::uintptr_t>(begin) % alignment == 0,
                      "indices and slots are aligned as their types are");
        return begin;
    }
    [[nodiscard]] static index& word(std::span<std::byte> memory, std::size_t offset) noexcept {
        return Sync::template at<std::uint32_t>(
            place(memory, offset, sizeof(std::uint32_t), alignof(std::uint32_t)));
    }

    // Bit 0: Linux' XDP_RING_NEED_WAKEUP.
    [[nodiscard]] bool needs_wakeup() const noexcept {
        return (flags.load(std::memory_order_relaxed) & 1) != 0;
    }

    index& producer;
    index& consumer;
    const index& flags;
    slot_type* slots;
    std::uint32_t capacity;
};

} // namespace detail

// The producing half (AF_XDP: of the fill and the TX ring); a burst_producer. It carries on from the indices
// that it finds. Move-only; one thread at a time. Progress: every call is wait-free. Cost: one store for each
// commit, and a look at the other side's line when the room known of runs short.
template <plain_element T, class Sync = std_sync>
class alignas(thread_gap) basic_foreign_producer {
  public:
    using value_type = T;
    using slot_type = typename Sync::template cell<T>;
    using sync_type = Sync;

    // Precondition: the memory holds all that the layout names, outlives the half, and has no other producer.
    basic_foreign_producer(std::span<std::byte> memory, const foreign_layout& layout) noexcept
        : ring_(memory, layout), next_(ring_.producer.load(std::memory_order_relaxed)), full_(next_) {}
    basic_foreign_producer(basic_foreign_producer&&) noexcept = default;
    basic_foreign_producer& operator=(basic_foreign_producer&&) = delete;

    // As many slots as are free, at most `count`.
    [[nodiscard]] reserve_token<basic_foreign_producer> reserve(std::uint32_t count) noexcept {
        watch_.begin();
        const std::uint32_t free = room(count);
        watch_.open();
        return {this, ring_.slots, run_at(next_, free < count ? free : count, ring_.capacity - 1)};
    }

    // Whether the other side sleeps until it is called (AF_XDP: with sendto or recvfrom), to be asked after a
    // commit. A flag that rises while we ask may be missed, so ask again before going to sleep.
    [[nodiscard]] bool needs_wakeup() const noexcept { return ring_.needs_wakeup(); }

    // How often the other side's index was not between what it had taken and what we had put in. The ring
    // goes on with the last one that was.
    [[nodiscard]] std::uint64_t faults() const noexcept { return faults_; }

  private:
    friend detail::burst_token<basic_foreign_producer>;

    // The free slots, looked up where fewer than `wanted` are known of.
    [[nodiscard]] std::uint32_t room(std::uint32_t wanted) noexcept {
        if (full_ - next_ < wanted) {
            // Partner: the other consumer's store (here: in basic_foreign_consumer::finish()). It has read
            // the slots before we write over them.
            const std::uint32_t consumed = ring_.consumer.load(std::memory_order_acquire);
            const std::uint32_t full = full_index(consumed, ring_.capacity);
            const std::uint32_t with_it = full_index(next_, ring_.capacity) - full_;
            if (full - full_ > with_it)
                ++faults_;
            else if (full != full_)
                full_ = full;
        }
        return full_ - next_;
    }

    // The end of a token.
    void finish(std::uint32_t count) noexcept {
        if (count != 0) {
            const std::uint32_t next = next_ + count;
            // Partner: the other consumer's load (here: in basic_foreign_consumer::ready()). The slots are
            // written before it sees that they are.
            ring_.producer.store(next, std::memory_order_release);
            next_ = next;
        }
        drop();
    }
    void drop() noexcept { watch_.end(); }

    detail::foreign_memory<T, Sync> ring_;
    [[no_unique_address]] detail::role_watch<Sync> watch_;
    std::uint32_t next_; // index of the next slot to write
    std::uint32_t full_; // index that may not be written, as far as we know
    std::uint64_t faults_ = 0;
};

// The consuming half (AF_XDP: of the completion and the RX ring); a burst_consumer. Everything as above, the
// other way round.
template <plain_element T, class Sync = std_sync>
class alignas(thread_gap) basic_foreign_consumer {
  public:
    using value_type = T;
    using slot_type = typename Sync::template cell<T>;
    using sync_type = Sync;

    // Precondition: the memory holds all that the layout names, outlives the half, and has no other consumer.
    basic_foreign_consumer(std::span<std::byte> memory, const foreign_layout& layout) noexcept
        : ring_(memory, layout), next_(ring_.consumer.load(std::memory_order_relaxed)), seen_(next_) {}
    basic_foreign_consumer(basic_foreign_consumer&&) noexcept = default;
    basic_foreign_consumer& operator=(basic_foreign_consumer&&) = delete;

    // As many items as have arrived, at most `count`.
    [[nodiscard]] peek_token<basic_foreign_consumer> peek(std::uint32_t count) noexcept {
        watch_.begin();
        const std::uint32_t arrived = ready(count);
        watch_.open();
        return {this, ring_.slots, run_at(next_, arrived < count ? arrived : count, ring_.capacity - 1)};
    }

    // As the producer's.
    [[nodiscard]] bool needs_wakeup() const noexcept { return ring_.needs_wakeup(); }

    // How often the other side's index was not between what it had put in and what the ring holds. The ring
    // goes on with the last one that was.
    [[nodiscard]] std::uint64_t faults() const noexcept { return faults_; }

  private:
    friend detail::burst_token<basic_foreign_consumer>;

    // The items that have arrived, looked up where fewer than `wanted` are known of.
    [[nodiscard]] std::uint32_t ready(std::uint32_t wanted) noexcept {
        if (seen_ - next_ < wanted) {
            // Partner: the other producer's store (here: in basic_foreign_producer::finish()). The slots are
            // written before we read them.
            const std::uint32_t produced = ring_.producer.load(std::memory_order_acquire);
            const std::uint32_t with_it = full_index(next_, ring_.capacity) - seen_;
            if (produced - seen_ > with_it)
                ++faults_;
            else if (produced != seen_)
                seen_ = produced;
        }
        return seen_ - next_;
    }

    // The end of a token.
    void finish(std::uint32_t count) noexcept {
        if (count != 0) {
            const std::uint32_t next = next_ + count;
            // Partner: the other producer's load (here: in basic_foreign_producer::room()). We have read the
            // slots before it writes over them.
            ring_.consumer.store(next, std::memory_order_release);
            next_ = next;
        }
        drop();
    }
    void drop() noexcept { watch_.end(); }

    detail::foreign_memory<T, Sync> ring_;
    [[no_unique_address]] detail::role_watch<Sync> watch_;
    std::uint32_t next_; // index of the next item to take
    std::uint32_t seen_; // index up to which items have arrived, as far as we know
    std::uint64_t faults_ = 0;
};

// The halves as programs name them.
template <plain_element T>
using foreign_producer = basic_foreign_producer<T>;
template <plain_element T>
using foreign_consumer = basic_foreign_consumer<T>;

} // namespace noria::inline NORIA_ABI
