// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "noria/core/cacheline.hpp"
#include "noria/core/sync.hpp"
#include "noria/ring/concepts.hpp"
#include "noria/ring/role.hpp"
#include "noria/ring/spsc_ring.hpp"
#include "noria/ring/token.hpp"

// Many producers, one consumer, and nothing that two producers write: each has a ring of its own, and the
// consumer goes round.
//
//   fan_in<descriptor, {.producers = 4, .ring = {.capacity = 1024}}> wheel;
//   auto [producers, consumer] = wheel.split();
//
// Which rings are worth a look? The consumer knows most of them itself: a ring that gave something of late is
// looked at whenever its turn comes. One that gave nothing for a while is put to rest, and its producer, who
// notices with the next push, rings a bell: it sets the ring's bit in a bitmap, once.
//
// The bell may be missed. A push stores, then looks whether its ring rests; putting to rest stores, then
// looks for items; and a store may still be on its way while the look behind it is done, so both may miss the
// other. Only a locked instruction in every push would rule that out, which costs ten times the push. So no
// item depends on the bell. A consumer that would say "empty" looks at every ring first, and one that is busy
// looks at those at rest every now and then: it is only the lateness that the bell saves.

namespace noria::inline NORIA_ABI {

struct fan_in_options {
    // How many producers there are, each with a ring.
    std::uint32_t producers;
    // What each of the rings is like.
    spsc_options ring;
    // Items that are taken from one ring before the next has its turn.
    std::uint32_t budget = 64;
    // Turns after which a ring that gave nothing meanwhile is put to rest, and those at rest are looked at.
    std::uint32_t turns_to_rest = 64;
};

// Order: first in, first out for each producer; none between producers. Thread: as spsc_ring. Memory: the
// rings and two cache lines for each; nothing is allocated.
template <ring_element T, fan_in_options Options, class Sync = std_sync>
class basic_fan_in {
    static_assert(Options.producers != 0 && Options.budget != 0 && Options.turns_to_rest != 0,
                  "a fan_in has a producer, a budget and a number of turns of at least one");
    static_assert(Options.ring.capacity != dynamic, "the rings of a fan_in keep their slots themselves");

    template <class Word>
    using atomic = typename Sync::template atomic<Word>;
    using ring_type = basic_spsc_ring<T, Options.ring, Sync>;
    static constexpr std::uint32_t rings = Options.producers;
    static constexpr std::uint32_t words = (rings + 63) / 64;

  public:
    using value_type = T;
    using slot_type = typename ring_type::slot_type;

    class producer;
    class consumer;

    struct roles {
        std::array<typename basic_fan_in::producer, rings> producers;
        typename basic_fan_in::consumer consumer;
    };

    // `start` is the index that counting begins at: a test puts it just below 2^32.
    explicit basic_fan_in(std::uint32_t start = 0) noexcept
        : basic_fan_in(start, std::make_index_sequence<rings>()) {}

    // A handle for each ring, and the consumer's; they carry on where the last ones stopped. Precondition: no
    // handle of this fan_in is alive.
    [[nodiscard]] roles split() noexcept { return split(std::make_index_sequence<rings>()); }

    // Items that fit into each ring: exactly what was asked for. Any thread.
    [[nodiscard]] static constexpr std::uint32_t capacity() noexcept { return Options.ring.capacity; }

  private:
    struct lane {
        explicit lane(std::uint32_t start) noexcept : ring(start) {}

        ring_type ring;
        alignas(thread_gap) atomic<std::uint32_t> rests{0}; // how often the consumer put the ring to rest
    };

    template <std::size_t... I>
    basic_fan_in(std::uint32_t start, std::index_sequence<I...>) noexcept
        : lanes_{lane((static_cast<void>(I), start))...} {}

    template <std::size_t... I>
    [[nodiscard]] roles split(std::index_sequence<I...>) noexcept {
        typename ring_type::roles parts[] = {lanes_[I].ring.split()...};
        return {{producer(*this, I, std::move(parts[I].producer))...},
                consumer(*this, std::move(parts[I].consumer)...)};
    }

