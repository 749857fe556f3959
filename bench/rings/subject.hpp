// SPDX-License-Identifier: BSL-1.0
#pragma once

// A ring under test: what it is called, what it can do, and how one repetition of it is run.

#include <cstdint>
#include <string>
#include <vector>

#include "common/program.hpp"

namespace bench {

// The columns of the table.
enum class work : std::uint8_t {
    one,          // two cores, one item at a time
    burst,        // two cores, bursts of 32, copied in and out
    in_place,     // two cores, bursts of 32, written and read in the ring
    round_trip,   // two cores, one item there and back through two rings
    thread_one,   // one thread, a push and a pop in turns
    thread_burst, // one thread, 32 pushed and 32 popped in turns
    shared_one,   // two producers on one core, the consumer on the other, one item at a time
    shared_burst, // the same in bursts of 32
    progress      // the same one at a time: the longest silence at the consumer
};
inline constexpr work all_works[] = {work::one,        work::burst,        work::in_place,
                                     work::round_trip, work::thread_one,   work::thread_burst,
                                     work::shared_one, work::shared_burst, work::progress};
inline constexpr std::uint32_t all_capacities[] = {64, 256, 1024, 4096};
inline constexpr std::uint32_t burst_size = 32;

[[nodiscard]] const char* name(work what);
[[nodiscard]] const char* unit(work what);
[[nodiscard]] constexpr bool on_one_thread(work what) {
    return what == work::thread_one || what == work::thread_burst;
}
[[nodiscard]] constexpr bool two_producers(work what) {
    return what == work::shared_one || what == work::shared_burst || what == work::progress;
}

// Items came damaged, in the wrong order, twice or not at all: a defect, never a figure.
struct broken_transfer : defect {
    using defect::defect;
};

struct request {
    work what = work::one;
    bool pause = false; // in a side's waiting loop
    double seconds = 0.004;
};

struct sample {
    double value = 0;       // in unit(what)
    bool disturbed = false; // a thread was preempted meanwhile
};

enum class origin : std::uint8_t { noria, neighbour, limit };

struct subject {
    std::string name;
    std::string type; // as a program writes it, options and all
    origin from = origin::neighbour;
    std::string package = {}; // of Debian 12
    std::uint32_t item_bytes = 16;
    bool index_ring = false;    // both sides wait for an index, not for a mark in the slot
    bool shared = false;        // takes several producers
    bool burst_is_loop = false; // has no bursts of its own: single operations in a loop
    std::vector<work> works = {};
    // Throws broken_transfer. The capacity is one of all_capacities.
    sample (*run)(std::uint32_t capacity, const request& asked) = nullptr;

    [[nodiscard]] bool offers(work what) const;
};

// Noria's own first, then the limits, then the neighbours that were there when this was built.
[[nodiscard]] const std::vector<subject>& subjects();

// The Debian packages of the neighbours that were not.
[[nodiscard]] std::string missing_packages();

} // namespace bench
