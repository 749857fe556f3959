// SPDX-License-Identifier: BSL-1.0
#include "noria/core/owned.hpp"

#include <cstddef>
#include <memory>
#include <type_traits>

#include <gtest/gtest.h>

namespace {

using namespace noria;

// Can be neither copied nor moved: that is what its owner is for.
class archetype {
  public:
    archetype(std::unique_ptr<int> number, int& alive) noexcept : number_(std::move(number)), alive_(alive) {
        ++alive_;
    }
    archetype(const archetype&) = delete;
    archetype& operator=(const archetype&) = delete;
    ~archetype() { --alive_; }
    int number() const noexcept { return *number_; }

  private:
    std::unique_ptr<int> number_;
    int& alive_;
};

struct too_large {
    static void* operator new(std::size_t, const std::nothrow_t&) noexcept { return nullptr; }
};

static_assert(!std::is_copy_constructible_v<owned<archetype>> &&
              !std::is_copy_assignable_v<owned<archetype>>);
static_assert(std::is_nothrow_move_constructible_v<owned<archetype>> &&
              std::is_nothrow_move_assignable_v<owned<archetype>>);
static_assert(sizeof(owned<archetype>) == sizeof(void*));

TEST(owned, starts_empty) {
    EXPECT_FALSE(owned<archetype>());
}

TEST(owned, is_empty_when_there_is_no_memory) {
    EXPECT_FALSE(owned<too_large>::make());
}

TEST(owned, its_object_stays_put_while_it_moves_and_goes_once) {
    int alive = 0;
    {
        owned<archetype> first = owned<archetype>::make(std::make_unique<int>(7), alive);
        ASSERT_TRUE(first);
        const archetype* const address = &*first;
        EXPECT_EQ(first->number(), 7);
        owned<archetype> second = std::move(first);
        EXPECT_EQ(&*second, address);
        owned<archetype> third = owned<archetype>::make(std::make_unique<int>(8), alive);
        EXPECT_EQ(alive, 2);
        third = std::move(second);
        EXPECT_EQ(alive, 1) << "what it had before goes at once";
        EXPECT_EQ(&*third, address);
        owned<archetype>& alias = third;
        third = std::move(alias);
        EXPECT_EQ(&*third, address);
        owned<archetype> other = owned<archetype>::make(std::make_unique<int>(9), alive);
        other.swap(third);
        EXPECT_EQ(&*other, address);
        EXPECT_EQ(third->number(), 9);
    }
    EXPECT_EQ(alive, 0);
}

} // namespace
