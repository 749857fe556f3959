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

namespace {

using namespace noria;

static_assert(owned_descriptor<front_word> && owned_descriptor<middle_word> && owned_descriptor<last_word>);
// These name a word and are refused all the same.
static_assert(descriptor_traits<alone>::word_offset == 0 && descriptor_traits<not_plain>::word_offset == 0);
static_assert(!owned_descriptor<crooked> && !owned_descriptor<alone> && !owned_descriptor<not_plain>);
static_assert(!owned_descriptor<without_traits> && !owned_descriptor<int>);

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
}

TEST(descriptor_slot, is_laid_out_as_its_descriptor) {
    is_laid_out_as_it_came<front_word>();
    is_laid_out_as_it_came<middle_word>();
    is_laid_out_as_it_came<last_word>();
}

} // namespace
