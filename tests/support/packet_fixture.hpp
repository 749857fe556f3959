// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "noria/packet/packet_pool.hpp"
#include "noria/packet/pull.hpp"
#include "support/memory_block.hpp"

struct packet_fixture_request {
    std::uint32_t packets = 16;
    std::array<std::uint32_t, 3> heads = {4, 4, 4}; // how many of 256, 512 and 2048 bytes
    std::uint32_t pages = 16;                       // of 1024 bytes, for fragments
    std::uint32_t tail_overhead = 0;
    bool keep_heads = true;
};

// All that a packet needs to live: heads of three sizes, pages for fragments, descriptors. It goes away only
// when all of it is home, which checked mode makes part of every test.
class packet_fixture {
  public:
    static constexpr std::array<std::uint32_t, 4> bytes = {256, 512, 2048, 1024}; // heads, and last the pages

    explicit packet_fixture(packet_fixture_request request = {})
        : counts_{request.heads[0], request.heads[1], request.heads[2], request.pages},
          memory_(offset_of(counts_.size())), pools_{pool(0), pool(1), pool(2), pool(3)},
          packets_(std::move(noria::packet_pool::create({.packets = request.packets,
                                                         .heads = heads_,
                                                         .tail_overhead = request.tail_overhead,
                                                         .keep_heads = request.keep_heads}))
                       .value()) {}
    packet_fixture(const packet_fixture&) = delete;
    packet_fixture& operator=(const packet_fixture&) = delete;

    noria::packet_pool& packets() { return packets_; }
    std::span<noria::page_pool, 4> pools() { return pools_; }
    noria::page_pool& pages() { return pools_[3]; }

    // All pages of all pools, in address order, and the place of one of them among cells of 256 bytes.
    std::vector<noria::page*> all_pages() {
        std::vector<noria::page*> all;
        for (std::size_t i = 0; i != pools_.size(); ++i)
            for (std::size_t n = 0; n != counts_[i]; ++n)
                all.push_back(pools_[i].page_of(memory_.bytes().data() + offset_of(i) + n * bytes[i]));
        return all;
    }
    std::size_t cell(const noria::page& of) {
        return static_cast<std::size_t>(of.data() - memory_.bytes().data()) / 256;
    }
    std::size_t cells() { return memory_.bytes().size() / 256; }

    // Bytes that differ from place to place, for a new packet to carry.
    static std::byte byte_at(std::uint32_t i) { return static_cast<std::byte>(i * 7 + i / 256 + 1); }

    // A packet whose bytes are byte_at(0), byte_at(1), ...: the first `headlen` linear, the rest in fragments
    // of the given lengths, each on a page of its own that it is charged for.
    noria::packet_ptr make(std::uint32_t headroom, std::uint32_t headlen,
                           std::vector<std::uint32_t> lengths = {}) {
        noria::packet_ptr made = packets_.allocate(headlen, headroom);
        std::byte* const linear = made->put(headlen);
        std::uint32_t next = 0;
        for (; next != headlen; ++next)
            linear[next] = byte_at(next);
        for (const std::uint32_t length : lengths) {
            noria::page* const under = pages().allocate();
            for (std::uint32_t i = 0; i != length; ++i)
                under->data()[i] = byte_at(next++);
            if (made->add_fragment({under, 0, length, under->size()}) != noria::packet::attached::taken)
                under->release();
        }
        return made;
    }

    // Heads of a size that packets have, and that can be had: those that idle descriptors keep are nobody's.
    std::uint32_t heads_in_use(std::size_t size) {
        return pools_[size].in_flight() - packets_.heads_kept(size);
    }
    std::uint32_t heads_free(std::size_t size) { return counts_[size] - heads_in_use(size); }

    // What is out of each pool, packets last: all zero when a test has cleaned up.
    std::array<std::uint32_t, 5> in_flight() {
        return {heads_in_use(0), heads_in_use(1), heads_in_use(2), pools_[3].in_flight(),
                packets_.in_flight()};
    }

  private:
    std::size_t offset_of(std::size_t pool) const {
        std::size_t offset = 0;
        for (std::size_t i = 0; i != pool; ++i)
            offset += std::size_t{counts_[i]} * bytes[i];
        return offset;
    }
    noria::page_pool pool(std::size_t i) {
        return std::move(
                   noria::page_pool::create(
                       memory_.bytes().subspan(offset_of(i), std::size_t{counts_[i]} * bytes[i]), bytes[i]))
            .value();
    }

    std::array<std::uint32_t, 4> counts_;
    memory_block memory_;
    std::array<noria::page_pool, 4> pools_;
    std::array<noria::page_pool*, 3> heads_ = {&pools_[0], &pools_[1], &pools_[2]};
    noria::packet_pool packets_;
};

// Holds all but `left` pages of a pool, so that an allocation can be made to fail at will.
class shortage {
  public:
    shortage(noria::page_pool& pool, std::uint32_t left) {
        while (pool.free() > left)
            held_.push_back(pool.allocate());
    }
    shortage(shortage&&) noexcept = default;
    shortage& operator=(shortage&&) = delete;
    ~shortage() {
        for (noria::page* each : held_)
            each->release();
    }

  private:
    std::vector<noria::page*> held_;
};

// The same for descriptors; they are built around one page that the shortage takes from `pages`.
class packet_shortage {
  public:
    packet_shortage(packet_fixture& of, std::uint32_t left) : under_(of.pages().allocate()) {
        while (of.packets().packets() - of.packets().in_flight() > left) {
            under_->hold();
            held_.push_back(of.packets().build_around(*under_, {.bytes = 1, .held = 1}));
        }
    }
    packet_shortage(const packet_shortage&) = delete;
    packet_shortage& operator=(const packet_shortage&) = delete;
    ~packet_shortage() { under_->release(); }

  private:
    noria::page* under_;
    std::vector<noria::packet_ptr> held_;
};

// The bytes of a packet as one vector, wherever they are.
inline std::vector<std::byte> bytes_of(const noria::packet& of) {
    std::vector<std::byte> all(of.size());
    if (!of.copy_bits(0, all))
        all.clear();
    return all;
}

// Everything there is to see of a packet. Two equal ones before and after a failure are what "strong" means.
struct packet_state {
    explicit packet_state(const noria::packet& of)
        : bytes(bytes_of(of)), data(of.data()), numbers{of.size(),     of.headlen(),  of.data_len(),
                                                        of.headroom(), of.tailroom(), of.room_behind_tail(),
                                                        of.truesize(), of.epoch(),    of.head_shared()},
          headers{of.mac_header(), of.network_header(), of.transport_header()}, info(of.info()) {
        for (const noria::fragment& part : of.fragments())
            fragments.emplace_back(part.under, part.offset, part.length, part.truesize,
                                   part.under->references());
    }
    friend bool operator==(const packet_state&, const packet_state&) = default;

    std::vector<std::byte> bytes;
    const std::byte* data;
    std::array<std::uint32_t, 9> numbers;
    std::array<const std::byte*, 3> headers;
    noria::packet_info info;
    std::vector<std::tuple<noria::page*, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>>
        fragments;
};
