// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <type_traits>
#include <utility>

#include "explorer/world.hpp"

// The sync policy of the explorer: what core/sync.hpp asks for, played by world.hpp. The default arguments
// are evaluated where a call is written, so each access knows its own file and line.

namespace explorer {

struct sync {
    template <class T>
    class atomic {
        static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>, "atomics of at most 64 bits");
        using file_name = const char*;

      public:
        using value_type = T;

        atomic() noexcept : atomic(T{}) {}
        explicit atomic(T value) noexcept { world::get().create(here_, bits(value)); }
        atomic(const atomic&) = delete;
        atomic& operator=(const atomic&) = delete;

        T load(std::memory_order order, file_name file = __builtin_FILE(),
               unsigned line = __builtin_LINE()) const noexcept {
            return value(world::get().load(here_, order, {file, line}));
        }
        void store(T desired, std::memory_order order, file_name file = __builtin_FILE(),
                   unsigned line = __builtin_LINE()) noexcept {
            world::get().store(here_, bits(desired), order, {file, line});
        }
        T exchange(T desired, std::memory_order order, file_name file = __builtin_FILE(),
                   unsigned line = __builtin_LINE()) noexcept {
            return update(order, {file, line}, [&](T) { return desired; });
        }
        T fetch_add(T more, std::memory_order order, file_name file = __builtin_FILE(),
                    unsigned line = __builtin_LINE()) noexcept {
            return update(order, {file, line}, [&](T old) { return static_cast<T>(old + more); });
        }
        T fetch_sub(T less, std::memory_order order, file_name file = __builtin_FILE(),
                    unsigned line = __builtin_LINE()) noexcept {
            return update(order, {file, line}, [&](T old) { return static_cast<T>(old - less); });
        }
        T fetch_or(T set, std::memory_order order, file_name file = __builtin_FILE(),
                   unsigned line = __builtin_LINE()) noexcept {
            return update(order, {file, line}, [&](T old) { return static_cast<T>(old | set); });
        }
        T fetch_and(T kept, std::memory_order order, file_name file = __builtin_FILE(),
                    unsigned line = __builtin_LINE()) noexcept {
            return update(order, {file, line}, [&](T old) { return static_cast<T>(old & kept); });
        }
        T fetch_xor(T turned, std::memory_order order, file_name file = __builtin_FILE(),
                    unsigned line = __builtin_LINE()) noexcept {
            return update(order, {file, line}, [&](T old) { return static_cast<T>(old ^ turned); });
        }
        bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                                   std::memory_order failure, file_name file = __builtin_FILE(),
                                   unsigned line = __builtin_LINE()) noexcept {
            return compare_exchange(expected, desired, success, failure, true, {file, line});
        }
        bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                                     std::memory_order failure, file_name file = __builtin_FILE(),
                                     unsigned line = __builtin_LINE()) noexcept {
            return compare_exchange(expected, desired, success, failure, false, {file, line});
        }

      private:
        friend sync;
        friend void sleep_while(const atomic<std::uint32_t>&, std::uint32_t, const char*, unsigned);
        friend void wake(const atomic<std::uint32_t>&, const char*, unsigned);

        [[nodiscard]] static std::uint64_t bits(T value) noexcept {
            std::uint64_t bits = 0;
            std::memcpy(&bits, &value, sizeof value);
            return bits;
        }
        [[nodiscard]] static T value(std::uint64_t bits) noexcept {
            T value;
            std::memcpy(&value, &bits, sizeof value);
            return value;
        }
        template <class F>
        T update(std::memory_order order, place where, F change) noexcept {
            return value(world::get().update(here_, order, where,
                                             [&](std::uint64_t old) { return bits(change(value(old))); }));
        }
        bool compare_exchange(T& expected, T desired, std::memory_order success, std::memory_order failure,
                              bool weak, place where) noexcept {
            std::uint64_t old = bits(expected);
            const bool exchanged =
                world::get().compare_exchange(here_, old, bits(desired), success, failure, weak, where);
            expected = value(old);
            return exchanged;
        }

        mutable location here_;
    };

    template <class T>
    class cell {
      public:
        cell() noexcept : value_{} { world::get().create(history_); }
        cell(const cell&) = delete;
        cell& operator=(const cell&) = delete;

      private:
        friend sync;
        [[nodiscard]] static std::uint64_t shown(const T& value) noexcept {
            std::uint64_t bits = 0;
            std::memcpy(&bits, static_cast<const void*>(&value), sizeof value < 8 ? sizeof value : 8);
            return bits;
        }

        mutable cell_history history_;
        T value_;
    };

    template <class T>
    static void read(const cell<T>& from, std::type_identity_t<T>& to, const char* file = __builtin_FILE(),
                     unsigned line = __builtin_LINE()) noexcept {
        world::get().read(from.history_, cell<T>::shown(from.value_), {file, line});
        to = from.value_;
    }
    template <class T>
    static void write(cell<T>& to, const std::type_identity_t<T>& from, const char* file = __builtin_FILE(),
                      unsigned line = __builtin_LINE()) noexcept {
        world::get().write(to.history_, cell<T>::shown(from), {file, line});
        to.value_ = from;
    }

    // An atomic whose value lies in bytes that the body owns; it begins with what they hold at the first call
    // of an execution, which belongs into the body's constructor, and keeps them up to date.
    template <class T>
    [[nodiscard]] static atomic<T>& at(std::byte* bytes) noexcept {
        struct lent {
            std::uint64_t execution = 0;
            atomic<T> word;
        };
        static std::map<std::byte*, lent> every;
        lent& found = every[bytes];
        if (const std::uint64_t now = world::get().execution(); std::exchange(found.execution, now) != now) {
            T value;
            std::memcpy(&value, bytes, sizeof value);
            location& here = found.word.here_;
            here.foreign = bytes;
            here.bytes = sizeof value;
            world::get().create(here, atomic<T>::bits(value));
        }
        return found.word;
    }

    static void prefetch_read(const void*) noexcept {}
    static void prefetch_write(const void*) noexcept {}
    static void relax(const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) noexcept {
        world::get().relax({file, line});
    }
    [[nodiscard]] static const void* self() noexcept { return world::get().self(); }
};

// A futex: sleeps until wake(), unless the newest value is another by now. Orders nothing.
inline void sleep_while(const sync::atomic<std::uint32_t>& word, std::uint32_t value,
                        const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) {
    world::get().sleep_while(word.here_, value, {file, line});
}

// Wakes all who sleep on the word.
inline void wake(const sync::atomic<std::uint32_t>& word, const char* file = __builtin_FILE(),
                 unsigned line = __builtin_LINE()) {
    world::get().wake(word.here_, {file, line});
}

} // namespace explorer
