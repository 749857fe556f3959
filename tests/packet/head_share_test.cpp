// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/head_share.hpp"

#include <gtest/gtest.h>

namespace {

using namespace noria;

// How it behaves among threads is proved in tests/explorer/bodies/packet.hpp.
TEST(head_share, the_last_to_leave_is_told) {
    const basic_page_owner<std_sync> nobody{nullptr, [](void*, page&) noexcept {}};
    page under(nullptr, 0, nobody);
    head_share share;
    for (int life = 0; life != 2; ++life) {
        share.start(under);
        EXPECT_EQ(&share.under(), &under);
        EXPECT_TRUE(share.alone());
        share.join();
        share.join();
        EXPECT_FALSE(share.alone());
        EXPECT_FALSE(share.leave());
        EXPECT_FALSE(share.leave());
        EXPECT_TRUE(share.alone());
        share.join();
        EXPECT_FALSE(share.alone()) << "cloned anew";
        EXPECT_FALSE(share.leave());
        EXPECT_TRUE(share.leave());
    }
}

} // namespace