    lane lanes_[rings];
    atomic<std::uint64_t> bells_[words]{}; // set by producers, cleared by the consumer
};

// Puts items into one of the rings. Move-only; one thread at a time. Progress: every call is wait-free. Cost:
// as a push into spsc_ring and one load more; the push that ends a ring's rest has a locked instruction.
template <ring_element T, fan_in_options Options, class Sync>
class basic_fan_in<T, Options, Sync>::producer {
    using ring_producer = typename ring_type::producer;

  public:
    using value_type = T;
    using slot_type = ring_slot<T, Sync>;
    using sync_type = Sync;

    // As reserve_token of the ring.
    class [[nodiscard("a reservation that is dropped publishes nothing")]] reservation {
      public:
        [[nodiscard]] auto first() const noexcept { return token_.first(); }
        [[nodiscard]] auto second() const noexcept { return token_.second(); }
        [[nodiscard]] std::uint32_t size() const noexcept { return token_.size(); }
        void commit(std::uint32_t count) noexcept {
            token_.commit(count);
            if (count != 0)
                producer_->ring_the_bell();
        }

      private:
        friend producer;
        reservation(producer* owner, reserve_token<ring_producer> token) noexcept
            : producer_(owner), token_(std::move(token)) {}

        producer* producer_;
        reserve_token<ring_producer> token_;
    };

    // As the calls of spsc_ring's producer.
    [[nodiscard]] reservation reserve(std::uint32_t count) noexcept { return {this, ring_.reserve(count)}; }
    [[nodiscard]] reservation reserve_exact(std::uint32_t count) noexcept {
        return {this, ring_.reserve_exact(count)};
    }
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
    friend basic_fan_in;

    producer(basic_fan_in& owner, std::size_t index, ring_producer&& ring) noexcept
        : ring_(std::move(ring)), bells_(owner.bells_[index / 64]), rests_(owner.lanes_[index].rests),
          bit_(std::uint64_t{1} << index % 64), seen_(rests_.load(std::memory_order_relaxed) - 1) {}

    template <class Item>
    [[nodiscard]] bool push(Item&& item) noexcept {
        const bool fits = ring_.try_push(std::forward<Item>(item));
        if (fits)
            ring_the_bell();
        return fits;
    }

    // Relaxed: the items are ordered by their ring, and the bell is a hint.
    void ring_the_bell() noexcept {
        const std::uint32_t rests = rests_.load(std::memory_order_relaxed);
        if (rests != seen_) {
            bells_.fetch_or(bit_, std::memory_order_relaxed);
            seen_ = rests;
        }
    }

    ring_producer ring_;
    atomic<std::uint64_t>& bells_;
    const atomic<std::uint32_t>& rests_;
    std::uint64_t bit_;
    std::uint32_t seen_; // the rest that the bell was last rung for
};

// Takes items out of all the rings. Move-only; one thread at a time. Progress: every call is wait-free.
// Cost: as a pop from spsc_ring; where the turn passes on, a look at each ring on the way, and where all are
// empty, at every ring.
template <ring_element T, fan_in_options Options, class Sync>
class basic_fan_in<T, Options, Sync>::consumer {
    using ring_consumer = typename ring_type::consumer;

  public:
    using value_type = T;
    using slot_type = ring_slot<T, Sync>;
    using sync_type = Sync;
    static constexpr bool peeks_in_parts = true; // ring by ring

    // Items of one ring, at most `count` and at most what is left of its budget; an offer counts against the
    // budget, taken or not. None means that every ring was seen empty. Called again, it goes on with the same
    // ring as long as that has what is asked for, then with the next: drain() visits all.
    [[nodiscard]] peek_token<ring_consumer> peek(std::uint32_t count) noexcept {
        watch_.begin();
        const bool any = (has_items(current_) && left_ != 0) || pass_on();
        auto token = rings_[current_].peek(!any ? 0 : count < left_ ? count : left_);
        if (any)
            left_ = token.size() < count ? 0 : left_ - count;
        watch_.end();
        return token;
    }

