// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "explorer/explorer.hpp"
#include "noria/ring/burst.hpp"
#include "noria/ring/spsc_ring.hpp"

// One producer, one consumer, in each of the ways to push and pop. Indices wrap at 2^32 on the way, and there
// are tries enough for more than one revolution.

namespace bodies {

struct numbered {
    std::uint32_t number = 0;
    std::uint32_t inverse = 0;
};

// One item at a time.
struct one_by_one {
    template <class Sync>
    static std::uint32_t put(auto& producer, std::uint32_t next) {
        return producer.try_push({next, ~next}) ? 1 : 0;
    }
    template <class Sync>
    static std::uint32_t take(auto& consumer, std::span<numbered, 2> out) {
        return consumer.try_pop(out[0]) ? 1 : 0;
    }
};

// Two at a time, or fewer.
struct in_bursts {
    template <class Sync>
    static std::uint32_t put(auto& producer, std::uint32_t next) {
        const std::array<numbered, 2> items{{{next, ~next}, {next + 1, ~(next + 1)}}};
        return noria::push_burst(producer, items);
    }
    template <class Sync>
    static std::uint32_t take(auto& consumer, std::span<numbered, 2> out) {
        return noria::pop_burst(consumer, out);
    }
};

// Two at a time, or none.
struct in_bulk {
    template <class Sync>
    static std::uint32_t put(auto& producer, std::uint32_t next) {
        const std::array<numbered, 2> items{{{next, ~next}, {next + 1, ~(next + 1)}}};
        return noria::push_bulk(producer, items) ? 2 : 0;
    }
    template <class Sync>
    static std::uint32_t take(auto& consumer, std::span<numbered, 2> out) {
        return noria::pop_bulk(consumer, out) ? 2 : 0;
    }
};

// In place; of two slots or items the second is given back every other time.
struct in_part {
    template <class Sync>
    static std::uint32_t put(auto& producer, std::uint32_t next) {
        auto room = producer.reserve(2);
        std::uint32_t filled = 0;
        for (auto run : {room.first(), room.second()})
            for (auto& slot : run) {
                Sync::write(slot, {next + filled, ~(next + filled)});
                ++filled;
            }
        const std::uint32_t kept = filled == 2 && next % 2 == 0 ? 1 : filled;
        room.commit(kept);
        return kept;
    }
    template <class Sync>
    static std::uint32_t take(auto& consumer, std::span<numbered, 2> out) {
        auto there = consumer.peek(2);
        std::uint32_t read = 0;
        for (auto run : {there.first(), there.second()})
            for (auto& slot : run)
                Sync::read(slot, out[read++]);
        const std::uint32_t taken = read == 2 && out[0].number % 2 == 0 ? 1 : read;
        there.release(taken);
        return taken;
    }
};

template <class Sync, class Manner, std::uint32_t Capacity, std::uint32_t ReturnChunk = 0>
struct spsc {
    static constexpr unsigned threads = 2;
    static constexpr unsigned tries = Capacity + 2;

    void thread(unsigned index) {
        for (unsigned i = 0; i != tries; ++i)
            index == 0 ? put() : take();
    }

    // What is left comes out, and the ring is as good as new: it takes what it should hold, and no more.
    void finish() {
        numbered item;
        while (roles.consumer.try_pop(item))
            see(item);
        explorer::check(taken == made, "nothing is lost and nothing is invented");
        for (std::uint32_t i = 0; i != Capacity; ++i)
            explorer::check(roles.producer.try_push({made, ~made}), "an empty ring takes its capacity"),
                ++made;
        explorer::check(!roles.producer.try_push({0, 0}), "a full ring refuses");
        while (roles.consumer.try_pop(item))
            see(item);
        explorer::check(taken == made, "what was put in comes out");
    }

  private:
    void put() { made += Manner::template put<Sync>(roles.producer, made); }
    void take() {
        std::array<numbered, 2> out{};
        const std::uint32_t count = Manner::template take<Sync>(roles.consumer, out);
        for (std::uint32_t i = 0; i != count; ++i)
            see(out[i]);
    }
    void see(const numbered& item) {
        explorer::check(item.number == taken && item.inverse == ~taken,
                        "items come in order, each once, whole");
        ++taken;
    }

    using ring_type =
        noria::basic_spsc_ring<numbered, {.capacity = Capacity, .return_chunk = ReturnChunk}, Sync>;
    ring_type ring{0xffff'fffe};
    typename ring_type::roles roles{ring.split()};
    std::uint32_t made = 0;  // the producer's
    std::uint32_t taken = 0; // the consumer's
};

} // namespace bodies
