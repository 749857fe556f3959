// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <cstring>

#include "ixgbe/registers.hpp"
#include "noria/backend/transmit.hpp"

// What lies in the rings: 16 bytes a descriptor, four little-endian words. The driver writes one, the card
// reads it, and some time later the card writes its answer over it. Here are both languages, in the
// "advanced" form (7.1.6 for receiving, 7.2.3.2.3 and 7.2.3.2.4 for sending).

namespace ixgbe {

inline constexpr std::uint32_t longest_jumbo = 9728; // bytes of the longest frame, CRC included: 9.5 KiB

struct alignas(16) descriptor {
    std::uint32_t words[4];
};

// ---- Receive: what the driver writes (7.1.6.1) ----

// A buffer for the packet, and one for its headers or 0. The second address lies over the status word, whose
// bit 0 says "done": buffers begin at even addresses, so writing it takes that back.
inline void write_receive(descriptor& to, std::uint64_t packet_iova, std::uint64_t header_iova) noexcept {
    const std::uint64_t both[] = {packet_iova, header_iova};
    std::memcpy(to.words, both, sizeof both);
}

// ---- Receive: what the card answers (7.1.6.2) ----

namespace rx { // word 2
inline constexpr std::uint32_t done = bit(0);
inline constexpr std::uint32_t end_of_packet = bit(1);
inline constexpr std::uint32_t vlan = bit(3); // there was a tag, and it is in word 3
// What follows is true of the packet, and stands in its last descriptor.
inline constexpr std::uint32_t l4_checked = bit(5);
inline constexpr std::uint32_t ip_checked = bit(6);
inline constexpr std::uint32_t header_overflow = bit(23); // HBO: the headers are longer than their buffer
inline constexpr std::uint32_t damaged = bit(29);         // with FCTRL.SBP only
inline constexpr std::uint32_t l4_error = bit(30);
inline constexpr std::uint32_t ip_error = bit(31);

// Word 0.
[[nodiscard]] constexpr std::uint32_t hash_type(std::uint32_t word0) noexcept {
    return word0 & 0xf;
}
[[nodiscard]] constexpr std::uint32_t header_length(std::uint32_t word0) noexcept {
    return word0 >> 21 & 0x3ff;
}
inline constexpr std::uint32_t split = bit(31); // the headers are in the header buffer

// Word 3.
[[nodiscard]] constexpr std::uint32_t length(std::uint32_t word3) noexcept {
    return word3 & 0xffff;
}
[[nodiscard]] constexpr std::uint16_t tag(std::uint32_t word3) noexcept {
    return static_cast<std::uint16_t>(word3 >> 16);
}

// TCP, UDP or SCTP is there and right, and IPv4 if that is (7.1.11).
[[nodiscard]] constexpr bool checksums_good(std::uint32_t word2) noexcept {
    return (word2 & (l4_checked | l4_error)) == l4_checked &&
           (word2 & (ip_checked | ip_error)) != (ip_checked | ip_error);
}
} // namespace rx

// ---- Transmit: data descriptors (7.2.3.2.4) ----

namespace tx { // word 2; 15:0 is the length of the buffer
inline constexpr std::uint32_t type_context = field(2, 20);
inline constexpr std::uint32_t type_data = field(3, 20);
inline constexpr std::uint32_t end_of_packet = bit(24);
inline constexpr std::uint32_t insert_crc = bit(25);
inline constexpr std::uint32_t report = bit(27); // RS: say when it is done
inline constexpr std::uint32_t extended = bit(29);
inline constexpr std::uint32_t insert_vlan = bit(30);
inline constexpr std::uint32_t segment = bit(31);
// Word 3.
inline constexpr std::uint32_t done = bit(0);   // the answer
inline constexpr unsigned context_index = 4;    // 6:4
inline constexpr std::uint32_t check = bit(7);  // there is a context: look at it
inline constexpr std::uint32_t ip_sum = bit(8); // write the checksum of the IPv4 header,
inline constexpr std::uint32_t l4_sum = bit(9); // and of TCP or UDP
inline constexpr unsigned payload = 14;         // 31:14, of the whole packet

inline constexpr std::uint32_t most_bytes = 16384; // of one descriptor
inline constexpr std::uint32_t most_payload = (1u << 18) - 1;
inline constexpr std::uint32_t shortest = 17;               // bytes of a packet; below, the card hangs
inline constexpr std::uint32_t longest = longest_jumbo - 4; // without the CRC
} // namespace tx

inline void write_data(descriptor& to, std::uint64_t iova, std::uint32_t length, std::uint32_t command,
                       std::uint32_t options) noexcept {
    std::memcpy(to.words, &iova, sizeof iova);
    to.words[2] = length + (tx::type_data | tx::extended | tx::insert_crc | command);
    to.words[3] = options;
}

// Writes packets in one piece that want nothing, one behind the other, and notes whose they are: see
// noria::transmits_plain.
struct plain_writer {
    static constexpr std::uint32_t done =
        std::uint32_t{noria::transmit_report::sent} | std::uint32_t{noria::transmit_report::memory_free};

    descriptor* next;
    noria::transmit_report* packet; // what is to be said of the next one when it is sent

    [[nodiscard]] static bool takes(std::uint32_t bytes) noexcept {
        return bytes - tx::shortest <= tx::longest - tx::shortest;
    }
    void put(std::uint64_t iova, std::uint32_t bytes, std::uint32_t id) noexcept {
        write_data(*next++, iova, bytes, tx::end_of_packet, field(bytes, tx::payload));
        *packet++ = {.id = id, .flags = done};
    }
};

// ---- Transmit: context descriptors (7.2.3.2.3) ----

// What the card has to know of a packet before it can write checksums into it, cut it up or tag it. It goes
// before the packet, and holds for all packets behind it that name its index: the card remembers two.
struct context {
    std::uint32_t word0 = 0; // 8:0 IP header, 15:9 Ethernet header, bytes; 31:16 VLAN tag
    std::uint32_t word2 = 0; // 10 IPv4, 12:11 kind of L4
    std::uint32_t word3 = 0; // 15:8 L4 header, 31:16 payload of each segment, bytes

    friend bool operator==(const context&, const context&) noexcept = default;
    static constexpr std::uint32_t most_link_header = (1u << 7) - 1;
    static constexpr std::uint32_t most_network_header = (1u << 9) - 1;
};

namespace tx {
inline constexpr std::uint32_t ipv4 = bit(10);
inline constexpr std::uint32_t l4_udp = field(0, 11);
inline constexpr std::uint32_t l4_tcp = field(1, 11);
inline constexpr std::uint32_t l4_none = field(3, 11);
inline constexpr std::uint32_t contexts = 2; // the card has, for each queue
} // namespace tx

inline void write_context(descriptor& to, const context& of, std::uint32_t index) noexcept {
    to.words[0] = of.word0;
    to.words[1] = 0;
    to.words[2] = of.word2 | tx::type_context | tx::extended;
    to.words[3] = of.word3 | field(index, tx::context_index);
}

} // namespace ixgbe
