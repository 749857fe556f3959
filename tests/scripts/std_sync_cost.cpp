// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "noria/ring/burst.hpp"
#include "noria/ring/mpsc_ring.hpp"
#include "noria/ring/spsc_ring.hpp"

// The calls whose instructions std_sync_cost.py compares, under the sync policy that -DPOLICY names. The
// other policies are where std_sync is, so that names differ in nothing else.

namespace noria::inline NORIA_ABI {

// What a program would write that had no policies: the types of the standard library and plain assignments.
struct bare_sync {
    template <class T>
    using atomic = std::atomic<T>;
    template <class T>
    using cell = T;
    template <class T>
    static void read(const T& from, T& to) noexcept {
        to = from;
    }
    template <class T>
    static void write(T& to, const T& from) noexcept {
        to = from;
    }
    static void prefetch_read(const void* line) noexcept { std_sync::prefetch_read(line); }
    static void prefetch_write(const void* line) noexcept { std_sync::prefetch_write(line); }
};

// A policy that does cost something, to see that the comparison would notice.
struct counting_sync : bare_sync {
    template <class T>
    struct cell {
        T value;
        std::uint32_t writes;
    };
    template <class T>
    static void read(const cell<T>& from, T& to) noexcept {
        to = from.value;
    }
    template <class T>
    static void write(cell<T>& to, const T& from) noexcept {
        to.value = from;
        ++to.writes;
    }
};

} // namespace noria::inline NORIA_ABI

struct item {
    std::uint64_t address;
    std::uint32_t length;
    std::uint32_t flags;
};
using spsc = noria::basic_spsc_ring<item, {.capacity = 1000}, noria::POLICY>;
using mpsc = noria::basic_mpsc_ring<item, {.capacity = 1000}, noria::POLICY>;

extern "C" {
bool spsc_try_push(spsc::producer& ring, const item& from) noexcept {
    return ring.try_push(from);
}
bool spsc_try_pop(spsc::consumer& ring, item& to) noexcept {
    return ring.try_pop(to);
}
std::uint32_t spsc_push_burst(spsc::producer& ring, std::span<const item> from) noexcept {
    return noria::push_burst(ring, from);
}
std::uint32_t spsc_pop_burst(spsc::consumer& ring, std::span<item> to) noexcept {
    return noria::pop_burst(ring, to);
}
bool mpsc_try_push(mpsc::producer& ring, const item& from) noexcept {
    return ring.try_push(from);
}
bool mpsc_try_pop(mpsc::consumer& ring, item& to) noexcept {
    return ring.try_pop(to);
}
}
