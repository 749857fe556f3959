// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/copy.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "noria/packet/checksum.hpp"
#include "support/packet_census.hpp"

namespace {

using namespace noria;

constexpr std::array<std::uint32_t, 5> all_home{};
constexpr std::uint32_t descriptor = sizeof(packet);

// A packet of which everything that can be copied has a value of its own.
packet_ptr make_marked(packet_fixture& all) {
    packet_ptr made = all.make(32, 100, {50, 60});
    std::byte* const front = made->push(16);
    std::memset(front, 0x77, 16);
    made->set_mac_header(0);
    made->set_network_header(14);
    made->set_transport_header(34);
    static_cast<void>(made->pull(16));
    made->info() = {.timestamp = 1, .hash = 2, .vlan = 3, .port = 4, .queue = 5};
    set_complete(*made, sum_of(*made, 0, made->size()));
    for (std::size_t i = 0; i != 48; ++i)
        made->user_area()[i] = static_cast<std::byte>(i + 1);
    return made;
}

void expect_same_beside_the_bytes(packet& copied, packet& original) {
    EXPECT_EQ(copied.info(), original.info());
    EXPECT_EQ(std::memcmp(copied.user_area().data(), original.user_area().data(), 48), 0);
    EXPECT_EQ(copied.mac_header() - copied.data(), original.mac_header() - original.data());
    EXPECT_EQ(copied.network_header() - copied.data(), original.network_header() - original.data());
    EXPECT_EQ(copied.transport_header() - copied.data(), original.transport_header() - original.data());
}

TEST(copy, shares_nothing) {
    packet_fixture all;
    packet_ptr original = make_marked(all);
    const packet_state before(*original);
    const packet_ptr twin = copy(*original);
    ASSERT_TRUE(twin);
    EXPECT_EQ(packet_state(*original), before) << "references of its pages too";
    EXPECT_TRUE(twin->is_linear());
    EXPECT_EQ(twin->headroom(), 32u);
    EXPECT_EQ(twin->tailroom(), 256u - 32 - 210) << "the smallest head that it fits into";
    EXPECT_EQ(twin->truesize(), descriptor + 256);
    expect_same_beside_the_bytes(*twin, *original);
    EXPECT_EQ(*twin->mac_header(), std::byte{0x77}) << "headroom is copied as well";
    std::memset(twin->data(), 0, twin->headlen());
    EXPECT_EQ(packet_state(*original), before);
    original.free(drop_reason::consumed);
    EXPECT_EQ(all.in_flight(), (std::array<std::uint32_t, 5>{1, 0, 0, 0, 1}));
}

TEST(copy, of_a_clone_is_private) {
    packet_fixture all;
    const packet_ptr original = all.make(16, 100);
    const packet_ptr clone = original->clone();
    const packet_ptr twin = copy(*clone);
    EXPECT_FALSE(twin->head_shared());
    EXPECT_EQ(bytes_of(*twin), bytes_of(*original));
    EXPECT_NE(twin->push(16), nullptr);
}

TEST(pcopy, has_a_head_of_its_own_and_shares_fragments) {
    packet_fixture all;
    const packet_ptr original = make_marked(all);
    const packet_ptr twin = pcopy(*original, 64);
    ASSERT_TRUE(twin);
    EXPECT_EQ(bytes_of(*twin), bytes_of(*original));
    EXPECT_EQ(twin->headroom(), 64u);
    EXPECT_EQ(twin->headlen(), 100u);
    EXPECT_FALSE(twin->head_shared() || original->head_shared());
    ASSERT_EQ(twin->fragments().size(), 2u);
    for (std::size_t i = 0; i != 2; ++i) {
        EXPECT_EQ(twin->fragments()[i].data(), original->fragments()[i].data());
        EXPECT_EQ(twin->fragments()[i].under->references(), 2u);
    }
    EXPECT_EQ(twin->truesize(), descriptor + 256 + 2 * 1024) << "it pins both pages, too";
    expect_same_beside_the_bytes(*twin, *original);
    EXPECT_EQ(*twin->mac_header(), std::byte{0x77}) << "what there was in front is there";
    EXPECT_NE(twin->push(64), nullptr);
}

TEST(pcopy, with_less_headroom_forgets_headers_that_lay_in_front) {
    packet_fixture all;
    const packet_ptr original = make_marked(all);
    const packet_ptr twin = pcopy(*original, 4);
    ASSERT_TRUE(twin);
    EXPECT_EQ(bytes_of(*twin), bytes_of(*original));
    EXPECT_EQ(twin->mac_header(), twin->data() - 4) << "as if never set";
    EXPECT_EQ(twin->network_header(), twin->data() - 2);
    EXPECT_EQ(twin->transport_header(), twin->data() + 18);
    std::byte in_front[4];
    ASSERT_TRUE(twin->copy_bits(-4, in_front));
    for (const std::byte each : in_front)
        EXPECT_EQ(each, std::byte{0x77});
}

TEST(pcopy, takes_a_partial_checksum_along) {
    packet_fixture all;
    const packet_ptr original = all.make(32, 100, {50});
    ASSERT_TRUE(set_partial(*original, 20, 16));
    for (const std::uint32_t headroom : {0u, 32u, 100u}) {
        const packet_ptr twin = pcopy(*original, headroom);
        ASSERT_TRUE(twin);
        EXPECT_EQ(twin->info().checksum_state, checksum_state::partial);
        EXPECT_EQ(twin->info().checksum_start, headroom + 20);
        EXPECT_EQ(twin->info().checksum, 16u);
    }
}

TEST(pcopy, refuses_headroom_that_no_offset_can_count) {
    memory_block memory(2 * 131072);
    page_pool heads = page_pool::create(memory.bytes(), 131072).value();
    page_pool* const sizes[] = {&heads};
    packet_pool packets = packet_pool::create({.packets = 2, .heads = sizes}).value();
    const packet_ptr original = packets.allocate(100, 10);
    EXPECT_TRUE(pcopy(*original, 10 + 0xffff));
    EXPECT_FALSE(pcopy(*original, 11 + 0xffff));
    EXPECT_EQ(packets.in_flight(), 1u);
}

TEST(store_bits, writes_across_head_and_fragments) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50, 60});
    std::vector<std::byte> bytes = bytes_of(*made);
    const std::vector<std::byte> written(70, std::byte{0xee});
    ASSERT_TRUE(store_bits(*made, 90, written));
    std::fill_n(bytes.begin() + 90, 70, std::byte{0xee});
    EXPECT_EQ(bytes_of(*made), bytes);
    ASSERT_TRUE(store_bits(*made, -16, std::span(written).first(17)));
    bytes[0] = std::byte{0xee};
    EXPECT_EQ(bytes_of(*made), bytes);
    EXPECT_EQ(*(made->data() - 16), std::byte{0xee});
}

