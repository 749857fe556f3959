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
// limit. Limits that treat all frames of the day alike are the same limit, so a challenger is one that treats
// some frame differently which was really seen. It meets the limit in force in a duel: they take turns, a
// window of frames each, and whoever was cheaper has won the round. Four rounds ahead the challenger takes
// over, three rounds behind it goes home.
//
// - Windows begin when what the other one built has come home. Before that they would pay for freeing it, and
//   build in memory that has gone cold meanwhile.
// - Turns cancel what drifts; counting rounds, and leaving out the dearest polls, what interrupts; and times
//   to settle that are drawn keep traffic that repeats itself from giving one of them always the same part.
// - Between duels nothing is measured. The rest behind a duel is as long as makes what the duel wasted small,
//   and smaller with each tour of all challengers that nobody won.
//
// One thread. Cost: a compare for each frame; the clock is read in duels only.
class copybreak_learner {
  public:
    static constexpr std::uint32_t classes = 9;

    // Frames up to how many bytes are copied: just now, and by what has been learned.
    [[nodiscard]] std::uint32_t copybreak() const noexcept { return copybreak_; }
    [[nodiscard]] std::uint32_t learned_copybreak() const noexcept { return limit_bytes(limit_); }

    [[nodiscard]] bool copies(std::uint32_t frame_bytes) noexcept {
        if (looks_)
            seen_ |= 1u << class_of(frame_bytes);
        return frame_bytes <= copybreak_;
    }

    // Does it want to know what polls cost, and how many packets are out?
    [[nodiscard]] bool measures() const noexcept { return in_duel_; }

    // A poll has worked off `frames`; what it cost, from refill to the consumer's last word, in any steady
    // unit; and how many packets were out at its end. (Cost and packets are looked at in duels only.)
    void learn(std::uint64_t cost, std::uint32_t frames, std::uint32_t packets_out) noexcept {
        if (in_duel_) [[unlikely]] {
            measure(cost, frames, packets_out);
            return;
        }
        resting_ = resting_ > frames ? resting_ - frames : 0;
        looks_ = resting_ <= looking;
        if (resting_ == 0) [[unlikely]]
            start_duel();
    }

  private:
    static constexpr std::uint32_t looking = 4096;       // frames before a duel: those that were seen
    static constexpr std::uint32_t settling = 256;       // frames at least, and
    static constexpr std::uint32_t settling_spread = 10; // bits of frames more, drawn
    static constexpr std::uint32_t stretch = 1024;       // frames of which the dearest poll is left out
    static constexpr std::uint32_t window = 2048;        // frames at least
    static constexpr int wins = 4;                       // rounds ahead
    static constexpr int loses = -3;
    static constexpr std::uint32_t most_rounds = 12; // then they are the same
    static constexpr double margin = 0.98;           // or a round is not won
    static constexpr double hopeless = 1.25;         // so much dearer loses the duel with the round
    static constexpr std::uint32_t ways = 4;
    static constexpr std::uint32_t most_tours = 2; // that are counted

    struct sum {
        std::uint64_t cost = 0;
        std::uint32_t frames = 0;
        void add(const sum& more) noexcept {
            cost += more.cost;
            frames += more.frames;
        }
    };

    [[nodiscard]] static constexpr std::uint32_t class_of(std::uint32_t bytes) noexcept {
        const auto k = static_cast<std::uint32_t>(std::bit_width((bytes - (bytes != 0)) >> 6));
        return k < classes ? k : classes - 1;
    }
    [[nodiscard]] static constexpr std::uint32_t limit_bytes(std::uint32_t limit) noexcept {
        return limit == 0 ? 0 : limit == classes ? ~0u : 32u << limit;
    }
    // Which of the classes that were seen this limit copies.
    [[nodiscard]] std::uint32_t copied_by(std::uint32_t limit) const noexcept {
        return seen_ & ((1u << limit) - 1);
    }

    // These are calls: what is done once in a while stays out of the way of what is done in each poll.
    [[gnu::noinline]] void start_duel() noexcept {
        if (seen_ == 0) {
            resting_ = looking;
            return;
        }
        // There is one: whichever way a frame is treated, the limit at one of the ends treats it the other.
        do {
            way_ = (way_ + 1) % ways;
            fruitless_ += fruitless_ != most_tours * ways;
            challenger_ = challenger_by(way_);
        } while (challenger_ == limit_);
        in_duel_ = true;
        looks_ = false;
        challenging_ = false;
        duel_frames_ = 0;
        windows_ = 0;
        lead_ = 0;
        change_sides();
    }

    void change_sides() noexcept {
        challenging_ = !challenging_;
        copybreak_ = limit_bytes(challenging_ ? challenger_ : limit_);
        settled_ = 0;
        random_ = random_ * 1664525 + 1013904223; // its upper bits are the better ones
        settling_ = settling + (random_ >> (32 - settling_spread));
    }

    [[gnu::noinline]] void measure(std::uint64_t cost, std::uint32_t frames,
                                   std::uint32_t packets_out) noexcept {
        duel_frames_ += frames;
        // Half as many again as are out: memory that came home waits in the ring before it is used.
        if (settled_ < settling_ + packets_out + packets_out / 2) {
            settled_ += frames;
            return;
        }
        stretch_.add({cost, frames});
        if (cost > dearest_.cost)
            dearest_ = {cost, frames};
        if (stretch_.frames >= stretch)
            end_stretch();
    }

