// SPDX-License-Identifier: BSL-1.0
#pragma once

// ring: bounded queues between two threads, or between a driver and its device.

#include "noria/ring/burst.hpp"
#include "noria/ring/concepts.hpp"
#include "noria/ring/descriptor.hpp"
#include "noria/ring/descriptor_ring.hpp"
#include "noria/ring/device_ring.hpp"
#include "noria/ring/doorbell.hpp"
#include "noria/ring/fan_in.hpp"
#include "noria/ring/foreign_ring.hpp"
#include "noria/ring/hybrid_ring.hpp"
#include "noria/ring/index.hpp"
#include "noria/ring/mirrored.hpp"
#include "noria/ring/mpsc_ring.hpp"
#include "noria/ring/notifier.hpp"
#include "noria/ring/role.hpp"
#include "noria/ring/shared.hpp"
#include "noria/ring/space.hpp"
#include "noria/ring/spsc_ring.hpp"
#include "noria/ring/storage.hpp"
#include "noria/ring/token.hpp"
#include "noria/ring/wait.hpp"
