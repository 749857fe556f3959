// SPDX-License-Identifier: BSL-1.0
// The program of every consumer test: a ring holds exactly what was asked for.
#include "noria/noria.hpp"

int main() {
    noria::spsc_ring<int, {.capacity = 3}> ring;
    auto [producer, consumer] = ring.split();
    int pushed = 0;
    while (producer.try_push(pushed))
        ++pushed;
    int popped = 0;
    return pushed == 3 && consumer.try_pop(popped) && popped == 0 ? 0 : 1;
}
