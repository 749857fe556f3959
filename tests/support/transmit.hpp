// SPDX-License-Identifier: BSL-1.0
#pragma once

// The archetype of a transmit backend, memory for packets that can be sent, and packets in pieces.

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "noria/backend/transmit.hpp"
#include "noria/memory/page_pool.hpp"
#include "noria/memory/region.hpp"
#include "noria/packet/packet_pool.hpp"
#include "noria/packet/pull.hpp"
#include "support/random.hpp"

// A device that takes what it has room for, remembers it, and reports what the test says.
struct scripted_transmitter {
    static constexpr std::uint64_t first_iova = 0x10'0000;

    struct taken_packet {
        std::uint32_t id;
        std::uint32_t pieces;
        std::vector<std::byte> bytes; // as the device read them
    };

    scripted_transmitter() = default;
    scripted_transmitter(const scripted_transmitter&) = delete;

    noria::result<noria::mapping> attach(noria::region& memory) noexcept {
        known.emplace_back(memory.bytes(), first_iova * (1 + 16 * known.size()));
        return known.back();
    }
    noria::result<noria::transmit_setup> configure_transmit(const noria::transmit_setup& wanted) noexcept {
        asked = wanted;
        return noria::transmit_setup{.descriptors = std::min(wanted.descriptors, descriptors),
                                     .most_pieces = std::min(wanted.most_pieces, most_pieces)};
    }
    std::uint32_t transmit(std::span<const noria::transmit_post> posts) noexcept {
        std::uint32_t used = 0;
        for (std::uint32_t packets = 0; packets != most_a_post && used != posts.size(); ++packets) {
            taken_packet one{.id = posts[used].id, .pieces = 0, .bytes = {}};
            const std::uint32_t size = posts[used].packet_bytes;
            bool last = false;
            while (!last) {
                if (used == posts.size()) {
                    ADD_FAILURE() << "a packet without an end";
                    return used;
                }
                const noria::transmit_post& post = posts[used++];
                EXPECT_EQ(post.id, one.id);
                EXPECT_EQ(post.packet_bytes, size);
                EXPECT_NE(post.length, 0u);
                const std::byte* const from = address_of(post.iova, post.length);
                if (from == nullptr)
                    ADD_FAILURE() << "a piece outside of all regions";
                else
                    one.bytes.insert(one.bytes.end(), from, from + post.length);
                ++one.pieces;
                last = (post.flags & noria::transmit_post::end_of_packet) != 0;
            }
            EXPECT_EQ(one.bytes.size(), size);
            EXPECT_LE(one.pieces, most_pieces);
            in_use += one.pieces;
            packets_taken.push_back(std::move(one));
        }
        EXPECT_LE(in_use, descriptors) << "more was posted than there are descriptors";
        doorbells += used != 0;
        return used;
    }
    std::uint32_t reap_sent(std::span<noria::transmit_report> to) noexcept {
        std::uint32_t written = 0;
        for (; written != to.size() && !reports.empty(); ++written) {
            to[written] = reports.front();
            reports.pop_front();
        }
        return written;
    }

    // The device is done with the nth of the packets it has, and says so in one report.
    taken_packet finish(std::size_t nth, std::uint32_t flags = noria::transmit_report::sent |
                                                               noria::transmit_report::memory_free) {
        taken_packet done = packets_taken[nth];
        in_use -= done.pieces;
        packets_taken.erase(packets_taken.begin() + static_cast<std::ptrdiff_t>(nth));
        reports.push_back({.id = done.id, .flags = flags});
        return done;
    }
    const std::byte* address_of(std::uint64_t iova, std::uint32_t length) const {
        for (const noria::mapping& each : known)
            if (const std::byte* const at = each.address_of(iova, length))
                return at;
        return nullptr;
    }

    noria::transmit_setup asked;
    std::uint32_t descriptors = 1'000'000;
    std::uint32_t most_pieces = 18;
    std::uint32_t most_a_post = 1000; // packets
    std::uint32_t doorbells = 0;
    std::uint32_t in_use = 0; // descriptors
    std::vector<noria::mapping> known;
    std::deque<taken_packet> packets_taken;
    std::deque<noria::transmit_report> reports;
};
static_assert(noria::check_transmit<scripted_transmitter>());

struct sending_request {
    std::uint32_t packets = 256;
    std::uint32_t small = 256; // heads of 256 bytes
    std::uint32_t large = 64;  // heads of 8192 bytes
    std::uint32_t pages = 512; // of 512 bytes, for fragments
};

// A region with all that packets to send need. What is out of its pools goes before it does.
class sending_memory {
  public:
    explicit sending_memory(const sending_request& request = {})
        : memory_(std::move(noria::region::map({.bytes = std::size_t{request.small} * 256 +
                                                         std::size_t{request.large} * 8192 +
                                                         std::size_t{request.pages} * 512,
                                                .best = noria::backing::plain_pages,
                                                .prefault = false}))
                      .value()),
          left_(memory_.bytes()), small(pool(request.small, 256)), large(pool(request.large, 8192)),
          pages(pool(request.pages, 512)),
          packets(
              std::move(noria::packet_pool::create({.packets = request.packets, .heads = heads_})).value()) {}
    sending_memory(const sending_memory&) = delete;
    sending_memory& operator=(const sending_memory&) = delete;

    noria::region& memory() { return memory_; }

    // A packet of `headlen` linear bytes and fragments of these lengths (at most 512), filled with bytes that
    // begin with `first`. Empty when something ran out.
    noria::packet_ptr make(std::uint32_t headlen, const std::vector<std::uint32_t>& lengths = {},
                           std::uint8_t first = 1) {
        noria::packet_ptr made = packets.allocate(headlen);
        if (!made)
            return made;
        std::uint8_t next = first;
        const auto fill = [&next](std::byte* to, std::uint32_t bytes) {
            for (std::uint32_t i = 0; i != bytes; ++i)
                to[i] = static_cast<std::byte>(next++);
        };
        fill(made->put(headlen), headlen);
        for (const std::uint32_t length : lengths) {
            noria::page* const under = pages.allocate();
            if (under == nullptr) {
                made.free(noria::drop_reason::no_memory);
                return {};
            }
            fill(under->data(), length);
            if (made->add_fragment({under, 0, length, under->size()}) != noria::packet::attached::taken)
                under->release();
        }
        return made;
    }

    // What is out of each pool, packets last; heads that idle descriptors keep are nobody's.
    std::array<std::uint32_t, 4> out() {
        return {small.in_flight() - packets.heads_kept(0), large.in_flight() - packets.heads_kept(1),
                pages.in_flight(), packets.in_flight()};
    }
    static constexpr std::array<std::uint32_t, 4> nothing{};

  private:
    noria::page_pool pool(std::uint32_t pages_wanted, std::uint32_t bytes) {
        const std::span<std::byte> part = left_.first(std::size_t{pages_wanted} * bytes);
        left_ = left_.subspan(part.size());
        return std::move(noria::page_pool::create(part, bytes)).value();
    }

    noria::region memory_;
    std::span<std::byte> left_;

  public:
    noria::page_pool small;
    noria::page_pool large;
    noria::page_pool pages;

  private:
    std::array<noria::page_pool*, 2> heads_{&small, &large};

  public:
    noria::packet_pool packets;
};

inline std::vector<std::byte> bytes_sent(const noria::packet& of) {
    std::vector<std::byte> all(of.size());
    if (!of.copy_bits(0, all))
        all.clear();
    return all;
}
