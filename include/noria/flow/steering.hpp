// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "noria/core/config.hpp"

// Receive packet steering: which cpu is to process a packet, chosen in software by the packet's hash. For
// devices with fewer queues than there are cpus to use.

namespace noria::inline NORIA_ABI {

// Process it here, on the cpu that received it.
inline constexpr std::uint32_t no_cpu = ~std::uint32_t{0};

// What steering asks of the cpus it steers to. Requires, both noexcept:
//   online(cpu) -> bool   It takes packets. A cpu that goes offline has nothing left in its backlog.
//   dequeued(cpu) -> u32  How many its backlog has delivered since the beginning, modulo 2^32.
template <class T>
concept cpu_states = requires(const T& cpus, std::uint32_t cpu) {
    { cpus.online(cpu) } noexcept -> std::same_as<bool>;
    { cpus.dequeued(cpu) } noexcept -> std::same_as<std::uint32_t>;
};

// The cpus that share the flows of a receive queue, each as large a part as the others; who is to have more
// is named more than once. Refers to the caller's list. Thread: any, while nobody changes the list.
// Cost: one multiplication and one load. Source: the semantics of rps_cpus.
class cpu_map {
  public:
    cpu_map() noexcept = default; // steers nothing
    explicit cpu_map(std::span<const std::uint16_t> cpus) noexcept : cpus_(cpus) {}

    // A flow stays where it is as long as the list does. A hash of 0 is none.
    [[nodiscard]] std::uint32_t cpu(std::uint32_t hash) const noexcept {
        if (hash == 0 || cpus_.empty())
            return no_cpu;
        return cpus_[static_cast<std::size_t>(std::uint64_t{hash} * cpus_.size() >> 32)];
    }

    // The same, if that cpu can take it now.
    template <cpu_states Cpus>
    [[nodiscard]] std::uint32_t steer(std::uint32_t hash, const Cpus& cpus) const noexcept {
        const std::uint32_t chosen = cpu(hash);
        return chosen != no_cpu && cpus.online(chosen) ? chosen : no_cpu;
    }

  private:
    std::span<const std::uint16_t> cpus_;
};

} // namespace noria::inline NORIA_ABI
