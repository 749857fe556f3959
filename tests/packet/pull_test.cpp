// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/pull.hpp"

#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "support/packet_fixture.hpp"

namespace {

using namespace noria;

constexpr std::array<std::uint32_t, 5> all_home{};
constexpr std::uint32_t descriptor = sizeof(packet);

TEST(pull_tail, uses_the_room_behind_tail_first) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50, 60});
    const std::vector<std::byte> bytes = bytes_of(*made);
    std::byte* const where = made->data();
    const pulled done = pull_tail(*made, 30);
    ASSERT_TRUE(done);
    EXPECT_EQ(done.data, where);
    EXPECT_FALSE(done.moved);
    EXPECT_EQ(made->headlen(), 130u);
    EXPECT_EQ(made->size(), 210u);
    ASSERT_EQ(made->fragments().size(), 2u) << "the first is partly eaten";
    EXPECT_EQ(made->fragments()[0].offset, 30u);
    EXPECT_EQ(made->fragments()[0].length, 20u);
    EXPECT_EQ(made->fragments()[0].truesize, 1024u) << "it pins what it pinned";
    EXPECT_EQ(bytes_of(*made), bytes);
}

TEST(regression, a_fragment_of_exactly_the_pulled_size) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50, 60});
    ASSERT_TRUE(pull_tail(*made, 50));
    ASSERT_EQ(made->fragments().size(), 1u);
    EXPECT_EQ(made->fragments()[0].offset, 0u);
    EXPECT_EQ(made->fragments()[0].length, 60u);
    EXPECT_EQ(all.pages().in_flight(), 1u) << "its page went home";
    EXPECT_EQ(made->truesize(), descriptor + 256 + 1024);
    ASSERT_TRUE(pull_tail(*made, 60));
    EXPECT_TRUE(made->is_linear());
    EXPECT_EQ(made->truesize(), descriptor + 256);
    EXPECT_EQ(all.pages().in_flight(), 0u);
}

TEST(pull_tail, takes_a_larger_head_with_room_for_the_next_small_pull) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 200, {100, 300});
    const std::vector<std::byte> bytes = bytes_of(*made);
    const std::uint32_t epoch = made->epoch();
    const pulled done = pull_tail(*made, 41); // one more than there is room for
    ASSERT_TRUE(done);
    EXPECT_TRUE(done.moved);
    EXPECT_NE(made->epoch(), epoch);
    EXPECT_EQ(done.data, made->data());
    EXPECT_EQ(made->headroom(), 16u);
    EXPECT_GE(made->room_behind_tail(), 128u);
    EXPECT_EQ(made->truesize(), descriptor + 512 + 2 * 1024);
    EXPECT_EQ(all.pools()[0].in_flight(), 0u) << "the old head went home";
    EXPECT_EQ(bytes_of(*made), bytes);
    const pulled next = pull_tail(*made, 128);
    EXPECT_FALSE(next.moved);
}

TEST(regression, clone_then_pull_tail) {
    packet_fixture all;
    const packet_ptr original = all.make(16, 100, {50, 60});
    const packet_ptr twin = original->clone();
    packet_state before(*original);
    const std::vector<std::byte> bytes = bytes_of(*twin);
    const pulled done = pull_tail(*twin, 50); // there is room, but it is not the clone's to write
    ASSERT_TRUE(done);
    EXPECT_TRUE(done.moved);
    EXPECT_NE(twin->data(), original->data());
    EXPECT_EQ(bytes_of(*twin), bytes);
    const packet_state after(*original);
    EXPECT_EQ(after.bytes, before.bytes);
    EXPECT_EQ(after.data, before.data);
    EXPECT_EQ(original->epoch(), before.numbers[7]);
    EXPECT_FALSE(original->head_shared());
    EXPECT_FALSE(twin->head_shared());
    std::memset(twin->data(), 0, twin->headlen());
    EXPECT_EQ(bytes_of(*original), before.bytes) << "from here on each has its own";
}

TEST(pull_tail, of_nothing_does_nothing_even_when_the_head_is_shared) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50});
    const packet_ptr twin = made->clone();
    const packet_state before(*made);
    const pulled done = pull_tail(*made, 0);
    EXPECT_EQ(done.data, made->data());
    EXPECT_FALSE(done.moved);
    EXPECT_EQ(packet_state(*made), before);
}

TEST(may_pull, distinguishes_too_short_from_no_memory) {
    packet_fixture all;
    const packet_ptr made = all.make(0, 200, {300});
    EXPECT_EQ(may_pull(*made, 0), pull_status::ok);
    EXPECT_EQ(may_pull(*made, 200), pull_status::ok);
    EXPECT_EQ(made->headlen(), 200u);
    EXPECT_EQ(may_pull(*made, 501), pull_status::packet_too_small);
    EXPECT_EQ(may_pull(*made, ~0u), pull_status::packet_too_small);
    {
        const shortage none[] = {{all.pools()[0], 0}, {all.pools()[1], 0}, {all.pools()[2], 0}};
        const packet_state before(*made);
        EXPECT_EQ(may_pull(*made, 500), pull_status::no_memory);
        EXPECT_EQ(may_pull(*made, 501), pull_status::packet_too_small);
        EXPECT_EQ(packet_state(*made), before);
        EXPECT_EQ(may_pull(*made, 256), pull_status::ok) << "that much room the head has";
    }
    EXPECT_EQ(may_pull(*made, 500), pull_status::ok);
    EXPECT_TRUE(made->is_linear());
}

