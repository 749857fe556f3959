// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <type_traits>

// The archetype of a sync policy: what core/sync.hpp promises and nothing more. Every order has to be
// written, an atomic converts to nothing, and a cell is a type of its own. self() is what the test says it
// is, so that one thread can play several in any order it likes.
struct strict_sync {
    template <class T>
    class atomic {
        static_assert(sizeof(T) <= 8, "atomics of at most 64 bits");

      public:
        atomic() noexcept : value_{} {}
        explicit atomic(T value) noexcept : value_(value) {}
        atomic(const atomic&) = delete;
        atomic& operator=(const atomic&) = delete;
        T load(std::memory_order order) const noexcept { return value_.load(order); }
        void store(T value, std::memory_order order) noexcept { value_.store(value, order); }
        T exchange(T value, std::memory_order order) noexcept { return value_.exchange(value, order); }
        T fetch_add(T value, std::memory_order order) noexcept { return value_.fetch_add(value, order); }
        T fetch_sub(T value, std::memory_order order) noexcept { return value_.fetch_sub(value, order); }
        T fetch_or(T bits, std::memory_order order) noexcept { return value_.fetch_or(bits, order); }
        T fetch_and(T bits, std::memory_order order) noexcept { return value_.fetch_and(bits, order); }

      private:
        std::atomic<T> value_;
    };

    template <class T>
    struct cell {
        T value{};
    };
    template <class T>
    static void read(const cell<T>& from, std::type_identity_t<T>& to) noexcept {
        to = from.value;
    }
    template <class T>
    static void write(cell<T>& to, const std::type_identity_t<T>& from) noexcept {
        to.value = from;
    }

    template <class T>
    static atomic<T>& at(std::byte* bytes) noexcept {
        return *reinterpret_cast<atomic<T>*>(bytes);
    }

    static void prefetch_read(const void*) noexcept {}
    static void prefetch_write(const void*) noexcept {}
    static void relax() noexcept {}

    static inline const void* running = nullptr;
    static const void* self() noexcept { return running; }
};

// Plays another thread for as long as it lives.
class playing {
  public:
    explicit playing(const int& thread) noexcept : before_(strict_sync::running) {
        strict_sync::running = &thread;
    }
    playing(const playing&) = delete;
    playing& operator=(const playing&) = delete;
    ~playing() { strict_sync::running = before_; }

  private:
    const void* before_;
};
