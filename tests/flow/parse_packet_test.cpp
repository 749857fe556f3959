// SPDX-License-Identifier: BSL-1.0
#include "noria/flow/parse_packet.hpp"

#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "support/cut_packet.hpp"
#include "support/frames.hpp"
#include "support/packet_fixture.hpp"
#include "support/random.hpp"
#include "support/reference_parser.hpp"

namespace {

using noria::parsed_packet;
using noria::pull_status;
using noria::tunnel_kind;
using bytes = std::vector<std::uint8_t>;

class ParsePacket : public testing::Test {
  protected:
    packet_fixture all{{.packets = 4, .heads = {4, 4, 4}, .pages = 24}};
    random_steps random;
};

TEST_F(ParsePacket, EqualsTheReferenceHoweverTheFrameIsCutAndPullsNoByteMore) {
    std::set<tunnel_kind> kinds;
    std::uint64_t whole = 0;
    for (std::uint64_t step = random_steps::count(500, 40); step != 0; --step) {
        bytes frame = random_frame(random).bytes();
        if (frame.size() > 3000)
            continue;
        if (random.one_in(4)) // and some that are not well-formed
            for (std::uint32_t damage = 1 + random.below(3); damage != 0; --damage)
                frame[random.below(static_cast<std::uint32_t>(frame.size()))] ^=
                    static_cast<std::uint8_t>(1 + random.below(255));
        for (std::size_t size = 0; size <= frame.size(); ++size) {
            const bytes there(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size));
            const reference_parser::found expected = reference_parser::parse(there);
            const noria::packet_ptr packet = cut_packet(all, random, there);
            const std::uint32_t linear = packet->headlen();
            const parsed_packet found = noria::parse_packet(*packet);
            ASSERT_EQ(found.outer, expected.outer) << size;
            ASSERT_EQ(found.tunnel, expected.tunnel) << size;
            ASSERT_EQ(found.pulled, pull_status::ok);
            const std::uint32_t headers = expected.tunnel.kind == tunnel_kind::none
                                              ? expected.outer.payload_offset
                                              : expected.tunnel.inner.payload_offset;
            ASSERT_EQ(packet->headlen(), std::max(linear, headers));
            ASSERT_TRUE(std::ranges::equal(bytes_of(*packet), std::as_bytes(std::span(there))));
            kinds.insert(found.tunnel.kind);
            whole += !found.outer.truncated && !found.outer.malformed && !found.tunnel.inner.truncated;
        }
    }
    EXPECT_EQ(kinds.size(), 4u);
    EXPECT_GT(whole, 0u);
}

TEST_F(ParsePacket, IsUnchangedWhenNoMemoryIsToBeHadAndKnowsItsHeaders) {
    const bytes frame = [] {
        bytes made(14 + 20 + 20 + 200, 0);
        made[12] = 0x08;
        made[14] = 0x45;
        made[17] = 240;
        made[23] = 6;
        made[14 + 20 + 12] = 0x50;
        return made;
    }();
    noria::packet_ptr packet = all.packets().allocate(0);
    std::uint32_t at = 0;
    for (const std::uint32_t length : {20u, 30u, 204u}) {
        noria::page* const under = all.pages().allocate();
        std::memcpy(under->data(), frame.data() + at, length);
        ASSERT_EQ(packet->add_fragment({under, 0, length, under->size()}), noria::packet::attached::taken);
        at += length;
    }
    const noria::packet_ptr sharer = packet->clone(); // so that a pull needs a head of its own
    const packet_state before(*packet);
    const shortage s0(all.pools()[0], 0), s1(all.pools()[1], 0), s2(all.pools()[2], 0);
    const parsed_packet found = noria::parse_packet(*packet);
    EXPECT_EQ(found.pulled, pull_status::no_memory);
    EXPECT_EQ(found.outer.payload_offset, 54);
    EXPECT_EQ(found.outer.transport, noria::ip_protocol::tcp);
    EXPECT_TRUE(packet_state(*packet) == before);
}

} // namespace
