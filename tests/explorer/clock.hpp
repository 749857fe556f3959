// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <bit>
#include <cstdint>

// Vector clocks: what has happened before what. Each thread has a lane and counts its releases in it; to know
// thread t up to time n is to come after everything that t did before its n-th release.

namespace explorer {

// Lane 0 is whoever sets a body up and finishes it; the threads of the body have the other lanes.
inline constexpr unsigned max_threads = 7;

class clock {
  public:
    [[nodiscard]] std::uint16_t at(unsigned lane) const { return lanes_[lane]; }
    void set(unsigned lane, std::uint16_t time) { lanes_[lane] = time; }
    void advance(unsigned lane) { ++lanes_[lane]; }

    void join(const clock& other) { lanes_ = lanes_ > other.lanes_ ? lanes_ : other.lanes_; }

    // Whether all that `other` knows is known.
    [[nodiscard]] bool covers(const clock& other) const { return !any(other.lanes_ > lanes_); }

    // Whether at least one of the moments in `moments` is known; 0 there means never.
    [[nodiscard]] bool reaches(const clock& moments) const { return any(moments.lanes_ - 1 < lanes_); }

  private:
    using lanes [[gnu::vector_size(16)]] = std::uint16_t;

    template <class Mask>
    [[nodiscard]] static bool any(Mask mask) {
        const auto words = std::bit_cast<std::array<std::uint64_t, 2>>(mask);
        return (words[0] | words[1]) != 0;
    }

    lanes lanes_{};
};

static_assert(sizeof(clock) == 2 * (1 + max_threads));

} // namespace explorer
