// SPDX-License-Identifier: BSL-1.0
#pragma once

// Devices that tests play: what a backend has to offer and nothing more.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "noria/backend/contract.hpp"

// The archetype of a backend. It remembers what is posted and reports what the test says.
template <noria::buffer_model Model>
struct scripted_device {
    static constexpr noria::buffer_model model = Model;
    static constexpr bool in_order = true;
    static constexpr std::uint64_t first_iova = 0x10'0000;

    scripted_device() = default;
    scripted_device(const scripted_device&) = delete;

    noria::result<noria::mapping> attach(noria::region& memory) noexcept {
        return noria::mapping(memory.bytes(), first_iova);
    }
    noria::result<noria::receive_setup> configure(const noria::receive_setup& wanted) noexcept {
        setup = wanted;
        return wanted;
    }
    std::uint32_t post(std::span<const noria::buffer_post> posts) noexcept {
        ++doorbells;
        const std::size_t taken = std::min<std::size_t>({posts.size(), most_a_post, room - posted.size()});
        posted.insert(posted.end(), posts.begin(), posts.begin() + static_cast<std::ptrdiff_t>(taken));
        return static_cast<std::uint32_t>(taken);
    }
    std::uint32_t reap(std::span<noria::completion> completions) noexcept {
        std::uint32_t written = 0;
        for (; written != completions.size() && !reports.empty(); ++written) {
            completions[written] = reports.front();
            reports.pop_front();
        }
        return written;
    }

    noria::receive_setup setup;
    std::size_t most_a_post = 1000;
    std::size_t room = 1'000'000;
    std::vector<noria::buffer_post> posted;
    std::deque<noria::completion> reports;
    std::uint32_t doorbells = 0;
};
static_assert(noria::check_backend<scripted_device<noria::buffer_model::per_packet>>());
