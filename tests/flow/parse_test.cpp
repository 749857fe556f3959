// SPDX-License-Identifier: BSL-1.0
#include "noria/flow/parse.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

namespace {

using noria::ethertype;
using noria::ip_protocol;
using noria::parsed_headers;
using bytes = std::vector<std::uint8_t>;

// In a block of the heap that ends where the frame ends, so that the address sanitizer sees a step too far.
parsed_headers parse(const bytes& frame, std::size_t size) {
    const auto exact = std::make_unique<std::byte[]>(size);
    std::transform(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size), exact.get(),
                   [](std::uint8_t byte) { return std::byte{byte}; });
    return noria::parse_headers({exact.get(), size});
}
parsed_headers parse(const bytes& frame) {
    return parse(frame, frame.size());
}

// A frame put together header by header, together with what a parser ought to find in it.
struct built_frame {
    bytes frame;
    parsed_headers expected;

    template <class Header>
    std::size_t append(const Header& header) {
        const auto at = frame.size();
        frame.resize(at + sizeof header);
        std::memcpy(frame.data() + at, &header, sizeof header);
        return at;
    }
    std::uint16_t end() const { return static_cast<std::uint16_t>(frame.size()); }

    void ethernet(ethertype type, unsigned tags) {
        noria::ethernet_header header{};
        header.type = tags == 0 ? type : tags == 1 ? ethertype::vlan : ethertype::service_vlan;
        append(header);
        for (; tags != 0; --tags) {
            noria::vlan_tag tag{};
            tag.type = tags == 1 ? type : ethertype::vlan;
            append(tag);
            ++expected.vlan_tags;
        }
        expected.network = type;
        expected.network_offset = expected.payload_offset = expected.header_length = end();
    }

    // Returns where the header is, for the lengths that are known only in the end.
    std::size_t ipv4(ip_protocol protocol, std::uint8_t option_words = 0, std::uint16_t fragment = 0) {
        noria::ipv4_header header{};
        header.version_and_length = static_cast<std::uint8_t>(0x45 + option_words);
        header.protocol = protocol;
        header.fragment = fragment;
        const std::size_t at = append(header);
        frame.resize(frame.size() + option_words * 4u, 1);
        layer(protocol);
        return at;
    }
    std::size_t ipv6(ip_protocol next) {
        noria::ipv6_header header{};
        header.version_class_flow = 0x6000'0000;
        header.next_header = next;
        const std::size_t at = append(header);
        layer(next);
        return at;
    }
    void extension(ip_protocol own, ip_protocol next, std::uint8_t length) {
        const noria::ipv6_extension header{next, length};
        append(header);
        frame.resize(frame.size() + header.header_length(own) - sizeof header);
        layer(next);
    }
    void fragment(ip_protocol next, std::uint16_t offset_and_more) {
        noria::ipv6_fragment header{};
        header.next_header = next;
        header.offset_and_more = offset_and_more;
        append(header);
        layer(next);
    }
    void layer(ip_protocol next) {
        expected.transport = next;
        expected.payload_offset = expected.header_length = end();
    }

    void transport(ip_protocol protocol, std::uint8_t option_words = 0) {
        expected.transport_offset = end();
        if (protocol == ip_protocol::tcp) {
            noria::tcp_header header{};
            header.data_offset = static_cast<std::uint8_t>((5 + option_words) << 4);
            append(header);
            frame.resize(frame.size() + option_words * 4u);
        } else if (protocol == ip_protocol::udp) {
            append(noria::udp_header{});
        } else if (protocol == ip_protocol::icmp || protocol == ip_protocol::icmpv6) {
            append(noria::icmp_header{});
        }
        expected.payload_offset = expected.header_length = end();
    }

    // Adds payload, writes the length fields, and adds padding that belongs to no datagram.
    void finish(std::size_t network, std::size_t payload, std::size_t padding) {
        frame.resize(frame.size() + payload);
        const std::size_t length = frame.size() - network;
        const auto store = [&](std::size_t at, std::size_t value) {
            frame[at] = static_cast<std::uint8_t>(value >> 8);
            frame[at + 1] = static_cast<std::uint8_t>(value);
        };
        if (expected.network == ethertype::ipv4)
            store(network + 2, length);
        else
            store(network + 4, length - sizeof(noria::ipv6_header));
        frame.resize(frame.size() + padding, 0xff);
    }
};

// But for datagram_end, which has tests of its own.
bool same(parsed_headers left, const parsed_headers& right) {
    left.datagram_end = right.datagram_end;
    return left == right;
}

