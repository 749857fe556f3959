// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/token.hpp"

#include <gtest/gtest.h>

#include <array>
#include <type_traits>

#include "noria/core/config.hpp"

namespace {

using namespace noria;

// What a token asks of its handle, and nothing more.
struct handle_archetype {
    using slot_type = int;
    int finished = -1;
    int dropped = 0;
    void finish(std::uint32_t count) noexcept { finished = static_cast<int>(count); }
    void drop() noexcept { ++dropped; }
};
using writing = reserve_token<handle_archetype>;
using reading = peek_token<handle_archetype>;

static_assert(std::is_nothrow_move_constructible_v<writing> && !std::is_copy_constructible_v<writing>);
static_assert(std::is_nothrow_move_constructible_v<reading> && !std::is_copy_constructible_v<reading>);

template <class Token>
class ring_token : public testing::Test {
  protected:
    static void finish(writing& token, std::uint32_t count) { token.commit(count); }
    static void finish(reading& token, std::uint32_t count) { token.release(count); }

    std::array<int, 8> slots_{};
    handle_archetype handle_;
};
using both_tokens = testing::Types<writing, reading>;
TYPED_TEST_SUITE(ring_token, both_tokens, );

TYPED_TEST(ring_token, shows_the_stretch_as_two_spans) {
    TypeParam token(&this->handle_, this->slots_.data(), {6, 2, 3});
    EXPECT_EQ(token.size(), 5u);
    EXPECT_EQ(token.first().data(), &this->slots_[6]);
    EXPECT_EQ(token.first().size(), 2u);
    EXPECT_EQ(token.second().data(), &this->slots_[0]);
    EXPECT_EQ(token.second().size(), 3u);
}

TYPED_TEST(ring_token, dropped_changes_nothing) {
    {
        TypeParam token(&this->handle_, this->slots_.data(), {0, 2, 0});
    }
    EXPECT_EQ(this->handle_.finished, -1);
    EXPECT_EQ(this->handle_.dropped, 1);
}

TYPED_TEST(ring_token, finishes_in_part_and_once) {
    {
        TypeParam token(&this->handle_, this->slots_.data(), {0, 4, 0});
        this->finish(token, 3);
    }
    EXPECT_EQ(this->handle_.finished, 3);
    EXPECT_EQ(this->handle_.dropped, 0);
}

TYPED_TEST(ring_token, passes_its_duty_on_when_moved) {
    {
        TypeParam token(&this->handle_, this->slots_.data(), {0, 4, 0});
        TypeParam other(std::move(token));
        EXPECT_EQ(other.size(), 4u);
    }
    EXPECT_EQ(this->handle_.dropped, 1);
}

TYPED_TEST(ring_token, cannot_be_finished_beyond_its_size_or_twice) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "death tests fork, which the thread sanitizer does not like";
#endif
    if (!checked_mode)
        GTEST_SKIP() << "contracts are not checked in this build";
    TypeParam token(&this->handle_, this->slots_.data(), {0, 4, 0});
    EXPECT_DEATH(this->finish(token, 5), "no more can be finished");
    this->finish(token, 4);
    EXPECT_DEATH(this->finish(token, 0), "finished once");
}

} // namespace
