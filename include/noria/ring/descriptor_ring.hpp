// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <span>

#include "noria/core/cacheline.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/sync.hpp"
#include "noria/ring/descriptor.hpp"
#include "noria/ring/doorbell.hpp"
#include "noria/ring/index.hpp"
#include "noria/ring/role.hpp"
#include "noria/ring/storage.hpp"

// A one-way ring of descriptors in memory that a driver and its device share. There is no index to poll: a
// bit in each descriptor says whose it is, and means the opposite on every lap, so nobody has to clear it.
// Payload and ownership arrive in one cache line, hence in one hop. The reader says how far it got in a word
// of its own, once a burst, like the consumer index of a completion queue. Two of them, one for posts and one
// for completions, are what NVMe and mlx5 have; where the device answers in the slot that was posted, take
// device_ring.hpp.

namespace noria::inline NORIA_ABI {

struct descriptor_ring_options {
    // Descriptors, any number from 1 to 2^31, or `dynamic`.
    std::uint32_t capacity;
};

// Thread: made, split and destroyed by one thread at a time, as spsc_ring. Memory: the slots and four cache
// lines.
template <phase_descriptor D, descriptor_ring_options Options, class Sync = std_sync>
class basic_descriptor_ring {
    using counter = typename Sync::template atomic<std::uint32_t>;

  public:
    using value_type = D;
    using slot_type = descriptor_slot<D, Sync>;

    class writer;
    class reader;

    struct roles {
        typename basic_descriptor_ring::writer writer;
        typename basic_descriptor_ring::reader reader;
    };

    // `start` is the index that counting begins at: a test puts it just below 2^32.
    explicit basic_descriptor_ring(std::uint32_t start = 0) noexcept
        requires(Options.capacity != dynamic)
        : written_(start), consumed_(start) {
        disown(start);
    }

    // Precondition: slots.size() >= slots_for(capacity), and the slots outlive the ring.
    basic_descriptor_ring(std::span<slot_type> slots, std::uint32_t capacity,
                          std::uint32_t start = 0) noexcept
        requires(Options.capacity == dynamic)
        : storage_(slots, capacity), written_(start), consumed_(start) {
        disown(start);
    }

    basic_descriptor_ring(const basic_descriptor_ring&) = delete;
    basic_descriptor_ring& operator=(const basic_descriptor_ring&) = delete;
    ~basic_descriptor_ring() {
        NORIA_EXPECTS(handles_.load(std::memory_order_relaxed) == 0,
                      "a ring outlives its writer and its reader");
    }

    // The two handles; they carry on where the last pair stopped. Precondition: no handle of this ring is
    // alive.
    [[nodiscard]] roles split() noexcept {
        NORIA_EXPECTS(handles_.load(std::memory_order_relaxed) == 0,
                      "one writer and one reader: drop the old pair");
        return {writer(*this), reader(*this)};
    }

    // Descriptors that fit: exactly what was asked for. Any thread.
    [[nodiscard]] std::uint32_t capacity() const noexcept { return storage_.capacity(); }

  private:
    // Every slot looks as it did a lap before its first use.
    void disown(std::uint32_t start) noexcept {
        const std::uint32_t mask = storage_.mask();
        for (std::uint32_t index = start; index != start + mask + 1; ++index)
            storage_.slots()[index & mask].word.store(owner_at<D>(index, mask) ^ slot_type::owner_bit,
                                                      std::memory_order_relaxed);
    }

    ring_storage<slot_type, Options.capacity> storage_;
    counter handles_{0};                   // alive; touched by split and by the ends of handles only
    counter written_;                      // where the last writer stopped
    alignas(thread_gap) counter consumed_; // written by the reader
};

// Hands descriptors over. Move-only; one thread at a time. Progress: every call is wait-free.
template <phase_descriptor D, descriptor_ring_options Options, class Sync>
class alignas(thread_gap) basic_descriptor_ring<D, Options, Sync>::writer {
  public:
    using value_type = D;

    writer(writer&&) noexcept = default;
    writer& operator=(writer&&) = delete;
    ~writer() {
        if (!hold_)
            return;
        publish();
        written_.store(next_, std::memory_order_relaxed);
    }

    // How many descriptors fit now. Cost: a look at the reader's line, which may be in its cache.
    [[nodiscard]] std::uint32_t space() noexcept {
        watch_.begin();
        const std::uint32_t free = look();
        watch_.end();
        return free;
    }

    // Writes one descriptor behind those not yet published; false where the ring is full. Precondition: its
    // ownership bit is clear.
    [[nodiscard]] bool write(const D& descriptor) noexcept {
        watch_.begin();
        const bool fits = next_ != full_ || look() != 0;
        if (fits)
            store(descriptor);
        watch_.end();
        return fits;
    }

