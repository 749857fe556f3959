// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

// Choices that a fuzzer makes: in the place of random_steps, the next bytes of its input. Behind their end
// every choice is 0, and the run is to end.
class fuzz_choices {
  public:
    explicit fuzz_choices(std::span<const std::uint8_t> input) noexcept : left_(input) {}

    [[nodiscard]] bool used_up() const noexcept { return left_.empty(); }

    // 0 to n - 1, from as many bytes as n needs: so inputs stay short, and a changed byte changes one choice.
    std::uint32_t below(std::uint32_t n) noexcept {
        std::uint32_t value = 0;
        for (std::uint32_t rest = n - 1; rest != 0; rest >>= 8) {
            value = value << 8 | (left_.empty() ? 0 : left_.front());
            left_ = left_.subspan(left_.empty() ? 0 : 1);
        }
        return value % n;
    }
    bool one_in(std::uint32_t n) noexcept { return below(n) == 0; }
    std::byte byte() noexcept { return static_cast<std::byte>(below(256)); }
    template <class Range>
    auto& pick(Range& from) noexcept {
        return from[below(static_cast<std::uint32_t>(std::size(from)))];
    }

  private:
    std::span<const std::uint8_t> left_;
};
