// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
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

// A bounded queue from any number of threads to one: for producers whose number is not known beforehand. For
// those whose number is, fan_in is several times as fast.
//
//   mpsc_ring<descriptor, {.capacity = 1000}> ring;
//   auto [producer, consumer] = ring.split();
//   auto another = producer;                       // one for each thread
//
// A producer claims its slots with one compare-and-swap and then owes nothing to anybody: it fills them and
// publishes each by the slot's own mark, that of the first last, so that a burst is seen whole or not at all.
// No producer ever waits for another one to publish. One that is preempted between claim and publication
// leaves a hole, and the consumer stops there; whatever lies before the hole can be taken, and others claim
// and publish behind it until the ring is full. What was claimed and is not wanted is marked as skipped.
//
// What holds: every item is taken exactly once, whole, and those of one producer in their order. Where push A
// happens before push B, A leaves first. A pop may find nothing although a later push is complete, because of
// a hole before it; once no reservation is open, it finds nothing only when the ring is empty.

namespace noria::inline NORIA_ABI {

struct mpsc_options {
    // Items, any number from 1 to 2^31, or `dynamic`.
    std::uint32_t capacity;
    // Items the consumer may hold back before it returns their slots; 0 is an eighth of the capacity. It
    // holds back nothing once it has found nothing.
    std::uint32_t return_chunk = 0;
};

// Thread: the ring is made, split and destroyed by one thread at a time, which has synchronised (by a join,
// say) with those that held the handles. Memory: the slots, a mark in each, and four cache lines;
// nothing is allocated.
template <ring_element T, mpsc_options Options, class Sync = std_sync>
class basic_mpsc_ring {
    template <class Word>
    using atomic = typename Sync::template atomic<Word>;

  public:
    using value_type = T;
    using slot_type = marked_slot<T, Sync>;

    class producer;
    class consumer;

    struct roles {
        typename basic_mpsc_ring::producer producer;
        typename basic_mpsc_ring::consumer consumer;
    };

    // `start` is the index that counting begins at: a test puts it just below a wrap.
    explicit basic_mpsc_ring(std::uint64_t start = 0) noexcept
        requires(Options.capacity != dynamic)
        : tail_(start), head_(start) {
        unmark(start);
    }

    // Precondition: slots.size() >= slots_for(capacity), and the slots outlive the ring.
    basic_mpsc_ring(std::span<slot_type> slots, std::uint32_t capacity, std::uint64_t start = 0) noexcept
        requires(Options.capacity == dynamic)
        : storage_(slots, capacity), tail_(start), head_(start) {
        unmark(start);
    }

    basic_mpsc_ring(const basic_mpsc_ring&) = delete;
    basic_mpsc_ring& operator=(const basic_mpsc_ring&) = delete;

    // Destroys what nobody took out. Precondition: all handles are gone.
    ~basic_mpsc_ring() {
        NORIA_EXPECTS(handles_.load(std::memory_order_relaxed) == 0,
                      "a ring outlives its producers and its consumer");
        if constexpr (destroys) {
            const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
            for (std::uint64_t index = head_.load(std::memory_order_relaxed); index != tail; ++index) {
                slot_type& slot = storage_.slots()[index & storage_.mask()];
                if (slot.mark.load(std::memory_order_relaxed) < skipped)
                    slot.item.value.~T();
            }
        }
    }

    // The first producer, which can be copied, and the consumer; they carry on where the last ones stopped.
    // Precondition: no handle of this ring is alive.
    [[nodiscard]] roles split() noexcept {
        NORIA_EXPECTS(handles_.load(std::memory_order_relaxed) == 0,
                      "one consumer, and producers copied from one: drop the old handles");
        return {producer(*this), consumer(*this)};
    }

    // Items that fit: exactly what was asked for. Any thread.
    [[nodiscard]] std::uint32_t capacity() const noexcept { return storage_.capacity(); }

