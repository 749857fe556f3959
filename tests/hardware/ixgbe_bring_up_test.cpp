// SPDX-License-Identifier: BSL-1.0
// Taking a card over, in whatever state it is: bring-up, addresses, link, and cards that are dead or deaf.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/checked.hpp"
#include "hardware/faulty.hpp"
#include "hardware/ixgbe_rig.hpp"
#include "hardware/traced.hpp"
#include "ixgbe/declared.hpp"

namespace {

using namespace ixgbe_test;
using model82599::arrival;
namespace reg = ixgbe::reg;

// A driver over registers with something around them.
template <class Around>
struct around_card {
    using decorated_driver = ixgbe::driver<Around, model82599::dma_memory_map, model82599::clock>;

    explicit around_card(const model82599::card_setup& setup = {.tick = 20'000, .link_delay = 1'000'000})
        : card(setup) {}
    auto open(const ixgbe::options& wanted = {}) {
        return decorated_driver::open(registers, card.dma(), clock, wanted);
    }

    model82599::card card;
    model82599::card::register_access inner = card.registers();
    Around registers{inner};
    model82599::clock clock = card.clock();
};
using checked_card = around_card<hardware::checked<model82599::card::register_access, ixgbe::declared>>;
using traced_card = around_card<hardware::traced<model82599::card::register_access>>;
using faulty_card = around_card<hardware::faulty<model82599::card::register_access>>;

constexpr noria::receive_setup receive_setup{.descriptors = 64, .buffer_bytes = 2048};
constexpr noria::transmit_setup transmit_setup{.descriptors = 64, .most_pieces = 18};

// One life: opened, queues, link, statistics, stopped.
template <class Driver>
noria::error live(Driver& driver) {
    for (std::uint32_t i = 0; i != driver.queues(); ++i) {
        if (const auto made = driver.receive(i).configure(receive_setup); !made)
            return made.error();
        if (const auto made = driver.transmit(i).configure_transmit(transmit_setup); !made)
            return made.error();
    }
    if (const noria::error failed = driver.start(); failed.code)
        return failed;
    if (const noria::error failed = driver.wait_for_link(); failed.code)
        return failed;
    driver.read_statistics();
    return driver.stop();
}

// The same with a card that may not even open: its first error, or none.
noria::error open_and_live(faulty_card& card) {
    auto made = card.open();
    return made ? live(**made) : made.error();
}

TEST(ixgbe_bring_up, touches_only_what_it_declared_and_as_it_declared) {
    checked_card c;
    auto driver = need(c.open({.queues = 16}));
    expect_ok(live(*driver));
    driver->set_promiscuous(true);
    driver->join({{1, 2, 3, 4, 5, 6}});
    expect_ok(driver->reset());
    expect_ok(live(*driver));
    EXPECT_EQ(c.registers.refused(), 0u) << std::hex << c.registers.first_refused();
    for (const auto& each : c.card.faults().records())
        ADD_FAILURE() << each;
}

TEST(ixgbe_bring_up, does_the_steps_in_their_order) {
    traced_card c;
    auto driver = need(c.open());
    expect_ok(live(*driver));
    const auto& trace = c.registers.trace();
    const auto first = [&](hardware::access_kind kind, std::uint32_t offset, std::uint32_t bits) {
        const auto found = std::find_if(trace.begin(), trace.end(), [&](const auto& each) {
            return each.kind == kind && each.offset == offset && (each.value & bits) == bits;
        });
        EXPECT_NE(found, trace.end()) << std::hex << offset;
        return found - trace.begin();
    };
    using enum hardware::access_kind;
    const std::ptrdiff_t steps[] = {
        first(write, reg::eimc::at, ~0u),
        first(write, reg::ctrl::at, reg::ctrl::gio_master_disable),
        first(write, reg::ctrl::at, reg::ctrl::device_reset | reg::ctrl::link_reset),
        first(read, reg::eec::at, reg::eec::auto_read_done),
        first(read, reg::rdrxctl::at, reg::rdrxctl::dma_init_done),
        first(read, reg::rah(0), hardware::address_valid),
        first(write, reg::mrqc::at, reg::mrqc::rss),
        first(write, reg::dmatxctl::at, reg::dmatxctl::enable),
        first(write, reg::autoc::at, reg::autoc::restart),
        first(read, reg::qprc(0), 0),
        first(write, reg::rxdctl::at(0), reg::rxdctl::enable),
        first(write, reg::txdctl::at(0), reg::txdctl::enable),
        first(write, reg::secrxctrl::at, reg::secrxctrl::receive_disable),
        first(write, reg::rxctrl::at, reg::rxctrl::enable),
    };
    EXPECT_TRUE(std::is_sorted(std::begin(steps), std::end(steps)));
}

// From any point of a life that somebody else left it at: the next one opens it and lives on.
TEST(ixgbe_bring_up, takes_over_a_card_in_any_state) {
    random_steps random;
    for (std::uint64_t i = random_steps::count(60, 10); i != 0; --i) {
        faulty_card c;
        c.registers.pull_out_after(random.below(1700));
        {
            auto first = c.open();
            if (first)
                static_cast<void>(live(**first));
        }
        // It was not the card that went, but the program.
        auto plain = c.card.registers();
        auto driver = need(driver_type::open(plain, c.card.dma(), c.clock, {}));
        expect_ok(live(*driver));
    }
}

// A card that is pulled out at any moment: an error, at once, and the driver touches it but a few times more.
TEST(ixgbe_bring_up, a_card_that_is_pulled_out_ends_in_an_error_in_milliseconds) {
    random_steps random;
    for (std::uint64_t i = random_steps::count(300, 20); i != 0; --i) {
        faulty_card c;
        const std::uint64_t after = random.below(1700);
        c.registers.pull_out_after(after);
        const noria::nanoseconds begin = c.card.now();
        const noria::error failed = open_and_live(c);
        if (c.registers.accesses() > after) {
            EXPECT_EQ(failed.code, std::errc::no_such_device) << "after " << after << ": " << failed.advice;
        } else {
            EXPECT_FALSE(failed.code);
        }
        EXPECT_LT(c.card.now() - begin, 200 * hardware::millisecond) << "after " << after;
    }
}

// Each bit that the driver waits for never comes: an error that says which, and when it gave up.
TEST(ixgbe_bring_up, a_card_that_never_answers_ends_in_an_error_that_says_why) {
    struct {
        std::uint32_t offset;
        std::uint32_t bits;
        std::uint32_t stuck_at;
        const char* says;
    } const cases[] = {
        {reg::ctrl::at, reg::ctrl::device_reset, ~0u, "CTRL.RST"},
        {reg::eec::at, reg::eec::auto_read_done, 0, "EEC.ARD"},
        {reg::rdrxctl::at, reg::rdrxctl::dma_init_done, 0, "RDRXCTL.DMAIDONE"},
        {reg::rah(0), hardware::address_valid, 0, "RAH"},
        {reg::rxdctl::at(0), reg::rxdctl::enable, 0, "RXDCTL.ENABLE"},
        {reg::rxdctl::at(0), reg::rxdctl::enable, ~0u, "RXDCTL.ENABLE"},
        {reg::txdctl::at(0), reg::txdctl::enable, 0, "TXDCTL.ENABLE"},
        {reg::txdctl::at(0), reg::txdctl::enable, ~0u, "TXDCTL.ENABLE"},
        {reg::secrxstat::at, reg::secrxstat::ready, 0, "SECRXSTAT"},
        {reg::links::at, reg::links::up, 0, "LINKS"},
    };
    for (const auto& each : cases) {
        SCOPED_TRACE(each.says);
        faulty_card c;
        c.registers.stick(each.offset, each.bits, each.stuck_at);
        const noria::nanoseconds begin = c.card.now();
        const noria::error failed = open_and_live(c);
        EXPECT_TRUE(failed.code);
        EXPECT_NE(std::string(failed.advice).find(each.says), std::string::npos) << failed.advice;
        EXPECT_EQ(failed.wanted == failed.found, false);
        const bool waits_for_partner = each.offset == reg::links::at;
        EXPECT_LT(c.card.now() - begin, (waits_for_partner ? 10'000 : 400) * hardware::millisecond);
    }
}

// While nobody has seen the reset end, nothing that the card was given is let go of or used anew, whatever
// its registers say of the queues; and it can be tried again.
TEST(ixgbe_bring_up, a_reset_that_is_not_seen_to_end_is_not_the_end) {
    faulty_card c;
    auto driver = need(c.open());
    auto& in = driver->receive(0);
    auto& out = driver->transmit(0);
    ASSERT_TRUE(in.configure(receive_setup));
    ASSERT_TRUE(out.configure_transmit(transmit_setup));
    expect_ok(driver->start());
    c.registers.stick(reg::ctrl::at, reg::ctrl::device_reset, ~0u);
    EXPECT_EQ(driver->reset().code, std::errc::timed_out);
    for (int i = 0; i != 2; ++i) {
        EXPECT_EQ(driver->start().code, std::errc::timed_out);
        EXPECT_EQ(in.start().code, std::errc::device_or_resource_busy);
        EXPECT_EQ(in.stop().code, std::errc::device_or_resource_busy);
        EXPECT_EQ(in.configure(receive_setup).error().code, std::errc::device_or_resource_busy);
        EXPECT_EQ(out.start().code, std::errc::device_or_resource_busy);
        EXPECT_EQ(out.stop().code, std::errc::device_or_resource_busy);
        EXPECT_EQ(out.configure_transmit(transmit_setup).error().code, std::errc::device_or_resource_busy);
        EXPECT_EQ(driver->stop().code, std::errc::timed_out);
        EXPECT_TRUE(in.running() && out.running());
    }
    c.registers.let_go();
    expect_ok(driver->stop());
    EXPECT_FALSE(in.running() || out.running());
    expect_ok(driver->start());
    EXPECT_TRUE(in.running() && out.running());
}

// What goes wrong behind the end of a reset is an error, but the card has let go of everything.
TEST(ixgbe_bring_up, a_card_that_was_reset_gives_all_back_whatever_is_wrong_with_it) {
    for (const auto& [offset, bits] : {std::pair(reg::eec::at, reg::eec::auto_read_done),
                                       {reg::rdrxctl::at, reg::rdrxctl::dma_init_done},
                                       {reg::rah(0), hardware::address_valid}}) {
        faulty_card c;
        auto driver = need(c.open());
        ASSERT_TRUE(driver->receive(0).configure(receive_setup));
        ASSERT_TRUE(driver->transmit(0).configure_transmit(transmit_setup));
        expect_ok(driver->start());
        c.registers.stick(offset, bits, 0);
        const noria::error failed = driver->reset();
        EXPECT_TRUE(failed.code);
        EXPECT_FALSE(driver->receive(0).running() || driver->transmit(0).running()) << failed.advice;
        EXPECT_EQ(driver->start().code, failed.code) << "such a card is not started";
        EXPECT_FALSE(driver->receive(0).running() || driver->transmit(0).running()) << failed.advice;
        c.registers.let_go();
        expect_ok(driver->reset());
        expect_ok(driver->start());
    }
}

// A queue that does not stop: the card is reset for it, so that its buffers may go to others, and goes on.
TEST(ixgbe_bring_up, a_queue_that_does_not_stop_is_reset_with_the_card) {
    for (const std::uint32_t control : {reg::rxdctl::at(0), reg::txdctl::at(0)}) {
        faulty_card c;
        auto driver = need(c.open());
        ASSERT_TRUE(driver->receive(0).configure(receive_setup));
        ASSERT_TRUE(driver->transmit(0).configure_transmit({.descriptors = 32, .most_pieces = 8}));
        expect_ok(driver->start());
        constexpr std::uint32_t mark = 0x1234;
        c.card.registers().write32(reg::mtqc, mark); // which a reset takes away
        c.registers.stick(control, reg::rxdctl::enable, ~0u);
        const noria::error failed = driver->stop();
        EXPECT_EQ(failed.code, std::errc::timed_out);
        EXPECT_NE(std::string(failed.advice).find("XDCTL.ENABLE"), std::string::npos) << failed.advice;
        EXPECT_NE(c.card.registers().read32(reg::mtqc), mark);
        EXPECT_FALSE(driver->receive(0).running());
        EXPECT_FALSE(driver->transmit(0).running());
        c.registers.let_go();
        expect_ok(driver->start());
        EXPECT_TRUE(driver->receive(0).running() && driver->transmit(0).running());

        // And where the reset does not end either, that is what is heard of.
        c.registers.stick(control, reg::rxdctl::enable, ~0u);
        c.registers.stick(reg::ctrl::at, reg::ctrl::device_reset, ~0u);
        const noria::error worse = driver->stop();
        EXPECT_EQ(worse.code, std::errc::timed_out);
        EXPECT_NE(std::string(worse.advice).find("CTRL.RST"), std::string::npos) << worse.advice;
        EXPECT_TRUE(driver->receive(0).running() || driver->transmit(0).running())
            << "the card may still reach what it was given";
        c.registers.let_go();
        expect_ok(driver->reset());
        EXPECT_FALSE(driver->receive(0).running() || driver->transmit(0).running());
        expect_ok(driver->start());
    }
}

// A card whose DMA does not come to rest is reset twice (5.2.5.3.2).
TEST(ixgbe_bring_up, a_card_that_does_not_come_to_rest_is_reset_twice) {
    struct both : hardware::traced<model82599::card::register_access> {
        using hardware::traced<model82599::card::register_access>::traced;
        std::uint32_t read32(std::uint32_t offset) noexcept {
            const std::uint32_t value = hardware::traced<model82599::card::register_access>::read32(offset);
            return offset == reg::status::at ? value | reg::status::gio_master_enabled : value;
        }
    };
    around_card<both> c;
    auto driver = need(c.open());
    const auto& trace = c.registers.trace();
    EXPECT_EQ(std::count_if(trace.begin(), trace.end(),
                            [](const auto& each) {
                                return each.kind == hardware::access_kind::write &&
                                       each.offset == reg::ctrl::at &&
                                       (each.value & reg::ctrl::device_reset) != 0;
                            }),
              2);
}

TEST(ixgbe_bring_up, refuses_options_that_make_no_sense) {
    model82599::card card;
    auto registers = card.registers();
    auto clock = card.clock();
    const auto refused = [&](const ixgbe::options& wanted) {
        const auto made = driver_type::open(registers, card.dma(), clock, wanted);
        return !made && made.error().code == std::errc::invalid_argument;
    };
    EXPECT_TRUE(refused({.queues = 0}));
    EXPECT_TRUE(refused({.queues = 17}));
    EXPECT_TRUE(refused({.card = {.longest_frame = 63}}));
    EXPECT_TRUE(refused({.card = {.longest_frame = 9729}}));
    EXPECT_EQ(card.now(), 0u) << "the card was touched";
}

TEST(ixgbe_addresses, are_the_cards_and_can_be_changed) {
    opened_card c;
    EXPECT_EQ(c.driver->mac(), c.card.setup().mac);
    ASSERT_TRUE(c.driver->receive(0).configure(receive_setup));
    c.start();
    random_steps random;
    bytes frame = plain_frame(random, 60);
    const auto send_to = [&](const noria::mac_address& whom) {
        for (std::size_t i = 0; i != 6; ++i)
            frame[i] = static_cast<std::byte>(whom.bytes[i]);
        return c.card.wire_in(frame);
    };
    const noria::mac_address mine{{2, 0, 0, 0, 0, 5}}, other{{2, 0, 0, 0, 0, 6}};
    const noria::mac_address group{{1, 0, 0x5e, 0x12, 0x34, 0x56}}, group2{{1, 0, 0x5e, 0x12, 0x34, 0x66}};
    const noria::mac_address everybody{{255, 255, 255, 255, 255, 255}};
    EXPECT_EQ(send_to(c.card.setup().mac), arrival::queued);
    EXPECT_EQ(send_to(everybody), arrival::queued);
    EXPECT_EQ(send_to(mine), arrival::filtered);
    EXPECT_EQ(send_to(group), arrival::filtered);
    c.driver->set_mac(mine);
    EXPECT_EQ(c.driver->mac(), mine);
    EXPECT_EQ(send_to(mine), arrival::queued);
    EXPECT_EQ(send_to(c.card.setup().mac), arrival::filtered);
    c.driver->join(group);
    EXPECT_EQ(send_to(group), arrival::queued);
    EXPECT_EQ(send_to(group2), arrival::filtered);
    c.driver->set_all_multicast(true);
    EXPECT_EQ(send_to(group2), arrival::queued);
    EXPECT_EQ(send_to(other), arrival::filtered);
    c.driver->set_promiscuous(true);
    EXPECT_EQ(send_to(other), arrival::queued);
    c.driver->set_promiscuous(false);
    EXPECT_EQ(send_to(other), arrival::filtered);
    EXPECT_EQ(send_to(group2), arrival::queued) << "all groups, still";
    c.expect_no_faults();
}

TEST(ixgbe_link, comes_and_goes_with_the_cable) {
    opened_card c;
    expect_ok(c.driver->wait_for_link());
    EXPECT_EQ(c.driver->link(), (ixgbe::link_state{.up = true, .mbits = 10'000}));
    c.card.cable(false);
    EXPECT_EQ(c.driver->link(), ixgbe::link_state{}) << "the first reading is old news";
    EXPECT_EQ(c.driver->wait_for_link(hardware::millisecond).code, std::errc::timed_out);
    c.card.cable(true, model82599::link_speed::gigabit);
    expect_ok(c.driver->wait_for_link());
    EXPECT_EQ(c.driver->link(), (ixgbe::link_state{.up = true, .mbits = 1'000}));
    c.card.pull_out();
    EXPECT_EQ(c.driver->link(), ixgbe::link_state{.gone = true});
    EXPECT_EQ(c.driver->check().code, std::errc::no_such_device);
    EXPECT_EQ(c.driver->wait_for_link().code, std::errc::no_such_device);
    c.expect_no_faults();
}

TEST(ixgbe_driver, starts_and_stops_as_often_as_one_likes) {
    opened_card c({.queues = 3});
    for (int i = 0; i != 4; ++i)
        expect_ok(live(*c.driver));
    expect_ok(c.driver->stop());
    expect_ok(c.driver->reset());
    expect_ok(live(*c.driver));
    c.expect_no_faults();
}

// Frames are in the ring and were not looked at: a start would write over them.
TEST(ixgbe_driver, does_not_start_over_frames_that_nobody_has_seen) {
    opened_card c;
    receive_backend& queue = c.driver->receive(0);
    ASSERT_TRUE(queue.configure(receive_setup));
    auto memory = need(noria::region::map({.bytes = 4096, .best = noria::backing::plain_pages}));
    const noria::mapping dma = need(queue.attach(memory));
    const noria::buffer_post one{.iova = dma.iova_of(memory.bytes().data()), .id = 5, .length = 2048};
    ASSERT_EQ(queue.post({&one, 1}), 1u);
    c.start();
    random_steps random;
    ASSERT_EQ(c.card.wire_in(plain_frame(random, 60)), arrival::queued);
    c.card.step();
    expect_ok(c.driver->stop());
    EXPECT_EQ(queue.post({&one, 1}), 0u) << "it is stopped";
    EXPECT_EQ(c.driver->start().code, std::errc::operation_in_progress);
    noria::completion seen;
    EXPECT_EQ(queue.reap({&seen, 1}), 1u);
    EXPECT_EQ(seen.id, 5u);
    expect_ok(c.driver->start());
}

} // namespace
