// SPDX-License-Identifier: BSL-1.0
// Several receive queues of the 82599, on the model of the card: who gets which frame.
#include <array>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "hardware/ixgbe_rig.hpp"
#include "hardware/model/by_hand.hpp"
#include "noria/flow/rss.hpp"

namespace {

using namespace ixgbe_test;
using model82599::arrival;

// Frames for several queues: each comes out where the table says, in the order of its flow.
TEST(ixgbe_rss, spreads_flows_over_queues_as_the_software_would) {
    constexpr std::uint32_t queues = 4;
    opened_card c({.queues = queues});
    const noria::rx_options options = {
        .descriptors = 64, .packets = 300, .frame_bytes = 2048, .geometry = ixgbe::geometry(2)};
    using rx_type = noria::rx_queue<receive_backend, noria::build_around>;
    std::vector<noria::region> regions;
    std::vector<rx_type> rx;
    for (std::uint32_t i = 0; i != queues; ++i)
        regions.push_back(need(noria::region::map(
            {.bytes = rx_type::region_bytes(options), .best = noria::backing::plain_pages})));
    for (std::uint32_t i = 0; i != queues; ++i)
        rx.push_back(need(rx_type::create(c.driver->receive(i), regions[i], options)));
    c.start();
    const noria::toeplitz_hasher hasher;
    noria::indirection_table table(queues);
    std::array<std::vector<std::uint32_t>, queues> expected;
    std::array<std::vector<std::uint32_t>, queues> got;
    const auto poll = [&] {
        for (std::uint32_t i = 0; i != queues; ++i)
            static_cast<void>(rx[i].poll(
                64, [&](noria::packet_ptr packet) noexcept { got[i].push_back(packet->info().hash); }));
    };
    poll();
    for (std::uint32_t port = 0; port != 600; ++port) {
        if (port == 300) { // the table may change while frames come in
            for (std::size_t entry = 0; entry != noria::indirection_table::size; ++entry)
                table.set(entry, static_cast<std::uint16_t>(entry * 7 % queues));
            c.driver->set_rss_table(table);
        }
        const bytes frame = by_hand::make_frame({.protocol = 6, .source_port = port});
        const std::uint32_t hash = noria::rss_hash(hasher, frame, noria::parse_headers(frame));
        expected[table.queue(hash)].push_back(hash);
        ASSERT_EQ(c.card.wire_in(frame), arrival::queued);
        c.card.step();
        poll();
    }
    for (std::uint32_t i = 0; i != queues; ++i) {
        EXPECT_GT(expected[i].size(), 50u);
        EXPECT_EQ(got[i], expected[i]);
    }
    c.driver->read_statistics();
    for (std::uint32_t i = 0; i != queues; ++i)
        EXPECT_EQ(c.driver->counts().received(i), expected[i].size());
    c.expect_no_faults();
}

} // namespace
