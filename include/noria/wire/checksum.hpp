// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "noria/core/endian.hpp"
#include "noria/wire/ipv4.hpp"
#include "noria/wire/ipv6.hpp"

// The Internet checksum: RFC 1071, and RFC 1624 for changing a checksummed header in place.

namespace noria::inline NORIA_ABI {

// The one's-complement sum of 16-bit words, as a number (most significant byte first, as on the wire).
// Zero has two spellings, 0 and 0xffff, which compare equal. A plain value; constexpr; a few instructions a
// call.
class internet_sum {
  public:
    constexpr internet_sum() noexcept = default;
    // One word, or two where the number does not fit into one.
    constexpr explicit internet_sum(std::uint32_t words) noexcept : value_(fold(words)) {}

    friend constexpr internet_sum operator+(internet_sum left, internet_sum right) noexcept {
        return internet_sum(std::uint32_t{left.value_} + right.value_);
    }
    // Takes words out again: in one's complement that is adding the inverse.
    friend constexpr internet_sum operator-(internet_sum left, internet_sum right) noexcept {
        return internet_sum(std::uint32_t{left.value_} + static_cast<std::uint16_t>(~right.value_));
    }
    friend constexpr bool operator==(internet_sum left, internet_sum right) noexcept {
        return left.value_ % 0xffff == right.value_ % 0xffff;
    }

    // What this sum of a block adds to the whole, where the block starts that many bytes into it: behind an
    // odd number of bytes each byte sits in the other half of its word (RFC 1071 section 2 (B)).
    [[nodiscard]] constexpr internet_sum at_offset(std::size_t offset) const noexcept {
        return offset % 2 == 0 ? *this : internet_sum(byte_swap(value_));
    }

    [[nodiscard]] constexpr std::uint16_t value() const noexcept { return value_; }
    // What goes into the checksum field.
    [[nodiscard]] constexpr std::uint16_t checksum() const noexcept {
        return static_cast<std::uint16_t>(~value_);
    }
    // True of the sum over all that a checksum covers and the checksum itself, if no byte changed on the way.
    [[nodiscard]] constexpr bool verifies() const noexcept { return *this == internet_sum(); }

  private:
    static constexpr std::uint16_t fold(std::uint32_t words) noexcept {
        words = (words >> 16) + (words & 0xffff);
        return static_cast<std::uint16_t>((words >> 16) + (words & 0xffff));
    }

    std::uint16_t value_ = 0;
};

namespace detail {

template <class T>
[[nodiscard]] inline T load_native(const std::byte* from) noexcept {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

} // namespace detail

// The sum over the bytes; an odd last byte is the upper half of a word whose other half is zero.
// Thread: any. Any alignment, any length up to 16 GiB. Cost: one pass, about 40 bytes a nanosecond once in
// cache.
[[nodiscard]] inline internet_sum sum_of(std::span<const std::byte> bytes) noexcept {
    // Words are summed as the machine reads them, because one swap of the result makes up for swapping every
    // word (RFC 1071 section 2 (B)). Both 32-bit halves of a 64-bit word have a sum of their own, so no
    // addition carries out, and the vector lanes need not talk to each other before the end.
    using lanes [[gnu::vector_size(16)]] = std::uint64_t;
    const std::byte* at = bytes.data();
    std::size_t left = bytes.size();
    std::uint64_t sum = 0;
    if (left >= 64) {
        lanes low{};
        lanes high{};
        const auto add = [&](const std::byte* from) {
            const auto words = detail::load_native<lanes>(from);
            low += words & 0xffff'ffff;
            high += words >> 32;
        };
        for (; left >= 64; left -= 64, at += 64) {
            add(at);
            add(at + 16);
            add(at + 32);
            add(at + 48);
        }
        low += high;
        sum = low[0] + low[1];
    }
    for (; left >= 4; left -= 4, at += 4)
        sum += detail::load_native<std::uint32_t>(at);
    if (left >= 2) {
        sum += detail::load_native<std::uint16_t>(at);
        at += 2;
    }
    if (left % 2 != 0)
        sum += big_endian(static_cast<std::uint16_t>(std::to_integer<unsigned>(*at) << 8));

    sum = (sum >> 32) + (sum & 0xffff'ffff);
    sum = (sum >> 32) + (sum & 0xffff'ffff);
    return internet_sum(big_endian(internet_sum(static_cast<std::uint32_t>(sum)).value()));
}

// Sums a chain of blocks as if they lay in one piece, whatever their lengths.
// Thread: one.
class checksum_accumulator {
  public:
    void add(std::span<const std::byte> block) noexcept {
        sum_ = sum_ + sum_of(block).at_offset(length_);
        length_ += block.size();
    }
    [[nodiscard]] internet_sum sum() const noexcept { return sum_; }

  private:
    internet_sum sum_;
    std::size_t length_ = 0;
};

// What TCP, UDP and ICMPv6 checksums cover besides their own bytes. `length` counts transport header and
// payload. RFC 9293 section 3.1.
[[nodiscard]] inline internet_sum pseudo_header_sum(const ipv4_address& source,
                                                    const ipv4_address& destination, ip_protocol protocol,
                                                    std::uint16_t length) noexcept {
    return sum_of(std::as_bytes(std::span(source.bytes))) +
           sum_of(std::as_bytes(std::span(destination.bytes))) +
           internet_sum(static_cast<std::uint8_t>(protocol)) + internet_sum(length);
}

// RFC 8200 section 8.1. `protocol` is that of the last header, not of an extension header.
[[nodiscard]] inline internet_sum pseudo_header_sum(const ipv6_address& source,
                                                    const ipv6_address& destination, ip_protocol protocol,
                                                    std::uint32_t length) noexcept {
    return sum_of(std::as_bytes(std::span(source.bytes))) +
           sum_of(std::as_bytes(std::span(destination.bytes))) +
           internet_sum(static_cast<std::uint8_t>(protocol)) + internet_sum(length);
}

// The checksum field after covered words that summed to `before` were replaced by words that sum to `after`.
// RFC 1624 equation 3: HC' = ~(~HC + ~m + m'). Equal to computing it anew unless all that is covered is zero.
[[nodiscard]] constexpr std::uint16_t update_checksum(std::uint16_t checksum, internet_sum before,
                                                      internet_sum after) noexcept {
    return (internet_sum(static_cast<std::uint16_t>(~checksum)) - before + after).checksum();
}

// UDP's field says "no checksum" with zero, so a checksum that comes out as zero is sent in its other
// spelling (RFC 768).
[[nodiscard]] constexpr std::uint16_t udp_checksum(internet_sum sum) noexcept {
    const std::uint16_t checksum = sum.checksum();
    return checksum == 0 ? std::uint16_t{0xffff} : checksum;
}

} // namespace noria::inline NORIA_ABI
