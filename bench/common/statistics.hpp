// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
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

// The values at those places.
[[nodiscard]] inline std::vector<double> at(const std::vector<double>& values,
                                            const std::vector<std::size_t>& places) {
    std::vector<double> some;
    for (const std::size_t place : places)
        some.push_back(values[place]);
    return some;
}

} // namespace bench
