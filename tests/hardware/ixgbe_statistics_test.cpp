// SPDX-License-Identifier: BSL-1.0
// The counters of the card: all of them, read once, and added up in 64 bits.
#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/ixgbe_rig.hpp"
#include "ixgbe/declared.hpp"
#include "ixgbe/statistics.hpp"
#include "noria/stats/ethtool.hpp"
#include "noria/stats/vocabulary.hpp"

namespace {

using namespace ixgbe_test;
using ixgbe::count;
using ixgbe::statistics;
namespace reg = ixgbe::reg;

// Registers that count nothing but how often each is read, and say what they are told to.
struct counter_page {
    std::map<std::uint32_t, std::uint32_t> values;
    std::map<std::uint32_t, int> reads;
    std::vector<std::uint32_t> order;

    std::uint32_t read32(std::uint32_t offset) noexcept {
        ++reads[offset];
        order.push_back(offset);
        return std::exchange(values[offset], 0);
    }
    void write32(std::uint32_t offset, std::uint32_t value) noexcept { values[offset] = value; }
    void doorbell32(std::uint32_t offset, std::uint32_t value) noexcept { values[offset] = value; }
};

constexpr noria::nanoseconds second = 1'000'000'000;

TEST(ixgbe_statistics, every_counter_is_read_once_and_octets_low_half_first) {
    counter_page page;
    statistics counts;
    counts.read(page, second);
    // All that section 8.2.3.23 lists and this card counts.
    std::set<std::uint32_t> all;
    const auto some = [&](std::uint32_t first, std::uint32_t n, std::uint32_t step = 4) {
        for (std::uint32_t i = 0; i != n; ++i)
            all.insert(first + step * i);
    };
    some(0x4000, 3), some(0x4010, 1), some(0x4034, 2), some(0x4040, 1); // errors of the MAC
    some(0x405c, 6), some(0x40d8, 6);                                   // by size
    some(0x4074, 4), some(0x4088, 4), some(0x40f0, 2), some(0x40d0, 2), some(0x40c0, 2);
    some(0x40a4, 4), some(0x4120, 1);
    some(0x3f60, 1), some(0x3f68, 1), some(0x41a4, 2);
    some(0x3fa0, 8), some(0x1430, 16, 0x40);
    for (const std::uint32_t first : {0x1030u, 0x1034u, 0x1038u, 0x6030u})
        some(first, 16, 0x40);
    some(0x8700, 32);
    for (const std::uint32_t each : all) {
        EXPECT_EQ(page.reads[each], 1) << std::hex << each;
        EXPECT_EQ(ixgbe::declared::of(each), hardware::use::read_only) << std::hex << each;
    }
    EXPECT_EQ(page.order.size(), all.size() + 1) << "and STATUS, to see whether the card is there";
    const auto place = [&](std::uint32_t offset) {
        return std::find(page.order.begin(), page.order.end(), offset) - page.order.begin();
    };
    for (const std::uint32_t low :
         {0x4088u, 0x4090u, 0x40c0u, 0x1034u, 0x1034u + 15 * 0x40, 0x8700u, 0x8778u})
        EXPECT_EQ(place(low) + 1, place(low + 4)) << std::hex << low;
}

TEST(ixgbe_statistics, each_name_is_its_register) {
    counter_page page;
    for (const auto& each : ixgbe::counter_registers)
        page.values[each.offset] = each.offset;
    statistics counts;
    counts.read(page, second);
    std::set<std::string> names;
    for (std::size_t i = 0; i != std::size(ixgbe::counter_registers); ++i) {
        EXPECT_EQ(counts.of(static_cast<count>(i)), ixgbe::counter_registers[i].offset);
        names.insert(ixgbe::counter_registers[i].name);
    }
    EXPECT_EQ(names.size(), std::size(ixgbe::counter_registers));
    EXPECT_STREQ(ixgbe::counter_registers[static_cast<std::size_t>(count::good_received)].name, "gprc");
    EXPECT_STREQ(ixgbe::counter_registers[static_cast<std::size_t>(count::xoff_received)].name, "lxoffrxcnt");
}

TEST(ixgbe_statistics, add_up_and_keep_what_was_missed_apart) {
    counter_page page;
    statistics counts;
    for (int i = 0; i != 3; ++i) {
        for (std::uint32_t set = 0; set != 16; ++set)
            page.values[reg::qprdc(set)] = 2;
        for (std::uint32_t set = 0; set != 8; ++set)
            page.values[reg::mpc(set)] = 100;
        page.values[reg::qbrc(3)] = 0xffff'fff0;
        page.values[reg::qbrc(3) + 4] = 0;
        counts.read(page, second * static_cast<unsigned>(i + 1) * 10);
    }
    EXPECT_EQ(counts.missed_in_fifo(), 2400u);
    EXPECT_EQ(counts.dropped_when_dry(), 96u);
    EXPECT_EQ(counts.dropped_when_dry(4), 6u);
    EXPECT_EQ(counts.link().rx_missed, 2496u);
    EXPECT_EQ(counts.octets_received(3), 3 * std::uint64_t{0xffff'fff0});
    EXPECT_EQ(counts.link().rx_bytes, 3 * std::uint64_t{0xffff'fff0});
    EXPECT_EQ(counts.gaps(), 0u);
}

// Octets have 36 bits, in two registers.
TEST(ixgbe_statistics, octets_are_wider_than_a_register) {
    counter_page page;
    statistics counts;
    counts.forget(page, 0);
    page.values[reg::gorc] = 5;
    page.values[reg::gorc + 4] = 0xf;
    counts.read(page, 60 * second);
    EXPECT_EQ(counts.good_octets_received(), (std::uint64_t{0xf} << 32) + 5);
}

// More than 10 Gbit/s carry, or a register at its top: not counted, and said so.
TEST(ixgbe_statistics, a_number_that_cannot_be_is_not_believed) {
    counter_page page;
    statistics counts;
    counts.forget(page, 0);
    page.values[reg::qprc(0)] = 15'000'000 * 3;
    page.values[0x4074] = ~0u;
    page.values[reg::gotc] = ~0u;
    page.values[reg::gotc + 4] = ~0u;
    counts.read(page, second);
    EXPECT_EQ(counts.link().rx_packets, 0u);
    EXPECT_EQ(counts.of(count::good_received), 0u);
    EXPECT_EQ(counts.good_octets_sent(), 0u);
    EXPECT_EQ(counts.gaps(), 3u);
    page.values[reg::qprc(0)] = 14'880'952;
    counts.read(page, 2 * second);
    EXPECT_EQ(counts.link().rx_packets, 14'880'952u);
}

TEST(ixgbe_statistics, a_card_that_is_gone_adds_nothing) {
    opened_card c;
    c.card.pull_out();
    c.driver->read_statistics();
    EXPECT_EQ(c.driver->counts().gaps(), 0u);
    EXPECT_EQ(c.driver->counts().link().rx_packets, 0u);
}

// Pauses that the card sends by itself are no packets of ours.
TEST(ixgbe_statistics, what_was_sent_is_without_pauses_and_without_checksums) {
    counter_page page;
    page.values[0x4080] = 110;      // GPTC
    page.values[0x4090] = 110 * 64; // GOTCL
    page.values[0x3f60] = 6, page.values[0x3f68] = 4;
    statistics counts;
    counts.read(page, second);
    EXPECT_EQ(counts.link().tx_packets, 100u);
    EXPECT_EQ(counts.link().tx_bytes, 100u * 60);
}

TEST(ixgbe_statistics, errors_are_errors_once) {
    counter_page page;
    std::uint32_t next = 1;
    std::map<std::string, std::uint64_t> values;
    for (const auto& each : ixgbe::counter_registers)
        values[each.name] = page.values[each.offset] = next++;
    statistics counts;
    counts.read(page, second);
    const noria::link_values link = counts.link();
    EXPECT_EQ(link.rx_crc_errors, values["crcerrs"]);
    EXPECT_EQ(link.rx_length_errors,
              values["rlec"] + values["ruc"] + values["rfc"] + values["roc"] + values["rjc"]);
    EXPECT_EQ(link.rx_errors, link.rx_crc_errors + link.rx_length_errors + values["mspdc"]);
    EXPECT_EQ(link.rx_multicast, values["mprc"]);
}

// On the model: what was there before the driver is forgotten, and what happens is counted in its place.
TEST(ixgbe_statistics, count_what_the_card_saw) {
    opened_card c;
    ASSERT_TRUE(c.driver->receive(0).configure({.descriptors = 64, .buffer_bytes = 2048}));
    c.start();
    c.driver->read_statistics();
    EXPECT_EQ(c.driver->counts().of(count::total_received), 0u) << "left over from somebody else";
    random_steps random;
    const bytes broadcast = plain_frame(random, 100);
    bytes group = broadcast;
    group[0] = std::byte{1};
    c.driver->set_all_multicast(true);
    EXPECT_EQ(c.card.wire_in(broadcast), model82599::arrival::queued);
    EXPECT_EQ(c.card.wire_in(group), model82599::arrival::queued);
    EXPECT_EQ(c.card.wire_in(broadcast, true), model82599::arrival::filtered);
    EXPECT_EQ(c.card.wire_in(plain_frame(random, 40)), model82599::arrival::filtered);
    EXPECT_EQ(c.card.wire_in(plain_frame(random, 3000)), model82599::arrival::filtered);
    c.driver->read_statistics();
    const statistics& seen = c.driver->counts();
    EXPECT_EQ(seen.of(count::total_received), 5u);
    EXPECT_EQ(seen.of(count::good_received), 2u);
    EXPECT_EQ(seen.of(count::broadcasts_received), 1u);
    EXPECT_EQ(seen.of(count::multicasts_received), 1u);
    EXPECT_EQ(seen.of(count::crc_errors), 1u);
    EXPECT_EQ(seen.of(count::undersize), 1u);
    EXPECT_EQ(seen.of(count::oversize), 1u);
    EXPECT_EQ(seen.of(count::received_127), 2u);
    EXPECT_EQ(seen.good_octets_received(), 200u);
    EXPECT_EQ(seen.link().rx_errors, 3u);
    c.driver->read_statistics();
    EXPECT_EQ(seen.of(count::total_received), 5u) << "read twice, counted once";
    c.expect_no_faults();
}

// The words of Linux's driver for the two kinds of missed frames.
TEST(ixgbe_statistics, print_in_the_words_of_ethtool) {
    counter_page page;
    page.values[reg::mpc(0)] = 7;
    page.values[reg::qprdc(0)] = 5;
    statistics counts;
    counts.read(page, second);
    std::vector<char> text(4096);
    const auto values = noria::named(counts.link());
    text.resize(noria::export_ethtool(text, values, noria::vocabularies::ixgbe));
    EXPECT_NE(std::string(text.begin(), text.end()).find("rx_missed_errors: 12\n"), std::string::npos);
}

} // namespace
