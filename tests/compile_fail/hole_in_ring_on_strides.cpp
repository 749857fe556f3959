// SPDX-License-Identifier: BSL-1.0
// Packets put by for posted buffers, on a device that lays a thousand frames in one.
// expect: nobody knows how many frames a work buffer will hold
#include "noria/queue/strategy.hpp"

static_assert(noria::strategy<noria::work_buffers, noria::wrap, noria::shortage::hole_in_ring>::on_shortage ==
              noria::shortage::hole_in_ring);
