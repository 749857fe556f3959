// SPDX-License-Identifier: BSL-1.0
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "noria/ring/burst.hpp"
#include "noria/ring/fan_in.hpp"
#include "noria/ring/mpsc_ring.hpp"
#include "noria/ring/spsc_ring.hpp"
#include "noria/ring/wait.hpp"

// Many items through the rings, for faults that come once in a thousand million: rings_soak [ITEMS].
//
// All producers are on one core and the consumer on another, both at their fastest. Each side goes by chance
// from one item to a burst and to a burst in place that is published or released in part, and each item that
// comes out must be the next of its producer, whole. The index wraps half-way.

namespace {

struct item {
    std::uint64_t which; // the producer in the top byte, and how many it sent before
    std::uint64_t check; // made from `which`
    friend bool operator==(const item&, const item&) = default;
};

item make_item(std::uint64_t producer, std::uint64_t sequence) {
    const std::uint64_t which = producer << 56 | sequence;
    return {which, (which ^ which >> 29) * 0xbf58'476d'1ce4'e5b9};
}

constexpr std::uint32_t most = 64; // items in a burst

// So many polls in a row that find nothing, some ten seconds, mean that nothing will ever come.
constexpr std::uint64_t patience = 300'000'000;

// Cheap dice, other ones for each thread.
class dice {
  public:
    explicit dice(std::uint64_t seed) : state_(seed * 2 + 1) {}
    std::uint32_t below(std::uint32_t n) {
        state_ = state_ * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407;
        return static_cast<std::uint32_t>((state_ >> 32) * n >> 32);
    }

  private:
    std::uint64_t state_;
};

// The cores: the first two that this program may run on, or one twice.
std::array<int, 2> two_cores() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    std::vector<int> cores;
    if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0)
        for (int core = 0; core != CPU_SETSIZE; ++core)
            if (CPU_ISSET(core, &allowed))
                cores.push_back(core);
    if (cores.empty()) {
        std::puts("FAILED: the system does not say which cores there are");
        std::exit(1);
    }
    return {cores.front(), cores.size() > 1 ? cores[1] : cores.front()};
}

void pin_to(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (::pthread_setaffinity_np(::pthread_self(), sizeof set, &set) != 0)
        std::printf("  core %d cannot be had: not pinned\n", core);
}

struct plan {
    std::array<int, 2> cores;
    std::uint64_t items; // through each ring
    std::uint64_t start; // index of the first
};

// What both sides know. `running` counts producers that have not yet put in all they have to.
struct course {
    std::array<int, 2> cores;
    std::uint64_t items; // of one producer
    std::atomic<std::uint32_t> running;
    std::atomic<bool> stop{false};
};

void wait(bool core_is_shared) {
    core_is_shared ? noria::yield_wait::wait() : noria::pause_wait::wait();
}

template <class Slot>
void fill(std::span<Slot> slots, std::uint64_t producer, std::uint64_t& sequence) {
    for (Slot& slot : slots) {
        if constexpr (requires { slot.mark; })
            slot.item = make_item(producer, sequence++);
        else
            slot = make_item(producer, sequence++);
    }
}

template <class Producer>
std::uint32_t push_some(Producer& ring, std::uint64_t producer, std::uint64_t sequence, std::uint32_t count,
                        std::uint32_t way) {
    if (way == 0)
        return ring.try_push(make_item(producer, sequence)) ? 1 : 0;
    if (way == 1) {
        std::array<item, most> burst;
        fill(std::span(burst).first(count), producer, sequence);
        return noria::push_burst(ring, std::span<const item>(burst).first(count));
    }
    auto room = ring.reserve(count);
    fill(room.first(), producer, sequence);
    fill(room.second(), producer, sequence);
    const std::uint32_t kept = room.size() - room.size() / 4;
    room.commit(kept);
    return kept;
}

template <class Producer>
void produce(Producer& ring, std::uint64_t producer, course& on, bool core_is_shared) {
    pin_to(on.cores[0]);
    dice by_chance(producer);
    std::uint64_t sent = 0;
    while (sent != on.items && !on.stop.load(std::memory_order_relaxed)) {
        const auto left = static_cast<std::uint32_t>(std::min<std::uint64_t>(on.items - sent, most));
        const std::uint32_t count = 1 + by_chance.below(left);
        const std::uint32_t pushed = push_some(ring, producer, sent, count, by_chance.below(3));
        sent += pushed;
        if (pushed == 0)
            wait(core_is_shared);
    }
    on.running.fetch_sub(1, std::memory_order_release);
}

template <class Consumer>
std::uint32_t pop_some(Consumer& ring, std::span<item> items, std::uint32_t way) {
    if (way == 0)
        return ring.try_pop(items[0]) ? 1 : 0;
    if (way == 1)
        return noria::pop_burst(ring, items);
    item* to = items.data();
    return noria::consume(ring, static_cast<std::uint32_t>(items.size()),
                          [&to](item& from) noexcept { *to++ = from; });
}

