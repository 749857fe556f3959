// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "noria/core/cacheline.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/sync.hpp"
#include "noria/ring/concepts.hpp"
#include "noria/ring/index.hpp"
#include "noria/ring/role.hpp"
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
// exclusive state, and never for one that the consumer may still be reading. And what a side needs at every
// call lies in its handle, so the two threads share nothing but the two indices and the slots.

namespace noria::inline NORIA_ABI {

struct spsc_options {
    // Items, any number from 1 to 2^31, or `dynamic`.
    std::uint32_t capacity;
    // How many cache lines ahead the producer asks for, at most a quarter of the ring.
    std::uint32_t write_prefetch_lines = 16;
    // Items the consumer may hold back before it returns their slots; 0 is an eighth of the capacity. It
    // holds back nothing once it has taken the last item it knows of.
    std::uint32_t return_chunk = 0;
    // Both sides run on one core: no line has to be asked for.
    bool same_core = false;
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
        : tail_(start), head_(start) {
        static_assert(Options.capacity != 0 && Options.capacity <= max_ring_capacity,
                      "a ring holds 1 to 2^31 items");
    }

    // Precondition: slots.size() >= slots_for(capacity), and the slots outlive the ring.
    basic_spsc_ring(std::span<slot_type> slots, std::uint32_t capacity, std::uint32_t start = 0) noexcept
        requires(Options.capacity == dynamic)
        : storage_(slots, capacity), tail_(start), head_(start) {}

    basic_spsc_ring(const basic_spsc_ring&) = delete;
    basic_spsc_ring& operator=(const basic_spsc_ring&) = delete;

    // Destroys what nobody took out. Precondition: both handles are gone.
    ~basic_spsc_ring() {
        NORIA_EXPECTS(handles_.load(std::memory_order_relaxed) == 0,
                      "a ring outlives its producer and its consumer");
        destroy(storage_.slots(), storage_.mask(), head_.load(std::memory_order_relaxed),
                tail_.load(std::memory_order_relaxed));
    }

    // The two handles; they carry on where the last pair stopped. Precondition: no handle of this ring is
    // alive.
    [[nodiscard]] roles split() noexcept {
        NORIA_EXPECTS(handles_.load(std::memory_order_relaxed) == 0,
                      "one producer and one consumer: drop the old pair");
        return {producer(*this), consumer(*this)};
    }

    // Items that fit: exactly what was asked for. Any thread.
    [[nodiscard]] std::uint32_t capacity() const noexcept { return storage_.capacity(); }

  private:
    static constexpr bool asks_ahead = Options.write_prefetch_lines != 0 && !Options.same_core;
    static constexpr std::uint32_t slots_per_line =
        sizeof(slot_type) < cache_line
            ? static_cast<std::uint32_t>(std::bit_floor(cache_line / sizeof(slot_type)))
            : 1;

    // Slots to stay ahead of the producer. Below 16 lines both sides meet in the same few lines, and asking
    // for them early only takes them away from the consumer.
    [[nodiscard]] std::uint32_t window() const noexcept {
        const std::uint32_t lines = capacity() / slots_per_line;
        if (lines < 16)
            return 0;
        return slots_per_line *
               (Options.write_prefetch_lines < lines / 4 ? Options.write_prefetch_lines : lines / 4);
    }

    [[nodiscard]] std::uint32_t return_chunk() const noexcept {
        return Options.return_chunk != 0 ? Options.return_chunk : capacity() / 8;
    }

    static void destroy(slot_type* slots, std::uint32_t mask, std::uint32_t from, std::uint32_t to) noexcept {
        if constexpr (!plain_element<T> && !std::is_trivially_destructible_v<T>)
            for (; from != to; ++from)
                slots[from & mask].value.~T();
    }

    ring_storage<slot_type, Options.capacity> storage_;
    atomic<std::uint32_t> handles_{0}; // alive; touched by split and by the ends of handles only
    alignas(thread_gap) atomic<std::uint32_t> tail_; // written by the producer
    alignas(thread_gap) atomic<std::uint32_t> head_; // written by the consumer
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
        const std::uint32_t free = prepare(count);
        return open(free < count ? free : count);
    }

