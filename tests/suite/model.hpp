// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

// What a packet should be, said without any of a buffer's tricks: a vector of bytes, some lengths, and the
// pages it holds. Only the standard library is needed here: take the folder.

namespace suite {

// In what permitted ways a buffer differs from sk_buff's rules, which are the defaults.
struct packet_rules {
    std::uint32_t most_fragments = 17;
    std::uint32_t pull_slack = 128;        // pull_tail asks for so many bytes more when it needs a new head
    std::uint32_t headroom_steps = 64;     // what cow_head lets the headroom grow by is a multiple of it
    std::uint32_t descriptor_truesize = 0; // what a packet is charged for beside its head and fragments
    bool joins_fragments = true;           // bytes that follow on the same page need no fragment of their own
    bool sees_sharing = true;              // refuses to write what clones share; else it is not asked to
    bool counts_head_once = true; // clones have one reference to a head's page together; else each has one
    bool heads_are_descriptors = false;    // a head takes no descriptor, and every fragment takes one
    bool linearize_finds_room = true;      // else it has only what is behind the tail
    bool cuts_anywhere = true;             // else only off the last fragment
    bool drops_empty_fragments = true;     // else there are fragments without bytes
    bool puts_behind_fragments = false;    // put appends to the last fragment: it is not asked to
    bool copies_headroom = true;           // and copies are linear; else the copy looks as it likes
    bool copies_nothing = true;            // copies and empty ranges of empty packets; else that is a failure
    bool reads_fragments_in_place = false; // header_pointer may show bytes where they lie in a fragment
};

enum class checksum_state : std::uint8_t { none, unnecessary, complete, partial };
struct checksum {
    checksum_state state = checksum_state::none;
    std::uint8_t level = 0;  // unnecessary
    std::uint16_t sum = 0;   // complete: of all bytes, as RFC 1071 has it
    std::uint32_t start = 0; // partial: where it begins, in bytes from data(),
    std::uint32_t field = 0; // and where it is to be written, in bytes from there
};

// RFC 1071: the one's complement sum of big-endian words.
inline std::uint16_t sum_of(std::span<const std::byte> bytes) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
        sum += std::to_integer<std::uint32_t>(bytes[i]) << 8 | std::to_integer<std::uint32_t>(bytes[i + 1]);
    if (bytes.size() % 2 != 0)
        sum += std::to_integer<std::uint32_t>(bytes.back()) << 8;
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
}
// There are two ways to write zero.
inline bool same_sum(std::uint16_t one, std::uint16_t other) {
    return one % 0xffff == other % 0xffff;
}

template <class Page>
struct model_fragment {
    Page page{};
    std::uint32_t offset = 0; // in the page
    std::uint32_t length = 0;
    std::uint32_t truesize = 0;
    friend bool operator==(const model_fragment&, const model_fragment&) = default;
};

// A head, however many packets share it: the shared_ptr counts those.
template <class Page>
struct model_head {
    Page page{}; // under it; none for a head that lies on no counted page
    const std::byte* start = nullptr;
    std::uint32_t usable = 0; // bytes of headroom, packet and room behind it
    std::uint32_t truesize = 0;
    std::uint64_t counted = 0; // the census it was last seen in
};

template <class Page>
struct model_packet {
    using fragment = model_fragment<Page>;

    std::vector<std::byte> room;  // the bytes of the headroom
    std::vector<std::byte> bytes; // the packet's
    std::uint32_t headlen = 0;
    std::shared_ptr<model_head<Page>> head;
    std::vector<fragment> fragments;
    std::array<std::int64_t, 3> headers{}; // counted from the head's start
    std::uint32_t tag = 0;
    std::uint32_t epoch = 0;
    suite::checksum checksum; // its start counted from the head's start

    [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(bytes.size()); }
    [[nodiscard]] std::uint32_t headroom() const { return static_cast<std::uint32_t>(room.size()); }
    [[nodiscard]] std::uint32_t data_len() const { return size() - headlen; }
    [[nodiscard]] std::uint32_t behind() const { return head->usable - headroom() - headlen; }
    [[nodiscard]] std::uint32_t tailroom() const { return fragments.empty() ? behind() : 0; }
    [[nodiscard]] bool shared() const { return head.use_count() != 1; }
    [[nodiscard]] const std::byte* data() const { return head->start + headroom(); }
    [[nodiscard]] std::uint32_t truesize() const {
        std::uint32_t sum = head->truesize;
        for (const fragment& part : fragments)
            sum += part.truesize;
        return sum;
    }
    [[nodiscard]] bool has(checksum_state state) const { return checksum.state == state; }

    // Of a partial checksum, from data().
    [[nodiscard]] std::uint32_t start() const { return checksum.start - headroom(); }
    [[nodiscard]] std::uint32_t field() const { return start() + checksum.field; }

