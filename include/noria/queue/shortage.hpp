// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "noria/core/config.hpp"

namespace noria::inline NORIA_ABI {

// Who gives way when a receive queue has no memory: the frame waits, the frame goes, or no frame is let in.
//
// This is about packets and heads, which a strategy has a choice about. When there is no page to post, a slot
// or a work buffer stays empty under all three; it is counted in receive_counters::holes, and tried again at
// the next poll.
enum class shortage : std::uint8_t {
    // A frame that cannot be built stays where it is, and the poll ends (ixgbe). Nothing is lost before the
    // device has filled all its buffers; from then on it misses frames. Counted in held_back, once a try.
    leave_in_ring,

    // A frame that cannot be built is dropped with no_memory, and its buffer goes back to the device (mlx5;
    // most drivers that copy). So does one whose buffer a packet would keep while there is no page for the
    // slot: the ring of a device with a buffer for each packet stays full, and it misses nothing.
    drop_and_recycle,

    // A buffer is posted only when a packet is left for what will be in it; if not, its slot stays empty
    // until there is (e1000e, which allocates both at once). What the device has taken is delivered; what
    // finds no buffer it misses. Counted in holes, once a try. Packets that the consumer makes out of the
    // same pool (clones) are not foreseen: if they take what was put by, the frame is dropped with no_memory.
    hole_in_ring
};

[[nodiscard]] constexpr const char* name(shortage answer) noexcept {
    switch (answer) {
    case shortage::leave_in_ring:
        return "leave_in_ring";
    case shortage::drop_and_recycle:
        return "drop_and_recycle";
    case shortage::hole_in_ring:
        return "hole_in_ring";
    }
    return "?";
}

} // namespace noria::inline NORIA_ABI
