// SPDX-License-Identifier: BSL-1.0
#include "costs/harness.hpp"
#include "noria/memory/page_pool.hpp"
#include "noria/memory/region.hpp"
#include "pools/subjects.hpp"

namespace bench::costs::pools {
namespace {

constexpr std::uint32_t page_bytes = 2048;
constexpr std::uint32_t pages = 8192;

struct fixture {
    // Plain pages, as DPDK has them without huge ones.
    noria::region memory =
        noria::region::map({.bytes = std::size_t{pages} * page_bytes, .best = noria::backing::plain_pages})
            .value();
    noria::page_pool pool = noria::page_pool::create(memory.bytes(), page_bytes).value();
};

noria::page_pool& pool() {
    static fixture one;
    return one.pool;
}

struct nothing {};

void take(noria::page_pool& from, std::span<noria::page*> taken) noexcept {
    if (from.allocate_burst(taken) != taken.size())
        __builtin_trap();
}

template <unsigned Objects, bool Count>
std::uint64_t get_put(std::uint64_t times) {
    noria::page_pool& from = pool();
    const auto inside = from.enter();
    if constexpr (Objects == 1) {
        return repeat(times, [&] {
            noria::page* taken = from.allocate();
            keep(taken);
            if constexpr (Count)
                taken->release();
            else
                from.give_back(*taken);
        });
    } else {
        noria::page* taken[Objects];
        return repeat(times, [&] {
            take(from, taken);
            keep(taken);
            if constexpr (Count)
                release_burst(taken);
            else
                from.give_back(taken);
        });
    }
}

std::uint64_t other_thread(std::uint64_t times) {
    noria::page_pool& from = pool();
    const auto inside = from.enter();
    return hand_over<noria::page, nothing>(
        times, [&](std::span<noria::page*> taken) { take(from, taken); },
        [](std::span<noria::page*> taken) { release_burst(taken); });
}

} // namespace

void add_noria_memory(std::vector<subject>& all) {
    const auto add = [&](const char* what, unsigned objects, const char* name, const char* type, auto run) {
        all.push_back({"memory", what, name, type, origin::noria, objects, false, false, run});
    };
    add("get_put_1", 1, "noria", "allocate, give_back", get_put<1, false>);
    add("get_put_1", 1, "noria counted", "allocate, release", get_put<1, true>);
    add("get_put_8", 8, "noria", "allocate_burst, give_back", get_put<8, false>);
    add("get_put_8", 8, "noria counted", "allocate_burst, release_burst", get_put<8, true>);
    add("get_put_32", 32, "noria", "allocate_burst, give_back", get_put<32, false>);
    add("get_put_32", 32, "noria counted", "allocate_burst, release_burst", get_put<32, true>);
    add("other_thread", 32, "noria", "allocate_burst here, release_burst there", other_thread);
    all.back().two_threads = true;
}

} // namespace bench::costs::pools
