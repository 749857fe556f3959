// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "noria/packet/packet.hpp"
#include "noria/packet/split.hpp"

namespace noria::inline NORIA_ABI {

// Appends all bytes of `from` to `to`, by the cheapest way there is, and frees `from` as consumed. In this
// order: a `to` that was cloned is left alone, and so is a `from` with a partial checksum, whose field would
// never be filled in. What fits into tailroom is copied, and charged nothing. Else fragments move to `to`,
// with what they are charged for; and before them the linear bytes of `from`, which become a fragment where
// they lie: its head is stolen. For that no clone may share that head, and one fragment more must fit.
// Nothing is joined: shift() does that. A complete sum stays when both have one, unnecessary when both are,
// partial when `to` is; where one of them is empty, what is known of the other stays. False, with nothing
// changed, when `to` is cloned, `from` is partial, the head to be stolen is shared, or fragments or bytes
// would be too many: `from` is then the caller's as before. One thread at a time. O(bytes) up to tailroom,
// else O(fragments), and no byte is read or moved. sk_buff's skb_try_coalesce, which leaves checksums to its
// callers; it also asks whether both recycle alike, where here each page knows its way home.
[[nodiscard]] inline bool try_coalesce(packet& to, packet_ptr& from) noexcept {
    packet& source = *from;
    NORIA_EXPECTS(&to != &source, "try_coalesce appends one packet to another");
    if (to.head_shared() || source.info_.is_partial())
        return false;
    const packet_info info = detail::joined(to.info_, to.size_, source.info_, source.size_);
    if (source.size_ <= to.tailroom()) {
        const bool copied = source.copy_bits(0, {to.put(source.size_), source.size_});
        NORIA_EXPECTS(copied, "the lengths of this packet contradict each other");
        static_cast<void>(copied);
        to.info_ = info;
        from.free(drop_reason::consumed);
        return true;
    }
    const bool steal = source.headlen() != 0;
    const std::uint32_t slots = source.fragment_count_ + (steal ? 1u : 0u);
    if (slots > packet::most_fragments - to.fragment_count_ || (steal && source.head_shared()) ||
        !to.fits(source.size_, source.truesize_))
        return false;

    if (steal) {
        page* const under = source.shares_head() ? &source.share_->under() : source.head_page_;
        to.fragments_[to.fragment_count_++] = {under,
                                               static_cast<std::uint32_t>(source.data() - under->data()),
                                               source.headlen(), source.head_truesize()};
        to.truesize_ += source.head_truesize();
    }
    // A clone holds its fragments by references of its own, so they move as anyone's do.
    for (const fragment& part : source.fragments()) {
        to.fragments_[to.fragment_count_++] = part;
        to.truesize_ += part.truesize;
    }
    to.size_ += source.size_;
    to.info_ = info;

    source.truesize_ = static_cast<std::uint32_t>(sizeof(packet));
    source.fragment_count_ = 0;
    if (!steal) {
        from.free(drop_reason::consumed);
        return true;
    }
    if (source.shares_head())
        source.home_->shares.give(*source.share_);
    ++source.epoch_;
    source.head_class_ = packet::no_class;
    source.home_->packets.give(*from.release());
    return true;
}

} // namespace noria::inline NORIA_ABI
