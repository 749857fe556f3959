// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/flow/parse.hpp"
#include "noria/wire/checksum.hpp"
#include "noria/wire/toeplitz.hpp"

#include "offsets.hpp"
#include "register_file.hpp"

namespace model82599 {

// What the card finds out about a frame and writes into its descriptor.
struct frame_facts {
    noria::parsed_headers headers;
    std::uint32_t packet_type = 0; // bits 16:4 of word 0, in place
    std::uint32_t hash_type = 0;
    std::uint32_t hash = 0;
    std::uint32_t queue = 0;
    std::uint32_t identification = 0; // of IPv4
    std::uint32_t status = 0;         // checksum bits of word 2, status and errors
    std::uint32_t split_length = 0;   // bytes of header, where the queue's PSRTYPE asks to split here; else 0
};

// Looks at frames: packet type, receive hash and queue (RSS), checksums. 82599 sections 7.1.2, 7.1.11.
class classifier {
  public:
    explicit classifier(const register_file& registers) noexcept : registers_(registers) {}

    // RETA and the key changed, perhaps.
    void forget_key() noexcept { key_known_ = false; }

    [[nodiscard]] frame_facts look(std::span<const std::byte> frame) noexcept {
        frame_facts facts;
        facts.headers = noria::parse_headers(frame);
        facts.packet_type = packet_type(frame, facts.headers);
        hash(frame, facts);
        checksums(frame, facts);
        facts.split_length = split_length(facts.headers);
        return facts;
    }

  private:
    [[nodiscard]] static bool is_ipv4(const noria::parsed_headers& headers) noexcept {
        return headers.has_network() && headers.network == noria::ethertype::ipv4;
    }
    [[nodiscard]] static bool is_ipv6(const noria::parsed_headers& headers) noexcept {
        return headers.has_network() && headers.network == noria::ethertype::ipv6;
    }
    // TCP or UDP whole in this frame, ports and all.
    [[nodiscard]] static bool carries(const noria::parsed_headers& headers,
                                      noria::ip_protocol what) noexcept {
        return headers.has_network() && headers.has_transport() && !headers.fragment &&
               headers.transport == what;
    }

    [[nodiscard]] static std::uint32_t packet_type(std::span<const std::byte> frame,
                                                   const noria::parsed_headers& headers) noexcept {
        constexpr std::uint32_t ipv4 = 1u << 4, ipv4_options = 1u << 5, ipv6 = 1u << 6,
                                ipv6_extensions = 1u << 7, tcp = 1u << 8, udp = 1u << 9;
        std::uint32_t type = 0;
        if (is_ipv4(headers)) {
            const auto* ip = noria::header_at<noria::ipv4_header>(frame, headers.network_offset);
            type |= ipv4 | (ip->header_length() > sizeof *ip ? ipv4_options : 0);
        } else if (is_ipv6(headers)) {
            const auto* ip = noria::header_at<noria::ipv6_header>(frame, headers.network_offset);
            type |= ipv6 | (ip->next_header != headers.transport ? ipv6_extensions : 0);
        }
        if (carries(headers, noria::ip_protocol::tcp))
            type |= tcp;
        if (carries(headers, noria::ip_protocol::udp))
            type |= udp;
        return type;
    }

    void hash(std::span<const std::byte> frame, frame_facts& facts) noexcept {
        if (registers_.field(at::mrqc, 3, 0) != 1)
            return;
        const noria::parsed_headers& headers = facts.headers;
        const bool tcp = carries(headers, noria::ip_protocol::tcp);
        const bool udp = carries(headers, noria::ip_protocol::udp);
        const auto enabled = [&](unsigned bit) { return registers_.bit(at::mrqc, bit); };
        bool ports = true;
        if (is_ipv4(headers)) {
            if (tcp && enabled(16))
                facts.hash_type = 1;
            else if (udp && enabled(22))
                facts.hash_type = 7;
            else if (enabled(17)) {
                facts.hash_type = 2;
                ports = false;
            }
        } else if (is_ipv6(headers)) {
            if (tcp && enabled(21))
                facts.hash_type = 3;
            else if (udp && enabled(23))
                facts.hash_type = 8;
            else if (enabled(20)) {
                facts.hash_type = 5;
                ports = false;
            }
        }
        if (facts.hash_type == 0)
            return;
        // Source and destination address, then both ports, as they lie on the wire.
        std::array<std::uint8_t, noria::toeplitz_max_input> input{};
        std::size_t size = 0;
        const auto append = [&](std::size_t offset, std::size_t bytes) {
            for (std::size_t i = 0; i != bytes; ++i)
                input[size++] = std::to_integer<std::uint8_t>(frame[offset + i]);
        };
        if (is_ipv4(headers))
            append(headers.network_offset + 12u, 8);
        else
            append(headers.network_offset + 8u, 32);
        if (ports)
            append(headers.transport_offset, 4);
        facts.hash = hasher()(std::span(input).first(size));
        // 128 entries of a byte, the lowest first, of which 4 bits count.
        const std::uint32_t entry = facts.hash & 0x7f;
        facts.queue = registers_[at::reta + (entry & ~3u)] >> (8 * (entry & 3)) & 0xf;
    }

