// SPDX-License-Identifier: BSL-1.0
#include "noria/wire/toeplitz_product.hpp"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "noria/wire/toeplitz.hpp"
#include "support/random.hpp"

namespace {

using noria::detail::toeplitz_product;

TEST(toeplitz_product, equals_the_bit_by_bit_version) {
    if (!toeplitz_product::possible_for(12))
        GTEST_SKIP() << "this processor does not multiply without carry";
    random_steps random;
    for (std::uint64_t step = random_steps::count(4000); step != 0; --step) {
        std::vector<std::uint8_t> key(random.one_in(2) ? 40 : 52);
        for (auto& byte : key)
            byte = static_cast<std::uint8_t>(random.byte());
        const toeplitz_product product(key);
        for (std::size_t size = 0; size <= toeplitz_product::most_input; ++size) {
            if (!toeplitz_product::possible_for(size))
                continue;
            // Exactly so long, that a sanitizer sees a read behind the end.
            std::vector<std::uint8_t> input(size);
            for (auto& byte : input)
                byte = static_cast<std::uint8_t>(random.byte());
            ASSERT_EQ(product(input.data(), size), noria::toeplitz_bitwise(key, input)) << size;
        }
    }
}

TEST(toeplitz_product, is_for_the_inputs_that_flows_have_and_no_others) {
    for (std::size_t size = 0; size <= toeplitz_product::most_input; ++size)
        EXPECT_EQ(toeplitz_product::possible_for(size),
                  noria::toeplitz_hasher::multiplies && (size == 8 || size == 12 || size == 32 || size == 36))
            << size;
}

TEST(toeplitz_product, looks_the_same_to_those_who_cannot_multiply) {
    // Both kinds of translation unit may be in one program, and hand it to each other.
    EXPECT_EQ(sizeof(toeplitz_product), 5u * 16 + 5 * 8 + 8);
    EXPECT_EQ(alignof(toeplitz_product), 16u);
}

} // namespace
