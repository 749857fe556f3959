// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/core/cacheline.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/sync.hpp"
#include "noria/ring/burst.hpp"
#include "noria/ring/descriptor.hpp"
#include "noria/ring/index.hpp"
#include "noria/ring/role.hpp"
#include "noria/ring/space.hpp"
#include "noria/ring/storage.hpp"

// A queue of descriptors from one thread to one other, for those who wait for each single one. In an index
// ring a consumer that has run dry needs two lines of the producer's, the index and then the slot. Here a bit
// in the descriptor says whose it is, so one line is enough; that is what a device does, too. But who polls
// slots reads into lines that are just being written, and slows the writer down. So there is an index as
// well, a hint: as long as it shows that there is plenty, the bits need no look and the consumer stays
// behind.
//
//   template <> struct noria::descriptor_traits<completion> { // where the bit may lie: descriptor.hpp
//       static constexpr std::size_t word_offset = offsetof(completion, length);
//   };
//   hybrid_ring<completion, {.capacity = 1024}> ring;
//   auto [producer, consumer] = ring.split();

namespace noria::inline NORIA_ABI {

struct hybrid_options {
    // Descriptors, any number from 1 to 2^31, or `dynamic`.
    std::uint32_t capacity;
    // As in spsc_options.
    std::uint32_t write_prefetch_lines = 16;
    std::uint32_t read_prefetch_lines = 16;
    std::uint32_t return_chunk = 0;
};

// Thread: made, split and destroyed by one thread at a time, as spsc_ring. Memory: the slots and four cache
// lines.
template <phase_descriptor D, hybrid_options Options, class Sync = std_sync>
class basic_hybrid_ring {
  public:
    using value_type = D;
    using slot_type = descriptor_slot<D, Sync>;

    class producer;
    class consumer;

    struct roles {
        typename basic_hybrid_ring::producer producer;
        typename basic_hybrid_ring::consumer consumer;
    };

    // `start` is the index that counting begins at: a test puts it just below 2^32.
    explicit basic_hybrid_ring(std::uint32_t start = 0) noexcept
        requires(Options.capacity != dynamic)
        : core_(start) {
        disown(start);
    }

    // Precondition: slots.size() >= slots_for(capacity), and the slots outlive the ring.
    basic_hybrid_ring(std::span<slot_type> slots, std::uint32_t capacity, std::uint32_t start = 0) noexcept
        requires(Options.capacity == dynamic)
        : core_(slots, capacity, start) {
        disown(start);
    }

    basic_hybrid_ring(const basic_hybrid_ring&) = delete;
    basic_hybrid_ring& operator=(const basic_hybrid_ring&) = delete;
    ~basic_hybrid_ring() {
        NORIA_EXPECTS(core_.taken.load(std::memory_order_relaxed) == 0,
                      "a ring outlives its producer and its consumer");
    }

    // The two handles; they carry on where the last pair stopped. Precondition: no handle of this ring is
    // alive.
    [[nodiscard]] roles split() noexcept {
        NORIA_EXPECTS(core_.taken.load(std::memory_order_relaxed) == 0,
                      "one producer and one consumer: drop the old pair");
        return {producer(*this), consumer(*this)};
    }

    // Descriptors that fit: exactly what was asked for. Any thread.
    [[nodiscard]] std::uint32_t capacity() const noexcept { return core_.storage.capacity(); }

  private:
    using core_type = detail::ring_core<slot_type, Options.capacity, Sync>;

    // Every slot looks as it did a lap before its first use.
    void disown(std::uint32_t start) noexcept {
        const std::uint32_t mask = core_.storage.mask();
        for (std::uint32_t index = start; index != start + mask + 1; ++index)
            core_.storage.slots()[index & mask].word.store(owner_at<D>(index, mask) ^ slot_type::owner_bit,
                                                           std::memory_order_relaxed);
    }

    core_type core_; // the tail is the hint
};

// Puts descriptors in. Move-only; one thread at a time. Progress: every call is wait-free. Cost: as
// spsc_ring's.
template <phase_descriptor D, hybrid_options Options, class Sync>
class alignas(thread_gap) basic_hybrid_ring<D, Options, Sync>::producer {
  public:
    using value_type = D;

    producer(producer&&) noexcept = default;
    producer& operator=(producer&&) = delete;

    // Puts one descriptor in; false where the ring is full. Precondition: its ownership bit is clear.
    [[nodiscard]] bool try_push(const D& descriptor) noexcept {
        watch_.begin();
        const std::uint32_t next = space_.next();
        const bool fits = space_.has_room(next);
        if (fits) {
            space_.at(next).hand_over(fill(descriptor, next));
            space_.publish_one(next + 1); // the index
        }
        watch_.end();
        return fits;
    }

    // Puts in as many as fit, in order, and says how many. The consumer sees none of them before all are
    // there. Precondition: as try_push().
    [[nodiscard]] std::uint32_t push_burst(std::span<const D> descriptors) noexcept {
        watch_.begin();
        const std::uint32_t wanted = detail::burst_size(descriptors.size());
        const std::uint32_t free = space_.prepare(space_.next(), wanted);
        const std::uint32_t count = free < wanted ? free : wanted;
        if (count != 0)
            publish(descriptors.first(count));
        watch_.end();
        return count;
    }