    // Writes as many as fit, in order, and says how many. Precondition: as write().
    [[nodiscard]] std::uint32_t write_burst(std::span<const D> descriptors) noexcept {
        watch_.begin();
        if (full_ - next_ < descriptors.size())
            (void)look();
        const std::uint32_t before = next_;
        for (const D& descriptor : descriptors) {
            if (next_ == full_)
                break;
            store(descriptor);
        }
        watch_.end();
        return next_ - before;
    }

    // Lets the reader see all that was written since the last time, at once, and then rings, if that was
    // anything at all.
    template <doorbell Bell = no_doorbell>
    void publish(const Bell& bell = {}) noexcept {
        watch_.begin();
        if (published_ != next_) {
            // The first ownership word goes out last: a reader that does not see it stops before the rest,
            // and one that does sees everything written before.
            slots_[published_ & mask_].hand_over(first_word_);
            published_ = next_;
            bell.ring(next_);
        }
        watch_.end();
    }

  private:
    friend basic_descriptor_ring;

    explicit writer(basic_descriptor_ring& ring) noexcept
        : hold_(ring.handles_), written_(ring.written_), consumed_(ring.consumed_),
          slots_(ring.storage_.slots()), mask_(ring.storage_.mask()), capacity_(ring.capacity()),
          next_(written_.load(std::memory_order_relaxed)),
          full_(full_index(consumed_.load(std::memory_order_relaxed), capacity_)), published_(next_) {}

    [[nodiscard]] std::uint32_t look() noexcept {
        // Partner: the store in reap(). The reader has read the slots before we write over them.
        const std::uint32_t consumed = consumed_.load(std::memory_order_acquire);
        full_ = full_index(consumed, capacity_);
        return full_ - next_;
    }

    void store(const D& descriptor) noexcept {
        const std::uint32_t bare = slot_type::word_of(descriptor);
        NORIA_EXPECTS((bare & slot_type::owner_bit) == 0,
                      "the ownership bit of a descriptor belongs to the ring: leave it clear");
        const std::uint32_t word = bare | owner_at<D>(next_, mask_);
        slot_type& slot = slots_[next_ & mask_];
        slot.put(descriptor);
        if (next_ == published_)
            first_word_ = word;
        else
            slot.word.store(word, std::memory_order_relaxed); // ordered by the hand-over of the first
        ++next_;
    }

    detail::role_hold<Sync> hold_;
    [[no_unique_address]] detail::role_watch<Sync> watch_;
    counter& written_;
    const counter& consumed_;
    slot_type* slots_;
    std::uint32_t mask_;
    std::uint32_t capacity_;
    std::uint32_t next_;      // index of the next descriptor to write
    std::uint32_t full_;      // index that may not be written, as far as we know
    std::uint32_t published_; // index up to which the reader may look
    std::uint32_t first_word_ = 0;
};

// Takes descriptors off. Move-only; one thread at a time. Progress: every call is wait-free.
template <phase_descriptor D, descriptor_ring_options Options, class Sync>
class alignas(thread_gap) basic_descriptor_ring<D, Options, Sync>::reader {
  public:
    using value_type = D;

    reader(reader&&) noexcept = default;
    reader& operator=(reader&&) = delete;

    // Copies out the descriptors that are ours, in order, at most descriptors.size() of them; their ownership
    // bits come out clear. An empty ring costs a look at one cache line and no store.
    [[nodiscard]] std::uint32_t reap(std::span<D> descriptors) noexcept {
        watch_.begin();
        const std::uint32_t most =
            descriptors.size() <= mask_ ? static_cast<std::uint32_t>(descriptors.size()) : mask_ + 1;
        const std::uint32_t count = detail::handed_over(slots_, next_, most, mask_);
        for (std::uint32_t i = 0; i != count; ++i)
            slots_[(next_ + i) & mask_].take(descriptors[i]);
        if (count != 0) {
            const std::uint32_t next = next_ + count;
            // Partner: the load in look(). We have read the slots before the writer writes over them.
            consumed_.store(next, std::memory_order_release);
            next_ = next;
        }
        watch_.end();
        return count;
    }

  private:
    friend basic_descriptor_ring;

    explicit reader(basic_descriptor_ring& ring) noexcept
        : hold_(ring.handles_), consumed_(ring.consumed_), slots_(ring.storage_.slots()),
          mask_(ring.storage_.mask()), next_(consumed_.load(std::memory_order_relaxed)) {}

    detail::role_hold<Sync> hold_;
    [[no_unique_address]] detail::role_watch<Sync> watch_;
    counter& consumed_;
    slot_type* slots_;
    std::uint32_t mask_;
    std::uint32_t next_; // index of the next descriptor to look for
};

// The ring as programs name it.
template <phase_descriptor D, descriptor_ring_options Options>
using descriptor_ring = basic_descriptor_ring<D, Options>;

} // namespace noria::inline NORIA_ABI