    [[nodiscard]] const noria::toeplitz_hasher& hasher() noexcept {
        if (!key_known_) {
            noria::toeplitz_key key{};
            for (std::uint32_t i = 0; i != key.size(); ++i)
                key[i] = static_cast<std::uint8_t>(registers_[at::rssrk + (i & ~3u)] >> (8 * (i & 3)));
            hasher_ = noria::toeplitz_hasher(key);
            key_known_ = true;
        }
        return hasher_;
    }

    static void checksums(std::span<const std::byte> frame, frame_facts& facts) noexcept {
        constexpr std::uint32_t udp_checked = 1u << 4, l4_checked = 1u << 5, ip_checked = 1u << 6,
                                l4_error = 1u << 30, ip_error = 1u << 31;
        const noria::parsed_headers& headers = facts.headers;
        if (is_ipv4(headers)) {
            const auto* ip = noria::header_at<noria::ipv4_header>(frame, headers.network_offset);
            facts.status |= ip_checked;
            facts.identification = ip->identification;
            if (!noria::sum_of(frame.subspan(headers.network_offset, ip->header_length())).verifies())
                facts.status |= ip_error;
        }
        const bool tcp = carries(headers, noria::ip_protocol::tcp);
        const bool udp = carries(headers, noria::ip_protocol::udp);
        if ((!tcp && !udp) || headers.datagram_end == 0 || headers.datagram_end > frame.size())
            return;
        if (udp && noria::header_at<noria::udp_header>(frame, headers.transport_offset)->checksum == 0)
            return; // none was sent
        const auto covered =
            frame.subspan(headers.transport_offset, headers.datagram_end - headers.transport_offset);
        const auto length = static_cast<std::uint16_t>(covered.size());
        noria::internet_sum sum = noria::sum_of(covered);
        if (is_ipv4(headers)) {
            const auto* ip = noria::header_at<noria::ipv4_header>(frame, headers.network_offset);
            sum = sum + noria::pseudo_header_sum(ip->source, ip->destination, headers.transport, length);
        } else {
            const auto* ip = noria::header_at<noria::ipv6_header>(frame, headers.network_offset);
            sum = sum + noria::pseudo_header_sum(ip->source, ip->destination, headers.transport,
                                                 std::uint32_t{length});
        }
        facts.status |= l4_checked | (udp ? udp_checked : 0);
        if (!sum.verifies())
            facts.status |= l4_error;
    }

    // PSRTYPE: 4 TCP, 5 UDP, 8 IPv4, 9 IPv6, 12 layer 2. As far in as the bits go that are set.
    [[nodiscard]] std::uint32_t split_length(const noria::parsed_headers& headers) const noexcept {
        const auto wanted = [&](unsigned bit) { return registers_.bit(at::psrtype, bit); };
        if ((carries(headers, noria::ip_protocol::tcp) && wanted(4)) ||
            (carries(headers, noria::ip_protocol::udp) && wanted(5)))
            return headers.payload_offset;
        if ((is_ipv4(headers) && wanted(8)) || (is_ipv6(headers) && wanted(9)))
            return headers.has_transport() ? headers.transport_offset : headers.payload_offset;
        return wanted(12) ? headers.network_offset : 0;
    }

    const register_file& registers_;
    noria::toeplitz_hasher hasher_;
    bool key_known_ = false;
};

} // namespace model82599
