// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/split.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "support/packet_census.hpp"

namespace {

using namespace noria;

constexpr std::array<std::uint32_t, 5> all_home{};
constexpr std::uint32_t descriptor = sizeof(packet);

std::vector<std::byte> part_of(const std::vector<std::byte>& bytes, std::uint32_t from, std::uint32_t to) {
    return {bytes.begin() + from, bytes.begin() + to};
}

TEST(split, in_the_head_copies_its_end_and_moves_every_fragment) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50, 60});
    const packet_ptr rest = all.packets().allocate(60, 8);
    const std::vector<std::byte> bytes = bytes_of(*made);
    std::byte* const where = made->data();
    ASSERT_TRUE(split(*made, 40, *rest));
    EXPECT_EQ(bytes_of(*made), part_of(bytes, 0, 40));
    EXPECT_EQ(bytes_of(*rest), part_of(bytes, 40, 210));
    EXPECT_TRUE(made->is_linear());
    EXPECT_EQ(made->data(), where);
    EXPECT_EQ(made->tailroom(), 256u - 16 - 40) << "what went is room again";
    EXPECT_EQ(rest->headlen(), 60u);
    EXPECT_EQ(rest->headroom(), 8u);
    EXPECT_EQ(made->truesize(), descriptor + 256);
    EXPECT_EQ(rest->truesize(), descriptor + 256 + 2 * 1024);
    for (const fragment& part : rest->fragments())
        EXPECT_EQ(part.under->references(), 1u) << "moved, not shared";
}

TEST(split, split_inside_a_fragment_shares_its_page) {
    packet_fixture all;
    packet_ptr made = all.make(16, 100, {50, 60});
    const packet_ptr rest = all.packets().allocate(0);
    const std::vector<std::byte> bytes = bytes_of(*made);
    ASSERT_TRUE(split(*made, 120, *rest));
    EXPECT_EQ(bytes_of(*made), part_of(bytes, 0, 120));
    EXPECT_EQ(bytes_of(*rest), part_of(bytes, 120, 210));
    ASSERT_EQ(made->fragments().size(), 1u);
    ASSERT_EQ(rest->fragments().size(), 2u);
    EXPECT_EQ(made->fragments()[0].under, rest->fragments()[0].under);
    EXPECT_EQ(rest->fragments()[0].offset, 20u);
    EXPECT_EQ(made->fragments()[0].under->references(), 2u);
    EXPECT_EQ(made->truesize(), descriptor + 256 + 1024) << "both pin the page, both are charged for it";
    EXPECT_EQ(rest->truesize(), descriptor + 256 + 2 * 1024);
    made.free(drop_reason::consumed);
    EXPECT_EQ(rest->fragments()[0].under->references(), 1u);
    EXPECT_EQ(bytes_of(*rest), part_of(bytes, 120, 210)) << "the page outlives the one who brought it";
}

TEST(split, between_two_fragments_shares_none) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50, 60});
    const packet_ptr rest = all.packets().allocate(0);
    ASSERT_TRUE(split(*made, 150, *rest));
    ASSERT_EQ(made->fragments().size(), 1u);
    ASSERT_EQ(rest->fragments().size(), 1u);
    EXPECT_EQ(made->fragments()[0].under->references(), 1u);
    EXPECT_EQ(rest->fragments()[0].under->references(), 1u);
}

TEST(split, of_a_clone_leaves_the_original_whole) {
    packet_fixture all;
    const packet_ptr original = all.make(16, 100, {50});
    const packet_ptr twin = original->clone();
    const packet_ptr rest = all.packets().allocate(100);
    const std::vector<std::byte> bytes = bytes_of(*original);
    ASSERT_TRUE(split(*twin, 30, *rest));
    EXPECT_EQ(bytes_of(*original), bytes);
    EXPECT_EQ(bytes_of(*rest), part_of(bytes, 30, 150));
    EXPECT_EQ(original->fragments()[0].under->references(), 2u);
}

