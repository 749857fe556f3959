// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <span>

#include "noria/backend/contract.hpp"
#include "noria/backend/transmit.hpp"

namespace noria::inline NORIA_ABI::backend {

// A device with no wire: it fills every posted buffer at once with a frame of `frame_bytes` that it never
// writes, and what is sent is gone at once. What is left is the cost of the queues alone. One thread.
class null {
  public:
    static constexpr buffer_model model = buffer_model::per_packet;
    static constexpr bool in_order = true;

    explicit null(std::uint32_t frame_bytes) noexcept : frame_bytes_(frame_bytes) {}

    [[nodiscard]] result<mapping> attach(region& memory) noexcept { return mapping(memory.bytes(), 0); }

    [[nodiscard]] result<receive_setup> configure(const receive_setup& wanted) noexcept {
        if (wanted.descriptors > most_descriptors)
            return make_error(std::errc::invalid_argument,
                              "the null device has 4096 descriptors: ask for no more");
        filled_ = posted_; // what the last queue posted is gone with it
        return wanted;
    }

    [[nodiscard]] std::uint32_t post(std::span<const buffer_post> posts) noexcept {
        const std::uint32_t room = most_descriptors - (posted_ - filled_);
        const std::uint32_t taken = posts.size() < room ? static_cast<std::uint32_t>(posts.size()) : room;
        std::uint32_t next = posted_;
        for (const buffer_post& post : posts.first(taken))
            ids_[next++ % most_descriptors] = post.id;
        posted_ = next;
        return taken;
    }

    [[nodiscard]] std::uint32_t reap(std::span<completion> completions) noexcept {
        const std::uint32_t there = posted_ - filled_;
        const std::uint32_t written =
            completions.size() < there ? static_cast<std::uint32_t>(completions.size()) : there;
        std::uint32_t next = filled_;
        for (completion& done : completions.first(written))
            done = {.id = ids_[next++ % most_descriptors],
                    .length = frame_bytes_,
                    .flags = completion::end_of_packet};
        filled_ = next;
        return written;
    }

    // What is sent goes nowhere, at once.
    [[nodiscard]] result<transmit_setup> configure_transmit(const transmit_setup& wanted) noexcept {
        if (wanted.descriptors > most_descriptors)
            return make_error(std::errc::invalid_argument,
                              "the null device has 4096 descriptors: ask for no more");
        reported_ = sent_;
        return wanted;
    }

    [[nodiscard]] std::uint32_t transmit(std::span<const transmit_post> posts) noexcept {
        std::uint32_t whole = 0;
        for (std::uint32_t i = 0; i != posts.size() && sent_ - reported_ != most_descriptors; ++i)
            if ((posts[i].flags & transmit_post::end_of_packet) != 0) {
                sent_ids_[sent_++ % most_descriptors] = posts[i].id;
                whole = i + 1;
            }
        return whole;
    }

    [[nodiscard]] std::uint32_t reap_sent(std::span<transmit_report> reports) noexcept {
        std::uint32_t written = 0;
        for (; written != reports.size() && reported_ != sent_; ++written)
            reports[written] = {.id = sent_ids_[reported_++ % most_descriptors],
                                .flags = transmit_report::sent | transmit_report::memory_free};
        return written;
    }

  private:
    static constexpr std::uint32_t most_descriptors = 4096;

    std::uint32_t frame_bytes_;
    std::uint32_t posted_ = 0; // both count on and wrap
    std::uint32_t filled_ = 0;
    std::uint32_t ids_[most_descriptors];
    std::uint32_t sent_ = 0; // packets; both count on and wrap
    std::uint32_t reported_ = 0;
    std::uint32_t sent_ids_[most_descriptors];
};

static_assert(check_backend<null>() && check_transmit<null>());

} // namespace noria::inline NORIA_ABI::backend
