// SPDX-License-Identifier: BSL-1.0
#include "explorer/bodies/hybrid_ring.hpp"

#include "mutants/explored.hpp"

int main() {
    check::explored<bodies::hybrid_ring_there<explorer::sync, bodies::taking::singly, 2, 2>>();
    check::explored<bodies::hybrid_ring_there<explorer::sync, bodies::taking::in_bursts, 4, 3>>();
}
