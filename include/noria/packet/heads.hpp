// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "noria/packet/packet.hpp"
#include "noria/packet/packet_home.hpp"
#include "noria/packet/packet_ptr.hpp"

// Where heads and descriptors come from: for a new packet, for a clone, and for a packet whose head is shared
// or too small. All of it is the business of the pool's owner; where they go is any thread's, and in
// packet/packet.hpp.

namespace noria::inline NORIA_ABI {

inline void packet_home::put_ready_by() noexcept {
    if (packet* const idle = std::exchange(ready_, nullptr))
        with_head[idle->head_class_].give(*idle);
}

// An idle descriptor that kept a head of the right size is a packet as it is: a few instructions, when it
// lies ready or on the owner's stack. All else is a call, and less common.
inline packet* packet_home::make(std::size_t size, std::uint64_t wanted, std::uint32_t headroom) noexcept {
    if (size == head_classes_)
        return nullptr;
    packet* again = ready_;
    if (again != nullptr && again->head_class_ == size) {
        packets.expect_owner();
        ready_ = nullptr;
    } else if (!with_head[size].cached().empty()) [[likely]] {
        again = &with_head[size].take_cached();
    } else {
        return put_together(size, wanted, headroom);
    }
    again->start_again(headroom, tail_overhead_);
    made();
    return again;
}

[[gnu::noinline]] inline packet* packet_home::put_together(std::size_t size, std::uint64_t wanted,
                                                           std::uint32_t headroom) noexcept {
    if (packet* const returned = with_head[size].take()) {
        returned->start_again(headroom, tail_overhead_);
        made();
        return returned;
    }
    packet* const fresh = take();
    if (fresh == nullptr)
        return nullptr;
    page* const head = allocate_head(static_cast<std::uint32_t>(wanted));
    if (head == nullptr) {
        packets.give(*fresh);
        return nullptr;
    }
    fresh->start(*head, head->data(), headroom, head->size() - tail_overhead_, head->size());
    if (keep_heads_ && head->size() == head_bytes_[size] && !heads_[size]->is_emergency(*head))
        fresh->head_class_ = static_cast<std::uint8_t>(size);
    made();
    return fresh;
}

inline packet* packet_home::take() noexcept {
    if (!packets.cached().empty()) [[likely]]
        return &packets.take_cached();
    return take_other();
}

[[gnu::noinline]] inline packet* packet_home::take_other() noexcept {
    if (packet* const returned = packets.take())
        return returned;
    put_ready_by();
    for (std::size_t i = 0; i != head_classes_; ++i)
        if (packet* const keeper = with_head[i].take()) {
            keeper->head_page_->release();
            return keeper;
        }
    return nullptr;
}

inline page* packet_home::allocate_head(std::uint32_t bytes) noexcept {
    put_ready_by();
    for (std::size_t i = head_class(bytes); i != head_classes_; ++i) {
        // Kept ones first: a pool that has none to give is not short of heads while there are some.
        if (packet* const idle = with_head[i].take()) {
            packets.give(*idle);
            return idle->head_page_;
        }
        if (page* const head = heads_[i]->allocate())
            return head;
    }
    return nullptr;
}

inline packet_ptr packet::clone() noexcept {
    packet* const twin = home_->take();
    if (twin == nullptr)
        return {};
    if (!shares_head()) {
        head_share* const share = home_->shares.take();
        if (share == nullptr) {
            home_->packets.give(*twin);
            return {};
        }
        share->start(*head_page_);
        share_ = share;
        head_class_ = shared_class;
    }
    share_->join();
    const std::uint32_t epoch = twin->epoch_; // views of what it was before stay stale
    static_assert(hot_bytes() <= 2 * 64);
    std::memcpy(static_cast<void*>(twin), static_cast<const void*>(this), hot_bytes());
    twin->epoch_ = epoch;
    for (std::uint32_t i = 0; i != fragment_count_; ++i) {
        twin->fragments_[i] = fragments_[i];
        fragments_[i].under->hold();
    }
    home_->made();
    return packet_ptr(twin);
}

inline bool packet::expand_head(std::uint32_t more_headroom, std::uint32_t more_tailroom) noexcept {
    std::uint16_t* const offsets[] = {&mac_, &network_, &transport_, &info_.checksum_start};
    for (const std::uint16_t* offset : offsets)
        if (more_headroom > 0xffffu - *offset)
            return false;
    const std::uint64_t wanted = std::uint64_t{end_} + more_headroom + more_tailroom + home_->tail_overhead();
    page* const fresh = wanted <= ~0u ? home_->allocate_head(static_cast<std::uint32_t>(wanted)) : nullptr;
    if (fresh == nullptr)
        return false;
    std::memcpy(fresh->data() + more_headroom, head_, tail_);
    truesize_ += fresh->size() - head_truesize();
    let_go_of_head();
    head_class_ = no_class;
    head_page_ = fresh;
    head_ = fresh->data();
    end_ = fresh->size() - home_->tail_overhead();
    data_ += more_headroom;
    tail_ += more_headroom;
    for (std::uint16_t* offset : offsets)
        *offset = static_cast<std::uint16_t>(*offset + more_headroom);
    if (!info_.is_partial())
        info_.checksum_start = 0;
    ++epoch_;
    return true;
}

} // namespace noria::inline NORIA_ABI
