// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "noria/backend/address_space.hpp"
#include "noria/backend/card_rings.hpp"
#include "noria/backend/fault_dice.hpp"
#include "noria/backend/transmit.hpp"
#include "noria/core/owned.hpp"
#include "noria/stats/counter.hpp"

namespace noria::inline NORIA_ABI::backend {

// What can go wrong on purpose on the way out: each with a probability of one in so many, 0 for never. The
// same seed gives the same faults.
struct transmit_faults {
    std::uint32_t full = 0;    // calls of transmit: the card takes nothing
    std::uint32_t error = 0;   // packets: reported as never to be sent, and so it is
    std::uint32_t late = 0;    // packets: their reports wait for a later step, and may be overtaken
    std::uint32_t apart = 0;   // packets: the memory is free a step after they are sent
    std::uint32_t reorder = 0; // packets: they change places with the report in front of them
    std::uint64_t seed = 1;
};

// The sending half of a network card in software. As the receiving one it has two sides, one thread each or
// one for both, and no thread of its own. The queue's: configure, transmit, reap_sent. The wire's: step. It
// sends what it is given, and offers no offload: checksums and tags a tx_queue fills in, and what is to be
// cut into segments it drops as gso_segment.
class transmitter {
  public:
    static constexpr std::uint32_t most_pieces = 18;
    using piece_bytes = std::span<const std::byte>;

    // `reachable` outlives it. The card takes at most `pieces` descriptors a packet.
    explicit transmitter(const address_space& reachable, const transmit_faults& faults = {},
                         std::uint32_t pieces = most_pieces) noexcept
        : reachable_(reachable), faults_(faults), pieces_(pieces < most_pieces ? pieces : most_pieces),
          of_queue_(faults.seed), of_wire_(faults.seed ^ 0x9e37'79b9'7f4a'7c15u) {}
    transmitter(const transmitter&) = delete;
    transmitter& operator=(const transmitter&) = delete;

    // The queue's side. configure while the wire is at rest: it begins anew.

    [[nodiscard]] result<transmit_setup> configure(const transmit_setup& wanted) noexcept {
        if (wanted.descriptors == 0 || wanted.descriptors > (1u << 20) || wanted.most_pieces == 0)
            return make_error(std::errc::invalid_argument,
                              "the loopback device has between 1 and 2^20 descriptors, and sends packets of "
                              "at least one piece");
        links_ = links::make(wanted.descriptors, 2 * wanted.descriptors);
        if (!links_)
            return make_error(std::errc::not_enough_memory,
                              "the system has no memory for the device's rings");
        waiting_count_ = held_ = 0;
        return transmit_setup{.descriptors = wanted.descriptors,
                              .most_pieces = wanted.most_pieces < pieces_ ? wanted.most_pieces : pieces_};
    }

    [[nodiscard]] std::uint32_t transmit(std::span<const transmit_post> posts) noexcept {
        if (of_queue_.strikes(faults_.full))
            return 0;
        auto& writer = links_->posts.writer;
        const std::uint32_t room = writer.space();
        std::uint32_t whole = posts.size() < room ? static_cast<std::uint32_t>(posts.size()) : room;
        while (whole != 0 && (posts[whole - 1].flags & transmit_post::end_of_packet) == 0)
            --whole;
        const std::uint32_t taken = writer.write_burst(posts.first(whole));
        writer.publish();
        return taken;
    }

    [[nodiscard]] std::uint32_t reap_sent(std::span<transmit_report> reports) noexcept {
        return links_->reports.reader.reap(reports);
    }

    // The wire's side. Sends up to `most` of the posted packets, and reports them: the number sent, which are
    // handed to wire(pieces) one by one, as spans that are good until it returns.
    template <class Wire>
        requires std::is_nothrow_invocable_v<Wire&, std::span<const piece_bytes>>
    std::uint32_t step(std::uint32_t most, Wire&& wire) noexcept {
        if (!links_)
            return 0;
        auto& writer = links_->reports.writer;
        const std::uint32_t late = std::exchange(waiting_count_, 0);
        for (std::uint32_t i = 0; i != late; ++i)
            report(waiting_[i]);
        std::uint32_t packets = 0;
        for (; packets != most && waiting_count_ + 1 < waiting_.size() && take_packet(); ++packets) {
            std::array<piece_bytes, most_pieces> pieces;
            bool good = held_ <= pieces.size();
            for (std::uint32_t i = 0; good && i != held_; ++i) {
                const std::byte* const at = reachable_.address_of(posts_[i].iova, posts_[i].length);
                good = at != nullptr; // what the driver said wrongly an IOMMU would stop
                pieces[i] = {at, good ? posts_[i].length : 0};
            }
            good = good && !of_wire_.strikes(faults_.error);
            if (good) {
                wire(std::span<const piece_bytes>(pieces.data(), held_));
                sent_.add();
            } else {
                failed_.add();
            }
            finish(good);
            held_ = 0;
        }
        flush();
        writer.publish();
        return packets;
    }

    // Packets sent, and failed. Any thread.
    [[nodiscard]] std::uint64_t sent() const noexcept { return sent_.value(); }
    [[nodiscard]] std::uint64_t failed() const noexcept { return failed_.value(); }

  private:
    using links = card_rings<transmit_post, transmit_report>;

    // The posts of the next packet, to posts_; false when there is none.
    [[nodiscard]] bool take_packet() noexcept {
        do {
            if (links_->posts.reader.reap({&posts_[held_ % most_pieces], 1}) == 0)
                return false;
        } while ((posts_[held_++ % most_pieces].flags & transmit_post::end_of_packet) == 0);
        return true;
    }

    void finish(bool good) noexcept {
        const std::uint32_t outcome = good ? transmit_report::sent : transmit_report::error;
        const std::uint32_t id = posts_[0].id;
        if (of_wire_.strikes(faults_.late)) {
            waiting_[waiting_count_++] = {.id = id, .flags = outcome | transmit_report::memory_free};
        } else if (of_wire_.strikes(faults_.apart)) {
            report({.id = id, .flags = outcome});
            waiting_[waiting_count_++] = {.id = id, .flags = transmit_report::memory_free};
        } else {
            report({.id = id, .flags = outcome | transmit_report::memory_free});
        }
    }

    // One report is held back, so that the next can go first.
    void report(const transmit_report& next) noexcept {
        if (!has_last_) {
            last_ = next;
            has_last_ = true;
        } else if (of_wire_.strikes(faults_.reorder)) {
            write(next);
        } else {
            write(std::exchange(last_, next));
        }
    }
    void flush() noexcept {
        if (std::exchange(has_last_, false))
            write(last_);
    }
    void write(const transmit_report& done) noexcept {
        const bool written = links_->reports.writer.write(done);
        NORIA_EXPECTS(written, "the report ring has two places for each packet that can be posted");
        static_cast<void>(written);
    }

    const address_space& reachable_;
    transmit_faults faults_;
    std::uint32_t pieces_;
    fault_dice of_queue_;
    fault_dice of_wire_;
    owned<links> links_;

    std::uint32_t held_ = 0; // posts of the packet being sent
    std::array<transmit_post, most_pieces> posts_;
    std::uint32_t waiting_count_ = 0; // for the next step
    std::array<transmit_report, 256> waiting_;
    transmit_report last_;
    bool has_last_ = false;

    counter sent_;
    counter failed_;
};

} // namespace noria::inline NORIA_ABI::backend
