// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "noria/core/bits.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/copy.hpp"
#include "noria/packet/heads.hpp"
#include "noria/packet/packet.hpp"
#include "noria/wire/checksum.hpp"

// Bringing bytes from the fragments into the linear head, cutting off the end, and making the head long
// enough and writable. All strong: on failure nothing has changed.

namespace noria::inline NORIA_ABI {

inline void packet::gather(std::uint32_t n) noexcept {
    NORIA_EXPECTS(n <= data_len() && n <= end_ - tail_ && !head_shared(),
                  "gather moves bytes there is room for into a head of its own: pull_tail(packet, n) "
                  "makes the room");
    const bool copied = copy_bits(headlen(), {head_ + tail_, n});
    NORIA_EXPECTS(copied, "the lengths of this packet contradict each other");
    static_cast<void>(copied);
    tail_ += n;
    std::uint32_t used_up = 0;
    while (n != 0 && fragments_[used_up].length <= n)
        n -= fragments_[used_up++].length;
    if (n != 0) {
        fragments_[used_up].offset += n;
        fragments_[used_up].length -= n;
    }
    drop_fragments(0, used_up);
}

inline void packet::drop_fragments(std::uint32_t first, std::uint32_t last) noexcept {
    for (std::uint32_t i = first; i != last; ++i) {
        truesize_ -= fragments_[i].truesize;
        fragments_[i].under->release();
    }
    if (last != fragment_count_) // mostly none is left behind, and a call to move nothing is still a call
        std::memmove(&fragments_[first], &fragments_[last], (fragment_count_ - last) * sizeof(fragment));
    fragment_count_ = static_cast<std::uint8_t>(fragment_count_ - (last - first));
}

namespace detail {

// False when the field of a partial one would be gone. Out of line, for cut to stay a few instructions.
[[nodiscard, gnu::noinline]] inline bool checksum_after_cut(packet& of, std::uint32_t n) noexcept {
    packet_info& info = of.info();
    if (!info.has_sum())
        return info.field_end() <= of.headroom() + n;
    checksum_accumulator gone;
    of.for_each_piece(n, of.size() - n, [&gone](const std::byte* from, std::size_t bytes) noexcept {
        gone.add({from, bytes});
    });
    info.set_sum(info.sum() - gone.sum().at_offset(n));
    return true;
}

} // namespace detail

inline bool packet::cut(std::uint32_t n) noexcept {
    if (n >= size_)
        return true;
    if (info_.follows() && !detail::checksum_after_cut(*this, n)) [[unlikely]]
        return false;
    std::uint32_t left = n;
    if (left <= headlen()) {
        tail_ = data_ + left;
        left = 0;
    } else {
        left -= headlen();
    }
    std::uint32_t kept = 0;
    for (; left != 0; ++kept) {
        fragment& here = fragments_[kept];
        here.length = left < here.length ? left : here.length;
        left -= here.length;
    }
    drop_fragments(kept, fragment_count_);
    size_ = n;
    return true;
}

// What pull_tail did: where the linear bytes are now, and whether that is somewhere else than before.
struct [[nodiscard]] pulled {
    std::byte* data = nullptr; // null: no head could be had, nothing changed
    bool moved = false;        // every address into the head from before is stale

    [[nodiscard]] explicit operator bool() const noexcept { return data != nullptr; }
};

// Makes the first `n` fragment bytes linear. Precondition: n <= data_len(). The owner of the packet's pool.
// Allocates at most one head, and first of all: when the room behind tail is short (with 128 bytes to spare
// if it can be had, so that the next small pull is free), or when a clone shares the head. O(n + fragments),
// + O(headlen) if it moved.
inline pulled pull_tail(packet& from, std::uint32_t n) noexcept {
    NORIA_EXPECTS(n <= from.data_len(),
                  "pull_tail takes at most data_len() bytes; may_pull checks that for you");
    if (n == 0)
        return {from.data(), false};
    constexpr std::uint32_t slack = 128;
    const std::uint32_t room = from.room_behind_tail();
    const std::uint32_t missing = n > room ? n - room : 0;
    const bool move = missing != 0 || from.head_shared();
    const bool with_slack = missing != 0 && missing <= ~0u - slack && from.expand_head(0, missing + slack);
    if (move && !with_slack && !from.expand_head(0, missing))
        return {};
    from.gather(n);
    return {from.data(), move};
}

enum class [[nodiscard]] pull_status : unsigned char { ok, packet_too_small, no_memory };

// Are the first `n` bytes linear, or can they be made so? O(1) when they are. The owner of the packet's pool.
inline pull_status may_pull(packet& from, std::uint32_t n) noexcept {
    if (n <= from.headlen()) [[likely]]
        return pull_status::ok;
    if (n > from.size())
        return pull_status::packet_too_small;
    return pull_tail(from, n - from.headlen()) ? pull_status::ok : pull_status::no_memory;
}

// Makes all bytes linear. False when no head could be had. The owner of the packet's pool.
[[nodiscard]] inline bool linearize(packet& from) noexcept {
    return from.is_linear() || static_cast<bool>(pull_tail(from, from.data_len()));
}

// Copies the fragments into room that the head has anyway, so that their pages go home. Never allocates,
// never fails; does nothing when the room is short or a clone shares the head.
inline void condense(packet& from) noexcept {
    if (!from.is_linear() && from.data_len() <= from.room_behind_tail() && !from.head_shared())
        from.gather(from.data_len());
}

// Keeps the first `n` bytes, then condenses: a short rest shall not pin a page. No-op for n >= size(). False,
// and nothing changed, when that would cut off the field that a partial checksum is to be written to.
[[nodiscard]] inline bool trim(packet& from, std::uint32_t n) noexcept {
    if (n >= from.size())
        return true;
    if (!from.cut(n))
        return false;
    condense(from);
    return true;
}

// Makes the head writable, with at least `headroom` bytes of headroom: the first thing before headers are
// pushed or rewritten. O(1) when it is so already, else as expand_head, and it fails for what that fails for;
// what the headroom grows by, if it must, is rounded up to 64, so that the next few pushes are free. False,
// and nothing changed, then. The owner of the packet's pool.
[[nodiscard]] inline bool cow_head(packet& of, std::uint32_t headroom) noexcept {
    const std::uint32_t missing = headroom > of.headroom() ? headroom - of.headroom() : 0;
    if (missing == 0 && !of.head_shared()) [[likely]]
        return true;
    const std::uint32_t growth = round_up(missing, 64u);
    if (growth < missing) // it wrapped round: no head is as large as that
        return false;
    return of.expand_head(growth, 0);
}

} // namespace noria::inline NORIA_ABI
