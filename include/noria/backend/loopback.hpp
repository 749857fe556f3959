// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "noria/backend/address_space.hpp"
#include "noria/backend/card_rings.hpp"
#include "noria/backend/contract.hpp"
#include "noria/backend/fault_dice.hpp"
#include "noria/backend/transmitter.hpp"
#include "noria/core/owned.hpp"
#include "noria/stats/counter.hpp"

namespace noria::inline NORIA_ABI::backend {

// A frame on the wire, and what a device finds out about it on the way in. The bytes stay the
// sender's, who keeps them until a step() has moved them to memory.
struct wire_frame {
    std::span<const std::byte> bytes;
    std::uint32_t hash = 0;
    std::uint16_t checksum = 0; // of the whole frame, with completion::checksum_sum
    std::uint16_t vlan = 0;
    std::uint32_t flags = 0; // of completion: checksum_ok, checksum_sum
};

// What can go wrong on purpose: each with a probability of one in so many frames, 0 for never. The same seed
// gives the same faults.
struct loopback_faults {
    std::uint32_t drop = 0;      // the frame is lost on the wire
    std::uint32_t truncate = 0;  // its second half is
    std::uint32_t error = 0;     // it is completed, and marked damaged
    std::uint32_t late = 0;      // its completion, and all behind it, wait for the next step
    std::uint32_t duplicate = 0; // its last completion is written twice
    std::uint64_t seed = 1;
};

// A network card in software, for tests, benchmarks and reading. It takes posted buffers or work buffers,
// writes frames into them, and reports through a descriptor ring, as hardware does.
//
// Two sides, one thread each, or one thread for both. The queue's: attach, configure, post, reap. The wire's:
// offer and step, where all work is done. No thread of its own: whoever owns the wire side decides when the
// card runs.
template <buffer_model Model>
    requires(Model == buffer_model::per_packet || Model == buffer_model::striding)
class loopback {
  public:
    static constexpr buffer_model model = Model;
    static constexpr bool in_order = true;
    static constexpr std::uint32_t fifo_frames = 512;

    // It sends packets in at most `most_pieces` pieces.
    explicit loopback(loopback_faults faults = {}, transmit_faults on_the_way_out = {},
                      std::uint32_t most_pieces = transmitter::most_pieces) noexcept
        : faults_(faults), random_(faults.seed), sending_(reachable_, on_the_way_out, most_pieces) {}
    loopback(const loopback&) = delete;
    loopback& operator=(const loopback&) = delete;

    // The queue's side. attach and configure while the wire is at rest: they begin anew.

    [[nodiscard]] result<mapping> attach(region& memory) noexcept { return reachable_.attach(memory); }

    [[nodiscard]] result<receive_setup> configure(const receive_setup& wanted) noexcept {
        if (wanted.descriptors == 0 || wanted.descriptors > (1u << 20))
            return make_error(std::errc::invalid_argument,
                              "the loopback device has between 1 and 2^20 descriptors");
        if (Model == buffer_model::striding &&
            (!wanted.strides.valid() || wanted.posts_per_work_buffer == 0 ||
             wanted.posts_per_work_buffer > most_posts ||
             wanted.descriptors % wanted.posts_per_work_buffer != 0))
            return make_error(std::errc::invalid_argument,
                              "a work buffer is valid strides on 1 to 1024 posts, and descriptors are whole "
                              "work buffers of them");
        setup_ = wanted;
        const std::uint64_t most =
            Model == buffer_model::striding
                ? wanted.strides.completions_needed(wanted.descriptors / wanted.posts_per_work_buffer)
                : wanted.descriptors;
        if (most > most_completions)
            return make_error(std::errc::invalid_argument,
                              "that many strides want more than 2^24 completions: use fewer work buffers");
        setup_.completions = most;
        links_ = links::make(wanted.descriptors, static_cast<std::uint32_t>(most) + spare_completions);
        if (!links_)
            return make_error(std::errc::not_enough_memory,
                              "the system has no memory for the device's rings");
        completion_room_ = posts_held_ = used_strides_ = 0; // what the last queue posted is gone with it
        return setup_;
    }

    [[nodiscard]] std::uint32_t post(std::span<const buffer_post> posts) noexcept {
        const std::uint32_t taken = links_->posts.writer.write_burst(posts);
        links_->posts.writer.publish();
        return taken;
    }

    [[nodiscard]] std::uint32_t reap(std::span<completion> completions) noexcept {
        return links_->reports.reader.reap(completions);
    }

    // The queue's side of sending.
    [[nodiscard]] result<transmit_setup> configure_transmit(const transmit_setup& wanted) noexcept {
        return sending_.configure(wanted);
    }
    [[nodiscard]] std::uint32_t transmit(std::span<const transmit_post> posts) noexcept {
        return sending_.transmit(posts);
    }
    [[nodiscard]] std::uint32_t reap_sent(std::span<transmit_report> reports) noexcept {
        return sending_.reap_sent(reports);
    }

