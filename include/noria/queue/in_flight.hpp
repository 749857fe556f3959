// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <bit>
#include <cstdint>
#include <new>
#include <span>
#include <utility>

#include "noria/backend/transmit.hpp"
#include "noria/core/contract.hpp"
#include "noria/core/result.hpp"
#include "noria/packet/batch.hpp"
#include "noria/packet/packet.hpp"
#include "noria/packet/packet_ptr.hpp"

namespace noria::inline NORIA_ABI {

// The packets a device has, and what it still owes of each: the news that it was sent, and its memory. An id
// is a place's number and how often the place was used, so that a report that comes twice, or late, or was
// made up, ends nothing that is not its own. One thread.
class in_flight {
    struct entry;

  public:
    static constexpr std::uint32_t most_packets = 1u << 16;

    [[nodiscard]] static result<in_flight> create(std::uint32_t packets) noexcept {
        if (packets == 0 || packets > most_packets)
            return make_error(std::errc::invalid_argument, "between 1 and 65536 packets can be in flight");
        in_flight made;
        made.entries_ = new (std::nothrow) entry[packets];
        made.idle_ = new (std::nothrow) entry*[packets];
        if (made.entries_ == nullptr || made.idle_ == nullptr)
            return make_error(std::errc::not_enough_memory,
                              "the system has no memory for the queue's packets");
        made.count_ = packets;
        for (std::uint32_t number = packets; number-- != 0;) {
            made.entries_[number].due.id = number;
            made.idle_[made.idle_count_++] = &made.entries_[number];
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

    // Puts packets in, one behind the other. It keeps in registers how far it has come: nothing else is asked
    // of those in flight before done().
    class inserter {
      public:
        // What its reports will call the packet. Precondition: there is room, and it is not empty: `bytes`.
        std::uint32_t put(packet_ptr&& sending, std::uint32_t bytes, std::uint32_t descriptors) noexcept {
            entry& place = **--next_;
            place.memory = sending.release();
            place.bytes = bytes;
            place.descriptors = descriptors;
            place.due.flags = both;
            return place.due.id;
        }
        // How many that were.
        std::uint32_t done() noexcept {
            const auto idle = static_cast<std::uint32_t>(next_ - all_->idle_);
            const std::uint32_t put = all_->idle_count_ - idle;
            all_->unsettled_ += put;
            all_->idle_count_ = idle;
            return put;
        }

      private:
        friend class in_flight;
        explicit inserter(in_flight& all) noexcept : next_(all.idle_ + all.idle_count_), all_(&all) {}

        entry* const* next_; // behind the next idle place
        in_flight* all_;
    };
    [[nodiscard]] inserter insert() noexcept { return inserter(*this); }

    // Takes the packet out that was put in last, because the device has not taken it after all. It has been
    // told the id, though, which therefore names nothing any more. Precondition: nothing was settled since it
    // was put in.
    struct withdrawn {
        packet_ptr memory;
        std::uint32_t bytes;
        std::uint32_t descriptors;
    };
    [[nodiscard]] withdrawn withdraw() noexcept {
        entry& place = *idle_[idle_count_];
        leave(place);
        --unsettled_;
        return {packet_ptr(place.memory), static_cast<std::uint32_t>(place.bytes), place.descriptors};
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
        if (number >= count_ || entries_[number].due.id != report.id || told == 0 ||
            (told & ~entries_[number].due.flags) != 0)
            return {.refused = true};
        entry& place = entries_[number];
        place.due.flags &= ~told;
        settled what;
        if ((told & transmit_report::sent) != 0) {
            what.sent = !fails;
            what.failed = fails;
            what.bytes = static_cast<std::uint32_t>(place.bytes);
            place.due.flags |= fails ? failed : 0;
            --unsettled_;
        }
        if ((told & transmit_report::memory_free) != 0) {
            what.memory = packet_ptr(place.memory);
            // Of a device that copies nothing more may be known.
            what.why = (place.due.flags & failed) != 0 ? drop_reason::device_error : drop_reason::consumed;
        }
        if ((place.due.flags & both) == 0) {
            what.descriptors = place.descriptors;
            leave(place);
        }
        return what;
    }

    // The reports that most are: a packet was sent and its memory is free, and neither was told before. How
    // many of them there are before the first other one, which is settle()'s; what they come to goes into
    // `sum`, and their packets, which are the caller's from here on, behind each other to `memory`. A
    // few instructions each.
    struct sent_whole {
        std::uint64_t bytes = 0;
        std::uint32_t descriptors = 0;
    };
    [[nodiscard, gnu::noinline]] std::uint32_t settle_whole(std::span<const transmit_report> reports,
                                                            packet** memory, sent_whole& sum) noexcept {
        entry* const entries = entries_;
        const std::uint32_t count = count_;
        entry** const idle = idle_ + idle_count_;
        sent_whole all;
        std::size_t whole = 0;
        for (; whole != reports.size(); ++whole) {
            const auto report = std::bit_cast<std::uint64_t>(reports[whole]); // id and flags in one
            const std::uint32_t number = reports[whole].id & (most_packets - 1);
            if (number >= count) [[unlikely]]
                break;
            entry& place = entries[number];
            if (report != std::bit_cast<std::uint64_t>(place.due) || place.due.flags != both) [[unlikely]]
                break;
            all.bytes += place.bytes;
            all.descriptors += place.descriptors;
            detail::prefetch_packet(place.memory);
            memory[whole] = place.memory;
            place.due = {.id = place.due.id + most_packets, .flags = 0};
            idle[whole] = &place;
        }
        const auto settled_now = static_cast<std::uint32_t>(whole);
        idle_count_ += settled_now;
        unsettled_ -= settled_now;
        sum = all;
        return settled_now;
    }

    // The device is stopped and has none of them any more: all are freed as queue_purge. How many of them had
    // no end.
    std::uint32_t purge() noexcept {
        for (std::uint32_t number = 0; number != count_; ++number) {
            entry& place = entries_[number];
            if ((place.due.flags & both) == 0)
                continue;
            if ((place.due.flags & transmit_report::memory_free) != 0)
                packet_ptr(place.memory).free(drop_reason::queue_purge);
            leave(place);
        }
        return std::exchange(unsettled_, 0);
    }

  private:
    static constexpr std::uint32_t both =
        std::uint32_t{transmit_report::sent} | std::uint32_t{transmit_report::memory_free};
    static constexpr std::uint32_t failed = transmit_report::error;

    struct entry {
        packet* memory = nullptr; // ours to free, as long as memory_free is due
        // What the device still has to say of it. Neither of `both`, and the place is idle; `failed`: its end
        // is known, and is that it was not sent.
        transmit_report due;
        std::uint32_t descriptors = 0;
        std::uint64_t bytes = 0; // as wide as the sum of many, so that one addition does
    };

    in_flight() = default;

    // Nothing is owed there any more.
    void leave(entry& place) noexcept {
        place.due = {.id = place.due.id + most_packets, .flags = 0};
        idle_[idle_count_++] = &place;
    }

    entry* entries_ = nullptr;
    entry** idle_ = nullptr; // the first idle_count_ are such places
    std::uint32_t count_ = 0;
    std::uint32_t idle_count_ = 0;
    std::uint32_t unsettled_ = 0;
};

} // namespace noria::inline NORIA_ABI
