// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "noria/noria.hpp"

using shared_ring = noria::spsc_ring<int, {.capacity = 4}>;

bool put(shared_ring::producer& producer, int item) noexcept;