    // The wire's side of sending: transmitter::step is where packets come out. What is sent is not received
    // by the same card by itself: whoever owns the wire offers it again, here or elsewhere.
    [[nodiscard]] transmitter& sending() noexcept { return sending_; }
    [[nodiscard]] const transmitter& sending() const noexcept { return sending_; }

    // The wire's side.

    // Puts a frame in the card's receive FIFO. False when that is full, as it is when nobody posts buffers:
    // the frame is lost, and counted as missed.
    bool offer(const wire_frame& arriving) noexcept {
        offered_.add();
        if (fifo_room() == 0) {
            missed_.add();
            return false;
        }
        fifo_[fifo_tail_++ % fifo_frames] = arriving;
        return true;
    }
    [[nodiscard]] std::uint32_t fifo_room() const noexcept { return fifo_frames - (fifo_tail_ - fifo_head_); }
    [[nodiscard]] std::uint32_t fifo_waiting() const noexcept { return fifo_tail_ - fifo_head_; }

    // Takes up to `most` frames from the FIFO and moves them to memory; the number taken. It stops where no
    // buffer is posted.
    std::uint32_t step(std::uint32_t most = fifo_frames) noexcept {
        if (!links_)
            return 0;
        std::uint32_t moved = 0;
        const std::uint64_t lost_before = lost_.value();
        late_ = false;
        for (; moved != most && fifo_head_ != fifo_tail_; ++moved) {
            if (!receive(fifo_[fifo_head_ % fifo_frames]))
                break;
            ++fifo_head_;
            if (!late_ && (moved + 1) % publish_every == 0)
                links_->reports.writer.publish();
        }
        if (!late_)
            links_->reports.writer.publish();
        moved_.add(moved - (lost_.value() - lost_before));
        return moved;
    }

    // Frames offered; moved to memory; missed, for want of buffers; lost, by a fault or because no buffer is
    // long enough. Any thread.
    [[nodiscard]] std::uint64_t offered() const noexcept { return offered_.value(); }
    [[nodiscard]] std::uint64_t moved() const noexcept { return moved_.value(); }
    [[nodiscard]] std::uint64_t missed() const noexcept { return missed_.value(); }
    [[nodiscard]] std::uint64_t lost() const noexcept { return lost_.value(); }

  private:
    static constexpr std::uint32_t most_posts_per_frame = 64;
    static constexpr std::uint32_t most_completions = 1u << 24;
    static constexpr std::uint32_t most_posts = 1024; // taken over at once: a work buffer, at most
    static constexpr std::uint32_t spare_completions =
        2 * (most_posts_per_frame + 2);                // for duplicates, and for looking ahead
    static constexpr std::uint32_t publish_every = 16; // frames: a device writes completions back in bursts

    using links = card_rings<buffer_post, completion>;

    [[nodiscard]] bool strikes(std::uint32_t one_in) noexcept { return random_.strikes(one_in); }

    // One frame to memory. False when a buffer is missing: nothing has happened then, and the frame stays in
    // the FIFO.
    [[nodiscard]] bool receive(const wire_frame& arriving) noexcept {
        if (completion_room_ < most_posts_per_frame + 2)
            completion_room_ = links_->reports.writer.space();
        if (completion_room_ < most_posts_per_frame + 2)
            return false;
        std::span<const std::byte> bytes = arriving.bytes;
        const placed place =
            Model == buffer_model::striding ? find_strides(bytes.size()) : find_buffers(bytes.size());
        if (place == placed::not_yet)
            return false;
        if (place == placed::never || strikes(faults_.drop)) {
            lost_.add();
            return true;
        }
        if (strikes(faults_.truncate))
            bytes = bytes.first(bytes.size() / 2);
        completion done{.hash = arriving.hash,
                        .checksum = arriving.checksum,
                        .vlan = arriving.vlan,
                        .flags = arriving.flags};
        if (strikes(faults_.error))
            done.flags |= completion::error;
        if (strikes(faults_.late)) {
            if (!late_)
                links_->reports.writer.publish(); // what came before is not late
            late_ = true;
        }
        if constexpr (Model == buffer_model::striding)
            fill_strides(bytes, done);
        else
            fill_buffers(bytes, done);
        if (strikes(faults_.duplicate))
            complete(done);
        return true;
    }

    enum class placed : unsigned char { here, not_yet, never };

    void complete(const completion& done) noexcept {
        const bool written = links_->reports.writer.write(done);
        NORIA_EXPECTS(written,
                      "the completion ring holds one completion for each buffer or stride, and spare ones");
        static_cast<void>(written);
        --completion_room_;
    }

    // Writes to where the driver said. What it said wrongly an IOMMU would stop: the bytes go nowhere.
    void write(std::uint64_t iova, std::span<const std::byte> bytes) noexcept {
        if (std::byte* const to = reachable_.address_of(iova, bytes.size()); to != nullptr && !bytes.empty())
            std::memcpy(to, bytes.data(), bytes.size());
    }

