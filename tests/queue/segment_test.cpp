// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/segment.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "support/packet_fixture.hpp"

namespace {

using namespace noria;
using bytes = std::vector<std::byte>;

void put(bytes& to, std::initializer_list<unsigned> values) {
    for (const unsigned value : values)
        to.push_back(static_cast<std::byte>(value));
}

// 14 bytes for Ethernet, IP from 192.0.2.1 to 192.0.2.2 or from 2001:db8::1 to 2001:db8::2, TCP with 12 bytes
// of options, and 100 of payload. `extra` are bytes of IPv4's options, or of extension headers.
struct shape {
    bool ipv6 = false;
    std::uint32_t extra = 0;

    std::uint32_t transport() const { return 14 + (ipv6 ? 40 : 20) + extra; }
    std::uint32_t payload() const { return transport() + 32; }
};
bytes frame_of(const shape& like) {
    bytes made(14);
    if (like.ipv6) {
        const unsigned next = like.extra == 0 ? 6 : 0; // hop by hop first, destination options behind it
        put(made, {0x61, 0x23, 0x45, 0x67, 0xab, 0xcd, next, 64});
        for (const unsigned last : {1u, 2u})
            put(made, {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last});
        for (std::uint32_t left = like.extra; left != 0; left -= 8)
            put(made, {left > 8 ? 60u : 6u, 0, 1, 4, 0, 0, 0, 0});
    } else {
        put(made, {0x45 + like.extra / 4,
                   0,
                   0xab,
                   0xcd,
                   0x12,
                   0x34,
                   0x40,
                   0,
                   64,
                   6,
                   0xde,
                   0xad,
                   192,
                   0,
                   2,
                   1,
                   192,
                   0,
                   2,
                   2});
        made.resize(made.size() + like.extra, std::byte{1});
    }
    put(made, {0, 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0x80, 0x18, 0, 5, 0xbe, 0xef, 0, 0});
    made.resize(made.size() + 12 + 100, std::byte{7});
    return made;
}
const std::vector<shape> shapes{{false, 0}, {false, 12}, {false, 40}, {true, 0}, {true, 8}, {true, 24}};

// A packet of them, the first `linear` in its head.
packet_ptr packet_of(packet_fixture& all, const bytes& frame, std::uint32_t linear) {
    const auto behind = static_cast<std::uint32_t>(frame.size()) - linear;
    packet_ptr made = behind != 0 ? all.make(4, linear, {behind}) : all.make(4, linear);
    std::size_t at = 0;
    made->for_each_piece(0, made->size(), [&](std::byte* to, std::size_t n) noexcept {
        std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(at), n, to);
        at += n;
    });
    return made;
}

TEST(find_segment_headers, finds_them_wherever_they_lie) {
    for (const shape& like : shapes) {
        const bytes frame = frame_of(like);
        for (std::uint32_t linear = 0; linear <= like.payload() + 1; ++linear) {
            packet_fixture all;
            const packet_ptr made = packet_of(all, frame, linear);
            const segment_headers found = find_segment_headers(*made, 14, like.transport());
            ASSERT_TRUE(found) << linear;
            EXPECT_EQ(found.network, 14u);
            EXPECT_EQ(found.transport, like.transport());
            EXPECT_EQ(found.payload, like.payload());
            EXPECT_EQ(found.ipv6, like.ipv6);
        }
    }
}

TEST(find_segment_headers, wants_payload_behind_them) {
    for (const shape& like : shapes)
        for (std::uint32_t size = 0; size <= like.payload() + 1; ++size) {
            packet_fixture all;
            const packet_ptr made = packet_of(all, frame_of(like), 100);
            ASSERT_TRUE(made->cut(size));
            EXPECT_EQ(static_cast<bool>(find_segment_headers(*made, 14, like.transport())),
                      size > like.payload())
                << size;
        }
}

TEST(find_segment_headers, takes_no_other_place) {
    for (const shape& like : shapes) {
        packet_fixture all;
        const packet_ptr made = packet_of(all, frame_of(like), 120);
        for (std::uint32_t off = 0; off != made->size() + 2; ++off) {
            EXPECT_EQ(static_cast<bool>(find_segment_headers(*made, 14, off)), off == like.transport());
            EXPECT_EQ(static_cast<bool>(find_segment_headers(*made, off, like.transport())), off == 14);
        }
        EXPECT_FALSE(find_segment_headers(*made, 14, ~0u));
        EXPECT_FALSE(find_segment_headers(*made, ~0u, like.transport()));
    }
}