TEST(linearize, of_what_is_linear_does_nothing_even_when_it_is_shared) {
    packet_fixture all;
    const packet_ptr made = all.make(0, 100);
    const packet_ptr twin = made->clone();
    const packet_state before(*made);
    EXPECT_TRUE(linearize(*made));
    EXPECT_EQ(packet_state(*made), before);
}

TEST(condense, sends_pages_home_when_the_head_has_room) {
    packet_fixture all;
    const packet_ptr fits = all.make(16, 100, {70, 70});
    condense(*fits);
    EXPECT_TRUE(fits->is_linear());
    EXPECT_EQ(fits->headlen(), 240u);
    EXPECT_EQ(fits->truesize(), descriptor + 256);
    EXPECT_EQ(all.pages().in_flight(), 0u);
}

TEST(condense, does_nothing_when_room_is_short_or_the_head_is_shared) {
    packet_fixture all;
    const packet_ptr too_long = all.make(16, 100, {71, 70});
    const packet_state before(*too_long);
    condense(*too_long);
    EXPECT_EQ(packet_state(*too_long), before);
    const packet_ptr shared = all.make(16, 100, {70});
    const packet_ptr twin = shared->clone();
    const packet_state before_sharing(*shared);
    condense(*shared);
    EXPECT_EQ(packet_state(*shared), before_sharing);
}

TEST(regression, trim_the_tail_then_push) {
    packet_fixture all;
    const packet_ptr made = all.make(12, 100);
    ASSERT_TRUE(trim(*made, 40));
    EXPECT_EQ(made->headroom(), 12u);
    EXPECT_EQ(made->push(40), nullptr) << "what was cut off the end is no room in front";
    EXPECT_EQ(made->push(13), nullptr);
    std::byte* const front = made->push(12);
    EXPECT_EQ(front, made->data());
    EXPECT_EQ(made->size(), 52u);
    EXPECT_EQ(made->tailroom(), 256u - 52);
}

TEST(trim, does_not_let_a_short_rest_pin_a_page) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {500, 500});
    ASSERT_TRUE(trim(*made, 2000));
    ASSERT_TRUE(trim(*made, 1100));
    EXPECT_EQ(made->size(), 1100u) << "no-ops so far";
    ASSERT_TRUE(trim(*made, 164));
    EXPECT_EQ(made->size(), 164u);
    EXPECT_TRUE(made->is_linear());
    EXPECT_EQ(all.pages().in_flight(), 0u);
    EXPECT_EQ(made->truesize(), descriptor + 256);
}

TEST(trim, of_a_clone_writes_nothing) {
    packet_fixture all;
    const packet_ptr original = all.make(16, 100, {100, 100});
    const packet_ptr twin = original->clone();
    const std::vector<std::byte> bytes = bytes_of(*original);
    ASSERT_TRUE(trim(*twin, 110));
    EXPECT_EQ(bytes_of(*original), bytes);
    EXPECT_EQ(twin->size(), 110u);
    EXPECT_EQ(twin->fragments().size(), 1u);
    ASSERT_TRUE(trim(*twin, 50));
    EXPECT_EQ(twin->headlen(), 50u);
    EXPECT_EQ(twin->put(1), nullptr) << "what it cut off is still the original's";
    EXPECT_EQ(bytes_of(*original), bytes);
}

// What a small packet is charged for is the page that nobody else can have meanwhile.
TEST(regression, a_64_byte_packet_that_pins_a_page) {
    packet_fixture all;
    const packet_ptr attached = all.make(16, 0, {64});
    EXPECT_EQ(attached->size(), 64u);
    EXPECT_EQ(attached->truesize(), descriptor + 256 + 1024);
    ASSERT_TRUE(trim(*attached, 64));
    EXPECT_EQ(all.pages().in_flight(), 1u) << "nothing was cut, so nothing was gathered";
    condense(*attached);
    EXPECT_EQ(attached->truesize(), descriptor + 256);
    EXPECT_EQ(all.pages().in_flight(), 0u);

    page* const under = all.pages().allocate();
    const packet_ptr around =
        all.packets().build_around(*under, {.headroom = 64, .bytes = 64, .room = 896, .held = 1024});
    EXPECT_EQ(around->truesize(), descriptor + 1024);
    ASSERT_TRUE(trim(*around, 1));
    EXPECT_TRUE(linearize(*around));
    EXPECT_EQ(around->truesize(), descriptor + 1024) << "one byte pins it as well";
    EXPECT_EQ(all.pages().in_flight(), 1u);
    ASSERT_TRUE(around->expand_head(0, 0)) << "here the head is as large as the page";
    EXPECT_EQ(all.pages().in_flight(), 0u);
}