TEST(store_bits, refuses_what_somebody_else_may_see) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50, 60});
    const std::vector<std::byte> before = bytes_of(*made);
    const std::vector<std::byte> written(10, std::byte{0xee});
    page* const second = made->fragments()[1].under;
    second->hold();
    EXPECT_TRUE(store_bits(*made, 140, written)) << "up to the page that is shared";
    EXPECT_FALSE(store_bits(*made, 141, written));
    EXPECT_FALSE(store_bits(*made, 200, written));
    second->release();
    EXPECT_TRUE(store_bits(*made, 141, written));
    const packet_ptr head = all.make(16, 100);
    packet_ptr twin = head->clone();
    const std::vector<std::byte> head_before = bytes_of(*head);
    EXPECT_FALSE(store_bits(*head, 0, written));
    EXPECT_FALSE(store_bits(*head, -1, std::span(written).first(1)));
    EXPECT_TRUE(store_bits(*head, 100, {})) << "nothing is written";
    EXPECT_EQ(bytes_of(*head), head_before);
    twin.free(drop_reason::consumed);
    EXPECT_TRUE(store_bits(*head, 0, written));
}

TEST(store_bits, believes_no_range_outside) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50});
    set_complete(*made, sum_of(*made, 0, 150));
    const packet_state before(*made);
    const std::array<std::byte, 4> from{};
    constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
    constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();
    for (const std::int64_t offset :
         {std::int64_t{147}, std::int64_t{151}, std::int64_t{-17}, std::int64_t{1} << 32, highest, lowest})
        EXPECT_FALSE(store_bits(*made, offset, from)) << offset;
    EXPECT_TRUE(store_bits(*made, 150, {}));
    EXPECT_FALSE(store_bits(*made, 151, {}));
    EXPECT_EQ(packet_state(*made), before);
    EXPECT_TRUE(made->info().has_sum()) << "no byte was written so far";
    EXPECT_TRUE(store_bits(*made, 146, from));
    EXPECT_FALSE(made->info().has_sum());
}

