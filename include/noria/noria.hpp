// SPDX-License-Identifier: BSL-1.0
#pragma once

// Everything. Each room can also be had alone, and each thing in it.

#include "noria/backend.hpp"
#include "noria/core.hpp"
#include "noria/flow.hpp"
#include "noria/memory.hpp"
#include "noria/packet.hpp"
#include "noria/poll.hpp"
#include "noria/queue.hpp"
#include "noria/ring.hpp"
#include "noria/stats.hpp"
#include "noria/wire.hpp"
