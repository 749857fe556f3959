// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "noria/core/contract.hpp"
#include "noria/packet/heads.hpp"
#include "noria/packet/packet.hpp"
#include "noria/packet/pull.hpp"

// A second packet with bytes of its own, and writing into bytes that a packet has. All strong: on failure
// nothing has changed.

namespace noria::inline NORIA_ABI {

namespace detail {

// A packet of the same pool whose head is its own: `headroom`, what of the old headroom fits into it, and the
// first `linear` bytes. What is behind these are the fragments, each with one more reference, or nothing.
inline packet_ptr copied(packet& from, std::uint32_t headroom, std::uint32_t linear) noexcept {
    const std::int64_t up = std::int64_t{headroom} - from.headroom();
    for (const std::uint16_t offset : {from.mac_, from.network_, from.transport_, from.info_.checksum_start})
        if (offset + up > 0xffff)
            return {};

    packet_home& home = *from.home_;
    const std::uint64_t wanted = home.head_for(linear, headroom);
    packet* const made = home.make(home.head_class(wanted), wanted, headroom);
    if (made == nullptr)
        return {};
    made->tail_ += linear;
    made->size_ = from.size_;
    const std::uint32_t in_front = up < 0 ? headroom : from.headroom();
    std::byte* next = made->data() - in_front;
    from.for_each_piece(-std::int64_t{in_front}, std::size_t{in_front} + linear,
                        [&next](const std::byte* piece, std::size_t bytes) noexcept {
                            std::memcpy(next, piece, bytes);
                            next += bytes;
                        });
    if (linear != from.size_) {
        for (const fragment& part : from.fragments()) {
            part.under->hold();
            made->fragments_[made->fragment_count_++] = part;
            made->truesize_ += part.truesize;
        }
    }
    // What lies before the new head is as if it had never been set.
    const auto moved = [up](std::uint16_t offset) noexcept {
        return static_cast<std::uint16_t>(offset + up < 0 ? 0 : offset + up);
    };
    made->mac_ = moved(from.mac_);
    made->network_ = moved(from.network_);
    made->transport_ = moved(from.transport_);
    made->info_ = from.info_;
    if (from.info_.is_partial())
        made->info_.checksum_start = moved(from.info_.checksum_start);
    std::memcpy(made->user_, from.user_, sizeof made->user_);
    return packet_ptr(made);
}

} // namespace detail

// The owner of the packet's pool. A linear packet that shares nothing with this one: same bytes, headroom
// included, same info, user area and header offsets. Null when a descriptor or a head that large is not to be
// had. O(headroom + size). sk_buff's skb_copy.
[[nodiscard]] inline packet_ptr copy(packet& from) noexcept {
    return detail::copied(from, from.headroom(), from.size());
}

// The owner of the packet's pool. A packet with a head of its own, to write a header into, and the same
// fragments, each held once more: for sending the same payload to many. It has `headroom` bytes in front, and
// in them what of the old headroom fits; header offsets stay true, and those that lay further in front are as
// if never set. Null when a descriptor or a head that large is not to be had, or when an offset would no
// longer fit into its 16 bits. O(headroom + headlen + fragments). sk_buff's pskb_copy.
[[nodiscard]] inline packet_ptr pcopy(packet& from, std::uint32_t headroom) noexcept {
    return detail::copied(from, headroom, from.headlen());
}

// Writes `bytes` over [offset, offset + bytes.size()), wherever that is; a negative offset reaches into
// headroom. False before the first byte is written when the range is not in the packet, or when somebody else
// may see what would be written: a clone shares the head, or the page of a fragment has more than one
// reference, be it for other bytes. Forgets a complete sum, unless the packet's own bytes stay as they were.
// One thread at a time. O(bytes + fragments). sk_buff's skb_store_bits, which does not ask who shares the
// fragments.
[[nodiscard]] inline bool store_bits(packet& to, std::int64_t offset,
                                     std::span<const std::byte> bytes) noexcept {
    if (!to.contains(offset, bytes.size()))
        return false;
    if (bytes.empty())
        return true;
    if (offset < std::int64_t{to.headlen()} && to.head_shared())
        return false;
    const std::int64_t end = offset + static_cast<std::int64_t>(bytes.size());
    std::int64_t here = to.headlen();
    for (const fragment& part : to.fragments()) {
        const std::int64_t next = here + part.length;
        if (offset < next && here < end && part.under->references() != 1)
            return false;
        here = next;
    }
    const std::byte* from = bytes.data();
    to.for_each_piece(offset, bytes.size(), [&from](std::byte* piece, std::size_t n) noexcept {
        std::memcpy(piece, from, n);
        from += n;
    });
    if (end > 0) // what lies in the headroom is in no sum
        to.info().forget_sum();
    return true;
}

// The owner of the packet's pool. Appends zeros until the packet has `bytes` (Ethernet's least is 60), after
// making it linear; no-op when it has so many. A complete sum stays: zeros add nothing to it. False when no
// head that large is to be had; the packet is still the caller's, where sk_buff's skb_pad frees it. Addresses
// move when a head was needed: the room is short, or a clone shares it. O(bytes added + data_len), +
// O(headlen) if it moved.
[[nodiscard]] inline bool pad_to(packet& to, std::uint32_t bytes) noexcept {
    if (bytes <= to.size())
        return true;
    const std::uint32_t behind = bytes - to.headlen();
    const std::uint32_t room = to.room_behind_tail();
    const std::uint32_t missing = behind > room ? behind - room : 0;
    if ((missing != 0 || to.head_shared()) && !to.expand_head(0, missing))
        return false;
    to.gather(to.data_len());
    const packet_info info = to.info();
    const std::uint32_t zeros = bytes - to.size();
    std::byte* const added = to.put(zeros);
    NORIA_EXPECTS(added != nullptr, "the room was made above: the packet's lengths contradict each other");
    std::memset(added, 0, zeros);
    to.info() = info;
    return true;
}

} // namespace noria::inline NORIA_ABI
