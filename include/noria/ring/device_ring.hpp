// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
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

// One ring for both directions, as the queues of Intel's network cards are: the driver posts a descriptor,
// and the device answers in the same slot. The two formats of D share its bytes, posted and completed.
//
//   ... free | completed ... with the device | written, not published | free ...
//            ^ next_to_clean                 ^ next_to_post           ^ next_to_use
//
// The tail tells the device what is posted, the ownership bit tells the driver what is completed; no index
// comes back. The driver trusts no bit beyond what it has posted, and takes each slot once a lap: whatever
// the device writes, a post is handed back at most once, in order, and nothing outside the slots is read. A
// phase also tells a completion of the lap before from one of this lap; a done bit cannot.

namespace noria::inline NORIA_ABI {

struct device_ring_options {
    // Descriptors, any number from 1 to 2^31, or `dynamic`. For a device that takes head == tail for empty:
    // one less than its slots.
    std::uint32_t capacity;
    // The device writes back each so-manyth descriptor it completes, and the driver takes that for a report
    // on all before it, too. More than 1 saves lines where the completion says nothing but "done", as on
    // transmit.
    std::uint32_t report_every = 1;
};

// Thread: made, split and destroyed by one thread at a time, as spsc_ring. Memory: the slots and four cache
// lines.
template <owned_descriptor D, device_ring_options Options, class Sync = std_sync>
class basic_device_ring {
    using counter = typename Sync::template atomic<std::uint32_t>;

  public:
    using value_type = D;
    using slot_type = descriptor_slot<D, Sync>;

    class driver;
    class device;

    struct roles {
        typename basic_device_ring::driver driver;
        typename basic_device_ring::device device;
    };

    // `start` is the index that counting begins at: a test puts it just below 2^32.
    explicit basic_device_ring(std::uint32_t start = 0) noexcept
        requires(Options.capacity != dynamic)
        : cleaned_(start), completed_(start), tail_(start) {}

    // Precondition: slots.size() >= slots_for(capacity), and the slots outlive the ring.
    basic_device_ring(std::span<slot_type> slots, std::uint32_t capacity, std::uint32_t start = 0) noexcept
        requires(Options.capacity == dynamic)
        : storage_(slots, capacity), cleaned_(start), completed_(start), tail_(start) {}

    basic_device_ring(const basic_device_ring&) = delete;
    basic_device_ring& operator=(const basic_device_ring&) = delete;
    ~basic_device_ring() {
        NORIA_EXPECTS(handles_.load(std::memory_order_relaxed) == 0,
                      "a ring outlives its driver and its device");
    }

    // The two handles; they carry on where the last pair stopped, and what the device had fetched and not
    // completed it fetches again. A device in hardware leaves its handle unused. Precondition: no handle of
    // this ring is alive.
    [[nodiscard]] roles split() noexcept {
        NORIA_EXPECTS(handles_.load(std::memory_order_relaxed) == 0,
                      "one driver and one device: drop the old pair");
        return {driver(*this), device(*this)};
    }

    // Descriptors that fit: exactly what was asked for. Any thread.
    [[nodiscard]] std::uint32_t capacity() const noexcept { return storage_.capacity(); }
    // Where they lie, for a device that has to be told.
    [[nodiscard]] const slot_type* slots() noexcept { return storage_.slots(); }

  private:
    static_assert(Options.report_every != 0, "the device reports every descriptor (1) or fewer");

    ring_storage<slot_type, Options.capacity> storage_;
    counter handles_{0};               // alive; touched by split and by the ends of handles only
    counter cleaned_;                  // where the last driver stopped
    counter completed_;                // where the last device stopped
    alignas(thread_gap) counter tail_; // written by the driver
};

// Posts descriptors and takes the completed ones back. Move-only; one thread at a time. Progress: every call
// is wait-free. Cost: posting reads nothing that the device writes.
template <owned_descriptor D, device_ring_options Options, class Sync>
class alignas(thread_gap) basic_device_ring<D, Options, Sync>::driver {
  public:
    using value_type = D;

