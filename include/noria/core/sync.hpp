// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <type_traits>

#include "noria/core/config.hpp"

// The sync policy: everything through which two threads meet. Every concurrent type takes one as its last
// template parameter, so that a model checker can put its own in place and run the very headers that ship.
//
//   atomic<T>            an atomic of at most 64 bits; every call names its order
//   cell<T>              data that is not atomic but changes hands between threads
//   read(cell, T&)       out of a cell;   write(cell, const T&)   into one
//   at<T>(bytes)         an atomic in memory that somebody else laid out (a kernel's ring): the only cast
//   prefetch_read/write  hints; write asks for the line in exclusive state
//   relax()              what a spinning loop says to the core
//   self()               a value that no two running threads share, never zero
//
// There is no fence: orders are written at the access, with a comment that names the partner.

namespace noria::inline NORIA_ABI {

struct std_sync {
    template <class T>
    using atomic = std::atomic<T>;

    // An alias and no wrapper: in production span<cell<T>> is span<T>.
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
    [[nodiscard]] static std::atomic<T>& at(std::byte* bytes) noexcept {
        static_assert(sizeof(std::atomic<T>) == sizeof(T) && std::atomic<T>::is_always_lock_free);
        return *reinterpret_cast<std::atomic<T>*>(bytes);
    }

    // Both hints are asm, because the builtin has two traps: g++ 12 takes a function that only prefetches for
    // one without effect, and deletes the calls; and on x86-64 the builtin for writing emits a read prefetch
    // unless the right CPU flag is given, and so loses all it is for. (prefetchw is a no-op on processors
    // that lack it.)
    static void prefetch_read(const void* address) noexcept {
#if defined(__x86_64__)
        asm volatile("prefetcht0 %0" : : "m"(*static_cast<const char*>(address)));
#elif defined(__aarch64__)
        asm volatile("prfm pldl1keep, %a0" : : "p"(address));
#else
        __builtin_prefetch(address, 0, 3);
#endif
    }
    static void prefetch_write(const void* address) noexcept {
#if defined(__x86_64__)
        asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(address)));
#elif defined(__aarch64__)
        asm volatile("prfm pstl1keep, %a0" : : "p"(address));
#else
        __builtin_prefetch(address, 1, 3);
#endif
    }

    static void relax() noexcept {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        asm volatile("isb");
#endif
    }

    // The thread pointer: one move, no call.
    [[nodiscard]] static const void* self() noexcept { return __builtin_thread_pointer(); }
};

} // namespace noria::inline NORIA_ABI