  private:
    static constexpr bool destroys = !plain_element<T> && !std::is_trivially_destructible_v<T>;

    // A mark is the lap's bit, which changes from lap to lap, so that nobody has to clear it, and this:
    static constexpr std::uint32_t filled = 0, skipped = 2;

    [[nodiscard]] static constexpr std::uint32_t lap_bit(std::uint64_t index, std::uint32_t mask) noexcept {
        return (index & (std::uint64_t{mask} + 1)) == 0 ? 1 : 0;
    }

    // Every slot looks as it did a lap before its first use.
    void unmark(std::uint64_t start) noexcept {
        const std::uint32_t mask = storage_.mask();
        for (std::uint64_t index = start; index != start + mask + 1; ++index)
            storage_.slots()[index & mask].mark.store(lap_bit(index, mask) ^ 1, std::memory_order_relaxed);
    }

    [[nodiscard]] std::uint32_t return_chunk() const noexcept {
        return Options.return_chunk != 0 ? Options.return_chunk : capacity() / 8;
    }

    ring_storage<slot_type, Options.capacity> storage_;
    // 64 bits, so that a producer that slept through 2^32 items does not take an old index for the present.
    alignas(thread_gap) atomic<std::uint64_t> tail_; // claimed by producers
    alignas(thread_gap) atomic<std::uint64_t> head_; // written by the consumer
    atomic<std::uint32_t> handles_{0}; // alive; touched by split, copies and the ends of handles only
};

// Puts items in. A copy is another producer, for another thread, and may be made while this one is in use;
// one thread at a time for each. Progress: lock-free: a claim is tried again only where another producer's
// claim was faster. Cost: one locked instruction a call, which waits for the stores before it to arrive;
// asking for lines ahead, as spsc_ring does, was measured and gains nothing here.
template <ring_element T, mpsc_options Options, class Sync>
class alignas(thread_gap) basic_mpsc_ring<T, Options, Sync>::producer {
  public:
    using value_type = T;
    using slot_type = marked_slot<T, Sync>;
    using sync_type = Sync;

    // Slots that nobody else can have, to be filled in order, and soon: the consumer gets no further than
    // here. Dropped without a commit, they are abandoned.
    class [[nodiscard("a reservation that is dropped is abandoned")]] reservation {
      public:
        // The slots up to the end of the ring, and those that go on at its beginning.
        [[nodiscard]] std::span<slot_type> first() const noexcept { return burst_.first(); }
        [[nodiscard]] std::span<slot_type> second() const noexcept { return burst_.second(); }
        [[nodiscard]] std::uint32_t size() const noexcept { return burst_.size(); }

        // Publishes the first `count` slots, all at once, and marks the rest as skipped; the token is spent.
        // Precondition: count <= size(), those slots are written (raw slots: constructed, and no others are).
        void commit(std::uint32_t count) noexcept { burst_.finish(count); }

        // Marks all as skipped. The consumer passes them, and their room comes back with its next return.
        void abandon() noexcept { commit(0); }

      private:
        friend producer;
        reservation(producer* owner, slot_type* slots, slot_run run) noexcept : burst_(owner, slots, run) {}

        detail::burst_token<producer> burst_;
    };

    producer(const producer& other) noexcept : producer(*other.ring_) {}
    producer& operator=(const producer&) = delete;

    // As many slots as are free, at most `count`.
    [[nodiscard]] reservation reserve(std::uint32_t count) noexcept { return open(0, count); }

    // `count` slots, or none where fewer are free.
    [[nodiscard]] reservation reserve_exact(std::uint32_t count) noexcept { return open(count, count); }

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
    friend basic_mpsc_ring;
    friend detail::burst_token<producer>;

    explicit producer(basic_mpsc_ring& ring) noexcept
        : hold_(ring.handles_), ring_(&ring), tail_(ring.tail_), head_(ring.head_),
          slots_(ring.storage_.slots()), mask_(ring.storage_.mask()), capacity_(ring.capacity()),
          full_(look()) {}