    // Takes one item out. False where every ring is empty: the argument is then as it was.
    [[nodiscard]] bool try_pop(T& item) noexcept
        requires plain_element<T> || std::is_nothrow_move_assignable_v<T>
    {
        watch_.begin();
        const bool done =
            (left_ != 0 && rings_[current_].try_pop(item)) || (pass_on() && rings_[current_].try_pop(item));
        if (done)
            --left_;
        watch_.end();
        return done;
    }

  private:
    friend basic_fan_in;

    template <class... Rings>
    explicit consumer(basic_fan_in& owner, Rings&&... parts) noexcept
        : owner_(&owner), rings_{std::move(parts)...} {}

    [[nodiscard]] bool has_items(std::uint32_t ring) noexcept { return rings_[ring].peek(1).size() != 0; }

    // Gives the turn to the next ring that has something, the current one being the last in question.
    [[nodiscard]] bool pass_on() noexcept {
        (void)has_items(current_); // where a token is open, it is this ring's: checked mode sees it here
        if (turns_ >= Options.turns_to_rest)
            put_to_rest();
        for (std::uint32_t word = 0; word < words; ++word)
            if (owner_->bells_[word].load(std::memory_order_relaxed) != 0)
                awake_[word] |= owner_->bells_[word].exchange(0, std::memory_order_relaxed);
        return next_awake() || (look_at_rest() && next_awake());
    }

    [[nodiscard]] bool next_awake() noexcept {
        const std::uint32_t home = current_ / 64;
        const std::uint64_t up_to_current = ~std::uint64_t{0} >> (63 - current_ % 64);
        for (std::uint32_t step = 0; step <= words; ++step) {
            const std::uint32_t word = (home + step) % words;
            std::uint64_t due = awake_[word];
            if (step == 0)
                due &= ~up_to_current;
            if (step == words)
                due &= up_to_current;
            for (; due != 0; due &= due - 1) {
                const std::uint32_t ring = 64 * word + static_cast<std::uint32_t>(std::countr_zero(due));
                if (has_items(ring)) {
                    fed_[word] |= due & (0 - due);
                    current_ = ring;
                    left_ = Options.budget;
                    ++turns_;
                    return true;
                }
            }
        }
        return false;
    }

    // Wakes the rings at rest that have something, bell or no bell; says whether there are any.
    bool look_at_rest() noexcept {
        bool found = false;
        for (std::uint32_t ring = 0; ring < rings; ++ring) {
            const std::uint64_t bit = std::uint64_t{1} << ring % 64;
            if ((awake_[ring / 64] & bit) == 0 && has_items(ring)) {
                awake_[ring / 64] |= bit;
                found = true;
            }
        }
        return found;
    }

    void put_to_rest() noexcept {
        turns_ = 0;
        for (std::uint32_t word = 0; word < words; ++word) {
            for (std::uint64_t idle = awake_[word] & ~fed_[word]; idle != 0; idle &= idle - 1) {
                auto& rests =
                    owner_->lanes_[64 * word + static_cast<std::uint32_t>(std::countr_zero(idle))].rests;
                rests.store(rests.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
            }
            awake_[word] = std::exchange(fed_[word], 0);
        }
        look_at_rest();
    }

    basic_fan_in* owner_;
    [[no_unique_address]] detail::role_watch<Sync> watch_;
    std::uint32_t current_ = 0;    // the ring whose turn it is
    std::uint32_t left_ = 0;       // of its budget
    std::uint32_t turns_ = 0;      // since rings were last put to rest
    std::uint64_t awake_[words]{}; // the rings that are looked at
    std::uint64_t fed_[words]{};   // those that had a turn since rings were last put to rest
    std::array<ring_consumer, rings> rings_;
};

// The fan-in as programs name it.
template <ring_element T, fan_in_options Options>
using fan_in = basic_fan_in<T, Options>;

} // namespace noria::inline NORIA_ABI
