// SPDX-License-Identifier: BSL-1.0
#include <atomic_queue/atomic_queue.h>

#include "rings/harness.hpp"
#include "rings/neighbours.hpp"

namespace bench {
namespace {

// Maximize_throughput is its default; total order is asked for with several producers, because without it a
// later item of one producer overtakes an earlier one.
constexpr bool minimize_contention = true;
constexpr bool maximize_throughput = true;

template <std::uint32_t Capacity>
struct single : one_object<single<Capacity>> {
    using item_type = descriptor;

    explicit single(unsigned) {}

    bool push(const descriptor& item) noexcept { return queue.try_push(item); }
    bool pop(descriptor& item) noexcept { return queue.try_pop(item); }

    atomic_queue::AtomicQueue2<descriptor, Capacity, minimize_contention, maximize_throughput, false, true>
        queue;
};

template <std::uint32_t Capacity>
struct several : one_object<several<Capacity>> {
    using item_type = descriptor;
    static constexpr bool many_producers = true;

    explicit several(unsigned) {}

    bool push(const descriptor& item) noexcept { return queue.try_push(item); }
    bool pop(descriptor& item) noexcept { return queue.try_pop(item); }

    atomic_queue::AtomicQueue2<descriptor, Capacity, minimize_contention, maximize_throughput, true, false>
        queue;
};

// Atomic elements: the element itself says whether it is there, so 8 bytes at most.
template <std::uint32_t Capacity>
struct single_word : one_object<single_word<Capacity>> {
    using item_type = word;

    explicit single_word(unsigned) {}

    bool push(const word& item) noexcept { return queue.try_push(item.bits); }
    bool pop(word& item) noexcept { return queue.try_pop(item.bits); }

    atomic_queue::AtomicQueue<std::uint64_t, Capacity, 0, minimize_contention, maximize_throughput, false,
                              true>
        queue;
};

template <std::uint32_t Capacity>
struct several_word : one_object<several_word<Capacity>> {
    using item_type = word;
    static constexpr bool many_producers = true;

    explicit several_word(unsigned) {}

    bool push(const word& item) noexcept { return queue.try_push(item.bits); }
    bool pop(word& item) noexcept { return queue.try_pop(item.bits); }

    atomic_queue::AtomicQueue<std::uint64_t, Capacity, 0, minimize_contention, maximize_throughput, true,
                              false>
        queue;
};

} // namespace

void add_atomic_queue(std::vector<subject>& all) {
    all.push_back(
        subject_of<single>({.name = "AtomicQueue2 SPSC",
                            .type = "atomic_queue::AtomicQueue2<T, N, true, true, false, true>, try",
                            .package = "libatomic-queue-dev"}));
    all.push_back(subject_of<single_word>(
        {.name = "AtomicQueue SPSC 8 B",
         .type = "atomic_queue::AtomicQueue<uint64_t, N, 0, true, true, false, true>, try",
         .package = "libatomic-queue-dev"}));
    all.push_back(subject_of<several>({.name = "AtomicQueue2",
                                       .type = "atomic_queue::AtomicQueue2<T, N, true, true, true>, try",
                                       .package = "libatomic-queue-dev"}));
    all.push_back(
        subject_of<several_word>({.name = "AtomicQueue 8 B",
                                  .type = "atomic_queue::AtomicQueue<uint64_t, N, 0, true, true, true>, try",
                                  .package = "libatomic-queue-dev"}));
}

} // namespace bench
