// SPDX-License-Identifier: BSL-1.0
#pragma once

// The archetype of a supply: what receive_supply asks for and nothing more. It posts nothing; frames are
// laid on its pages by hand.

#include <algorithm>
#include <cstdint>
#include <span>

#include "noria/queue/supply.hpp"

class hand_supply {
  public:
    static constexpr noria::buffer_model model = noria::buffer_model::per_packet;

    static noria::page_plan plan(const noria::rx_options& options, bool attaches) noexcept {
        return {options.geometry.page_bytes, attaches ? 2u * options.packets : options.packets};
    }
    static noria::result<hand_supply> create(noria::page_pool& pages, const noria::rx_options&) noexcept {
        return hand_supply(pages);
    }
    static noria::receive_setup setup(const noria::rx_options& options) noexcept {
        return {.descriptors = options.descriptors};
    }
    template <class Backend>
    bool refill(Backend&, noria::mapping&, const noria::refill_terms&) noexcept {
        return true;
    }
    noria::accepted accept(const noria::completion&, noria::mapping&, noria::frame&) noexcept {
        return noria::accepted::refused;
    }
    bool replaceable(const noria::frame&) const noexcept { return true; }
    noria::page& take(noria::piece& part) noexcept {
        part.taken = true;
        ++taken;
        return *part.under;
    }
    void settle(noria::frame& gathered) noexcept {
        for (const noria::piece& part : gathered.pieces())
            if (!part.taken)
                part.under->release();
        gathered.clear();
    }
    void touch(const noria::completion&, std::uint32_t) const noexcept {}
    std::uint32_t posted_pages() const noexcept { return 0; }
    bool pins(const noria::page&) const noexcept { return true; }

    hand_supply(hand_supply&&) noexcept = default;
    hand_supply& operator=(hand_supply&&) = delete;

    // Lays `bytes` of frame on a page of its own, with room around.
    bool lay(noria::frame& on, std::span<const std::byte> bytes) {
        noria::page* const under = pages_->allocate();
        if (under == nullptr)
            return false;
        std::ranges::copy(bytes, under->data() + headroom);
        const auto length = static_cast<std::uint32_t>(bytes.size());
        return on.add({.under = under,
                       .offset = headroom,
                       .length = length,
                       .headroom = headroom,
                       .room = under->size() - headroom - length,
                       .truesize = under->size()});
    }

    static constexpr std::uint32_t headroom = 32;
    std::uint32_t taken = 0;

  private:
    explicit hand_supply(noria::page_pool& pages) noexcept : pages_(&pages) {}

    noria::page_pool* pages_;
};
static_assert(noria::receive_supply<hand_supply>);