// Takes everything out; says whether it was right.
template <class Consumer>
bool consume_all(Consumer& ring, std::span<std::uint64_t> next, course& on) {
    dice by_chance(next.size());
    std::array<item, most> burst;
    const std::uint64_t all = on.items * next.size();
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint64_t taken = 0, tenth = 1, misses = 0; taken != all;) {
        const bool finished = on.running.load(std::memory_order_acquire) == 0;
        const std::uint32_t popped =
            pop_some(ring, std::span(burst).first(1 + by_chance.below(most)), by_chance.below(3));
        for (const item& found : std::span(burst).first(popped)) {
            const std::uint64_t producer = found.which >> 56;
            const item expected = producer < next.size() ? make_item(producer, next[producer]) : item{};
            if (found != expected) {
                std::printf("  FAILED after %ju items: found %#jx %#jx, expected %#jx %#jx\n",
                            std::uintmax_t{taken}, std::uintmax_t{found.which}, std::uintmax_t{found.check},
                            std::uintmax_t{expected.which}, std::uintmax_t{expected.check});
                return false;
            }
            ++next[producer];
            ++taken;
        }
        misses = popped == 0 ? misses + 1 : 0;
        if (misses != 0 && (finished || misses == patience)) {
            std::printf("  FAILED: %ju items of %ju never came\n", std::uintmax_t{all - taken},
                        std::uintmax_t{all});
            return false;
        }
        if (misses != 0)
            wait(on.cores[0] == on.cores[1]);
        for (; tenth <= 10 && taken >= all / 10 * tenth; ++tenth) {
            const std::chrono::duration<double, std::nano> so_far = std::chrono::steady_clock::now() - begin;
            std::printf("  %3ju %%  %.2f ns an item\n", std::uintmax_t{10 * tenth},
                        so_far.count() / static_cast<double>(std::max<std::uint64_t>(taken, 1)));
            std::fflush(stdout);
        }
    }
    item more;
    if (ring.try_pop(more)) {
        std::printf("  FAILED: one item too many, %#jx %#jx\n", std::uintmax_t{more.which},
                    std::uintmax_t{more.check});
        return false;
    }
    return true;
}

template <class Producer, std::size_t Producers, class Consumer>
bool soak(const char* what, const plan& by, std::array<Producer, Producers>& producers, Consumer& consumer) {
    course on{.cores = by.cores, .items = by.items / Producers, .running{Producers}};
    std::printf("%s: %ju items, producers on core %d, consumer on core %d\n", what,
                std::uintmax_t{on.items * Producers}, on.cores[0], on.cores[1]);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i != Producers; ++i)
        threads.emplace_back(
            [&, i] { produce(producers[i], i, on, Producers > 1 || on.cores[0] == on.cores[1]); });
    pin_to(on.cores[1]);
    std::array<std::uint64_t, Producers> next{};
    const bool right = consume_all(consumer, next, on);
    on.stop.store(true, std::memory_order_relaxed);
    for (std::thread& each : threads)
        each.join();
    std::printf("  %s\n", right ? "passed: each item once, whole and in its order" : "FAILED");
    return right;
}

constexpr std::uint32_t capacity = 1000;

bool soak_spsc(const plan& by) {
    noria::spsc_ring<item, {.capacity = capacity}> ring(static_cast<std::uint32_t>(by.start));
    auto [producer, consumer] = ring.split();
    std::array producers{std::move(producer)};
    return soak("spsc_ring", by, producers, consumer);
}
bool soak_mpsc(const plan& by) {
    noria::mpsc_ring<item, {.capacity = capacity}> ring(by.start);
    auto [producer, consumer] = ring.split();
    std::array producers{producer, producer};
    return soak("mpsc_ring, 2 producers", by, producers, consumer);
}
bool soak_fan_in(const plan& by) {
    noria::fan_in<item, {.producers = 2, .ring = {.capacity = capacity}}> ring(
        static_cast<std::uint32_t>(by.start));
    auto [producers, consumer] = ring.split();
    return soak("fan_in, 2 producers", by, producers, consumer);
}

} // namespace

int main(int argc, char** argv) {
    const double asked = argc > 1 ? std::strtod(argv[1], nullptr) : 1e9;
    if (argc > 2 || !(asked >= 1000 && asked <= 1e15)) {
        std::puts("Usage: rings_soak [ITEMS]    1000 to 1e15 through each ring; 1e9 if not stated");
        return 2;
    }
    const auto items = static_cast<std::uint64_t>(asked);
    // Half-way to where 32 bits wrap: for each of two producers that is a quarter.
    const std::uint64_t half_way = std::min<std::uint64_t>(items / 4, std::uint64_t{1} << 31);
    const plan by{.cores = two_cores(), .items = items, .start = (std::uint64_t{1} << 32) - half_way};
    bool right = true;
    right &= soak_spsc(by);
    right &= soak_mpsc(by);
    right &= soak_fan_in(by);
    return right ? 0 : 1;
}