TEST(pad_to, fills_with_zeros_and_keeps_the_sum) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 41);
    std::memset(made->data() + 41, 0xff, 40);
    set_complete(*made, sum_of(*made, 0, 41));
    std::vector<std::byte> bytes = bytes_of(*made);
    ASSERT_TRUE(pad_to(*made, 60));
    bytes.resize(60);
    EXPECT_EQ(bytes_of(*made), bytes);
    ASSERT_TRUE(made->info().has_sum());
    EXPECT_EQ(made->info().sum(), sum_of(bytes));
    const packet_state before(*made);
    EXPECT_TRUE(pad_to(*made, 60));
    EXPECT_TRUE(pad_to(*made, 0));
    EXPECT_EQ(packet_state(*made), before) << "it is long enough";
}

TEST(pad_to, moves_only_when_it_must) {
    packet_fixture all;
    const packet_ptr fits = all.make(16, 100, {40});
    std::byte* const where = fits->data();
    ASSERT_TRUE(pad_to(*fits, 240));
    EXPECT_EQ(fits->data(), where);
    EXPECT_EQ(fits->headlen(), 240u);
    EXPECT_EQ(all.pages().in_flight(), 0u) << "zeros come behind all bytes, so it is linear now";
    ASSERT_TRUE(pad_to(*fits, 241));
    EXPECT_NE(fits->data(), where);
    EXPECT_EQ(fits->truesize(), descriptor + 512);
    const packet_ptr twin = fits->clone();
    const std::vector<std::byte> bytes = bytes_of(*twin);
    ASSERT_TRUE(pad_to(*fits, 250)) << "there is room, but it is not its own";
    EXPECT_FALSE(fits->head_shared());
    EXPECT_EQ(bytes_of(*twin), bytes);
    EXPECT_FALSE(pad_to(*twin, 4000)) << "no head is that large";
    EXPECT_FALSE(pad_to(*twin, ~0u));
    EXPECT_EQ(bytes_of(*twin), bytes);
}

// Each operation that allocates, with k of everything left, k = 0, 1, ...; alone and with a clone beside it.
struct allocating {
    std::string name;
    std::function<bool(packet&)> run;
};
void PrintTo(const allocating& operation, std::ostream* to) {
    *to << operation.name;
}
class copy_without_memory : public testing::TestWithParam<allocating> {};

TEST_P(copy_without_memory, leaves_everything_as_it_was) {
    for (const bool cloned : {false, true}) {
        packet_fixture all;
        const packet_ptr made = all.make(20, 200, {300, 200, 400});
        made->set_network_header(14);
        const packet_ptr twin = cloned ? made->clone() : packet_ptr();
        const packet_state before(*made);
        int failures = 0;
        for (const std::uint32_t heads : {0u, 1u}) {
            for (const std::uint32_t descriptors : {0u, 1u}) {
                const packet_shortage no_descriptors(all, descriptors);
                const shortage few[] = {
                    {all.pools()[0], heads}, {all.pools()[1], heads}, {all.pools()[2], heads}};
                const auto out = all.in_flight();
                if (GetParam().run(*made))
                    continue;
                ++failures;
                EXPECT_EQ(packet_state(*made), before);
                EXPECT_EQ(all.in_flight(), out);
            }
        }
        EXPECT_EQ(failures, GetParam().name == "pad_to" ? 2 : 3);
        EXPECT_EQ(bytes_of(*made), [&] {
            std::vector<std::byte> bytes = before.bytes;
            bytes.resize(made->size());
            return bytes;
        }());
        if (twin) {
            EXPECT_EQ(bytes_of(*twin), before.bytes);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    one_after_the_other, copy_without_memory,
    testing::Values(allocating{"copy", [](packet& made) { return static_cast<bool>(copy(made)); }},
                    allocating{"pcopy", [](packet& made) { return static_cast<bool>(pcopy(made, 64)); }},
                    allocating{"pad_to", [](packet& made) { return pad_to(made, 1200); }}),
    [](const auto& tested) { return tested.param.name; });

TEST(copy, gets_an_idle_descriptor_with_its_head_as_allocate_does_and_leaves_one) {
    packet_fixture all({.packets = 2, .heads = {2, 1, 1}});
    const packet_ptr original = all.make(16, 100);
    packet_ptr twin = copy(*original);
    const packet* const place = twin.get();
    const std::byte* const head = twin->data() - twin->headroom();
    twin.free(drop_reason::consumed);
    EXPECT_EQ(all.packets().heads_kept(0), 1u);
    twin = pcopy(*original, 20);
    EXPECT_EQ(twin.get(), place);
    EXPECT_EQ(twin->data(), head + 20);
    EXPECT_EQ(bytes_of(*twin), bytes_of(*original));
    EXPECT_EQ(all.packets().heads_kept(0), 0u);
}

TEST(store_bits, into_headroom_changes_no_sum) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 101);
    set_complete(*made, sum_of(*made, 0, made->size()));
    const std::array<std::byte, 16> bytes{std::byte{1}};
    ASSERT_TRUE(store_bits(*made, -16, bytes));
    EXPECT_TRUE(made->info().has_sum());
    ASSERT_TRUE(store_bits(*made, -15, bytes)); // and the first of the packet's own
    EXPECT_EQ(made->info().checksum_state, checksum_state::none);
}

