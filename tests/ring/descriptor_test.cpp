// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/descriptor.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "noria/core/sync.hpp"

namespace {

struct front_word {
    std::uint32_t word;
    std::uint64_t address[2];
    std::uint32_t tail;
};
struct middle_word {
    std::uint64_t iova;
    std::uint32_t word;
    std::uint16_t flags[2];
};
struct last_word {
    std::uint64_t iova;
    std::uint32_t id;
    std::uint32_t word;
};
struct crooked {
    std::uint32_t a;
    std::uint16_t b, c, d, e;
};
struct alone {
    std::uint32_t word;
};
struct not_plain {
    std::uint32_t word, other;
    ~not_plain() {}
};
struct without_traits {
    std::uint32_t word, other;
};
struct two_bits {
    std::uint32_t word, other;
};
struct done_in_bit_3 {
    std::uint32_t other, word;
};

} // namespace

template <>
struct noria::descriptor_traits<front_word> {
    static constexpr std::size_t word_offset = offsetof(front_word, word);
};
template <>
struct noria::descriptor_traits<middle_word> {
    static constexpr std::size_t word_offset = offsetof(middle_word, word);
};
template <>
struct noria::descriptor_traits<last_word> {
    static constexpr std::size_t word_offset = offsetof(last_word, word);
};
template <>
struct noria::descriptor_traits<crooked> {
    static constexpr std::size_t word_offset = 6;
};
template <>
struct noria::descriptor_traits<alone> {
    static constexpr std::size_t word_offset = 0;
};
template <>
struct noria::descriptor_traits<not_plain> {
    static constexpr std::size_t word_offset = 0;
};
template <>
struct noria::descriptor_traits<two_bits> {
    static constexpr std::size_t word_offset = 0;
    static constexpr std::uint32_t owner_bit = 3;
};
template <>
struct noria::descriptor_traits<done_in_bit_3> {
    static constexpr std::size_t word_offset = 4;
    static constexpr std::uint32_t owner_bit = 8;
    static constexpr noria::ownership kind = noria::ownership::done_bit;
};

namespace {

using namespace noria;

static_assert(owned_descriptor<front_word> && owned_descriptor<middle_word> && owned_descriptor<last_word>);
// These name a word and are refused all the same.
static_assert(descriptor_traits<alone>::word_offset == 0 && descriptor_traits<not_plain>::word_offset == 0);
static_assert(!owned_descriptor<crooked> && !owned_descriptor<alone> && !owned_descriptor<not_plain>);
static_assert(!owned_descriptor<without_traits> && !owned_descriptor<int> && !owned_descriptor<two_bits>);

// What traits do not state is the top bit, and a phase.
static_assert(phase_descriptor<front_word> &&
              descriptor_slot<front_word, std_sync>::owner_bit == 0x8000'0000);
static_assert(owned_descriptor<done_in_bit_3> && !phase_descriptor<done_in_bit_3> &&
              descriptor_slot<done_in_bit_3, std_sync>::owner_bit == 8);

// A phase changes from lap to lap, across the wrap of the index too; a done bit is set.
static_assert(owner_at<front_word>(0, 3) == 0x8000'0000 && owner_at<front_word>(3, 3) == 0x8000'0000);
static_assert(owner_at<front_word>(4, 3) == 0 && owner_at<front_word>(7, 3) == 0);
static_assert(owner_at<front_word>(0xffff'fffc, 3) == 0 && owner_at<front_word>(0xffff'fffb, 3) != 0);
static_assert(owner_at<front_word>(0xffff'ffff, 0) == 0 && owner_at<front_word>(0, 0) != 0);
static_assert(owner_at<front_word>(0x7fff'ffff, 0x7fff'ffff) != 0 &&
              owner_at<front_word>(0x8000'0000, 0x7fff'ffff) == 0);
static_assert(owner_at<done_in_bit_3>(0, 3) == 8 && owner_at<done_in_bit_3>(4, 3) == 8);

// Wherever the word lies, the slot has D's size, its word lies where D's does, and everything else goes
// through.
template <owned_descriptor D>
void is_laid_out_as_it_came() {
    using slot_type = descriptor_slot<D, std_sync>;
    static_assert(sizeof(slot_type) == sizeof(D));
    alignas(D) std::byte bytes[sizeof(D)];
    for (std::size_t i = 0; i < sizeof(D); ++i)
        bytes[i] = static_cast<std::byte>(i + 1);
    D in, out;
    std::memcpy(&in, bytes, sizeof(D));
    std::memset(&out, 0, sizeof(D));

    slot_type slot;
    slot.word.store(slot_type::word_of(in), std::memory_order_relaxed);
    slot.put(in);
    EXPECT_EQ(std::memcmp(static_cast<const void*>(&slot), bytes, sizeof(D)), 0);
    slot.get(out);
    EXPECT_EQ(slot_type::word_of(out), 0u);
    slot_type::set_word(out, slot_type::word_of(in));
    EXPECT_EQ(std::memcmp(&out, bytes, sizeof(D)), 0);

    std::memset(&out, 0, sizeof(D));
    slot.hand_over(slot_type::word_of(in) | slot_type::owner_bit);
    EXPECT_TRUE(slot.is_handed_over(slot_type::owner_bit));
    EXPECT_FALSE(slot.is_handed_over(0));
    slot.take(out);
    slot_type::set_word(in, slot_type::word_of(in) & ~slot_type::owner_bit);
    EXPECT_EQ(std::memcmp(&out, &in, sizeof(D)), 0);
}

TEST(descriptor_slot, is_laid_out_as_its_descriptor) {
    is_laid_out_as_it_came<front_word>();
    is_laid_out_as_it_came<middle_word>();
    is_laid_out_as_it_came<last_word>();
    is_laid_out_as_it_came<done_in_bit_3>();
}

// Every pattern of two laps of a ring, from every index, against the plain loop.
template <owned_descriptor D, std::uint32_t Slots>
void counts_what_is_handed_over() {
    constexpr std::uint32_t mask = Slots - 1;
    descriptor_slot<D, std_sync> slots[Slots];
    for (std::uint32_t pattern = 0; pattern != 1u << Slots; ++pattern) {
        for (std::uint32_t i = 0; i != Slots; ++i)
            slots[i].word.store((pattern >> i & 1) != 0 ? ~0u : ~slots->owner_bit, std::memory_order_relaxed);
        for (std::uint32_t index = 0u - Slots; index != Slots; ++index) {
            for (std::uint32_t most = 0; most <= Slots; ++most) {
                std::uint32_t expected = 0;
                while (expected != most &&
                       ((slots[(index + expected) & mask].word.load(std::memory_order_relaxed) ^
                         owner_at<D>(index + expected, mask)) &
                        slots->owner_bit) == 0)
                    ++expected;
                ASSERT_EQ(detail::handed_over(slots, index, most, mask), expected)
                    << pattern << ' ' << index << ' ' << most;
            }
        }
    }
}

TEST(descriptor_slot, is_counted_line_by_line) {
    counts_what_is_handed_over<last_word, 1>(); // 16 bytes: four in a line
    counts_what_is_handed_over<last_word, 2>();
    counts_what_is_handed_over<last_word, 8>();
    counts_what_is_handed_over<front_word, 8>();    // 24 or 32 bytes
    counts_what_is_handed_over<done_in_bit_3, 8>(); // 8 bytes: the whole ring is a line
}

} // namespace
