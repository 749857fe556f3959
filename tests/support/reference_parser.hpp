// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "noria/flow/tunnel.hpp"

// The header parsers once more, as simple as can be: over one vector, byte by byte, with an exception where
// a byte is not there. It shares the names of results with the library, and no code and no layout.
class reference_parser {
  public:
    struct found {
        noria::parsed_headers outer;
        noria::tunnel_headers tunnel;
    };

    [[nodiscard]] static found parse(const std::vector<std::uint8_t>& frame) {
        found all;
        reference_parser outer(frame, 0, endless);
        all.outer = outer.run(as_ethernet);
        const noria::parsed_headers& o = all.outer;
        if (o.transport_offset == 0 || o.fragment)
            return all;
        reference_parser inner(frame, o.payload_offset, o.datagram_end != 0 ? o.datagram_end : endless);
        noria::tunnel_headers& t = all.tunnel;
        switch (static_cast<unsigned>(o.transport)) {
        case 4:
            t = {noria::tunnel_kind::ip_in_ip, 0, inner.run(0x0800)};
            break;
        case 41:
            t = {noria::tunnel_kind::ip_in_ip, 0, inner.run(0x86dd)};
            break;
        case 47:
            t = inner.gre();
            break;
        case 17:
            if (o.has_transport() &&
                frame[o.transport_offset + 2u] * 256 + frame[o.transport_offset + 3u] == 4789)
                t = inner.vxlan();
            break;
        default:
            break;
        }
        return all;
    }

  private:
    static constexpr unsigned as_ethernet = 0x6558;
    static constexpr std::size_t endless = 1'000'000;
    struct stop {};

    // `end`: of the datagram that this is in.
    reference_parser(const std::vector<std::uint8_t>& frame, std::size_t at, std::size_t end)
        : frame_(frame), at_(at), end_(end) {
        out_.payload_offset = static_cast<std::uint16_t>(at);
    }

    void need(std::size_t n) {
        if (at_ + n > end_)
            refuse();
        if (at_ + n <= frame_.size())
            return;
        out_.truncated = true;
        throw stop{};
    }
    void take(std::size_t n) {
        need(n);
        at_ += n;
        out_.payload_offset = static_cast<std::uint16_t>(at_);
    }
    void refuse() {
        out_.malformed = true;
        throw stop{};
    }
    [[nodiscard]] unsigned u8(std::size_t i) const { return frame_.at(at_ + i); }
    [[nodiscard]] unsigned u16(std::size_t i) const { return u8(i) * 256 + u8(i + 1); }

    noria::parsed_headers run(unsigned type) {
        try {
            if (type == as_ethernet)
                ethernet();
            else
                network(type);
        } catch (stop) {
        }
        return result();
    }
    noria::parsed_headers result() {
        out_.header_length = out_.truncated ? static_cast<std::uint16_t>(frame_.size()) : out_.payload_offset;
        return out_;
    }

    void ethernet() {
        need(14);
        unsigned type = u16(12);
        take(14);
        out_.network = static_cast<noria::ethertype>(type);
        for (int tag = 0; tag < 2 && (type == 0x8100 || type == 0x88a8); ++tag) {
            need(4);
            type = u16(2);
            take(4);
            ++out_.vlan_tags;
            out_.network = static_cast<noria::ethertype>(type);
        }
        network(type);
    }

    void network(unsigned type) {
        out_.network = static_cast<noria::ethertype>(type);
        out_.network_offset = static_cast<std::uint16_t>(at_);
        if (type == 0x0800) {
            need(20);
            const unsigned length = u8(0) % 16 * 4;
            const unsigned total = u16(2);
            if (u8(0) / 16 != 4 || length < 20 || total < length)
                refuse();
            bound(total);
            const unsigned fragment = u16(6);
            const unsigned protocol = u8(9);
            take(length);
            out_.transport = static_cast<noria::ip_protocol>(protocol);
            out_.fragment = fragment % 0x4000 != 0;
            if (fragment % 0x2000 == 0)
                transport(protocol);
        } else if (type == 0x86dd) {
            need(40);
            if (u8(0) / 16 != 6)
                refuse();
            const unsigned length = u16(4);
            unsigned next = u8(6);
            if (length != 0 || next != 0) // else a jumbogram
                bound(40 + length);
            take(40);
            out_.transport = static_cast<noria::ip_protocol>(next);
            static const std::set<unsigned> extensions{0, 43, 44, 51, 60, 135};
            for (int count = 0; extensions.count(next) != 0; ++count) {
                if (count == 8)
                    return;
                need(next == 44 ? 8 : 2);
                const unsigned own = next;
                const unsigned fragment = own == 44 ? u16(2) : 0;
                const unsigned bytes = own == 44 ? 8 : own == 51 ? (u8(1) + 2) * 4 : (u8(1) + 1) * 8;
                const unsigned after = u8(0);
                take(bytes);
                next = after;
                out_.transport = static_cast<noria::ip_protocol>(next);
                out_.fragment = out_.fragment || fragment / 8 != 0 || fragment % 2 != 0;
                if (fragment / 8 != 0)
                    return;
            }
            if (next != 59)
                transport(next);
        }
    }

    void bound(std::size_t length) {
        out_.datagram_end = static_cast<std::uint32_t>(at_ + length);
        if (at_ + length < end_)
            end_ = at_ + length;
    }

    void transport(unsigned protocol) {
        out_.transport_offset = static_cast<std::uint16_t>(at_);
        if (protocol == 6) {
            need(20);
            if (u8(12) / 16 < 5)
                refuse();
            take(u8(12) / 16 * 4);
        } else if (protocol == 17 || protocol == 1 || protocol == 58) {
            take(8);
        }
    }

    noria::tunnel_headers gre() {
        try {
            need(4);
            const unsigned flags = u16(0);
            const unsigned type = u16(2);
            if (flags % 8 != 0 || (flags & 0x4000) != 0)
                return {};
            take(4 + ((flags & 0x8000) != 0 ? 4 : 0) + ((flags & 0x2000) != 0 ? 4 : 0) +
                 ((flags & 0x1000) != 0 ? 4 : 0));
            return {noria::tunnel_kind::gre, 0, run(type)};
        } catch (stop) {
            return {noria::tunnel_kind::gre, 0, result()};
        }
    }
    noria::tunnel_headers vxlan() {
        try {
            need(8);
            if ((u8(0) & 8) == 0)
                return {};
            const std::uint32_t id = u8(4) * 65536 + u16(5);
            take(8);
            return {noria::tunnel_kind::vxlan, id, run(as_ethernet)};
        } catch (stop) {
            return {noria::tunnel_kind::vxlan, 0, result()};
        }
    }

    const std::vector<std::uint8_t>& frame_;
    std::size_t at_;
    std::size_t end_;
    noria::parsed_headers out_;
};
