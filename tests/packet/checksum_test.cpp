// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/checksum.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "noria/packet/coalesce.hpp"
#include "noria/packet/copy.hpp"
#include "noria/packet/split.hpp"
#include "support/packet_fixture.hpp"
#include "support/random.hpp"

namespace {

using namespace noria;

// RFC 1071 section 1, byte by byte: the last odd one is an upper half.
internet_sum sum_anew(const packet& of) {
    std::uint64_t words = 0;
    std::uint32_t shift = 8;
    for (const std::byte each : bytes_of(of)) {
        words += std::to_integer<std::uint64_t>(each) << shift;
        shift = 8 - shift;
    }
    return internet_sum(static_cast<std::uint32_t>(words));
}

std::vector<std::byte> some_bytes(random_steps& random, std::uint32_t n) {
    std::vector<std::byte> bytes(n);
    for (std::byte& each : bytes)
        each = random.byte();
    return bytes;
}

TEST(sum_of_packet, is_that_of_the_bytes_wherever_they_are) {
    packet_fixture all;
    const packet_ptr made = all.make(3, 51, {1, 1, 7, 64, 129});
    const std::vector<std::byte> bytes = bytes_of(*made);
    for (std::uint32_t offset = 0; offset <= made->size(); ++offset)
        for (std::uint32_t length = 0; length <= made->size() - offset; ++length)
            ASSERT_EQ(sum_of(*made, offset, length), sum_of(std::span(bytes).subspan(offset, length)))
                << offset << ' ' << length;
}

// Of every length, odd ones above all, from every place; the sum has to follow.
TEST(complete, stays_the_sum_of_the_bytes_through_every_operation_that_knows_them) {
    packet_fixture all({.pages = 20});
    const packet_pool::owner_section entered = all.packets().enter();
    random_steps random;
    std::array<std::uint64_t, 10> done{};
    const std::uint64_t rounds = random_steps::count(2'000, 200);
    for (std::uint64_t round = 0; round != rounds; ++round) {
        packet_ptr made = all.make(random.below(64), random.below(120), {1 + random.below(90)});
        set_complete(*made, sum_anew(*made));
        for (int step = 0; step != 24; ++step) {
            const std::uint32_t what = random.below(static_cast<std::uint32_t>(done.size()));
            bool did = true;
            switch (what) {
            case 0:
                did = made->pull(random.below(30)) != nullptr;
                break;
            case 1:
                did = made->push(some_bytes(random, random.below(30))) != nullptr;
                break;
            case 2:
                did = made->put(some_bytes(random, random.below(30))) != nullptr;
                break;
            case 3:
                ASSERT_TRUE(made->cut(made->size() - random.below(made->size() / 4 + 1)));
                break;
            case 4:
                ASSERT_TRUE(trim(*made, made->size() - random.below(made->size() / 4 + 1)));
                break;
            case 5:
            case 6: {
                page* const under = all.pages().allocate();
                if (under == nullptr)
                    break;
                const std::uint32_t length = random.below(70);
                std::ranges::copy(some_bytes(random, 70), under->data());
                const fragment added{under, random.below(2), length, 1024};
                did = made->add_fragment(added, sum_of({added.data(), length})) == packet::attached::taken;
                if (!did)
                    under->release();
                break;
            }
            case 7:
                did = static_cast<bool>(pull_tail(*made, random.below(made->data_len() + 1)));
                break;
            case 8:
                did = made->expand_head(random.below(60), random.below(60));
                break;
            default:
                did = cow_head(*made, random.below(90));
            }
            done[what] += did;
            ASSERT_TRUE(made->info().has_sum()) << what;
            ASSERT_EQ(made->info().sum(), sum_anew(*made)) << what << " in round " << round;
        }
    }
    for (const std::uint64_t each : done)
        EXPECT_GT(each, rounds / 10) << "an operation that was not tested";
}

TEST(complete, is_forgotten_when_nobody_says_what_the_bytes_are) {
    packet_fixture all;
    const auto after = [&](auto&& operation) {
        const packet_ptr made = all.make(16, 100);
        set_complete(*made, sum_anew(*made));
        operation(*made);
        return made->info().checksum_state;
    };
    EXPECT_EQ(after([](packet& p) { ASSERT_NE(p.push(1), nullptr); }), checksum_state::none);
    EXPECT_EQ(after([](packet& p) { ASSERT_NE(p.put(1), nullptr); }), checksum_state::none);
    EXPECT_EQ(after([&](packet& p) {
                  page* const more = all.pages().allocate();
                  ASSERT_EQ(p.add_fragment({more, 0, 10, 1024}), packet::attached::taken);
              }),
              checksum_state::none);
}

TEST(complete, stays_when_an_operation_fails) {
    packet_fixture all({.pages = 20});
    const packet_ptr made = all.make(16, 100, std::vector<std::uint32_t>(packet::most_fragments, 10));
    set_complete(*made, sum_anew(*made));
    const packet_state before(*made);
    const std::vector<std::byte> much(300);
    page* const under = all.pages().allocate();
    EXPECT_EQ(made->pull(101), nullptr);
    EXPECT_EQ(made->push(17), nullptr);
    EXPECT_EQ(made->push(much), nullptr);
    EXPECT_EQ(made->put(1), nullptr);
    EXPECT_EQ(made->put(much), nullptr);
    EXPECT_EQ(made->add_fragment({under, 0, 10, 10}), packet::attached::refused);
    EXPECT_EQ(made->add_fragment({under, 0, 10, 10}, internet_sum(7)), packet::attached::refused);
    EXPECT_TRUE(made->cut(made->size())) << "nothing was cut";
    EXPECT_EQ(packet_state(*made), before);
    const packet_ptr twin = made->clone();
    EXPECT_EQ(twin->info().sum(), sum_anew(*twin));
    EXPECT_EQ(made->push(std::span<const std::byte>()), nullptr) << "the head is shared";
    EXPECT_EQ(made->info(), before.info);
    under->release();
}

TEST(unnecessary, is_not_touched) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50});
    made->info().checksum_state = checksum_state::unnecessary;
    made->info().checksum_level = 1;
    const packet_info before = made->info();
    ASSERT_NE(made->pull(14), nullptr);
    ASSERT_NE(made->push(20), nullptr);
    ASSERT_TRUE(made->cut(120));
    EXPECT_TRUE(fill_checksum(*made)) << "there is nothing to fill in";
    EXPECT_EQ(made->info(), before);
}

