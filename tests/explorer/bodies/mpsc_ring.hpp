// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "explorer/explorer.hpp"
#include "noria/ring/mpsc_ring.hpp"

// Two producers and a consumer, more items than the ring holds, so that every slot is used again.

namespace bodies {

// Each producer makes Tries reservations of Burst slots; with Abandons, the last slot of each is not wanted.
template <class Sync, std::uint32_t Capacity, std::uint32_t Burst, unsigned Tries, bool Abandons = false>
struct mpsc_ring_body {
    static constexpr unsigned threads = 3;
    static constexpr std::uint64_t start = 0xffff'ffff;
    using ring_type = noria::basic_mpsc_ring<std::uint32_t, {.capacity = Capacity}, Sync>;

    void thread(unsigned index) {
        for (unsigned tries = 0; tries != Tries; ++tries) {
            if (index == 2)
                take(Burst);
            else
                put(index);
        }
        if (index == 2)
            take(Burst);
    }

    void finish() {
        // The producers are quiet: nothing is found only when nothing is left.
        for (std::uint32_t i = 0; i != 2 * Tries * Burst + 1; ++i)
            take(Capacity);
        explorer::check(taken[0] == made[0] && taken[1] == made[1], "nothing is lost");
        std::uint32_t seen = 0;
        explorer::check(!roles.consumer.try_pop(seen), "nothing comes from nowhere");
        // Not by refusing everything.
        for (unsigned lap = 0; lap != 2; ++lap) {
            for (std::uint32_t i = 0; i != Capacity; ++i)
                explorer::check(producers[i % 2].try_push(i), "an empty ring takes its capacity");
            explorer::check(!producers[0].try_push(0), "a full ring refuses");
            for (std::uint32_t i = 0; i != Capacity; ++i)
                explorer::check(roles.consumer.try_pop(seen) && seen == i, "what was put in comes out");
            explorer::check(!roles.consumer.try_pop(seen), "and no more");
        }
    }

  private:
    static constexpr std::uint32_t wanted = Abandons ? Burst - 1 : Burst;

    void put(unsigned who) {
        auto token = producers[who].reserve_exact(Burst);
        if (token.size() == 0)
            return;
        std::uint32_t place = 0;
        for (auto slots : {token.first(), token.second()})
            for (auto& slot : slots)
                if (place++ < wanted)
                    Sync::write(slot.item, 100 * who + made[who]++);
        token.commit(wanted);
    }

    void take(std::uint32_t most) {
        auto token = roles.consumer.peek(most);
        for (auto slots : {token.first(), token.second()})
            for (auto& slot : slots) {
                std::uint32_t seen = ~0u;
                Sync::read(slot.item, seen);
                const std::uint32_t who = seen / 100;
                explorer::check(who < 2 && seen % 100 == taken[who]++,
                                "the items of a producer come in order, each once");
            }
        // Items of a burst that are not there yet would show as a part.
        explorer::check(Capacity % Burst != 0 || Abandons || most < Burst || token.size() % Burst == 0,
                        "a burst comes whole");
        token.release(token.size());
    }

    ring_type ring{start};
    typename ring_type::roles roles{ring.split()};
    typename ring_type::producer producers[2]{roles.producer, roles.producer};
    std::uint32_t made[2]{};  // each producer its own
    std::uint32_t taken[2]{}; // the consumer's
};

// Room is short all the time, and producers take what they can get: none at all where the ring is full, which
// a producer may also conclude from an index of the consumer's that is older than another producer's claim.
template <class Sync, std::uint32_t Capacity, unsigned Tries>
struct mpsc_ring_short_body {
    static constexpr unsigned threads = 3;
    static constexpr std::uint64_t start = 0xffff'ffff;
    using ring_type = noria::basic_mpsc_ring<std::uint32_t, {.capacity = Capacity}, Sync>;

    // Full from the beginning.
    mpsc_ring_short_body() {
        while (put(0) != 0) {
        }
        explorer::check(made[0] == Capacity, "an empty ring takes its capacity");
    }

    void thread(unsigned index) {
        for (unsigned tries = 0; tries != Tries; ++tries)
            index == 2 ? static_cast<void>(take()) : static_cast<void>(put(index));
    }

    void finish() {
        while (take()) {
        }
        explorer::check(taken[0] == made[0] && taken[1] == made[1], "nothing is lost");
        std::uint32_t room = 0;
        while (const std::uint32_t got = put(1))
            room += got;
        explorer::check(room == Capacity, "an empty ring takes its capacity, and no more");
        while (take()) {
        }
        explorer::check(taken[1] == made[1], "what was put in comes out");
    }

  private:
    std::uint32_t put(unsigned who) {
        auto token = producers[who].reserve(Capacity + 1);
        const std::uint32_t got = token.size();
        explorer::check(got <= Capacity, "no more is handed out than there is");
        for (auto slots : {token.first(), token.second()})
            for (auto& slot : slots)
                Sync::write(slot.item, 100 * who + made[who]++);
        token.commit(got);
        return got;
    }

    bool take() {
        std::uint32_t seen = 0;
        if (!roles.consumer.try_pop(seen))
            return false;
        const std::uint32_t who = seen / 100;
        explorer::check(who < 2 && seen % 100 == taken[who]++,
                        "the items of a producer come in order, each once");
        return true;
    }

    ring_type ring{start};
    typename ring_type::roles roles{ring.split()};
    typename ring_type::producer producers[2]{roles.producer, roles.producer};
    std::uint32_t made[2]{};  // each producer its own
    std::uint32_t taken[2]{}; // the consumer's
};

// A push that happens before another leaves before it: the second producer pushes when it knows of the first
// one's push.
template <class Sync>
struct mpsc_ring_order_body {
    static constexpr unsigned threads = 3;
    using ring_type = noria::basic_mpsc_ring<std::uint32_t, {.capacity = 2}, Sync>;

    void thread(unsigned index) {
        if (index == 0) {
            explorer::check(first.try_push(1), "an empty ring takes an item");
            pushed.store(1, std::memory_order_release);
        } else if (index == 1) {
            knew = pushed.load(std::memory_order_acquire) != 0;
            explorer::check(second.try_push(2), "a ring takes its capacity");
        } else {
            take();
            take();
        }
    }

    void finish() {
        take();
        take();
        explorer::check(count == 2 && got[0] + got[1] == 3, "each comes once");
        explorer::check(!knew || got[0] == 1, "what was pushed before leaves before");
    }

  private:
    void take() {
        std::uint32_t seen = 0;
        if (consumer.try_pop(seen) && count != 2)
            got[count++] = seen;
    }

    ring_type ring{0xffff'ffff};
    typename ring_type::roles roles{ring.split()};
    typename ring_type::producer& first = roles.producer;
    typename ring_type::producer second{roles.producer};
    typename ring_type::consumer& consumer = roles.consumer;
    typename Sync::template atomic<std::uint32_t> pushed{0};
    bool knew = false;
    unsigned count = 0;
    std::uint32_t got[2]{};
};

} // namespace bodies
