// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstdint>

#include "noria/core/result.hpp"

// The third seam of a driver: how the card calls.

namespace hardware {

// A device's interrupt vectors, each an eventfd that becomes readable when the vector fires. Requires:
// open(vectors) -> noria::error, once, at set-up, for all of them; fd(vector) -> int, to wait on and to read
// empty; vectors() -> how many are open. noexcept.
//
// To mask and unmask is the driver's affair: that is in the card's registers.
template <class Source>
concept interrupt_source = requires(Source& source, std::uint32_t vector) {
    { source.open(vector) } noexcept -> std::same_as<noria::error>;
    { source.fd(vector) } noexcept -> std::same_as<int>;
    { source.vectors() } noexcept -> std::same_as<std::uint32_t>;
};

} // namespace hardware
