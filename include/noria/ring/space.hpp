// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <span>

#include "noria/core/cacheline.hpp"
#include "noria/core/sync.hpp"
#include "noria/ring/index.hpp"
#include "noria/ring/storage.hpp"

// How the slots of a ring with one producer and one consumer go round. Two indices are all that the sides
// tell each other: the producer's tail says what has been put in, the consumer's head what has been taken
// out. Each side has a half of that bargain, and the two stand here one below the other.

namespace noria::inline NORIA_ABI::detail {

// Which cache lines of a ring have been asked for, ahead of an index that moves on.
template <class Slot>
class lookahead {
  public:
    // `lines`: how many to be ahead, at most a quarter of the ring. Below 16 lines both sides meet in the
    // same few, and asking early would only take them away from the other.
    lookahead(std::uint32_t lines, std::uint32_t capacity, std::uint32_t start) noexcept
        : window_(slots_per_line<Slot> * clamped(lines, capacity / slots_per_line<Slot>)), asked_(start) {}

    // In slots; 0 where nothing is to be asked for.
    [[nodiscard]] std::uint32_t window() const noexcept { return window_; }

    // How often to look: a quarter of the window, and a line at least.
    [[nodiscard]] std::uint32_t step() const noexcept {
        return window_ / 4 < slots_per_line<Slot> ? slots_per_line<Slot> : window_ / 4;
    }

    // Calls hint(index) for each line between `next`, what lies before being the other side's again, and
    // `limit`, that has not been asked for.
    template <class Hint>
    void reach(std::uint32_t next, std::uint32_t limit, std::uint32_t capacity, Hint&& hint) noexcept {
        if (asked_ - next > capacity) // behind, however far
            asked_ = next;
        for (; !before(limit, asked_ + slots_per_line<Slot>); asked_ += slots_per_line<Slot>)
            hint(asked_);
    }

  private:
    [[nodiscard]] static constexpr std::uint32_t clamped(std::uint32_t lines,
                                                         std::uint32_t ring_lines) noexcept {
        return ring_lines < 16 ? 0 : lines < ring_lines / 4 ? lines : ring_lines / 4;
    }

    std::uint32_t window_;
    std::uint32_t asked_; // index up to which lines have been asked for
};

// The slots and the two indices: what both sides of a ring see, and nothing else is between them.
template <class Slot, std::uint32_t Capacity, class Sync>
struct ring_core {
    using slot_type = Slot;
    using sync_type = Sync;
    using storage_type = ring_storage<Slot, Capacity>;
    using word = typename Sync::template atomic<std::uint32_t>;

    explicit ring_core(std::uint32_t start) noexcept : tail(start), head(start) {}
    ring_core(std::span<Slot> slots, std::uint32_t capacity, std::uint32_t start) noexcept
        : storage(slots, capacity), tail(start), head(start) {}

    storage_type storage;
    alignas(thread_gap) word tail; // written by the producer
    alignas(thread_gap) word head; // written by the consumer
    word taken{0};                 // the roles; touched by the beginnings and ends of handles only
};

// What a half need not do, or must.
struct space_options {
    // Both sides run on one core, where the other's index is at hand: nothing is remembered of it, and
    // nothing of one's own beside the index that the other sees.
    bool same_core = false;
    // The other side may write an index that cannot be right: it is not believed.
    bool doubting = false;
};

// The producer's half: where it writes next, and how far it may go. Lives in a handle; one thread at a time.
template <class Core, space_options Options = {}>
class free_space {
    using sync = typename Core::sync_type;

  public:
    using slot_type = typename Core::slot_type;

    free_space(Core& core, std::uint32_t lines) noexcept
        : core_(core), view_(core.storage), next_(core.tail.load(std::memory_order_relaxed)), full_(next_),
          stop_(next_), ahead_(Options.same_core ? 0 : lines, view_.capacity(), next_) {}

