// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "explorer/explorer.hpp"
#include "noria/ring/notifier.hpp"
#include "noria/ring/spsc_ring.hpp"

// The notifier with a ring beside it. A lost wake-up shows as threads that are asleep for ever.

namespace bodies {

// Sleeping as the kernel's futex does it.
struct model_futex {
    static void sleep_while(const explorer::sync::atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
        explorer::sleep_while(word, value);
    }
    static void wake(const explorer::sync::atomic<std::uint32_t>& word) noexcept { explorer::wake(word); }
};

// And as its eventfd does: a count of wakes that stays until it is read. It orders nothing here, which is
// less than the kernel gives.
class model_eventfd {
  public:
    void sleep_while(const explorer::sync::atomic<std::uint32_t>&, std::uint32_t) const noexcept {
        explorer::sleep_while(wakes_, 0);
        wakes_.exchange(0, std::memory_order_relaxed);
    }
    void wake(const explorer::sync::atomic<std::uint32_t>&) const noexcept {
        wakes_.fetch_add(1, std::memory_order_relaxed);
        explorer::wake(wakes_);
    }

  private:
    mutable explorer::sync::atomic<std::uint32_t> wakes_{0};
};

// Both sides sleep: the consumer where the ring is empty, the producer where it is full.
template <class Sync, class Sleep, std::uint32_t Capacity, std::uint32_t Items>
struct two_sleepers {
    static constexpr unsigned threads = 2;

    void thread(unsigned index) {
        if (index == 0) {
            for (std::uint32_t i = 0; i != Items; ++i) {
                room.wait([&]() noexcept { return roles.producer.try_push(i); });
                items.notify();
            }
        } else {
            for (std::uint32_t i = 0; i != Items; ++i) {
                std::uint32_t seen = ~0u;
                items.wait([&]() noexcept { return roles.consumer.try_pop(seen); });
                explorer::check(seen == i, "the items come in order, each once");
                room.notify();
            }
        }
    }

    // Not by refusing everything.
    void finish() {
        std::uint32_t seen = 0;
        explorer::check(!roles.consumer.try_pop(seen), "all items were taken");
        for (std::uint32_t i = 0; i != Capacity; ++i)
            explorer::check(roles.producer.try_push(i), "an empty ring takes its capacity");
        explorer::check(!roles.producer.try_push(0), "a full ring refuses");
        for (std::uint32_t i = 0; i != Capacity; ++i)
            explorer::check(roles.consumer.try_pop(seen) && seen == i, "what was put in comes out");
    }

    noria::basic_spsc_ring<std::uint32_t, {.capacity = Capacity}, Sync> ring{0xffff'fffe};
    typename decltype(ring)::roles roles = ring.split();
    noria::basic_notifier<Sync, Sleep> items, room;
};

// Two producers with a ring each ring the one bell of a consumer that serves both.
template <class Sync, class Sleep>
struct one_bell {
    static constexpr unsigned threads = 3;
    using ring_type = noria::basic_spsc_ring<std::uint32_t, {.capacity = 1}, Sync>;

    void thread(unsigned index) {
        if (index < 2) {
            explorer::check(roles[index].producer.try_push(index), "an empty ring takes an item");
            bell.notify();
        } else {
            for (unsigned taken = 0; taken != 2; ++taken) {
                std::uint32_t seen = ~0u;
                bell.wait([&]() noexcept {
                    return roles[0].consumer.try_pop(seen) || roles[1].consumer.try_pop(seen);
                });
                explorer::check(seen < 2 && !got[seen], "each item comes once");
                got[seen] = true;
            }
        }
    }

    void finish() { explorer::check(got[0] && got[1], "both items came"); }

    ring_type rings[2]{ring_type(0xffff'ffff), ring_type(0xffff'ffff)};
    typename ring_type::roles roles[2]{rings[0].split(), rings[1].split()};
    noria::basic_notifier<Sync, Sleep> bell;
    bool got[2]{};
};

} // namespace bodies