TEST(partial, refuses_a_cut_that_takes_its_field) {
    packet_fixture all;
    for (const std::uint32_t field : {60u, 99u, 110u}) { // in the head, across its edge, in the fragment
        const packet_ptr made = all.make(16, 100, {50});
        ASSERT_TRUE(set_partial(*made, field % 2 + 32, field - (field % 2 + 32)));
        const packet_state before(*made);
        EXPECT_FALSE(made->cut(field + 1));
        EXPECT_FALSE(trim(*made, field + 1));
        EXPECT_FALSE(made->cut(0));
        EXPECT_EQ(packet_state(*made), before);
        ASSERT_NE(made->pull(10), nullptr);
        EXPECT_FALSE(made->cut(field - 10 + 1)) << "counted from data(), wherever that is";
        EXPECT_TRUE(made->cut(field - 10 + 2));
        EXPECT_EQ(made->size(), field - 10 + 2);
        EXPECT_EQ(made->info().checksum_state, checksum_state::partial);
    }
}

TEST(partial, is_none_once_its_first_byte_is_pulled) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100);
    ASSERT_TRUE(set_partial(*made, 34, 6));
    ASSERT_NE(made->pull(34), nullptr);
    EXPECT_EQ(made->info().checksum_state, checksum_state::partial);
    ASSERT_NE(made->push(14), nullptr);
    ASSERT_NE(made->put(3), nullptr);
    EXPECT_EQ(made->info().checksum_state, checksum_state::partial) << "other bytes do not concern it";
    ASSERT_NE(made->pull(15), nullptr);
    EXPECT_EQ(made->info().checksum_state, checksum_state::none);
}

TEST(set_partial, refuses_a_field_outside) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50});
    const packet_state before(*made);
    EXPECT_FALSE(set_partial(*made, 149, 0));
    EXPECT_FALSE(set_partial(*made, 0, 149));
    EXPECT_FALSE(set_partial(*made, ~0u, 0));
    EXPECT_FALSE(set_partial(*made, 0, ~0u));
    EXPECT_FALSE(set_partial(*made, ~0u, ~0u)) << "the sum would wrap";
    EXPECT_FALSE(set_partial(*made, 0, 7)) << "words begin at even distances from the start";
    EXPECT_EQ(packet_state(*made), before);
    EXPECT_TRUE(set_partial(*made, 100, 48));
}

// 10.0.0.1:1000 -> 10.0.0.2:2000 behind 34 bytes of Ethernet and IPv4, its field with the sum of its pseudo
// header: what a sender leaves to the device.
struct udp_packet {
    static constexpr std::uint32_t start = 34;
    static constexpr std::uint32_t field = 6;