    // Index of the next slot to write.
    [[nodiscard]] std::uint32_t next() const noexcept {
        return Options.same_core ? core_.tail.load(std::memory_order_relaxed) : next_;
    }
    [[nodiscard]] slot_type* slots() const noexcept { return view_.slots(core_.storage); }
    [[nodiscard]] std::uint32_t mask() const noexcept { return view_.mask(); }
    [[nodiscard]] slot_type& at(std::uint32_t index) const noexcept { return slots()[index & view_.mask()]; }

    // Whether the slot of `next`, which is next(), may be written. One comparison, but for a look ahead now
    // and then.
    [[nodiscard]] bool has_room(std::uint32_t next) noexcept {
        if (Options.same_core)
            return room(next, 1) != 0;
        if (next != stop_)
            return true;
        const std::uint32_t step = ahead_.window() == 0 ? view_.capacity() : ahead_.step();
        const std::uint32_t free = prepare(next, step);
        if (free == 0)
            return false;
        stop_ = next + (free < step ? free : step);
        return true;
    }

    // The free slots from `next` on, which is next(), looked up where fewer than `wanted` are known of.
    [[nodiscard]] std::uint32_t room(std::uint32_t next, std::uint32_t wanted) noexcept {
        if (Options.same_core || full_ - next < wanted) {
            const std::uint32_t full = look();
            if (Options.doubting && full - next > view_.capacity())
                return 0;
            if (Options.same_core || full == next)
                return full - next; // a poll that fails writes nothing, not even what only we read
            full_ = full;
            if (Options.doubting)
                stop_ = next; // what was allowed may have been taken back
        }
        return full_ - next;
    }

    // The same, with the lines of the next `count` slots and of the window behind them asked for, as far as
    // they are known to be free. The look-up is due when the window runs short, not when the ring is full:
    // that would be too late.
    [[nodiscard]] std::uint32_t prepare(std::uint32_t next, std::uint32_t count) noexcept {
        const std::uint32_t wanted = (count < view_.capacity() ? count : view_.capacity()) + ahead_.window();
        const std::uint32_t free = room(next, wanted);
        const std::uint32_t asked =
            (count < ahead_.window() ? count : ahead_.window()) + ahead_.window(); // not a whole ring at once
        if (ahead_.window() != 0)
            ahead_.reach(next, next + (free < asked ? free : asked), view_.capacity(),
                         [this](std::uint32_t index) { sync::prefetch_write(&at(index)); });
        return free;
    }

    // The slots below `next` are written: the one that has_room() allowed, or as many as prepare() found.
    void publish_one(std::uint32_t next) noexcept { publish(next); }
    void publish_burst(std::uint32_t next) noexcept {
        publish(next);
        if (!Options.same_core)
            stop_ = next;
    }

    // Whether the consumer's index can be right.
    [[nodiscard]] bool sound() const noexcept {
        return items_between(core_.head.load(std::memory_order_relaxed), next()) <= view_.capacity();
    }

  private:
    void publish(std::uint32_t next) noexcept {
        // Partner: the consumer's load in used_space::look(). The slots are written before it sees that they
        // are.
        core_.tail.store(next, std::memory_order_release);
        if (!Options.same_core)
            next_ = next; // after the publication, which the other side waits for
    }

    // The index at which the ring is full.
    [[nodiscard]] std::uint32_t look() const noexcept {
        // Partner: the consumer's store in used_space::give_back(). What it read there is read before we
        // write over it.
        const std::uint32_t head = core_.head.load(std::memory_order_acquire);
        return full_index(head, view_.capacity());
    }

    Core& core_;
    [[no_unique_address]] typename Core::storage_type::view_type view_;
    std::uint32_t next_; // index of the next slot to write
    std::uint32_t full_; // index that may not be written, as far as we know
    std::uint32_t stop_; // index up to which single slots need no second thought
    lookahead<slot_type> ahead_;
};

// The consumer's half: where it reads next, what has come, and what it has not yet given back. As above.
template <class Core, space_options Options = {}>
class used_space {
    using sync = typename Core::sync_type;

  public:
    using slot_type = typename Core::slot_type;