    // `count` slots, or none where fewer are free.
    [[nodiscard]] reserve_token<producer> reserve_exact(std::uint32_t count) noexcept {
        watch_.begin();
        return open(prepare(count) < count ? 0 : count);
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

  private:
    friend basic_spsc_ring;
    friend detail::burst_token<producer>;

    explicit producer(basic_spsc_ring& ring) noexcept
        : hold_(ring.handles_), tail_(ring.tail_), head_(ring.head_), slots_(ring.storage_.slots()),
          mask_(ring.storage_.mask()), capacity_(ring.capacity()), window_(ring.window()),
          next_(tail_.load(std::memory_order_relaxed)),
          full_(full_index(head_.load(std::memory_order_relaxed), capacity_)), asked_(next_) {}

    // The free slots, looked up where fewer than `wanted` are known of.
    [[nodiscard]] std::uint32_t room(std::uint32_t wanted) noexcept {
        if (full_ - next_ < wanted) {
            // Partner: the consumer's store in give_back(). What it read there is read before we write over
            // it.
            const std::uint32_t head = head_.load(std::memory_order_acquire);
            const std::uint32_t full = full_index(head, capacity_);
            if (full == next_)
                return 0; // a poll that fails writes nothing, not even what only we read
            full_ = full;
        }
        return full_ - next_;
    }

    // The free slots, and the lines of the next `count` plus the window asked for as far as they are known to
    // be free. The look-up is due when the window runs short, not when the ring is full: that would be too
    // late.
    [[nodiscard]] std::uint32_t prepare(std::uint32_t count) noexcept {
        const std::uint32_t wanted = (count < capacity_ ? count : capacity_) + window_;
        const std::uint32_t free = room(wanted);
        if (asks_ahead && window_ != 0) {
            const std::uint32_t limit = next_ + (free < wanted ? free : wanted);
            if (before(asked_, next_))
                asked_ = next_; // what has been published meanwhile is the consumer's
            for (; !before(limit, asked_ + slots_per_line); asked_ += slots_per_line)
                Sync::prefetch_write(&slots_[asked_ & mask_]);
        }
        return free;
    }

    [[nodiscard]] reserve_token<producer> open(std::uint32_t count) noexcept {
        watch_.open();
        return {this, slots_, run_at(next_, count, mask_)};
    }

    template <class Item>
    [[nodiscard]] bool push(Item&& item) noexcept {
        watch_.begin();
        const bool new_line = asks_ahead && next_ % slots_per_line == 0;
        const bool fits = (new_line ? prepare(slots_per_line) : room(1)) != 0;
        if (fits) {
            detail::fill_slot<T, Sync>(slots_[next_ & mask_], std::forward<Item>(item));
            publish(1);
        }
        watch_.end();
        return fits;
    }

    void publish(std::uint32_t count) noexcept {
        const std::uint32_t next = next_ + count;
        // Partner: the consumer's load in ready(). The slots are written before it sees that they are.
        tail_.store(next, std::memory_order_release);
        next_ = next; // after the publication, which the other side waits for
    }

    // The end of a token.
    void finish(std::uint32_t count) noexcept {
        if (count != 0)
            publish(count);
        drop();
    }
    void drop() noexcept { watch_.end(); }

    detail::role_hold<Sync> hold_;
    [[no_unique_address]] detail::role_watch<Sync> watch_;
    atomic<std::uint32_t>& tail_;
    const atomic<std::uint32_t>& head_;
    slot_type* slots_;
    std::uint32_t mask_;
    std::uint32_t capacity_;
    std::uint32_t window_;
    std::uint32_t next_;  // index of the next slot to write
    std::uint32_t full_;  // index that may not be written, as far as we know
    std::uint32_t asked_; // index up to which lines have been asked for
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
        if (hold_ && returned_ != next_)
            give_back(next_);
    }

    // As many items as have arrived, at most `count`.
    [[nodiscard]] peek_token<consumer> peek(std::uint32_t count) noexcept {
        watch_.begin();
        const std::uint32_t arrived = ready(count);
        watch_.open();
        return {this, slots_, run_at(next_, arrived < count ? arrived : count, mask_)};
    }

    // Takes one item out. False where the ring is empty: the argument is then as it was.
    [[nodiscard]] bool try_pop(T& item) noexcept
        requires plain_element<T> || std::is_nothrow_move_assignable_v<T>
    {
        watch_.begin();
        const bool any = ready(1) != 0;
        if (any) {
            detail::empty_slot<T, Sync>(slots_[next_ & mask_], item);
            take(1);
        }
        watch_.end();
        return any;
    }

  private:
    friend basic_spsc_ring;
    friend detail::burst_token<consumer>;

    explicit consumer(basic_spsc_ring& ring) noexcept
        : hold_(ring.handles_), tail_(ring.tail_), head_(ring.head_), slots_(ring.storage_.slots()),
          mask_(ring.storage_.mask()), chunk_(ring.return_chunk()),
          next_(head_.load(std::memory_order_relaxed)), seen_(tail_.load(std::memory_order_relaxed)),
          returned_(next_) {}

    // The items that have arrived, looked up where fewer than `wanted` are known of.
    [[nodiscard]] std::uint32_t ready(std::uint32_t wanted) noexcept {
        if (seen_ - next_ < wanted) {
            // Partner: the producer's store in publish(). The slots are written before we read them.
            const std::uint32_t tail = tail_.load(std::memory_order_acquire);
            if (tail == next_)
                return 0; // a poll that fails writes nothing, not even what only we read
            seen_ = tail;
        }
        return seen_ - next_;
    }

    // Slots go back in chunks, so that the producer's look at our index finds many; and all of them with the
    // last item we know of, so that a consumer that goes to sleep holds nothing back.
    void take(std::uint32_t count) noexcept {
        const std::uint32_t next = next_ + count;
        destroy(slots_, mask_, next_, next);
        if (next - returned_ >= chunk_ || next == seen_)
            give_back(next);
        next_ = next;
    }

    void give_back(std::uint32_t next) noexcept {
        // Partner: the producer's load in room(). We have read the slots before it writes over them.
        head_.store(next, std::memory_order_release);
        returned_ = next;
    }

    // The end of a token.
    void finish(std::uint32_t count) noexcept {
        if (count != 0)
            take(count);
        drop();
    }
    void drop() noexcept { watch_.end(); }

    detail::role_hold<Sync> hold_;
    [[no_unique_address]] detail::role_watch<Sync> watch_;
    const atomic<std::uint32_t>& tail_;
    atomic<std::uint32_t>& head_;
    slot_type* slots_;
    std::uint32_t mask_;
    std::uint32_t chunk_;
    std::uint32_t next_;     // index of the next item to take
    std::uint32_t seen_;     // index up to which items have arrived, as far as we know
    std::uint32_t returned_; // index up to which slots have gone back
};

// The ring as programs name it: between two threads of this machine.
template <ring_element T, spsc_options Options>
using spsc_ring = basic_spsc_ring<T, Options>;

} // namespace noria::inline NORIA_ABI
