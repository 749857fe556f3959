// SPDX-License-Identifier: BSL-1.0
// A strategy that posts work buffers, on a device that wants one buffer at a time.
// expect: this strategy and this backend do not fit
#include "noria/backend/null.hpp"
#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"

std::uint64_t bytes = noria::rx_queue<noria::backend::null, noria::stride_copy>::region_bytes({});
