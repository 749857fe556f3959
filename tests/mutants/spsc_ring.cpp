// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/spsc_ring.hpp"

#include "mutants/one_way.hpp"

namespace {

using namespace check;
using noria::basic_spsc_ring;

void drive(auto& ring, one_way model, dice& random) {
    that(ring.capacity() == model.capacity);
    for (int pair = 0; pair != 8; ++pair) {
        auto roles = ring.split();
        auto consumer = std::move(roles.consumer);
        one_way_run(model, roles.producer, consumer, random).calls(150);
        that(!ring.open_producer() && !ring.open_consumer());
        model.returned = model.taken; // what the consumer held back comes home with it
    }
    auto producer = ring.open_producer();
    that(producer && !ring.open_producer());
    using T = typename std::remove_reference_t<decltype(ring)>::value_type;
    for (std::uint64_t i = 0; i != 3; ++i) // left for the ring's end
        (void)producer->try_push(T::of(i));
    auto consumer = ring.open_consumer();
    that(consumer && !ring.open_consumer());
}

template <class T, noria::spsc_options Options>
void inside(std::uint32_t start) {
    dice random;
    {
        basic_spsc_ring<T, Options, counting_sync> ring(start);
        drive(ring,
              {Options.capacity, start, chunk_of(Options.return_chunk, Options.capacity), !Options.same_core},
              random);
    }
    that(life::alive == 0);
}

template <bool Mirrored>
void outside() {
    using ring_type =
        basic_spsc_ring<item, {.capacity = noria::dynamic, .write_prefetch_lines = 0, .mirrored = Mirrored},
                        counting_sync>;
    dice random;
    lent<item, 16> memory;
    if constexpr (Mirrored) {
        // No mapping is twice here: what runs over the end must do so in one stretch.
        ring_type ring(memory.slots, 5, 0xffff'fffe);
        auto [producer, consumer] = ring.split();
        auto token = producer.reserve(5);
        that(token.first().size() == 5 && token.second().empty() && &token.first()[0] == memory.slots + 6);
        token.commit(5);
        auto seen = consumer.peek(5);
        that(seen.first().size() == 5 && seen.second().empty() && &seen.first()[0] == memory.slots + 6);
    } else {
        for (const std::uint32_t capacity : {1u, 2u, 3u, 7u, 8u, 16u}) {
            const std::uint32_t start = 0xffff'ffff - capacity;
            ring_type ring({memory.slots, noria::slots_for(capacity)}, capacity, start);
            drive(ring, {capacity, start, chunk_of(0, capacity)}, random);
        }
    }
}

// Indices that another process wrote, and that cannot be right: written here where the ring has its two
// words.
void shared() {
    using ring_type =
        basic_spsc_ring<item, {.capacity = 3, .write_prefetch_lines = 0, .shared = true}, counting_sync>;
    constexpr std::uint32_t start = 0xffff'fffe;
    ring_type ring(start);
    std::uint32_t* words[2]{};
    for (std::size_t at = 0, found = 0; at != sizeof ring; at += noria::thread_gap) {
        auto* const word = reinterpret_cast<std::uint32_t*>(reinterpret_cast<std::byte*>(&ring) + at);
        if (*word == start)
            words[found++ % 2] = word;
    }
    that(words[0] != nullptr && words[1] != nullptr);
    auto &tail = *words[0], &head = *words[1];
    for (const std::uint32_t wrong : {4u, 1000u, 0x8000'0000u, ~0u}) {
        auto [producer, consumer] = ring.split();
        item out;
        that(producer.sound() && consumer.sound());
        tail = start + wrong;
        that(!consumer.sound() && !consumer.try_pop(out) && consumer.peek(9).size() == 0);
        tail = start + 3;
        that(consumer.sound() && consumer.peek(9).size() == 3);
        tail = start;
    }
    for (const std::uint32_t wrong : {1u, 1000u, 0x8000'0000u, ~0u - 3}) {
        auto [producer, consumer] = ring.split();
        head = start + wrong;
        that(!producer.sound() && !producer.try_push({}) && producer.reserve(1).size() == 0);
        head = start - 3;
        that(producer.sound() && !producer.try_push({}));
        head = start;
        that(producer.sound() && producer.reserve(9).size() == 3);
    }
    {
        auto [producer, consumer] = ring.split();
        that(producer.try_push({})); // and two more, as far as it knows
        head = start - 1;            // possible, and a lie
        that(producer.reserve(9).size() == 1);
        that(producer.try_push({}) && !producer.try_push({}));
    }
}

// One look tells the producer of all that is free.
void costs() {
    basic_spsc_ring<item, {.capacity = 8, .write_prefetch_lines = 0}, counting_sync> ring(0xffff'fffc);
    auto [producer, consumer] = ring.split();
    cost call;
    for (int i = 0; i != 8; ++i)
        that(producer.try_push({}));
    call.is(1, 8);
    that(!producer.try_push({}));
    call.is(1, 0);
    that(consumer.peek(8).size() == 8);
    item out;
    call = cost{};
    for (int i = 0; i != 8; ++i)
        that(consumer.try_pop(out));
    call.is(0, 8);
    for (int i = 0; i != 2; ++i) {
        auto token = producer.reserve(4);
        token.commit(4);
    }
    call.is(1, 2);
}

void reclaimed() {
    basic_spsc_ring<item, {.capacity = 2, .shared = true}, counting_sync> ring;
    alignas(noria::thread_gap) static std::byte dead[1024];
    {
        auto producer = ring.open_producer();
        ::new (static_cast<void*>(dead)) auto(std::move(*producer));
        that(!ring.open_producer() && ring.open_consumer());
        ring.reclaim_producer();
        that(static_cast<bool>(ring.open_producer()));
    }
    {
        auto consumer = ring.open_consumer();
        ::new (static_cast<void*>(dead)) auto(std::move(*consumer));
        that(!ring.open_consumer() && ring.open_producer());
        ring.reclaim_consumer();
        that(static_cast<bool>(ring.open_consumer()));
    }
}

// Items longer than a cache line.
void large() {
    struct two_lines {
        std::uint64_t number = 0;
        std::uint64_t more[15]{};
    };
    basic_spsc_ring<two_lines, {.capacity = 4}, counting_sync> ring;
    auto [producer, consumer] = ring.split();
    two_lines items[3]{{1}, {2}, {3}}, out[3];
    that(noria::push_burst(producer, std::span<const two_lines>(items)) == 3);
    that(noria::pop_burst(consumer, std::span(out)) == 3);
    for (int i = 0; i != 3; ++i)
        that(out[i].number == items[i].number);
}

void arithmetic() {
    using noria::before;
    that(before(1, 2) && !before(2, 2) && !before(3, 2));
    that(before(0xffff'ffff, 0) && !before(0, 0xffff'ffff) && before(5, 0x8000'0004));
    const noria::slot_run nowhere;
    that(nowhere.offset == 0 && nowhere.first == 0 && nowhere.second == 0);
}

} // namespace

int main() {
    arithmetic();
    large();
    inside<item, {.capacity = 20}>(0xffff'ff00);
    inside<item, {.capacity = 20, .same_core = true}>(0xffff'ff00);
    inside<life, {.capacity = 5, .write_prefetch_lines = 0, .return_chunk = 3}>(0xffff'fff9);
    outside<false>();
    outside<true>();
    shared();
    costs();
    reclaimed();
}
