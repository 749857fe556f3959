// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "noria/packet/checksum.hpp"
#include "noria/packet/packet.hpp"

// Moving bytes from one packet to another without copying what lies in fragments. Nothing here allocates.
// Both strong: what is refused has changed nothing.

namespace noria::inline NORIA_ABI {

namespace detail {

// What is known of the checksum of `to`, `size` bytes long, once `added` bytes, of which `from` is known and
// not partial, are behind it.
[[nodiscard]] inline packet_info joined(packet_info to, std::uint32_t size, const packet_info& from,
                                        std::uint32_t added) noexcept {
    if (added == 0 || to.is_partial())
        return to; // a partial sum goes to the end of the packet, wherever that is when it is filled in
    if (size == 0) {
        to.checksum_state = from.checksum_state;
        to.checksum = from.checksum;
        to.checksum_level = from.checksum_level;
    } else if (to.checksum_state != from.checksum_state) {
        to.checksum_state = checksum_state::none;
    } else if (to.has_sum()) {
        to.set_sum(to.sum() + from.sum().at_offset(size));
    } else if (from.checksum_level < to.checksum_level) {
        to.checksum_level = from.checksum_level;
    }
    return to;
}

} // namespace detail

// Cuts `from` in two: [at, size) goes to `rest`, which has no bytes yet, [0, at) stays. Linear bytes behind
// the cut are copied to the head of `rest`; fragments move, and the one that is cut through is held by both.
// Both are charged for all that it pins, since either may be the one that holds it longer; Linux divides the
// charge by bytes, and a short rest can then pin a page and be charged for next to nothing. A complete sum
// becomes right in both, an unnecessary one holds for both; the rest of `info` and the header offsets of
// `rest` are the caller's. False when there is no such place, `rest` has bytes or too little tailroom for the
// linear ones, or a partial checksum's field would go with it. One thread at a time. O(linear bytes moved +
// fragments); with a complete sum O(bytes moved). sk_buff's skb_split.
[[nodiscard]] inline bool split(packet& from, std::uint32_t at, packet& rest) noexcept {
    const std::uint32_t headlen = from.headlen();
    const std::uint32_t linear = at < headlen ? headlen - at : 0;
    if (at > from.size_ || rest.size_ != 0 || linear > rest.tailroom() || (linear != 0 && rest.head_shared()))
        return false;
    packet_info& info = from.info_;
    if (info.is_partial() && at < from.size_ && info.field_end() > std::uint64_t{from.data_} + at)
        return false;
    rest.info_.forget_checksum();
    if (info.has_sum()) {
        const internet_sum going = sum_of(from, at, from.size_ - at);
        info.set_sum(info.sum() - going.at_offset(at));
        rest.info_.set_sum(going);
    } else if (info.checksum_state == checksum_state::unnecessary) {
        rest.info_.checksum_state = checksum_state::unnecessary;
        rest.info_.checksum_level = info.checksum_level;
    }

    std::memcpy(rest.head_ + rest.tail_, from.head_ + from.tail_ - linear, linear);
    rest.tail_ += linear;
    from.tail_ -= linear;

    std::uint32_t stays = 0;                            // fragments that stay whole
    std::uint32_t cut = at - (from.tail_ - from.data_); // bytes that stay of the one behind them
    while (cut != 0 && from.fragments_[stays].length <= cut)
        cut -= from.fragments_[stays++].length;
    const std::uint32_t going = from.fragment_count_ - stays;
    std::memcpy(rest.fragments_, from.fragments_ + stays, going * sizeof(fragment));
    rest.fragment_count_ = static_cast<std::uint8_t>(going);
    from.fragment_count_ = static_cast<std::uint8_t>(stays);
    for (const fragment& part : rest.fragments()) {
        from.truesize_ -= part.truesize;
        rest.truesize_ += part.truesize;
    }
    if (cut != 0) {
        fragment& before = from.fragments_[from.fragment_count_++];
        before.under->hold();
        before.length = cut;
        from.truesize_ += before.truesize;
        rest.fragments_[0].offset += cut;
        rest.fragments_[0].length -= cut;
    }
    rest.size_ = from.size_ - at;
    from.size_ = at;
    return true;
}

// Moves the first `n` bytes of `from`, or all if it has fewer, to the end of `to`, by moving fragments: how a
// sender's queue closes ranks. `from` has no linear bytes. Pieces that follow one another on one page join,
// and the reference of the one that vanished is given back; the one that is cut through is held by both, and
// both are charged for what it pins, as with split(). A joined fragment is charged for its pieces, but for no
// more than its page: that two of them were once one of a stride, and pin that once, shows in neither. So a
// charge may be too high then, and is never too low. What `to` knows of its checksum stays as with
// try_coalesce; a complete sum of `from` becomes right. How many bytes moved: all that were asked for, or 0,
// and nothing changed, when `from` has linear bytes or is empty, `to` has no room for so many fragments, or
// `from` has a partial checksum still to be filled in. One thread at a time. O(fragments); with a complete
// sum O(n). sk_buff's skb_shift.
[[nodiscard]] inline std::uint32_t shift(packet& to, packet& from, std::uint32_t n) noexcept {
    NORIA_EXPECTS(&to != &from, "shift moves bytes between two packets");
    if (n > from.size_)
        n = from.size_;
    if (n == 0 || from.headlen() != 0 || from.info_.is_partial())
        return 0;
    std::uint32_t whole = 0; // fragments that go over whole
    std::uint32_t cut = n;   // bytes that go over of the one behind them
    while (cut != 0 && from.fragments_[whole].length <= cut)
        cut -= from.fragments_[whole++].length;
    const std::uint32_t pieces = whole + (cut != 0 ? 1 : 0);

    const fragment* last = to.fragment_count_ == 0 ? nullptr : &to.fragments_[to.fragment_count_ - 1];
    std::uint32_t slots = 0;
    for (std::uint32_t i = 0; i != pieces; ++i) {
        if (last == nullptr || !last->is_followed_by(from.fragments_[i]))
            ++slots;
        last = &from.fragments_[i];
    }
    if (slots > packet::most_fragments - to.fragment_count_ || !to.fits(n, from.truesize_))
        return 0;

    packet_info moved = from.info_;
    if (moved.has_sum()) {
        moved.set_sum(sum_of(from, 0, n));
        from.info_.set_sum((from.info_.sum() - moved.sum()).at_offset(n));
    }
    to.info_ = detail::joined(to.info_, to.size_, moved, n);

    for (std::uint32_t i = 0; i != pieces; ++i) {
        fragment piece = from.fragments_[i];
        const bool moves = i != whole;
        if (moves)
            from.truesize_ -= piece.truesize;
        else
            piece.length = cut;
        fragment* const end = to.fragments_ + to.fragment_count_;
        if (to.fragment_count_ != 0 && end[-1].is_followed_by(piece)) {
            to.truesize_ += end[-1].grow(piece);
            if (moves)
                piece.under->release();
        } else {
            if (!moves)
                piece.under->hold();
            *end = piece;
            ++to.fragment_count_;
            to.truesize_ += piece.truesize;
        }
    }
    if (cut != 0) {
        from.fragments_[whole].offset += cut;
        from.fragments_[whole].length -= cut;
    }
    from.fragment_count_ = static_cast<std::uint8_t>(from.fragment_count_ - whole);
    std::memmove(from.fragments_, from.fragments_ + whole, from.fragment_count_ * sizeof(fragment));
    from.size_ -= n;
    to.size_ += n;
    return n;
}

} // namespace noria::inline NORIA_ABI
