// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/descriptor_ring.hpp"

#include "mutants/descriptors.hpp"

namespace {

using namespace check;
using noria::basic_descriptor_ring;

struct heard {
    std::uint32_t* tail;
    void ring(std::uint32_t at) const noexcept { *tail = at; }
};

// Random calls against numbers.
template <class D>
void drive(auto& ring, std::uint32_t capacity, std::uint32_t start, dice& random) {
    that(ring.capacity() == capacity);
    std::uint32_t made = 0, published = 0, taken = 0;
    for (int pair = 0; pair != 6; ++pair) {
        {
            auto roles = ring.split();
            auto writer = std::move(roles.writer);
            auto reader = std::move(roles.reader);
            std::uint32_t full = taken + capacity;
            for (int calls = 0; calls != 150; ++calls) {
                const std::uint32_t free = capacity - (made - taken);
                const std::uint32_t size = random.below(capacity + 3);
                D many[32];
                cost call;
                switch (random.below(5)) {
                case 0:
                    that(writer.space() == free);
                    call.is(1, 0);
                    full = taken + capacity;
                    break;
                case 1:
                    that(writer.write(numbered<D>(made)) == (free != 0));
                    call.is(full == made ? 1 : 0, 0);
                    full = full == made ? taken + capacity : full;
                    made += free != 0;
                    break;
                case 2:
                    for (std::uint32_t i = 0; i != size; ++i)
                        many[i] = numbered<D>(made + i);
                    that(writer.write_burst({many, size}) == (size < free ? size : free));
                    call.is(full - made < size ? 1 : 0, 0);
                    full = full - made < size ? taken + capacity : full;
                    made += size < free ? size : free;
                    break;
                case 3: {
                    std::uint32_t rung = 77;
                    writer.publish(heard{&rung});
                    call.is(0, made != published ? 1 : 0);
                    that(rung == (made != published ? start + made : 77));
                    published = made;
                    break;
                }
                case 4: {
                    for (D& out : many)
                        out = numbered<D>(99);
                    const std::uint32_t there = published - taken;
                    const std::uint32_t done = reader.reap({many, size});
                    that(done == (size < there ? size : there));
                    for (std::uint32_t i = 0; i != size; ++i)
                        that(same(many[i], numbered<D>(i < done ? taken + i : 99)));
                    that(writes - call.writes_before == (done != 0 ? 1 : 0));
                    taken += done;
                    break;
                }
                }
            }
        }
        published = made; // with the writer's end
    }
}

template <class D, std::uint32_t Capacity>
void inside(std::uint32_t start) {
    dice random;
    basic_descriptor_ring<D, {.capacity = Capacity}, counting_sync> ring(start);
    drive<D>(ring, Capacity, start, random);
}

void outside() {
    using ring_type = basic_descriptor_ring<two_words, {.capacity = noria::dynamic}, counting_sync>;
    dice random;
    lent<ring_type::slot_type, 32> memory;
    for (const std::uint32_t capacity : {1u, 2u, 3u, 8u, 9u, 16u, 20u}) {
        ring_type ring({memory.slots, noria::slots_for(capacity)}, capacity, 0xffff'ffff - capacity);
        drive<two_words>(ring, capacity, 0xffff'ffff - capacity, random);
    }
}

// What an empty ring costs the reader, and a full line.
void costs() {
    basic_descriptor_ring<four_words, {.capacity = 8}, counting_sync> ring(0xffff'fffc);
    auto [writer, reader] = ring.split();
    four_words many[8];
    for (std::uint32_t i = 0; i != 8; ++i)
        many[i] = numbered<four_words>(i);
    cost call;
    that(reader.reap({many, 1}) == 0);
    call.is(1, 0);
    that(writer.write_burst({many, 8}) == 8);
    writer.publish();
    call.is(0, 1);
    that(reader.reap({many, 8}) == 8);
    call.is(8, 1);
}

} // namespace

int main() {
    that(noria::owner_at<four_words>(3, 3) == 0x8000'0000 && noria::owner_at<four_words>(4, 3) == 0);
    that(noria::owner_at<done_last>(3, 3) == 4 && noria::owner_at<done_last>(4, 3) == 4);
    inside<four_words, 4>(0xffff'fff1);
    inside<four_words, 13>(0xffff'fff0);
    outside();
    costs();
}
