// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <new>
#include <optional>
#include <source_location>
#include <span>
#include <type_traits>
#include <utility>

// What the programs share that judge the mutants of tests/scripts/logic_mutants.py. They are compiled once
// for each mutant, so they do without a test framework and go through few types, but through all that those
// types do: random calls with a fixed seed, each predicted to the last store by a simple model.

namespace check {

inline void that(bool holds, std::source_location where = std::source_location::current()) {
    if (!holds) {
        std::fprintf(stderr, "%s:%u\n", where.file_name(), static_cast<unsigned>(where.line()));
        std::_Exit(1);
    }
}

// xorshift64 (Marsaglia, 2003).
struct dice {
    std::uint64_t state = 0x9e37'79b9'7f4a'7c15;

    std::uint32_t below(std::uint32_t n) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return static_cast<std::uint32_t>(state >> 33) % n;
    }
};

inline std::uint64_t looks = 0;  // loads with acquire: at what the other side has written
inline std::uint64_t writes = 0; // stores with release, and read-modify-writes that others wait for

inline bool deaf = false; // whether bells are missed

// The machine's own policy, counting.
struct counting_sync {
    template <class T>
    class atomic {
      public:
        atomic() noexcept : value_{} {}
        explicit atomic(T value) noexcept : value_(value) {}

        T load(std::memory_order order) const noexcept {
            looks += order == std::memory_order_acquire;
            return value_.load(order);
        }
        void store(T value, std::memory_order order) noexcept {
            writes += order == std::memory_order_release;
            value_.store(value, order);
        }
        T exchange(T value, std::memory_order order) noexcept { return value_.exchange(value, order); }
        T fetch_add(T value, std::memory_order order) noexcept { return value_.fetch_add(value, order); }
        T fetch_sub(T value, std::memory_order order) noexcept { return value_.fetch_sub(value, order); }
        T fetch_or(T value, std::memory_order order) noexcept {
            ++writes;
            return deaf && sizeof(T) == 8 ? value : value_.fetch_or(value, order);
        }
        T fetch_and(T value, std::memory_order order) noexcept { return value_.fetch_and(value, order); }
        bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                                   std::memory_order failure) noexcept {
            return (++writes, value_.compare_exchange_strong(expected, desired, success, failure));
        }

      private:
        std::atomic<T> value_;
    };

    template <class T>
    using cell = T;
    template <class T>
    static void read(const T& from, std::type_identity_t<T>& to) noexcept {
        to = from;
    }
    template <class T>
    static void write(T& to, const std::type_identity_t<T>& from) noexcept {
        to = from;
    }
    template <class T>
    static atomic<T>& at(std::byte* bytes) noexcept {
        return *reinterpret_cast<atomic<T>*>(bytes);
    }
    static void prefetch_read(const void*) noexcept {}
    static void prefetch_write(const void*) noexcept {}
};

// A call and what it may cost: how many looks at the other side, how many stores that it can see.
struct cost {
    std::uint64_t looks_before = looks, writes_before = writes;

    void is(std::uint64_t looked, std::uint64_t written,
            std::source_location where = std::source_location::current()) {
        that(looks - looks_before == looked, where);
        that(writes - writes_before == written, where);
        *this = cost{};
    }
};

// Plain data whose halves must stay together.
struct item {
    std::uint64_t number = 0;
    std::uint64_t inverse = ~std::uint64_t{0};

    static item of(std::uint64_t n) { return {n, ~n}; }
    friend bool operator==(const item&, const item&) = default;
};

// Not plain: counts its lives, and knows whether it was born where it is.
struct life {
    static inline int alive = 0;
    std::uint64_t number;
    const life* self;

    explicit life(std::uint64_t n) noexcept : number(n), self(this) { ++alive; }
    life(life&& other) noexcept : life(std::exchange(other.number, ~std::uint64_t{0})) { other.here(); }
    life& operator=(life&& other) noexcept {
        here();
        other.here();
        number = std::exchange(other.number, ~std::uint64_t{0});
        return *this;
    }
    ~life() {
        here();
        self = nullptr;
        --alive;
    }
    void here() const { that(self == this); }

    static life of(std::uint64_t n) { return life(n); }
    friend bool operator==(const life& left, const life& right) { return left.number == right.number; }
};

// How many items a consumer holds back: a power of two.
inline std::uint32_t chunk_of(std::uint32_t asked, std::uint32_t capacity) {
    return asked != 0 ? std::bit_floor(asked) : capacity < 8 ? 1 : std::bit_floor(capacity / 8);
}

// Slots to lend, none beyond which may be touched.
template <class Slot, std::size_t Count>
struct lent {
    ~lent() {
        for (const auto& guard : {before, after})
            for (const unsigned char byte : guard)
                that(byte == 0xa5);
    }
    lent() {
        before.fill(0xa5);
        after.fill(0xa5);
    }

    std::array<unsigned char, 64> before;
    Slot slots[Count]{};
    std::array<unsigned char, 64> after;
};

} // namespace check
