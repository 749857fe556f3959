// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/coalesce.hpp"

#include <gtest/gtest.h>

#include "support/packet_census.hpp"

namespace {

using namespace noria;

constexpr std::array<std::uint32_t, 5> all_home{};
constexpr std::uint32_t descriptor = sizeof(packet);

std::vector<std::byte> both_of(const packet& first, const packet& second) {
    std::vector<std::byte> bytes = bytes_of(first);
    const std::vector<std::byte> more = bytes_of(second);
    bytes.insert(bytes.end(), more.begin(), more.end());
    return bytes;
}

// Refused, with nothing changed on either side.
void expect_refused(packet& to, packet_ptr& from) {
    packet* const same = from.get();
    const packet_state before(to);
    const packet_state from_before(*from);
    EXPECT_FALSE(try_coalesce(to, from));
    EXPECT_EQ(from.get(), same);
    EXPECT_EQ(packet_state(to), before);
    EXPECT_EQ(packet_state(*from), from_before);
}

TEST(try_coalesce, copies_what_fits_into_tailroom_and_charges_nothing) {
    packet_fixture all;
    const packet_ptr to = all.make(16, 100);
    packet_ptr from = all.make(0, 60, {80});
    const std::vector<std::byte> bytes = both_of(*to, *from);
    std::byte* const where = to->data();
    ASSERT_TRUE(try_coalesce(*to, from)); // exactly the 140 bytes of room
    EXPECT_FALSE(from);
    EXPECT_EQ(bytes_of(*to), bytes);
    EXPECT_TRUE(to->is_linear());
    EXPECT_EQ(to->data(), where);
    EXPECT_EQ(to->truesize(), descriptor + 256);
    EXPECT_EQ(all.in_flight(), (std::array<std::uint32_t, 5>{1, 0, 0, 0, 1})) << "all of it went home";
    EXPECT_EQ(all.packets().dropped(drop_reason::not_specified), 0u) << "it was consumed, not dropped";
}

TEST(try_coalesce, steals_a_head_that_does_not_fit) {
    packet_fixture all;
    const packet_ptr to = all.make(16, 200, {50});
    packet_ptr from = all.make(20, 60, {80});
    const std::vector<std::byte> bytes = both_of(*to, *from);
    std::byte* const linear = from->data();
    const std::uint32_t charged = from->truesize();
    ASSERT_TRUE(try_coalesce(*to, from));
    EXPECT_FALSE(from);
    EXPECT_EQ(bytes_of(*to), bytes);
    ASSERT_EQ(to->fragments().size(), 3u);
    EXPECT_EQ(to->fragments()[1].data(), linear) << "no byte was copied";
    EXPECT_EQ(to->fragments()[1].length, 60u);
    EXPECT_EQ(to->fragments()[1].truesize, 256u) << "it pins the head";
    for (const fragment& part : to->fragments())
        EXPECT_EQ(part.under->references(), 1u);
    EXPECT_EQ(to->truesize(), descriptor + 256 + 1024 + charged - descriptor);
    EXPECT_EQ(all.in_flight(), (std::array<std::uint32_t, 5>{2, 0, 0, 2, 1}));
}

TEST(try_coalesce, takes_fragments_and_leaves_an_empty_head) {
    packet_fixture all;
    const packet_ptr to = all.make(0, 250);
    packet_ptr from = all.make(0, 0, {80, 90});
    const std::vector<std::byte> bytes = both_of(*to, *from);
    ASSERT_TRUE(try_coalesce(*to, from));
    EXPECT_EQ(bytes_of(*to), bytes);
    EXPECT_EQ(to->truesize(), descriptor + 256 + 2 * 1024) << "the head was not stolen, nor is it charged";
    EXPECT_EQ(all.in_flight(), (std::array<std::uint32_t, 5>{1, 0, 0, 2, 1}));
}

TEST(try_coalesce, coalesce_when_both_are_clones) {
    packet_fixture all;
    packet_ptr first = all.make(0, 250, {50});
    packet_ptr to = first->clone();
    packet_ptr second = all.make(0, 60, {80});
    packet_ptr from = second->clone();
    const std::vector<std::byte> bytes = both_of(*to, *from);
    expect_refused(*to, from); // somebody else sees the head of `to`
    first.free(drop_reason::consumed);
    expect_refused(*to, from); // and that of `from`, which would have to be stolen
    ASSERT_NE(from->pull(60), nullptr);
    ASSERT_TRUE(try_coalesce(*to, from)) << "without linear bytes a clone's fragments may go";
    ASSERT_EQ(to->fragments().size(), 2u);
    EXPECT_EQ(to->fragments()[1].under->references(), 2u) << "they are still the other's too";
    EXPECT_FALSE(second->head_shared());
    EXPECT_EQ(bytes_of(*second), std::vector<std::byte>(bytes.begin() + 300, bytes.end()));
    from = second->clone();
    second.free(drop_reason::consumed);
    ASSERT_TRUE(try_coalesce(*to, from)) << "the last of the clones has a head of its own";
    EXPECT_EQ(to->fragments()[2].length, 60u);
    EXPECT_EQ(to->fragments()[2].under->references(), 1u);
    to.free(drop_reason::consumed);
    EXPECT_EQ(all.in_flight(), all_home);
    std::vector<packet_ptr> twins; // no share was lost: there are as many as packets
    const packet_ptr again = all.make(0, 10);
    for (std::uint32_t i = 0; i != 15; ++i)
        twins.push_back(again->clone());
    EXPECT_TRUE(twins.back());
}

TEST(try_coalesce, copies_even_from_a_shared_head) {
    packet_fixture all;
    const packet_ptr to = all.make(0, 100);
    const packet_ptr original = all.make(0, 60);
    packet_ptr from = original->clone();
    const std::vector<std::byte> bytes = both_of(*to, *from);
    ASSERT_TRUE(try_coalesce(*to, from));
    EXPECT_EQ(bytes_of(*to), bytes);
    EXPECT_FALSE(original->head_shared());
}

TEST(try_coalesce, asks_for_room_for_fragments_before_anything_changes) {
    packet_fixture all({.pages = 40});
    const packet_ptr to = all.make(0, 250, std::vector<std::uint32_t>(15, 8));
    packet_ptr three = all.make(0, 0, {20, 20, 20});
    packet_ptr with_head = all.make(0, 20, {20, 20});
    packet_ptr two = all.make(0, 0, {20, 20});
    expect_refused(*to, three);
    expect_refused(*to, with_head);
    ASSERT_TRUE(try_coalesce(*to, two));
    EXPECT_EQ(to->fragments().size(), 17u);
    packet_ptr empty = all.make(0, 0);
    EXPECT_TRUE(try_coalesce(*to, empty)) << "nothing always fits";
    EXPECT_EQ(to->fragments().size(), 17u);
}

TEST(try_coalesce, needs_one_slot_for_the_head) {
    packet_fixture all({.pages = 40});
    const packet_ptr to = all.make(0, 250, std::vector<std::uint32_t>(15, 8));
    packet_ptr from = all.make(0, 20, {20});
    ASSERT_TRUE(try_coalesce(*to, from));
    EXPECT_EQ(to->fragments().size(), 17u);
    packet_ptr linear = all.make(0, 20);
    expect_refused(*to, linear);
}

TEST(try_coalesce, keeps_what_both_know_of_the_checksum) {
    for (const std::uint32_t size : {100u, 101u, 250u, 251u}) {
        const auto after = [size](checksum_state first, checksum_state second) {
            packet_fixture all;
            const packet_ptr to = all.make(0, size);
            packet_ptr from = all.make(0, 21, {40});
            for (packet* each : {to.get(), from.get()}) {
                set_complete(*each, sum_of(*each, 0, each->size()));
                if ((each == to.get() ? first : second) == checksum_state::partial) {
                    EXPECT_TRUE(set_partial(*each, 0, 10));
                }
                each->info().checksum_state = each == to.get() ? first : second;
            }
            to->info().checksum_level = 3;
            from->info().checksum_level = 1;
            EXPECT_TRUE(try_coalesce(*to, from));
            if (to->info().has_sum()) {
                EXPECT_EQ(to->info().sum(), sum_of(bytes_of(*to))) << size;
            }
            if (to->info().checksum_state == checksum_state::unnecessary) {
                EXPECT_EQ(to->info().checksum_level, 1u);
            }
            return to->info().checksum_state;
        };
        using enum checksum_state;
        EXPECT_EQ(after(complete, complete), complete);
        EXPECT_EQ(after(unnecessary, unnecessary), unnecessary);
        EXPECT_EQ(after(complete, unnecessary), none);
        EXPECT_EQ(after(unnecessary, complete), none);
        EXPECT_EQ(after(none, complete), none);
        EXPECT_EQ(after(unnecessary, none), none);
        EXPECT_EQ(after(partial, complete), partial);
    }
}

// Its field would never be filled in: the same rule as shift()'s.
TEST(try_coalesce, refuses_what_is_still_to_be_filled_in) {
    packet_fixture all;
    const packet_ptr empty = all.make(0, 0);
    const packet_ptr room = all.make(0, 100);
    const packet_ptr full = all.make(0, 256);
    for (packet* to : {empty.get(), room.get(), full.get()}) {
        packet_ptr from = all.make(0, 21, {40});
        ASSERT_TRUE(set_partial(*from, 10, 6));
        expect_refused(*to, from);
        ASSERT_TRUE(fill_checksum(*from));
        EXPECT_TRUE(try_coalesce(*to, from));
    }
}

TEST(try_coalesce, nothing_takes_nothing_from_what_is_known) {
    using enum checksum_state;
    for (const std::uint32_t headroom : {0u, 256u}) // without tailroom, linear bytes are stolen
        for (const checksum_state known : {none, unnecessary, complete})
            for (const checksum_state of_nothing : {none, unnecessary, complete}) {
                packet_fixture all;
                const packet_ptr empty = all.packets().allocate(0, headroom);
                packet_ptr full = all.make(0, 101, {40});
                set_complete(*full, sum_of(*full, 0, full->size()));
                full->info().checksum_state = known;
                full->info().checksum_level = 2;
                empty->info().checksum_state = of_nothing;
                const packet_info before = full->info();
                ASSERT_TRUE(try_coalesce(*empty, full));
                EXPECT_EQ(empty->info(), before) << "put behind nothing";
                packet_ptr nothing = all.make(0, 0);
                nothing->info().checksum_state = of_nothing;
                ASSERT_TRUE(try_coalesce(*empty, nothing));
                EXPECT_EQ(empty->info(), before) << "followed by nothing";
            }
}

// Packets swallow one another at random, clones among them; each has a vector of bytes for a model, and all
// pages are counted after every step.
TEST(try_coalesce, against_a_byte_vector) {
    packet_census world;
    random_steps& random = world.random;
    struct live {
        packet_ptr real;
        std::vector<std::byte> bytes;
    };
    std::vector<live> packets;
    enum outcome { copied, stolen, moved, to_shared, from_shared, too_many, outcomes };
    std::array<std::uint64_t, outcomes> seen{};
    const std::uint64_t steps = random_steps::count(20'000, 1'000);
    for (std::uint64_t step = 0; step != steps; ++step) {
        while (packets.size() < 6) {
            packet_ptr made = world.make();
            if (random.one_in(3)) {
                packet_ptr twin = made->clone();
                std::vector<std::byte> bytes = bytes_of(*twin);
                packets.push_back({std::move(twin), std::move(bytes)});
            }
            std::vector<std::byte> bytes = bytes_of(*made);
            packets.push_back({std::move(made), std::move(bytes)});
        }
        const std::uint32_t n = random.below(static_cast<std::uint32_t>(packets.size()));
        const std::uint32_t m = random.below(static_cast<std::uint32_t>(packets.size()));
        live& to = packets[n];
        live& from = packets[m];
        if (n == m) {
            packets.erase(packets.begin() + n);
            continue;
        }
        const std::uint32_t headlen = from.real->headlen();
        const std::size_t slots =
            to.real->fragments().size() + from.real->fragments().size() + (headlen != 0 ? 1 : 0);
        outcome expected = headlen != 0 ? stolen : moved;
        if (to.real->head_shared())
            expected = to_shared;
        else if (from.real->size() <= to.real->tailroom())
            expected = copied;
        else if (slots > packet::most_fragments)
            expected = too_many;
        else if (headlen != 0 && from.real->head_shared())
            expected = from_shared;
        ++seen[expected];
        const bool goes = expected == copied || expected == stolen || expected == moved;
        const packet_state before(*to.real);
        const packet_state from_before(*from.real);
        const std::uint32_t brings = from.real->truesize() - descriptor;
        const std::uint32_t head = brings - [&] {
            std::uint32_t sum = 0;
            for (const fragment& part : from.real->fragments())
                sum += part.truesize;
            return sum;
        }();
        const std::uint32_t charged = to.real->truesize();
        ASSERT_EQ(try_coalesce(*to.real, from.real), goes) << "step " << step;
        if (goes) {
            ASSERT_FALSE(from.real);
            ASSERT_EQ(to.real->truesize() - charged, expected == copied   ? 0
                                                     : expected == stolen ? brings
                                                                          : brings - head);
            to.bytes.insert(to.bytes.end(), from.bytes.begin(), from.bytes.end());
            packets.erase(packets.begin() + m);
        } else {
            ASSERT_EQ(packet_state(*to.real), before);
            ASSERT_EQ(packet_state(*from.real), from_before);
        }
        std::vector<const packet*> there;
        for (const live& each : packets) {
            ASSERT_EQ(bytes_of(*each.real), each.bytes) << "step " << step;
            there.push_back(each.real.get());
        }
        ASSERT_STREQ(world.wrong(there), nullptr) << "step " << step;
    }
    for (const std::uint64_t each : seen)
        EXPECT_GE(each, steps / 100) << "every outcome was seen";
    packets.clear();
    world.next_page();
    EXPECT_EQ(world.all.in_flight(), all_home);
    EXPECT_EQ(world.all.packets().dropped(drop_reason::no_memory), 0u);
}

#if NORIA_CONTRACT == 2
TEST(try_coalesce_death_test, a_packet_with_itself_or_with_none) {
    packet_fixture all;
    packet_ptr made = all.make(0, 10);
    EXPECT_DEATH(static_cast<void>(try_coalesce(*made, made)), "one packet to another");
    packet_ptr none;
    EXPECT_DEATH(static_cast<void>(try_coalesce(*made, none)), "this packet_ptr is empty");
}
#endif

} // namespace
