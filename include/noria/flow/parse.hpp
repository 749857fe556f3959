// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
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
    bool truncated = false; // the bytes end inside a header: of more bytes, more might be understood
    bool malformed = false; // a header contradicts itself, or runs past the end of its datagram
    bool fragment = false;  // a piece of an IP datagram; only the first piece has a transport_offset

    std::uint16_t network_offset = 0;
    std::uint16_t transport_offset = 0;
    std::uint16_t payload_offset = 0; // behind the last header that is understood and whole
    // Bytes worth having in one piece: up to the payload, or all there are when a header was cut off.
    std::uint16_t header_length = 0;
    // Where IP says that the datagram ends: what follows is padding, and what is not there was cut off. 0
    // says that nothing is known (a jumbogram, a header that makes no sense, no IP).
    std::uint32_t datagram_end = 0;

    // Both addresses are there.
    [[nodiscard]] constexpr bool has_network() const noexcept {
        return (network == ethertype::ipv4 || network == ethertype::ipv6) && payload_offset > network_offset;
    }
    // The transport header is there, whole, and of a protocol this parser knows.
    [[nodiscard]] constexpr bool has_transport() const noexcept {
        return transport_offset != 0 && payload_offset > transport_offset;
    }

    friend constexpr bool operator==(const parsed_headers&, const parsed_headers&) noexcept = default;
};

namespace detail {

// A frame in one piece, for a header_walk: how many bytes there are, and some of them in place.
class flat_frame {
  public:
    explicit flat_frame(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
    [[nodiscard]] const std::byte* header(std::size_t offset, std::span<std::byte>) const noexcept {
        const std::byte* const here = bytes_.data() + offset;
        if (here == nullptr)
            __builtin_unreachable(); // spares a second test behind present()
        return here;
    }

  private:
    std::span<const std::byte> bytes_;
};

// Walks over one frame. Each step looks at one header, and nothing is read that was not first found to lie
// before end_, which only moves towards the start. Frame requires size() and header(offset, scratch), which
// gives the address of the scratch.size() bytes there, in the scratch if they lie nowhere in one piece.
// What is found is written straight to where the caller wants it: a copy would load in one piece what was
// just stored in small ones, for which a processor waits until the stores are done, as long as the whole
// walk.
template <class Frame>
class header_walk {
  public:
    // `found` is as parsed_headers begin.
    header_walk(const Frame& frame, parsed_headers& found) noexcept
        : frame_(frame), end_(frame.size()), found_(found) {}

    // Goes on in the payload of `outer`, and no further than its datagram.
    header_walk(const Frame& frame, const parsed_headers& outer, parsed_headers& found) noexcept
        : header_walk(frame, found) {
        at_ = outer.payload_offset;
        if (outer.datagram_end != 0) {
            outer_end_ = outer.datagram_end;
            end_ = outer_end_ < end_ ? outer_end_ : end_;
        }
    }

    // Finds what is from here on, and ends the walk. Nothing more, where a header before was not whole.
    void from_ethernet() noexcept {
        if (!found_.truncated && !found_.malformed)
            ethernet();
        finish();
    }
    void from_network(ethertype type) noexcept {
        if (!found_.truncated && !found_.malformed)
            network(type);
        finish();
    }

    // The header here; null if it is not there. Stays until the next look.
    template <class Header>
    [[nodiscard]] const Header* peek() noexcept {
        static_assert(sizeof(Header) <= longest_look);
        if (!present(sizeof(Header)))
            return nullptr;
        return reinterpret_cast<const Header*>(frame_.header(at_, std::span(scratch_).first(sizeof(Header))));
    }
    // Past so many bytes; false if they are not there.
    [[nodiscard]] bool skip(std::size_t bytes) noexcept {
        if (!present(bytes))
            return false;
        at_ += bytes;
        return true;
    }
    // The header here, and past it.
    template <class Header>
    [[nodiscard]] const Header* take() noexcept {
        const Header* const header = peek<Header>();
        at_ += header != nullptr ? sizeof(Header) : 0;
        return header;
    }

