// SPDX-License-Identifier: BSL-1.0
// What the driver of the 82574 says to which register, in the numbers of the data sheet: a bit that a name
// has lost is lost for all who use the name.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/e1000e_tried_card.hpp"

namespace {

using namespace noria;
using namespace e1000e_test;

TEST(e1000e_registers, bring_up) {
    tried_card card;
    plain_memory memory;
    card.values[0x0] = 0x100;
    card.values[0x18] = 0x2;
    auto driver = driver_type::open(card, memory, card.clock, {});
    ASSERT_TRUE(driver);
    written expected{{0xd8, all},             // IMC
                     {0x100, 0},              // RCTL
                     {0x400, 1u << 3},        // TCTL: PSP
                     {0x0, 0x100 | 1u << 2},  // CTRL: master disable,
                     {0x0, 0x100 | 1u << 26}, // RST
                     {0xd8, all}};            // IMC
    for (std::uint32_t i = 1; i != 16; ++i) { // RAH and RAL but the first
        expected.emplace_back(0x5404 + 8 * i, 0);
        expected.emplace_back(0x5400 + 8 * i, 0);
    }
    for (std::uint32_t i = 0; i != 128; ++i) // MTA
        expected.emplace_back(0x5200 + 4 * i, 0);
    expected.emplace_back(0x0, 0x100 | 1u << 5 | 1u << 6 | 1u << 30); // CTRL: ASDE, SLU, VME
    expected.emplace_back(0x5000, 1u << 8 | 1u << 9 | 1u << 13);      // RXCSUM
    expected.emplace_back(0x100, 1u << 15 | 1u << 26);                // RCTL: BAM, SECRC
    expected.emplace_back(0x18, 0x2 | 1u << 28);                      // CTRL_EXT: DRV_LOAD
    EXPECT_EQ(card.writes, expected);
    std::vector<std::uint32_t> order;
    for (const auto& [offset, when] : card.times)
        if (offset == 0xd8 || offset == 0xc0)
            order.push_back(offset);
    EXPECT_EQ(order, (std::vector<std::uint32_t>{0xd8, 0xc0, 0xd8, 0xc0})) << "ICR is read behind the mask";
    EXPECT_GE(card.rest_after(0x0, 0x100 | 1u << 26), 10 * hardware::millisecond);
    EXPECT_EQ((*driver)->queues(), 1u);
    EXPECT_EQ((*driver)->mac(), (mac_address{{2, 0, 0, 0, 2, 0}}));
}

// Requests that do not end are waited for, and then the card is reset all the same.
TEST(e1000e_registers, a_reset_waits_for_requests_that_are_under_way) {
    tried_card card;
    plain_memory memory;
    card.values[0x8] = 1u << 19; // GIO master enabled
    ASSERT_TRUE(driver_type::open(card, memory, card.clock, {}));
    nanoseconds asked = 0, waited = 0;
    for (const auto& [offset, when] : card.times)
        if (offset == 0x8)
            waited = when - (asked == 0 ? asked = when : asked);
    EXPECT_GE(waited, 78 * hardware::millisecond);
    EXPECT_EQ(card.written_to(0x0)[1], 1u << 26);
}

TEST(e1000e_registers, filters) {
    for (const auto& [longest, long_packets] : {std::pair(64u, 0u), {1522u, 0u}, {1523u, 1u}, {9234u, 1u}}) {
        opened o({.longest_frame = longest});
        EXPECT_EQ(o.rctl(), 1u << 15 | 1u << 26 | long_packets << 5) << longest;
    }
    for (const std::uint32_t longest : {63u, 9235u}) {
        tried_card card;
        plain_memory memory;
        EXPECT_EQ(
            driver_type::open(card, memory, card.clock, {.card = {.longest_frame = longest}}).error().code,
            std::errc::invalid_argument);
        EXPECT_TRUE(card.writes.empty());
    }
    opened o({.promiscuous = true, .vlan = false});
    EXPECT_EQ(o.card.values[0x0] & 1u << 30, 0u) << "tags stay where they are";
    const std::uint32_t others = 1u << 26 | 1u << 15 | 1u << 1;
    o.card.values[0x100] |= 1u << 1;
    EXPECT_EQ(o.rctl(), others | 3u << 3);
    o.driver->set_promiscuous(false);
    EXPECT_EQ(o.rctl(), others);
    o.driver->set_all_multicast(true);
    EXPECT_EQ(o.rctl(), others | 1u << 4);
    o.driver->set_promiscuous(true);
    o.driver->set_all_multicast(false);
    EXPECT_EQ(o.rctl(), others | 3u << 3);
    EXPECT_FALSE(o.driver->reset().code);
    EXPECT_EQ(o.rctl(), (others | 3u << 3) & ~(1u << 1)) << "a reset forgets no wish";
}

TEST(e1000e_registers, addresses_and_groups) {
    opened o;
    o.driver->set_mac({{0x02, 0x11, 0x22, 0x33, 0x44, 0x55}});
    EXPECT_EQ(o.card.writes, (written{{0x5400, 0x3322'1102}, {0x5404, 1u << 31 | 0x5544}}));
    EXPECT_EQ(o.driver->mac(), (mac_address{{0x02, 0x11, 0x22, 0x33, 0x44, 0x55}}));
    // A bit for each value of the upper 12 bits: those of one word lie side by side.
    o.driver->join({{1, 0, 0x5e, 0, 0x00, 0}});
    o.driver->join({{1, 0, 0x5e, 0, 0x10, 0}});
    EXPECT_EQ(o.card.values[0x5200], 3u);
    o.driver->join({{1, 0, 0x5e, 0, 0xf0, 0xff}});
    EXPECT_EQ(o.card.values[0x53fc], 1u << 31);
    o.driver->join({{1, 0, 0x5e, 0, 0x30, 0x02}});
    EXPECT_EQ(o.card.values[0x5204], 1u << 3);
    EXPECT_EQ(o.card.values[0x5200], 3u);
}

TEST(e1000e_registers, the_link) {
    opened o;
    for (const auto& [status, link] : {std::pair(0u, e1000e::link_state{}),
                                       {1u, e1000e::link_state{}},
                                       {2u, e1000e::link_state{.up = true, .mbits = 10}},
                                       {3u | 1u << 6, {.up = true, .full_duplex = true, .mbits = 100}},
                                       {3u | 2u << 6, {.up = true, .full_duplex = true, .mbits = 1000}},
                                       {2u | 3u << 6, {.up = true, .mbits = 1000}},
                                       {all, {.gone = true}}}) {
        o.card.values[0x8] = status;
        EXPECT_EQ(o.driver->link(), link) << std::hex << status;
        EXPECT_EQ(o.driver->check().code, link.gone ? std::errc::no_such_device : std::errc{});
        const nanoseconds begin = o.card.clock.time;
        const auto failed = o.driver->wait_for_link(20 * hardware::millisecond).code;
        EXPECT_EQ(failed, link.gone ? std::errc::no_such_device
                          : link.up ? std::errc{}
                                    : std::errc::timed_out);
        EXPECT_EQ(o.card.clock.time - begin >= 20 * hardware::millisecond, failed == std::errc::timed_out);
    }
    o.card.values[0x8] = 0;
}

TEST(e1000e_registers, a_card_without_an_address_is_not_opened) {
    for (const auto& [low, high] : {std::pair(2u, 2u), {0u, 1u << 31}, {1u, 1u << 31}}) {
        tried_card card;
        plain_memory memory;
        card.values[0x5400] = low;
        card.values[0x5404] = high; // not valid, nobody's, or a group's
        EXPECT_EQ(driver_type::open(card, memory, card.clock, {}).error().code, std::errc::protocol_error);
    }
}

// Without queues too it starts, and what was filled before a stop is to be read before the next start.
TEST(e1000e_registers, what_a_start_needs) {
    opened o;
    ASSERT_FALSE(o.driver->start().code);
    EXPECT_EQ(o.card.writes, (written{{0x100, 1u << 1 | 1u << 15 | 1u << 26}}));
    ASSERT_FALSE(o.driver->stop().code);
    auto& queue = o.driver->receive();
    ASSERT_TRUE(queue.configure({.descriptors = 8, .buffer_bytes = 2048}));
    const buffer_post one{.iova = 0x2000, .id = 9, .length = 2048};
    ASSERT_EQ(queue.post({&one, 1}), 1u);
    ASSERT_FALSE(o.driver->start().code);
    o.memory.ring(0)[0].words[2] = 3;
    ASSERT_FALSE(o.driver->stop().code);
    EXPECT_EQ(o.driver->start().code, std::errc::operation_in_progress);
    EXPECT_EQ(o.rctl() & 1u << 1, 0u) << "and no frame comes in";
    completion done;
    EXPECT_EQ(queue.reap({&done, 1}), 1u);
    EXPECT_FALSE(o.driver->start().code);
}

TEST(e1000e_registers, start_and_stop) {
    opened o;
    ASSERT_TRUE(o.driver->receive().configure({.descriptors = 8, .buffer_bytes = 2048}));
    ASSERT_TRUE(o.driver->transmit().configure_transmit({.descriptors = 8, .most_pieces = 18}));
    EXPECT_EQ(o.rctl() & 1u << 1, 0u) << "no frame comes in before";
    o.card.writes.clear();
    ASSERT_FALSE(o.driver->start().code);
    EXPECT_EQ(o.card.writes, (written{{0x100, 1u << 1 | 1u << 15 | 1u << 26}}));
    o.card.writes.clear();
    o.card.times.clear();
    o.card.values[0x4074] = 5; // GPRC
    ASSERT_FALSE(o.driver->stop().code);
    ASSERT_GE(o.card.writes.size(), 2u);
    EXPECT_EQ(o.card.writes[0], (std::pair<std::uint32_t, std::uint32_t>{0x100, 1u << 15 | 1u << 26}));
    EXPECT_EQ(o.card.writes[1], (std::pair<std::uint32_t, std::uint32_t>{0x400, 1u << 3}));
    EXPECT_GE(o.card.rest_after(0x400, 1u << 3), 10 * hardware::millisecond) << "frames on their way end";
    EXPECT_FALSE(o.driver->receive().running() || o.driver->transmit().running());
    EXPECT_EQ(o.driver->counts().of(e1000e::count::good_received), 5u) << "what a reset forgets is read";
    const buffer_post one{.iova = 0x2000, .id = 9, .length = 2048};
    EXPECT_EQ(o.driver->receive().post({&one, 1}), 0u);
    o.card.writes.clear();
    ASSERT_FALSE(o.driver->stop().code);
    EXPECT_TRUE(o.card.writes.empty()) << "it has stopped already";
    ASSERT_FALSE(o.driver->start().code);
    EXPECT_TRUE(o.driver->receive().running() && o.driver->transmit().running());
    o.card.writes.clear();
    ASSERT_FALSE(o.driver->start().code);
    EXPECT_EQ(o.card.writes.size(), 1u) << "queues that run are left alone";
    EXPECT_EQ(o.driver->receive().post({&one, 1}), 1u);
    EXPECT_EQ(o.card.values[0x2818], 1u);
}

TEST(e1000e_registers, a_card_that_is_gone_is_not_talked_to) {
    opened o;
    ASSERT_TRUE(o.driver->receive().configure({.descriptors = 8, .buffer_bytes = 2048}));
    ASSERT_TRUE(o.driver->transmit().configure_transmit({.descriptors = 8, .most_pieces = 18}));
    ASSERT_FALSE(o.driver->start().code);
    o.card.values[0x4074] = 5;
    o.card.gone = true;
    EXPECT_EQ(o.driver->check().code, std::errc::no_such_device);
    EXPECT_EQ(o.driver->start().code, std::errc::no_such_device);
    o.driver->read_statistics();
    EXPECT_EQ(o.driver->counts().of(e1000e::count::good_received), 0u);
    EXPECT_EQ(o.driver->counts().gaps(), 0u);
    EXPECT_EQ(o.driver->reset().code, std::errc::no_such_device);
    EXPECT_FALSE(o.driver->receive().running() || o.driver->transmit().running()) << "it reads nothing more";
    EXPECT_EQ(o.driver->start().code, std::errc::no_such_device);
    EXPECT_FALSE(o.driver->receive().running());
    tried_card never_there;
    never_there.gone = true;
    plain_memory memory;
    EXPECT_EQ(driver_type::open(never_there, memory, never_there.clock, {}).error().code,
              std::errc::no_such_device);
}

// All ones that come once are no dead card: it may still read and write what it was given. A queue that has
// let go of its memory does so because the card sends, or receives, no more. And what was not read is not
// written back: the driver says to the card what it says without that, as far as it gets.
TEST(e1000e_registers, one_answer_that_is_lost_gives_no_memory_away) {
    written usual;
    for (const bool stops : {true, false})
        for (std::uint64_t nth = 0; nth != 200; ++nth) { // 0: none
            opened o;
            ASSERT_TRUE(o.driver->receive().configure({.descriptors = 8, .buffer_bytes = 2048}));
            ASSERT_TRUE(o.driver->transmit().configure_transmit({.descriptors = 8, .most_pieces = 18}));
            ASSERT_FALSE(o.driver->start().code);
            o.card.lost = nth == 0 ? 0 : o.card.reads + nth;
            o.card.writes.clear();
            const std::error_code failed = (stops ? o.driver->stop() : o.driver->reset()).code;
            written said = std::exchange(o.card.writes, {});
            if (nth == 0)
                usual = said;
            ASSERT_LE(said.size(), usual.size());
            ASSERT_TRUE(std::equal(said.begin(), said.end(), usual.begin())) << nth;
            ASSERT_EQ(!failed, said.size() == usual.size()) << nth;
            ASSERT_EQ(o.driver->mac(), (mac_address{{2, 0, 0, 0, 2, 0}})) << nth;
            ASSERT_TRUE(o.driver->receive().running() || (o.rctl() & 1u << 1) == 0) << nth;
            ASSERT_TRUE(o.driver->transmit().running() || (o.card.values[0x400] & 1u << 1) == 0) << nth;
            const bool over = o.card.reads < o.card.lost;
            o.card.lost = 0;
            ASSERT_EQ(o.driver->start().code, failed) << "nothing starts behind a reset that failed";
            ASSERT_FALSE(o.driver->reset().code);
            ASSERT_FALSE(o.driver->receive().running() || o.driver->transmit().running());
            if (over)
                break;
        }
}

TEST(e1000e_registers, filters_are_not_made_of_an_answer_that_was_lost) {
    opened o;
    const std::uint32_t before = o.rctl();
    o.card.lost = o.card.reads + 1;
    o.driver->set_promiscuous(true);
    EXPECT_EQ(o.rctl(), before | 3u << 3);
    o.card.gone = true;
    o.driver->set_promiscuous(false);
    o.card.gone = false;
    EXPECT_EQ(o.rctl(), before | 3u << 3) << "nobody there: nothing to be written";
}

} // namespace
