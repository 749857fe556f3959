// SPDX-License-Identifier: BSL-1.0
// A ring that offers its items in parts may never have as many in one part as are asked for.
// expect: offers_all_at_once
#include "noria/ring/burst.hpp"
#include "noria/ring/mpsc_ring.hpp"

bool take(noria::mpsc_ring<int, {.capacity = 8}>::consumer& consumer, std::span<int> items) {
    return noria::pop_bulk(consumer, items);
}