template <class T>
T pick(T from, T to) { // [from, to]
    return *rc::gen::inRange<T>(from, static_cast<T>(to + 1));
}

built_frame any_frame() {
    built_frame built;
    const bool v4 = *rc::gen::arbitrary<bool>();
    const auto protocol =
        *rc::gen::element(ip_protocol::tcp, ip_protocol::udp, v4 ? ip_protocol::icmp : ip_protocol::icmpv6,
                          ip_protocol::encapsulating_security);
    built.ethernet(v4 ? ethertype::ipv4 : ethertype::ipv6, pick(0u, 2u));
    const bool later_fragment = *rc::gen::weightedElement<bool>({{3, false}, {1, true}});
    const bool first_fragment = !later_fragment && *rc::gen::weightedElement<bool>({{3, false}, {1, true}});
    built.expected.fragment = later_fragment || first_fragment;
    std::size_t network = 0;
    if (v4) {
        network =
            built.ipv4(protocol, pick<std::uint8_t>(0, 10),
                       static_cast<std::uint16_t>((first_fragment ? noria::ipv4_header::more_fragments : 0) |
                                                  (later_fragment ? pick(1, 0x1fff) : 0)));
    } else {
        std::vector<ip_protocol> chain;
        for (unsigned count = pick(0u, 7u); count != 0; --count)
            chain.push_back(*rc::gen::element(ip_protocol::hop_by_hop, ip_protocol::routing,
                                              ip_protocol::authentication, ip_protocol::destination_options,
                                              ip_protocol::mobility));
        if (built.expected.fragment || *rc::gen::arbitrary<bool>())
            chain.push_back(ip_protocol::fragment); // behind it a later fragment has payload only
        chain.push_back(protocol);
        network = built.ipv6(chain.front());
        for (std::size_t i = 0; i + 1 < chain.size(); ++i)
            if (chain[i] == ip_protocol::fragment)
                built.fragment(chain[i + 1],
                               static_cast<std::uint16_t>((first_fragment ? 1 : 0) |
                                                          (later_fragment ? pick(1, 0x1fff) << 3 : 0)));
            else
                built.extension(chain[i], chain[i + 1], pick<std::uint8_t>(0, 20));
    }
    if (!later_fragment)
        built.transport(protocol, pick<std::uint8_t>(0, 10));
    built.finish(network, pick<std::size_t>(0, 64), pick<std::size_t>(0, 40));
    return built;
}

RC_GTEST_PROP(ParseHeaders, FindsWhatTheFrameWasBuiltFrom, ()) {
    const built_frame built = any_frame();
    RC_ASSERT(same(parse(built.frame), built.expected));
}

// What a device copies first is a piece of the frame: the answer is the same once all headers are in it, and
// before that it says so, and never speaks of bytes that are not there.
RC_GTEST_PROP(ParseHeaders, APrefixIsTruncatedExactlyWhenAHeaderIsCut, ()) {
    const built_frame built = any_frame();
    const auto size = pick<std::size_t>(0, built.frame.size());
    const parsed_headers found = parse(built.frame, size);
    RC_ASSERT(!found.malformed);
    if (size >= built.expected.header_length) {
        RC_ASSERT(same(found, built.expected));
        return;
    }
    RC_ASSERT(found.payload_offset <= size);
    // Between two headers the next one is looked for, unless none is known to come.
    RC_ASSERT(found.truncated);
    RC_ASSERT(found.header_length == size);
}

// Random bytes, made plausible at the places a parser believes: the sanitizer is the judge.
RC_GTEST_PROP(ParseHeaders, NeverLeavesTheFrameWhateverTheBytesSay, ()) {
    auto frame = *rc::gen::mapcat(rc::gen::inRange<std::size_t>(0, 300), [](std::size_t size) {
        return rc::gen::container<bytes>(size, rc::gen::arbitrary<std::uint8_t>());
    });
    const auto plant = [&](std::size_t at, std::initializer_list<std::uint8_t> what) {
        for (const std::uint8_t byte : what)
            if (at < frame.size())
                frame[at++] = byte;
    };
    std::size_t network = 14;
    for (unsigned tags = pick(0u, 2u); tags != 0; --tags, network += 4)
        plant(network - 2, {0x81, 0x00});
    if (*rc::gen::arbitrary<bool>()) {
        plant(network - 2, {0x08, 0x00, pick<std::uint8_t>(0x40, 0x4f)});
        plant(network + 9, {*rc::gen::element<std::uint8_t>(1, 6, 17, 99)});
        if (*rc::gen::arbitrary<bool>())
            plant(network + 6, {0x40, 0x00});
    } else {
        plant(network - 2, {0x86, 0xdd, 0x60});
        plant(network + 6, {*rc::gen::element<std::uint8_t>(0, 6, 17, 43, 44, 51, 58, 60, 135)});
    }
    const parsed_headers found = parse(frame);
    RC_ASSERT(found.header_length <= frame.size());
    RC_ASSERT(found.payload_offset <= found.header_length);
    RC_ASSERT(found.network_offset <= found.payload_offset || found.truncated);
    RC_ASSERT(found.transport_offset <= found.payload_offset);
    RC_ASSERT(!found.has_network() || found.network_offset >= 14);
    RC_ASSERT(!found.has_transport() || found.transport_offset >= 34);
}

