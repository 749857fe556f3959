// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

// Random steps that can be taken again: the seed is 1, or NORIA_TEST_SEED, and is printed.
// NORIA_TEST_LONG=1 asks for five times as many, NORIA_TEST_FEWER=n for an n-th: instrumented code is slow.
class random_steps {
  public:
    random_steps()
        : seed_(number("NORIA_TEST_SEED", 1)), engine_(static_cast<std::mt19937::result_type>(seed_)) {
        std::cout << "NORIA_TEST_SEED=" << seed_ << '\n';
    }

    // Never fewer than `least`: what a test needs to see what it asserts.
    static std::uint64_t count(std::uint64_t usual, std::uint64_t least = 0) {
        const std::uint64_t asked =
            usual * (number("NORIA_TEST_LONG", 0) != 0 ? 5 : 1) / number("NORIA_TEST_FEWER", 1);
        return asked > least ? asked : least;
    }

    static constexpr bool used_up() noexcept { return false; } // as the bytes of a fuzzer are, some time

    // 0 to n - 1. The modulo is biased by less than n / 2^32, which no test minds.
    std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(engine_()) % n; }
    bool one_in(std::uint32_t n) { return below(n) == 0; }
    std::byte byte() { return static_cast<std::byte>(engine_()); }
    template <class Range>
    auto& pick(Range& from) {
        return from[below(static_cast<std::uint32_t>(std::size(from)))];
    }

  private:
    static std::uint64_t number(const char* variable, std::uint64_t otherwise) {
        const char* text = std::getenv(variable);
        return text != nullptr ? std::stoull(text) : otherwise;
    }

    std::uint64_t seed_;
    std::mt19937 engine_;
};
