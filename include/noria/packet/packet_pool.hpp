// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include "noria/core/cacheline.hpp"
#include "noria/core/owned.hpp"
#include "noria/core/result.hpp"
#include "noria/memory/foreign_page.hpp"
#include "noria/memory/page_pool.hpp"
#include "noria/packet/foreign_buffers.hpp"
#include "noria/packet/heads.hpp"
#include "noria/packet/packet.hpp"
#include "noria/packet/packet_home.hpp"
#include "noria/packet/packet_ptr.hpp"

namespace noria::inline NORIA_ABI {

struct packet_pool_request {
    std::uint32_t packets = 0;           // how many can be alive at once
    std::span<page_pool* const> heads{}; // one pool for each size of head, smallest first; they stay where
                                         // they are, and outlive this pool: declare them before it
    std::uint32_t tail_overhead = 0;     // bytes kept free at the end of every head
    bool keep_heads = true; // idle descriptors keep their head, which saves the way to its pool and back; no
                            // when these pools serve others as well, who cannot have a head that is kept
    std::uint32_t foreign_buffers = 0; // how many may be wrapped at once
};

// All packets of one receive path. One thread at a time makes them (inside enter()), any thread frees them.
// Outlives its packets: destroying it while some are out is a broken contract.
class packet_pool {
  public:
    // Set-up.
    [[nodiscard]] static result<packet_pool> create(packet_pool_request request) noexcept {
        if (request.packets == 0 || request.packets > (1u << 31))
            return make_error(std::errc::invalid_argument,
                              "a packet pool holds between 1 and 2^31 packets: set packets to how many can "
                              "be alive at once");
        if (request.heads.size() > packet_home::most_head_classes)
            return make_error(std::errc::invalid_argument,
                              "a packet pool takes at most 4 sizes of head: leave out those that few packets "
                              "need, as the next larger one serves them too");
        for (std::size_t i = 0; i != request.heads.size(); ++i) {
            if (request.heads[i] == nullptr)
                return make_error(std::errc::invalid_argument,
                                  "one of heads is null: give as many pools as the span has places, or a "
                                  "shorter span");
            if (request.heads[i]->page_bytes() <= request.tail_overhead)
                return make_error(std::errc::invalid_argument,
                                  "a head is smaller than its tail overhead: make its page_bytes larger");
            if (i != 0 && request.heads[i - 1]->page_bytes() >= request.heads[i]->page_bytes())
                return make_error(std::errc::invalid_argument,
                                  "give the head pools smallest first, and one for each size: make one "
                                  "larger pool of two with equal page_bytes");
        }
        packet_pool pool;
        pool.body_ = owned<body>::make();
        if (!pool.body_ || !pool.body_->set_up(request))
            return make_error(
                std::errc::not_enough_memory,
                "the system has no memory for the packets (about 700 bytes each): ask for fewer");
        return pool;
    }

    // While one lives, its thread makes packets, and frees them, their shares and their heads without
    // atomics.
    class [[nodiscard]] owner_section {
      public:
        explicit owner_section(packet_pool& pool) noexcept
            : packets_(pool.body_->home.packets), shares_(pool.body_->home.shares),
              foreign_(pool.body_->foreign.enter()) {
            packet_home& home = pool.body_->home;
            for (; count_ != home.head_classes_; ++count_)
                ::new (&sizes_[count_]) size_section(*home.heads_[count_], home.with_head[count_]);
        }
        owner_section(const owner_section&) = delete;
        owner_section& operator=(const owner_section&) = delete;
        ~owner_section() {
            while (count_ != 0)
                sizes_[--count_].~size_section();
        }

      private:
        // Of one size of head: its pool, and the descriptors that keep one.
        struct size_section {
            size_section(page_pool& of_heads, basic_recycler<packet>& of_packets) noexcept
                : heads(of_heads), with_head(of_packets) {}
            page_pool::owner_section heads;
            basic_recycler<packet>::owner_section with_head;
        };

        basic_recycler<packet>::owner_section packets_;
        basic_recycler<head_share>::owner_section shares_;
        foreign_buffers::owner_section foreign_;
        std::size_t count_ = 0;
        union { // the first `count_` live; an array of optionals would be cleared for each poll
            size_section sizes_[packet_home::most_head_classes];
        };
    };
    [[nodiscard]] owner_section enter() noexcept { return owner_section(*this); }

