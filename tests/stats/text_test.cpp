// SPDX-License-Identifier: BSL-1.0
#include "noria/stats/text.hpp"

#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <rapidcheck/gtest.h>

namespace {

using noria::detail::take_line;
using noria::detail::take_word;
using noria::detail::text_writer;
using noria::detail::to_number;

template <class Write>
std::string written(Write write) {
    char room[256];
    text_writer out(room);
    write(out);
    return {room, out.size()};
}

TEST(TextWriter, CountsWhatItHasNoRoomFor) {
    char room[] = "####";
    text_writer out{std::span<char>(room).first(2)};
    out.put("abc");
    out.put(std::uint64_t{1234});
    EXPECT_EQ(out.size(), 7u);
    EXPECT_STREQ(room, "ab##");
}

// Against printf, which it replaces.
RC_GTEST_PROP(TextWriter, WritesNumbersAsPrintfDoes, (std::uint64_t number, std::uint32_t small)) {
    const auto width = *rc::gen::inRange(0, 25);
    char expected[64];
    std::snprintf(expected, sizeof expected, "%*llu|%08x", width, static_cast<unsigned long long>(number),
                  small);
    RC_ASSERT(written([&](text_writer& out) {
                  out.put(number, static_cast<std::size_t>(width));
                  out.put('|');
                  out.put_hex(small);
              }) == expected);
}

TEST(TextWriter, AlignsToTheRightAndNeverCuts) {
    EXPECT_EQ(written([](text_writer& out) { out.put("lo", 6); }), "    lo");
    EXPECT_EQ(written([](text_writer& out) { out.put("enp3s0f1", 6); }), "enp3s0f1");
    EXPECT_EQ(written([](text_writer& out) { out.put(std::numeric_limits<std::uint64_t>::max(), 7); }),
              "18446744073709551615");
}

TEST(TextWriter, EscapesAsEachFormatWants) {
    const std::string_view nasty("a\"b\\c\nd\x01\x1f\t~", 11);
    EXPECT_EQ(written([&](text_writer& out) { out.put_label(nasty); }), "a\\\"b\\\\c\\nd\x01\x1f\t~");
    EXPECT_EQ(written([&](text_writer& out) { out.put_json(nasty); }),
              "a\\\"b\\\\c\\u000ad\\u0001\\u001f\\u0009~");
    EXPECT_EQ(written([](text_writer& out) { out.put_json("na\xc3\xafve"); }), "na\xc3\xafve");
}

TEST(TextReader, TakesWholeLinesOnly) {
    std::string_view text = "one\n\ntwo\nthr";
    std::string_view line;
    ASSERT_TRUE(take_line(text, line));
    EXPECT_EQ(line, "one");
    ASSERT_TRUE(take_line(text, line));
    EXPECT_EQ(line, "");
    ASSERT_TRUE(take_line(text, line));
    EXPECT_EQ(line, "two");
    EXPECT_FALSE(take_line(text, line)) << "it may go on";
    EXPECT_EQ(text, "thr");
}

TEST(TextReader, TakesWordsBetweenBlanks) {
    std::string_view text = "  one\ttwo three ";
    EXPECT_EQ(take_word(text), "one");
    EXPECT_EQ(take_word(text), "two");
    EXPECT_EQ(take_word(text), "three");
    EXPECT_EQ(take_word(text), "");
    EXPECT_EQ(take_word(text), "");
}

TEST(TextReader, ANumberIsTheWholeWordAndFits) {
    std::uint64_t wide = 0;
    std::uint32_t narrow = 0;
    EXPECT_TRUE(to_number("18446744073709551615", wide));
    EXPECT_EQ(wide, std::numeric_limits<std::uint64_t>::max());
    EXPECT_FALSE(to_number("18446744073709551616", wide));
    EXPECT_TRUE(to_number("ffffFFFF", narrow, 16));
    EXPECT_EQ(narrow, 0xffff'ffffu);
    EXPECT_FALSE(to_number("100000000", narrow, 16));
    for (const char* no : {"", "-1", "+1", "1x", " 1", "0x1", "x"})
        EXPECT_FALSE(to_number(no, wide)) << no;
}

} // namespace
