// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "noria/core/cacheline.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/result.hpp"
#include "noria/core/sync.hpp"
#include "noria/ring/concepts.hpp"
#include "noria/ring/index.hpp"
#include "noria/ring/role.hpp"
#include "noria/ring/space.hpp"
#include "noria/ring/storage.hpp"
#include "noria/ring/token.hpp"

// A bounded queue from one thread to one other: free-running indices after Lamport (1983), each side
// remembering the other's index and looking again only when that no longer suffices.
//
//   spsc_ring<descriptor, {.capacity = 1000}> ring;
//   auto [producer, consumer] = ring.split();
//
// Two things make it fast. The line of a slot still lies in the consumer's cache when the producer comes
// round to it, and a plain store waits for it to arrive; so the producer asks for the lines ahead, in
// exclusive state, and only as far as it knows the consumer to be done. And what a side needs at every
// call lies in its handle, so the two threads share nothing but the two indices and the slots.

namespace noria::inline NORIA_ABI {

struct spsc_options {
    // Items, any number from 1 to 2^31, or `dynamic`.
    std::uint32_t capacity;
    // How many cache lines ahead the producer asks for, at most a quarter of the ring.
    std::uint32_t write_prefetch_lines = 16;
    // How many cache lines ahead the consumer asks for, likewise, and only for what has arrived.
    std::uint32_t read_prefetch_lines = 16;
    // Items the consumer may hold back before it returns their slots, rounded down to a power of two; 0 is an
    // eighth of the capacity. It holds back nothing once it has taken the last item it knows of.
    std::uint32_t return_chunk = 0;
    // Both sides run on one core: no line has to be asked for, and no index to be remembered.
    bool same_core = false;
    // The slots lent are mapped twice, back to back, and every token is one span (noria/ring/mirrored.hpp).
    bool mirrored = false;
    // Another process writes the memory too: an index of its that cannot be right is not believed, and counts
    // as full or empty. noria/ring/shared.hpp sets this.
    bool shared = false;
};

// Thread: the ring is made, split and destroyed by one thread at a time, which has synchronised (by a join,
// say) with those that held the handles. Memory: the slots and four cache lines; nothing is allocated.
template <ring_element T, spsc_options Options, class Sync = std_sync>
class basic_spsc_ring {
    template <class Word>
    using atomic = typename Sync::template atomic<Word>;

  public:
    using value_type = T;
    using slot_type = ring_slot<T, Sync>;

    class producer;
    class consumer;

    struct roles {
        typename basic_spsc_ring::producer producer;
        typename basic_spsc_ring::consumer consumer;
    };

    // `start` is the index that counting begins at: a test puts it just below 2^32.
    explicit basic_spsc_ring(std::uint32_t start = 0) noexcept
        requires(Options.capacity != dynamic)
        : core_(start) {}

    // Precondition: slots.size() >= slots_for(capacity), and the slots outlive the ring.
    basic_spsc_ring(std::span<slot_type> slots, std::uint32_t capacity, std::uint32_t start = 0) noexcept
        requires(Options.capacity == dynamic)
        : core_(slots, capacity, start) {
        NORIA_EXPECTS(!Options.mirrored || slots.size() == 2 * std::size_t{slots_for(capacity)},
                      "lend a mirrored ring both mappings of exactly slots_for(capacity) slots");
    }

    basic_spsc_ring(const basic_spsc_ring&) = delete;
    basic_spsc_ring& operator=(const basic_spsc_ring&) = delete;

    // Destroys what nobody took out. Precondition: both handles are gone.
    ~basic_spsc_ring() {
        NORIA_EXPECTS(core_.taken.load(std::memory_order_relaxed) == 0,
                      "a ring outlives its producer and its consumer");
        destroy(core_.storage.slots(), core_.storage.mask(), core_.head.load(std::memory_order_relaxed),
                core_.tail.load(std::memory_order_relaxed));
    }

    // The two handles; they carry on where the last pair stopped. Precondition: no handle of this ring is
    // alive.
    [[nodiscard]] roles split() noexcept {
        NORIA_EXPECTS(core_.taken.load(std::memory_order_relaxed) == 0,
                      "one producer and one consumer: drop the old pair");
        return {producer(*this, {core_.taken, role::producer}),
                consumer(*this, {core_.taken, role::consumer})};
    }

