// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "explorer/explorer.hpp"
#include "noria/ring/shared.hpp"

// What a ring between processes does beyond a ring between threads: it is found by its mark, its roles are
// handed on one by one, and one is taken from a holder that died.

namespace bodies {

// Whether the ring, its roles free, takes exactly its capacity and gives it back in order.
template <class Ring>
void check_not_vacuous(Ring& ring) {
    auto producer = ring.open_producer();
    auto consumer = ring.open_consumer();
    explorer::check(producer && consumer, "both roles are free");
    explorer::check(!ring.open_producer() && !ring.open_consumer(), "a role is held once");
    std::uint32_t seen = 0;
    explorer::check(!consumer->try_pop(seen), "the ring is empty");
    for (std::uint32_t i = 0; i != ring.capacity(); ++i)
        explorer::check(producer->try_push(i), "an empty ring takes its capacity");
    explorer::check(!producer->try_push(0), "a full ring refuses");
    for (std::uint32_t i = 0; i != ring.capacity(); ++i)
        explorer::check(consumer->try_pop(seen) && seen == i, "what was put in comes out");
}

// One process creates the ring and fills it, while another looks for it.
template <class Sync, std::uint32_t Capacity>
struct create_and_attach {
    static constexpr unsigned threads = 2;
    using shared = noria::basic_shared_ring<std::uint32_t, {.capacity = Capacity}, Sync>;

    create_and_attach() { (void)Sync::template at<std::uint64_t>(memory); }

    void thread(unsigned index) {
        if (index == 0) {
            auto made = shared::create(memory, 0xffff'fffe);
            explorer::check(made.has_value(), "memory that fits takes a ring");
            auto producer = (*made)->open_producer();
            for (unsigned tries = 0; tries != Capacity + 2; ++tries)
                put += producer->try_push(put) ? 1 : 0;
        } else {
            for (unsigned tries = 0; tries != 2; ++tries) {
                auto found = shared::attach(memory);
                if (!found)
                    continue;
                auto consumer = (*found)->open_consumer();
                for (unsigned pops = 0; pops != Capacity + 1; ++pops)
                    take(*consumer);
                return;
            }
        }
    }

    void finish() {
        auto found = shared::attach(memory);
        explorer::check(found.has_value(), "the ring is there in the end");
        {
            auto consumer = (*found)->open_consumer();
            while (take(*consumer)) {
            }
        }
        explorer::check(taken == put && put >= Capacity, "nothing is lost");
        check_not_vacuous(**found);
    }

    bool take(auto& consumer) {
        std::uint32_t seen = ~0u;
        if (!consumer.try_pop(seen))
            return false;
        explorer::check(seen == taken++, "the items come in order, each once");
        return true;
    }

    alignas(shared::alignment) std::byte memory[shared::bytes]{};
    std::uint32_t put = 0, taken = 0;
};

// Two producers take turns in one role, and a consumer drops its own and takes it up again.
template <class Sync, std::uint32_t Capacity>
struct role_handed_on {
    static constexpr unsigned threads = 3;

    void thread(unsigned index) {
        if (index < 2) {
            for (unsigned tries = 0; tries != 2; ++tries)
                if (auto producer = ring.open_producer()) {
                    for (; put[index] != 2; ++put[index])
                        if (!producer->try_push(index << 8 | put[index]))
                            break;
                }
        } else {
            for (unsigned turns = 0; turns != 2; ++turns) {
                auto consumer = ring.open_consumer();
                explorer::check(consumer.has_value(), "a role that was dropped is free");
                take(*consumer);
            }
        }
    }

    void finish() {
        {
            auto consumer = ring.open_consumer();
            while (take(*consumer)) {
            }
        }
        explorer::check(taken[0] == put[0] && taken[1] == put[1], "nothing is lost");
        check_not_vacuous(ring);
    }

    bool take(auto& consumer) {
        std::uint32_t seen = ~0u;
        if (!consumer.try_pop(seen))
            return false;
        const std::uint32_t from = seen >> 8;
        explorer::check(from < 2 && (seen & 0xff) == taken[from],
                        "items of one producer in order, each once");
        ++taken[from];
        return true;
    }

    noria::basic_spsc_ring<std::uint32_t, {.capacity = Capacity}, Sync> ring{0xffff'ffff};
    std::uint32_t put[2]{}, taken[2]{};
};

// The first holder of the producer's role dies with it, a second process learns of the death and frees the
// role, and a third goes on.
template <class Sync, std::uint32_t Capacity>
struct role_of_the_dead {
    static constexpr unsigned threads = 3;
    using ring_type = noria::basic_spsc_ring<std::uint32_t, {.capacity = Capacity}, Sync>;

    role_of_the_dead() : mortal(::new(grave) typename ring_type::producer(*ring.open_producer())) {}

    void thread(unsigned index) {
        if (index == 0) {
            explorer::check(mortal->try_push(0), "an empty ring takes an item");
            dead.store(1, std::memory_order_release); // what waitpid tells
        } else if (index == 1) {
            if (dead.load(std::memory_order_acquire) != 0)
                ring.reclaim_producer();
        } else {
            auto consumer = ring.open_consumer();
            take(*consumer);
            if (auto producer = ring.open_producer())
                put += producer->try_push(put) ? 1 : 0;
            take(*consumer);
        }
    }

    void finish() {
        ring.reclaim_producer();
        {
            auto consumer = ring.open_consumer();
            while (take(*consumer)) {
            }
        }
        explorer::check(taken == put, "nothing is lost with the dead");
        check_not_vacuous(ring);
    }

    bool take(auto& consumer) {
        std::uint32_t seen = ~0u;
        if (!consumer.try_pop(seen))
            return false;
        explorer::check(seen == taken++, "the items come in order, each once");
        return true;
    }

    ring_type ring{0xffff'ffff};
    typename Sync::template atomic<std::uint32_t> dead{0};
    alignas(typename ring_type::producer) std::byte grave[sizeof(typename ring_type::producer)];
    typename ring_type::producer* mortal; // never destroyed, as nothing is in a process that is killed
    std::uint32_t put = 1, taken = 0;
};

} // namespace bodies
