// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/core/contract.hpp"
#include "noria/core/sync.hpp"
#include "noria/flow/steering.hpp"

// Receive flow steering: a packet goes to the cpu where its consumer runs, so that it meets a warm cache; and
// when the consumer moves, the flow follows, but never overtakes itself.

namespace noria::inline NORIA_ABI {

// Where consumers run: for each flow, the cpu that last asked for its packets. One for all receive queues.
// An entry is the high bits of a hash and a cpu in one word; two flows that meet in one entry overwrite each
// other, and neither is mistaken for the other unless all those bits are equal.
// Thread: any. Progress: wait-free. Cost: one load or one store. Source: the semantics of
// rps_sock_flow_entries.
template <class Sync = std_sync>
class basic_consumer_table {
  public:
    using entry = typename Sync::template atomic<std::uint32_t>;

    // Precondition: as many entries as some power of two, which outlive the table; cpus are below `cpus`.
    basic_consumer_table(std::span<entry> entries, std::uint32_t cpus) noexcept
        : entries_(entries), cpu_mask_(std::bit_ceil(cpus + 1) - 1) {
        NORIA_EXPECTS(std::has_single_bit(entries.size()), "a table of consumers has 2^n entries");
        NORIA_EXPECTS(cpus < 0x1'0000, "cpus take at most 16 bits of an entry");
        for (entry& each : entries_)
            each.store(no_cpu, std::memory_order_relaxed);
    }

    // Called where the consumer asks for packets of this flow, with the cpu it runs on.
    void record(std::uint32_t hash, std::uint32_t cpu) noexcept {
        NORIA_EXPECTS(cpu < cpu_mask_, "the table was made for fewer cpus");
        // Written only when it changes: else all consumers would fight for the line.
        const std::uint32_t now = (hash & ~cpu_mask_) | cpu;
        entry& place = entries_[hash & (entries_.size() - 1)];
        if (place.load(std::memory_order_relaxed) != now)
            place.store(now, std::memory_order_relaxed);
    }

    // no_cpu where nobody asked, or another flow since.
    [[nodiscard]] std::uint32_t cpu(std::uint32_t hash) const noexcept {
        // relaxed: a hint. An old one costs a cache miss, and order does not depend on it.
        const std::uint32_t found = entries_[hash & (entries_.size() - 1)].load(std::memory_order_relaxed);
        const std::uint32_t asked = found & cpu_mask_;
        return ((found ^ hash) & ~cpu_mask_) == 0 && asked != cpu_mask_ ? asked : no_cpu;
    }

  private:
    std::span<entry> entries_;
    std::uint32_t cpu_mask_; // all ones: no cpu
};
using consumer_table = basic_consumer_table<>;

// Where the flows of one receive queue go now, and the last of their packets there.
struct steered_flow {
    std::uint32_t cpu = no_cpu;
    std::uint32_t last_tail = 0;
};

// Steers the packets of one receive queue: to their consumer's cpu where that is known, else by the map. A
// flow moves only when the cpu it was on has delivered all of it, or is offline. So for each packet:
//
//   const std::uint32_t cpu = steering.steer(hash, cpus);
//   if (cpu == no_cpu) ... process it here, now
//   else if (const auto pushed = to[cpu].push(std::move(packet), hash)) steering.queued(hash, pushed.tail);
//   else ... it is dropped
//
// Flows that share an entry move together. Differs from Linux, where a packet whose consumer is not known
// goes by the map at once, and may overtake.
// Thread: the receive queue's. Cost: two loads from tables; a cpu's counter when a flow wants to move.
// Source: the semantics of get_rps_cpu.
template <class Sync = std_sync>
class basic_flow_steering {
  public:
    // Precondition: as many flows as some power of two, untouched by others; they, the table and what the map
    // refers to outlive this.
    basic_flow_steering(std::span<steered_flow> flows, const basic_consumer_table<Sync>& consumers,
                        cpu_map otherwise = {}) noexcept
        : flows_(flows), consumers_(consumers), map_(otherwise) {
        NORIA_EXPECTS(std::has_single_bit(flows.size()), "a queue steers 2^n entries of flows");
    }

    // Where this packet goes; no_cpu: process it here, before the next of its flow.
    template <cpu_states Cpus>
    [[nodiscard]] std::uint32_t steer(std::uint32_t hash, const Cpus& cpus) noexcept {
        if (hash == 0)
            return no_cpu;
        std::uint32_t wanted = consumers_.cpu(hash);
        if (wanted == no_cpu || !cpus.online(wanted))
            wanted = map_.steer(hash, cpus);
        steered_flow& flow = entry(hash);
        if (flow.cpu != wanted && may_leave(flow, cpus)) {
            flow.cpu = wanted;
            if (wanted != no_cpu)
                flow.last_tail = cpus.dequeued(wanted); // nothing of it is there yet
        }
        return flow.cpu;
    }

    // The packet that was steered last has gone there, and is delivered when that cpu's dequeued() gets to
    // `tail`. Not for one that was dropped.
    void queued(std::uint32_t hash, std::uint32_t tail) noexcept { entry(hash).last_tail = tail; }

  private:
    [[nodiscard]] steered_flow& entry(std::uint32_t hash) noexcept {
        return flows_[hash & (flows_.size() - 1)];
    }

    template <cpu_states Cpus>
    [[nodiscard]] static bool may_leave(const steered_flow& flow, const Cpus& cpus) noexcept {
        return flow.cpu == no_cpu || !cpus.online(flow.cpu) ||
               static_cast<std::int32_t>(cpus.dequeued(flow.cpu) - flow.last_tail) >= 0;
    }

    std::span<steered_flow> flows_;
    const basic_consumer_table<Sync>& consumers_;
    cpu_map map_;
};
using flow_steering = basic_flow_steering<>;

} // namespace noria::inline NORIA_ABI
