// SPDX-License-Identifier: BSL-1.0
#include "noria/queue/slot_table.hpp"

#include <map>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "support/devices.hpp"
#include "support/random.hpp"

namespace {

using namespace noria;

// What a slot remembers may be anything with a default.
struct memory {
    std::uint32_t posts = 0;
};
using table = slot_table<memory>;
using device_type = scripted_device<buffer_model::per_packet>;

// The low bits of an id.
constexpr std::uint32_t number_of(std::uint32_t id) {
    return id % table::most_slots;
}

static_assert(std::is_nothrow_move_constructible_v<table> && !std::is_copy_constructible_v<table>);

TEST(slot_table, has_1_to_65536_slots) {
    EXPECT_FALSE(table::create(0));
    EXPECT_FALSE(table::create(65537));
    for (const std::uint32_t slots : {1u, 2u, 3u, 4u, 65536u}) {
        auto made = table::create(slots);
        ASSERT_TRUE(made);
        EXPECT_EQ(made->size(), slots);
        EXPECT_EQ(made->waiting(), slots) << "at first all are to be posted";
    }
}

TEST(slot_table, posts_in_batches_with_one_doorbell_each) {
    for (const auto& [slots, batch] : std::map<std::uint32_t, std::uint32_t>{
             {1, 1}, {3, 1}, {4, 1}, {8, 2}, {63, 15}, {64, 16}, {1024, 16}}) {
        auto made = table::create(slots);
        ASSERT_TRUE(made);
        device_type device;
        made->post(device, [](memory&, buffer_post&) noexcept { return true; });
        EXPECT_EQ(device.posted.size(), slots / batch * batch);
        EXPECT_EQ(made->waiting(), slots % batch) << "less than a batch waits for more";
        EXPECT_EQ(device.doorbells, slots / batch);
        EXPECT_EQ(device.posted[0].id, 0u) << "in order, so that a reader can follow";
    }
}

TEST(slot_table, rings_no_doorbell_for_nothing) {
    auto made = table::create(64);
    ASSERT_TRUE(made);
    device_type device;
    made->post(device, [](memory&, buffer_post&) noexcept { return false; });
    EXPECT_EQ(device.doorbells, 0u);
    EXPECT_EQ(made->waiting(), 64u);
}

// Slots that have their memory are posted past those that have none, in any order the two may lie in.
TEST(slot_table, a_hole_keeps_no_other_slot_back) {
    random_steps random;
    for (std::uint64_t round = random_steps::count(300, 30); round-- != 0;) {
        const std::uint32_t slots = 1 + random.below(80);
        auto made = table::create(slots);
        ASSERT_TRUE(made);
        std::set<const memory*> holes;
        for (std::uint32_t number = 0; number != slots; ++number)
            if (random.one_in(3))
                holes.insert(&made->buffer(number));
        device_type device;
        const auto prepare = [&](memory& of, buffer_post&) noexcept {
            ++of.posts;
            return !holes.contains(&of);
        };
        std::uint32_t last = slots + 1;
        bool full = true;
        while (made->waiting() != last) {
            last = made->waiting();
            full = made->post(device, prepare);
        }
        const std::uint32_t batch = slots / 4 == 0 ? 1 : slots / 4 < 16 ? slots / 4 : 16;
        EXPECT_LT(made->waiting(), holes.size() + batch);
        EXPECT_GE(made->waiting(), holes.size());
        if (made->waiting() >= batch) {
            EXPECT_EQ(made->waiting(), holes.size()) << "more than a batch waits: all that can be is posted";
            EXPECT_FALSE(full);
        } else {
            EXPECT_EQ(full, true) << "less than a batch is not asked for";
        }
        for (const buffer_post& each : device.posted)
            EXPECT_FALSE(holes.contains(&made->buffer(number_of(each.id))));
        holes.clear(); // the memory is back
        while (made->waiting() >= batch)
            EXPECT_TRUE(made->post(device, prepare));
        std::set<std::uint32_t> ids;
        for (const buffer_post& each : device.posted)
            EXPECT_TRUE(ids.insert(each.id).second) << "posted twice";
        EXPECT_EQ(ids.size(), slots - made->waiting());
    }
}

TEST(slot_table, posts_no_more_than_it_is_told) {
    auto made = table::create(64);
    ASSERT_TRUE(made);
    device_type device;
    const auto prepare = [](memory&, buffer_post&) noexcept { return true; };
    EXPECT_FALSE(made->post(device, prepare, 0));
    EXPECT_EQ(device.doorbells, 0u);
    EXPECT_FALSE(made->post(device, prepare, 37));
    EXPECT_EQ(device.posted.size(), 37u);
    EXPECT_TRUE(made->post(device, prepare));
    EXPECT_EQ(device.posted.size(), 53u) << "less than a batch is left";
}

TEST(slot_table, puts_a_packet_by_for_each_buffer_that_the_device_has) {
    auto made = table::create(8);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->room_under({}), ~0u) << "packets do not matter";
    EXPECT_EQ(made->room_under({.packets = 5}), 5u);
    device_type device;
    made->post(device, [](memory&, buffer_post&) noexcept { return true; }, 4);
    EXPECT_EQ(made->room_under({.packets = 5}), 1u);
    EXPECT_EQ(made->room_under({.packets = 4}), 0u);
    EXPECT_EQ(made->room_under({.packets = 1}), 0u) << "the sum does not wrap";
    frame gathered;
    for (std::size_t i = 0; i != 2; ++i) {
        ASSERT_NE(made->complete(device.posted[i].id), nullptr);
        ASSERT_TRUE(gathered.add({}));
        EXPECT_EQ(made->room_under({.gathered = &gathered, .packets = 5}), i + 1)
            << "the frame wants one packet, however many buffers it has";
    }
}