  private:
    static constexpr std::size_t longest_look = sizeof(ipv6_header);
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
        const bool past_datagram =
            outer_end_ - at_ < bytes || (found_.datagram_end != 0 && found_.datagram_end - at_ < bytes);
        (past_datagram ? found_.malformed : found_.truncated) = true;
        return false;
    }
    // A datagram ends where it says, not where the frame does: what follows is padding.
    void end_after(std::size_t bytes) noexcept {
        found_.datagram_end = static_cast<std::uint32_t>(at_ + bytes);
        end_ = at_ + bytes < end_ ? at_ + bytes : end_;
    }

    void finish() noexcept {
        found_.payload_offset = offset(at_);
        found_.header_length = found_.truncated ? offset(frame_.size()) : found_.payload_offset;
    }

    void ethernet() noexcept {
        const auto* header = take<ethernet_header>();
        if (header == nullptr)
            return;
        ethertype type = header->type;
        for (std::uint8_t tags = 0; is_vlan(type) && tags != max_vlan_tags; found_.vlan_tags = tags) {
            const auto* tag = take<vlan_tag>();
            if (tag == nullptr) {
                found_.network = type;
                return;
            }
            type = tag->type;
            ++tags;
        }
        network(type);
    }

    void network(ethertype type) noexcept {
        found_.network = type;
        found_.network_offset = offset(at_);
        if (type == ethertype::ipv4)
            ipv4();
        else if (type == ethertype::ipv6)
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
            transport(header->protocol);
    }

    void ipv6() noexcept {
        const auto* header = peek<ipv6_header>();
        if (header == nullptr)
            return;
        if (header->version() != 6) {
            found_.malformed = true;
            return;
        }
        // A jumbogram tells its length in an option; another that says 0 is as long as that.
        if (header->payload_length != 0 || header->next_header != ip_protocol::hop_by_hop)
            end_after(sizeof *header + header->payload_length);
        if (!skip(sizeof *header))
            return;
        found_.transport = header->next_header;
        for (unsigned count = 0; is_extension(found_.transport); ++count)
            if (count == max_ipv6_extensions || !ipv6_extension_header())
                return;
        if (found_.transport != ip_protocol::no_next_header)
            transport(found_.transport);
    }

    [[nodiscard]] static constexpr bool is_extension(ip_protocol protocol) noexcept {
        return protocol == ip_protocol::hop_by_hop || protocol == ip_protocol::routing ||
               protocol == ip_protocol::fragment || protocol == ip_protocol::authentication ||
               protocol == ip_protocol::destination_options || protocol == ip_protocol::mobility;
    }

    // False where there is nothing to go on with.
    [[nodiscard]] bool ipv6_extension_header() noexcept {
        if (found_.transport == ip_protocol::fragment) {
            const auto* header = take<ipv6_fragment>();
            if (header == nullptr)
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

    void transport(ip_protocol protocol) noexcept {
        found_.transport_offset = offset(at_);
        switch (protocol) {
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

    Frame frame_;
    std::size_t at_ = 0;
    std::size_t end_; // of what may be looked at
    std::size_t outer_end_ = ~std::size_t{0};
    parsed_headers& found_;
    std::array<std::byte, longest_look> scratch_;
};

} // namespace detail

// Finds Ethernet, up to two VLAN tags, IPv4 with options or IPv6 with up to eight extension headers, and TCP,
// UDP or ICMP. What a tunnel carries is found by parse_tunnel. `frame` starts at the Ethernet header and may
// be the first part of a frame only: 256 bytes hold the headers of all ordinary ones. Never reads outside of
// it, whatever the bytes say; checks no checksum, and not the length in UDP. Thread: any. Cost: one look at
// each header, at most 13 of them; allocates nothing.
[[nodiscard]] inline parsed_headers parse_headers(std::span<const std::byte> frame) noexcept {
    parsed_headers found;
    detail::header_walk(detail::flat_frame(frame), found).from_ethernet();
    return found;
}

} // namespace noria::inline NORIA_ABI
