// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "explorer/explorer.hpp"
#include "noria/ring/descriptor_ring.hpp"

// Descriptors one way, burst by burst, more than the ring holds, so that the laps change.

namespace bodies {

// Four in a line.
struct one_way_descriptor {
    std::uint32_t number;
    std::uint32_t word;
    std::uint64_t check;
};

} // namespace bodies

template <>
struct noria::descriptor_traits<bodies::one_way_descriptor> {
    static constexpr std::size_t word_offset = offsetof(bodies::one_way_descriptor, word);
};

namespace bodies {

template <class Sync, std::uint32_t Capacity, std::uint32_t Burst>
struct descriptor_ring_one_way {
    static constexpr unsigned threads = 2;
    static constexpr std::uint32_t start = 0xffff'ffff, total = 2 * Burst + Capacity;
    using ring_type = noria::basic_descriptor_ring<one_way_descriptor, {.capacity = Capacity}, Sync>;

    void thread(unsigned index) {
        for (unsigned tries = 0; tries != 3; ++tries)
            index == 0 ? put() : take(Burst == 1 ? 1 : Capacity);
    }

    void finish() {
        for (unsigned rounds = 0; rounds != 2 * total; ++rounds) {
            put();
            take(1);
        }
        take(Capacity);
        explorer::check(made == total && taken == total, "nothing is lost");
        explorer::check(roles.writer.space() == Capacity, "what came out is free");
        for (std::uint32_t i = 0; i != Capacity; ++i)
            explorer::check(roles.writer.write(numbered(made++)), "an empty ring takes its capacity");
        explorer::check(!roles.writer.write(numbered(0)), "a full ring refuses");
        take(Capacity);
        explorer::check(taken == total, "what is not published is not seen");
        roles.writer.publish();
        take(Capacity);
        explorer::check(taken == made, "what was put in comes out");
    }

  private:
    static one_way_descriptor numbered(std::uint32_t n) { return {n, n ^ 0xff, ~std::uint64_t{n}}; }

    // Whole bursts only.
    void put() {
        if (made == total || roles.writer.space() < (total - made < Burst ? total - made : Burst))
            return;
        for (std::uint32_t i = 0; i != Burst && made != total; ++i)
            explorer::check(roles.writer.write(numbered(made++)), "a descriptor fits where there is space");
        roles.writer.publish();
    }

    void take(std::uint32_t most) {
        one_way_descriptor out[Capacity];
        const std::uint32_t count = roles.reader.reap({out, most});
        for (std::uint32_t i = 0; i != count; ++i, ++taken)
            explorer::check(out[i].number == taken && out[i].word == (taken ^ 0xff) &&
                                out[i].check == ~std::uint64_t{taken},
                            "descriptors come in order, each once, and whole");
        explorer::check(most != Capacity || taken % Burst == 0 || taken >= total, "a burst comes whole");
    }

    ring_type ring{start};
    typename ring_type::roles roles{ring.split()};
    std::uint32_t made = 0;  // the writer's
    std::uint32_t taken = 0; // the reader's
};

} // namespace bodies
