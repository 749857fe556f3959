// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/offload.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "noria/packet/checksum.hpp"
#include "noria/packet/copy.hpp"
#include "noria/queue/tx_queue.hpp"
#include "noria/wire/checksum.hpp"
#include "support/random.hpp"
#include "support/transmit.hpp"

namespace {

using namespace noria;

constexpr std::uint32_t everything = transmit_post::all_offloads;

// A device like scripted_transmitter that says what it does beside sending, and keeps first posts.
struct offering_transmitter : scripted_transmitter {
    std::uint32_t offers = 0;
    std::uint32_t most_link_header = 0xffff;
    std::uint32_t most_network_header = 0xffff;
    std::vector<transmit_post> first_posts;

    result<transmit_setup> configure_transmit(const transmit_setup& wanted) noexcept {
        auto answer = scripted_transmitter::configure_transmit(wanted);
        answer->offloads = offers;
        answer->most_link_header = most_link_header;
        answer->most_network_header = most_network_header;
        return answer;
    }
    std::uint32_t transmit(std::span<const transmit_post> posts) noexcept {
        bool begins = true;
        for (const transmit_post& each : posts) {
            if (begins)
                first_posts.push_back(each);
            else
                EXPECT_EQ(each.flags & everything, 0u) << "asked of a post that is not its packet's first";
            begins = (each.flags & transmit_post::end_of_packet) != 0;
        }
        return scripted_transmitter::transmit(posts);
    }
};
static_assert(check_transmit<offering_transmitter>());

class offload : public testing::Test {
  protected:
    ~offload() override {
        sent.reset();
        EXPECT_EQ(memory.out(), sending_memory::nothing);
    }

    // Sends it through a device that does what `offers` says. Was it taken?
    bool send(packet_ptr& sending, std::uint32_t offers) {
        device.offers = offers;
        sent.emplace(std::move(tx_queue<offering_transmitter>::create(device, memory.memory())).value());
        return sent->send(sending);
    }

