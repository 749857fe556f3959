// SPDX-License-Identifier: BSL-1.0
#include "noria/core/copy.hpp"

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

namespace {

using noria::copy_bytes;

// Every length around every branch, at every alignment; what lies beside is left alone.
TEST(copy, copies_so_many_bytes_and_no_more) {
    std::array<std::byte, 512> from;
    for (std::size_t i = 0; i != from.size(); ++i)
        from[i] = static_cast<std::byte>(i * 7 + 1);
    for (std::size_t bytes = 0; bytes <= 200; ++bytes)
        for (std::size_t shift = 0; shift != 32; ++shift) {
            std::array<std::byte, 300> to{};
            copy_bytes(to.data() + 17 + shift, from.data() + 3 * shift, bytes);
            const auto first = to.begin() + 17 + static_cast<std::ptrdiff_t>(shift);
            const auto last = first + static_cast<std::ptrdiff_t>(bytes);
            ASSERT_TRUE(std::equal(first, last, from.begin() + static_cast<std::ptrdiff_t>(3 * shift)))
                << bytes << " bytes";
            ASSERT_EQ(std::count(to.begin(), first, std::byte{}), first - to.begin()) << bytes << " bytes";
            ASSERT_EQ(std::count(last, to.end(), std::byte{}), to.end() - last) << bytes << " bytes";
        }
}

TEST(copy, no_bytes_need_no_address) {
    copy_bytes(nullptr, nullptr, 0);
}

} // namespace
