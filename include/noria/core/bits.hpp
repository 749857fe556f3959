// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <bit>
#include <concepts>

#include "noria/core/contract.hpp"

namespace noria::inline NORIA_ABI {

// The smallest multiple of `step` that is not below `value`. `step` is a power of two.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T round_up(T value, T step) noexcept {
    NORIA_EXPECTS(std::has_single_bit(step),
                  "round_up steps in powers of two; use divide_up for other divisors");
    return static_cast<T>((value + (step - 1)) & ~(step - 1));
}

// How many steps of `step` it takes to cover `value`. `step` is not zero.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T divide_up(T value, T step) noexcept {
    NORIA_EXPECTS(step != 0, "divide_up needs a step above zero");
    return static_cast<T>(value / step + (value % step != 0));
}

// The exponent of a power of two: log2_exact(256) == 8.
template <std::unsigned_integral T>
[[nodiscard]] constexpr unsigned log2_exact(T value) noexcept {
    NORIA_EXPECTS(std::has_single_bit(value), "log2_exact takes a power of two");
    return static_cast<unsigned>(std::countr_zero(value));
}

} // namespace noria::inline NORIA_ABI