TEST(cow_head, does_nothing_to_a_head_that_will_do) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50});
    const packet_state before(*made);
    EXPECT_TRUE(cow_head(*made, 0));
    EXPECT_TRUE(cow_head(*made, 16));
    EXPECT_EQ(packet_state(*made), before);
}

TEST(cow_head, grows_the_headroom_by_64s) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50});
    made->set_network_header(14);
    const std::vector<std::byte> bytes = bytes_of(*made);
    ASSERT_TRUE(cow_head(*made, 17));
    EXPECT_EQ(made->headroom(), 16u + 64);
    ASSERT_TRUE(cow_head(*made, 16 + 64 + 64));
    EXPECT_EQ(made->headroom(), 16u + 64 + 64);
    EXPECT_EQ(made->network_header(), made->data() + 14);
    EXPECT_EQ(bytes_of(*made), bytes);
    EXPECT_NE(made->push(144), nullptr);
}

TEST(cow_head, takes_a_clone_a_head_of_its_own) {
    packet_fixture all;
    const packet_ptr original = all.make(16, 100, {50});
    const packet_ptr twin = original->clone();
    const std::vector<std::byte> bytes = bytes_of(*original);
    ASSERT_TRUE(cow_head(*twin, 16));
    EXPECT_EQ(twin->headroom(), 16u) << "room there was enough";
    EXPECT_FALSE(twin->head_shared());
    EXPECT_EQ(bytes_of(*twin), bytes);
    std::memset(twin->data(), 0, 100);
    EXPECT_EQ(bytes_of(*original), bytes);
    EXPECT_EQ(original->fragments()[0].under->references(), 2u) << "fragments stay shared";
}

TEST(cow_head, refuses_what_no_head_has) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100);
    const packet_state before(*made);
    for (const std::uint32_t headroom : {3000u, 70'000u, ~0u - 64, ~0u})
        EXPECT_FALSE(cow_head(*made, headroom)) << headroom;
    EXPECT_EQ(packet_state(*made), before);
}

// Each operation that needs a head, with k heads left of each size, k = 0, 1, ...; alone and with a clone
// beside it.
struct needs_a_head {
    std::string name;
    std::function<bool(packet&)> run;
};
void PrintTo(const needs_a_head& operation, std::ostream* to) {
    *to << operation.name;
}
class operation_without_memory : public testing::TestWithParam<needs_a_head> {};

TEST_P(operation_without_memory, leaves_everything_as_it_was) {
    for (const bool cloned : {false, true}) {
        packet_fixture all;
        int failures = 0;
        bool done = false;
        for (std::uint32_t left = 0; !done; ++left) {
            ASSERT_LE(left, 2u) << "one head is all that it needs";
            const packet_ptr made = all.make(20, 200, {300, 200, 400});
            made->set_mac_header(0);
            made->set_network_header(14);
            made->set_transport_header(34);
            const packet_ptr twin = cloned ? made->clone() : packet_ptr();
            const shortage few[] = {{all.pools()[0], left}, {all.pools()[1], left}, {all.pools()[2], left}};
            const packet_state before(*made);
            const auto out = all.in_flight();
            done = GetParam().run(*made);
            if (!done) {
                ++failures;
                EXPECT_EQ(packet_state(*made), before);
                EXPECT_EQ(all.in_flight(), out);
            }
            EXPECT_EQ(bytes_of(*made), before.bytes);
            if (twin) {
                EXPECT_EQ(bytes_of(*twin), before.bytes);
            }
        }
        EXPECT_EQ(failures, 1);
        EXPECT_EQ(all.in_flight(), all_home);
    }
}

INSTANTIATE_TEST_SUITE_P(
    one_after_the_other, operation_without_memory,
    testing::Values(
        needs_a_head{"pull_tail", [](packet& made) { return static_cast<bool>(pull_tail(made, 100)); }},
        needs_a_head{"pull_a_fragment", [](packet& made) { return static_cast<bool>(pull_tail(made, 300)); }},
        needs_a_head{"may_pull", [](packet& made) { return may_pull(made, 600) == pull_status::ok; }},
        needs_a_head{"linearize", [](packet& made) { return linearize(made); }},
        needs_a_head{"cow_head", [](packet& made) { return cow_head(made, 21); }},
        needs_a_head{"expand_head", [](packet& made) { return made.expand_head(64, 0); }},
        needs_a_head{"expand_at_the_end", [](packet& made) { return made.expand_head(0, 300); }}),
    [](const auto& tested) { return tested.param.name; });

#if NORIA_CONTRACT == 2
TEST(pull_tail_death_test, more_than_there_is) {
    packet_fixture all;
    const packet_ptr made = all.make(0, 10, {20});
    EXPECT_DEATH(static_cast<void>(pull_tail(*made, 21)), "may_pull checks that");
}
#endif

} // namespace