    driver(driver&&) noexcept = default;
    driver& operator=(driver&&) = delete;
    ~driver() {
        if (!hold_)
            return;
        publish();
        cleaned_.store(next_to_clean_, std::memory_order_relaxed);
    }

    // How many descriptors can be posted now; what is reaped makes room.
    [[nodiscard]] std::uint32_t space() const noexcept {
        return full_index(next_to_clean_, capacity_) - next_to_use_;
    }

    // Writes one descriptor behind those not yet published; false where the ring is full. Precondition: its
    // ownership bit is clear.
    [[nodiscard]] bool post(const D& descriptor) noexcept { return post_burst({&descriptor, 1}) != 0; }

    // Writes as many as fit, in order, and says how many. Precondition: as post().
    [[nodiscard]] std::uint32_t post_burst(std::span<const D> descriptors) noexcept {
        watch_.begin();
        const std::uint32_t count =
            descriptors.size() < space() ? static_cast<std::uint32_t>(descriptors.size()) : space();
        for (const D& descriptor : descriptors.first(count)) {
            const std::uint32_t bare = slot_type::word_of(descriptor);
            NORIA_EXPECTS((bare & slot_type::owner_bit) == 0,
                          "the ownership bit of a descriptor belongs to the ring: leave it clear");
            const std::uint32_t not_done = owner_at<D>(next_to_use_, mask_) ^ slot_type::owner_bit;
            slot_type& slot = slots_[next_to_use_ & mask_];
            slot.put(descriptor);
            slot.word.store(bare | not_done, std::memory_order_relaxed); // ordered by the tail
            ++next_to_use_;
        }
        watch_.end();
        return count;
    }

    // Lets the device see all that was posted since the last time, at once, and then rings, if that was
    // anything at all.
    template <doorbell Bell = no_doorbell>
    void publish(const Bell& bell = {}) noexcept {
        watch_.begin();
        if (next_to_post_ != next_to_use_) {
            // Partner: the load in fetch(). The descriptors are written before the device reads them.
            tail_.store(next_to_use_, std::memory_order_release);
            next_to_post_ = next_to_use_;
            bell.ring(next_to_use_);
        }
        watch_.end();
    }

    // Copies out the descriptors that are completed, in the order of the posts, at most descriptors.size() of
    // them: as the device wrote them back, or, where it reports on several at once, as they were posted.
    // Ownership bits come out clear. No news costs a look at as many ownership words as one report may be
    // on, and no store.
    [[nodiscard]] std::uint32_t reap(std::span<D> descriptors) noexcept {
        watch_.begin();
        std::uint32_t count = 0;
        while (count != descriptors.size() && (next_to_clean_ != reported_ || look())) {
            slots_[next_to_clean_ & mask_].take(descriptors[count]);
            ++next_to_clean_;
            ++count;
        }
        watch_.end();
        return count;
    }

  private:
    friend basic_device_ring;

    explicit driver(basic_device_ring& ring) noexcept
        : hold_(ring.handles_), cleaned_(ring.cleaned_), tail_(ring.tail_), slots_(ring.storage_.slots()),
          mask_(ring.storage_.mask()), capacity_(ring.capacity()),
          next_to_use_(tail_.load(std::memory_order_relaxed)),
          next_to_clean_(cleaned_.load(std::memory_order_relaxed)), next_to_post_(next_to_use_),
          reported_(next_to_clean_) {}

    // Looks for reports on what is with the device; false where there is none.
    [[nodiscard]] bool look() noexcept {
        const std::uint32_t open = next_to_post_ - reported_;
        std::uint32_t found = 0;
        if constexpr (Options.report_every == 1) {
            found = detail::handed_over(slots_, reported_, open, mask_);
        } else {
            // The next report is due here at the latest; one that came early lies before.
            found = open < Options.report_every ? open : Options.report_every;
            while (found != 0) {
                const std::uint32_t last = reported_ + found - 1;
                if (slots_[last & mask_].is_handed_over(owner_at<D>(last, mask_)))
                    break;
                --found;
            }
        }
        if (found == 0)
            return false;
        reported_ += found;
        return true;
    }