RC_GTEST_PROP(ParseHeaders, AnyDamageToAGoodFrameStaysInside, ()) {
    built_frame built = any_frame();
    const auto damage = *rc::gen::container<std::vector<std::pair<std::size_t, std::uint8_t>>>(rc::gen::pair(
        rc::gen::inRange<std::size_t>(0, built.frame.size()), rc::gen::arbitrary<std::uint8_t>()));
    for (const auto& [at, value] : damage)
        built.frame[at] = value;
    const parsed_headers found = parse(built.frame);
    RC_ASSERT(found.header_length <= built.frame.size());
}

TEST(ParseHeaders, KnowsWhereTheDatagramEndsEvenBehindTheBytesThereAre) {
    for (const bool v4 : {false, true}) {
        built_frame built;
        built.ethernet(v4 ? ethertype::ipv4 : ethertype::ipv6, 1);
        const std::size_t network = v4 ? built.ipv4(ip_protocol::udp) : built.ipv6(ip_protocol::udp);
        built.transport(ip_protocol::udp);
        built.finish(network, 100, 7);
        EXPECT_EQ(parse(built.frame).datagram_end, built.frame.size() - 7);
        EXPECT_EQ(parse(built.frame, 18 + 40).datagram_end, built.frame.size() - 7);
        EXPECT_EQ(parse(built.frame, 18).datagram_end, 0u);
    }
}

TEST(ParseHeaders, NamesOtherNetworksAndStopsThere) {
    built_frame arp;
    arp.ethernet(ethertype::arp, 1);
    arp.frame.resize(60);
    const parsed_headers found = parse(arp.frame);
    EXPECT_TRUE(same(found, arp.expected));
    EXPECT_FALSE(found.has_network());
    EXPECT_FALSE(found.has_transport());
}

TEST(ParseHeaders, AThirdTagIsNotLookedInto) {
    bytes frame(14 + 3 * 4 + 40, 0);
    for (const std::size_t at : {12u, 16u, 20u})
        frame[at] = 0x81;
    frame[24] = 0x08;
    const parsed_headers found = parse(frame);
    EXPECT_EQ(found.vlan_tags, 2);
    EXPECT_EQ(found.network, ethertype::vlan);
    EXPECT_EQ(found.payload_offset, 22);
}

TEST(ParseHeaders, AChainOfExtensionHeadersThatGoesOnIsLeft) {
    built_frame built;
    built.ethernet(ethertype::ipv6, 0);
    const std::size_t network = built.ipv6(ip_protocol::routing);
    for (int i = 0; i < 9; ++i)
        built.extension(ip_protocol::routing, i == 8 ? ip_protocol::tcp : ip_protocol::routing, 0);
    built.transport(ip_protocol::tcp);
    built.finish(network, 0, 0);
    const parsed_headers found = parse(built.frame);
    EXPECT_EQ(found.transport, ip_protocol::routing);
    EXPECT_EQ(found.transport_offset, 0);
    EXPECT_EQ(found.payload_offset, 14 + 40 + 8 * 8);
    EXPECT_FALSE(found.malformed || found.truncated);
}

TEST(ParseHeaders, ASecondFragmentHeaderDoesNotMakeItWhole) {
    built_frame built;
    built.ethernet(ethertype::ipv6, 0);
    const std::size_t network = built.ipv6(ip_protocol::fragment);
    built.fragment(ip_protocol::fragment, 1); // the first piece
    built.fragment(ip_protocol::udp, 0);      // all of it, says this one
    built.transport(ip_protocol::udp);
    built.expected.fragment = true;
    built.finish(network, 10, 0);
    EXPECT_TRUE(same(parse(built.frame), built.expected));
}

TEST(ParseHeaders, NoNextHeaderHasNoTransport) {
    built_frame built;
    built.ethernet(ethertype::ipv6, 0);
    built.finish(built.ipv6(ip_protocol::no_next_header), 10, 0);
    EXPECT_TRUE(same(parse(built.frame), built.expected));
    EXPECT_EQ(built.expected.transport_offset, 0);
}