    // Per packet: enough of the posted buffers, taken over from the ring, for `bytes`.
    [[nodiscard]] placed find_buffers(std::size_t bytes) noexcept {
        std::size_t room = 0;
        for (std::uint32_t i = 0; i == 0 || room < bytes; ++i) {
            if (i == most_posts_per_frame)
                return placed::never;
            if (i == posts_held_ && !take_post())
                return placed::not_yet;
            room += held(i).length;
        }
        return placed::here;
    }
    void fill_buffers(std::span<const std::byte> bytes, completion& done) noexcept {
        const std::uint32_t of_frame = done.flags;
        do {
            const buffer_post& into = held(0);
            const std::size_t here = bytes.size() < into.length ? bytes.size() : into.length;
            write(into.iova, bytes.first(here));
            bytes = bytes.subspan(here);
            done.id = into.id;
            done.length = static_cast<std::uint32_t>(here);
            done.flags = bytes.empty() ? of_frame | completion::end_of_packet
                                       : of_frame & ~std::uint32_t{completion::end_of_packet};
            ++first_post_;
            --posts_held_;
            complete(done);
        } while (!bytes.empty());
    }
    [[nodiscard]] buffer_post& held(std::uint32_t i) noexcept {
        return posts_[(first_post_ + i) % most_posts];
    }
    [[nodiscard]] bool take_post() noexcept {
        buffer_post& next = held(posts_held_);
        const std::uint32_t taken = links_->posts.reader.reap({&next, 1});
        posts_held_ += taken;
        return taken != 0;
    }

    // Striding: strides for `bytes` in the current work buffer, else in the next one behind a filler.
    [[nodiscard]] placed find_strides(std::size_t bytes) noexcept {
        const std::uint64_t wanted = std::uint64_t{setup_.frame_offset} + bytes;
        if (wanted > setup_.strides.work_buffer_bytes())
            return placed::never;
        const std::uint32_t left = setup_.strides.strides - used_strides_;
        if (posts_held_ == setup_.posts_per_work_buffer &&
            setup_.strides.strides_for(static_cast<std::uint32_t>(wanted)) > left) {
            complete({.id = posts_[0].id,
                      .offset = used_strides_ * setup_.strides.stride_bytes,
                      .strides = left,
                      .flags = completion::filler});
            next_work_buffer();
        }
        while (posts_held_ != setup_.posts_per_work_buffer) {
            const std::uint32_t taken =
                links_->posts.reader.reap({&posts_[posts_held_], setup_.posts_per_work_buffer - posts_held_});
            if (taken == 0)
                return placed::not_yet;
            posts_held_ += taken;
        }
        return placed::here;
    }
    void fill_strides(std::span<const std::byte> bytes, completion& done) noexcept {
        const std::uint32_t start = used_strides_ * setup_.strides.stride_bytes;
        done.id = posts_[0].id;
        done.offset = start;
        done.length = static_cast<std::uint32_t>(bytes.size());
        done.strides = setup_.strides.strides_for(setup_.frame_offset + done.length);
        done.flags |= completion::end_of_packet;
        const std::uint32_t post_bytes = setup_.strides.work_buffer_bytes() / setup_.posts_per_work_buffer;
        std::uint32_t at = start + setup_.frame_offset;
        while (!bytes.empty()) {
            const std::uint32_t within = at % post_bytes;
            const std::size_t here = bytes.size() < post_bytes - within ? bytes.size() : post_bytes - within;
            write(posts_[at / post_bytes].iova + within, bytes.first(here));
            bytes = bytes.subspan(here);
            at += static_cast<std::uint32_t>(here);
        }
        complete(done);
        used_strides_ += done.strides;
        if (used_strides_ == setup_.strides.strides)
            next_work_buffer();
    }
    void next_work_buffer() noexcept {
        posts_held_ = 0;
        used_strides_ = 0;
    }

    loopback_faults faults_;
    fault_dice random_;
    address_space reachable_;
    transmitter sending_;
    receive_setup setup_;
    owned<links> links_;

    std::uint32_t completion_room_ = 0; // known to be free
    bool late_ = false;
    std::uint32_t used_strides_ = 0;
    std::uint32_t first_post_ = 0;
    std::uint32_t posts_held_ = 0; // taken from the ring, not yet filled
    std::array<buffer_post, most_posts> posts_;

    std::uint32_t fifo_head_ = 0; // both count on and wrap
    std::uint32_t fifo_tail_ = 0;
    std::array<wire_frame, fifo_frames> fifo_;

    counter offered_;
    counter moved_;
    counter missed_;
    counter lost_;
};

static_assert(check_backend<loopback<buffer_model::per_packet>>());
static_assert(check_backend<loopback<buffer_model::striding>>());
static_assert(check_transmit<loopback<buffer_model::per_packet>>());

} // namespace noria::inline NORIA_ABI::backend
