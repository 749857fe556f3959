// SPDX-License-Identifier: BSL-1.0
// A device that reports in any order: the pieces of a frame could not be told apart.
// expect: this backend reports them in any order
#include "noria/backend/null.hpp"
#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"

struct unruly_device : noria::backend::null {
    using null::null;
    static constexpr bool in_order = false;
};

std::uint64_t bytes = noria::rx_queue<unruly_device, noria::per_packet>::region_bytes({});
