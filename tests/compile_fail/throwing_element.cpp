// SPDX-License-Identifier: BSL-1.0
// A ring moves its items without a way to fail: an element whose move may throw is refused.
// expect: ring_element
// expect: is_nothrow_move_constructible_v<
#include "noria/ring/spsc_ring.hpp"

struct may_throw {
    may_throw() = default;
    may_throw(may_throw&&) noexcept(false) {}
};

noria::spsc_ring<may_throw, {.capacity = 4}>* ring;
