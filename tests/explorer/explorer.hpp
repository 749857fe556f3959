// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string>

#include "explorer/sync.hpp"
#include "explorer/world.hpp"

// Runs a few threads over headers of this library in every order, and with every value, that C++'s memory
// model allows within bounds, and tells the story of the first execution that goes wrong.
//
// A body is a program of two or three threads (at most seven):
//
//   template <class Sync>
//   struct hello {
//       static constexpr unsigned threads = 2;
//       hello();                       // alone, before the threads
//       void thread(unsigned index);   // bounded tries, no endless loop; no gtest
//       void finish();                 // alone, after them
//   };
//   const explorer::verdict found = explorer::explore<hello<explorer::sync>>();
//   EXPECT_TRUE(found.held) << found.story;
//
// (or, in a test, expect_proved<hello<explorer::sync>>() of proof.hpp.)
//
// What a body found out it states by explorer::check(), in any of the three. A data race on a cell, a broken
// contract, threads that all sleep, and an execution that does not end are found without being asked for.
//
// To add a body: put it into tests/explorer/bodies/<ring>.hpp, prove it in
// tests/explorer/<ring>_proof_test.cpp, and write one line for it into the table of
// tests/explorer/order_mutants_test.cpp; it then answers for the orders of all headers it goes through.
//
// What is decided as C++ does, and what is not: tests/explorer/litmus_test.cpp and docs/explanation/proof.md.

namespace explorer {

// Depth first: how many times in one execution a thread may be interrupted in front of an atomic access (one
// that ends, sleeps or relaxes gives up its turn for nothing), how many accesses may meet another store than
// the newest, and how many executions to try at most.
struct bounds {
    unsigned preemptions = 3;
    unsigned stale_reads = 3;
    std::uint64_t executions = 2'000'000;
};

struct verdict {
    bool held;       // no execution went wrong
    bool exhaustive; // and there is none left within the bounds
    std::uint64_t executions;
    std::string story; // of the one that went wrong: what, and each access that led there
};

// Who hears of a check that fails where another checker than the explorer runs the body.
inline void (*failed_elsewhere)(const char* what) = nullptr;

// Inside a body: `what` has to hold in every execution.
inline void check(bool holds, const char* what) {
    if (!holds && failed_elsewhere != nullptr)
        failed_elsewhere(what);
    else
        world::get().check(holds, what);
}

namespace detail {

template <class Body>
[[nodiscard]] program program_of() {
    static_assert(Body::threads >= 1 && Body::threads <= max_threads);
    alignas(Body) static std::byte memory[sizeof(Body)];
    return {
        Body::threads,
        [](void* at) { ::new (at) Body(); },
        [](void* at, unsigned index) { static_cast<Body*>(at)->thread(index); },
        [](void* at) {
            static_cast<Body*>(at)->finish();
            static_cast<Body*>(at)->~Body();
        },
        memory,
    };
}

[[nodiscard]] inline verdict failed(const program& body, limits allowed, std::uint64_t executions) {
    return {false, false, executions, world::get().tell(body, allowed)};
}

} // namespace detail

template <class Body>
[[nodiscard]] verdict explore(bounds within = {}) {
    const crash_guard guard;
    const program body = detail::program_of<Body>();
    const limits allowed{within.preemptions, within.stale_reads};
    world& machine = world::get();
    machine.path().depth_first();
    machine.path().forget();
    machine.forget();
    for (std::uint64_t executions = 1;; ++executions) {
        if (!machine.run(body, allowed))
            return detail::failed(body, allowed, executions);
        if (machine.learned())
            machine.path().forget();
        else if (!machine.path().advance())
            return {true, true, executions, ""};
        if (executions == within.executions)
            return {true, false, executions, ""};
    }
}

template <class Body>
[[nodiscard]] verdict explore_at_random(std::uint64_t executions, std::uint64_t seed) {
    const crash_guard guard;
    const program body = detail::program_of<Body>();
    const limits unlimited{~0u, ~0u};
    world& machine = world::get();
    machine.path().seed(seed * 0x9e37'79b9'7f4a'7c15 | 1);
    machine.forget();
    for (std::uint64_t done = 1; done <= executions; ++done) {
        machine.path().forget();
        if (!machine.run(body, unlimited))
            return detail::failed(body, unlimited, done);
        (void)machine.learned();
    }
    return {true, false, executions, ""};
}

} // namespace explorer