    // The owner. An empty packet with `headroom` and room for `bytes` behind it; null when descriptors or
    // heads of that size are all out. O(1).
    [[nodiscard]] packet_ptr allocate(std::uint32_t bytes, std::uint32_t headroom = 0) noexcept {
        packet_home& home = body_->home;
        const std::uint64_t wanted = home.head_for(bytes, headroom);
        return packet_ptr(home.make(home.head_class(wanted), wanted, headroom));
    }

    // The owner. Fills the empty places `to` from the front with packets as allocate makes them: how many
    // there were.
    [[nodiscard]] std::uint32_t allocate_burst(std::span<packet_ptr> to, std::uint32_t bytes,
                                               std::uint32_t headroom = 0) noexcept {
        packet_home& home = body_->home;
        const std::uint64_t wanted = home.head_for(bytes, headroom);
        const std::size_t size = home.head_class(wanted);
        std::uint32_t made = 0;
        for (packet_ptr& place : to) {
            NORIA_EXPECTS(!place, "a burst is allocated into empty places: free the packets there first");
            place = packet_ptr(home.make(size, wanted, headroom));
            if (!place)
                break;
            ++made;
        }
        return made;
    }

    // The owner. A packet around bytes that lie in `under` already: no byte is copied, and the caller's
    // reference to the page goes to the packet. Null when descriptors ran out; the reference is then still
    // the caller's. O(1).
    struct placement {
        std::uint32_t offset = 0;   // of the head in the page
        std::uint32_t headroom = 0; // free bytes there, in front of the packet's
        std::uint32_t bytes = 0;    // of the packet
        std::uint32_t room = 0;     // free bytes behind them, which nobody else uses
        std::uint32_t held = 0;     // what the packet pins and is charged for
    };
    [[nodiscard, gnu::always_inline]] packet_ptr build_around(page& under, const placement& where) noexcept {
        packet_home& home = body_->home;
        if (home.packets.cached().empty()) [[unlikely]]
            return packet_ptr(build_around_other(under, where));
        return around(home.packets.take_cached(), under, where);
    }

    // The owner. A packet around memory of somebody else: a buffer of another library, a mapped file. No byte
    // is copied. Clones hold the memory too, and so do pieces that were split off, shifted or appended to
    // other packets; when the last of them is gone, on whatever thread, `release(context, memory)` is called,
    // once. Null when descriptors ran out or request.foreign_buffers are wrapped: the memory is then still
    // the caller's, and nothing is called. Preconditions: less than 4 GiB, and a `release` that is not null
    // (one with an empty body where nobody wants to know). O(1).
    [[nodiscard]] packet_ptr wrap(std::span<std::byte> memory, void* context,
                                  foreign_page::release_function* release) noexcept {
        const auto size = static_cast<std::uint32_t>(memory.size());
        return wrap(memory, {.bytes = size, .held = size}, context, release);
    }
    // The same where not all of the memory is the packet's bytes: there is room in front or behind.
    [[nodiscard]] packet_ptr wrap(std::span<std::byte> memory, const placement& where, void* context,
                                  foreign_page::release_function* release) noexcept {
        NORIA_EXPECTS(release != nullptr, "the lender is told when nobody holds its memory any more: give a "
                                          "function, with an empty body where nobody wants to know");
        packet* const made = body_->home.take();
        if (made == nullptr)
            return {};
        page* const under = body_->foreign.take(memory, context, release);
        if (under == nullptr) {
            body_->home.packets.give(*made);
            return {};
        }
        return around(*made, *under, where);
    }

    // The owner. Packets that somebody holds.
    [[nodiscard]] std::uint32_t in_flight() const noexcept {
        std::uint32_t idle = body_->home.packets.home();
        for (std::size_t i = 0; i != body_->home.head_classes_; ++i)
            idle += heads_kept(i);
        return body_->count - idle;
    }
    // The owner. Heads of size `i` (in the order of the request) that idle descriptors keep: in flight for
    // their pool, and yet nobody's.
    [[nodiscard]] std::uint32_t heads_kept(std::size_t i) const noexcept {
        body_->home.put_ready_by();
        return body_->home.with_head[i].home();
    }
    [[nodiscard]] std::uint32_t packets() const noexcept { return body_->count; }

    // Where all packets are, as soon as no other thread is in the middle of a free:
    //   made() = in_flight() + dropped() + consumed()

