// SPDX-License-Identifier: BSL-1.0
#pragma once

// core: what every other room stands on, and nothing that knows what a packet is.

#include "noria/core/bits.hpp"
#include "noria/core/cacheline.hpp"
#include "noria/core/clock.hpp"
#include "noria/core/config.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/copy.hpp"
#include "noria/core/device_order.hpp"
#include "noria/core/endian.hpp"
#include "noria/core/owned.hpp"
#include "noria/core/result.hpp"
#include "noria/core/sync.hpp"
