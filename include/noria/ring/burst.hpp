// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "noria/ring/concepts.hpp"
#include "noria/ring/storage.hpp"

// Copying in and out of the rings, written once over reserve-commit and peek-release. *_bulk is all or
// nothing,
// *_burst is as many as fit, and what did not fit or had not come is left as it was. Thread: as the
// side that is passed. Progress: as its reserve and peek, plus the copies.

namespace noria::inline NORIA_ABI {

// What a push takes a span of: plain data is copied, anything else is moved out of the caller's objects.
template <ring_element T>
using push_item = std::conditional_t<plain_element<T>, const T, T>;

// A side whose peek() may stop before all that has come, where the items of another producer begin or a slot
// was given up, says so (`peeks_in_parts`). It has pop_burst, and no pop_bulk: what is wanted might never be
// in one part.
template <class R>
concept offers_all_at_once = !requires { requires R::peeks_in_parts; };

namespace detail {

// Where room that is claimed cannot be given back unseen, only reserve_exact() leaves it to the others.
[[nodiscard]] inline auto reserve_all(auto& ring, std::uint32_t count) noexcept {
    if constexpr (requires { ring.reserve_exact(count); })
        return ring.reserve_exact(count);
    else
        return ring.reserve(count);
}

[[nodiscard]] constexpr std::uint32_t burst_size(std::size_t wanted) noexcept {
    return wanted < max_ring_capacity ? static_cast<std::uint32_t>(wanted) : max_ring_capacity;
}

// f(slot) for each, a cache line of slots at a time. The plain loop is no faster in any machine language, but
// g++ takes it for a block copy of unknown length and makes it `rep movs`, which is longer under way to its
// first byte than a burst to its last.
template <class Slot, class F>
inline void each_slot(std::span<Slot> slots, F&& f) noexcept {
    constexpr std::size_t group = slots_per_line<Slot>;
    Slot* slot = slots.data();
    for (std::size_t left = slots.size() / group; left != 0; --left, slot += group)
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (f(slot[I]), ...);
        }(std::make_index_sequence<group>{});
    for (Slot* const end = slots.data() + slots.size(); slot != end; ++slot)
        f(*slot);
}

template <class R, class Item>
inline Item* fill_run(auto slots, Item* item) noexcept {
    each_slot(slots, [&item](auto& slot) {
        fill_slot<typename R::value_type, typename sync_of<R>::type>(slot, std::move(*item++));
    });
    return item;
}

template <class R>
inline typename R::value_type* empty_run(auto slots, typename R::value_type* item) noexcept {
    each_slot(slots, [&item](auto& slot) {
        empty_slot<typename R::value_type, typename sync_of<R>::type>(slot, *item++);
    });
    return item;
}

template <class R, class F>
inline void visit_run(auto slots, F& f) noexcept {
    using value_type = typename R::value_type;
    for (auto& slot : slots) {
        auto& here = item_in(slot);
        if constexpr (std::is_same_v<std::remove_const_t<std::remove_reference_t<decltype(here)>>,
                                     raw_slot<value_type>>) {
            f(here.value);
        } else {
            value_type item;
            sync_of<R>::type::read(here, item);
            f(item);
        }
    }
}

} // namespace detail

// A ring whose slots are not for the program's hands, because a bit in each is the ring's own: it copies
// whole bursts itself. Requires: ring.push_burst(span<const T>) or ring.pop_burst(span<T>) -> how many;
// noexcept.
template <class R>
concept copying_producer = requires(R& ring, std::span<const typename R::value_type> items) {
    { ring.push_burst(items) } noexcept -> std::same_as<std::uint32_t>;
};
template <class R>
concept copying_consumer = requires(R& ring, std::span<typename R::value_type> items) {
    { ring.pop_burst(items) } noexcept -> std::same_as<std::uint32_t>;
};

// Puts in as many of `items` as fit, in order, and says how many.
template <copying_producer R>
[[nodiscard]] inline std::uint32_t push_burst(R& ring,
                                              std::span<const typename R::value_type> items) noexcept {
    return ring.push_burst(items);
}
template <burst_producer R>
[[nodiscard]] inline std::uint32_t push_burst(R& ring,
                                              std::span<push_item<typename R::value_type>> items) noexcept {
    auto token = ring.reserve(detail::burst_size(items.size()));
    const std::uint32_t count = token.size();
    detail::fill_run<R>(token.second(), detail::fill_run<R>(token.first(), items.data()));
    token.commit(count);
    return count;
}

// Puts in all of `items`, in order, or none.
template <burst_producer R>
[[nodiscard]] inline bool push_bulk(R& ring, std::span<push_item<typename R::value_type>> items) noexcept {
    auto token = detail::reserve_all(ring, detail::burst_size(items.size()));
    if (token.size() < items.size())
        return false;
    detail::fill_run<R>(token.second(), detail::fill_run<R>(token.first(), items.data()));
    token.commit(token.size());
    return true;
}

// Takes out as many items as have come and `items` holds, in order, and says how many.
template <copying_consumer R>
[[nodiscard]] inline std::uint32_t pop_burst(R& ring, std::span<typename R::value_type> items) noexcept {
    return ring.pop_burst(items);
}
template <burst_consumer R>
[[nodiscard]] inline std::uint32_t pop_burst(R& ring, std::span<typename R::value_type> items) noexcept {
    auto token = ring.peek(detail::burst_size(items.size()));
    const std::uint32_t count = token.size();
    detail::empty_run<R>(token.second(), detail::empty_run<R>(token.first(), items.data()));
    token.release(count);
    return count;
}

// Fills all of `items`, in order, or takes nothing out.
template <burst_consumer R>
    requires offers_all_at_once<R>
[[nodiscard]] inline bool pop_bulk(R& ring, std::span<typename R::value_type> items) noexcept {
    auto token = ring.peek(detail::burst_size(items.size()));
    if (token.size() < items.size())
        return false;
    detail::empty_run<R>(token.second(), detail::empty_run<R>(token.first(), items.data()));
    token.release(token.size());
    return true;
}

// Hands at most `count` items to f(T&), in order, then releases them together; says how many. f may move out
// of its argument and must not call this side of the ring. Plain data is handed over as a copy: peek for
// large items.
template <burst_consumer R, class F>
    requires std::is_nothrow_invocable_v<F&, typename R::value_type&>
std::uint32_t consume(R& ring, std::uint32_t count, F&& f) noexcept {
    auto token = ring.peek(count);
    detail::visit_run<R>(token.first(), f);
    detail::visit_run<R>(token.second(), f);
    const std::uint32_t taken = token.size();
    token.release(taken);
    return taken;
}

// Consumes until the ring is empty or `budget` items are done, those that come meanwhile included; says how
// many. Fewer than the budget means that the ring was seen empty.
template <burst_consumer R, class F>
    requires std::is_nothrow_invocable_v<F&, typename R::value_type&>
std::uint32_t drain(R& ring, F&& f, std::uint32_t budget) noexcept {
    std::uint32_t done = 0;
    while (done < budget) {
        const std::uint32_t taken = consume(ring, budget - done, f);
        if (taken == 0)
            break;
        done += taken;
    }
    return done;
}

} // namespace noria::inline NORIA_ABI
