// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "noria/core/clock.hpp"
#include "noria/core/contract.hpp"

namespace noria::inline NORIA_ABI {

// How many bytes a transmit queue lets the device have at once. Descriptors are a bad measure of that: 512 of
// them are 30 KB or 30 MB, and what stands in the device's ring waits there, in front of whatever is more
// urgent.
// Requires: has_room(more), may a packet be posted behind `more` bytes that are about to be; queued(bytes);
// completed(bytes, now), once for all that was reported since the last time, and not for none.
template <class Limit>
concept transmit_limit = std::is_nothrow_move_constructible_v<Limit> &&
                         requires(Limit& limit, const Limit& fixed, std::uint32_t bytes, nanoseconds now) {
                             { fixed.has_room(bytes) } noexcept -> std::same_as<bool>;
                             { limit.queued(bytes) } noexcept;
                             { limit.completed(bytes, now) } noexcept;
                         };

// No limit but the descriptors. Costs nothing.
struct unlimited {
    [[nodiscard]] static constexpr bool has_room(std::uint64_t) noexcept { return true; }
    static constexpr void queued(std::uint64_t) noexcept {}
    static constexpr void completed(std::uint64_t, nanoseconds) noexcept {}
};

struct byte_limit_options {
    std::uint64_t least = 0;
    std::uint64_t most = std::uint64_t{1} << 30;
    nanoseconds hold = 1'000'000'000; // how long bytes must have been too many before the limit shrinks
};

// The smallest limit that keeps the device busy, found by watching it (byte queue limits; T. Herbert, Linux
// 3.3, dynamic_queue_limits.h has the reasoning). It looks at the intervals between calls of completed():
//
//   starved  the queue stood at the limit, and the device finished all it had: the limit grows by what was
//            finished beyond what it had at the start, and by what had been let past the limit
//   slack    the device was busy for the whole interval and would have been with less: the least that was
//            too much in all intervals of a hold time is taken off
//
// A packet that is let in may go past the limit, so that the first one always is. One thread; a few
// instructions a call.
class byte_limit {
  public:
    byte_limit() noexcept : byte_limit(byte_limit_options()) {}
    // Precondition: least <= most.
    explicit byte_limit(const byte_limit_options& options) noexcept
        : options_(options), limit_(options.least) {
        NORIA_EXPECTS(options.least <= options.most, "a byte limit lies between least and most");
    }

    [[nodiscard]] std::uint64_t limit() const noexcept { return limit_; }
    // Bytes that the device has.
    [[nodiscard]] std::uint64_t on_the_way() const noexcept { return queued_ - completed_; }
    [[nodiscard]] bool has_room(std::uint64_t more = 0) const noexcept {
        return on_the_way() + more <= limit_;
    }

    void queued(std::uint64_t bytes) noexcept {
        queued_ += bytes;
        last_ = bytes;
    }

    // Precondition: no more than is on the way. `now` never goes backwards; nothing else depends on time than
    // when the limit shrinks.
    void completed(std::uint64_t bytes, nanoseconds now) noexcept {
        NORIA_EXPECTS(bytes <= on_the_way(), "no more bytes are completed than were queued");
        const std::uint64_t past = beyond(on_the_way(), limit_); // the queue was stopped, unless this is 0
        const std::uint64_t done = completed_ + bytes;
        const bool idle = done == queued_;
        const bool caught_up = done >= before_.queued; // with what there was when the interval began
        const std::uint64_t old_limit = limit_;

        if ((past != 0 && idle) || (before_.past != 0 && caught_up)) {
            limit_ += beyond(done, before_.queued) + before_.past;
            watch_slack_from(now);
        } else if (!idle && !caught_up) {
            // Twice what was finished would have been enough for this interval and the next; and of the last
            // packet, what lay past the limit was needed and the rest was not.
            const std::uint64_t of_interval = beyond(limit_ + before_.past, 2 * bytes);
            const std::uint64_t of_packet = before_.past != 0 ? beyond(before_.last, before_.past) : 0;
            const std::uint64_t slack = of_interval > of_packet ? of_interval : of_packet;
            least_slack_ = slack < least_slack_ ? slack : least_slack_;
            if (now - watched_since_ > options_.hold) {
                limit_ = beyond(limit_, least_slack_);
                watch_slack_from(now);
            }
        }

        limit_ = limit_ < options_.least ? options_.least : limit_;
        limit_ = limit_ > options_.most ? options_.most : limit_;
        completed_ = done;
        before_ = {.queued = queued_, .past = limit_ == old_limit ? past : 0, .last = last_};
    }

  private:
    static constexpr std::uint64_t nothing_seen = ~std::uint64_t{0};

    [[nodiscard]] static constexpr std::uint64_t beyond(std::uint64_t bytes, std::uint64_t mark) noexcept {
        return bytes > mark ? bytes - mark : 0;
    }
    void watch_slack_from(nanoseconds now) noexcept {
        least_slack_ = nothing_seen;
        watched_since_ = now;
    }

    // How things stood when the interval began.
    struct standing {
        std::uint64_t queued = 0; // bytes, in all
        std::uint64_t past = 0;   // the limit, bytes
        std::uint64_t last = 0;   // packet queued, bytes
    };

    byte_limit_options options_;
    std::uint64_t limit_;
    std::uint64_t queued_ = 0; // in all
    std::uint64_t completed_ = 0;
    std::uint64_t last_ = 0;
    standing before_;
    std::uint64_t least_slack_ = nothing_seen;
    nanoseconds watched_since_ = 0;
};

static_assert(transmit_limit<byte_limit> && transmit_limit<unlimited>);

} // namespace noria::inline NORIA_ABI
