// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/mpsc_ring.hpp"

#include "mutants/check.hpp"
#include "noria/ring/burst.hpp"

namespace {

using namespace check;
using noria::basic_mpsc_ring;

struct place {
    enum { open, filled, skipped } state;
    std::uint64_t number;
};

// Random calls of three producers, up to three reservations open at once, against a queue of places.
template <class Ring>
void drive(Ring& ring, std::uint32_t capacity, std::uint32_t chunk, dice& random) {
    using T = typename Ring::value_type;
    constexpr bool plain = noria::plain_element<T>;
    that(ring.capacity() == capacity);
    std::deque<place> model;          // front: what the consumer sees next
    std::uint64_t tail = 0, next = 0; // places claimed, and passed by the consumer
    std::uint64_t returned = 0, number = 0;
    for (int pair = 0; pair != 6; ++pair) {
        {
            auto roles = ring.split();
            typename Ring::producer producers[]{roles.producer, roles.producer, roles.producer};
            auto consumer = std::move(roles.consumer);
            std::uint64_t full[3];
            for (auto& known : full)
                known = returned + capacity;
            std::optional<typename Ring::producer::reservation> token[3];
            std::uint64_t base[3]{};

            // What the consumer passes on the way to its next item.
            const auto pass = [&](std::uint64_t count) {
                next += count;
                const bool back = next - returned >= chunk;
                returned = back ? next : returned;
                return back ? 1u : 0u;
            };
            const auto ready = [&] {
                std::uint64_t written = 0;
                while (!model.empty() && model.front().state == place::skipped) {
                    model.pop_front();
                    written += pass(1);
                }
                if ((model.empty() || model.front().state == place::open) && returned != next) {
                    returned = next;
                    ++written;
                }
                return written;
            };
            const auto claim = [&](std::size_t who, std::uint32_t count) -> std::uint64_t {
                if (count == 0 || full[who] - tail >= count && full[who] >= tail)
                    return 0;
                if (returned + capacity != tail)
                    full[who] = returned + capacity;
                return 1;
            };

            for (int calls = 0; calls != 250; ++calls) {
                const auto free = static_cast<std::uint32_t>(returned + capacity - tail);
                const std::uint32_t size = random.below(capacity + 3);
                const std::size_t who = random.below(3);
                cost call;
                switch (random.below(5)) {
                case 0: {
                    if (token[who])
                        break;
                    T made = T::of(number);
                    that(producers[who].try_push(std::move(made)) == (free != 0));
                    that(looks - call.looks_before <= 1);
                    that(writes - call.writes_before == (free != 0 ? 2 : 0)); // the claim and the mark
                    that(made == T::of(number) || (!plain && free != 0));
                    if (free != 0) {
                        model.push_back({place::filled, number++});
                        ++tail;
                    }
                    break;
                }
                case 1: {
                    if (token[who])
                        break;
                    const bool exact = random.below(2) == 0;
                    token[who].emplace(exact ? producers[who].reserve_exact(size)
                                             : producers[who].reserve(size));
                    const std::uint32_t got = size <= free ? size : exact ? 0 : free;
                    that(token[who]->size() == got);
                    that(looks - call.looks_before <= 1);
                    that(writes - call.writes_before == (got != 0 ? 1 : 0)); // none for a poll that fails
                    base[who] = tail;
                    for (std::uint32_t i = 0; i != got; ++i)
                        model.push_back({place::open, number + i});
                    number += got;
                    tail += got;
                    break;
                }
                case 2: {
                    if (!token[who])
                        break;
                    const std::uint32_t got = token[who]->size(), kept = random.below(got + 1);
                    std::uint32_t at = 0;
                    for (auto run : {token[who]->first(), token[who]->second()})
                        for (auto& slot : run)
                            if (at++ < kept) {
                                const std::uint64_t it = model[base[who] + at - 1 - next].number;
                                if constexpr (plain)
                                    slot.item = T::of(it);
                                else
                                    slot.item.construct(it);
                            }
                    for (std::uint32_t i = 0; i != got; ++i)
                        model[base[who] + i - next].state = i < kept ? place::filled : place::skipped;
                    if (kept != 0)
                        token[who]->commit(kept);
                    else if (random.below(2) != 0)
                        token[who]->abandon();
                    token[who].reset();
                    call.is(0, got != 0 ? 1 : 0);
                    break;
                }
                case 3: {
                    T out = T::of(99);
                    const bool any = consumer.try_pop(out);
                    std::uint64_t written = ready();
                    that(any == (!model.empty() && model.front().state == place::filled));
                    that(out == T::of(any ? model.front().number : 99));
                    if (any) {
                        model.pop_front();
                        written += pass(1);
                    }
                    that(writes - call.writes_before == written);
                    break;
                }
                case 4: {
                    auto token = consumer.peek(size);
                    std::uint64_t written = size != 0 ? ready() : 0;
                    std::uint32_t there = 0;
                    while (there != size && there < model.size() && model[there].state == place::filled)
                        ++there;
                    that(token.size() == there);
                    if (there != size && returned != next) { // it asked for more than there is
                        returned = next;
                        ++written;
                    }
                    std::size_t at = 0;
                    for (auto run : {token.first(), token.second()})
                        for (auto& slot : run)
                            if constexpr (plain)
                                that(slot.item == T::of(model[at++].number));
                            else
                                that(slot.item.value.number == model[at++].number);
                    const std::uint32_t gone = random.below(there + 1);
                    if (gone != 0 || random.below(2) != 0)
                        token.release(gone);
                    model.erase(model.begin(), model.begin() + gone);
                    written += gone != 0 ? pass(gone) : 0;
                    that(writes - call.writes_before == written);
                    break;
                }
                }
                if constexpr (!plain) {
                    int living = 0;
                    for (const place& each : model)
                        living += each.state == place::filled;
                    that(life::alive == living);
                }
            }
            for (std::size_t who = 0; who != 3; ++who)
                if (token[who])
                    for (std::uint32_t i = 0; i != token[who]->size(); ++i)
                        model[base[who] + i - next].state = place::skipped;
        }
        returned = next; // what the consumer held back comes home with it
    }
}

template <class T, noria::mpsc_options Options>
void inside(std::uint64_t start) {
    dice random;
    {
        basic_mpsc_ring<T, Options, counting_sync> ring(start);
        drive(ring, Options.capacity, Options.return_chunk != 0 ? Options.return_chunk : Options.capacity / 8,
              random);
    }
    that(life::alive == 0);
}

// What is left in a ring goes with it, and what was skipped was never there.
void left() {
    {
        basic_mpsc_ring<life, {.capacity = 6}, counting_sync> ring(0xffff'fffd);
        auto [producer, consumer] = ring.split();
        that(producer.try_push(life(0)) && consumer.peek(1).size() == 1);
        auto token = producer.reserve(3);
        token.first()[0].item.construct(1);
        token.commit(1);
        that(producer.try_push(life(2)));
        that(life::alive == 3);
    }
    that(life::alive == 0);
}

// A slot that nobody has written holds nothing, in whatever lap counting begins.
void fresh() {
    for (std::uint64_t start = 0; start != 32; ++start) {
        basic_mpsc_ring<item, {.capacity = 8}, counting_sync> ring(start);
        auto [producer, consumer] = ring.split();
        item out;
        for (std::uint64_t i = 0; i != 8; ++i)
            that(!consumer.try_pop(out) && producer.try_push(item::of(i)) && consumer.try_pop(out));
    }
}

// Only the handle that an old one was moved to gives back slots.
void moved() {
    basic_mpsc_ring<item, {.capacity = 8, .return_chunk = 8}, counting_sync> ring;
    item out;
    {
        auto [producer, consumer] = ring.split();
        for (std::uint64_t i = 0; i != 8; ++i)
            that(producer.try_push(item::of(i)));
        that(consumer.try_pop(out));
        auto newer = std::move(consumer);
        that(newer.try_pop(out));
    }
    auto [producer, consumer] = ring.split();
    that(producer.reserve(8).size() == 2 && consumer.try_pop(out) && out == item::of(2));
}

void outside() {
    using ring_type = basic_mpsc_ring<item, {.capacity = noria::dynamic}, counting_sync>;
    dice random;
    lent<ring_type::slot_type, 16> memory;
    for (const std::uint32_t capacity : {1u, 2u, 3u, 8u, 16u}) {
        ring_type ring({memory.slots, noria::slots_for(capacity)}, capacity, 0xffff'ffff - capacity);
        drive(ring, capacity, capacity / 8, random);
    }
}

// What calls look at, and whole bursts.
void costs() {
    basic_mpsc_ring<item, {.capacity = 8, .return_chunk = 3}, counting_sync> ring(0xffff'fffc);
    auto [producer, consumer] = ring.split();
    auto other = producer;
    item items[8];
    for (std::uint64_t i = 0; i != 8; ++i)
        items[i] = item::of(i);
    cost call;
    that(!consumer.try_pop(items[7]));
    call.is(1, 0);
    for (int i = 0; i != 8; ++i)
        that(producer.try_push(item::of(i)));
    call.is(0, 16); // all 8 are known to be free
    that(!other.try_push({}));
    call.is(1, 0);
    that(other.reserve(3).size() == 0);
    call.is(1, 0);
    that(other.reserve(0).size() == 0);
    call.is(0, 0);
    that(noria::pop_burst(consumer, std::span(items)) == 8);
    call.is(8, 1);
    that(other.reserve(8).size() == 8);
    call.is(1, 2);
    that(consumer.peek(8).size() == 0);
    call.is(9, 3); // the skipped ones, of which each third sends slots home, and the rest with the last
    that(noria::push_bulk(producer, std::span<const item>(items, 5)));
    call.is(1, 2);
    that(noria::push_burst(producer, std::span<const item>(items, 5)) == 3);
    call.is(1, 2);
    call = cost{};
    that(noria::pop_burst(consumer, std::span(items, 8)) == 8);
    for (std::uint64_t i = 0; i != 8; ++i)
        that(items[i] == item::of(i < 5 ? i : i - 5));
    call = cost{};
    for (int i = 0; i != 3; ++i)
        that(other.try_push({}));
    call.is(1, 6); // one look tells of all that is free
}

} // namespace

int main() {
    inside<item, {.capacity = 1}>(0xffff'ffff);
    inside<item, {.capacity = 6, .return_chunk = 3}>(~std::uint64_t{0} - 70);
    inside<life, {.capacity = 8}>(0xffff'fff0);
    left();
    fresh();
    moved();
    outside();
    costs();
}
