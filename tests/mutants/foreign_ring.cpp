// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/foreign_ring.hpp"

#include "mutants/one_way.hpp"

namespace {

using namespace check;

// Indices, flags and slots in memory that nobody of us laid out, none of it where the layout's zeros say.
struct memory {
    alignas(8) std::byte before[64]{};
    std::uint32_t flags = 0;
    std::uint32_t consumer;
    std::uint32_t producer;
    item slots[4];
    std::byte after[64]{};

    explicit memory(std::uint32_t start) : consumer(start), producer(start) {}
    ~memory() {
        for (const auto& guard : {before, after})
            for (int i = 0; i != 64; ++i)
                that(guard[i] == std::byte{0});
    }
    std::span<std::byte> bytes() { return {reinterpret_cast<std::byte*>(this), offsetof(memory, after)}; }

    static noria::foreign_layout layout(std::uint32_t capacity) {
        return {offsetof(memory, producer), offsetof(memory, consumer), offsetof(memory, flags),
                offsetof(memory, slots), capacity};
    }
};

void drive(std::uint32_t capacity) {
    dice random;
    memory here(0xffff'ffe1);
    one_way model{capacity, 0, 1};
    for (int pair = 0; pair != 6; ++pair) {
        noria::basic_foreign_producer<item, counting_sync> producer(here.bytes(), memory::layout(capacity));
        noria::basic_foreign_consumer<item, counting_sync> consumer(here.bytes(), memory::layout(capacity));
        one_way_run(model, producer, consumer, random).calls(150);
        that(producer.faults() == 0 && consumer.faults() == 0);
    }
}

// The other side writes what cannot be true; it is counted, and as if it had not been written.
void hostile() {
    constexpr std::uint32_t start = 0xffff'fffe;
    memory here(start);
    noria::basic_foreign_producer<item, counting_sync> producer(here.bytes(), memory::layout(4));
    that(producer.reserve(3).size() == 3 && producer.faults() == 0); // 4 are free, and known to be
    std::uint64_t faults = 0;
    cost call;
    auto room = producer.reserve(4);
    that(room.size() == 4);
    call.is(0, 0); // known already
    room.commit(4);
    that(here.producer == start + 4);
    for (const std::uint32_t wrong : {start + 5, start - 1, start + 0x8000'0000}) {
        here.consumer = wrong;
        that(producer.reserve(1).size() == 0 && producer.faults() == ++faults);
    }
    here.consumer = start + 1;
    that(producer.reserve(4).size() == 1 && producer.faults() == faults);
    here.consumer = start; // back again
    that(producer.reserve(4).size() == 1 && producer.faults() == ++faults);
    here.consumer = start + 4;
    that(producer.reserve(4).size() == 4 && producer.faults() == faults);

    noria::basic_foreign_consumer<item, counting_sync> consumer(here.bytes(), memory::layout(4));
    faults = 0;
    for (const std::uint32_t wrong : {start + 4 + 5, start + 3, start + 0x8000'0000}) {
        here.producer = wrong;
        that(consumer.peek(1).size() == 0 && consumer.faults() == ++faults);
    }
    here.producer = start + 4 + 3;
    that(consumer.peek(4).size() == 3 && consumer.faults() == faults);
    here.producer = start + 4 + 2;
    that(consumer.peek(4).size() == 3 && consumer.faults() == ++faults);
    here.producer = start + 4 + 4;
    that(consumer.peek(4).size() == 4 && consumer.faults() == faults);

    for (std::uint32_t flags = 0; flags != 4; ++flags) {
        here.flags = flags;
        that(producer.needs_wakeup() == (flags % 2 != 0) && consumer.needs_wakeup() == (flags % 2 != 0));
    }
}

// What a layout does not say is zero.
void unsaid() {
    const noria::foreign_layout none;
    that(none.producer == 0 && none.consumer == 0 && none.flags == 0 && none.slots == 0 &&
         none.capacity == 0);
}

} // namespace

int main() {
    unsaid();
    drive(1);
    drive(2);
    drive(4);
    hostile();
}
