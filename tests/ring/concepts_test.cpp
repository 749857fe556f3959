// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/concepts.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace {

using namespace noria;

struct plain {
    std::uint64_t address = 0;
    std::uint32_t length = 0;
};
struct move_only {
    explicit move_only(int) noexcept {}
    move_only(move_only&&) noexcept {}
};
struct throwing_move {
    throwing_move(throwing_move&&) noexcept(false) {}
};
struct throwing_end {
    ~throwing_end() noexcept(false) {}
};
struct no_default {
    explicit no_default(int) noexcept {}
};

static_assert(ring_element<int> && ring_element<plain> && ring_element<move_only> &&
              ring_element<std::unique_ptr<int>>);
static_assert(!ring_element<throwing_move> && !ring_element<throwing_end> && !ring_element<int&> &&
              !ring_element<void>);
static_assert(plain_element<int> && plain_element<plain>);
static_assert(!plain_element<move_only> && !plain_element<std::string> && !plain_element<no_default>);

// Exactly what the concepts ask for, and one thing missing at a time.
struct reserve_archetype {
    std::uint32_t size() const noexcept { return 0; }
    std::span<int> first() const noexcept { return {}; }
    std::span<int> second() const noexcept { return {}; }
    void commit(std::uint32_t) noexcept {}
};
struct peek_archetype {
    std::uint32_t size() const noexcept { return 0; }
    std::span<const int> first() const noexcept { return {}; }
    std::span<const int> second() const noexcept { return {}; }
    void release(std::uint32_t) noexcept {}
};
struct producer_archetype {
    using value_type = int;
    reserve_archetype reserve(std::uint32_t) noexcept { return {}; }
};
struct consumer_archetype {
    using value_type = int;
    peek_archetype peek(std::uint32_t) noexcept { return {}; }
};
struct may_throw {
    using value_type = int;
    reserve_archetype reserve(std::uint32_t) { return {}; }
    peek_archetype peek(std::uint32_t) { return {}; }
};
struct no_value_type {
    reserve_archetype reserve(std::uint32_t) noexcept { return {}; }
    peek_archetype peek(std::uint32_t) noexcept { return {}; }
};
struct swapped {
    using value_type = int;
    peek_archetype reserve(std::uint32_t) noexcept { return {}; }
    reserve_archetype peek(std::uint32_t) noexcept { return {}; }
};

static_assert(burst_producer<producer_archetype> && !burst_consumer<producer_archetype>);
static_assert(burst_consumer<consumer_archetype> && !burst_producer<consumer_archetype>);
static_assert(!burst_producer<may_throw> && !burst_consumer<may_throw>);
static_assert(!burst_producer<no_value_type> && !burst_consumer<no_value_type>);
static_assert(!burst_producer<swapped> && !burst_consumer<swapped>);
static_assert(!burst_producer<int> && !burst_consumer<std::span<int>>);

struct other_sync {};
struct names_its_policy : producer_archetype {
    using sync_type = other_sync;
};
static_assert(std::same_as<detail::sync_of<producer_archetype>::type, std_sync>);
static_assert(std::same_as<detail::sync_of<names_its_policy>::type, other_sync>);

TEST(ring_concepts, are_decided_at_compile_time) {
    SUCCEED();
}

} // namespace
