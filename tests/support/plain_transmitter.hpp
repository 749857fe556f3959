// SPDX-License-Identifier: BSL-1.0
#pragma once

// The archetype of a transmit backend that takes plain packets in a shorter way.

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "noria/backend/transmit.hpp"
#include "support/transmit.hpp"

// A scripted device that has places for `room` plain packets at once, of `shortest` to `longest` bytes.
struct plain_transmitter {
    struct written {
        std::uint64_t iova;
        std::uint32_t bytes;
        std::uint32_t id;
    };
    class writer {
      public:
        writer(const plain_transmitter& of, std::uint32_t room) : of_(&of), room_(room) {}
        bool takes(std::uint32_t bytes) noexcept {
            EXPECT_NE(room_, 0u) << "there is no place left";
            return bytes >= of_->shortest && bytes <= of_->longest;
        }
        void put(std::uint64_t iova, std::uint32_t bytes, std::uint32_t id) noexcept {
            EXPECT_TRUE(takes(bytes));
            --room_;
            put_.push_back({iova, bytes, id});
        }

      private:
        friend plain_transmitter;
        const plain_transmitter* of_;
        std::uint32_t room_;
        std::vector<written> put_;
    };

    noria::result<noria::mapping> attach(noria::region& memory) noexcept { return rest.attach(memory); }
    noria::result<noria::transmit_setup> configure_transmit(const noria::transmit_setup& wanted) noexcept {
        return rest.configure_transmit(wanted);
    }
    std::uint32_t transmit(std::span<const noria::transmit_post> posts) noexcept {
        EXPECT_FALSE(committed) << "no doorbell was rung for what was committed";
        return rest.transmit(posts);
    }
    std::uint32_t reap_sent(std::span<noria::transmit_report> to) noexcept { return rest.reap_sent(to); }

    std::uint32_t plain_room(std::uint32_t most) noexcept { return offered = std::min(most, room); }
    writer plain_places() noexcept {
        EXPECT_NE(offered, 0u);
        return {*this, offered};
    }
    void commit_plain(const writer& places) noexcept {
        for (const written& each : places.put_) {
            const std::byte* const from = rest.address_of(each.iova, each.bytes);
            ASSERT_NE(from, nullptr) << "a piece outside of all regions";
            rest.packets_taken.push_back({.id = each.id, .pieces = 1, .bytes = {from, from + each.bytes}});
            ++rest.in_use;
            committed = true;
        }
        offered = 0;
        EXPECT_LE(rest.in_use, rest.descriptors) << "more was put than there are descriptors";
    }
    void ring_plain() noexcept {
        EXPECT_TRUE(committed) << "a doorbell for nothing";
        committed = false;
        ++rest.doorbells;
    }

    scripted_transmitter rest; // what it has, and whatever is not plain
    std::uint32_t room = 1000;
    std::uint32_t shortest = 1;
    std::uint32_t longest = ~0u;
    std::uint32_t offered = 0;
    bool committed = false; // and not rung for
};
static_assert(noria::check_transmit<plain_transmitter>());
static_assert(noria::transmits_plain<plain_transmitter> && !noria::transmits_plain<scripted_transmitter>);
