// SPDX-License-Identifier: BSL-1.0
#include "shared.hpp"

int main() {
    shared_ring ring;
    auto [producer, consumer] = ring.split();
    int item = 0;
    return put(producer, 7) && consumer.try_pop(item) && item == 7 ? 0 : 1;
}