    // One handle, for threads or processes that come and go each on its own; it carries on where the last one
    // stopped. Any thread, wait-free. Fails where the role is taken.
    [[nodiscard]] result<producer> open_producer() noexcept {
        claim mine(core_.taken, role::producer);
        if (!mine)
            return make_error(std::errc::device_or_resource_busy,
                              "the ring has a producer: drop its handle, or reclaim it from a dead process");
        return producer(*this, std::move(mine));
    }
    [[nodiscard]] result<consumer> open_consumer() noexcept {
        claim mine(core_.taken, role::consumer);
        if (!mine)
            return make_error(std::errc::device_or_resource_busy,
                              "the ring has a consumer: drop its handle, or reclaim it from a dead process");
        return consumer(*this, std::move(mine));
    }

    // Frees the role of a process that died with its handle. Precondition: it is known to be dead (waitpid, a
    // pidfd), not merely silent: a handle that lives on would run beside the next. What it had committed
    // stays in the ring, what it had only reserved never was; items that a consumer took but whose slots it
    // had not yet returned (less than a return chunk) are seen again by the next.
    void reclaim_producer() noexcept
        requires plain_element<T>
    {
        claim::let_go(core_.taken, role::producer);
    }
    void reclaim_consumer() noexcept
        requires plain_element<T>
    {
        claim::let_go(core_.taken, role::consumer);
    }

    // Items that fit: exactly what was asked for. Any thread.
    [[nodiscard]] std::uint32_t capacity() const noexcept { return core_.storage.capacity(); }

  private:
    using role = detail::role;
    using claim = detail::role_claim<Sync>;

    static_assert(!Options.shared || Options.capacity != dynamic,
                  "a ring that processes share has its slots inside: give it a capacity");
    static_assert(!Options.mirrored || (Options.capacity == dynamic && plain_element<T>),
                  "a mirrored ring lends its memory (capacity = dynamic) and carries plain data");

    using core_type = detail::ring_core<slot_type, Options.capacity, Sync>;
    static constexpr detail::space_options space{.same_core = Options.same_core, .doubting = Options.shared};
    static constexpr std::uint32_t lines_to_write = Options.same_core ? 0 : Options.write_prefetch_lines;
    static constexpr std::uint32_t lines_to_read = Options.same_core ? 0 : Options.read_prefetch_lines;

    [[nodiscard]] static slot_run run(std::uint32_t index, std::uint32_t count, std::uint32_t mask) noexcept {
        return Options.mirrored ? mirrored_run_at(index, count, mask) : run_at(index, count, mask);
    }

    static void destroy(slot_type* slots, std::uint32_t mask, std::uint32_t from, std::uint32_t to) noexcept {
        if constexpr (!plain_element<T> && !std::is_trivially_destructible_v<T>)
            for (; from != to; ++from)
                slots[from & mask].value.~T();
    }

    core_type core_;
};

// Puts items in. Move-only; one thread at a time, which need not be the one that called split().
// Progress: every call is wait-free. Cost: no locked instruction. On one core a push and a pop take about 3.5
// ns together, 2.5 with same_core, and an item in bursts of 32 about 1 ns both ways (16-byte items, x86-64,
// g++ 12 -O2); from core to core it is the way between the caches that counts.
template <ring_element T, spsc_options Options, class Sync>
class alignas(thread_gap) basic_spsc_ring<T, Options, Sync>::producer {
  public:
    using value_type = T;
    using slot_type = ring_slot<T, Sync>;
    using sync_type = Sync;

    // Precondition: no token of the old handle is open.
    producer(producer&&) noexcept = default;
    producer& operator=(producer&&) = delete;

    // As many slots as are free, at most `count`.
    [[nodiscard]] reserve_token<producer> reserve(std::uint32_t count) noexcept {
        watch_.begin();
        const std::uint32_t free = room(count);
        return open(free < count ? free : count);
    }

    // `count` slots, or none where fewer are free.
    [[nodiscard]] reserve_token<producer> reserve_exact(std::uint32_t count) noexcept {
        watch_.begin();
        return open(room(count) < count ? 0 : count);
    }

    // Puts one item in. False where the ring is full: the argument is then as it was.
    [[nodiscard]] bool try_push(const T& item) noexcept
        requires plain_element<T>
    {
        return push(item);
    }
    [[nodiscard]] bool try_push(T&& item) noexcept
        requires(!plain_element<T>)
    {
        return push(std::move(item));
    }