    // `chunk`: items to hold back at most before their slots are returned, rounded down to a power of two; 0
    // is an eighth of the capacity.
    used_space(Core& core, std::uint32_t lines, std::uint32_t chunk) noexcept
        : core_(core), view_(core.storage),
          chunk_(std::bit_floor(chunk != 0              ? chunk
                                : view_.capacity() >= 8 ? view_.capacity() / 8
                                                        : 1)),
          next_(core.head.load(std::memory_order_relaxed)), seen_(next_),
          ahead_(Options.same_core ? 0 : lines, view_.capacity(), next_) {}

    // Index of the next item to take.
    [[nodiscard]] std::uint32_t next() const noexcept {
        return Options.same_core ? core_.head.load(std::memory_order_relaxed) : next_;
    }
    [[nodiscard]] slot_type* slots() const noexcept { return view_.slots(core_.storage); }
    [[nodiscard]] std::uint32_t mask() const noexcept { return view_.mask(); }
    [[nodiscard]] slot_type& at(std::uint32_t index) const noexcept { return slots()[index & view_.mask()]; }

    // The items known to have arrived, and how a ring that knows better says so.
    [[nodiscard]] std::uint32_t known() const noexcept { return seen_ - next_; }
    void learn(std::uint32_t seen) noexcept { seen_ = seen; }

    // The index up to which items have arrived.
    [[nodiscard]] std::uint32_t look() const noexcept {
        // Partner: the producer's store in free_space::publish(). The slots are written before we read them.
        const std::uint32_t tail = core_.tail.load(std::memory_order_acquire);
        return tail;
    }

    // The items that have arrived from `next` on, which is next(), looked up where fewer than `wanted` are
    // known of.
    [[nodiscard]] std::uint32_t ready(std::uint32_t next, std::uint32_t wanted) noexcept {
        if (Options.same_core || seen_ - next < wanted) {
            const std::uint32_t tail = look();
            if (Options.doubting && tail - next > view_.capacity())
                return 0;
            if (Options.same_core || tail == next)
                return tail - next; // a poll that fails writes nothing, not even what only we read
            seen_ = tail;
            if (tail - next < wanted && core_.head.load(std::memory_order_relaxed) != next)
                give_back(next); // who waits for more must not wait for slots that he holds himself
        }
        return seen_ - next;
    }

    // Asks for the lines of the `count` items from `next` on and of the window behind them, as far as they
    // have arrived. If there is nothing behind them, reading them is as good.
    void look_ahead(std::uint32_t next, std::uint32_t count, std::uint32_t arrived) noexcept {
        if (arrived > count && ahead_.window() != 0) {
            const std::uint32_t wanted = count + ahead_.window();
            ahead_.reach(next, next + (arrived < wanted ? arrived : wanted), view_.capacity(),
                         [this](std::uint32_t index) { sync::prefetch_read(&at(index)); });
        }
    }

    // The items from `before`, which is next(), up to `next` are done with. Slots go back where a multiple of
    // the chunk is passed, so that the producer's look at our index finds many; and with the last item we
    // know of, so that a consumer that goes to sleep holds nothing back.
    void take(std::uint32_t before, std::uint32_t next) noexcept {
        if (Options.same_core || (next ^ before) >= chunk_ || next == seen_)
            give_back(next);
        if (!Options.same_core)
            next_ = next;
    }

    void give_back_all() noexcept {
        if (!Options.same_core)
            give_back(next_);
    }

    // Whether the producer's index can be right.
    [[nodiscard]] bool sound() const noexcept {
        return items_between(next(), core_.tail.load(std::memory_order_relaxed)) <= view_.capacity();
    }

  private:
    void give_back(std::uint32_t next) noexcept {
        // Partner: the producer's load in free_space::look(). We have read the slots before it writes over
        // them.
        core_.head.store(next, std::memory_order_release);
    }

    Core& core_;
    [[no_unique_address]] typename Core::storage_type::view_type view_;
    std::uint32_t chunk_;
    std::uint32_t next_; // index of the next item to take
    std::uint32_t seen_; // index up to which items have arrived, as far as we know
    lookahead<slot_type> ahead_;
};

} // namespace noria::inline NORIA_ABI::detail
