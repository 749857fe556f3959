// SPDX-License-Identifier: BSL-1.0
// The counters of the 82574, and its interrupts, in the numbers of the data sheet.

#include <cstddef>
#include <cstdint>
#include <utility>

#include <gtest/gtest.h>

#include "e1000e/interrupts.hpp"
#include "hardware/e1000e_tried_card.hpp"

namespace {

using namespace noria;
using namespace e1000e_test;

TEST(e1000e_counters, counters) {
    opened o;
    for (const auto& each : e1000e::counter_registers)
        o.card.values[each.offset] = each.offset;
    for (const auto& each : e1000e::octet_registers) {
        o.card.values[each.offset] = 10'000 * each.offset;
        o.card.values[each.offset + 4] = 0;
    }
    o.card.clock.time += 1'000'000'000;
    o.driver->read_statistics();
    const e1000e::statistics& seen = o.driver->counts();
    for (std::size_t i = 0; i != std::size(e1000e::counter_registers); ++i)
        EXPECT_EQ(seen.of(static_cast<e1000e::count>(i)), e1000e::counter_registers[i].offset);
    for (std::size_t i = 0; i != std::size(e1000e::octet_registers); ++i)
        EXPECT_EQ(seen.of(static_cast<e1000e::octets>(i)), 10'000 * e1000e::octet_registers[i].offset);
    const link_values link = seen.link();
    EXPECT_EQ(link.rx_packets, 0x4074u);
    EXPECT_EQ(link.rx_bytes, 10'000 * 0x4088u - 4 * 0x4074u) << "without CRCs";
    EXPECT_EQ(link.rx_multicast, 0x407cu);
    EXPECT_EQ(link.rx_missed, 0x4010u);
    EXPECT_EQ(link.rx_crc_errors, 0x4000u);
    EXPECT_EQ(link.rx_length_errors, 0x4040u + 0x40a4 + 0x40a8 + 0x40ac + 0x40b0);
    EXPECT_EQ(link.rx_errors, link.rx_crc_errors + link.rx_length_errors);
    constexpr std::uint64_t pauses = 0x404c + 0x4054;
    EXPECT_EQ(link.tx_packets, std::uint64_t{0x4080} < pauses ? 0 : 0x4080 - pauses);
    EXPECT_EQ(link.tx_collisions, 0x4028u);
    EXPECT_EQ(link.tx_aborted_errors, 0x4018u);
    EXPECT_EQ(link.tx_window_errors, 0x4020u);
    EXPECT_EQ(link.tx_carrier_errors, 0x4034u);
    EXPECT_EQ(link.tx_errors, 0x4018u + 0x4020 + 0x4034);
    EXPECT_EQ(seen.gaps(), 0u);
}

// Pauses that the card sends by itself are no packets of ours; and more than a wire carries is not believed.
TEST(e1000e_counters, counters_that_need_some_thought) {
    opened o;
    o.card.values[0x4080] = 110;        // GPTC
    o.card.values[0x4090] = 110 * 64;   // GOTC
    o.card.values[0x404c] = 6;          // XONTXC,
    o.card.values[0x4054] = 4;          // XOFFTXC
    o.card.values[0x40d0] = 40'000'000; // TPR, in a few ms
    o.card.values[0x40c4] = 1;          // TORH
    o.driver->read_statistics();
    EXPECT_EQ(o.driver->counts().link().tx_packets, 100u);
    EXPECT_EQ(o.driver->counts().link().tx_bytes, 100u * 60);
    EXPECT_EQ(o.driver->counts().of(e1000e::count::total_received), 0u);
    EXPECT_EQ(o.driver->counts().gaps(), 2u);
    o.card.values.erase(0x40c4);
    o.card.clock.time += 10'000'000'000;
    o.driver->read_statistics();
    EXPECT_EQ(o.driver->counts().of(e1000e::count::total_received), 40'000'000u);
    EXPECT_EQ(o.driver->counts().gaps(), 2u);
}

TEST(e1000e_counters, what_was_counted_before_is_forgotten) {
    tried_card card;
    plain_memory memory;
    auto driver = driver_type::open(card, memory, card.clock, {});
    ASSERT_TRUE(driver);
    std::uint64_t counters = 0;
    for (const auto& [offset, when] : card.times)
        counters += offset >= 0x4000 && offset < 0x4100;
    EXPECT_EQ(counters, std::size(e1000e::counter_registers) + 2 * std::size(e1000e::octet_registers));
}

struct two_vectors {
    error open(std::uint32_t wanted) noexcept {
        return wanted == 2 ? answer : make_error(std::errc::invalid_argument, "two");
    }
    int fd(std::uint32_t vector) noexcept { return static_cast<int>(10 + vector); }
    std::uint32_t vectors() noexcept { return 2; }
    error answer{};
};

TEST(e1000e_counters, interrupts) {
    tried_card card;
    two_vectors source;
    e1000e::interrupts calls(card, source);
    source.answer = make_error(std::errc::permission_denied, "none for us");
    EXPECT_EQ(calls.open().code, std::errc::permission_denied);
    EXPECT_TRUE(card.writes.empty());
    source.answer = {};
    card.values[0x18] = 1u << 24 | 1u << 27 | 1u << 28;
    ASSERT_FALSE(calls.open().code);
    EXPECT_EQ(card.writes, (written{{0xe4, 0x8009'0808},
                                    {0xdc, 1u << 20 | 1u << 22},
                                    {0x18, 1u << 28 | 1u << 31}, // neither EIAME nor IAME
                                    {0xe8, 0},
                                    {0xec, 0},
                                    {0xd0, 1u << 24 | 1u << 2}}));
    card.writes.clear();
    calls.arm(0);
    calls.mask(0);
    calls.mask(1);
    calls.fire(0);
    EXPECT_EQ(card.writes, (written{{0xd0, 1u << 20 | 1u << 22},
                                    {0xd8, 1u << 20 | 1u << 22},
                                    {0xd8, 1u << 24 | 1u << 2},
                                    {0xc8, 1u << 20 | 1u << 22}}));
    for (const auto& [least, steps] : {std::pair(0u, 0u),
                                       {1u, 1u},
                                       {256u, 1u},
                                       {257u, 2u},
                                       {65535u * 256, 65535u},
                                       {65535u * 256 + 1, 65535u}}) {
        calls.set_interval(1, least);
        EXPECT_EQ(card.values[0xec], steps) << least;
    }
    card.writes.clear();
    card.values[0xc0] = 1u << 24; // another cause than the link
    EXPECT_FALSE(calls.link_changed());
    EXPECT_EQ(card.writes, (written{{0xc0, 1u << 24}, {0xd0, 1u << 24 | 1u << 2}})) << "nothing to set again";
    card.writes.clear();
    card.values[0xc0] = all;
    EXPECT_FALSE(calls.link_changed()) << "all ones are no news";
    EXPECT_TRUE(card.writes.empty());
    EXPECT_EQ(calls.fd(1), 11);
}

} // namespace
