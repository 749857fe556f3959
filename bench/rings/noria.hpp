// SPDX-License-Identifier: BSL-1.0
#pragma once

// Noria's rings as the harness wants them: thin wrappers round the handles.

#include <concepts>
#include <cstdint>
#include <span>

#include "noria/ring/burst.hpp"
#include "rings/item.hpp"

namespace bench {

template <class Handle>
struct noria_producer {
    using item_type = typename Handle::value_type;
    Handle& handle;

    bool push(const item_type& item) noexcept { return handle.try_push(item); }
    std::uint32_t push(std::span<const item_type> items) noexcept { return noria::push_burst(handle, items); }
    template <class Fill>
    std::uint32_t place(std::uint32_t count, Fill fill) noexcept
        requires std::same_as<typename Handle::slot_type, item_type>
    {
        auto token = handle.reserve(count);
        std::uint32_t i = 0;
        for (item_type& slot : token.first())
            fill(slot, i++);
        for (item_type& slot : token.second())
            fill(slot, i++);
        token.commit(i);
        return i;
    }
};

template <class Handle>
struct noria_consumer {
    using item_type = typename Handle::value_type;
    Handle& handle;

    bool pop(item_type& item) noexcept { return handle.try_pop(item); }
    std::uint32_t pop(std::span<item_type> items) noexcept { return noria::pop_burst(handle, items); }
    template <class See>
    std::uint32_t look(std::uint32_t count, See see) noexcept
        requires std::same_as<typename Handle::slot_type, item_type>
    {
        auto token = handle.peek(count);
        std::uint32_t i = 0;
        for (const item_type& slot : token.first())
            see(slot, i++);
        for (const item_type& slot : token.second())
            see(slot, i++);
        token.release(i);
        return i;
    }
};

// Any ring with split() into one producer and one consumer.
template <class Ring>
class noria_pair {
  public:
    using item_type = typename Ring::value_type;

    explicit noria_pair(unsigned) noexcept : roles_(ring_.split()) {}

    auto producer(unsigned) noexcept { return noria_producer<typename Ring::producer>{roles_.producer}; }
    auto consumer() noexcept { return noria_consumer<typename Ring::consumer>{roles_.consumer}; }

  private:
    Ring ring_;
    typename Ring::roles roles_;
};

} // namespace bench
