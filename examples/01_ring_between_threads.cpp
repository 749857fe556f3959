// SPDX-License-Identifier: BSL-1.0
// A ring between two threads: one counts, the other adds up. No root, no device, no option.
//
//   g++ -std=c++20 -O2 -Iinclude examples/01_ring_between_threads.cpp -o ring -pthread && ./ring

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <utility>

#include "noria/ring.hpp"

namespace {

constexpr std::uint64_t total = 10'000'000;
constexpr std::uint32_t burst = 32;

// [ring]
// What travels: 16 bytes, as a packet descriptor has.
struct message {
    std::uint64_t number;
    std::uint64_t square;
};

using message_ring = noria::spsc_ring<message, {.capacity = 1000}>;
// [/ring]

// [produce]
// Reserve room, write in place, commit. The room may go round the end of the ring, hence two spans.
void produce(message_ring::producer producer) {
    std::uint64_t next = 0;
    while (next < total) {
        const std::uint64_t left = total - next;
        auto room = producer.reserve(left < burst ? static_cast<std::uint32_t>(left) : burst);
        if (room.size() == 0) {
            std::this_thread::yield(); // full: the ring never waits, the program decides how to
            continue;
        }
        for (auto slots : {room.first(), room.second()})
            for (message& slot : slots) {
                slot = {next, next * next};
                ++next;
            }
        room.commit(room.size());
    }
}
// [/produce]

struct sums {
    std::uint64_t items = 0;
    std::uint64_t numbers = 0;
    std::uint64_t squares = 0;
};

// [consume]
// The same from the other end, in one call: up to a burst of items, each handed to a function.
sums add_up(message_ring::consumer consumer) {
    sums result;
    while (result.items < total) {
        const std::uint32_t taken = noria::consume(consumer, burst, [&result](const message& item) noexcept {
            result.numbers += item.number;
            result.squares += item.square;
        });
        if (taken == 0)
            std::this_thread::yield();
        result.items += taken;
    }
    return result;
}
// [/consume]

} // namespace

int main() {
    // [split]
    message_ring ring;
    auto [producer, consumer] = ring.split();
    // [/split]

    const auto start = std::chrono::steady_clock::now();
    std::thread counting(produce, std::move(producer));
    const sums seen = add_up(std::move(consumer));
    counting.join();
    const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;

    // The same sums, without a ring. They wrap at 2^64, both alike.
    sums expected;
    for (std::uint64_t i = 0; i < total; ++i) {
        expected.numbers += i;
        expected.squares += i * i;
    }
    const bool right = seen.numbers == expected.numbers && seen.squares == expected.squares;
    std::printf("%llu items moved, %.1f ns each, sums %s\n", static_cast<unsigned long long>(seen.items),
                elapsed.count() / static_cast<double>(seen.items), right ? "right" : "WRONG");
    return right ? 0 : 1;
}