TEST(split, refused_changes_nothing) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50});
    const auto refuses = [&](packet& from, std::uint32_t at, packet& rest) {
        const packet_state before(from);
        const packet_state rest_before(rest);
        EXPECT_FALSE(split(from, at, rest));
        EXPECT_EQ(packet_state(from), before);
        EXPECT_EQ(packet_state(rest), rest_before);
    };
    const packet_ptr rest = all.packets().allocate(200);
    refuses(*made, 151, *rest);
    refuses(*made, ~0u, *rest);
    ASSERT_TRUE(rest->reserve(rest->tailroom() - 59));
    refuses(*made, 40, *rest); // 60 linear bytes would go
    {
        const packet_ptr twin = rest->clone();
        refuses(*made, 70, *rest); // its head is not its own to write
        EXPECT_TRUE(split(*made, 100, *rest)) << "without linear bytes nothing is written";
    }
    refuses(*made, 50, *rest); // which has bytes by now
    const packet_ptr empty = all.packets().allocate(200);
    ASSERT_TRUE(set_partial(*made, 20, 16));
    refuses(*made, 37, *empty); // the field is at 36 and 37
    EXPECT_TRUE(split(*made, 38, *empty));
    EXPECT_EQ(made->info().checksum_state, checksum_state::partial);
    EXPECT_EQ(empty->info().checksum_state, checksum_state::none);
}

TEST(split, takes_the_sum_apart_at_even_and_at_odd_offsets) {
    for (std::uint32_t at = 0; at <= 210; ++at) {
        packet_fixture all;
        const packet_ptr made = all.make(16, 101, {50, 59});
        set_complete(*made, sum_of(*made, 0, made->size()));
        const packet_ptr rest = all.packets().allocate(101);
        ASSERT_TRUE(split(*made, at, *rest));
        ASSERT_TRUE(made->info().has_sum() && rest->info().has_sum());
        EXPECT_EQ(made->info().sum(), sum_of(bytes_of(*made))) << at;
        EXPECT_EQ(rest->info().sum(), sum_of(bytes_of(*rest))) << at;
    }
}

TEST(split, keeps_unnecessary_for_both) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100);
    made->info().checksum_state = checksum_state::unnecessary;
    made->info().checksum_level = 2;
    const packet_ptr rest = all.packets().allocate(100);
    ASSERT_TRUE(split(*made, 50, *rest));
    EXPECT_EQ(made->info().checksum_state, checksum_state::unnecessary);
    EXPECT_EQ(rest->info().checksum_state, checksum_state::unnecessary);
    EXPECT_EQ(rest->info().checksum_level, 2u);
}

TEST(shift, shift_refuses_a_linear_source) {
    packet_fixture all;
    const packet_ptr to = all.make(0, 10, {50});
    const packet_ptr from = all.make(0, 1, {50});
    const packet_state before(*to);
    const packet_state from_before(*from);
    EXPECT_EQ(shift(*to, *from, 20), 0u);
    EXPECT_EQ(packet_state(*to), before);
    EXPECT_EQ(packet_state(*from), from_before);
    ASSERT_NE(from->pull(1), nullptr);
    EXPECT_EQ(shift(*to, *from, 20), 20u) << "the one linear byte was all that stood in the way";
}

TEST(shift, joins_what_was_split) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50, 60});
    const packet_ptr rest = all.packets().allocate(0);
    const std::vector<std::byte> bytes = bytes_of(*made);
    const packet_state before(*made);
    for (const std::uint32_t at : {100u, 101u, 149u, 150u, 151u, 209u, 210u}) {
        ASSERT_TRUE(split(*made, at, *rest));
        EXPECT_EQ(shift(*made, *rest, ~0u), 210 - at);
        EXPECT_EQ(packet_state(*made), before) << "references and truesize too, cut at " << at;
        EXPECT_EQ(rest->truesize(), descriptor + 256);
    }
    ASSERT_TRUE(split(*made, 110, *rest));
    EXPECT_EQ(shift(*made, *rest, 20), 20u);
    ASSERT_EQ(made->fragments().size(), 1u);
    EXPECT_EQ(made->fragments()[0].length, 30u);
    EXPECT_EQ(made->fragments()[0].truesize, 1024u) << "one page, however many pieces of it";
    EXPECT_EQ(made->fragments()[0].under->references(), 2u);
    EXPECT_EQ(bytes_of(*made), part_of(bytes, 0, 130));
    EXPECT_EQ(bytes_of(*rest), part_of(bytes, 130, 210));
}

