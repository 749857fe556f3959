// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "noria/core/cacheline.hpp"
#include "noria/core/sync.hpp"
#include "noria/ring/index.hpp"

// How the slots of a ring with one producer and one consumer go round: the producer learns which are free and
// asks for their lines ahead, the consumer gives them back in chunks. Both halves of that bargain are here;
// how the consumer learns that a slot is full is each ring's own affair.

namespace noria::inline NORIA_ABI::detail {

template <class Slot>
inline constexpr std::uint32_t slots_per_line =
    sizeof(Slot) < cache_line ? static_cast<std::uint32_t>(std::bit_floor(cache_line / sizeof(Slot))) : 1;

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

    // Calls hint(index) for each line between `next`, what lies before being the other side's again, and
    // `limit`, that has not been asked for.
    template <class Hint>
    void reach(std::uint32_t next, std::uint32_t limit, Hint&& hint) noexcept {
        if (before(asked_, next))
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

// The producer's half: where it writes next, and how far it may go. Lives in a handle; one thread at a time.
// `Doubting`: the consumer's index may be nonsense.
template <class Slot, class Sync, bool Doubting = false>
class free_space {
  public:
    using index = typename Sync::template atomic<std::uint32_t>;

    free_space(const index& head, Slot* slots, std::uint32_t mask, std::uint32_t capacity,
               std::uint32_t lines, std::uint32_t start) noexcept
        : head_(head), slots_(slots), mask_(mask), capacity_(capacity), next_(start), full_(start),
          ahead_(lines, capacity, start) {}

    [[nodiscard]] std::uint32_t next() const noexcept { return next_; }
    [[nodiscard]] std::uint32_t mask() const noexcept { return mask_; }
    [[nodiscard]] Slot* slots() const noexcept { return slots_; }
    [[nodiscard]] bool at_new_line() const noexcept { return next_ % slots_per_line<Slot> == 0; }

    // The free slots, looked up where fewer than `wanted` are known of.
    [[nodiscard]] std::uint32_t room(std::uint32_t wanted) noexcept {
        if (full_ - next_ < wanted) {
            // Partner: the consumer's store in used_space::give_back(). What it read there is read before we
            // write over it.
            const std::uint32_t head = head_.load(std::memory_order_acquire);
            const std::uint32_t full = full_index(head, capacity_);
            if (full == next_ || (Doubting && full - next_ > capacity_))
                return 0; // a poll that fails writes nothing, not even what only we read
            full_ = full;
        }
        return full_ - next_;
    }

    // The same, with the lines of the next `count` slots and of the window behind them asked for, as far as
    // they are known to be free. The look-up is due when the window runs short, not when the ring is full:
    // that would be too late.
    [[nodiscard]] std::uint32_t prepare(std::uint32_t count) noexcept {
        const std::uint32_t wanted = (count < capacity_ ? count : capacity_) + ahead_.window();
        const std::uint32_t free = room(wanted);
        if (ahead_.window() != 0)
            ahead_.reach(next_, next_ + (free < wanted ? free : wanted),
                         [this](std::uint32_t i) { Sync::prefetch_write(&slots_[i & mask_]); });
        return free;
    }

    // Whether the consumer's index can be right.
    [[nodiscard]] bool sound() const noexcept {
        return items_between(head_.load(std::memory_order_relaxed), next_) <= capacity_;
    }

    // After the publication, which the other side waits for.
    void advance_to(std::uint32_t next) noexcept { next_ = next; }

  private:
    const index& head_;
    Slot* slots_;
    std::uint32_t mask_;
    std::uint32_t capacity_;
    std::uint32_t next_; // index of the next slot to write
    std::uint32_t full_; // index that may not be written, as far as we know
    lookahead<Slot> ahead_;
};

// The consumer's half: where it reads next, and what it has not yet given back. As above.
template <class Slot, class Sync>
class used_space {
  public:
    using index = typename Sync::template atomic<std::uint32_t>;

    used_space(index& head, Slot* slots, std::uint32_t mask, std::uint32_t capacity, std::uint32_t chunk,
               std::uint32_t lines) noexcept
        : head_(head), slots_(slots), mask_(mask), chunk_(chunk != 0 ? chunk : capacity / 8),
          next_(head.load(std::memory_order_relaxed)), returned_(next_), ahead_(lines, capacity, next_) {}

    [[nodiscard]] std::uint32_t next() const noexcept { return next_; }
    [[nodiscard]] std::uint32_t mask() const noexcept { return mask_; }
    [[nodiscard]] Slot* slots() const noexcept { return slots_; }

    // Asks for the lines of the next `count` items and of the window behind them, as far as they have
    // arrived.
    void look_ahead(std::uint32_t count, std::uint32_t arrived) noexcept {
        if (ahead_.window() == 0)
            return;
        const std::uint32_t wanted = count + ahead_.window();
        ahead_.reach(next_, next_ + (arrived < wanted ? arrived : wanted),
                     [this](std::uint32_t i) { Sync::prefetch_read(&slots_[i & mask_]); });
    }

    // Slots go back in chunks, so that the producer's look at our index finds many; and all of them with the
    // `last` item we know of, so that a consumer that goes to sleep holds nothing back.
    void take(std::uint32_t count, std::uint32_t last) noexcept {
        const std::uint32_t next = next_ + count;
        if (next - returned_ >= chunk_ || next == last)
            give_back(next);
        next_ = next;
    }

    void give_back_all() noexcept {
        if (returned_ != next_)
            give_back(next_);
    }

  private:
    void give_back(std::uint32_t next) noexcept {
        // Partner: the producer's load in free_space::room(). We have read the slots before it writes over
        // them.
        head_.store(next, std::memory_order_release);
        returned_ = next;
    }

    index& head_;
    Slot* slots_;
    std::uint32_t mask_;
    std::uint32_t chunk_;
    std::uint32_t next_;     // index of the next item to take
    std::uint32_t returned_; // index up to which slots have gone back
    lookahead<Slot> ahead_;
};

} // namespace noria::inline NORIA_ABI::detail
