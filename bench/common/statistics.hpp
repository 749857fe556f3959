// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <vector>

namespace bench {

// Precondition of both: not empty.
[[nodiscard]] inline double median(std::vector<double> values) {
    const std::size_t half = values.size() / 2;
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(half), values.end());
    const double upper = values[half];
    if (values.size() % 2 != 0)
        return upper;
    return (upper + *std::max_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(half))) /
           2;
}

// Every second value, from `first` on: the two halves of interleaved repetitions.
[[nodiscard]] inline std::vector<double> every_second(const std::vector<double>& values, std::size_t first) {
    std::vector<double> half;
    for (std::size_t i = first; i < values.size(); i += 2)
        half.push_back(values[i]);
    return half;
}

} // namespace bench
