// SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "costs/harness.hpp"
#include "noria/core/cacheline.hpp"
#include "pools/subjects.hpp"

// What the machine needs for the bytes and the lines alone.

namespace bench::costs::pools {
namespace {

// From so many buffers into one.
template <std::size_t Bytes, std::size_t Pieces>
std::uint64_t copy(std::uint64_t times) {
    constexpr std::size_t room = 2048;
    static std::byte from[Pieces * room];
    static std::byte to[room];
    return repeat(times, [&] {
        // Few bytes are copied in place, many by a call: whatever is best.
        const std::size_t bytes = Bytes > 64 ? unknown(Bytes) : Bytes;
        for (std::size_t piece = 0; piece != Pieces; ++piece)
            std::memcpy(to + piece * bytes, from + piece * room, bytes);
        keep(to);
    });
}

// Lines in an order that no prefetcher guesses, more than the caches of one core hold.
struct alignas(noria::cache_line) line {
    const line* next = nullptr;
};
const std::vector<line>& lines() {
    static const std::vector<line> all = [] {
        std::vector<line> made((std::size_t{64} << 20) / sizeof(line));
        std::vector<std::uint32_t> order(made.size());
        for (std::size_t i = 0; i != order.size(); ++i)
            order[i] = static_cast<std::uint32_t>(i);
        std::shuffle(order.begin(), order.end(), std::mt19937(1));
        for (std::size_t i = 0; i != order.size(); ++i)
            made[order[i]].next = &made[order[(i + 1) % order.size()]];
        return made;
    }();
    return all;
}
std::uint64_t misses(std::uint64_t times) {
    static const line* at = lines().data();
    return repeat(times, [&] {
        at = at->next;
        keep(at);
    });
}

} // namespace

void add_limits(std::vector<subject>& all) {
    const auto add = [&](const char* suite, const char* what, const char* name, const char* type, auto run) {
        all.push_back({suite, what, name, type, origin::limit, 1, false, false, run});
    };
    add("memory", "line", "one miss", "a load from a line that is in no cache of this core", misses);
    add("packet", "line", "one miss", "a load from a line that is in no cache of this core", misses);
    add("packet", "clone", "memcpy", "memcpy of 1500 bytes", copy<1500, 1>);
    add("packet", "read_edge", "memcpy", "memcpy of 2 x 32 bytes", copy<32, 2>);
}

} // namespace bench::costs::pools
