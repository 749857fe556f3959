// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "noria/core/endian.hpp"
#include "noria/wire/checksum.hpp"
#include "noria/wire/tcp.hpp"

#include "dma_engine.hpp"

namespace model82599 {

// A transmit context: what the card cannot see of a frame by itself. 82599 section 7.2.3.2.3.
struct transmit_context {
    bool given = false;
    std::size_t ip_length = 0;
    std::size_t mac_length = 0;
    std::uint16_t vlan = 0;
    bool ipv4 = false;
    std::uint32_t l4_type = 0; // 0 UDP, 1 TCP, 2 SCTP, 3 none
    std::size_t l4_length = 0;
    std::size_t segment_size = 0;

    static constexpr std::uint32_t udp = 0, tcp = 1;

    [[nodiscard]] static transmit_context from(const descriptor& given) noexcept {
        const auto& word = given.words;
        return {.given = true,
                .ip_length = word[0] & 0x1ff,
                .mac_length = word[0] >> 9 & 0x7f,
                .vlan = static_cast<std::uint16_t>(word[0] >> 16),
                .ipv4 = (word[2] >> 10 & 1) != 0,
                .l4_type = word[2] >> 11 & 3,
                .l4_length = word[3] >> 8 & 0xff,
                .segment_size = word[3] >> 16};
    }
    [[nodiscard]] std::size_t l4_offset() const noexcept { return mac_length + ip_length; }
    [[nodiscard]] std::size_t headers() const noexcept { return l4_offset() + l4_length; }
};

// What is to be done with a frame before it goes out.
struct offload {
    bool ip_checksum = false;
    bool l4_checksum = false;
    bool insert_vlan = false;
    bool segment = false;
    transmit_context context;
    std::byte flags_kept[3] = {}; // of TCP: in the first segment, in those in the middle, in the last
};

namespace detail {

// The card adds up what is there, the old content of the field too: software leaves 0 in it, or for layer 4
// the sum of the pseudo-header.
inline void store_checksum(std::span<std::byte> covered, std::size_t field, bool is_udp) noexcept {
    if (field + 2 > covered.size())
        return;
    const noria::internet_sum sum = noria::sum_of(covered);
    noria::store_big(covered.data() + field, is_udp ? noria::udp_checksum(sum) : sum.checksum());
}

template <class T>
void add_big(std::byte* at, T more) noexcept {
    noria::store_big(at, static_cast<T>(noria::load_big<T>(at) + more));
}

} // namespace detail

// Preconditions: the headers of `what.context` lie within the frame.
inline void fill_checksums(std::span<std::byte> frame, const offload& what) noexcept {
    const transmit_context& context = what.context;
    if (what.ip_checksum && context.ipv4)
        detail::store_checksum(frame.subspan(context.mac_length, context.ip_length), 10, false);
    if (what.l4_checksum && context.l4_type <= transmit_context::tcp) {
        const bool is_udp = context.l4_type == transmit_context::udp;
        detail::store_checksum(frame.subspan(context.l4_offset()), is_udp ? 6 : 16, is_udp);
    }
}

// Cuts a frame into segments of the context's size, 82599 section 7.2.4: each gets the headers, with its own
// length, identification and sequence number, and the TCP flags that DTXTCPFLG leaves it. Software has
// left the lengths out: the IP length is 0, and the pseudo-header's sum is without one.
template <class Emit>
void cut_segments(std::span<const std::byte> frame, const offload& what, Emit emit) {
    const transmit_context& context = what.context;
    const std::size_t headers = context.headers();
    std::vector<std::byte> segment;
    std::uint16_t count = 0;
    for (std::size_t at = headers; at < frame.size(); ++count) {
        const std::size_t payload = std::min(context.segment_size, frame.size() - at);
        const bool first = at == headers;
        const bool last = at + payload == frame.size();
        segment.assign(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(headers));
        segment.insert(segment.end(), frame.begin() + static_cast<std::ptrdiff_t>(at),
                       frame.begin() + static_cast<std::ptrdiff_t>(at + payload));

        std::byte* ip = segment.data() + context.mac_length;
        std::byte* l4 = segment.data() + context.l4_offset();
        const auto l4_size = static_cast<std::uint16_t>(context.l4_length + payload);
        if (context.ipv4) {
            noria::store_big(ip + 2, static_cast<std::uint16_t>(context.ip_length + l4_size));
            detail::add_big(ip + 4, count);
        } else {
            noria::store_big(ip + 4, static_cast<std::uint16_t>(context.ip_length - 40 + l4_size));
        }
        if (context.l4_type == transmit_context::tcp) {
            detail::add_big(l4 + 4, static_cast<std::uint32_t>(at - headers));
            if (!first || !last)
                l4[13] &= first ? what.flags_kept[0] : last ? what.flags_kept[2] : what.flags_kept[1];
        } else {
            noria::store_big(l4 + 4, l4_size);
        }
        const std::size_t field = context.l4_type == transmit_context::tcp ? 16 : 6;
        const auto seed = noria::internet_sum(noria::load_big<std::uint16_t>(l4 + field));
        noria::store_big(l4 + field, (seed + noria::internet_sum(l4_size)).value());
        fill_checksums(segment, what);
        emit(std::span<std::byte>(segment));
        at += payload;
    }
}

// A tag behind the addresses.
inline void insert_vlan(std::vector<std::byte>& frame, std::uint16_t type, std::uint16_t tag) {
    std::byte bytes[4];
    noria::store_big(bytes, type);
    noria::store_big(bytes + 2, tag);
    frame.insert(frame.begin() + 12, std::begin(bytes), std::end(bytes));
}

} // namespace model82599