    sending_memory memory{{.packets = 400}}; // more than heads, which can so run out
    offering_transmitter device;
    std::optional<tx_queue<offering_transmitter>> sent;
};

TEST_F(offload, nothing_is_asked_for_a_packet_that_wants_nothing) {
    packet_ptr plain = memory.make(100, {50});
    const std::vector<std::byte> before = bytes_sent(*plain);
    EXPECT_TRUE(send(plain, everything));
    EXPECT_EQ(device.first_posts.at(0).flags, 0u);
    EXPECT_EQ(device.packets_taken.at(0).bytes, before);
}

// The field's place tells TCP from UDP, and those two are all that a device knows.
TEST_F(offload, a_checksum_is_asked_of_a_device_that_does_it) {
    for (const std::uint16_t field : std::array<std::uint16_t, 2>{16, 6}) {
        packet_ptr wants = memory.make(120);
        wants->data()[20] = std::byte{0x45};
        ASSERT_TRUE(set_partial(*wants, 40, field));
        wants->set_network_header(20);
        const std::vector<std::byte> before = bytes_sent(*wants);
        EXPECT_TRUE(send(wants, everything));
        const transmit_post& asked = device.first_posts.back();
        EXPECT_EQ(asked.flags & everything, transmit_post::insert_checksum);
        EXPECT_EQ(asked.flags & transmit_post::ipv6, 0u);
        EXPECT_EQ(asked.network_header, 20u);
        EXPECT_EQ(asked.transport_header, 40u);
        EXPECT_EQ(asked.checksum_field, field);
        EXPECT_EQ(device.packets_taken.back().bytes, before) << "who filled it in?";
    }
}

TEST_F(offload, without_a_network_header_there_is_ethernet_alone) {
    packet_ptr wants = memory.make(120);
    wants->data()[14] = std::byte{0x60};
    ASSERT_TRUE(set_partial(*wants, 54, 16));
    EXPECT_TRUE(send(wants, everything));
    EXPECT_EQ(device.first_posts.at(0).network_header, 14u);
    EXPECT_NE(device.first_posts.at(0).flags & transmit_post::ipv6, 0u);
}

TEST_F(offload, the_network_header_may_lie_in_a_fragment) {
    for (const unsigned version : {4u, 6u}) {
        packet_ptr wants = memory.make(14, {100});
        const auto first = static_cast<std::byte>(version << 4);
        ASSERT_TRUE(store_bits(*wants, 14, std::span(&first, 1)));
        ASSERT_TRUE(set_partial(*wants, 54, 16));
        EXPECT_TRUE(send(wants, everything));
        EXPECT_EQ(device.first_posts.back().network_header, 14u);
        EXPECT_EQ((device.first_posts.back().flags & transmit_post::ipv6) != 0, version == 6);
        sent.reset();
    }
}

// A tag in the bytes has a priority where an IP header has its version: 3 is read as IPv6 by who does not
// step over it.
TEST_F(offload, tags_in_the_bytes_come_before_the_network_header) {
    for (const std::uint32_t tags : {0u, 1u, 2u})
        for (const bool ipv6 : {false, true})
            for (unsigned priority = 0; priority != 8; ++priority) {
                packet_ptr wants = memory.make(120);
                std::byte* const bytes = wants->data();
                std::fill_n(bytes, 120, std::byte{});
                std::uint32_t at = 12;
                for (std::uint32_t i = 0; i != tags; ++i, at += 4) {
                    const big<ethertype> type = i + 1 != tags ? ethertype::service_vlan : ethertype::vlan;
                    std::memcpy(bytes + at, &type, sizeof type);
                    bytes[at + 2] = static_cast<std::byte>(priority << 5);
                }
                const big<ethertype> type = ipv6 ? ethertype::ipv6 : ethertype::ipv4;
                std::memcpy(bytes + at, &type, sizeof type);
                bytes[at + 2] = static_cast<std::byte>(ipv6 ? 0x60 : 0x45);
                ASSERT_TRUE(set_partial(*wants, at + 2 + (ipv6 ? 40u : 20u), 16));
                EXPECT_TRUE(send(wants, everything));
                EXPECT_EQ(device.first_posts.back().network_header, at + 2);
                EXPECT_EQ((device.first_posts.back().flags & transmit_post::ipv6) != 0, ipv6)
                    << tags << " tags of priority " << priority;
                sent.reset();
            }
    // Nothing but tags up to where the sum begins: nobody knows.
    packet_ptr wants = memory.make(40);
    std::fill_n(wants->data(), 40, std::byte{});
    const big<ethertype> type = ethertype::vlan;
    for (std::uint32_t at = 12; at != 40; at += 4)
        std::memcpy(wants->data() + at, &type, sizeof type);
    ASSERT_TRUE(set_partial(*wants, 20, 16));
    EXPECT_TRUE(send(wants, everything));
    EXPECT_EQ(device.first_posts.back().network_header, 14u);
}

// Any start and any field, in a packet of any pieces: the device gets what fill_checksum makes of it.
TEST_F(offload, what_the_device_does_not_do_is_filled_in) {
    random_steps random;
    for (std::uint64_t i = random_steps::count(200, 10); i != 0; --i) {
        const std::uint32_t offers = random.one_in(2) ? 0 : std::uint32_t{transmit_post::insert_checksum};
        packet_ptr wants = memory.make(60 + random.below(100), {random.below(500) + 1});
        const std::uint32_t start = 14 + random.below(20);
        const std::uint32_t field = offers == 0 ? 2 * random.below(12) : 2; // 2 is ICMPv6's: no device
        for (std::uint32_t j = 0; j != 2; ++j)
            wants->data()[start + field + j] = {};
        ASSERT_TRUE(set_partial(*wants, start, field));
        std::vector<std::byte> expected = bytes_sent(*wants);
        const std::uint16_t sum = udp_checksum(sum_of(std::span(expected).subspan(start)));
        expected[start + field] = static_cast<std::byte>(sum >> 8);
        expected[start + field + 1] = static_cast<std::byte>(sum);
        EXPECT_TRUE(send(wants, offers));
        EXPECT_EQ(device.first_posts.back().flags & everything, 0u);
        EXPECT_EQ(device.packets_taken.back().bytes, expected);
        sent.reset();
    }
}

// No device looks for TCP or UDP before the end of an Ethernet header.
TEST_F(offload, a_checksum_from_within_the_ethernet_header_is_filled_in) {
    for (const std::uint32_t field : {6u, 16u})
        for (std::uint32_t start = 0; start != 18; ++start) {
            packet_ptr wants = memory.make(120);
            ASSERT_TRUE(set_partial(*wants, start, field));
            std::vector<std::byte> expected = bytes_sent(*wants);
            const bool by_device = start > 14;
            if (!by_device) {
                const std::uint16_t sum = udp_checksum(sum_of(std::span(expected).subspan(start)));
                expected[start + field] = static_cast<std::byte>(sum >> 8);
                expected[start + field + 1] = static_cast<std::byte>(sum);
            }
            EXPECT_TRUE(send(wants, everything));
            EXPECT_EQ(device.first_posts.back().flags & transmit_post::insert_checksum,
                      by_device ? std::uint32_t{transmit_post::insert_checksum} : 0u)
                << start;
            EXPECT_EQ(device.packets_taken.back().bytes, expected) << start;
            sent.reset();
        }
}

// Headers that the device has no fields for, by a byte or more, are software's; with the tag that software
// puts in front, too.
TEST_F(offload, a_checksum_behind_headers_too_long_for_the_device_is_filled_in) {
    device.most_link_header = 22;
    device.most_network_header = 60;
    for (const bool tagged : {false, true})
        for (const bool device_tags : {false, true})
            for (std::uint32_t network = 14; network != 26; ++network)
                for (const std::uint32_t length : {20u, 59u, 60u, 61u, 62u, 80u}) {
                    packet_ptr wants = memory.make(160, {40});
                    const std::uint32_t start = network + length;
                    for (std::uint32_t j = 0; j != 2; ++j)
                        wants->data()[start + 16 + j] = {};
                    ASSERT_TRUE(set_partial(*wants, start, 16));
                    wants->set_network_header(network);
                    wants->info().vlan = tagged ? 7 : 0;
                    std::vector<std::byte> expected = bytes_sent(*wants);
                    const std::uint32_t put_in = tagged && !device_tags ? 4 : 0;
                    const bool by_device = network + put_in <= 22 && length <= 60;
                    if (!by_device) {
                        const std::uint16_t sum = udp_checksum(sum_of(std::span(expected).subspan(start)));
                        expected[start + 16] = static_cast<std::byte>(sum >> 8);
                        expected[start + 17] = static_cast<std::byte>(sum);
                    }
                    EXPECT_TRUE(send(wants, device_tags ? everything
                                                        : std::uint32_t{transmit_post::insert_checksum}));
                    const transmit_post& asked = device.first_posts.back();
                    EXPECT_EQ((asked.flags & transmit_post::insert_checksum) != 0, by_device)
                        << network << ", " << length << ", " << put_in;
                    if (by_device) {
                        EXPECT_EQ(asked.network_header, network + put_in);
                    }
                    std::vector<std::byte> bytes = device.packets_taken.back().bytes;
                    bytes.erase(bytes.begin() + 12, bytes.begin() + 12 + put_in);
                    EXPECT_EQ(bytes, expected) << network << ", " << length << ", " << put_in;
                    sent.reset();
                }
}

// Whatever the headers are, or nobody knows where they are: what the device is asked for is within its reach.
TEST_F(offload, a_device_is_not_asked_for_what_it_cannot_tell) {
    random_steps random;
    std::uint64_t asked_for = 0, filled_in = 0;
    device.most_link_header = 22;
    for (std::uint64_t i = random_steps::count(2'000, 200); i != 0; --i) {
        packet_ptr wants = memory.make(100, {40});
        const big<ethertype> tag = ethertype::vlan;
        for (std::uint32_t at = 12, tags = random.below(8); tags-- != 0; at += 4)
            std::memcpy(wants->data() + at, &tag, sizeof tag);
        const std::uint32_t start = 15 + random.below(70);
        device.most_network_header = start - random.below(15) + random.below(6) - 1;
        wants->data()[start + 6] = wants->data()[start + 7] = {};
        ASSERT_TRUE(set_partial(*wants, start, 6));
        if (random.one_in(2))
            wants->set_network_header(random.below(start));
        wants->info().vlan = random.one_in(2) ? 7 : 0;
        std::vector<std::byte> expected = bytes_sent(*wants);
        const std::uint16_t sum = udp_checksum(sum_of(std::span(expected).subspan(start)));
        const bool device_tags = random.one_in(2);
        const std::uint32_t put_in = wants->info().vlan != 0 && !device_tags ? 4 : 0;
        EXPECT_TRUE(send(wants, device_tags ? everything : std::uint32_t{transmit_post::insert_checksum}));
        const transmit_post& asked = device.first_posts.back();
        if ((asked.flags & transmit_post::insert_checksum) != 0) {
            ++asked_for;
            EXPECT_EQ(asked.transport_header, start + put_in);
            EXPECT_LE(asked.network_header, device.most_link_header);
            EXPECT_LE(asked.transport_header - asked.network_header, device.most_network_header);
        } else {
            ++filled_in;
            expected[start + 6] = static_cast<std::byte>(sum >> 8);
            expected[start + 7] = static_cast<std::byte>(sum);
        }
        std::vector<std::byte> bytes = device.packets_taken.back().bytes;
        bytes.erase(bytes.begin() + 12, bytes.begin() + 12 + put_in);
        EXPECT_EQ(bytes, expected);
        sent.reset();
    }
    EXPECT_GT(asked_for, 20u);
    EXPECT_GT(filled_in, 20u);
}

TEST_F(offload, a_tag_is_asked_for_or_put_in) {
    packet_ptr first = memory.make(100);
    first->info().vlan = 0x2007;
    const std::vector<std::byte> before = bytes_sent(*first);
    EXPECT_TRUE(send(first, everything));
    EXPECT_EQ(device.first_posts.back().flags & everything, transmit_post::insert_vlan);
    EXPECT_EQ(device.first_posts.back().vlan, 0x2007u);
    EXPECT_EQ(device.packets_taken.back().bytes, before);

    packet_ptr second = memory.make(100);
    second->info().vlan = 0x2007;
    EXPECT_TRUE(send(second, 0));
    EXPECT_EQ(device.first_posts.back().flags & everything, 0u);
    std::vector<std::byte> tagged = before;
    constexpr std::array tag{std::byte{0x81}, std::byte{0x00}, std::byte{0x20}, std::byte{0x07}};
    tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
    EXPECT_EQ(device.packets_taken.back().bytes, tagged);
}

TEST_F(offload, a_tag_needs_a_head_of_its_own_and_leaves_the_twin_alone) {
    packet_ptr one = memory.make(100);
    packet_ptr twin = one->clone();
    const std::vector<std::byte> before = bytes_sent(*twin);
    one->info().vlan = 1;
    EXPECT_TRUE(send(one, 0));
    EXPECT_EQ(device.packets_taken.back().bytes.size(), 104u);
    EXPECT_EQ(bytes_sent(*twin), before);
}

TEST_F(offload, what_is_too_short_for_a_tag_goes_without) {
    packet_ptr runt = memory.make(12);
    runt->info().vlan = 1;
    EXPECT_TRUE(send(runt, 0));
    EXPECT_EQ(device.packets_taken.back().bytes.size(), 12u);
}

// Both at once, and the checksum's place moves behind the tag.
TEST_F(offload, a_tag_and_a_checksum) {
    packet_ptr both = memory.make(100);
    ASSERT_TRUE(set_partial(*both, 34, 6));
    both->info().vlan = 5;
    EXPECT_TRUE(send(both, transmit_post::insert_checksum));
    EXPECT_EQ(device.first_posts.back().flags & everything, transmit_post::insert_checksum);
    EXPECT_EQ(device.first_posts.back().transport_header, 38u);
    EXPECT_EQ(device.first_posts.back().network_header, 18u) << "behind the tag, though nobody said where";
}

// Ethernet, IPv4 and TCP as short as they come, in front of whatever memory.make has behind.
void make_tcp(packet& made) {
    constexpr std::array<unsigned, 12> front{0x08, 0x00, 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6};
    for (std::size_t i = 0; i != front.size(); ++i)
        made.data()[12 + i] = static_cast<std::byte>(front[i]);
    made.data()[46] = std::byte{0x50};
}

TEST_F(offload, segments_are_asked_of_a_device_that_cuts) {
    for (const bool tagged : {false, true}) {
        packet_ptr wants = memory.make(120, {500, 500});
        make_tcp(*wants);
        // [offloads]
        ASSERT_TRUE(set_segments(*wants, 34, 300)); // TCP begins at 34: 300 bytes of payload a frame
        wants->info().vlan = tagged ? 5 : 0;        // 0 is none
        // [/offloads]
        EXPECT_TRUE(send(wants, transmit_post::segment)); // which fills checksums in, and takes no tag
        const transmit_post& asked = device.first_posts.back();
        const std::uint16_t in_front = tagged ? 4 : 0;
        EXPECT_EQ(asked.flags & everything, transmit_post::segment);
        EXPECT_EQ(asked.flags & transmit_post::ipv6, 0u);
        EXPECT_EQ(asked.network_header, 14 + in_front);
        EXPECT_EQ(asked.transport_header, 34 + in_front);
        EXPECT_EQ(asked.header_bytes, 54 + in_front);
        EXPECT_EQ(asked.checksum_field, 16);
        EXPECT_EQ(asked.segment_bytes, 300);
        EXPECT_EQ(asked.packet_bytes, 1120u + in_front);
        sent.reset();
    }
}

// Each is dropped and told of by its reason, and what was sent before and behind it goes out.
TEST_F(offload, what_cannot_be_cut_is_dropped) {
    device.offers = everything;
    sent.emplace(
        std::move(tx_queue<offering_transmitter>::create(device, memory.memory(), {.retries = 3})).value());
    std::uint64_t bad = 0;
    const auto drops = [&](auto spoil) {
        std::array<packet_ptr, 3> burst{memory.make(60), memory.make(120, {400}), memory.make(60)};
        make_tcp(*burst[1]);
        ASSERT_TRUE(set_segments(*burst[1], 34, 300));
        spoil(*burst[1]);
        EXPECT_EQ(sent->send(burst), 3u);
        EXPECT_EQ(sent->drops().of(drop_reason::bad_gso), ++bad);
        EXPECT_FALSE(sent->keeps()) << "no memory will make that right";
        EXPECT_TRUE(sent->ledger().closes());
    };
    drops([](packet& one) { one.data()[23] = std::byte{17}; });     // UDP
    drops([](packet& one) { one.data()[46] = std::byte{0x40}; });   // a short header of TCP
    drops([](packet& one) { EXPECT_TRUE(one.cut(54)); });           // nothing to cut
    drops([](packet& one) { EXPECT_TRUE(one.cut(52)); });           // not even headers
    drops([](packet& one) { one.info().checksum = 0; });            // by hand, and wrong
    drops([](packet& one) { one.info().checksum_start = 0; });      // so is this
    drops([](packet& one) { one.info().checksum_start = 0xffff; }); // and this
    drops([](packet& one) { one.set_network_header(16); });         // there is no IP there
    drops([](packet& one) {
        EXPECT_NE(one.push(std::uint32_t{0}), nullptr);
        one.data()[13] = std::byte{1};
        one.data()[14] = {};
    });
    EXPECT_EQ(device.packets_taken.size(), 2 * bad);
    EXPECT_EQ(memory.packets.dropped(drop_reason::bad_gso), bad);
}

TEST_F(offload, a_device_that_does_not_cut_is_not_asked_to) {
    packet_ptr wants = memory.make(120, {400});
    make_tcp(*wants);
    ASSERT_TRUE(set_segments(*wants, 34, 300));
    EXPECT_TRUE(send(wants, everything & ~std::uint32_t{transmit_post::segment})) << "taken, and dropped";
    EXPECT_EQ(sent->drops().of(drop_reason::gso_segment), 1u);
    EXPECT_TRUE(device.packets_taken.empty());
    EXPECT_TRUE(sent->ledger().closes());
}

// Nobody cuts behind headers that the device has no fields for.
TEST_F(offload, what_has_headers_too_long_for_the_device_is_not_cut) {
    std::uint64_t dropped = 0;
    for (const auto& [link, network, tagged, can] : {std::tuple(14, 20, false, true),
                                                     {13, 20, false, false},
                                                     {14, 19, false, false},
                                                     {17, 20, true, false},
                                                     {18, 20, true, true}}) {
        device.most_link_header = static_cast<std::uint32_t>(link);
        device.most_network_header = static_cast<std::uint32_t>(network);
        packet_ptr wants = memory.make(120, {400});
        make_tcp(*wants);
        ASSERT_TRUE(set_segments(*wants, 34, 300));
        wants->info().vlan = tagged ? 5 : 0;
        EXPECT_TRUE(send(wants, transmit_post::segment)) << "taken, and dropped";
        EXPECT_EQ(sent->drops().of(drop_reason::gso_segment), can ? 0u : 1u) << link << ", " << network;
        dropped += !can;
        EXPECT_TRUE(sent->ledger().closes());
        sent.reset();
    }
    EXPECT_EQ(memory.packets.dropped(drop_reason::gso_segment), dropped);
}

// Its headers are to be written to, and are another's too: it waits, and then goes out.
TEST_F(offload, what_is_to_be_cut_waits_for_memory_as_others_do) {
    packet_ptr wants = memory.make(120, {400});
    make_tcp(*wants);
    ASSERT_TRUE(set_segments(*wants, 34, 300));
    const packet_ptr twin = wants->clone();
    std::vector<packet_ptr> all;
    for (const std::uint32_t bytes : {8192u, 256u})
        while (packet_ptr more = memory.packets.allocate(bytes))
            all.push_back(std::move(more));
    device.offers = everything;
    sent.emplace(
        std::move(tx_queue<offering_transmitter>::create(device, memory.memory(), {.retries = 9})).value());
    EXPECT_TRUE(sent->send(wants));
    EXPECT_TRUE(sent->keeps());
    sent->complete(8);
    EXPECT_TRUE(sent->keeps());
    all.clear();
    sent->complete(8);
    EXPECT_FALSE(sent->keeps());
    EXPECT_EQ(device.first_posts.at(0).segment_bytes, 300);
    EXPECT_EQ(sent->drops().dropped(), 0u);
    EXPECT_TRUE(sent->ledger().closes());
}

// A device that takes nothing for now: the packet is the caller's as before, and asks for the same again.
TEST_F(offload, segments_that_were_not_taken_can_be_offered_again) {
    packet_ptr wants = memory.make(120, {400});
    make_tcp(*wants);
    ASSERT_TRUE(set_segments(*wants, 34, 300));
    device.offers = everything;
    device.most_a_post = 0;
    sent.emplace(std::move(tx_queue<offering_transmitter>::create(device, memory.memory())).value());
    EXPECT_FALSE(sent->send(wants));
    ASSERT_TRUE(wants);
    EXPECT_EQ(wants->info().segment_bytes(), 300);
    device.most_a_post = 1;
    EXPECT_TRUE(sent->send(wants));
    EXPECT_EQ(device.first_posts.size(), 2u);
    EXPECT_EQ(device.first_posts[1].segment_bytes, 300);
    EXPECT_EQ(device.first_posts[1].header_bytes, 54);
}

// The strong promise: dropped for want of memory, counted, nothing lost from the pools.
TEST_F(offload, no_memory_for_the_copy_that_a_checksum_needs) {
    packet_ptr one = memory.make(100);
    packet_ptr twin = one->clone(); // the head is shared: filling in needs another
    std::vector<packet_ptr> all;
    for (const std::uint32_t bytes : {8192u, 256u})
        while (packet_ptr more = memory.packets.allocate(bytes))
            all.push_back(std::move(more));
    ASSERT_TRUE(set_partial(*one, 20, 16));
    EXPECT_TRUE(send(one, 0));
    EXPECT_EQ(sent->drops().of(drop_reason::no_memory), 1u);
    EXPECT_TRUE(device.packets_taken.empty());
    EXPECT_TRUE(sent->ledger().closes());
}

} // namespace