  private:
    friend basic_hybrid_ring;

    explicit producer(basic_hybrid_ring& ring) noexcept
        : claim_(ring.core_.taken, detail::role::producer), space_(ring.core_, Options.write_prefetch_lines) {
    }

    [[nodiscard]] std::uint32_t fill(const D& descriptor, std::uint32_t index) noexcept {
        const std::uint32_t bare = slot_type::word_of(descriptor);
        NORIA_EXPECTS((bare & slot_type::owner_bit) == 0,
                      "the ownership bit of a descriptor belongs to the ring: leave it clear");
        space_.at(index).put(descriptor);
        return bare | owner_at<D>(index, space_.mask());
    }

    // The words behind the first go out unordered: no one looks at them before he has seen the first, or the
    // index.
    void publish(std::span<const D> descriptors) noexcept {
        const std::uint32_t begin = space_.next();
        const std::uint32_t first = fill(descriptors[0], begin);
        std::uint32_t next = begin + 1;
        for (const D& descriptor : descriptors.subspan(1)) {
            const std::uint32_t word = fill(descriptor, next);
            space_.at(next).word.store(word, std::memory_order_relaxed);
            ++next;
        }
        space_.at(begin).hand_over(first);
        space_.publish_burst(next); // the index
    }

    detail::role_claim<Sync> claim_;
    [[no_unique_address]] detail::role_watch<Sync> watch_;
    detail::free_space<core_type> space_;
};

// Takes descriptors out. Move-only; one thread at a time. Progress: every call is wait-free. Cost: as
// spsc_ring's, but a consumer that waits sees a descriptor one line's way earlier.
template <phase_descriptor D, hybrid_options Options, class Sync>
class alignas(thread_gap) basic_hybrid_ring<D, Options, Sync>::consumer {
  public:
    using value_type = D;

    consumer(consumer&&) noexcept = default;
    consumer& operator=(consumer&&) = delete;
    ~consumer() {
        if (claim_)
            space_.give_back_all();
    }

    // Takes one descriptor out, its ownership bit clear. False where the ring is empty: the argument is then
    // as it was.
    [[nodiscard]] bool try_pop(D& descriptor) noexcept {
        watch_.begin();
        const bool any = space_.known() != 0 || look(1) != 0;
        if (any) {
            const std::uint32_t next = space_.next();
            space_.at(next).take(descriptor);
            space_.take(next, next + 1);
        }
        watch_.end();
        return any;
    }

    // Takes out as many as have come and fit, in order, and says how many.
    [[nodiscard]] std::uint32_t pop_burst(std::span<D> descriptors) noexcept {
        watch_.begin();
        const std::uint32_t wanted = detail::burst_size(descriptors.size());
        const std::uint32_t arrived = space_.known() < wanted ? look(wanted) : space_.known();
        const std::uint32_t count = arrived < wanted ? arrived : wanted;
        space_.look_ahead(space_.next(), count, arrived);
        for (std::uint32_t i = 0; i != count; ++i)
            space_.at(space_.next() + i).take(descriptors[i]);
        if (count != 0)
            space_.take(space_.next(), space_.next() + count);
        watch_.end();
        return count;
    }

  private:
    friend basic_hybrid_ring;

    explicit consumer(basic_hybrid_ring& ring) noexcept
        : claim_(ring.core_.taken, detail::role::consumer),
          space_(ring.core_, Options.read_prefetch_lines, Options.return_chunk) {}

    [[nodiscard]] bool arrived(std::uint32_t index) const noexcept {
        return space_.at(index).is_handed_over(owner_at<D>(index, space_.mask()));
    }

    // Whether there is more to ask the index for, by what lies in the line that we have anyway: who waits for
    // each single descriptor never asks.
    [[nodiscard]] bool more_in_line(std::uint32_t index) const noexcept {
        return (index + 1) % detail::slots_per_line<slot_type> != 0 && arrived(index + 1);
    }

    // The descriptors that have arrived, where fewer than `wanted` are known of.
    [[nodiscard]] std::uint32_t look(std::uint32_t wanted) noexcept {
        const std::uint32_t next = space_.next();
        std::uint32_t seen = next + space_.known();
        if (seen == next) {
            if (!arrived(next))
                return 0; // a poll that fails writes nothing, not even what only we read
            ++seen;
        }
        if (wanted != 1 || more_in_line(next)) {
            const std::uint32_t tail = space_.look();
            if (before(seen, tail)) // it may be behind the bits
                seen = tail;
        }
        space_.learn(seen);
        return seen - next;
    }

    detail::role_claim<Sync> claim_;
    [[no_unique_address]] detail::role_watch<Sync> watch_;
    detail::used_space<core_type> space_;
};

// The ring as programs name it.
template <phase_descriptor D, hybrid_options Options>
using hybrid_ring = basic_hybrid_ring<D, Options>;

} // namespace noria::inline NORIA_ABI
