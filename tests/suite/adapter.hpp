// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "model.hpp"

// What the suite and the adapter of a buffer say to one another.

namespace suite {

enum class attached : std::uint8_t { refused, taken, grown }; // grown: the reference stays the caller's
enum class pull_status : std::uint8_t { ok, packet_too_small, no_memory };
struct pulled {
    const std::byte* data = nullptr; // null: refused
    bool moved = false;
};
template <class Page>
struct placement {
    Page page;
    std::uint32_t offset, headroom, bytes, room, truesize;
};
// What the suite knows to be out, for an adapter that can compare it with its pools.
template <class Adapter>
struct census {
    std::span<const std::pair<typename Adapter::page, std::uint32_t>> pages; // and the references to each
    std::span<const typename Adapter::packet* const> packets;
    std::uint32_t heads; // that differ
};

enum class operation : std::uint8_t {
    allocate,
    build_around,
    reserve,
    put,
    push,
    pull,
    add_fragment,
    cut,
    trim,
    condense,
    pull_tail,
    may_pull,
    linearize,
    expand_head,
    cow_head,
    pad_to,
    copy_bits,
    store_bits,
    header_pointer,
    clone,
    copy,
    pcopy,
    split,
    shift,
    try_coalesce,
    set_partial,
    fill_checksum,
    free,
    count
};
inline constexpr std::size_t operations = static_cast<std::size_t>(operation::count);
inline constexpr std::array<const char*, operations> operation_names{
    "allocate",       "build_around", "reserve",       "put",      "push",      "pull",
    "add_fragment",   "cut",          "trim",          "condense", "pull_tail", "may_pull",
    "linearize",      "expand_head",  "cow_head",      "pad_to",   "copy_bits", "store_bits",
    "header_pointer", "clone",        "copy",          "pcopy",    "split",     "shift",
    "try_coalesce",   "set_partial",  "fill_checksum", "free"};

// How often an operation did what was asked; was asked for what it cannot do; and had no memory to do it, in
// all and for each of the shortages that the adapter can bring about.
struct tally {
    std::uint64_t done = 0, refused = 0, short_of_memory = 0;
    std::vector<std::uint64_t> in_shortage;
};

// Which operations an adapter has a function for.
template <class A>
struct offers {
    using packet = typename A::packet;
    using page = typename A::page;
    using bytes = std::span<std::byte>;

    static constexpr bool fragments = requires(A& a, packet& p) {
        a.fragments(p);
        { a.fragment(p, std::size_t{}) } -> std::same_as<model_fragment<page>>;
        { a.fragment_data(p, std::size_t{}) } -> std::convertible_to<const std::byte*>;
    };
    static constexpr bool pages = fragments && requires(A& a, packet& p, model_fragment<page> f, page g) {
        { a.take_page() } -> std::same_as<page>;
        { a.add_fragment(p, f) } -> std::same_as<attached>;
        a.hold(g), a.release(g), a.page_data(g), a.page_bytes(g), a.references(g);
    };
    static constexpr bool build_around = pages && requires(A& a, placement<page> w) { a.build_around(w); };
    static constexpr bool reserve = requires(A& a, packet& p) { a.reserve(p, 1u); };
    static constexpr bool cut = requires(A& a, packet& p) { a.cut(p, 1u); };
    static constexpr bool trim = requires(A& a, packet& p) { a.trim(p, 1u); };
    static constexpr bool condense = requires(A& a, packet& p) { a.condense(p); };
    static constexpr bool pull_tail = requires(A& a, packet& p) { a.pull_tail(p, 1u); };
    static constexpr bool may_pull = requires(A& a, packet& p) { a.may_pull(p, 1u); };
    static constexpr bool linearize = requires(A& a, packet& p) { a.linearize(p); };
    static constexpr bool expand_head = requires(A& a, packet& p) { a.expand_head(p, 1u, 1u); };
    static constexpr bool cow_head = requires(A& a, packet& p) { a.cow_head(p, 1u); };
    static constexpr bool pad_to = requires(A& a, packet& p) { a.pad_to(p, 1u); };
    static constexpr bool copy_bits =
        requires(A& a, packet& p, bytes b) { a.copy_bits(p, std::int64_t{}, b); };
    static constexpr bool store_bits =
        requires(A& a, packet& p, bytes b) { a.store_bits(p, std::int64_t{}, b); };
    static constexpr bool header_pointer = requires(A& a, packet& p, bytes b) { a.header_pointer(p, 1u, b); };
    static constexpr bool clone = requires(A& a, packet& p) { a.clone(p); };
    static constexpr bool copy = requires(A& a, packet& p) { a.copy(p); };
    static constexpr bool pcopy = requires(A& a, packet& p) { a.pcopy(p, 1u); };
    static constexpr bool split = requires(A& a, packet& p) { a.split(p, 1u, p); };
    static constexpr bool shift = requires(A& a, packet& p) { a.shift(p, p, 1u); };
    static constexpr bool try_coalesce = requires(A& a, packet& p) { a.try_coalesce(p, p); };
    static constexpr bool checksum = requires(A& a, packet& p, suite::checksum c) {
        { a.checksum_of(p) } -> std::same_as<suite::checksum>;
        a.set_checksum(p, c), a.fill_checksum(p);
    };
    static constexpr bool truesize = requires(A& a, packet& p) { a.truesize(p); };
    static constexpr bool epoch = requires(A& a, packet& p) { a.epoch(p); };
    static constexpr bool headers = requires(A& a, packet& p) { a.set_header(p, 0u, 0u), a.header(p, 0u); };

    // In the order of `operation`.
    static constexpr std::array<bool, operations> all{
        true,     build_around, reserve,   true,         true,           true,      pages,
        cut,      trim,         condense,  pull_tail,    may_pull,       linearize, expand_head,
        cow_head, pad_to,       copy_bits, store_bits,   header_pointer, clone,     copy,
        pcopy,    split,        shift,     try_coalesce, checksum,       checksum,  true};
};

} // namespace suite
