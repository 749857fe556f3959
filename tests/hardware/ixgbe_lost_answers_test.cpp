// SPDX-License-Identifier: BSL-1.0
// A link that hiccups: a read of a register comes back as all ones, and the card is there all the same.
#include <algorithm>
#include <cstdint>
#include <ios>

#include <gtest/gtest.h>

#include "hardware/ixgbe_rig.hpp"
#include "hardware/ixgbe_transmit_rig.hpp"
#include "noria/core/owned.hpp"

namespace {

using namespace ixgbe_test;
namespace reg = ixgbe::reg;
constexpr std::uint32_t none = ~0u;

// Loses the answers to some reads of `lost`, after `first` others of it. Once `wedged` the card no longer
// listens: its reset never ends, and it goes on as it was.
struct hiccuping {
    explicit hiccuping(model82599::card::register_access& of) : inner(&of) {}
    std::uint32_t read32(std::uint32_t offset) noexcept {
        std::uint32_t value = inner->read32(offset);
        if (wedged && offset == reg::ctrl::at)
            value |= reg::ctrl::device_reset;
        return offset == lost && seen++ - first < in_a_row ? none : value;
    }
    void write32(std::uint32_t offset, std::uint32_t value) noexcept {
        if (!wedged)
            inner->write32(offset, value);
    }
    void doorbell32(std::uint32_t offset, std::uint32_t value) noexcept { inner->doorbell32(offset, value); }

    model82599::card::register_access* inner;
    bool wedged = false;
    std::uint32_t lost = none;
    std::uint32_t first = 0;
    std::uint32_t in_a_row = 1;
    std::uint32_t seen = 0;
};
using driver_type = ixgbe::driver<hiccuping, model82599::dma_memory_map, model82599::clock>;

// A driver of a card that is up, with one queue each way.
struct ixgbe_lost_answers : testing::Test {
    ixgbe_lost_answers() {
        EXPECT_TRUE(driver->receive(0).configure({.descriptors = 8, .buffer_bytes = 2048}));
        expect_ok(driver->start());
    }
    ~ixgbe_lost_answers() override { card.faults().clear(); }

    [[nodiscard]] bool is_set(std::uint32_t offset, std::uint32_t bits) {
        return (inner.read32(offset) & bits) != 0;
    }

    model82599::card card{{.tick = 200'000, .link_delay = 1'000'000}};
    model82599::card::register_access inner = card.registers();
    hiccuping registers{inner};
    model82599::clock clock = card.clock();
    noria::owned<driver_type> driver = need(driver_type::open(registers, card.dma(), clock, {}));
};

TEST_F(ixgbe_lost_answers, do_not_become_what_a_register_holds) {
    for (const std::uint32_t offset : {reg::ctrl_ext::at, reg::rxctrl::at, reg::dca_rxctrl::at(0)}) {
        const std::uint32_t before = inner.read32(offset);
        registers.lost = offset;
        registers.seen = 0;
        expect_ok(driver->stop());
        expect_ok(driver->start());
        EXPECT_GT(registers.seen, 0u);
        EXPECT_EQ(inner.read32(offset), before) << std::hex << offset;
    }
}

TEST_F(ixgbe_lost_answers, leave_no_queue_running_that_is_thought_off) {
    auto& queue = driver->transmit(0);
    registers.lost = reg::txdctl::at(0);
    EXPECT_FALSE(queue.configure_transmit({.descriptors = 64, .most_pieces = 18}));
    for (int i = 0; i != 1000; ++i)
        static_cast<void>(inner.read32(reg::status::at)); // time passes
    ASSERT_TRUE(is_set(reg::txdctl::at(0), reg::txdctl::enable));
    EXPECT_TRUE(queue.running());
    expect_ok(driver->stop());
    EXPECT_FALSE(queue.running());
    EXPECT_FALSE(is_set(reg::txdctl::at(0), reg::txdctl::enable));
    EXPECT_TRUE(queue.configure_transmit({.descriptors = 512, .most_pieces = 18}));
    EXPECT_EQ(card.faults().records().size(), 0u) << "the ring of a queue that runs was changed";
}

// Whichever read it is.
TEST_F(ixgbe_lost_answers, give_no_memory_away_that_a_wedged_card_still_uses) {
    ASSERT_TRUE(driver->transmit(0).configure_transmit({.descriptors = 64, .most_pieces = 18}));
    registers.wedged = true;
    registers.lost = reg::ctrl::at;
    std::uint32_t reads = 1;
    for (std::uint32_t nth = 0; nth != reads; ++nth) {
        registers.first = nth;
        registers.seen = 0;
        EXPECT_TRUE(driver->reset().code);
        reads = registers.seen > reads ? registers.seen : reads;
        ASSERT_TRUE(driver->transmit(0).running()) << "read " << nth << " of " << reads;
        ASSERT_TRUE(driver->receive(0).running()) << "read " << nth << " of " << reads;
    }
    EXPECT_GT(reads, 5u);
    registers.wedged = false;
    registers.lost = none;
    expect_ok(driver->reset());
}

// Also two in a row, which look like a card that is gone: a reset that says it succeeded has been one, and
// after one that says it failed nothing starts.
TEST_F(ixgbe_lost_answers, do_not_pass_for_a_reset) {
    const noria::mac_address mac = driver->mac();
    ASSERT_TRUE(driver->transmit(0).configure_transmit({.descriptors = 64, .most_pieces = 18}));
    for (const std::uint32_t offset : {reg::ctrl::at, reg::status::at, reg::eec::at, reg::rdrxctl::at,
                                       std::uint32_t{reg::ral(0)}, std::uint32_t{reg::rah(0)}})
        for (const std::uint32_t in_a_row : {1u, 2u}) {
            SCOPED_TRACE(testing::Message() << std::hex << offset << ", " << in_a_row << " in a row");
            std::uint32_t reads = 1;
            for (std::uint32_t nth = 0; nth != reads; ++nth) {
                expect_ok(driver->start());
                registers.lost = offset;
                registers.first = nth;
                registers.in_a_row = in_a_row;
                registers.seen = 0;
                const noria::error failed = driver->reset();
                reads = std::min(std::max(registers.seen, reads), 8u); // beyond, all are of one wait
                registers.lost = none;
                const bool given_back = !driver->transmit(0).running();
                EXPECT_EQ(given_back, !driver->receive(0).running()) << nth;
                if (given_back) {
                    EXPECT_EQ(inner.read32(reg::tdlen(0)), 0u) << nth << ": it was no reset";
                }
                if (failed.code) {
                    EXPECT_EQ(driver->start().code, failed.code) << nth;
                    expect_ok(driver->reset());
                } else {
                    EXPECT_TRUE(given_back) << nth;
                }
                EXPECT_EQ(driver->mac(), mac) << nth;
                expect_ok(driver->start());
                EXPECT_TRUE(is_set(reg::txdctl::at(0), reg::txdctl::enable)) << nth;
                EXPECT_TRUE(is_set(reg::rxdctl::at(0), reg::rxdctl::enable)) << nth;
                EXPECT_FALSE(is_set(reg::ctrl::at, reg::ctrl::gio_master_disable)) << nth;
            }
        }
    for (const auto& each : card.faults().records())
        ADD_FAILURE() << each;
}

} // namespace