    // The index that is not free yet.
    [[nodiscard]] std::uint64_t look() const noexcept {
        // Partner: the consumer's store in give_back(). What it read there is read before we write over it.
        const std::uint64_t head = head_.load(std::memory_order_acquire);
        return head + capacity_;
    }

    // Claims `most` slots, or fewer where fewer are free, but not fewer than `least`; says how many.
    [[nodiscard]] std::uint32_t claim(std::uint32_t least, std::uint32_t most) noexcept {
        std::uint64_t tail = tail_.load(std::memory_order_relaxed);
        for (;;) {
            // Negative where others have claimed beyond what we know to be free.
            auto free = static_cast<std::int64_t>(full_ - tail);
            if (free < std::int64_t{most}) {
                const std::uint64_t full = look();
                free = static_cast<std::int64_t>(full - tail);
                if (free <= 0 || free < least)
                    return 0; // a poll that fails writes nothing, not even what only we read
                full_ = full;
            }
            const std::uint32_t count = free < most ? static_cast<std::uint32_t>(free) : most;
            // Relaxed: a claim orders nothing but claims. The slots were handed over through look().
            if (tail_.compare_exchange_weak(tail, tail + count, std::memory_order_relaxed,
                                            std::memory_order_relaxed)) {
                claimed_ = tail;
                return count;
            }
        }
    }

    [[nodiscard]] reservation open(std::uint32_t least, std::uint32_t most) noexcept {
        watch_.begin();
        count_ = most == 0 ? 0 : claim(least, most);
        watch_.open();
        return {this, slots_, run_at(static_cast<std::uint32_t>(claimed_), count_, mask_)};
    }

    template <class Item>
    [[nodiscard]] bool push(Item&& item) noexcept {
        watch_.begin();
        count_ = claim(1, 1);
        const bool fits = count_ != 0;
        if (fits) {
            detail::fill_slot<T, Sync>(slots_[claimed_ & mask_].item, std::forward<Item>(item));
            publish(1);
        }
        watch_.end();
        return fits;
    }

    [[nodiscard]] std::uint32_t mark_at(std::uint32_t place, std::uint32_t items) const noexcept {
        return lap_bit(claimed_ + place, mask_) | (place < items ? filled : skipped);
    }

    // Marks the slots that were claimed: `items` of them as filled, the others as skipped.
    void publish(std::uint32_t items) noexcept {
        for (std::uint32_t place = 1; place < count_; ++place)
            slots_[(claimed_ + place) & mask_].mark.store(mark_at(place, items), std::memory_order_relaxed);
        // Partner: the consumer's load in mark(). A consumer that does not see the first mark stops before
        // the others, and one that does sees all that was written before.
        slots_[claimed_ & mask_].mark.store(mark_at(0, items), std::memory_order_release);
    }

    // The end of a token.
    void finish(std::uint32_t items) noexcept {
        if (count_ != 0)
            publish(items);
        watch_.end();
    }
    void drop() noexcept { finish(0); }

    detail::role_hold<Sync> hold_;
    [[no_unique_address]] detail::role_watch<Sync> watch_;
    basic_mpsc_ring* ring_;
    atomic<std::uint64_t>& tail_;
    const atomic<std::uint64_t>& head_;
    slot_type* slots_;
    std::uint32_t mask_;
    std::uint32_t capacity_;
    std::uint32_t count_ = 0;   // how many slots the last claim got
    std::uint64_t claimed_ = 0; // and from which index on
    std::uint64_t full_;        // index that may not be claimed, as far as we know
};

// Takes items out. Move-only; one thread at a time, which need not be the one that called split().
// Progress: every call is wait-free; marks that are skipped count as items that are taken.
template <ring_element T, mpsc_options Options, class Sync>
class alignas(thread_gap) basic_mpsc_ring<T, Options, Sync>::consumer {
  public:
    using value_type = T;
    using slot_type = marked_slot<T, Sync>;
    using sync_type = Sync;
    static constexpr bool peeks_in_parts = true; // up to a skipped slot

