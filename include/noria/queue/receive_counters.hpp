// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "noria/queue/build.hpp"

namespace noria::inline NORIA_ABI {

// What one receive queue has seen. Moved by its thread only: it is right between two polls, and in the middle
// of one the packets of the burst at hand may not have been added yet. Where mlx5 counts the same its name is
// used.
//
//   buff_alloc_err = held_back + holes + frames dropped with no_memory
//   oversize       = frames dropped with packet_too_big
struct receive_counters {
    std::uint64_t frames = 0;         // that the device gave whole, whatever became of them
    std::uint64_t delivered = 0;      // packets handed to the consumer
    std::uint64_t bytes = 0;          // in them
    std::uint64_t fillers = 0;        // completions that only use up strides,
    std::uint64_t filler_strides = 0; // and how many these were
    std::uint64_t refused = 0;        // completions that named no buffer the device had
    std::uint64_t wqe_err = 0;        // completions with an error status, fillers too
    std::uint64_t oversize = 0;       // frames longer than the longest, or in more pieces than a packet has
    std::uint64_t held_back = 0;      // polls that ended early: a frame waits for memory
    std::uint64_t holes = 0;          // refills that left a slot or a work buffer empty
    std::uint64_t buff_alloc_err = 0; // times that memory was wanted and there was none
    build_counters built;
};

} // namespace noria::inline NORIA_ABI
