// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "explorer/explorer.hpp"
#include "noria/ring/fan_in.hpp"

// Two producers and a consumer who puts a ring to rest at the first opportunity, so that bells are rung, and
// missed, in every way there is.

namespace bodies {

template <class Sync, std::uint32_t Capacity, unsigned Tries>
struct fan_in_body {
    static constexpr unsigned threads = 3;
    using wheel_type =
        noria::basic_fan_in<std::uint32_t,
                            {.producers = 2, .ring = {.capacity = Capacity}, .budget = 1, .turns_to_rest = 1},
                            Sync>;

    // Ring 0 has been busy and ring 1 is at rest by the time the threads begin.
    fan_in_body() {
        for (unsigned i = 0; i != 3; ++i) {
            put(0);
            take();
        }
    }

    void thread(unsigned index) {
        for (unsigned tries = 0; tries != Tries; ++tries)
            index == 2 ? (void)take() : put(index);
        if (index == 2)
            take();
    }

    void finish() {
        // The producers are quiet: nothing is found only when nothing is left, whatever bell was missed.
        while (take()) {
        }
        explorer::check(taken[0] == made[0] && taken[1] == made[1], "no item waits for a bell");
        // Not by refusing everything.
        for (unsigned who = 0; who != 2; ++who) {
            for (std::uint32_t i = 0; i != Capacity; ++i)
                put(who);
            const std::uint32_t before = made[who];
            put(who);
            explorer::check(made[who] == before && before == taken[who] + Capacity,
                            "an empty ring takes its capacity, and no more");
        }
        while (take()) {
        }
        explorer::check(taken[0] == made[0] && taken[1] == made[1], "what was put in comes out");
    }

  private:
    void put(unsigned who) {
        if (roles.producers[who].try_push(100 * who + made[who]))
            ++made[who];
    }

    bool take() {
        std::uint32_t seen = ~0u;
        if (!roles.consumer.try_pop(seen))
            return false;
        const std::uint32_t who = seen / 100;
        explorer::check(who < 2 && seen % 100 == taken[who]++,
                        "the items of a producer come in order, each once");
        return true;
    }

    wheel_type wheel{0xffff'fffe};
    typename wheel_type::roles roles{wheel.split()};
    std::uint32_t made[2]{};  // each producer its own
    std::uint32_t taken[2]{}; // the consumer's
};

} // namespace bodies
