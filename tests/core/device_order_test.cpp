// SPDX-License-Identifier: BSL-1.0
#include "noria/core/device_order.hpp"

#include <gtest/gtest.h>

namespace {

using namespace noria;

struct archetype {
    static void to_device() noexcept {}
    static void from_device() noexcept {}
    static void doorbell(volatile std::uint32_t&, std::uint32_t) noexcept {}
};
struct silent {
    static void to_device() noexcept {}
    static void from_device() noexcept {}
};
struct throwing : archetype {
    static void from_device() {}
};
struct needs_an_object {
    void to_device() noexcept {}
    static void from_device() noexcept {}
    static void doorbell(volatile std::uint32_t&, std::uint32_t) noexcept {}
};

static_assert(device_order<archetype> && device_order<coherent_device_order>);
static_assert(!device_order<silent> && !device_order<throwing> && !device_order<needs_an_object>);

TEST(coherent_device_order, a_doorbell_stores_its_value) {
    volatile std::uint32_t reg = 0;
    coherent_device_order::doorbell(reg, 0x8000'0001);
    EXPECT_EQ(reg, 0x8000'0001u);
}

// The compiler may keep what nobody reads in a register, and drop the first of two stores; a device reads
// both.
TEST(coherent_device_order,
     what_was_written_is_in_memory_before_the_doorbell_and_read_anew_after_from_device) {
    std::uint32_t descriptor = 1;
    std::uint32_t* escaped = &descriptor;
    asm volatile("" : "+r"(escaped));
    *escaped = 2;
    coherent_device_order::to_device();
    EXPECT_EQ(descriptor, 2u);
    coherent_device_order::from_device();
    EXPECT_EQ(*escaped, 2u);
}

} // namespace
