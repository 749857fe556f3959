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
// A copybreak is one of ten limits: frames of class k (up to 64 << k bytes) are copied when k is below the
// limit. Two limits that treat all frames of the day alike are the same limit, so only those that differ for
// frames which were really seen are tried. They are tried in duels: the limit in force and a challenger take
// turns for a window of frames each, and the medians decide. Taking turns cancels what drifts, a median what
// interrupts; a challenger that is hopeless in the first round is sent home, and must win by a margin after
// the last. Between duels nothing is measured, and as long as no challenger wins they get rarer.
//
// One thread. Cost: a compare and a mark for each frame; the clock is read in duels only.
class copybreak_learner {
  public:
    static constexpr std::uint32_t classes = 9;

    // Frames up to how many bytes are copied: just now, and by what has been learned.
    [[nodiscard]] std::uint32_t copybreak() const noexcept { return copybreak_; }
    [[nodiscard]] std::uint32_t learned_copybreak() const noexcept { return limit_bytes(limit_); }

    [[nodiscard]] bool copies(std::uint32_t frame_bytes) noexcept {
        seen_ |= 1u << class_of(frame_bytes);
        return frame_bytes <= copybreak_;
    }

    // Does it want to know what polls cost?
    [[nodiscard]] bool measures() const noexcept { return in_duel_; }

    // A poll has worked off `frames`; what it cost, from refill to the consumer's last word, in any steady
    // unit. (The cost is looked at in duels only.)
    void learn(std::uint64_t cost, std::uint32_t frames) noexcept {
        if (!in_duel_) {
            resting_ = resting_ > frames ? resting_ - frames : 0;
            if (resting_ == 0)
                start_duel();
            return;
        }
        if (settled_ <
            settling) { // what the other limit left behind, in the caches and in the consumer's hands
            settled_ += frames;
            return;
        }
        measured_cost_ += cost;
        measured_ += frames;
        if (measured_ >= window)
            end_window(static_cast<double>(measured_cost_) / static_cast<double>(measured_));
    }

  private:
    static constexpr std::uint32_t settling = 256; // frames
    static constexpr std::uint32_t window = 512;   // frames
    static constexpr std::uint32_t rounds = 5;     // odd
    static constexpr std::uint32_t ways = 4;
    static constexpr double margin = 0.98;
    static constexpr double hopeless = 1.15;
    static constexpr std::uint32_t shortest_rest = 4096; // frames
    static constexpr std::uint32_t longest_rest = 1u << 20;

    [[nodiscard]] static constexpr std::uint32_t class_of(std::uint32_t bytes) noexcept {
        const auto k = static_cast<std::uint32_t>(std::bit_width((bytes - (bytes != 0)) >> 6));
        return k < classes ? k : classes - 1;
    }
    [[nodiscard]] static constexpr std::uint32_t limit_bytes(std::uint32_t limit) noexcept {
        return limit == 0 ? 0 : limit == classes ? ~0u : 32u << limit;
    }

    void use(std::uint32_t limit) noexcept {
        copybreak_ = limit_bytes(limit);
        settled_ = 0;
        measured_ = 0;
        measured_cost_ = 0;
    }

    void start_duel() noexcept {
        for (std::uint32_t tried = 0; tried != ways; ++tried) {
            way_ = (way_ + 1) % ways;
            challenger_ = challenger_by(way_);
            if (challenger_ == limit_)
                continue;
            in_duel_ = true;
            windows_ = 0;
            use(limit_);
            return;
        }
        resting_ = rest_; // no frame seen that another limit would treat differently
    }

    void end_window(double cost) noexcept {
        costs_[windows_ % 2][windows_ / 2] = cost;
        ++windows_;
        const bool lost = windows_ == 2 && costs_[1][0] > costs_[0][0] * hopeless;
        if (lost || windows_ == 2 * rounds)
            end_duel(!lost && median(costs_[1]) < median(costs_[0]) * margin);
        else
            use(windows_ % 2 == 0 ? limit_ : challenger_);
    }

