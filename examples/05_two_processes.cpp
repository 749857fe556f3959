// SPDX-License-Identifier: BSL-1.0
// A ring between two processes: one counts, the other adds up, and sleeps while there is nothing to do. Each
// maps the memory where it likes. No root, no device, no option.
//
//   g++ -std=c++20 -O2 -Iinclude examples/05_two_processes.cpp -o two && ./two

#include <cstdint>
#include <cstdio>
#include <new>
#include <span>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "noria/ring.hpp"

namespace {

constexpr std::uint64_t total = 1'000'000;

// [memory]
struct message {
    std::uint64_t number;
    std::uint64_t square;
};
using message_ring = noria::shared_ring<message, {.capacity = 1000}>;

// What both processes see: the ring, and beside it a bell for each side that may have to sleep.
struct shared_memory {
    alignas(message_ring::alignment) std::byte ring[message_ring::bytes];
    noria::shared_notifier items; // rung by the producer
    noria::shared_notifier room;  // rung by the consumer
};

shared_memory* map(int file) {
    void* at = mmap(nullptr, sizeof(shared_memory), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    return at == MAP_FAILED ? nullptr : static_cast<shared_memory*>(at);
}
// [/memory]

// [produce]
int produce(int file) {
    shared_memory* memory = map(file);
    if (memory == nullptr)
        return 1;
    auto ring = message_ring::attach(memory->ring);
    if (!ring) {
        std::fprintf(stderr, "%s\n", ring.error().advice);
        return 1;
    }
    auto producer = (*ring)->open_producer();
    if (!producer) {
        std::fprintf(stderr, "%s\n", producer.error().advice);
        return 1;
    }
    for (std::uint64_t next = 0; next < total;) {
        message burst[32];
        std::uint32_t count = 0;
        for (; count < 32 && next + count < total; ++count)
            burst[count] = {next + count, (next + count) * (next + count)};
        const std::span<const message> items(burst, count);
        next += memory->room.wait([&]() noexcept { return noria::push_burst(*producer, items); });
        memory->items.notify();
    }
    return 0;
}
// [/produce]

} // namespace

int main() {
    // [create]
    const int file = memfd_create("two processes", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, sizeof(shared_memory)) != 0)
        return 1;
    shared_memory* memory = map(file);
    if (memory == nullptr)
        return 1;
    new (memory) shared_memory;
    auto ring = message_ring::create(memory->ring);
    if (!ring) {
        std::fprintf(stderr, "%s\n", ring.error().advice);
        return 1;
    }
    // [/create]

    const pid_t child = fork();
    if (child == 0)
        _exit(produce(file));

    // [consume]
    auto consumer = (*ring)->open_consumer();
    if (!consumer)
        return 1;
    std::uint64_t seen = 0, wrong = 0;
    while (seen < total) {
        memory->items.wait([&]() noexcept {
            return noria::consume(*consumer, 32, [&](const message& item) noexcept {
                wrong += item.number != seen || item.square != seen * seen ? 1 : 0;
                ++seen;
            });
        });
        memory->room.notify();
    }
    // [/consume]
    int status = 0;
    const bool ended = waitpid(child, &status, 0) == child && status == 0;
    std::printf("%llu items came from process %d, %llu wrong\n", static_cast<unsigned long long>(seen),
                static_cast<int>(child), static_cast<unsigned long long>(wrong));
    return ended && wrong == 0 ? 0 : 1;
}
