// SPDX-License-Identifier: BSL-1.0
#include "explorer/bodies/packet.hpp"

#include <gtest/gtest.h>

#include "explorer/proof.hpp"

namespace {

using explorer::expect_proved;
using explorer::sync;
using namespace bodies;

TEST(packet_proof, a_shared_head_goes_home_once_and_after_all_who_read_it) {
    expect_proved<head_of_clones<sync>>();
}

TEST(packet_proof, who_is_alone_with_a_head_comes_after_all_who_read_it) {
    expect_proved<head_alone_again<sync>>();
}

} // namespace