    // Precondition: no token of the old handle is open.
    consumer(consumer&&) noexcept = default;
    consumer& operator=(consumer&&) = delete;
    ~consumer() {
        if (hold_ && returned_ != next_)
            give_back(next_);
    }

    // As many items as can be taken, at most `count`: those up to the first hole, and up to the next skipped
    // slot, behind which the next call goes on. None means that there is a hole or nothing.
    [[nodiscard]] peek_token<consumer> peek(std::uint32_t count) noexcept {
        watch_.begin();
        std::uint32_t arrived = 0;
        if (count != 0 && ready()) {
            do
                ++arrived;
            while (arrived != count && mark(next_ + arrived) == filled);
        }
        if (arrived != count && returned_ != next_)
            give_back(next_); // who waits for more must not wait for slots that he holds himself
        watch_.open();
        return {this, slots_, run_at(static_cast<std::uint32_t>(next_), arrived, mask_)};
    }

    // Takes one item out. False where there is a hole or nothing: the argument is then as it was.
    [[nodiscard]] bool try_pop(T& item) noexcept
        requires plain_element<T> || std::is_nothrow_move_assignable_v<T>
    {
        watch_.begin();
        const bool any = ready();
        if (any) {
            detail::empty_slot<T, Sync>(slots_[next_ & mask_].item, item);
            take(1);
        }
        watch_.end();
        return any;
    }

  private:
    friend basic_mpsc_ring;
    friend detail::burst_token<consumer>;

    explicit consumer(basic_mpsc_ring& ring) noexcept
        : hold_(ring.handles_), head_(ring.head_), slots_(ring.storage_.slots()), mask_(ring.storage_.mask()),
          chunk_(ring.return_chunk()), next_(head_.load(std::memory_order_relaxed)), returned_(next_) {}

    // What the slot of `index` holds in this lap: `filled`, `skipped`, or an odd number: nothing yet.
    [[nodiscard]] std::uint32_t mark(std::uint64_t index) const noexcept {
        // Partner: the producer's release in publish(). The slot is written before we read it.
        const std::uint32_t mark = slots_[index & mask_].mark.load(std::memory_order_acquire);
        return mark ^ lap_bit(index, mask_);
    }

    // Passes what was skipped; says whether there is an item then.
    [[nodiscard]] bool ready() noexcept {
        std::uint32_t found = mark(next_);
        for (std::uint32_t passed = 0; found == skipped && passed <= mask_; ++passed) { // a lap at most
            pass(1);
            found = mark(next_);
        }
        if (found == filled)
            return true;
        if (returned_ != next_)
            give_back(next_); // once, so that a consumer that goes to sleep holds nothing back
        return false;
    }

    void take(std::uint32_t count) noexcept {
        if constexpr (destroys)
            for (std::uint64_t index = next_; index != next_ + count; ++index)
                slots_[index & mask_].item.value.~T();
        pass(count);
    }

    // Slots go back in chunks, so that a producer's look at our index finds many.
    void pass(std::uint32_t count) noexcept {
        const std::uint64_t next = next_ + count;
        if (next - returned_ >= chunk_)
            give_back(next);
        next_ = next;
    }

    void give_back(std::uint64_t next) noexcept {
        // Partner: the producer's load in look(). We have read the slots before it writes over them.
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
    atomic<std::uint64_t>& head_;
    slot_type* slots_;
    std::uint32_t mask_;
    std::uint32_t chunk_;
    std::uint64_t next_;     // index of the next item to take
    std::uint64_t returned_; // index up to which slots have gone back
};

// The ring as programs name it: between threads of this machine.
template <ring_element T, mpsc_options Options>
using mpsc_ring = basic_mpsc_ring<T, Options>;

} // namespace noria::inline NORIA_ABI
