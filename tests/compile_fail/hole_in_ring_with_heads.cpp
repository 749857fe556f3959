// SPDX-License-Identifier: BSL-1.0
// Packets put by for posted buffers, for a build that cannot do without a head.
// expect: this build also needs a head when the frame is there
#include "noria/queue/strategy.hpp"

static_assert(
    noria::strategy<noria::fresh_buffers, noria::copy_all, noria::shortage::hole_in_ring>::on_shortage ==
    noria::shortage::hole_in_ring);
