// SPDX-License-Identifier: BSL-1.0
#include "noria/poll/pollable.hpp"

#include <gtest/gtest.h>

namespace {

using noria::poll_ref;

// What the concept asks for and nothing more: it cannot be copied, compared or made out of nothing.
class archetype {
  public:
    static archetype make() { return archetype(0); }
    archetype(const archetype&) = delete;
    archetype& operator=(const archetype&) = delete;
    void operator&() const = delete; // an address is taken with std::addressof or not at all
    std::uint32_t poll(std::uint32_t budget) noexcept { return budget / 2; }
    bool rearm() noexcept { return true; }

  private:
    explicit archetype(int) {}
};

struct throwing {
    std::uint32_t poll(std::uint32_t) { return 0; }
    bool rearm() noexcept { return true; }
};
struct without_rearm {
    std::uint32_t poll(std::uint32_t) noexcept { return 0; }
};
struct signed_count {
    int poll(std::uint32_t) noexcept { return 0; }
    bool rearm() noexcept { return true; }
};

static_assert(noria::pollable<archetype>);
static_assert(!noria::pollable<throwing>);
static_assert(!noria::pollable<without_rearm>);
static_assert(!noria::pollable<signed_count>);
static_assert(!std::is_constructible_v<poll_ref, archetype&&>, "a reference to a temporary would dangle");
static_assert(!std::is_constructible_v<poll_ref, const archetype&>);
static_assert(!std::is_constructible_v<poll_ref, int&>);
static_assert(std::is_trivially_copyable_v<poll_ref> && sizeof(poll_ref) == 3 * sizeof(void*));

TEST(PollRef, ForgetsTheTypeAndKeepsTheObject) {
    archetype one = archetype::make(), other = archetype::make();
    const poll_ref ref = one;
    EXPECT_EQ(ref.poll(64), 32u);
    EXPECT_TRUE(ref.rearm());
    EXPECT_EQ(ref, poll_ref(one));
    EXPECT_NE(ref, poll_ref(other));
}

} // namespace
