// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <new>
#include <utility>

#include "noria/backend/transmit.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/result.hpp"
#include "noria/packet/packet.hpp"
#include "noria/packet/packet_ptr.hpp"

namespace noria::inline NORIA_ABI {

// The packets a device has, and what it still owes of each: the news that it was sent, and its memory. An id
// is a place's number and how often the place was used, so that a report that comes twice, or late, or was
// made up, ends nothing that is not its own. One thread.
class in_flight {
  public:
    static constexpr std::uint32_t most_packets = 1u << 16;

    [[nodiscard]] static result<in_flight> create(std::uint32_t packets) noexcept {
        if (packets == 0 || packets > most_packets)
            return make_error(std::errc::invalid_argument, "between 1 and 65536 packets can be in flight");
        in_flight made;
        made.entries_ = new (std::nothrow) entry[packets];
        made.idle_ = new (std::nothrow) std::uint32_t[packets];
        if (made.entries_ == nullptr || made.idle_ == nullptr)
            return make_error(std::errc::not_enough_memory,
                              "the system has no memory for the queue's packets");
        made.count_ = packets;
        for (std::uint32_t number = packets; number-- != 0;) {
            made.entries_[number].id = number;
            made.idle_[made.idle_count_++] = number;
        }
        return made;
    }

    in_flight(in_flight&& other) noexcept
        : entries_(std::exchange(other.entries_, nullptr)), idle_(std::exchange(other.idle_, nullptr)),
          count_(std::exchange(other.count_, 0)), idle_count_(std::exchange(other.idle_count_, 0)),
          unsettled_(std::exchange(other.unsettled_, 0)) {}
    in_flight& operator=(in_flight&&) = delete;
    ~in_flight() {
        purge();
        delete[] entries_;
        delete[] idle_;
    }

    // How many more can be put in.
    [[nodiscard]] std::uint32_t room() const noexcept { return idle_count_; }
    // Those whose memory the device has or whose end is not known; and of these, the latter.
    [[nodiscard]] std::uint32_t packets() const noexcept { return count_ - idle_count_; }
    [[nodiscard]] std::uint32_t unsettled() const noexcept { return unsettled_; }

    // What the nth packet put in from now on will be called. Precondition: nth < room().
    [[nodiscard]] std::uint32_t id_of_next(std::uint32_t nth) const noexcept {
        return entries_[idle_[idle_count_ - 1 - nth]].id;
    }
    // Precondition: there is room, and the packet is not empty.
    void put(packet_ptr&& sending, std::uint32_t descriptors) noexcept {
        entry& place = entries_[idle_[--idle_count_]];
        place.bytes = sending->size();
        place.descriptors = descriptors;
        place.owed = both;
        place.why = drop_reason::consumed; // of a device that copies nothing more is known
        place.memory = std::move(sending);
        ++unsettled_;
    }

    // What a report comes to.
    struct settled {
        bool refused = false;          // it says nothing that was owed: nothing was done
        bool sent = false;             // the packet's end is known: it was sent,
        bool failed = false;           // or it never will be
        std::uint32_t bytes = 0;       // of the packet whose end that is
        std::uint32_t descriptors = 0; // free again, since nothing is owed any more
        drop_reason why{};             // its memory goes home: consumed, or device_error
        packet_ptr memory{};           // free again
    };
    [[nodiscard]] settled settle(const transmit_report& report) noexcept {
        const std::uint32_t number = report.id & (most_packets - 1);
        const bool fails = (report.flags & transmit_report::error) != 0;
        const std::uint32_t told =
            (fails || (report.flags & transmit_report::sent) != 0 ? std::uint32_t{transmit_report::sent}
                                                                  : 0) |
            (report.flags & transmit_report::memory_free);
        if (number >= count_ || entries_[number].id != report.id || told == 0 ||
            (told & ~entries_[number].owed) != 0)
            return {.refused = true};
        entry& place = entries_[number];
        place.owed &= ~told;
        settled what;
        if ((told & transmit_report::sent) != 0) {
            what.sent = !fails;
            what.failed = fails;
            what.bytes = place.bytes;
            place.why = fails ? drop_reason::device_error : drop_reason::consumed;
            --unsettled_;
        }
        if ((told & transmit_report::memory_free) != 0) {
            what.memory = std::move(place.memory);
            what.why = place.why;
        }
        if (place.owed == 0) {
            what.descriptors = place.descriptors;
            place.id += most_packets;
            idle_[idle_count_++] = number;
        }
        return what;
    }

    // The device is stopped and has none of them any more: all are freed as queue_purge. How many of them had
    // no end.
    std::uint32_t purge() noexcept {
        for (std::uint32_t number = 0; number != count_; ++number) {
            entry& place = entries_[number];
            if (place.owed == 0)
                continue;
            place.memory.free(drop_reason::queue_purge);
            place.owed = 0;
            place.id += most_packets;
            idle_[idle_count_++] = number;
        }
        return std::exchange(unsettled_, 0);
    }

  private:
    static constexpr std::uint32_t both =
        std::uint32_t{transmit_report::sent} | std::uint32_t{transmit_report::memory_free};

    struct entry {
        packet_ptr memory;
        std::uint32_t id = 0;
        std::uint32_t bytes = 0;
        std::uint32_t descriptors = 0;
        drop_reason why{};
        std::uint32_t owed = 0; // flags of transmit_report: none of them, and the place is idle
    };

    in_flight() = default;

    entry* entries_ = nullptr;
    std::uint32_t* idle_ = nullptr;
    std::uint32_t count_ = 0;
    std::uint32_t idle_count_ = 0;
    std::uint32_t unsettled_ = 0;
};

} // namespace noria::inline NORIA_ABI
