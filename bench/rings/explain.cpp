// SPDX-License-Identifier: BSL-1.0
#include "rings/explain.hpp"

#include "noria/ring/hybrid_ring.hpp"
#include "noria/ring/spsc_ring.hpp"
#include "rings/harness.hpp"
#include "rings/noria.hpp"

// Copies of spsc_ring.hpp, each with one thing switched off by switch_off.py.
#include "spsc_ring_without_own_constants.hpp"
#include "spsc_ring_without_silent_polls.hpp"

namespace bench {
namespace {

constexpr std::uint32_t slots = 1024;

template <class Ring>
subject variant(const char* name, const char* type) {
    return {.name = name,
            .type = type,
            .from = origin::noria,
            .run = [](std::uint32_t, const request& asked) { return run_ring<noria_pair<Ring>>(asked); }};
}

subject as_it_is() {
    return variant<noria::spsc_ring<descriptor, {.capacity = slots}>>(
        "with", "spsc_ring<descriptor, {.capacity = 1024}>");
}

} // namespace

const std::vector<finding>& findings() {
    static const std::vector<finding> all = {
        {"prefetch for write", ".write_prefetch_lines = 0", work::one, slots, as_it_is(),
         variant<noria::spsc_ring<descriptor, {.capacity = slots, .write_prefetch_lines = 0}>>(
             "without", "spsc_ring<descriptor, {.capacity = 1024, .write_prefetch_lines = 0}>")},
        {"failed polls write nothing",
         "a poll stores the index it has read before it looks whether anything is new, and a push counts "
         "before it publishes",
         work::round_trip, slots, as_it_is(),
         variant<noria::spsc_ring_without_silent_polls<descriptor, {.capacity = slots}>>(
             "without", "spsc_ring, changed by bench/rings/switch_off.py silent_polls")},
        {"constants per side", "the consumer reads the mask in the line of the producer's index", work::one,
         slots, as_it_is(),
         variant<noria::spsc_ring_without_own_constants<descriptor, {.capacity = slots}>>(
             "without", "spsc_ring, changed by bench/rings/switch_off.py own_constants")},
        {"chunked return", ".return_chunk = 1", work::one, slots, as_it_is(),
         variant<noria::spsc_ring<descriptor, {.capacity = slots, .return_chunk = 1}>>(
             "without", "spsc_ring<descriptor, {.capacity = 1024, .return_chunk = 1}>")},
        {"one line per hop", "an index ring in the place of hybrid_ring", work::round_trip, slots,
         variant<noria::hybrid_ring<descriptor, {.capacity = slots}>>(
             "with", "hybrid_ring<descriptor, {.capacity = 1024}>"),
         variant<noria::spsc_ring<descriptor, {.capacity = slots}>>(
             "without", "spsc_ring<descriptor, {.capacity = 1024}>")},
    };
    return all;
}

std::vector<finding_result> explain(unsigned repetitions, double seconds) {
    std::vector<finding_result> results;
    for (const finding& one : findings()) {
        subject with = one.with;
        subject without = one.without;
        with.works = without.works = {one.what};
        std::vector<series> measured = measure({.chosen = {&with, &without},
                                                .works = {one.what},
                                                .capacities = {one.capacity},
                                                .repetitions = repetitions,
                                                .seconds = seconds});
        measured[0].who = &one.with; // the copies end here
        measured[1].who = &one.without;
        measured[0].spin_only = measured[1].spin_only = true;
        results.push_back({&one, measured[0], measured[1]});
    }
    return results;
}

} // namespace bench
