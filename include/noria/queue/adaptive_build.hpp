// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "noria/core/clock.hpp"
#include "noria/queue/build.hpp"

namespace noria::inline NORIA_ABI {

// Finds the copybreak that costs the receiving thread least, while running, on the traffic and the consumer
// it has.
//
// A copybreak is one of nine limits: class k frames (up to 64 << k bytes) are copied when k is below the
// limit. Two limits that treat all frames of the day alike are the same limit, so only those that differ for
// frames which were really seen are tried. They are tried in duels: the current limit and a challenger take
// turns for a window of frames each, three times over, and the medians decide; a taking turns cancels what
// drifts, a median what interrupts. A challenger must win by a margin. As long as none does, duels get rarer.
//
// One thread. Cost: one add for each frame, and two reads of the counter for each poll.
class copybreak_learner {
  public:
    static constexpr std::uint32_t classes = 9;

    // Frames up to how many bytes are copied now.
    [[nodiscard]] std::uint32_t copybreak() const noexcept { return limit_bytes(limit_in_use()); }
    [[nodiscard]] std::uint32_t learned_copybreak() const noexcept { return limit_bytes(limit_); }

    [[nodiscard]] bool copies(std::uint32_t frame_bytes) noexcept {
        const std::uint32_t k = class_of(frame_bytes);
        ++seen_[k];
        return k < limit_in_use();
    }

    // What a poll cost: `ticks` for `frames` of them, from refill to the consumer's last word.
    void learn(std::uint64_t ticks, std::uint32_t frames) noexcept {
        window_frames_ += frames;
        if (window_frames_ <= settling)
            return; // what the last limit left behind in the caches and in the consumer's hands
        if (measured_frames_ == 0)
            started_ = window_frames_ - frames;
        measured_ticks_ += ticks;
        measured_frames_ = window_frames_ - started_;
        if (measured_frames_ >= window) {
            const auto cost = static_cast<double>(measured_ticks_) / static_cast<double>(measured_frames_);
            window_frames_ = measured_ticks_ = measured_frames_ = 0;
            end_window(cost);
        }
    }

  private:
    static constexpr std::uint32_t settling = 1024; // frames
    static constexpr std::uint32_t window = 2048;   // frames
    static constexpr std::uint32_t rounds = 3;      // odd
    static constexpr double margin = 0.98;
    static constexpr std::uint32_t shortest_rest = 4; // windows between duels
    static constexpr std::uint32_t longest_rest = 512;

    [[nodiscard]] static constexpr std::uint32_t class_of(std::uint32_t bytes) noexcept {
        if (bytes <= 64)
            return 0;
        const auto k = static_cast<std::uint32_t>(std::bit_width((bytes - 1) >> 6));
        return k < classes ? k : classes - 1;
    }
    [[nodiscard]] static constexpr std::uint32_t limit_bytes(std::uint32_t limit) noexcept {
        return limit == 0 ? 0 : limit == classes ? ~0u : 32u << limit;
    }
    [[nodiscard]] std::uint32_t limit_in_use() const noexcept {
        return duel_ && windows_ % 2 != 0 ? challenger_ : limit_;
    }

    void end_window(double cost) noexcept {
        if (!duel_) {
            if (++windows_ >= rest_)
                start_duel();
            return;
        }
        costs_[windows_ % 2][windows_ / 2] = cost;
        if (++windows_ == 2 * rounds)
            end_duel();
    }

    void start_duel() noexcept {
        upwards_ = !upwards_;
        challenger_ = neighbour(upwards_);
        if (challenger_ == limit_)
            challenger_ = neighbour(!upwards_);
        duel_ = challenger_ != limit_;
        windows_ = 0;
        for (std::uint32_t& count : seen_)
            count /= 2;
    }

    void end_duel() noexcept {
        duel_ = false;
        windows_ = 0;
        if (median(costs_[1]) < median(costs_[0]) * margin) {
            upwards_ = challenger_ < limit_; // start_duel turns this round: go on the same way
            limit_ = challenger_;
            rest_ = shortest_rest;
        } else if (rest_ < longest_rest) {
            rest_ *= 2;
        }
    }

    // The next limit that way which treats some frame that was seen differently; the current one if there is
    // none.
    [[nodiscard]] std::uint32_t neighbour(bool up) const noexcept {
        std::uint32_t next = limit_;
        while (up ? next != classes : next != 0) {
            const std::uint32_t crossed = up ? next++ : --next;
            if (seen_[crossed] != 0)
                return next;
        }
        return limit_;
    }

    [[nodiscard]] static double median(std::array<double, rounds> costs) noexcept {
        for (std::uint32_t i = 1; i != rounds; ++i)
            for (std::uint32_t j = i; j != 0 && costs[j] < costs[j - 1]; --j) {
                const double larger = costs[j - 1];
                costs[j - 1] = costs[j];
                costs[j] = larger;
            }
        return costs[rounds / 2];
    }

    std::uint32_t limit_ = 3; // 256 bytes, the number everybody starts from
    std::uint32_t challenger_ = 3;
    bool duel_ = false;
    bool upwards_ = false;
    std::uint32_t windows_ = 0; // ended ones, of this rest or duel
    std::uint32_t rest_ = 1;
    std::uint64_t window_frames_ = 0;
    std::uint64_t started_ = 0;
    std::uint64_t measured_frames_ = 0;
    std::uint64_t measured_ticks_ = 0;
    std::array<std::array<double, rounds>, 2> costs_{};
    std::array<std::uint32_t, classes> seen_{};
};

// Copies or wraps, each frame by its length, and copies whatever its length once packets pin so much memory
// that the device could run short of it. `Clock` only has to count steadily.
template <clock_source Clock = tick_counter>
class basic_adaptive_build {
  public:
    static constexpr bool attaches = true;
    static constexpr bool keeps_frame = false;

    [[nodiscard]] static head_plan heads(const rx_options& options) noexcept {
        return detail::copy_heads(options, options.frame_bytes);
    }
    explicit basic_adaptive_build(const rx_options& options, Clock clock = {}) noexcept
        : headroom_(options.geometry.headroom), clock_(clock) {}

    // The queue calls these around each poll.
    void begin_poll(std::uint32_t free_pages, std::uint32_t all_pages) noexcept {
        // Two marks, so that it does not change its mind with every page.
        short_ = free_pages < (short_ ? all_pages / 4 : all_pages / 8);
        began_ = clock_.now();
    }
    void end_poll(std::uint32_t frames) noexcept {
        if (frames != 0 && !short_)
            learner_.learn(clock_.now() - began_, frames);
    }

    template <receive_supply Supply>
    [[nodiscard]] packet_ptr build(frame& gathered, Supply& supply, packet_pool& packets,
                                   build_counters& counters) noexcept {
        if (learner_.copies(gathered.length()) || short_)
            if (packet_ptr copied = detail::copy_of(gathered, headroom_, packets, counters))
                return copied;
        return detail::packet_around(gathered, supply, packets, counters);
    }

    [[nodiscard]] copybreak_learner& learner() noexcept { return learner_; }

  private:
    std::uint32_t headroom_;
    bool short_ = false;
    std::uint64_t began_ = 0;
    Clock clock_;
    copybreak_learner learner_;
};

using adaptive_build = basic_adaptive_build<>;

} // namespace noria::inline NORIA_ABI