class Malformed : public testing::Test {
  protected:
    Malformed() {
        built.ethernet(ethertype::ipv4, 0);
        network = built.ipv4(ip_protocol::tcp);
        built.transport(ip_protocol::tcp);
        built.finish(network, 10, 6);
    }
    parsed_headers with(std::size_t at, std::uint8_t value) {
        bytes frame = built.frame;
        frame[at] = value;
        return parse(frame);
    }
    built_frame built;
    std::size_t network = 0;
};

TEST_F(Malformed, AVersionThatContradictsTheEthertype) {
    EXPECT_TRUE(with(network, 0x65).malformed);
    EXPECT_FALSE(with(network, 0x65).has_network());
    EXPECT_FALSE(with(network, 0x45).malformed);
}

TEST_F(Malformed, AnIpv4HeaderShorterThanItsFixedPart) {
    EXPECT_TRUE(with(network, 0x44).malformed);
}

TEST_F(Malformed, ATotalLengthBelowTheHeader) {
    EXPECT_TRUE(with(network + 3, 19).malformed);
}

TEST_F(Malformed, ATcpHeaderShorterThanItsFixedPart) {
    const parsed_headers found = with(network + 32, 0x40);
    EXPECT_TRUE(found.malformed);
    EXPECT_TRUE(found.has_network());
    EXPECT_FALSE(found.has_transport());
    EXPECT_EQ(found.header_length, 34);
}

// The padding of a short frame must not be taken for a transport header.
TEST_F(Malformed, ATransportHeaderBehindTheEndOfItsDatagram) {
    const parsed_headers found = with(network + 3, 39);
    EXPECT_TRUE(found.malformed);
    EXPECT_FALSE(found.truncated);
    EXPECT_FALSE(found.has_transport());
}

TEST_F(Malformed, AnIpv6VersionOfFour) {
    built_frame v6;
    v6.ethernet(ethertype::ipv6, 0);
    v6.finish(v6.ipv6(ip_protocol::no_next_header), 0, 0);
    v6.frame[14] = 0x40;
    EXPECT_TRUE(parse(v6.frame).malformed);
}

TEST_F(Malformed, ATransportHeaderBehindTheEndOfItsIpv6Datagram) {
    built_frame v6;
    v6.ethernet(ethertype::ipv6, 0);
    const std::size_t at = v6.ipv6(ip_protocol::udp);
    v6.transport(ip_protocol::udp);
    v6.finish(at, 0, 6);
    EXPECT_FALSE(parse(v6.frame).malformed);
    v6.frame[at + 5] = 7;
    EXPECT_TRUE(parse(v6.frame).malformed);
}

// Behind an IPv6 header that says 0 there is nothing: only a jumbogram says its length elsewhere.
TEST_F(Malformed, ATransportHeaderInThePaddingOfAnEmptyIpv6Datagram) {
    for (const bool jumbogram : {false, true}) {
        built_frame v6;
        v6.ethernet(ethertype::ipv6, 0);
        const std::size_t at = v6.ipv6(jumbogram ? ip_protocol::hop_by_hop : ip_protocol::udp);
        if (jumbogram)
            v6.extension(ip_protocol::hop_by_hop, ip_protocol::udp, 0);
        v6.transport(ip_protocol::udp);
        v6.finish(at, 0, 6);
        v6.frame[at + 4] = v6.frame[at + 5] = 0;
        const parsed_headers found = parse(v6.frame);
        EXPECT_EQ(found.has_transport(), jumbogram);
        EXPECT_EQ(found.malformed, !jumbogram);
        EXPECT_EQ(found.datagram_end, jumbogram ? 0u : at + 40);
    }
}

// What the bytes there are end with does not matter: a header that its datagram has no room for is not made
// whole by more of them.
TEST_F(Malformed, AHeaderThatItsDatagramHasNoRoomFor) {
    built_frame v4;
    v4.ethernet(ethertype::ipv4, 0);
    v4.finish(v4.ipv4(ip_protocol::tcp), 19, 8);
    const std::size_t end = 14 + 20 + 19;
    for (std::size_t size = 14 + 20; size <= v4.frame.size(); ++size) {
        const parsed_headers found = parse(v4.frame, size);
        EXPECT_TRUE(found.malformed) << size;
        EXPECT_FALSE(found.truncated) << size;
        EXPECT_EQ(found.header_length, 14 + 20) << size;
        EXPECT_EQ(found.datagram_end, end) << size;
    }
}

} // namespace