    static internet_sum pseudo_header(std::uint32_t length) {
        return pseudo_header_sum(ipv4_address{{10, 0, 0, 1}}, ipv4_address{{10, 0, 0, 2}}, ip_protocol::udp,
                                 static_cast<std::uint16_t>(length));
    }
    // True at the receiver's end.
    static bool verifies(const packet& received) {
        const std::uint32_t length = received.size() - start;
        return (sum_of(received, start, length) + pseudo_header(length)).verifies();
    }
    static void ask(packet& made) {
        const std::uint16_t sum = big_endian(pseudo_header(made.size() - start).value());
        ASSERT_TRUE(may_pull(made, start + field + 2) == pull_status::ok);
        std::memcpy(made.data() + start + field, &sum, 2);
        ASSERT_TRUE(set_partial(made, start, field));
    }
};

TEST(fill_checksum, writes_what_the_receiver_verifies) {
    packet_fixture all;
    for (const std::vector<std::uint32_t>& fragments :
         {std::vector<std::uint32_t>{}, {1}, {7, 50}, {33, 1, 1, 1}}) {
        const packet_ptr made = all.make(17, 55, fragments);
        udp_packet::ask(*made);
        EXPECT_FALSE(udp_packet::verifies(*made));
        ASSERT_TRUE(made->expand_head(64, 0)) << "its place moves with the head";
        ASSERT_NE(made->push(4), nullptr);
        ASSERT_NE(made->pull(4), nullptr);
        ASSERT_TRUE(fill_checksum(*made));
        EXPECT_TRUE(udp_packet::verifies(*made));
        EXPECT_EQ(made->info().checksum_state, checksum_state::none);
        const packet_state filled(*made);
        EXPECT_TRUE(fill_checksum(*made));
        EXPECT_EQ(packet_state(*made), filled) << "once";
    }
}

TEST(fill_checksum, never_writes_udps_no_checksum) {
    packet_fixture all;
    const packet_ptr made = all.make(0, 4);
    const std::array<unsigned char, 4> ones = {0xff, 0xff, 0, 0}; // whose checksum is zero
    std::memcpy(made->data(), ones.data(), 4);
    ASSERT_TRUE(set_partial(*made, 0, 2));
    ASSERT_TRUE(fill_checksum(*made));
    EXPECT_EQ(made->data()[2], std::byte{0xff});
    EXPECT_EQ(made->data()[3], std::byte{0xff});
}

TEST(fill_checksum, writes_nothing_that_a_clone_reads) {
    packet_fixture all;
    const packet_ptr original = all.make(16, 60, {40});
    udp_packet::ask(*original);
    const packet_ptr twin = original->clone();
    const std::vector<std::byte> bytes = bytes_of(*original);
    ASSERT_TRUE(fill_checksum(*twin));
    EXPECT_TRUE(udp_packet::verifies(*twin));
    EXPECT_EQ(bytes_of(*original), bytes);
    EXPECT_EQ(original->info().checksum_state, checksum_state::partial) << "each has its own";
    ASSERT_TRUE(fill_checksum(*original));
    EXPECT_EQ(bytes_of(*original), bytes_of(*twin));
}

TEST(fill_checksum, changes_nothing_without_memory) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 240, {40});
    ASSERT_TRUE(set_partial(*made, 200, 50)); // 250 is in the fragment, and behind it the head ends
    const packet_ptr shared = all.make(16, 60);
    ASSERT_TRUE(set_partial(*shared, 34, 6));
    const packet_ptr twin = shared->clone();
    const shortage none[] = {{all.pools()[0], 0}, {all.pools()[1], 0}, {all.pools()[2], 0}};
    for (packet* each : {made.get(), shared.get()}) {
        const packet_state before(*each);
        EXPECT_FALSE(fill_checksum(*each));
        EXPECT_EQ(packet_state(*each), before);
    }
}

TEST(set_segments, refuses_what_has_no_room_for_tcp) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50});
    const packet_state before(*made);
    EXPECT_FALSE(set_segments(*made, 131, 1448));
    EXPECT_FALSE(set_segments(*made, ~0u, 1448));
    EXPECT_FALSE(set_segments(*made, 34, 0));
    EXPECT_EQ(packet_state(*made), before);
    EXPECT_TRUE(set_segments(*made, 130, 1));
    EXPECT_EQ(made->info().segment_bytes(), 1);
    EXPECT_EQ(made->info().checksum_start, 146);
}

TEST(set_segments, and_fill_checksum_makes_one_long_packet) {
    packet_fixture all;
    const packet_ptr cut = all.make(16, 100, {50});
    const packet_ptr whole = all.make(16, 100, {50});
    ASSERT_TRUE(set_segments(*cut, 34, 60));
    ASSERT_TRUE(set_partial(*whole, 34, 16));
    EXPECT_TRUE(fill_checksum(*cut));
    EXPECT_TRUE(fill_checksum(*whole));
    EXPECT_EQ(bytes_of(*cut), bytes_of(*whole));
    EXPECT_EQ(cut->info().checksum_state, checksum_state::none);
    EXPECT_EQ(cut->info().segment_bytes(), 0);
}