TEST(shift, plans_before_it_moves) {
    packet_fixture all({.pages = 32});
    const packet_ptr to = all.make(0, 10, std::vector<std::uint32_t>(16, 8));
    const packet_ptr from = all.make(0, 0, {30, 30});
    const packet_state before(*to);
    const packet_state from_before(*from);
    EXPECT_EQ(shift(*to, *from, 31), 0u) << "two fragments, room for one";
    EXPECT_EQ(packet_state(*to), before);
    EXPECT_EQ(packet_state(*from), from_before);
    EXPECT_EQ(shift(*to, *from, 29), 29u);
    EXPECT_EQ(shift(*to, *from, 1), 1u) << "the array is full, but this one joins";
    EXPECT_EQ(to->fragments().size(), 17u);
    EXPECT_EQ(to->fragments()[16].length, 30u);
    EXPECT_EQ(to->fragments()[16].under->references(), 1u) << "the reference of the joined one went back";
    EXPECT_EQ(shift(*to, *from, 1), 0u);
    EXPECT_EQ(shift(*to, *from, 0), 0u);
}

TEST(shift, moves_as_many_fragments_as_there_can_be) {
    packet_fixture all({.pages = 32});
    const packet_ptr to = all.make(0, 10);
    const packet_ptr from = all.make(0, 0, std::vector<std::uint32_t>(17, 8));
    EXPECT_EQ(shift(*to, *from, 17 * 8), 17u * 8);
    EXPECT_EQ(from->size(), 0u);
    EXPECT_TRUE(from->is_linear());
    EXPECT_EQ(shift(*to, *from, 1), 0u) << "nothing is left";
}

TEST(shift, leaves_a_source_alone_whose_checksum_is_still_to_be_filled_in) {
    packet_fixture all;
    const packet_ptr to = all.make(0, 10);
    const packet_ptr from = all.make(0, 0, {60});
    ASSERT_TRUE(set_partial(*from, 0, 16));
    EXPECT_EQ(shift(*to, *from, 20), 0u);
    EXPECT_EQ(from->size(), 60u);
    ASSERT_TRUE(set_partial(*to, 0, 4));
    from->info().checksum_state = checksum_state::none;
    EXPECT_EQ(shift(*to, *from, 20), 20u);
    EXPECT_EQ(to->info().checksum_state, checksum_state::partial);
}

