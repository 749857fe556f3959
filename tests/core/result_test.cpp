// SPDX-License-Identifier: BSL-1.0
#include "noria/core/result.hpp"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace noria;

// What result<T> asks of T and nothing more, and a count of those alive.
class archetype {
  public:
    explicit archetype(int number) noexcept : number_(number) { ++alive; }
    archetype(archetype&& other) noexcept : number_(std::exchange(other.number_, -1)) { ++alive; }
    archetype& operator=(archetype&&) = delete;
    ~archetype() { --alive; }
    int number() const noexcept { return number_; }

    static inline int alive = 0;

  private:
    int number_;
};

static_assert(!std::is_copy_constructible_v<result<int>> && !std::is_copy_assignable_v<result<int>>);
static_assert(std::is_nothrow_move_constructible_v<result<archetype>> &&
              std::is_nothrow_move_assignable_v<result<archetype>>);
static_assert(!std::is_default_constructible_v<result<archetype>>);
static_assert(!std::is_convertible_v<result<int>, bool>, "a result is asked, not taken for a number");
static_assert(std::is_same_v<result<archetype>::value_type, archetype>);

const error no_such_device = make_error(std::errc::no_such_device, "plug it in");

TEST(make_error, says_numbers_where_there_are_any) {
    EXPECT_EQ(no_such_device.wanted + no_such_device.found, 0u);
    const error too_few = make_error(std::errc::not_supported, "ask for less", 12, 5);
    EXPECT_EQ(too_few.wanted, 12u);
    EXPECT_EQ(too_few.found, 5u);
}

TEST(make_error, keeps_code_and_advice) {
    EXPECT_EQ(no_such_device.code, std::errc::no_such_device);
    EXPECT_STREQ(no_such_device.advice, "plug it in");
    EXPECT_STREQ(error{}.advice, "") << "advice is never null";
}

TEST(result, holds_a_value) {
    result<archetype> made = archetype(5);
    ASSERT_TRUE(made);
    EXPECT_TRUE(made.has_value());
    EXPECT_EQ(made.value().number(), 5);
    EXPECT_EQ((*made).number(), 5);
    EXPECT_EQ(made->number(), 5);
    EXPECT_EQ(std::as_const(made).value().number(), 5);
}

TEST(result, holds_an_error) {
    const result<archetype> failed = no_such_device;
    EXPECT_FALSE(failed);
    EXPECT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error().code, std::errc::no_such_device);
    EXPECT_STREQ(failed.error().advice, "plug it in");
}

TEST(result, gives_away_what_can_only_be_moved) {
    result<std::unique_ptr<int>> made = std::make_unique<int>(7);
    std::unique_ptr<int> mine = std::move(made).value();
    EXPECT_EQ(*mine, 7);
    result<std::unique_ptr<int>> again = std::move(mine);
    EXPECT_EQ(**std::move(again), 7);
}

// Every combination of value and error on both sides of a move; each T is destroyed exactly once.
TEST(result, moves_and_destroys_each_value_once) {
    const auto make = [](int number) -> result<archetype> {
        if (number < 0)
            return no_such_device;
        return archetype(number);
    };
    for (const int from : {-1, 1}) {
        result<archetype> source = make(from);
        result<archetype> moved = std::move(source);
        EXPECT_EQ(moved.has_value(), from > 0);
        for (const int to : {-1, 2}) {
            result<archetype> right = make(from);
            result<archetype> left = make(to);
            left = std::move(right);
            ASSERT_EQ(left.has_value(), from > 0);
            if (left)
                EXPECT_EQ(left->number(), 1);
            else
                EXPECT_STREQ(left.error().advice, "plug it in");
        }
    }
    result<archetype> same = make(3);
    result<archetype>& alias = same;
    same = std::move(alias);
    EXPECT_EQ(same->number(), 3);
    EXPECT_EQ(archetype::alive, 1) << "all but the last one are gone";
}

TEST(result, leaves_nobody_alive) {
    EXPECT_EQ(archetype::alive, 0);
}

#if NORIA_CONTRACT == 2
TEST(result_death_test, asking_for_what_is_not_there) {
    result<archetype> failed = no_such_device;
    result<archetype> made = archetype(1);
    EXPECT_DEATH(static_cast<void>(failed.value()), "advice");
    EXPECT_DEATH(static_cast<void>(std::as_const(failed).value()), "advice");
    EXPECT_DEATH(static_cast<void>(std::move(failed).value()), "advice");
    EXPECT_DEATH(static_cast<void>(failed->number()), "advice");
    EXPECT_DEATH(static_cast<void>(made.error()), "holds a value");
}
#endif

} // namespace