    // What is known of the checksum when the bytes are others than before.
    void sum_again() {
        if (has(checksum_state::complete))
            checksum.sum = sum_of(bytes);
    }
    void changed(bool by_known_bytes) {
        if (has(checksum_state::complete) && !by_known_bytes)
            checksum.state = checksum_state::none;
        sum_again();
    }
    // The same before so many bytes are appended of which that is known.
    void joined(const suite::checksum& known, std::uint32_t added) {
        if (added == 0 || has(checksum_state::partial))
            return;
        if (bytes.empty())
            checksum = known;
        else if (checksum.state != known.state)
            checksum.state = checksum_state::none;
        else
            checksum.level = std::min(checksum.level, known.level);
    }

    void put(std::span<const std::byte> added, bool known) {
        bytes.insert(bytes.end(), added.begin(), added.end());
        headlen += static_cast<std::uint32_t>(added.size());
        changed(known);
    }
    void push(std::span<const std::byte> added, bool known) {
        room.resize(room.size() - added.size());
        bytes.insert(bytes.begin(), added.begin(), added.end());
        headlen += static_cast<std::uint32_t>(added.size());
        changed(known);
    }
    void pull(std::uint32_t n) {
        room.insert(room.end(), bytes.begin(), bytes.begin() + n);
        bytes.erase(bytes.begin(), bytes.begin() + n);
        headlen -= n;
        if (has(checksum_state::partial) && checksum.start < headroom())
            checksum.state = checksum_state::none;
        sum_again();
    }

    // Appends a fragment, or lets the last one grow; true when it did, and so took no reference.
    bool append(const fragment& added, std::uint32_t page_bytes, const packet_rules& rules) {
        fragment* const last = fragments.empty() ? nullptr : &fragments.back();
        if (rules.joins_fragments && last != nullptr && last->page == added.page &&
            last->offset + last->length == added.offset) {
            last->length += added.length;
            last->truesize = std::min(last->truesize + added.truesize, page_bytes);
            return true;
        }
        fragments.push_back(added);
        return false;
    }

    // May the packet be cut to `n` bytes? Not where a field is to be written.
    [[nodiscard]] bool may_cut(std::uint32_t n, const packet_rules& rules) const {
        if (!rules.cuts_anywhere)
            return size() - std::min(n, size()) <= (fragments.empty() ? headlen : fragments.back().length);
        return n >= size() || !has(checksum_state::partial) || field() + 2 <= n;
    }
    void cut(std::uint32_t n, const packet_rules& rules) {
        if (n >= size())
            return;
        std::uint32_t gone = size() - n;
        bytes.resize(n);
        while (gone != 0 && !fragments.empty()) {
            const std::uint32_t now = std::min(gone, fragments.back().length);
            fragments.back().length -= now;
            gone -= now;
            if (fragments.back().length == 0 && rules.drops_empty_fragments)
                fragments.pop_back();
        }
        headlen -= gone;
        sum_again();
    }
    // The first `n` bytes of the fragments become linear.
    void gather(std::uint32_t n) {
        headlen += n;
        std::size_t used_up = 0;
        for (; n != 0; ++used_up) {
            fragment& first = fragments[used_up];
            if (n < first.length) {
                first.offset += n;
                first.length -= n;
                break;
            }
            n -= first.length;
        }
        fragments.erase(fragments.begin(), fragments.begin() + static_cast<std::ptrdiff_t>(used_up));
    }
    void condense() {
        if (data_len() <= behind() && !shared())
            gather(data_len());
    }
    // To a head of its own, with `more` headroom that nobody has written yet.
    void move_to(const model_head<Page>& fresh, std::uint32_t more) {
        room.insert(room.begin(), fresh.start, fresh.start + more);
        head = std::make_shared<model_head<Page>>(fresh);
        for (std::int64_t& header : headers)
            header += more;
        checksum.start += more;
    }

    // Bytes from `at` on go to `rest`, which is empty.
    void split(std::uint32_t at, model_packet& rest) {
        rest.bytes.assign(bytes.begin() + at, bytes.end());
        rest.headlen = at < headlen ? headlen - at : 0;
        bytes.resize(at);
        headlen -= rest.headlen;
        std::uint32_t left = at - headlen; // in fragments that stay
        std::size_t stays = 0;
        while (left != 0 && fragments[stays].length <= left)
            left -= fragments[stays++].length;
        rest.fragments.assign(fragments.begin() + static_cast<std::ptrdiff_t>(stays), fragments.end());
        fragments.resize(stays);
        if (left != 0) {
            fragments.push_back(rest.fragments.front());
            fragments.back().length = left;
            rest.fragments.front().offset += left;
            rest.fragments.front().length -= left;
        }
        rest.checksum = checksum;
        if (has(checksum_state::partial))
            rest.checksum.state = checksum_state::none;
        sum_again();
        rest.sum_again();
    }
    // The fragments that bytes [0, n) lie in, none of them linear.
    [[nodiscard]] std::vector<fragment> first_fragments(std::uint32_t n) const {
        std::vector<fragment> first;
        for (; n != 0; n -= first.back().length) {
            first.push_back(fragments[first.size()]);
            first.back().length = std::min(n, first.back().length);
        }
        return first;
    }
    // All of `behind` moves to the end.
    void append_bytes(std::span<const std::byte> behind) {
        bytes.insert(bytes.end(), behind.begin(), behind.end());
        sum_again();
    }
};

} // namespace suite