// Random packets, clones among them, memory for heads short now and then; the model is a vector of bytes, and
// all pages are counted after every step.
TEST(copy, and_its_kin_against_a_byte_vector) {
    packet_census world(false); // a kept head would be had where memory is to be short
    random_steps& random = world.random;
    std::array<std::array<std::uint64_t, 2>, 4> seen{}; // refused and done, of each operation
    const std::uint64_t steps = random_steps::count(20'000, 1'000);
    for (std::uint64_t step = 0; step != steps; ++step) {
        const packet_ptr made = world.make();
        std::vector<std::byte> bytes = bytes_of(*made);
        const packet_ptr clone = random.one_in(3) ? made->clone() : packet_ptr();
        std::vector<const packet*> there = {made.get()};
        if (clone)
            there.push_back(clone.get());
        const bool short_of_heads = random.one_in(4);
        std::vector<shortage> short_of;
        if (short_of_heads)
            for (std::size_t i = 0; i != 3; ++i)
                short_of.emplace_back(world.all.pools()[i], 0);
        const packet_state before(*made);
        const std::uint32_t what = random.below(4);
        packet_ptr twin;
        bool done = false;
        bool expected = !short_of_heads;
        if (what < 2) {
            const std::uint32_t headroom = what == 0 ? made->headroom() : random.below(80);
            expected = expected && headroom + (what == 0 ? made->size() : made->headlen()) <= 2048;
            twin = what == 0 ? copy(*made) : pcopy(*made, headroom);
            done = static_cast<bool>(twin);
            if (done) {
                there.push_back(twin.get());
                EXPECT_EQ(twin->headroom(), headroom);
                EXPECT_EQ(bytes_of(*twin), bytes);
                EXPECT_EQ(twin->is_linear(), what == 0 || made->is_linear());
            }
        } else if (what == 2) {
            const std::vector<std::byte> written = world.bytes(random.below(200));
            const std::int64_t offset = std::int64_t{random.below(made->headroom() + made->size() + 2)} -
                                        std::int64_t{made->headroom()} - 1;
            expected = made->contains(offset, written.size());
            for (std::size_t i = 0; expected && i != written.size(); ++i) {
                std::int64_t at = offset + static_cast<std::int64_t>(i) - made->headlen();
                if (at < 0)
                    expected = !clone;
                std::size_t part = 0;
                for (; at >= 0 && at >= made->fragments()[part].length; ++part)
                    at -= made->fragments()[part].length;
                if (at >= 0)
                    expected = made->fragments()[part].under->references() == 1;
            }
            done = store_bits(*made, offset, written);
            for (std::size_t i = 0; done && i != written.size(); ++i)
                if (offset + static_cast<std::int64_t>(i) >= 0)
                    bytes[static_cast<std::size_t>(offset + static_cast<std::int64_t>(i))] = written[i];
        } else {
            const std::uint32_t padded = random.below(1000);
            const std::uint32_t behind = padded - made->headlen();
            const bool in_place = !clone && behind <= made->room_behind_tail();
            expected = padded <= made->size() || in_place ||
                       (expected && made->headroom() + std::uint64_t{padded} <= 2048);
            done = pad_to(*made, padded);
            if (done && padded > bytes.size())
                bytes.resize(padded);
        }
        short_of.clear();
        ASSERT_EQ(done, expected) << "step " << step << ", operation " << what;
        ++seen[what][done];
        if (!done || what < 2) {
            packet_state after(*made);
            if (what == 1 && done) { // its fragments are held once more
                twin.free(drop_reason::consumed);
                there.pop_back();
                after = packet_state(*made);
            }
            ASSERT_EQ(after, before);
        }
        ASSERT_EQ(bytes_of(*made), bytes) << "step " << step << ", operation " << what;
        if (clone && what == 3) {
            ASSERT_EQ(bytes_of(*clone), before.bytes);
        }
        ASSERT_STREQ(world.wrong(there), nullptr) << "step " << step << ", operation " << what;
    }
    for (const auto& each : seen)
        EXPECT_GE(std::min(each[0], each[1]), steps / 100) << "every outcome was seen";
    world.next_page();
    EXPECT_EQ(world.all.in_flight(), all_home);
}

} // namespace
