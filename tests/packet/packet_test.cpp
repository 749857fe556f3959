// SPDX-License-Identifier: BSL-1.0
#include "noria/packet/checksum.hpp"
#include "noria/packet/coalesce.hpp"
#include "noria/packet/packet.hpp"
#include "noria/packet/pull.hpp"
#include "noria/packet/split.hpp"

#include <cstring>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "support/packet_fixture.hpp"

namespace {

using namespace noria;

constexpr std::array<std::uint32_t, 5> all_home{};

static_assert(!std::is_copy_constructible_v<packet> && !std::is_move_constructible_v<packet>,
              "there is one owner");
static_assert(!std::is_destructible_v<packet>, "it ends in its pool only");

// Lengths and charges are counted in 32 bits: what no longer fits is refused, and nothing wraps.
TEST(packet, refuses_what_it_could_not_count) {
    packet_fixture all;
    constexpr std::uint32_t gigabytes = 3'000'000'000;
    std::byte never_read{};
    const basic_page_owner<std_sync> nobody{nullptr, [](void*, page&) noexcept {}};
    page huge(&never_read, gigabytes, nobody);
    huge.start(3);
    {
        const packet_ptr made = all.make(0, 10);
        ASSERT_EQ(made->add_fragment({&huge, 0, gigabytes, gigabytes}), packet::attached::taken);
        const std::uint32_t size = made->size();
        EXPECT_EQ(made->add_fragment({&huge, 0, gigabytes, gigabytes}), packet::attached::refused);
        EXPECT_EQ(made->add_fragment({&huge, 0, 1, gigabytes}), packet::attached::refused)
            << "the charge wraps too";
        EXPECT_EQ(made->size(), size);
        EXPECT_EQ(made->truesize(), 256 + sizeof(packet) + gigabytes);

        packet_ptr more = all.make(0, 0);
        ASSERT_EQ(more->add_fragment({&huge, 0, gigabytes, gigabytes}), packet::attached::taken);
        EXPECT_FALSE(try_coalesce(*made, more));
        EXPECT_TRUE(more);
        EXPECT_EQ(shift(*made, *more, gigabytes), 0u);
        EXPECT_FALSE(linearize(*made)) << "no head is that large";
        EXPECT_EQ(made->size(), size);
    }
    EXPECT_EQ(huge.references(), 1u);
}

TEST(packet, add_fragment_that_grows_the_last_one_takes_no_reference) {
    packet_fixture all;
    const packet_ptr made = all.make(0, 10);
    page* const under = all.pages().allocate();
    EXPECT_EQ(made->add_fragment({under, 0, 100, 256}), packet::attached::taken);
    EXPECT_EQ(made->add_fragment({under, 100, 50, 256}), packet::attached::grown);
    EXPECT_EQ(under->references(), 1u);
    ASSERT_EQ(made->fragments().size(), 1u);
    EXPECT_EQ(made->fragments()[0].length, 150u);
    EXPECT_EQ(made->truesize(), sizeof(packet) + 256 + 512);
    under->hold();
    EXPECT_EQ(made->add_fragment({under, 151, 50, 256}), packet::attached::taken) << "a byte lies between";
    EXPECT_EQ(made->fragments().size(), 2u);
}

TEST(packet, add_fragment_refuses_nothing_and_one_too_many) {
    packet_fixture all({.pages = 20});
    const packet_ptr made = all.make(0, 10, std::vector<std::uint32_t>(packet::most_fragments, 10));
    EXPECT_EQ(made->fragments().size(), packet::most_fragments);
    const packet_state before(*made);
    page* const last = made->fragments().back().under;
    EXPECT_EQ(made->add_fragment({last, 100, 10, 10}), packet::attached::refused) << "full";
    EXPECT_EQ(made->add_fragment({last, 10, 0, 10}), packet::attached::refused)
        << "no bytes, though they would follow";
    EXPECT_EQ(packet_state(*made), before);
    EXPECT_EQ(made->add_fragment({last, 10, 10, 10}), packet::attached::grown) << "growing needs no place";
}

// Who goes first does not matter: the other has the head to itself again, and the page goes home once.
class clone_and_original : public testing::TestWithParam<bool> {};

TEST_P(clone_and_original, when_one_is_freed_the_other_is_writable_again) {
    packet_fixture all;
    packet_ptr original = all.make(16, 100, {50});
    packet_ptr twin = original->clone();
    ASSERT_TRUE(twin);
    EXPECT_EQ(original->data(), twin->data());
    EXPECT_EQ(original->fragments()[0].under->references(), 2u);
    for (packet* each : {original.get(), twin.get()}) {
        const packet_state before(*each);
        EXPECT_TRUE(each->head_shared());
        EXPECT_EQ(each->push(1), nullptr);
        EXPECT_EQ(each->put(0), nullptr);
        EXPECT_EQ(packet_state(*each), before);
    }
    packet_ptr& first = GetParam() ? original : twin;
    packet_ptr& second = GetParam() ? twin : original;
    first.free(drop_reason::consumed);
    EXPECT_FALSE(second->head_shared());
    EXPECT_NE(second->push(16), nullptr);
    EXPECT_EQ(second->fragments()[0].under->references(), 1u);
    EXPECT_EQ(all.in_flight(), (std::array<std::uint32_t, 5>{1, 0, 0, 1, 1}));
    packet_ptr again = second->clone();
    EXPECT_TRUE(second->head_shared() && again->head_shared());
    second.free(drop_reason::consumed);
    EXPECT_NE(again->push(0), nullptr);
    again.free(drop_reason::consumed);
    EXPECT_EQ(all.in_flight(), all_home);
}
INSTANTIATE_TEST_SUITE_P(freed_first, clone_and_original, testing::Bool(),
                         [](const auto& tested) { return tested.param ? "original" : "clone"; });

TEST(packet, clone_copies_what_came_with_the_packet) {
    packet_fixture all;
    const packet_ptr original = all.make(16, 100);
    original->info() = {.timestamp = 1,
                        .hash = 2,
                        .vlan = 3,
                        .port = 4,
                        .queue = 5,
                        .checksum = 6,
                        .checksum_start = 7,
                        .checksum_state = checksum_state::partial,
                        .checksum_level = 8};
    for (std::size_t i = 0; i != 48; ++i)
        original->user_area()[i] = static_cast<std::byte>(i);
    original->set_network_header(14);
    const packet_ptr twin = original->clone();
    EXPECT_EQ(twin->info(), original->info());
    EXPECT_EQ(std::memcmp(twin->user_area().data(), original->user_area().data(), 48), 0);
    EXPECT_EQ(twin->network_header(), twin->data() + 14);
    twin->info().hash = 99;
    twin->user_area()[0] = std::byte{99};
    EXPECT_EQ(original->info().hash, 2u) << "from here on each has its own";
    EXPECT_EQ(original->user_area()[0], std::byte{0});
}

TEST(packet, clone_changes_nothing_when_descriptors_are_out) {
    packet_fixture all;
    const packet_ptr original = all.make(16, 100, {50, 60});
    for (const std::uint32_t left : {0u, 1u}) {
        const packet_shortage few(all, left);
        const packet_state before(*original);
        const auto out = all.in_flight();
        const packet_ptr twin = original->clone();
        EXPECT_EQ(static_cast<bool>(twin), left != 0);
        if (!twin) {
            EXPECT_EQ(packet_state(*original), before);
            EXPECT_EQ(all.in_flight(), out);
        }
    }
    EXPECT_FALSE(original->head_shared());
}

TEST(packet, header_offsets_stay_true_while_bytes_come_and_go_in_front) {
    packet_fixture all;
    const packet_ptr made = all.make(32, 100);
    made->set_mac_header(0);
    made->set_network_header(14);
    made->set_transport_header(34);
    std::byte* const front = made->data();
    ASSERT_NE(made->pull(14), nullptr);
    EXPECT_EQ(made->network_header(), made->data());
    EXPECT_EQ(made->mac_header(), front);
    ASSERT_NE(made->push(30), nullptr);
    EXPECT_EQ(made->transport_header(), front + 34);
    const std::byte old = *made->transport_header();
    ASSERT_TRUE(made->expand_head(64, 0));
    EXPECT_EQ(made->headroom(), 32u + 14 - 30 + 64);
    EXPECT_EQ(made->mac_header(), made->data() + 16);
    EXPECT_EQ(*made->transport_header(), old);
}

// Offsets have 16 bits. A head may be larger, but then nothing may be remembered wrongly.
TEST(packet, expand_head_never_cuts_a_header_offset) {
    memory_block memory(std::size_t{131'072} + 2048);
    page_pool large = std::move(page_pool::create(memory.bytes().first(131'072), 131'072)).value();
    page_pool small = std::move(page_pool::create(memory.bytes().subspan(131'072), 2048)).value();
    page_pool* const heads[] = {&small, &large};
    packet_pool pool = std::move(packet_pool::create({.packets = 1, .heads = heads})).value();
    const packet_ptr made = pool.allocate(100, 1000);
    ASSERT_NE(made->put(100), nullptr);
    made->set_transport_header(34);
    const packet_state before(*made);
    EXPECT_FALSE(made->expand_head(0xffff - 1034 + 1, 0));
    EXPECT_EQ(packet_state(*made), before);
    EXPECT_FALSE(set_partial(*made, 0xffff, 0));
    ASSERT_TRUE(set_partial(*made, 50, 0));
    EXPECT_FALSE(made->expand_head(0xffff - 1034, 0)) << "the checksum begins later";
    EXPECT_TRUE(made->expand_head(0xffff - 1050, 0));
    EXPECT_EQ(made->transport_header(), made->data() + 34);
    EXPECT_FALSE(set_partial(*made, 51, 0));
    EXPECT_TRUE(fill_checksum(*made));
}

TEST(packet, for_each_piece_goes_where_the_bytes_are) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50, 60});
    std::vector<std::pair<std::byte*, std::size_t>> pieces;
    const auto collect = [&](std::byte* from, std::size_t bytes) noexcept {
        pieces.emplace_back(from, bytes);
    };
    const auto of = [&](std::int64_t offset, std::size_t length) {
        pieces.clear();
        made->for_each_piece(offset, length, collect);
        return pieces;
    };
    using list = std::vector<std::pair<std::byte*, std::size_t>>;
    std::byte* const front = made->data();
    std::byte* const first = made->fragments()[0].data();
    std::byte* const second = made->fragments()[1].data();
    EXPECT_EQ(of(-16, 226), (list{{front - 16, 116}, {first, 50}, {second, 60}}));
    EXPECT_EQ(of(10, 90), (list{{front + 10, 90}}));
    EXPECT_EQ(of(100, 50), (list{{first, 50}}));
    EXPECT_EQ(of(149, 2), (list{{first + 49, 1}, {second, 1}}));
    EXPECT_EQ(of(170, 40), (list{{second + 20, 40}}));
    for (const std::int64_t offset : {-16, 0, 100, 150, 210})
        EXPECT_EQ(of(offset, 0), list{}) << "never a piece of nothing";
}

TEST(packet, copy_bits_believes_no_range_outside) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 100, {50});
    std::array<std::byte, 4> to{};
    constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
    constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();
    for (const std::int64_t offset :
         {std::int64_t{147}, std::int64_t{151}, std::int64_t{-17}, std::int64_t{1} << 32, highest, lowest})
        EXPECT_FALSE(made->copy_bits(offset, to)) << offset;
    for (const std::int64_t offset : {std::int64_t{151}, std::int64_t{-17}, highest, lowest})
        EXPECT_FALSE(made->copy_bits(offset, {})) << "no bytes, but not there: " << offset;
    for (const std::int64_t offset : {-16, 0, 50, 100, 101, 150})
        EXPECT_TRUE(made->copy_bits(offset, {})) << "nothing, into nowhere: " << offset;
    EXPECT_EQ(made->header_pointer(~0u, to), nullptr);
    EXPECT_EQ(made->header_pointer(~0u - 2, to), nullptr) << "the sum would wrap";
}

// In place where the head has all of it, else a copy; the right bytes either way.
TEST(packet, header_pointer_shows_the_bytes_wherever_they_are) {
    packet_fixture all;
    const packet_ptr made = all.make(16, 30, {10, 20});
    for (std::uint32_t offset = 0; offset != 70; ++offset)
        for (std::uint32_t length = 1; length != 70; ++length) {
            std::vector<std::byte> scratch(length);
            const std::byte* const shown = made->header_pointer(offset, scratch);
            ASSERT_EQ(shown != nullptr, offset + length <= 60);
            if (shown == nullptr)
                continue;
            ASSERT_EQ(shown, offset + length <= 30 ? made->data() + offset : scratch.data());
            for (std::uint32_t i = 0; i != length; ++i)
                ASSERT_EQ(shown[i], packet_fixture::byte_at(offset + i));
        }
}

// Views tell by the epoch: one that was made of a packet must not pass for one of its successor.
TEST(packet, a_descriptor_that_is_used_again_has_another_epoch) {
    packet_fixture all({.keep_heads = false});
    const packet_pool::owner_section entered = all.packets().enter();
    const packet_ptr source = all.make(16, 100, {});
    packet_ptr first = all.make(16, 100, {});
    const packet* const place = first.get();
    const std::uint32_t epoch = first->epoch();
    first.free(drop_reason::consumed);
    const packet_ptr twin = source->clone();
    ASSERT_EQ(twin.get(), place);
    EXPECT_NE(twin->epoch(), epoch);
}

TEST(packet, reserve_moves_only_what_is_empty) {
    packet_fixture all;
    const packet_ptr made = all.packets().allocate(200);
    EXPECT_FALSE(made->reserve(257));
    EXPECT_TRUE(made->reserve(56));
    EXPECT_EQ(made->headroom(), 56u);
    EXPECT_FALSE(made->reserve(201));
    EXPECT_EQ(made->tailroom(), 200u);
    EXPECT_EQ(made->size(), 0u);
    EXPECT_TRUE(made->reserve(199)) << "all but one";
    EXPECT_TRUE(made->reserve(1)) << "all there is";
    EXPECT_FALSE(made->reserve(1));
    EXPECT_EQ(made->headroom(), 256u);
    EXPECT_EQ(made->tailroom(), 0u);
    const packet_ptr other = all.packets().allocate(200);
    ASSERT_NE(other->put(1), nullptr);
    EXPECT_FALSE(other->reserve(0));
}

#if NORIA_CONTRACT == 2
TEST(packet_death_test, a_header_beyond_what_is_remembered) {
    memory_block memory(131'072);
    page_pool large = page_pool::create(memory.bytes(), 131'072).value();
    page_pool* const heads[] = {&large};
    packet_pool pool = packet_pool::create({.packets = 1, .heads = heads}).value();
    const packet_ptr made = pool.allocate(70'000, 1000);
    made->set_mac_header(0xffff - 1000);
    EXPECT_EQ(made->mac_header(), made->data() - 1000 + 0xffff);
    EXPECT_DEATH(made->set_mac_header(0x10000 - 1000), "within 64 KiB of the head");
    EXPECT_DEATH(made->set_network_header(0x10000 - 1000), "within 64 KiB of the head");
    EXPECT_DEATH(made->set_transport_header(~0u), "within 64 KiB of the head") << "the sum would wrap";
}

TEST(packet_death_test, gather_without_room_or_right) {
    packet_fixture all;
    const packet_ptr made = all.make(0, 250, {20});
    EXPECT_DEATH(made->gather(21), "pull_tail\\(packet, n\\) makes the room");
    EXPECT_DEATH(made->gather(7), "pull_tail\\(packet, n\\) makes the room");
    const packet_ptr twin = made->clone();
    EXPECT_DEATH(made->gather(1), "pull_tail\\(packet, n\\) makes the room");
}
#endif

} // namespace