    void end_stretch() noexcept {
        // As likely as not the dearest poll was interrupted. (One that is a quarter of the stretch is
        // needed.)
        if (dearest_.frames < stretch_.frames / 4) {
            stretch_.cost -= dearest_.cost;
            stretch_.frames -= dearest_.frames;
        }
        window_.add(stretch_);
        stretch_ = dearest_ = {};
        // Who had to settle for long measures for longer: it makes little difference, and helps.
        if (window_.frames < window + settled_ / 8)
            return;
        cost_[challenging_] = static_cast<double>(window_.cost) / static_cast<double>(window_.frames);
        window_ = {};
        // The challenger begins. Then whoever ended a round begins the next one, and need not settle again.
        if (++windows_ % 2 != 0)
            change_sides();
        else
            end_round();
    }

    void end_round() noexcept {
        const double limits = cost_[false];
        const double challengers = cost_[true];
        if (challengers < limits * margin)
            ++lead_;
        else if (challengers < limits * hopeless)
            --lead_;
        else
            lead_ = loses; // whatever it had won before
        if (lead_ >= wins || lead_ <= loses || windows_ == 2 * most_rounds)
            end_duel(lead_ >= wins);
    }

    void end_duel(bool challenger_won) noexcept {
        in_duel_ = false;
        seen_ = 0;
        if (challenger_won) {
            way_ = (way_ + ways - 1) % ways; // go on the same way
            limit_ = challenger_;
            fruitless_ = 0;
        }
        copybreak_ = limit_bytes(limit_);
        resting_ = rest();
    }

    // Half of a duel's frames were the challenger's, and cost so much more; going cold costs both something,
    // hence the quarter, and a window may have been interrupted, hence the four times. The rest makes that an
    // eighth of all cost in the first tour, a thirty-second in the second, and a quarter of that from then
    // on.
    [[nodiscard]] std::uint32_t rest() const noexcept {
        const double dearer = cost_[true] / cost_[false] - 1;
        const double each = dearer < 0.25 ? 0.25 : dearer < 4 ? dearer : 4;
        const double frames = duel_frames_ * each * static_cast<double>(4u << 2 * (fruitless_ / ways));
        constexpr std::uint32_t longest = 1u << 31;
        return frames < longest ? static_cast<std::uint32_t>(frames) : longest;
    }

    // Four challengers in turn: one step down or up, which refines, and to either end, since a way there
    // whose every single step is too short to win can still be worth going. Where a step is all the way the
    // end's turn, which comes first, is its. The limit in force where there is none.
    [[nodiscard]] std::uint32_t challenger_by(std::uint32_t way) const noexcept {
        const bool up = way % 2 != 0;
        const std::uint32_t step = neighbour(up);
        const std::uint32_t end = up ? classes : 0;
        const bool all_the_way = copied_by(end) == copied_by(step);
        if (way < 2)
            return all_the_way ? limit_ : step;
        return all_the_way ? step : end;
    }

    // The next limit that way which treats some frame that was seen differently.
    [[nodiscard]] std::uint32_t neighbour(bool up) const noexcept {
        std::uint32_t next = limit_;
        while (next != (up ? classes : 0)) {
            next = up ? next + 1 : next - 1;
            if (copied_by(next) != copied_by(limit_))
                return next;
        }
        return limit_;
    }

    std::uint32_t limit_ = 3; // 256 bytes, the number everybody starts from
    std::uint32_t copybreak_ = limit_bytes(3);
    bool looks_ = true;
    bool in_duel_ = false;
    std::uint32_t seen_ = 0;          // one bit a class
    std::uint32_t resting_ = looking; // frames until the next duel
    std::uint32_t way_ = 1;           // the challenger comes from
    std::uint32_t fruitless_ = 0;     // ways tried since a challenger won, those without one too
    std::uint32_t random_ = 1;

    // Of the duel.
    bool challenging_ = false; // whose window it is
    std::uint32_t challenger_ = 3;
    std::uint32_t duel_frames_ = 0;
    std::uint32_t windows_ = 0;  // ended ones
    int lead_ = 0;               // of the challenger, rounds
    std::uint32_t settling_ = 0; // frames, beside those that are out
    std::uint32_t settled_ = 0;  // frames since the sides were changed that were not measured
    sum window_;
    sum stretch_;
    sum dearest_;                  // poll of the stretch
    std::array<double, 2> cost_{}; // a frame: the limit's, the challenger's
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
    void end_poll(std::uint32_t frames, const packet_pool& packets) noexcept {
        if (frames == 0 || short_)
            return;
        if (learner_.measures()) [[unlikely]]
            learn_of(frames, packets);
        else
            learner_.learn(0, frames, 0);
    }

    template <any_frame Frame, receive_supply Supply>
    [[nodiscard, gnu::always_inline]] packet_ptr build(Frame& gathered, Supply& supply, packet_pool& packets,
                                                       build_counters& counters) noexcept {
        if (learner_.copies(gathered.length()) || short_)
            if (packet_ptr copied = detail::copy_of(gathered, headroom_, packets, counters))
                return copied;
        return detail::packet_around(gathered, supply, packets, counters);
    }

    [[nodiscard]] copybreak_learner& learner() noexcept { return learner_; }

  private:
    [[gnu::noinline]] void learn_of(std::uint32_t frames, const packet_pool& packets) noexcept {
        learner_.learn(since_began(), frames, packets.in_flight());
    }

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
