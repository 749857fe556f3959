// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <type_traits>

#include "noria/core/sync.hpp"

namespace noria::inline NORIA_ABI {

// What a ring can carry: something that moves in and goes away without a way to fail.
// Requires: T(T&&) and ~T(), both noexcept.
template <class T>
concept ring_element =
    std::is_object_v<T> && std::is_nothrow_destructible_v<T> && std::is_nothrow_move_constructible_v<T>;

// An element that is plain data. Its slots are constructed once, with the ring, and assigned over and over;
// any other element is constructed by the push and destroyed by the release. Requires: T(), T(const T&) and
// T& = const T&, the copies trivial.
template <class T>
concept plain_element = ring_element<T> && std::is_trivially_copyable_v<T> && std::copyable<T> &&
                        std::is_nothrow_default_constructible_v<T>;

namespace detail {

template <class S>
concept slot_span =
    requires { typename S::element_type; } && std::same_as<S, std::span<typename S::element_type>>;

template <class Token>
concept two_runs = requires(const Token& token) {
    { token.size() } noexcept -> std::same_as<std::uint32_t>;
    { token.first() } noexcept -> slot_span;
    { token.second() } noexcept -> slot_span;
};

// A side over a foreign ring or a test's model says nothing and gets the machine's own policy.
template <class R>
struct sync_of {
    using type = std_sync;
};
template <class R>
    requires requires { typename R::sync_type; }
struct sync_of<R> {
    using type = typename R::sync_type;
};

} // namespace detail

// The producing side of a ring: room is reserved in place as two spans (the ring's end lies between them),
// filled in order, and published in whole or in part; what is not committed is never seen. Requires:
// R::value_type; ring.reserve(n) -> a token for at most n slots with first(), second(), size() and commit(k),
// k <= size(); all noexcept. R::sync_type names the policy of its cells, std_sync if absent.
template <class R>
concept burst_producer = requires(R& ring, std::uint32_t n) {
    requires ring_element<typename R::value_type>;
    { ring.reserve(n) } noexcept -> detail::two_runs;
    { ring.reserve(n).commit(n) } noexcept;
};

// The consuming side of a ring: what has arrived is looked at in place and given back in whole or in part;
// what is not released stays at the front. Requires: R::value_type; ring.peek(n) -> a token for at most n
// items with first(), second(), size() and release(k), k <= size(); all noexcept. R::sync_type as above.
template <class R>
concept burst_consumer = requires(R& ring, std::uint32_t n) {
    requires ring_element<typename R::value_type>;
    { ring.peek(n) } noexcept -> detail::two_runs;
    { ring.peek(n).release(n) } noexcept;
};

} // namespace noria::inline NORIA_ABI