// One byte of good headers is made another.
TEST(find_segment_headers, knows_what_cannot_be_cut) {
    struct wrong {
        shape like;
        std::uint32_t at;
        unsigned value;
        const char* why;
    };
    for (const wrong& each : std::initializer_list<wrong>{
             {{false, 0}, 14, 0x55, "version 5"},
             {{false, 0}, 14, 0x65, "IPv6 says the version, and IPv4 all else"},
             {{false, 0}, 14, 0x44, "a header of 16 bytes"},
             {{false, 12}, 14, 0x47, "one that ends before TCP begins"},
             {{false, 0}, 20, 0x20, "a fragment: more come"},
             {{false, 0}, 21, 0x01, "a fragment: not the first"},
             {{false, 0}, 23, 17, "UDP"},
             {{true, 0}, 14, 0x45, "IPv4 says the version"},
             {{true, 0}, 20, 17, "UDP"},
             {{true, 0}, 20, 0, "an extension header that is not there"},
             {{true, 8}, 20, 44, "a fragment header"},
             {{true, 8}, 20, 43, "a routing header: the sum covers another destination"},
             {{true, 8}, 54, 17, "UDP"},
             {{true, 8}, 55, 1, "an extension header into TCP's"},
             {{true, 24}, 62, 255, "one beyond the packet"},
             {{false, 0}, 46, 0x40, "a TCP header of 16 bytes"},
         }) {
        packet_fixture all;
        bytes frame = frame_of(each.like);
        frame[each.at] = static_cast<std::byte>(each.value);
        const packet_ptr made = packet_of(all, frame, 60);
        EXPECT_FALSE(find_segment_headers(*made, 14, each.like.transport())) << each.why;
    }
}

// All but its length is right.
TEST(find_segment_headers, knows_no_ipv4_header_below_20_bytes) {
    packet_fixture all;
    bytes frame = frame_of({});
    frame[14] = std::byte{0x44};
    frame[30 + 12] = std::byte{0x50};
    const packet_ptr made = packet_of(all, frame, 60);
    EXPECT_FALSE(find_segment_headers(*made, 14, 30));
    made->data()[14] = std::byte{0x45};
    EXPECT_FALSE(find_segment_headers(*made, 14, 30));
    EXPECT_TRUE(find_segment_headers(*made, 14, 34));
}

// The sums of the pseudo-headers are written out: the words of the addresses, and 6 for TCP; what carries is
// added below.
TEST(leave_lengths_out, changes_nothing_but_lengths_and_sums) {
    for (const shape& like : shapes) {
        bytes expected = frame_of(like);
        const auto set = [&expected](std::uint32_t at, unsigned value) {
            expected[at] = static_cast<std::byte>(value >> 8);
            expected[at + 1] = static_cast<std::byte>(value);
        };
        set(like.ipv6 ? 18 : 16, 0);
        if (!like.ipv6)
            set(24, 0);
        set(like.transport() + 16, like.ipv6 ? 2 * (0x2001 + 0x0db8) + 1 + 2 + 6 : 0x8409 + 1);
        for (const std::uint32_t linear : {0u, 20u, like.transport() + 16, like.payload() - 1, 166u}) {
            packet_fixture all;
            const packet_ptr made = packet_of(all, frame_of(like), std::min(linear, like.payload() + 100));
            const packet_ptr twin = made->clone();
            const segment_headers at = find_segment_headers(*made, 14, like.transport());
            ASSERT_TRUE(leave_lengths_out(*made, at));
            EXPECT_EQ(bytes_of(*made), expected);
            EXPECT_GE(made->headlen(), like.payload());
            EXPECT_EQ(bytes_of(*twin), frame_of(like)) << "the twin's bytes are not ours to write";
            ASSERT_TRUE(leave_lengths_out(*made, at)) << "once more";
            EXPECT_EQ(bytes_of(*made), expected);
        }
    }
}

TEST(leave_lengths_out, changes_no_byte_without_memory) {
    packet_fixture all;
    for (const std::uint32_t linear : {20u, 120u}) { // a head is too short, or shared
        const packet_ptr made = packet_of(all, frame_of({}), linear);
        const packet_ptr twin = made->clone();
        const packet_state before(*made);
        const shortage none[] = {{all.pools()[0], 0}, {all.pools()[1], 0}, {all.pools()[2], 0}};
        EXPECT_FALSE(leave_lengths_out(*made, find_segment_headers(*made, 14, 34)));
        EXPECT_EQ(packet_state(*made), before);
    }
}

#if NORIA_CONTRACT == 2
TEST(segment_death_test, headers_that_were_not_found) {
    packet_fixture all;
    const packet_ptr made = packet_of(all, frame_of({}), 120);
    EXPECT_DEATH(static_cast<void>(leave_lengths_out(*made, {})), "ask find_segment_headers first");
}
#endif

} // namespace
