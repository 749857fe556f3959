// SPDX-License-Identifier: BSL-1.0
#include "shared.hpp"

bool put(shared_ring::producer& producer, int item) noexcept {
    return producer.try_push(item);
}
