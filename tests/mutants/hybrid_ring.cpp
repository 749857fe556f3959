// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/hybrid_ring.hpp"

#include "mutants/descriptors.hpp"

namespace {

using namespace check;
using noria::basic_hybrid_ring;

// Random calls against a queue of numbers, each predicted with what it stores and whether it looks at the
// index.
template <class D>
void drive(auto& ring, std::uint32_t capacity, std::uint32_t chunk, dice& random) {
    that(ring.capacity() == capacity);
    std::uint64_t made = 0, taken = 0, returned = 0;
    for (int pair = 0; pair != 6; ++pair) {
        auto [producer, old] = ring.split();
        auto consumer = std::move(old);
        std::uint64_t seen = taken;
        for (int calls = 0; calls != 150; ++calls) {
            const auto there = static_cast<std::uint32_t>(made - taken);
            const auto free = static_cast<std::uint32_t>(capacity - (made - returned));
            const std::uint32_t size = random.below(capacity + 3);
            D many[32];
            cost call;
            const auto producer_costs = [&](std::uint64_t written) { // it may look early, but once
                that(looks - call.looks_before <= 1 && writes - call.writes_before == written);
            };
            const auto take = [&](std::uint32_t count) -> std::uint64_t {
                const auto before = static_cast<std::uint32_t>(ring.begin + taken);
                taken += count;
                if ((before ^ (before + count)) < chunk && taken != seen)
                    return 0;
                returned = taken;
                return 1;
            };
            switch (random.below(4)) {
            case 0: {
                const bool fits = producer.try_push(numbered<D>(made));
                that(fits == (free != 0));
                producer_costs(fits ? 2 : 0); // the bit, and the index
                made += fits ? 1 : 0;
                break;
            }
            case 1: {
                for (std::uint32_t i = 0; i != size; ++i)
                    many[i] = numbered<D>(made + i);
                const std::uint32_t done = producer.push_burst({many, size});
                that(done == (size < free ? size : free));
                producer_costs(done != 0 ? 2 : 0);
                made += done;
                break;
            }
            case 2: {
                D out = numbered<D>(99);
                const bool any = consumer.try_pop(out);
                that(any == (there != 0) && same(out, numbered<D>(any ? taken : 99)));
                if (any && seen == taken) // more is known of where the next one lies in the same line
                    seen = more_in_line<D>(ring.begin + taken) && there > 1 ? made : taken + 1;
                that(writes - call.writes_before == (any ? take(1) : 0));
                break;
            }
            case 3: {
                for (D& out : many)
                    out = numbered<D>(99);
                const std::uint32_t done = consumer.pop_burst({many, size});
                that(done == (size < there ? size : there));
                for (std::uint32_t i = 0; i != size; ++i)
                    that(same(many[i], numbered<D>(i < done ? taken + i : 99)));
                if (seen - taken < size && there != 0) {
                    const bool bit_only = size == 1 && !(more_in_line<D>(ring.begin + taken) && there > 1);
                    seen = seen == taken && bit_only ? taken + 1 : made;
                }
                that(writes - call.writes_before == (done != 0 ? take(done) : 0));
                break;
            }
            }
        }
        returned = taken;
    }
}

template <class Ring>
struct begun : Ring {
    begun(std::uint32_t start) : Ring(start), begin(start) {}
    begun(auto slots, std::uint32_t capacity, std::uint32_t start)
        : Ring(slots, capacity, start), begin(start) {}
    std::uint32_t begin;
};

template <class D, noria::hybrid_options Options>
void inside(std::uint32_t start) {
    dice random;
    begun<basic_hybrid_ring<D, Options, counting_sync>> ring(start);
    drive<D>(ring, Options.capacity, chunk_of(Options.return_chunk, Options.capacity), random);
}

void outside() {
    using ring_type = begun<
        basic_hybrid_ring<two_words, {.capacity = noria::dynamic, .write_prefetch_lines = 0}, counting_sync>>;
    dice random;
    lent<ring_type::slot_type, 16> memory;
    for (const std::uint32_t capacity : {1u, 2u, 3u, 8u, 9u, 16u}) {
        ring_type ring(std::span(memory.slots, noria::slots_for(capacity)), capacity, 0xffff'ffff - capacity);
        drive<two_words>(ring, capacity, chunk_of(0, capacity), random);
    }
}

// A failed poll, one item at a time and a burst: what the consumer has to look at for it.
void costs() {
    basic_hybrid_ring<four_words, {.capacity = 8, .write_prefetch_lines = 0}, counting_sync> ring(
        0xffff'fffc);
    auto [producer, consumer] = ring.split();
    four_words many[8];
    for (std::uint32_t i = 0; i != 8; ++i)
        many[i] = numbered<four_words>(i);
    cost call;
    that(!consumer.try_pop(many[7]));
    call.is(1, 0); // one bit
    that(producer.push_burst({many, 1}) == 1);
    call.is(1, 2);
    that(consumer.try_pop(many[7]));
    call.is(2, 1); // the bit, and the next one in the line
    that(producer.push_burst({many, 7}) == 7);
    call.is(0, 2);
    for (int i = 0; i != 7; ++i)
        that(consumer.try_pop(many[7]));
    call.is(3, 7); // the bit, the next, and the index
    that(producer.push_burst({many, 6}) == 6 && consumer.pop_burst({many, 8}) == 6);
    that(producer.push_burst({many, 6}) == 6);
    call = cost{};
    that(consumer.pop_burst({many, 3}) == 3);
    call.is(2, 1); // the bit and the index
    that(consumer.pop_burst({many, 3}) == 3);
    call.is(0, 1);
}

} // namespace

int main() {
    inside<four_words, {.capacity = 20}>(0xffff'fff1);
    inside<four_words, {.capacity = 6, .write_prefetch_lines = 0, .return_chunk = 3}>(0xffff'fff1);
    outside();
    costs();
}
