// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "noria/core/config.hpp"

// What exporters write with and parsers read with: no allocation, no locale.

namespace noria::inline NORIA_ABI {

// What a reader of rows came upon.
enum class row_status : unsigned char {
    row,
    end,
    malformed, // the row is not of the format, or is cut off; what was read before it is good
};

} // namespace noria::inline NORIA_ABI

namespace noria::inline NORIA_ABI::detail {

// Writes what fits and counts everything, so that one run tells the size the next run needs.
class text_writer {
  public:
    explicit text_writer(std::span<char> to) noexcept : to_(to) {}

    void put(char c) noexcept {
        if (size_ < to_.size())
            to_[size_] = c;
        ++size_;
    }
    void put(std::string_view text) noexcept {
        for (const char c : text)
            put(c);
    }
    // Right-aligned, like printf's %*s and %*llu: what is wider is not cut off.
    void put(std::string_view text, std::size_t width) noexcept {
        for (std::size_t i = text.size(); i < width; ++i)
            put(' ');
        put(text);
    }
    void put(std::uint64_t number, std::size_t width = 0) noexcept {
        std::array<char, 20> digits; // 2^64 - 1 has twenty
        std::size_t first = digits.size();
        do
            digits[--first] = static_cast<char>('0' + number % 10);
        while ((number /= 10) != 0);
        put(std::string_view(digits.data() + first, digits.size() - first), width);
    }
    // Eight digits, as %08x.
    void put_hex(std::uint32_t number) noexcept {
        for (unsigned shift = 32; shift != 0; shift -= 4)
            put("0123456789abcdef"[number >> (shift - 4) & 15]);
    }
    // Inside the quotes of a Prometheus label: a backslash, a quote and a line feed are escaped.
    void put_label(std::string_view text) noexcept {
        for (const char c : text) {
            if (c == '\\' || c == '"' || c == '\n')
                put('\\');
            put(c == '\n' ? 'n' : c);
        }
    }
    // Inside the quotes of a JSON string (RFC 8259, section 7): those and every control character.
    void put_json(std::string_view text) noexcept {
        for (const char c : text) {
            if (const auto code = static_cast<unsigned char>(c); code < 0x20) {
                put(std::string_view("\\u00"));
                put(code < 0x10 ? '0' : '1');
                put("0123456789abcdef"[code & 15]);
                continue;
            }
            if (c == '\\' || c == '"')
                put('\\');
            put(c);
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

  private:
    std::span<char> to_;
    std::size_t size_ = 0;
};

// Takes the next line, without its line feed, off the front. False: what is left is not a whole line. A last
// line without a line feed is none: it may have been cut off inside a number.
[[nodiscard]] constexpr bool take_line(std::string_view& text, std::string_view& line) noexcept {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos)
        return false;
    line = text.substr(0, end);
    text.remove_prefix(end + 1);
    return true;
}

// Takes the next word between blanks off the front; empty when there is none.
[[nodiscard]] constexpr std::string_view take_word(std::string_view& text) noexcept {
    const std::size_t begin = text.find_first_not_of(" \t");
    text.remove_prefix(begin == std::string_view::npos ? text.size() : begin);
    const std::size_t end = text.find_first_of(" \t");
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(word.size());
    return word;
}

// The whole word as a number that fits; no sign, no prefix. By hand: <charconv> is 500 lines to all who
// count.
template <std::unsigned_integral Number>
[[nodiscard]] bool to_number(std::string_view word, Number& number, unsigned base = 10) noexcept {
    Number so_far = 0;
    for (const char c : word) {
        const bool digit = c >= '0' && c <= '9';
        const char letter = static_cast<char>(c | 0x20);
        if (!digit && (letter < 'a' || letter > 'f'))
            return false;
        const auto value = static_cast<Number>(digit ? c - '0' : letter - 'a' + 10);
        if (value >= base || so_far > (static_cast<Number>(~Number{0}) - value) / base)
            return false;
        so_far = static_cast<Number>(so_far * base + value);
    }
    if (word.empty())
        return false;
    number = so_far;
    return true;
}

} // namespace noria::inline NORIA_ABI::detail
