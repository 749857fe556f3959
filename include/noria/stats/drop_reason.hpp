// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "noria/core/contract.hpp"
#include "noria/core/sync.hpp"
#include "noria/stats/counter.hpp"

namespace noria::inline NORIA_ABI {

// Why a packet was given back. Every free names one, so nothing is lost silently. The set is Linux's
// (include/net/dropreason-core.h), cut down to what a receive path meets; the top 16 bits belong to users.
enum class drop_reason : std::uint32_t {
    not_specified, // zero on purpose: a reason somebody forgot to set must count as a drop
    consumed,      // delivered and used: not a drop
    packet_too_small,
    packet_too_big,
    header_truncated, // the bytes end inside a header
    no_memory,
    full_ring,
    rx_missed,    // the device had no buffer to put it in
    device_ready, // the device was not ready to take it
    device_error, // the device marked the completion bad
    cpu_backlog,  // the steered-to queue was full, or the flow went over its limit
    filter,       // a user's verdict
    ip_header,
    ip_checksum,
    tcp_checksum,
    udp_checksum,
    checksum, // any other
    unhandled_protocol,
    gso_segment, // cutting into segments failed
    bad_gso,     // the segmentation metadata contradicts the bytes
    user_copy_fault,
    queue_purge, // thrown away with its queue
};

inline constexpr std::size_t drop_reason_count = static_cast<std::size_t>(drop_reason::queue_purge) + 1;

// A reason of a user's own. Precondition: subsystem is not zero, which is the library itself.
[[nodiscard]] constexpr drop_reason user_drop_reason(std::uint16_t subsystem, std::uint16_t code) noexcept {
    NORIA_EXPECTS(subsystem != 0, "sub-system 0 is the library's; number yours from 1");
    return static_cast<drop_reason>(std::uint32_t{subsystem} << 16 | code);
}

[[nodiscard]] constexpr bool is_user(drop_reason reason) noexcept {
    return static_cast<std::uint32_t>(reason) >> 16 != 0;
}

// The reason's own word, and "user" for every user reason. Never null.
[[nodiscard]] constexpr const char* name(drop_reason reason) noexcept {
    if (is_user(reason))
        return "user";
    switch (reason) {
    case drop_reason::consumed:
        return "consumed";
    case drop_reason::packet_too_small:
        return "packet_too_small";
    case drop_reason::packet_too_big:
        return "packet_too_big";
    case drop_reason::header_truncated:
        return "header_truncated";
    case drop_reason::no_memory:
        return "no_memory";
    case drop_reason::full_ring:
        return "full_ring";
    case drop_reason::rx_missed:
        return "rx_missed";
    case drop_reason::device_ready:
        return "device_ready";
    case drop_reason::device_error:
        return "device_error";
    case drop_reason::cpu_backlog:
        return "cpu_backlog";
    case drop_reason::filter:
        return "filter";
    case drop_reason::ip_header:
        return "ip_header";
    case drop_reason::ip_checksum:
        return "ip_checksum";
    case drop_reason::tcp_checksum:
        return "tcp_checksum";
    case drop_reason::udp_checksum:
        return "udp_checksum";
    case drop_reason::checksum:
        return "checksum";
    case drop_reason::unhandled_protocol:
        return "unhandled_protocol";
    case drop_reason::gso_segment:
        return "gso_segment";
    case drop_reason::bad_gso:
        return "bad_gso";
    case drop_reason::user_copy_fault:
        return "user_copy_fault";
    case drop_reason::queue_purge:
        return "queue_purge";
    case drop_reason::not_specified:
        break;
    }
    return "not_specified";
}

namespace detail {

// One bucket a reason, and one more that all user reasons share. A number that is no reason at all lands on
// not_specified, so that no count is ever lost.
inline constexpr std::size_t drop_buckets = drop_reason_count + 1;

[[nodiscard]] constexpr std::size_t drop_bucket(drop_reason reason) noexcept {
    if (is_user(reason))
        return drop_reason_count;
    const auto index = static_cast<std::size_t>(reason);
    return index < drop_reason_count ? index : static_cast<std::size_t>(drop_reason::not_specified);
}

} // namespace detail

// How many packets were given back for each reason. All user reasons share one bucket, and a number that is
// no reason at all counts as not_specified. Thread: one writer, any reader. Progress: wait-free. Cost: one
// plain add.
template <class Sync = std_sync>
class basic_drop_histogram {
  public:
    void count(drop_reason reason, std::uint64_t n = 1) noexcept {
        buckets_[detail::drop_bucket(reason)].add(n);
    }

    [[nodiscard]] std::uint64_t of(drop_reason reason) const noexcept {
        return buckets_[detail::drop_bucket(reason)].value();
    }

    // Everything but consumed. Each bucket is read once, not all at one instant.
    [[nodiscard]] std::uint64_t dropped() const noexcept {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < buckets_.size(); ++i)
            sum += i == detail::drop_bucket(drop_reason::consumed) ? 0 : buckets_[i].value();
        return sum;
    }

  private:
    std::array<basic_counter<Sync>, detail::drop_buckets> buckets_;
};

using drop_histogram = basic_drop_histogram<>;

} // namespace noria::inline NORIA_ABI
