// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "noria/packet/packet.hpp"

// What a packet should be, said without any of its tricks: a vector of bytes, some lengths, and the pages it
// holds.

// A head and its one reference to a page, however many packets share it: the shared_ptr counts those.
struct model_head {
    noria::page* under;
    std::uint32_t offset; // in the page
    std::uint32_t held;   // what it is charged for
    std::uint64_t counted = 0;
};

struct model_packet {
    std::vector<std::byte> room;  // the bytes of the headroom
    std::vector<std::byte> bytes; // the packet's
    std::uint32_t headlen = 0;
    std::uint32_t behind = 0; // room behind tail
    std::shared_ptr<model_head> head;
    std::vector<noria::fragment> fragments;
    std::uint32_t epoch = 0;
    std::array<std::uint32_t, 3> headers{}; // mac, network and transport, from the head
    std::uint32_t tag = 0;                  // in info().hash and in the user area
    noria::checksum_state checksum = noria::checksum_state::none;
    std::uint32_t sum_start = 0; // partial: where the sum begins, from the head,
    std::uint32_t sum_field = 0; // and where it is to be written, from there

    [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(bytes.size()); }
    [[nodiscard]] std::uint32_t headroom() const { return static_cast<std::uint32_t>(room.size()); }
    [[nodiscard]] std::uint32_t data_len() const { return size() - headlen; }
    [[nodiscard]] std::uint32_t end() const { return headroom() + headlen + behind; }
    [[nodiscard]] std::uint32_t tailroom() const { return fragments.empty() ? behind : 0; }
    [[nodiscard]] bool shared() const { return head.use_count() != 1; }
    [[nodiscard]] std::uint32_t truesize() const {
        std::uint32_t sum = static_cast<std::uint32_t>(sizeof(noria::packet)) + head->held;
        for (const noria::fragment& part : fragments)
            sum += part.truesize;
        return sum;
    }

    // Of a partial checksum, from data().
    [[nodiscard]] std::uint32_t start() const { return sum_start - headroom(); }
    [[nodiscard]] std::uint32_t field() const { return start() + sum_field; }

    void changed(bool summed) {
        if (checksum == noria::checksum_state::complete && !summed)
            checksum = noria::checksum_state::none;
    }
    void put(const std::vector<std::byte>& added, bool summed = false) {
        changed(summed);
        bytes.insert(bytes.end(), added.begin(), added.end());
        headlen += static_cast<std::uint32_t>(added.size());
        behind -= static_cast<std::uint32_t>(added.size());
    }
    void push(const std::vector<std::byte>& added, bool summed = false) {
        changed(summed);
        room.resize(room.size() - added.size());
        bytes.insert(bytes.begin(), added.begin(), added.end());
        headlen += static_cast<std::uint32_t>(added.size());
    }
    void pull(std::uint32_t n) {
        room.insert(room.end(), bytes.begin(), bytes.begin() + n);
        bytes.erase(bytes.begin(), bytes.begin() + n);
        headlen -= n;
        if (checksum == noria::checksum_state::partial && sum_start < headroom())
            checksum = noria::checksum_state::none;
    }
    // True when it joined the last fragment, and so took no reference.
    bool attach(const noria::fragment& added, bool summed = false) {
        changed(summed);
        bytes.insert(bytes.end(), added.data(), added.data() + added.length);
        if (!fragments.empty() && fragments.back().under == added.under &&
            fragments.back().offset + fragments.back().length == added.offset) {
            fragments.back().length += added.length;
            fragments.back().truesize =
                std::min(fragments.back().truesize + added.truesize, added.under->size());
            return true;
        }
        fragments.push_back(added);
        return false;
    }
    // False when it may not.
    bool cut(std::uint32_t n) {
        if (n >= size())
            return true;
        if (checksum == noria::checksum_state::partial && field() + 2 > n)
            return false;
        bytes.resize(n);
        const std::uint32_t off_the_head = headlen - std::min(headlen, n);
        headlen -= off_the_head;
        behind += off_the_head;
        std::vector<noria::fragment> kept;
        for (std::uint32_t left = n - headlen; left != 0; left -= kept.back().length) {
            kept.push_back(fragments[kept.size()]);
            kept.back().length = std::min(left, kept.back().length);
        }
        fragments = kept;
        return true;
    }
    void gather(std::uint32_t n) {
        headlen += n;
        behind -= n;
        while (n != 0) {
            noria::fragment& first = fragments.front();
            const std::uint32_t now = std::min(n, first.length);
            first.offset += now;
            first.length -= now;
            n -= now;
            if (first.length == 0)
                fragments.erase(fragments.begin());
        }
    }
    void condense() {
        if (data_len() <= behind && !shared())
            gather(data_len());
    }
    // Moves to a head of its own, `usable` bytes long. What the new headroom holds is learnt from the packet.
    void move_to(noria::page& fresh, std::uint32_t more_headroom, std::uint32_t usable) {
        room.insert(room.begin(), fresh.data(), fresh.data() + more_headroom);
        head = std::make_shared<model_head>(model_head{&fresh, 0, fresh.size()});
        behind = usable - headroom() - headlen;
        for (std::uint32_t& header : headers)
            header += more_headroom;
        sum_start += more_headroom;
        ++epoch;
    }

    // The first thing in which the packet is not what it should be, or nullptr.
    [[nodiscard]] const char* differs_from(noria::packet& real) const {
        const std::byte* const start = head->under->data() + head->offset;
        if (real.size() != size())
            return "size";
        if (real.headlen() != headlen || real.linear().size() != headlen)
            return "headlen";
        if (real.data_len() != data_len())
            return "data_len";
        if (real.headroom() != headroom())
            return "headroom";
        if (real.room_behind_tail() != behind || real.tailroom() != tailroom())
            return "room behind tail";
        if (real.data() != start + headroom() || real.linear().data() != real.data())
            return "address";
        if (real.truesize() != truesize() || real.truesize() < real.size())
            return "truesize";
        if (real.head_shared() != shared())
            return "head_shared";
        if (real.is_linear() != fragments.empty() || real.fragments().size() != fragments.size())
            return "number of fragments";
        for (std::size_t i = 0; i != fragments.size(); ++i) {
            const noria::fragment& part = real.fragments()[i];
            if (part.under != fragments[i].under || part.offset != fragments[i].offset ||
                part.length != fragments[i].length || part.truesize != fragments[i].truesize ||
                part.length == 0)
                return "fragment";
        }
        if (real.epoch() != epoch)
            return "epoch";
        if (real.mac_header() != start + headers[0] || real.network_header() != start + headers[1] ||
            real.transport_header() != start + headers[2])
            return "header offsets";
        if (real.info().hash != tag || real.user_area()[47] != static_cast<std::byte>(tag))
            return "info or user area";
        const noria::packet_info& info = real.info();
        if (info.checksum_state != checksum)
            return "checksum state";
        if (checksum == noria::checksum_state::complete && info.sum() != noria::sum_of(bytes))
            return "complete sum";
        if (checksum == noria::checksum_state::partial &&
            (info.checksum_start != sum_start || info.checksum != sum_field))
            return "place of the partial checksum";
        std::vector<std::byte> all(room.size() + bytes.size());
        if (!real.copy_bits(-std::int64_t{headroom()}, all))
            return "range of copy_bits";
        if (!std::equal(room.begin(), room.end(), all.begin()))
            return "bytes of the headroom";
        if (!std::equal(bytes.begin(), bytes.end(), all.begin() + headroom()))
            return "bytes";
        return nullptr;
    }
};
