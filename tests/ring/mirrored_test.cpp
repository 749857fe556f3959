// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/mirrored.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <utility>

#include <unistd.h>

#include "noria/ring/spsc_ring.hpp"

namespace {

using namespace noria;

static_assert(std::is_nothrow_move_constructible_v<mirrored_memory> &&
              !std::is_copy_constructible_v<mirrored_memory>);

const auto page = static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE));

TEST(mirrored_memory, shows_the_same_bytes_twice) {
    for (const std::size_t pages : {1u, 3u}) {
        auto memory = mirrored_memory::map(pages * page);
        ASSERT_TRUE(memory) << memory.error().advice;
        const std::size_t size = memory->size();
        ASSERT_EQ(size, pages * page);
        ASSERT_EQ(memory->twice().size(), 2 * size);
        // Through a volatile pointer: the compiler may take the two addresses for two objects.
        auto* bytes = reinterpret_cast<volatile unsigned char*>(memory->twice().data());
        for (std::size_t i = 0; i != 2 * size; ++i)
            ASSERT_EQ(+bytes[i], 0) << i;
        for (std::size_t i = 0; i < size; i += 97) {
            bytes[i] = static_cast<unsigned char>(i % 251 + 1);
            ASSERT_EQ(+bytes[size + i], static_cast<int>(i % 251 + 1)) << i;
            bytes[size + i] = static_cast<unsigned char>(i % 7 + 1);
            ASSERT_EQ(+bytes[i], static_cast<int>(i % 7 + 1)) << i;
        }
    }
}

TEST(mirrored_memory, refuses_what_is_no_whole_number_of_pages) {
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{page} - 1, 3 * page / 2ul}) {
        auto memory = mirrored_memory::map(bytes);
        ASSERT_FALSE(memory);
        EXPECT_EQ(memory.error().code, std::errc::invalid_argument);
        EXPECT_NE(std::string(memory.error().advice).find("whole number of pages"), std::string::npos);
    }
    auto huge = mirrored_memory::map(~std::size_t{0} - page + 1);
    ASSERT_FALSE(huge);
    EXPECT_NE(std::string(huge.error().advice).find("address space"), std::string::npos);
    auto large = mirrored_memory::map(std::size_t{1} << 60);
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().code, std::errc::not_enough_memory);
    EXPECT_FALSE(mirrored_memory::for_slots<std::uint32_t>(page / 16));
}

TEST(mirrored_memory, moves_with_its_mappings) {
    auto first = mirrored_memory::map(page);
    auto second = mirrored_memory::map(2 * page);
    ASSERT_TRUE(first && second);
    first->twice()[0] = std::byte{1};
    second->twice()[0] = std::byte{2};
    mirrored_memory moved = *std::move(first);
    EXPECT_EQ(moved.twice()[0], std::byte{1});
    moved = *std::move(second);
    EXPECT_EQ(moved.twice()[0], std::byte{2});
    EXPECT_EQ(moved.size(), 2 * page);
}

// 24 bytes: a size that divides no page, but 512 of them fill three of 4096.
struct item {
    std::uint64_t number = 0, twice = 0, check = 0;
    static item of(std::uint64_t n) { return {n, 2 * n, ~n}; }
    friend bool operator==(const item&, const item&) = default;
};
using mirrored_ring = spsc_ring<item, {.capacity = dynamic, .mirrored = true}>;