// Packets are cut and put together at random; each has a vector of bytes for a model, and all pages are
// counted after every step.
TEST(split, and_shift_against_a_byte_vector) {
    packet_census world;
    random_steps& random = world.random;
    struct live {
        packet_ptr real;
        std::vector<std::byte> bytes;
    };
    std::vector<live> packets;
    std::array<std::uint64_t, 4> done{}; // splits, refused ones, shifts, refused ones
    const std::uint64_t steps = random_steps::count(20'000, 1'000);
    for (std::uint64_t step = 0; step != steps; ++step) {
        if (packets.size() < 2 || (packets.size() < 8 && random.one_in(3))) {
            packet_ptr made = world.make();
            std::vector<std::byte> bytes = bytes_of(*made);
            packets.push_back({std::move(made), std::move(bytes)});
        }
        live& one = random.pick(packets);
        live& other = random.pick(packets);
        if (random.one_in(4)) {
            packet_ptr twin = one.real->clone();
            if (packets.size() < 8)
                packets.push_back({std::move(twin), std::vector<std::byte>(one.bytes)});
        } else if (random.one_in(2)) {
            const std::uint32_t size = one.real->size();
            const std::uint32_t at = random.below(size + 2);
            packet_ptr rest = world.all.packets().allocate(random.below(300), random.below(40));
            const std::uint32_t linear = at < one.real->headlen() ? one.real->headlen() - at : 0;
            const bool fits = at <= size && linear <= rest->tailroom();
            const packet_state before(*one.real);
            ASSERT_EQ(split(*one.real, at, *rest), fits);
            ++done[fits ? 0 : 1];
            if (fits) {
                ASSERT_EQ(bytes_of(*rest), part_of(one.bytes, at, size));
                one.bytes.resize(at);
                std::vector<std::byte> bytes = bytes_of(*rest);
                if (packets.size() < 8)
                    packets.push_back({std::move(rest), std::move(bytes)});
            } else {
                ASSERT_EQ(packet_state(*one.real), before);
            }
        } else if (&one != &other) {
            if (random.one_in(2))
                static_cast<void>(other.real->pull(other.real->headlen()));
            other.bytes = bytes_of(*other.real);
            const std::uint32_t n = random.below(other.real->size() + 3);
            const std::uint32_t moved = std::min(n, other.real->size());
            std::vector<fragment> joined(one.real->fragments().begin(), one.real->fragments().end());
            std::uint32_t left = moved;
            for (fragment part : other.real->fragments()) {
                part.length = std::min(left, part.length);
                left -= part.length;
                if (part.length != 0 && !joined.empty() && joined.back().is_followed_by(part))
                    joined.back().length += part.length;
                else if (part.length != 0)
                    joined.push_back(part);
            }
            const bool fits = other.real->headlen() == 0 && joined.size() <= packet::most_fragments;
            const packet_state before(*one.real);
            const packet_state other_before(*other.real);
            ASSERT_EQ(shift(*one.real, *other.real, n), fits ? moved : 0);
            ++done[fits && moved != 0 ? 2 : 3];
            if (fits && moved != 0) {
                one.bytes.insert(one.bytes.end(), other.bytes.begin(), other.bytes.begin() + moved);
                other.bytes.erase(other.bytes.begin(), other.bytes.begin() + moved);
                ASSERT_EQ(one.real->fragments().size(), joined.size());
            } else {
                ASSERT_EQ(packet_state(*one.real), before);
                ASSERT_EQ(packet_state(*other.real), other_before);
            }
        }
        if (packets.size() > 6 && random.one_in(2))
            packets.erase(packets.begin() + random.below(static_cast<std::uint32_t>(packets.size())));
        std::vector<const packet*> there;
        for (const live& each : packets) {
            ASSERT_EQ(bytes_of(*each.real), each.bytes) << "step " << step;
            there.push_back(each.real.get());
        }
        ASSERT_STREQ(world.wrong(there), nullptr) << "step " << step;
    }
    for (const std::uint64_t each : done)
        EXPECT_GE(each, steps / 50) << "every outcome was seen";
    packets.clear();
    world.next_page();
    EXPECT_EQ(world.all.in_flight(), all_home);
}

// A stride of 512 bytes, cut in two: each piece alone keeps all of it, so each is charged for all of it.
// Joined again they are charged twice, since nothing says that they were one; but for no more than the page.
TEST(split, charges_both_for_what_is_cut_through) {
    packet_fixture all;
    for (const std::uint32_t pinned : {512u, 1024u}) {
        const packet_ptr whole = all.make(0, 0);
        ASSERT_EQ(whole->add_fragment({all.pages().allocate(), 0, 400, pinned}), packet::attached::taken);
        const packet_ptr rest = all.make(0, 0);
        const std::uint32_t before = whole->truesize();
        const std::uint32_t of_nothing = rest->truesize();
        ASSERT_TRUE(split(*whole, 100, *rest));
        EXPECT_EQ(whole->truesize(), before);
        EXPECT_EQ(rest->truesize(), of_nothing + pinned) << "though it has 300 bytes";
        ASSERT_EQ(shift(*whole, *rest, 300), 300u);
        ASSERT_EQ(whole->fragments().size(), 1u);
        EXPECT_EQ(whole->fragments()[0].truesize, 1024u);
        EXPECT_EQ(rest->truesize(), of_nothing);
    }
}

#if NORIA_CONTRACT == 2
TEST(shift_death_test, from_a_packet_to_itself) {
    packet_fixture all;
    const packet_ptr made = all.make(0, 0, {20});
    EXPECT_DEATH(static_cast<void>(shift(*made, *made, 1)), "between two packets");
}
#endif

} // namespace
