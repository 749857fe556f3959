// SPDX-License-Identifier: BSL-1.0
#pragma once

// backend: what a device must offer, and three devices that need no hardware.

#include "noria/backend/address_space.hpp"
#include "noria/backend/card_rings.hpp"
#include "noria/backend/contract.hpp"
#include "noria/backend/fault_dice.hpp"
#include "noria/backend/loopback.hpp"
#include "noria/backend/null.hpp"
#include "noria/backend/null_strides.hpp"
#include "noria/backend/replay.hpp"
#include "noria/backend/transmit.hpp"
#include "noria/backend/transmitter.hpp"
