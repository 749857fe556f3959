// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <span>

#include "noria/core/cacheline.hpp"
#include "noria/core/sync.hpp"
#include "noria/packet/packet.hpp"

// Many packets at once. What a batch saves is waiting: descriptors lie scattered in memory, so the next ones
// are fetched while one is worked on. (packet_pool::allocate_burst makes them.)

namespace noria::inline NORIA_ABI {

namespace detail {

// The lines of a packet that everybody touches.
inline void prefetch_packet(const packet* soon) noexcept {
    std_sync::prefetch_write(soon);
    std_sync::prefetch_write(reinterpret_cast<const std::byte*>(soon) + cache_line);
}

} // namespace detail

// Fetches what work on these packets will touch first: their descriptors, not their bytes. A hint; any
// thread, empty places are skipped. O(packets).
inline void prefetch(std::span<const packet_ptr> soon) noexcept {
    for (const packet_ptr& each : soon)
        if (each)
            detail::prefetch_packet(each.get());
}

// Frees all of them for the same reason; empty places stay what they are. They may be of different pools.
// Thread and cost: as packet_ptr::free.
inline void free_bulk(std::span<packet_ptr> packets, drop_reason reason) noexcept {
    constexpr std::size_t ahead = 4;
    for (std::size_t i = 0; i != packets.size(); ++i) {
        if (i + ahead < packets.size() && packets[i + ahead])
            detail::prefetch_packet(packets[i + ahead].get());
        packets[i].free(reason);
    }
}

// The same for what packet_ptr::release gave, and what is fetched already. Those of one pool that lie behind
// each other and keep no head go home together, with one claim where each would make its own.
inline void free_bulk(std::span<packet* const> packets, drop_reason reason) noexcept {
    for (std::size_t i = 0; i != packets.size();) {
        const std::size_t first = i;
        packet_home& home = *packets[first]->home_;
        for (; i != packets.size(); ++i) {
            packet& each = *packets[i];
            if (each.home_ != &home)
                break;
            if (each.fragment_count_ != 0 || each.head_class_ != packet::no_class) [[unlikely]] {
                if (each.head_class_ != packet::no_class)
                    break;
                each.release_fragments();
            }
            ++each.epoch_; // views of it are stale from here on
            each.head_page_->release();
        }
        if (i != first) {
            home.count(reason, i - first);
            home.packets.give(packets.subspan(first, i - first));
        } else {
            home.count(reason);
            packets[i++]->end_of_life();
        }
    }
}

} // namespace noria::inline NORIA_ABI