    detail::role_hold<Sync> hold_;
    [[no_unique_address]] detail::role_watch<Sync> watch_;
    counter& cleaned_;
    counter& tail_;
    slot_type* slots_;
    std::uint32_t mask_;
    std::uint32_t capacity_;
    std::uint32_t next_to_use_;   // index of the next descriptor to write
    std::uint32_t next_to_clean_; // index of the next descriptor to take back
    std::uint32_t next_to_post_;  // index up to which the device knows of posts
    std::uint32_t reported_;      // index up to which the device has reported, as far as we know
};

// What hardware does, for a device in software. Move-only; one thread at a time. Progress: every call is
// wait-free.
template <owned_descriptor D, device_ring_options Options, class Sync>
class alignas(thread_gap) basic_device_ring<D, Options, Sync>::device {
  public:
    using value_type = D;

    device(device&&) noexcept = default;
    device& operator=(device&&) = delete;
    ~device() {
        if (!hold_)
            return;
        report();
        completed_.store(next_to_complete_, std::memory_order_relaxed);
    }

    // Copies out what the driver has posted, in order, at most descriptors.size() descriptors.
    [[nodiscard]] std::uint32_t fetch(std::span<D> descriptors) noexcept {
        watch_.begin();
        std::uint32_t count = 0;
        while (count != descriptors.size() && (next_to_fetch_ != posted_ || look())) {
            slots_[next_to_fetch_ & mask_].take(descriptors[count]);
            ++next_to_fetch_;
            ++count;
        }
        watch_.end();
        return count;
    }

    // Completes the oldest descriptor that was fetched and not completed. With report_every above 1 the
    // driver may hear of it later only. Precondition: there is one; the ownership bit of `descriptor` is
    // clear.
    void complete(const D& descriptor) noexcept {
        watch_.begin();
        NORIA_EXPECTS(next_to_complete_ != next_to_fetch_, "fetch a descriptor before you complete it");
        NORIA_EXPECTS((slot_type::word_of(descriptor) & slot_type::owner_bit) == 0,
                      "the ownership bit of a descriptor belongs to the ring: leave it clear");
        last_ = descriptor;
        ++next_to_complete_;
        if (++unreported_ == Options.report_every)
            write_back();
        watch_.end();
    }

    // Reports on what is completed and not reported. Call it before the device rests: the driver waits for
    // the rest of a group otherwise.
    void report() noexcept {
        watch_.begin();
        if (unreported_ != 0)
            write_back();
        watch_.end();
    }

  private:
    friend basic_device_ring;

    explicit device(basic_device_ring& ring) noexcept
        : hold_(ring.handles_), completed_(ring.completed_), tail_(ring.tail_), slots_(ring.storage_.slots()),
          mask_(ring.storage_.mask()), next_to_fetch_(completed_.load(std::memory_order_relaxed)),
          next_to_complete_(next_to_fetch_), posted_(next_to_fetch_) {}

    [[nodiscard]] bool look() noexcept {
        // Partner: the store in publish(). The descriptors are written before we read them.
        const std::uint32_t tail = tail_.load(std::memory_order_acquire);
        if (tail == posted_)
            return false; // a poll that fails writes nothing
        posted_ = tail;
        return true;
    }

    void write_back() noexcept {
        const std::uint32_t index = next_to_complete_ - 1;
        slot_type& slot = slots_[index & mask_];
        slot.put(last_);
        slot.hand_over(slot_type::word_of(last_) | owner_at<D>(index, mask_));
        unreported_ = 0;
    }

    detail::role_hold<Sync> hold_;
    [[no_unique_address]] detail::role_watch<Sync> watch_;
    counter& completed_;
    const counter& tail_;
    slot_type* slots_;
    std::uint32_t mask_;
    std::uint32_t next_to_fetch_;    // index of the next descriptor to read
    std::uint32_t next_to_complete_; // index of the next descriptor to complete
    std::uint32_t posted_;           // index up to which descriptors are posted, as far as we know
    std::uint32_t unreported_ = 0;   // completed behind the last report
    D last_;                         // the last one completed
};

// The ring as programs name it.
template <owned_descriptor D, device_ring_options Options>
using device_ring = basic_device_ring<D, Options>;

} // namespace noria::inline NORIA_ABI