    // The owner. Packets ever made, clones, copies and those around other memory included.
    [[nodiscard]] std::uint64_t made() const noexcept { return body_->home.made_; }
    // The owner. How many were freed as `consumed`: all that were made, but for those that are out and those
    // that were dropped. So none of them pays for being counted. Never more than were, and exact when no
    // other thread is in the middle of a free.
    [[nodiscard]] std::uint64_t consumed() const noexcept {
        const std::uint64_t gone = made() - in_flight();
        const std::uint64_t lost = dropped();
        return gone > lost ? gone - lost : 0;
    }
    // Any thread. How many were freed for any reason but `consumed`, and how many for one reason. All reasons
    // of users (user_drop_reason) are one here; `consumed` is no drop, and its count 0.
    [[nodiscard]] std::uint64_t dropped() const noexcept { return body_->home.dropped(); }
    [[nodiscard]] std::uint64_t dropped(drop_reason reason) const noexcept {
        return body_->home.dropped(reason);
    }

  private:
    struct alignas(cache_line) slot {
        alignas(packet) std::byte bytes[sizeof(packet)];
    };

    struct body {
        body() = default;
        body(const body&) = delete;
        body& operator=(const body&) = delete;
        ~body() {
            if (count != 0) // else set_up failed, and there is nothing to look at
                take_heads_back();
            delete[] slots;
            delete[] shares;
        }

        void take_heads_back() noexcept {
            NORIA_EXPECTS(!home.packets.entered(),
                          "this thread is inside the owner's section of this pool: leave it before the pool "
                          "goes");
            [[maybe_unused]] std::uint32_t idle = home.packets.home();
            home.put_ready_by();
            for (std::size_t i = 0; i != home.head_classes_; ++i)
                while (packet* const keeper = home.with_head[i].take()) {
                    keeper->head_page_->release();
                    ++idle;
                }
            NORIA_EXPECTS(count == idle, "packets are still out: free them before their pool");
            NORIA_EXPECTS(foreign.in_flight() == 0,
                          "wrapped memory is still held: let go of it before its pool");
        }

        [[nodiscard]] bool set_up(const packet_pool_request& request) noexcept {
            for (page_pool* heads : request.heads) {
                home.head_bytes_[home.head_classes_] = heads->page_bytes();
                home.heads_[home.head_classes_] = heads;
                if (!home.with_head[home.head_classes_++].reserve(request.packets))
                    return false;
            }
            home.tail_overhead_ = request.tail_overhead;
            home.keep_heads_ = request.keep_heads;
            slots = new (std::nothrow) slot[request.packets];
            shares = new (std::nothrow) head_share[request.packets]; // a packet is in one at most
            if (slots == nullptr || shares == nullptr || !home.packets.reserve(request.packets) ||
                !home.shares.reserve(request.packets) || !foreign.reserve(request.foreign_buffers))
                return false;
            count = request.packets;
            for (std::uint32_t i = count; i-- != 0;) {
                home.packets.put_first(*::new (static_cast<void*>(slots[i].bytes)) packet(home));
                home.shares.put_first(shares[i]);
            }
            return true;
        }

        packet_home home;
        foreign_buffers foreign;
        slot* slots = nullptr;
        head_share* shares = nullptr;
        std::uint32_t count = 0;
    };

    packet_pool() = default;

    // With a descriptor that does not lie on the owner's stack. A call that gets a copy and returns a
    // pointer: so all of that stays in registers on the usual way.
    [[nodiscard, gnu::noinline]] packet* build_around_other(page& under, placement where) noexcept {
        packet* const made = body_->home.take();
        return made == nullptr ? nullptr : around(*made, under, where).release();
    }

    [[nodiscard, gnu::always_inline]] packet_ptr around(packet& made, page& under,
                                                        const placement& where) noexcept {
        [[maybe_unused]] const std::uint64_t linear =
            std::uint64_t{where.headroom} + where.bytes + where.room;
        NORIA_EXPECTS(
            where.offset + linear <= under.size() && linear <= where.held,
            "a packet is built around bytes on its page, and is charged for them and the room around "
            "them at least, which it may grow into");
        NORIA_EXPECTS(where.held <= ~0u - sizeof(packet), "what a packet is charged for is below 4 GiB");
        body_->home.made(); // first, with the way there still in a register
        made.start(under, under.data() + where.offset, where.headroom,
                   where.headroom + where.bytes + where.room, where.held);
        made.tail_ += where.bytes;
        made.size_ = where.bytes;
        return packet_ptr(&made);
    }

    owned<body> body_;
};

} // namespace noria::inline NORIA_ABI
