// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/wire/ethernet.hpp"
#include "noria/wire/icmp.hpp"
#include "noria/wire/ipv4.hpp"
#include "noria/wire/ipv6.hpp"
#include "noria/wire/tcp.hpp"
#include "noria/wire/udp.hpp"

namespace noria::inline NORIA_ABI {

// Where the headers of a frame lie. Offsets count from the first byte of the frame; 0 says that there is
// none, since an Ethernet header comes before everything.
struct parsed_headers {
    ethertype network{};     // what Ethernet carries, behind its tags
    ip_protocol transport{}; // what IP carries, behind its extension headers; of meaning if network is an IP
    std::uint8_t vlan_tags = 0;
    bool truncated = false; // the bytes end inside a header
    bool malformed = false; // a header contradicts itself, or runs past the end of its datagram
    bool fragment = false;  // a piece of an IP datagram; only the first piece has a transport_offset

    std::uint16_t network_offset = 0;
    std::uint16_t transport_offset = 0;
    std::uint16_t payload_offset = 0; // behind the last header that is understood and whole
    // Bytes worth having in one piece: up to the payload, or all there are when a header was cut off.
    std::uint16_t header_length = 0;

    // Both addresses are there.
    [[nodiscard]] constexpr bool has_network() const noexcept {
        return (network == ethertype::ipv4 || network == ethertype::ipv6) && payload_offset > network_offset;
    }
    // The transport header is there, whole, and of a protocol this parser knows.
    [[nodiscard]] constexpr bool has_transport() const noexcept {
        return transport_offset != 0 && payload_offset > transport_offset;
    }
};

namespace detail {

// Walks over one frame. Each step looks at one header in place, and nothing is read that was not first found
// to lie before end_, which only moves towards the start.
class header_walk {
  public:
    explicit header_walk(std::span<const std::byte> frame) noexcept : frame_(frame), end_(frame.size()) {}

    [[nodiscard]] parsed_headers run() noexcept {
        ethernet();
        found_.header_length = found_.truncated ? offset(frame_.size()) : found_.payload_offset;
        return found_;
    }

  private:
    static constexpr unsigned max_vlan_tags = 2;
    // RFC 8200 section 4.1 lists six, one of them twice, in an ordinary datagram; a chain that goes on is a
    // way to make receivers walk (RFC 9098).
    static constexpr unsigned max_ipv6_extensions = 8;

    // Headers are bounded in number and size, so that no offset comes near 16 bits.
    [[nodiscard]] static constexpr std::uint16_t offset(std::size_t at) noexcept {
        return static_cast<std::uint16_t>(at);
    }

    // Whether `bytes` more are there; if not, says whose fault it is.
    [[nodiscard]] bool present(std::size_t bytes) noexcept {
        if (end_ - at_ >= bytes)
            return true;
        (end_ < frame_.size() ? found_.malformed : found_.truncated) = true;
        return false;
    }
    template <class Header>
    [[nodiscard]] const Header* peek() noexcept {
        return present(sizeof(Header)) ? header_at<Header>(frame_, at_) : nullptr;
    }
    [[nodiscard]] bool skip(std::size_t bytes) noexcept {
        if (!present(bytes))
            return false;
        at_ += bytes;
        found_.payload_offset = offset(at_);
        return true;
    }
    // A datagram ends where it says, not where the frame does: what follows is padding.
    void end_after(std::size_t bytes) noexcept {
        if (bytes < end_ - at_)
            end_ = at_ + bytes;
    }

    void ethernet() noexcept {
        const auto* header = peek<ethernet_header>();
        if (header == nullptr || !skip(sizeof *header))
            return;
        found_.network = header->type;
        while (is_vlan(found_.network) && found_.vlan_tags < max_vlan_tags) {
            const auto* tag = peek<vlan_tag>();
            if (tag == nullptr || !skip(sizeof *tag))
                return;
            found_.network = tag->type;
            ++found_.vlan_tags;
        }
        found_.network_offset = offset(at_);
        if (found_.network == ethertype::ipv4)
            ipv4();
        else if (found_.network == ethertype::ipv6)
            ipv6();
    }

    void ipv4() noexcept {
        const auto* header = peek<ipv4_header>();
        if (header == nullptr)
            return;
        const std::size_t length = header->header_length();
        if (header->version() != 4 || length < sizeof *header || header->total_length < length) {
            found_.malformed = true;
            return;
        }
        end_after(header->total_length);
        if (!skip(length))
            return;
        found_.transport = header->protocol;
        found_.fragment = header->is_fragment();
        if (header->fragment_offset() == 0)
            transport();
    }

    void ipv6() noexcept {
        const auto* header = peek<ipv6_header>();
        if (header == nullptr)
            return;
        if (header->version() != 6) {
            found_.malformed = true;
            return;
        }
        if (header->payload_length != 0)
            end_after(sizeof *header + header->payload_length);
        if (!skip(sizeof *header))
            return;
        found_.transport = header->next_header;
        for (unsigned count = 0; is_extension(found_.transport); ++count)
            if (count == max_ipv6_extensions || !ipv6_extension_header())
                return;
        if (found_.transport != ip_protocol::no_next_header)
            transport();
    }

    [[nodiscard]] static constexpr bool is_extension(ip_protocol protocol) noexcept {
        return protocol == ip_protocol::hop_by_hop || protocol == ip_protocol::routing ||
               protocol == ip_protocol::fragment || protocol == ip_protocol::authentication ||
               protocol == ip_protocol::destination_options || protocol == ip_protocol::mobility;
    }

    // False where there is nothing to go on with.
    [[nodiscard]] bool ipv6_extension_header() noexcept {
        if (found_.transport == ip_protocol::fragment) {
            const auto* header = peek<ipv6_fragment>();
            if (header == nullptr || !skip(sizeof *header))
                return false;
            found_.transport = header->next_header;
            found_.fragment = found_.fragment || header->is_fragment();
            return header->fragment_offset() == 0;
        }
        const auto* header = peek<ipv6_extension>();
        if (header == nullptr || !skip(header->header_length(found_.transport)))
            return false;
        found_.transport = header->next_header;
        return true;
    }

    void transport() noexcept {
        found_.transport_offset = offset(at_);
        switch (found_.transport) {
        case ip_protocol::tcp:
            if (const auto* header = peek<tcp_header>(); header == nullptr)
                break;
            else if (header->header_length() < sizeof *header)
                found_.malformed = true;
            else
                static_cast<void>(skip(header->header_length()));
            break;
        case ip_protocol::udp:
            static_cast<void>(skip(sizeof(udp_header)));
            break;
        case ip_protocol::icmp:
        case ip_protocol::icmpv6:
            static_cast<void>(skip(sizeof(icmp_header)));
            break;
        default:
            break;
        }
    }

    std::span<const std::byte> frame_;
    std::size_t at_ = 0;
    std::size_t end_;
    parsed_headers found_;
};

} // namespace detail

// Finds Ethernet, up to two VLAN tags, IPv4 with options or IPv6 with up to eight extension headers, and TCP,
// UDP or ICMP. `frame` starts at the Ethernet header and may be the first part of a frame only: 256 bytes
// hold the headers of all ordinary ones. Never reads outside of it, whatever the bytes say; checks no
// checksum. Thread: any. Cost: one look at each header, at most 13 of them; allocates nothing.
[[nodiscard]] inline parsed_headers parse_headers(std::span<const std::byte> frame) noexcept {
    return detail::header_walk(frame).run();
}

} // namespace noria::inline NORIA_ABI
