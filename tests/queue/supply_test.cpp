// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/supply.hpp"

#include <type_traits>

#include <gtest/gtest.h>

#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"
#include "support/devices.hpp"
#include "support/supplies.hpp"

namespace {

using namespace noria;

enum class part {
    none,
    model,
    plan,
    create,
    setup,
    accept,
    replaceable,
    take,
    settle,
    touch,
    posted_pages,
    pins
};

// A supply that lacks one part.
template <part Without, bool Throws = false>
struct supply_without {
    static constexpr std::conditional_t<Without == part::model, part, buffer_model> model{};
    static page_plan plan(const rx_options&, bool) noexcept
        requires(Without != part::plan);
    static result<supply_without> create(page_pool&, const rx_options&) noexcept
        requires(Without != part::create);
    static receive_setup setup(const rx_options&) noexcept
        requires(Without != part::setup);
    accepted accept(const completion&, mapping&, frame&) noexcept(!Throws)
        requires(Without != part::accept);
    bool replaceable(const frame&) const noexcept
        requires(Without != part::replaceable);
    page& take(piece&) noexcept
        requires(Without != part::take);
    void settle(frame&) noexcept
        requires(Without != part::settle);
    void touch(const completion&, std::uint32_t) const noexcept
        requires(Without != part::touch);
    std::uint32_t posted_pages() const noexcept
        requires(Without != part::posted_pages);
    bool pins(const page&) const noexcept
        requires(Without != part::pins);
};
static_assert(receive_supply<supply_without<part::none>>);
static_assert(!receive_supply<supply_without<part::none, true>>, "a data path does not throw");
static_assert(!receive_supply<supply_without<part::model>> && !receive_supply<supply_without<part::plan>> &&
              !receive_supply<supply_without<part::create>> && !receive_supply<supply_without<part::setup>> &&
              !receive_supply<supply_without<part::accept>> && !receive_supply<supply_without<part::take>> &&
              !receive_supply<supply_without<part::settle>> && !receive_supply<supply_without<part::touch>> &&
              !receive_supply<supply_without<part::posted_pages>> &&
              !receive_supply<supply_without<part::replaceable>> &&
              !receive_supply<supply_without<part::pins>>);

// A queue asks no more of its supply than the concept says.
TEST(supply, the_archetype_is_enough_for_a_queue) {
    using device_type = scripted_device<buffer_model::per_packet>;
    using queue_type = rx_queue<device_type, strategy<hand_supply, wrap>>;
    constexpr rx_options options{.descriptors = 4, .packets = 4, .frame_bytes = 100};
    auto memory = region::map({.bytes = queue_type::region_bytes(options)});
    ASSERT_TRUE(memory);
    device_type device;
    auto queue = queue_type::create(device, *memory, options);
    ASSERT_TRUE(queue) << queue.error().advice;
    EXPECT_EQ(device.setup.descriptors, 4u);
    device.reports.assign(5, {.flags = completion::end_of_packet});
    EXPECT_EQ(queue->poll(64, [](packet_ptr) noexcept {}), 5u);
    EXPECT_EQ(queue->counters().refused, 5u);
    EXPECT_EQ(queue->pinned_bytes(), 0u);
}

} // namespace
