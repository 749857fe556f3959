// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "support/packet_fixture.hpp"

// A frame as a packet: some of it linear, the rest in fragments cut at random, with junk right in front of
// each and right behind. Choices is random_steps or fuzz_choices. Of at most 3000 bytes.
template <class Choices>
noria::packet_ptr cut_packet(packet_fixture& all, Choices& choices, const std::vector<std::uint8_t>& frame) {
    const auto size = static_cast<std::uint32_t>(frame.size());
    const std::uint32_t linear = choices.one_in(3) ? 0 : choices.below(std::min(size, 1900u) + 1);
    noria::packet_ptr made = all.packets().allocate(linear, choices.below(64));
    if (linear != 0)
        std::memcpy(made->put(linear), frame.data(), linear);
    for (std::uint32_t at = linear; at != size;) {
        const std::uint32_t left = size - at;
        const bool few_left = made->fragments().size() + 4 >= noria::packet::most_fragments;
        const std::uint32_t taken =
            few_left ? std::min(left, 1000u) : 1 + choices.below(std::min(left, 200u));
        noria::page* const under = all.pages().allocate();
        const std::uint32_t offset = choices.below(under->size() - taken + 1);
        std::memset(under->data(), static_cast<int>(choices.below(256)), under->size());
        std::memcpy(under->data() + offset, frame.data() + at, taken);
        if (made->add_fragment({under, offset, taken, under->size()}) != noria::packet::attached::taken)
            under->release();
        at += taken;
    }
    return made;
}