    void end_duel(bool challenger_won) noexcept {
        in_duel_ = false;
        seen_ = 0;
        if (challenger_won) {
            way_ = (way_ + ways - 1) % ways; // go on the same way
            limit_ = challenger_;
            rest_ = shortest_rest;
        } else if (rest_ < longest_rest) {
            rest_ *= 2;
        }
        resting_ = rest_;
        use(limit_);
    }

    // Four challengers in turn: one step down or up, which refines, and to either end, since a way there
    // whose every single step is too short to win can still be worth going. The limit in force where there is
    // none.
    [[nodiscard]] std::uint32_t challenger_by(std::uint32_t way) const noexcept {
        const std::uint32_t step = neighbour(way % 2 != 0);
        if (way < 2 || step == limit_)
            return step;
        return way == 2 ? 0 : classes;
    }

    // The next limit that way which treats some frame that was seen differently.
    [[nodiscard]] std::uint32_t neighbour(bool up) const noexcept {
        std::uint32_t next = limit_;
        while (up ? next != classes : next != 0) {
            const std::uint32_t crossed = up ? next++ : --next;
            if ((seen_ >> crossed & 1) != 0)
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
    std::uint32_t copybreak_ = limit_bytes(3);
    std::uint32_t seen_ = 0; // one bit a class, since the last duel
    std::uint32_t rest_ = shortest_rest;
    std::uint32_t resting_ = shortest_rest; // frames until the next duel

    bool in_duel_ = false;
    std::uint32_t way_ = 1; // the challenger comes from
    std::uint32_t challenger_ = 3;
    std::uint32_t windows_ = 0; // ended ones, even: the limit in force, odd: the challenger
    std::uint32_t settled_ = 0; // frames of this window that were not measured
    std::uint32_t measured_ = 0;
    std::uint64_t measured_cost_ = 0;
    std::array<std::array<double, rounds>, 2> costs_{};
};

// Copies or wraps, each frame by its length, and copies whatever its length once packets pin so much memory
// that the device could run short of it. `Clock` only has to count steadily.
template <clock_source Clock = tick_counter>
class basic_adaptive_build {
  public:
    static constexpr bool attaches = true;
    static constexpr bool needs_head = false;
    static constexpr shortage on_shortage = shortage::drop_and_recycle;

    [[nodiscard]] static head_plan heads(const rx_options& options) noexcept {
        return detail::plan_heads(options, options.frame_bytes);
    }
    explicit basic_adaptive_build(const rx_options& options, Clock clock = {}) noexcept
        : headroom_(options.geometry.headroom), clock_(clock) {}

    [[nodiscard]] std::uint32_t reads(std::uint32_t frame_bytes) const noexcept {
        return short_ || frame_bytes <= learner_.copybreak() ? frame_bytes : 0;
    }

    // The queue calls these around each poll.
    void begin_poll(std::uint32_t free_pages, std::uint32_t all_pages) noexcept {
        // Two marks, so that it does not change its mind with every page.
        short_ = free_pages < (short_ ? all_pages / 16 : all_pages / 32);
        if (learner_.measures())
            began_ = clock_.now();
    }
    void end_poll(std::uint32_t frames) noexcept {
        if (frames != 0 && !short_)
            learner_.learn(learner_.measures() ? since_began() : 0, frames);
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
    // Counters of two processors can differ a little: a poll that moved may seem to end before it began.
    [[nodiscard]] std::uint64_t since_began() const noexcept {
        const std::uint64_t now = clock_.now();
        return now > began_ ? now - began_ : 0;
    }

    std::uint32_t headroom_;
    bool short_ = false;
    std::uint64_t began_ = 0;
    Clock clock_;
    copybreak_learner learner_;
};

using adaptive_build = basic_adaptive_build<>;

} // namespace noria::inline NORIA_ABI