    // False where the consumer's index cannot be right: the process at the other end has gone wrong, and the
    // ring counts as full until it is. Not for the data path: it looks at the other side's line.
    [[nodiscard]] bool sound() const noexcept
        requires(Options.shared)
    {
        return space_.sound();
    }

  private:
    friend basic_spsc_ring;
    friend detail::burst_token<producer>;

    producer(basic_spsc_ring& ring, claim mine) noexcept
        : claim_(std::move(mine)), space_(ring.core_, lines_to_write) {}

    [[nodiscard]] std::uint32_t room(std::uint32_t count) noexcept {
        const std::uint32_t next = space_.next();
        return lines_to_write != 0 ? space_.prepare(next, count) : space_.room(next, count);
    }

    [[nodiscard]] reserve_token<producer> open(std::uint32_t count) noexcept {
        watch_.open();
        return {this, space_.slots(), run(space_.next(), count, space_.mask())};
    }

    template <class Item>
    [[nodiscard]] bool push(Item&& item) noexcept {
        watch_.begin();
        const std::uint32_t next = space_.next();
        const bool fits = space_.has_room(next);
        if (fits) {
            detail::fill_slot<T, Sync>(space_.at(next), std::forward<Item>(item));
            space_.publish_one(next + 1);
        }
        watch_.end();
        return fits;
    }

    // The end of a token.
    void finish(std::uint32_t count) noexcept {
        if (count != 0)
            space_.publish_burst(space_.next() + count);
        drop();
    }
    void drop() noexcept { watch_.end(); }

    claim claim_;
    [[no_unique_address]] detail::role_watch<Sync> watch_;
    detail::free_space<core_type, space> space_;
};

// Takes items out. Move-only; one thread at a time, which need not be the one that called split().
// Progress: every call is wait-free. Cost: as the producer's.
template <ring_element T, spsc_options Options, class Sync>
class alignas(thread_gap) basic_spsc_ring<T, Options, Sync>::consumer {
  public:
    using value_type = T;
    using slot_type = ring_slot<T, Sync>;
    using sync_type = Sync;

    // Precondition: no token of the old handle is open.
    consumer(consumer&&) noexcept = default;
    consumer& operator=(consumer&&) = delete;
    ~consumer() {
        if (claim_)
            space_.give_back_all();
    }

    // As many items as have arrived, at most `count`.
    [[nodiscard]] peek_token<consumer> peek(std::uint32_t count) noexcept {
        watch_.begin();
        const std::uint32_t arrived = space_.ready(space_.next(), count);
        if (lines_to_read != 0)
            space_.look_ahead(space_.next(), count, arrived);
        watch_.open();
        return {this, space_.slots(), run(space_.next(), arrived < count ? arrived : count, space_.mask())};
    }

    // Takes one item out. False where the ring is empty: the argument is then as it was.
    [[nodiscard]] bool try_pop(T& item) noexcept
        requires plain_element<T> || std::is_nothrow_move_assignable_v<T>
    {
        watch_.begin();
        const std::uint32_t next = space_.next();
        const bool any = space_.ready(next, 1) != 0;
        if (any) {
            detail::empty_slot<T, Sync>(space_.at(next), item);
            take(next, next + 1);
        }
        watch_.end();
        return any;
    }

    // False where the producer's index cannot be right; the ring then counts as empty. As the producer's.
    [[nodiscard]] bool sound() const noexcept
        requires(Options.shared)
    {
        return space_.sound();
    }

  private:
    friend basic_spsc_ring;
    friend detail::burst_token<consumer>;

    consumer(basic_spsc_ring& ring, claim mine) noexcept
        : claim_(std::move(mine)), space_(ring.core_, lines_to_read, Options.return_chunk) {}

    void take(std::uint32_t from, std::uint32_t to) noexcept {
        destroy(space_.slots(), space_.mask(), from, to);
        space_.take(from, to);
    }

    // The end of a token.
    void finish(std::uint32_t count) noexcept {
        const std::uint32_t next = space_.next();
        if (count != 0)
            take(next, next + count);
        drop();
    }
    void drop() noexcept { watch_.end(); }

    claim claim_;
    [[no_unique_address]] detail::role_watch<Sync> watch_;
    detail::used_space<core_type, space> space_;
};

// The ring as programs name it: between two threads of this machine.
template <ring_element T, spsc_options Options>
using spsc_ring = basic_spsc_ring<T, Options>;

} // namespace noria::inline NORIA_ABI
