// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "explorer/explorer.hpp"
#include "noria/ring/hybrid_ring.hpp"

// Descriptors from one thread to one other, singly and in bursts of uneven length: the consumer learns of
// them now by their bits, now by the index, and both must vouch for the payload.

namespace bodies {

// Two in a line, so that the consumer of a small ring looks at bits within a line and at its end.
struct wide_descriptor {
    std::uint32_t number;
    std::uint32_t word;
    std::uint32_t check[6];
};

} // namespace bodies

template <>
struct noria::descriptor_traits<bodies::wide_descriptor> {
    static constexpr std::size_t word_offset = offsetof(bodies::wide_descriptor, word);
};

namespace bodies {

enum class taking { singly, in_bursts };

template <class Sync, taking How, std::uint32_t Capacity, std::uint32_t Burst>
struct hybrid_ring_there {
    static constexpr unsigned threads = 2;
    static constexpr std::uint32_t start = 0xffff'ffff, total = 2 * Capacity + Burst;
    using ring_type = noria::basic_hybrid_ring<wide_descriptor, {.capacity = Capacity}, Sync>;

    void thread(unsigned index) {
        for (unsigned tries = 0; tries != 4; ++tries)
            index == 0 ? put(tries % 2 == 0 ? Burst : 1) : static_cast<void>(take());
    }

    void finish() {
        for (unsigned rounds = 0; rounds != 2 * total; ++rounds) {
            put(Burst);
            take();
        }
        while (taken != made && take() != 0) {
        }
        explorer::check(made == total && taken == total, "nothing is lost");
        for (std::uint32_t i = 0; i != Capacity; ++i)
            explorer::check(roles.producer.try_push(numbered(made++)), "an empty ring takes its capacity");
        explorer::check(!roles.producer.try_push(numbered(0)), "a full ring refuses");
        while (take() != 0) {
        }
        explorer::check(taken == made, "what was put in comes out");
    }

  private:
    static wide_descriptor numbered(std::uint32_t n) {
        return {n, n ^ 0xff, {~n, n + 1, n + 2, n + 3, n + 4, n + 5}};
    }

    void put(std::uint32_t length) {
        wide_descriptor burst[Burst];
        std::uint32_t count = 0;
        for (; count != length && made + count != total; ++count)
            burst[count] = numbered(made + count);
        if (count == 1)
            made += roles.producer.try_push(burst[0]) ? 1 : 0;
        else
            made += roles.producer.push_burst({burst, count});
    }

    std::uint32_t take() {
        wide_descriptor out[Capacity];
        const std::uint32_t count = How == taking::singly ? (roles.consumer.try_pop(out[0]) ? 1u : 0u)
                                                          : roles.consumer.pop_burst(out);
        for (std::uint32_t i = 0; i != count; ++i, ++taken)
            explorer::check(out[i].number == taken && out[i].word == (taken ^ 0xff) &&
                                out[i].check[0] == ~taken && out[i].check[5] == taken + 5,
                            "descriptors come in order, each once, and whole");
        return count;
    }

    ring_type ring{start};
    typename ring_type::roles roles{ring.split()};
    std::uint32_t made = 0;  // the producer's
    std::uint32_t taken = 0; // the consumer's
};

} // namespace bodies
