// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <bit>
#include <cstdint>
#include <new>

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
//
// give: any thread, wait-free. collect: the owner, wait-free; a giver that was preempted between its claim
// and its store hides only what lies behind it, until it runs again.
template <class T, class Sync = std_sync>
class basic_return_ring {
    using slot = typename Sync::template atomic<T*>;
    using index = typename Sync::template atomic<std::uint32_t>;

  public:
    basic_return_ring() = default;
    basic_return_ring(const basic_return_ring&) = delete;
    basic_return_ring& operator=(const basic_return_ring&) = delete;
    ~basic_return_ring() { delete[] slots_; }

    // Set-up. Makes room for `objects`; false when the system has no memory for it. `start` is where the
    // counters begin: tests put it just below the wrap.
    [[nodiscard]] bool reserve(std::uint32_t objects, std::uint32_t start = 0) noexcept {
        NORIA_EXPECTS(objects <= (1u << 31), "a pool has at most 2^31 objects");
        const std::uint32_t slots = std::bit_ceil(objects == 0 ? 1u : objects);
        slots_ = new (std::nothrow) slot[slots]();
        mask_ = slots - 1;
        next_ = start;
        claimed_.store(start, std::memory_order_relaxed);
        return slots_ != nullptr;
    }

    // Any thread. Each object in the ring at most once.
    void give(T& object) noexcept {
        // acq_rel: partner is every other claim, see above.
        const std::uint32_t mine = claimed_.fetch_add(1, std::memory_order_acq_rel);
        // release: partner is the load in collect; what the giver did to the object comes first.
        slots_[mine & mask_].store(&object, std::memory_order_release);
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

    // The owner. How many returns have been claimed and not yet collected.
    [[nodiscard]] std::uint32_t waiting() const noexcept {
        return claimed_.load(std::memory_order_relaxed) - next_;
    }

  private:
    alignas(thread_gap) index claimed_{0};
    alignas(thread_gap) std::uint32_t next_ = 0;
    std::uint32_t mask_ = 0;
    slot* slots_ = nullptr;
};

} // namespace noria::inline NORIA_ABI
