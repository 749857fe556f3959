// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "noria/core/clock.hpp"

namespace model82599 {

// The card's time, for whoever waits for it: looking at the clock lets some hundred ns pass, and the card
// works meanwhile. So every wait ends, within a number of looks that is the same each time. One thread.
template <class Card>
class clock_of {
  public:
    explicit clock_of(Card& card) noexcept : card_(&card) {}

    [[nodiscard]] noria::nanoseconds now() noexcept {
        card_->pass(card_->setup().tick);
        return card_->now();
    }

  private:
    Card* card_;
};

} // namespace model82599
