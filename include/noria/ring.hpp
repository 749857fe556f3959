// SPDX-License-Identifier: BSL-1.0
#pragma once

// ring: bounded queues between two threads, or between a driver and its device.

#include "noria/ring/burst.hpp"
#include "noria/ring/concepts.hpp"
#include "noria/ring/descriptor.hpp"
#include "noria/ring/descriptor_ring.hpp"
#include "noria/ring/index.hpp"
#include "noria/ring/role.hpp"
#include "noria/ring/spsc_ring.hpp"
#include "noria/ring/storage.hpp"
#include "noria/ring/token.hpp"