TEST(slot_table, an_id_is_good_once_and_not_the_next_time) {
    auto made = table::create(1);
    ASSERT_TRUE(made);
    device_type device;
    std::set<std::uint32_t> ids;
    for (int i = 0; i != 1000; ++i) {
        made->post(device, [](memory& slot, buffer_post&) noexcept { return ++slot.posts != 0; });
        const std::uint32_t id = device.posted.back().id;
        EXPECT_TRUE(ids.insert(id).second) << "an id came back too soon";
        EXPECT_EQ(number_of(id), 0u);
        ASSERT_NE(made->complete(id), nullptr);
        EXPECT_EQ(made->complete(id), nullptr) << "completed twice";
        for (const std::uint32_t other : {id - table::most_slots, id + table::most_slots, id + 1, ~0u})
            EXPECT_EQ(made->complete(other), nullptr);
        made->wait(0);
        EXPECT_EQ(made->complete(id), nullptr) << "completed while it waits";
    }
    EXPECT_EQ(made->buffer(0).posts, 1000u);
}

TEST(slot_table, looks_at_any_id_without_taking_it) {
    for (const std::uint32_t slots : {1u, 5u, 8u}) {
        auto made = table::create(slots);
        ASSERT_TRUE(made);
        made->buffer(slots - 1).posts = 42;
        EXPECT_EQ(made->look(slots - 1).posts, 42u);
        EXPECT_EQ(made->look(slots - 1 + table::most_slots).posts, 42u);
        for (std::uint32_t id = 1; id != 0; id *= 2)
            for (const std::uint32_t each : {id - 1, id, ~id})
                static_cast<void>(made->look(each).posts); // the sanitizer looks
        EXPECT_EQ(made->complete(slots - 1), nullptr);
    }
}

// Whatever number a device says, no slot takes it for its own while its buffer is not the device's.
TEST(slot_table, no_id_at_all_completes_a_slot_that_is_not_posted) {
    for (const std::uint32_t slots : {1u, 2u, 3u}) {
        auto made = table::create(slots);
        ASSERT_TRUE(made);
        device_type device;
        made->post(device, [](memory&, buffer_post&) noexcept { return true; });
        for (const buffer_post& each : device.posted)
            ASSERT_NE(made->complete(each.id), nullptr);
        for (std::uint64_t id = 0; id < std::uint64_t{1} << 32; id += 4093)
            ASSERT_EQ(made->complete(static_cast<std::uint32_t>(id)), nullptr);
        for (std::uint32_t number = 0; number != 4; ++number)
            for (std::uint32_t times = 0; times != 100; ++times) {
                const std::uint32_t id = number + times * table::most_slots;
                ASSERT_EQ(made->complete(id), nullptr);
                ASSERT_EQ(made->complete(~id), nullptr) << "as the next ids are kept";
            }
    }
}

TEST(slot_table, a_moved_table_is_the_same_table) {
    auto made = table::create(4);
    ASSERT_TRUE(made);
    device_type device;
    made->post(device, [](memory&, buffer_post&) noexcept { return true; });
    table moved(*std::move(made));
    for (const buffer_post& each : device.posted)
        EXPECT_NE(moved.complete(each.id), nullptr);
}

// Against a model: a set of posted ids and a count of waiting slots, with memory that runs out and a device
// that takes what it likes.
TEST(slot_table, does_what_a_model_does) {
    random_steps random;
    for (int run = 0; run != 50; ++run) {
        const std::uint32_t slots = 1 + random.below(100);
        auto made = table::create(slots);
        ASSERT_TRUE(made);
        device_type device;
        std::set<std::uint32_t> posted;
        std::vector<std::uint32_t> taken; // numbers, completed and not yet given back
        for (int step = 0; step != 500; ++step) {
            device.posted.clear();
            device.most_a_post = random.one_in(2) ? 1000 : random.below(10);
            std::uint32_t pages = random.one_in(2) ? 1000 : random.below(10);
            made->post(device, [&](memory&, buffer_post& post) noexcept {
                post = {.iova = 7, .id = 0, .length = 9};
                return pages != 0 && pages-- != 0;
            });
            for (const buffer_post& each : device.posted) {
                EXPECT_TRUE(posted.insert(each.id).second);
                EXPECT_EQ(each.iova, 7u);
                EXPECT_EQ(each.length, 9u);
            }
            EXPECT_EQ(posted.size() + made->waiting() + taken.size(), slots);
            for (std::uint32_t n = random.below(20); n != 0; --n) {
                const bool real = !posted.empty() && random.one_in(2);
                const std::uint32_t id =
                    real ? *std::next(posted.begin(), random.below(static_cast<std::uint32_t>(posted.size())))
                         : random.below(~0u);
                const bool expected = posted.erase(id) != 0;
                const memory* const found = made->complete(id);
                ASSERT_EQ(found != nullptr, expected);
                if (expected) {
                    EXPECT_EQ(found, &made->buffer(number_of(id)));
                    taken.push_back(number_of(id));
                }
            }
            while (!taken.empty() && !random.one_in(4)) {
                std::swap(random.pick(taken), taken.back());
                made->wait(taken.back());
                taken.pop_back();
            }
        }
    }
}

} // namespace
