// SPDX-License-Identifier: BSL-1.0
#pragma once

// One repetition of one strategy in one cell.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "copy_or_not/cell.hpp"
#include "copy_or_not/traffic.hpp"
#include "noria/memory/region.hpp"
#include "noria/queue/strategy.hpp"

namespace bench {

// The ledger of a run did not close, or memory did not come home: a defect, never a figure.
struct broken_ledger : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct measurement {
    double ns_per_packet = 0; // on the receiving core, polls that found nothing left out
    double core_share = 1;    // processor time of the receiving thread by wall time

    // Of the measured part.
    std::uint64_t packets = 0;
    std::uint64_t payload_bytes = 0;
    std::uint64_t bytes_copied = 0;
    std::uint64_t bytes_copied_out = 0; // by the consumer, to its own buffer
    std::uint64_t heads = 0;
    std::uint64_t descriptors = 0;
    std::uint64_t references = 0;
    std::uint64_t pages_allocated = 0;
    noria::dma_counters dma;

    // Of the whole run.
    std::uint64_t offered = 0;
    std::uint64_t delivered = 0;
    std::uint64_t held = 0; // when the offering ended
    std::map<std::string, std::uint64_t> dropped;
    std::uint64_t pinned_peak_bytes = 0;
    std::uint32_t copybreak = 0; // adaptive: what it had learned
};

// What a strategy that learns takes from one repetition to the next.
struct memory_of_the_past {
    bool has_learned = false;
    noria::copybreak_learner learner;
};

struct run_options {
    double warm_up_seconds = 0.003; // after the consumer's hands are full
    double seconds = 0.02;
    std::uint64_t frames = 0; // instead of seconds, when not 0
};

struct subject {
    const char* name;
    std::uint64_t (*region_bytes)(const cell& where, const traffic& from);
    measurement (*run)(const cell& where, const traffic& from, noria::region& memory,
                       const run_options& options, memory_of_the_past& past);
};

// All strategies, adaptive last.
[[nodiscard]] const std::vector<subject>& subjects();

// What a plain memcpy of the same bytes, written by the other core, costs: nanoseconds a packet.
[[nodiscard]] double memcpy_floor(const traffic& from, noria::region& memory, const run_options& options);

} // namespace bench
