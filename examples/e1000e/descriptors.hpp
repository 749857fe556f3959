// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "e1000e/registers.hpp"

// What lies in the rings: 16 bytes a descriptor, four little-endian words. The driver writes one, the card
// reads it, and some time later the card writes its answer over it. Here are both languages, in the
// "extended" form (7.1.4 for receiving, 7.2.10 and 7.2.11 for sending).

namespace e1000e {

struct alignas(16) descriptor {
    std::uint32_t words[4];
};

// ---- Receive: what the driver writes (7.1.4) ----

// Where a buffer is. How long it is, the card knows from RCTL: all are of one size. The zeros behind lie over
// the status word and take "done" back.
inline void write_receive(descriptor& to, std::uint64_t iova) noexcept {
    to.words[0] = static_cast<std::uint32_t>(iova);
    to.words[1] = static_cast<std::uint32_t>(iova >> 32);
    to.words[2] = 0;
    to.words[3] = 0;
}

// The largest size of buffer that the card knows and that is not above `bytes`; 0 when even the smallest is.
[[nodiscard]] constexpr std::uint32_t buffer_size_within(std::uint32_t bytes) noexcept {
    constexpr std::uint32_t smallest = 256, largest = 16384;
    std::uint32_t size = 0;
    for (std::uint32_t next = smallest; next <= largest && next <= bytes; next *= 2)
        size = next;
    return size;
}
// The same for RCTL (10.2.5.1): 3, 2, 1, 0 stand for 256, 512, 1024, 2048; and 3, 2, 1 for 16 times that.
[[nodiscard]] constexpr std::uint32_t buffer_code(std::uint32_t size) noexcept {
    const std::uint32_t x16 = size > 2048 ? reg::rctl::buffer_size_x16 : 0;
    const std::uint32_t unit = x16 != 0 ? size / 16 : size;
    const std::uint32_t code = unit == 256 ? 3 : unit == 512 ? 2 : unit == 1024 ? 1 : 0;
    return field(code, reg::rctl::buffer_size) | x16;
}

// ---- Receive: what the card answers (7.1.4) ----

namespace rx { // word 2
inline constexpr std::uint32_t done = bit(0);
inline constexpr std::uint32_t end_of_packet = bit(1);
// What follows is true of the packet, and stands in its last descriptor.
inline constexpr std::uint32_t ignore_checks = bit(2);
inline constexpr std::uint32_t vlan = bit(3); // there was a tag, and it is in word 3
inline constexpr std::uint32_t udp_checked = bit(4);
inline constexpr std::uint32_t tcp_checked = bit(5);
inline constexpr std::uint32_t ip_checked = bit(6);
inline constexpr std::uint32_t damaged =
    bit(24) | bit(25) | bit(26) | bit(28) | bit(31); // with RCTL.SBP only
inline constexpr std::uint32_t l4_error = bit(29);
inline constexpr std::uint32_t ip_error = bit(30);

// Word 3.
[[nodiscard]] constexpr std::uint32_t length(std::uint32_t word3) noexcept {
    return word3 & 0xffff;
}
[[nodiscard]] constexpr std::uint16_t tag(std::uint32_t word3) noexcept {
    return static_cast<std::uint16_t>(word3 >> 16);
}

// TCP or UDP is there and right, and IPv4 if that is (7.1.10).
[[nodiscard]] constexpr bool checksums_good(std::uint32_t word2) noexcept {
    return (word2 & ignore_checks) == 0 && (word2 & (udp_checked | tcp_checked)) != 0 &&
           (word2 & (l4_error | ip_error)) == 0;
}
} // namespace rx

// ---- Transmit: data descriptors (7.2.11) ----

namespace tx { // word 2; 19:0 is the length of the buffer
inline constexpr std::uint32_t type_context = field(0, 20);
inline constexpr std::uint32_t type_data = field(1, 20);
inline constexpr std::uint32_t end_of_packet = bit(24);
inline constexpr std::uint32_t insert_crc = bit(25);
inline constexpr std::uint32_t segment = bit(26); // TSE
inline constexpr std::uint32_t report = bit(27);  // RS: say when it is done
inline constexpr std::uint32_t extended = bit(29);
inline constexpr std::uint32_t insert_vlan = bit(30);
// Word 3.
inline constexpr std::uint32_t done = bit(0);   // the answer
inline constexpr std::uint32_t ip_sum = bit(8); // write the checksum of the IPv4 header,
inline constexpr std::uint32_t l4_sum = bit(9); // and of TCP or UDP
inline constexpr unsigned vlan = 16;            // 31:16

inline constexpr std::uint32_t most_bytes = 16384; // of one descriptor
// The MAC pads to 60 bytes, but is not to be given fewer than this.
inline constexpr std::uint32_t least_bytes = 17;
} // namespace tx

inline void write_data(descriptor& to, std::uint64_t iova, std::uint32_t length, std::uint32_t command,
                       std::uint32_t options) noexcept {
    to.words[0] = static_cast<std::uint32_t>(iova);
    to.words[1] = static_cast<std::uint32_t>(iova >> 32);
    to.words[2] = length | tx::type_data | tx::extended | tx::insert_crc | command;
    to.words[3] = options;
}

// ---- Transmit: context descriptors (7.2.10) ----

// What the card has to know of a packet before it can write a checksum into it: from where on bytes are
// summed, to the end of the packet, and where the sum goes. It holds for all packets behind it, until there
// is another.
struct context {
    std::uint8_t l4_start = 0; // TUCSS and TUCSO, bytes from the start of the frame
    std::uint8_t l4_field = 0;

    friend bool operator==(const context&, const context&) noexcept = default;
};

inline void write_context(descriptor& to, const context& of) noexcept {
    to.words[0] = 0; // no IP checksum
    to.words[1] = of.l4_start | field(of.l4_field, 8);
    to.words[2] = tx::type_context | tx::extended;
    to.words[3] = 0;
}

} // namespace e1000e
