// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include "noria/core/cacheline.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/sync.hpp"

namespace noria::inline NORIA_ABI {

// The way home for memory that was freed on another thread: many givers, one owner who collects.
//
// It has a slot for every object that exists, and an object is in it at most once, so it can never be full
// and a return cannot fail: that is why a claim is one fetch_add and no compare-and-swap.
//
// Why a slot is free when its turn comes again: `slots` claims lie between two uses of a slot, and there are
// no more objects than slots, so among those claims some object was claimed twice. It was collected in
// between, hence after the slot was cleared; the acq_rel chain of claims carries that order to the giver.
// Several claims made by one fetch_add change nothing in this: no object is twice in one of them.
//
// give: any thread, wait-free. collect: the owner, wait-free; a giver that was preempted between its claim
// and its store hides only what lies behind it, until it runs again.
//
// Closing: the top bit of the word of claims says that nobody collects any more. As it is set by one
// fetch_or, every claim is either before it, and known to the owner by number, or after it, and knows.
template <class T, class Sync = std_sync>
class basic_return_ring {
    using slot = typename Sync::template atomic<T*>;
    using index = typename Sync::template atomic<std::uint64_t>;

  public:
    basic_return_ring() = default;
    basic_return_ring(const basic_return_ring&) = delete;
    basic_return_ring& operator=(const basic_return_ring&) = delete;
    ~basic_return_ring() { delete[] slots_; }

    // Set-up. Makes room for `objects`; false when the system has no memory for it. `start` is where the
    // counters begin, which tests choose.
    [[nodiscard]] bool reserve(std::uint32_t objects, std::uint64_t start = 0) noexcept {
        NORIA_EXPECTS(objects <= (1u << 31), "a pool has at most 2^31 objects");
        const std::uint32_t slots = std::bit_ceil(objects == 0 ? 1u : objects);
        slots_ = new (std::nothrow) slot[slots]();
        mask_ = slots - 1;
        next_ = start;
        claimed_.store(start, std::memory_order_relaxed);
        return slots_ != nullptr;
    }

    // Any thread. Each object in the ring at most once. False after close(): the ring has not taken it.
    // Where it was taken, the store is the last that this thread does with the ring: its owner may be closing
    // it, and free it as soon as it has collected.
    [[nodiscard]] bool give(T& object) noexcept {
        T* const pointer = &object;
        return give({&pointer, 1});
    }

    // Many, with one claim for all; all are taken or none is.
    [[nodiscard]] bool give(std::span<T* const> objects) noexcept {
        // acq_rel: partner is every other claim, see above.
        const std::uint64_t mine = claimed_.fetch_add(objects.size(), std::memory_order_acq_rel);
        if ((mine & closed) != 0) [[unlikely]]
            return false;
        slot* const slots = slots_; // which the compiler would load anew behind each store
        const std::uint64_t mask = mask_;
        for (std::size_t i = 0; i != objects.size(); ++i) {
            slot& home = slots[(mine + i) & mask];
            // release: partner is the load in collect; what the giver did to the object comes first.
            home.store(objects[i], std::memory_order_release);
        }
        return true;
    }

    // The owner. Hands up to `most` objects to `take` and says how many.
    template <class Take>
    std::uint32_t collect(std::uint32_t most, Take&& take) noexcept {
        std::uint32_t taken = 0;
        while (taken != most) {
            slot& home = slots_[next_ & mask_];
            // acquire: partner is the store in give.
            T* object = home.load(std::memory_order_acquire);
            if (object == nullptr)
                break;
            home.store(nullptr, std::memory_order_relaxed);
            ++next_;
            ++taken;
            take(*object);
        }
        return taken;
    }

    // The owner, once. No return gets in from here on, and all that did have been handed to `take`. Waits for
    // those between claim and store, a few instructions of another thread.
    template <class Take>
    void close(Take&& take) noexcept {
        // relaxed: says only how many claims there were; what came with them is in the slots.
        const std::uint64_t claims = claimed_.fetch_or(closed, std::memory_order_relaxed);
        while (next_ != claims)
            if (collect(~0u, take) == 0)
                Sync::relax();
    }

    // The owner, before close(). How many returns have been claimed and not yet collected.
    [[nodiscard]] std::uint32_t waiting() const noexcept {
        return static_cast<std::uint32_t>(claimed_.load(std::memory_order_relaxed) - next_);
    }

  private:
    static constexpr std::uint64_t closed = std::uint64_t{1} << 63;

    slot* slots_ = nullptr; // both sides read these, nobody writes them: a line of their own
    std::uint64_t mask_ = 0;
    alignas(thread_gap) index claimed_{0};       // the givers'
    alignas(thread_gap) std::uint64_t next_ = 0; // the owner's
};

} // namespace noria::inline NORIA_ABI
