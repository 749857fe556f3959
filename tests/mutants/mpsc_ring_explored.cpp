// SPDX-License-Identifier: BSL-1.0
#include "explorer/bodies/mpsc_ring.hpp"

#include "mutants/explored.hpp"

int main() {
    check::explored<bodies::mpsc_ring_body<explorer::sync, 2, 2, 2, true>>();
    check::explored<bodies::mpsc_ring_short_body<explorer::sync, 1, 3>>();
}