// Whatever is done to two packets, one that is to be cut and one that is not: the same comes of it, and the
// size of the segments goes wherever the packet's partial checksum does.
TEST(per_segment, goes_through_every_operation_as_partial_does) {
    packet_fixture all({.packets = 64, .heads = {16, 16, 16}, .pages = 64});
    const packet_pool::owner_section entered = all.packets().enter();
    random_steps random;
    constexpr std::uint16_t segment = 1448;
    std::array<std::uint64_t, 11> done{};
    std::array<std::uint64_t, 11> refused{};
    const std::uint64_t rounds = random_steps::count(3'000, 300);
    for (std::uint64_t round = 0; round != rounds && !HasFailure(); ++round) {
        const std::uint32_t headroom = random.below(64), headlen = random.below(150),
                            start = random.below(100);
        const std::vector<std::uint32_t> lengths{30 + random.below(90), 1 + random.below(90)};
        std::array<packet_ptr, 2> both{all.make(headroom, headlen, lengths),
                                       all.make(headroom, headlen, lengths)};
        const bool can = set_partial(*both[0], start, 16);
        if (!set_segments(*both[1], start, segment)) // it wants all of a TCP header
            continue;
        ASSERT_TRUE(can);
        for (int step = 0; step != 8; ++step) {
            const auto what = random.below(static_cast<std::uint32_t>(done.size()));
            const std::uint32_t n = random.below(random.one_in(4) ? both[0]->size() + 1 : 40);
            std::array<bool, 2> did{};
            for (std::size_t i = 0; i != 2; ++i) {
                packet_ptr& each = both[i];
                switch (what) {
                case 0:
                    did[i] = each->pull(n) != nullptr;
                    break;
                case 1:
                    did[i] = each->push(std::vector<std::byte>(n)) != nullptr;
                    break;
                case 2:
                    did[i] = trim(*each, n);
                    break;
                case 3:
                    did[i] = each->expand_head(n, 0);
                    break;
                case 4:
                    did[i] = n <= each->data_len() && pull_tail(*each, n);
                    break;
                case 5:
                    did[i] = cow_head(*each, n);
                    break;
                case 6:
                case 7:
                case 8: {
                    packet_ptr twin = what == 6 ? each->clone() : what == 7 ? copy(*each) : pcopy(*each, n);
                    did[i] = static_cast<bool>(twin);
                    if (twin)
                        each = std::move(twin);
                    break;
                }
                case 9: {
                    const packet_ptr rest = all.packets().allocate(256);
                    did[i] = split(*each, n, *rest);
                    EXPECT_EQ(rest->info().is_partial(), false);
                    break;
                }
                default: {
                    packet_ptr other = all.packets().allocate(1);
                    const std::uint32_t before = each->size();
                    did[i] = shift(*other, *each, before) != 0 || try_coalesce(*other, each);
                    if (did[i])
                        each = std::move(other);
                    EXPECT_EQ(each->size(), before) << "what is partial is appended to nothing";
                    if (each->info().is_partial()) {
                        packet_ptr more = all.make(0, 3);
                        EXPECT_EQ(try_coalesce(*each, more), !each->head_shared());
                    }
                }
                }
            }
            ASSERT_EQ(did[0], did[1]) << what;
            (did[0] ? done : refused)[what] += 1;
            EXPECT_EQ(bytes_of(*both[0]), bytes_of(*both[1]));
            const packet_info& one = both[0]->info();
            const packet_info& other = both[1]->info();
            ASSERT_EQ(one.is_partial(), other.is_partial()) << what;
            EXPECT_EQ(one.checksum_start, other.checksum_start) << what;
            EXPECT_EQ(one.segment_bytes(), 0);
            EXPECT_EQ(other.segment_bytes(), one.is_partial() ? segment : 0) << what;
        }
    }
    for (std::size_t what = 0; what != done.size(); ++what)
        EXPECT_GT(what == 10 ? refused[what] : done[what], 0u) << what;
}

#if NORIA_CONTRACT == 2
TEST(checksum_death_test, a_range_or_field_outside) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50});
    EXPECT_DEATH(static_cast<void>(sum_of(*made, 100, 51)), "the pieces of a range lie in the packet");
    made->info().checksum_state = checksum_state::partial; // by hand, and wrong: it starts in the headroom
    EXPECT_DEATH(static_cast<void>(fill_checksum(*made)), "ask for it with set_partial");
}
#endif

} // namespace