// Random calls on both sides: what is reserved and what is seen lies in one piece, and the content is right
// whichever of its two addresses it was written and read through.
TEST(mirrored_ring, has_one_span_and_the_right_items_in_it) {
    EXPECT_TRUE(rc::check([] {
        const std::uint32_t capacity = page / 8 - *rc::gen::inRange<std::uint32_t>(0, page / 16);
        auto memory = mirrored_memory::for_slots<item>(capacity);
        RC_ASSERT(memory.has_value());
        mirrored_ring ring(memory->slots<item>(), capacity,
                           0u - *rc::gen::inRange<std::uint32_t>(0, 2 * capacity));
        RC_ASSERT(ring.capacity() == capacity);
        auto [producer, consumer] = ring.split();
        std::uint64_t in = 0, out = 0;
        for (int step = 0; step != 60; ++step) {
            if (producer.try_push(item::of(in)))
                ++in;
            auto room = producer.reserve(*rc::gen::inRange<std::uint32_t>(0, capacity + 2));
            RC_ASSERT(room.second().empty() && room.first().size() == room.size());
            for (std::uint64_t number = in; item & slot : room.first())
                slot = item::of(number++);
            in += room.size();
            room.commit(room.size());
            RC_ASSERT(in - out <= capacity);

            auto seen = consumer.peek(*rc::gen::inRange<std::uint32_t>(0, capacity + 2));
            RC_ASSERT(seen.second().empty() && seen.first().size() == seen.size());
            for (const item& slot : seen.first())
                RC_ASSERT(slot == item::of(out++));
            seen.release(seen.size());
            if (item popped; consumer.try_pop(popped))
                RC_ASSERT(popped == item::of(out++));
        }
        RC_ASSERT(in > 0);
    }));
}

TEST(mirrored_ring, gives_a_full_lap_in_one_piece_from_any_slot) {
    const std::uint32_t capacity = page / 8;
    auto memory = mirrored_memory::for_slots<item>(capacity);
    ASSERT_TRUE(memory) << memory.error().advice;
    mirrored_ring ring(memory->slots<item>(), capacity, 0xffff'fffe);
    auto [producer, consumer] = ring.split();
    auto room = producer.reserve_exact(capacity);
    ASSERT_EQ(room.first().size(), capacity);
    for (std::uint64_t number = 0; item & slot : room.first())
        slot = item::of(number++);
    room.commit(capacity);
    EXPECT_FALSE(producer.try_push(item()));
    auto seen = consumer.peek(capacity);
    ASSERT_EQ(seen.first().size(), capacity);
    for (std::uint64_t number = 0; const item& slot : seen.first())
        EXPECT_EQ(slot, item::of(number++));
    seen.release(capacity);
}

TEST(mirrored_ring, crosses_threads) {
    constexpr std::uint64_t total = 100'000;
    const std::uint32_t capacity = page / 8 - 5;
    auto memory = mirrored_memory::for_slots<item>(capacity);
    ASSERT_TRUE(memory) << memory.error().advice;
    mirrored_ring ring(memory->slots<item>(), capacity, 0xffff'ffff - 1000);
    auto roles = ring.split();
    std::thread other([producer = std::move(roles.producer)]() mutable {
        for (std::uint64_t next = 0; next < total;) {
            auto room = producer.reserve(static_cast<std::uint32_t>(next % 90 + 1));
            for (item& slot : room.first())
                slot = item::of(next++);
            if (room.size() == 0)
                std::this_thread::yield();
            room.commit(room.size());
        }
    });
    std::uint64_t seen = 0, wrong = 0;
    while (seen < total) {
        auto token = roles.consumer.peek(static_cast<std::uint32_t>(seen % 77 + 1));
        for (const item& slot : token.first())
            wrong += slot != item::of(seen++) ? 1u : 0u;
        if (token.size() == 0)
            std::this_thread::yield();
        token.release(token.size());
    }
    other.join();
    EXPECT_EQ(wrong, 0u);
}

TEST(mirrored_ring_contract, wants_both_mappings_of_exactly_its_slots) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "death tests fork, which the thread sanitizer does not like";
#endif
    if (!checked_mode)
        GTEST_SKIP() << "contracts are not checked in this build";
    auto memory = mirrored_memory::for_slots<item>(page / 8);
    ASSERT_TRUE(memory) << memory.error().advice;
    const auto slots = memory->slots<item>();
    EXPECT_DEATH(mirrored_ring(slots.first(slots.size() / 2), page / 8), "both mappings");
    EXPECT_DEATH(mirrored_ring(slots, page / 16), "both mappings");
    using odd = std::array<std::byte, 7>;
    EXPECT_DEATH((void)memory->slots<odd>(), "must fill the memory");
}

} // namespace
