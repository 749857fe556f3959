// SPDX-License-Identifier: BSL-1.0
#include "explorer/bodies/published.hpp"

#include <gtest/gtest.h>

#include "explorer/proof.hpp"

namespace {

using explorer::expect_proved;
using explorer::sync;
using namespace bodies;

TEST(published_proof, a_copy_is_read_whole) {
    expect_proved<published_whole<sync, 2, 1>>();
    expect_proved<published_whole<sync, 2, 3>>();
    expect_proved<published_whole<sync, 3, 4>>();
}

TEST(published_proof, what_was_received_had_been_given) {
    expect_proved<published_in_a_row<sync>>();
}

} // namespace
