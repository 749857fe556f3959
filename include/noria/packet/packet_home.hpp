// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "noria/core/sync.hpp"
#include "noria/memory/page.hpp"
#include "noria/memory/page_pool.hpp"
#include "noria/memory/recycler.hpp"
#include "noria/packet/head_share.hpp"
#include "noria/stats/drop_reason.hpp"

namespace noria::inline NORIA_ABI {

class packet;

// What a packet knows of where it comes from: where descriptors, shares and bigger heads are had, and where
// they go back to. packet_pool owns one; a packet points to it. Having something: the owner of the pool;
// giving it back and counting drops: any thread. The bodies of make, take and allocate_head are in
// packet/heads.hpp.
class packet_home {
  public:
    static constexpr std::size_t most_head_classes = 4;

    // The first size of head that holds `bytes`, or as many as there are when none does.
    [[nodiscard]] std::size_t head_class(std::uint64_t bytes) const noexcept {
        std::size_t i = 0;
        while (i != head_classes_ && head_bytes_[i] < bytes)
            ++i;
        return i;
    }
    // What a head has to hold for `bytes` behind `headroom`.
    [[nodiscard]] std::uint64_t head_for(std::uint32_t bytes, std::uint32_t headroom) const noexcept {
        return std::uint64_t{bytes} + headroom + tail_overhead_;
    }
    // An empty packet with `headroom`, and a head of `size` or larger that holds `wanted`; null when there is
    // no descriptor or no such head. size == head_class(wanted): who makes many asks that once.
    [[nodiscard]] inline packet* make(std::size_t size, std::uint64_t wanted,
                                      std::uint32_t headroom) noexcept;
    // A descriptor without a head, for one who says made() when it has become a packet; null when all are
    // out.
    [[nodiscard, gnu::always_inline]] inline packet* take() noexcept;
    void made() noexcept { ++made_; }
    // An idle descriptor that keeps its head, of that class, and one that has none.
    void keep(packet& idle, std::size_t head) noexcept {
        if (!packets.entered()) [[unlikely]]
            send(with_head[head], idle);
        else if (ready_ == nullptr)
            ready_ = &idle;
        else
            with_head[head].give_cached(idle);
    }
    void give(packet& idle) noexcept {
        if (packets.entered()) [[likely]]
            packets.give_cached(idle);
        else
            send(packets, idle);
    }
    // One packet fewer has that head: the last one sends home the page, and what they shared.
    [[gnu::noinline]] void leave(head_share& shared) noexcept {
        if (shared.leave()) {
            shared.under().release();
            shares.give(shared);
        }
    }
    // The smallest head that holds `bytes`, with one reference; null when all that are large enough are out.
    [[nodiscard]] inline page* allocate_head(std::uint32_t bytes) noexcept;

    // Bytes at the end of every head that packets leave alone (Linux keeps 320 there; 0 is leanest).
    [[nodiscard]] std::uint32_t tail_overhead() const noexcept { return tail_overhead_; }

    // Drops only, so that the common free pays no locked instruction: what was made, is not out and was not
    // dropped was consumed.
    void count(drop_reason reason, std::uint64_t times = 1) noexcept {
        if (reason != drop_reason::consumed)
            drops_[detail::drop_bucket(reason)].fetch_add(times, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t dropped(drop_reason reason) const noexcept {
        return drops_[detail::drop_bucket(reason)].load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t dropped() const noexcept {
        std::uint64_t sum = 0;
        for (const std_sync::atomic<std::uint64_t>& each : drops_)
            sum += each.load(std::memory_order_relaxed);
        return sum;
    }

    // What lies ready joins the others, for one who is about to look through them.
    inline void put_ready_by() noexcept;

    // Idle descriptors. Those whose last head was one of their own of a certain size keep it: the next packet
    // of that size then comes ready made, and its head need not go to its pool and be fetched again.
    basic_recycler<packet> packets;
    basic_recycler<packet> with_head[most_head_classes];
    basic_recycler<head_share> shares;

  private:
    friend class packet_pool;

    // A call, so that the owner's ways stay short.
    [[gnu::noinline]] static void send(basic_recycler<packet>& to, packet& idle) noexcept { to.send(idle); }
    [[nodiscard]] packet* take_other() noexcept;
    [[nodiscard]] packet* put_together(std::size_t size, std::uint64_t wanted,
                                       std::uint32_t headroom) noexcept;

    // The owner's: the first one it freed that keeps its head, until a packet of that size is made. It lies
    // here, and not on the stack, because a processor that finds a pointer where it has just put it need not
    // wait for memory at all; through the stack's count and slots it waits four times.
    packet* ready_ = nullptr;
    page_pool* heads_[most_head_classes] = {};
    std::uint32_t head_bytes_[most_head_classes] = {};
    std::size_t head_classes_ = 0;
    bool keep_heads_ = true;
    std::uint32_t tail_overhead_ = 0;
    std::uint64_t made_ = 0; // packets, ever
    // Any thread moves these: not beside what the owner reads for each packet.
    alignas(thread_gap) std_sync::atomic<std::uint64_t> drops_[detail::drop_buckets] = {};
};

} // namespace noria::inline NORIA_ABI
