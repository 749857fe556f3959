// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "noria/core/contract.hpp"
#include "noria/core/sync.hpp"

namespace noria::inline NORIA_ABI {

// What wakes a sleeper: function(context), called once for each arm() on the thread that schedules, which it
// should not hold up. It lives until it was called, or until disarm() said that it will not be.
struct poll_waker {
    void (*function)(void* context) noexcept;
    void* context;
};

// How instances come to a poller from other threads: a stack in one word, pushed by any thread and taken
// whole by the poller, who turns it round. The word is also where the poller says that it sleeps: it is
// either nothing, or the last node pushed, or the waker of a sleeper. So the push that finds the sleeper is
// the push that ends its sleep, exactly one, and none can slip in between the last look and the sleep.
//
// Node requires: node.next, a Sync::cell<Node*>, which belongs to whoever has the node.
template <class Node, class Sync = std_sync>
class basic_poll_inbox {
  public:
    basic_poll_inbox() noexcept = default;
    basic_poll_inbox(const basic_poll_inbox&) = delete;
    basic_poll_inbox& operator=(const basic_poll_inbox&) = delete;

    // Thread: any. Precondition: the node is in no list. Progress: lock-free. Cost: one compare-and-swap; and
    // the waker, if there was a sleeper.
    void push(Node& node) noexcept {
        static_assert(alignof(Node) > armed, "the lowest bit of an address tells a waker from a node");
        const auto pushed = std::bit_cast<std::uintptr_t>(&node);
        std::uintptr_t before = word_.load(std::memory_order_relaxed);
        do
            Sync::write(node.next, (before & armed) != 0 ? nullptr : std::bit_cast<Node*>(before));
        // release: partner is the exchange in take(). acquire: partner is arm(), whose waker is read here.
        while (!word_.compare_exchange_weak(before, pushed, std::memory_order_acq_rel,
                                            std::memory_order_relaxed));
        if ((before & armed) != 0) {
            const auto* const sleeper = std::bit_cast<const poll_waker*>(before - armed);
            sleeper->function(sleeper->context);
        }
    }

    // The rest: the poller's thread.

    // Whether there is anything to take.
    [[nodiscard]] bool empty() const noexcept {
        const std::uintptr_t word = word_.load(std::memory_order_relaxed); // take() acquires
        return word == 0 || (word & armed) != 0;
    }

    // All that was pushed, linked in the order of arrival; null if nothing. Progress: wait-free.
    [[nodiscard]] Node* take() noexcept {
        if (empty())
            return nullptr;
        // acquire: partner is the compare-and-swap in push(), of each node there is.
        auto* newest = std::bit_cast<Node*>(word_.exchange(0, std::memory_order_acquire));
        Node* oldest = nullptr;
        while (newest != nullptr) {
            Node* before = nullptr;
            Sync::read(newest->next, before);
            Sync::write(newest->next, oldest);
            oldest = newest;
            newest = before;
        }
        return oldest;
    }

    // Asks that the next push calls the waker. False if there is something to take already: then it does not.
    // Precondition: not armed.
    [[nodiscard]] bool arm(const poll_waker& waker) noexcept {
        std::uintptr_t before = 0;
        do {
            NORIA_EXPECTS((before & armed) == 0, "a sleeper waits already: one poller, one sleeper");
            if (before != 0)
                return false;
            // release: partner is the compare-and-swap in push().
        } while (!word_.compare_exchange_weak(before, std::bit_cast<std::uintptr_t>(&waker) | armed,
                                              std::memory_order_release, std::memory_order_relaxed));
        return true;
    }

    // Takes that back. False if nothing was armed, or somebody came first: the waker was called or will be.
    bool disarm() noexcept {
        std::uintptr_t before = word_.load(std::memory_order_relaxed);
        while ((before & armed) != 0)
            if (word_.compare_exchange_weak(before, 0, std::memory_order_relaxed, std::memory_order_relaxed))
                return true;
        return false;
    }

  private:
    static constexpr std::uintptr_t armed = 1;
    static_assert(alignof(poll_waker) > armed);

    typename Sync::template atomic<std::uintptr_t> word_{0};
};

} // namespace noria::inline NORIA_ABI
