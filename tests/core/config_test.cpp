// SPDX-License-Identifier: BSL-1.0
#include "noria/core/config.hpp"

#include <string>
#include <typeinfo>

#include <gtest/gtest.h>

namespace noria::inline NORIA_ABI {
struct witness {};
} // namespace noria::inline NORIA_ABI

namespace {

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

static_assert(noria::contracts_on == (NORIA_CONTRACT != 0));
static_assert(noria::checked_mode == (NORIA_CONTRACT == 2));

TEST(config, the_version_is_its_three_parts) {
    EXPECT_EQ(std::string(NORIA_VERSION),
              TEXT(NORIA_VERSION_MAJOR) "." TEXT(NORIA_VERSION_MINOR) "." TEXT(NORIA_VERSION_PATCH));
}

TEST(config, what_changes_layouts_is_in_the_name_of_every_symbol) {
    const std::string abi = TEXT(NORIA_ABI);
    EXPECT_EQ(abi, "v" TEXT(NORIA_VERSION_MAJOR) "_" TEXT(NORIA_VERSION_MINOR) "_contract" TEXT(
                       NORIA_CONTRACT) "_line" TEXT(NORIA_CACHE_LINE));
    const std::string symbol = typeid(noria::witness).name();
    EXPECT_NE(symbol.find(abi), std::string::npos) << symbol;
}

} // namespace
