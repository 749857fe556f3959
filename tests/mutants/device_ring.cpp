// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/device_ring.hpp"

#include "mutants/descriptors.hpp"

namespace {

using namespace check;
using noria::basic_device_ring;

struct heard {
    std::uint32_t* tail;
    void ring(std::uint32_t at) const noexcept { *tail = at; }
};

// What the device makes of a post.
template <class D>
D answered(std::uint64_t number) {
    D d = numbered<D>(number);
    d.number += 1000;
    d.word ^= 0x300;
    return d;
}

// Random calls against numbers.
template <class D, std::uint32_t Every>
void drive(auto& ring, std::uint32_t capacity, std::uint32_t start, dice& random) {
    that(ring.capacity() == capacity);
    std::uint32_t made = 0, published = 0, fetched = 0, completed = 0, reported = 0, taken = 0;
    for (int pair = 0; pair != 6; ++pair) {
        {
            auto roles = ring.split();
            auto driver = std::move(roles.driver);
            auto device = std::move(roles.device);
            bool written[64]{};
            for (int calls = 0; calls != 200; ++calls) {
                const std::uint32_t free = capacity - (made - taken);
                const std::uint32_t size = random.below(capacity + 3);
                D many[32];
                cost call;
                that(driver.space() == free);
                switch (random.below(7)) {
                case 0:
                    that(driver.post(numbered<D>(made)) == (free != 0));
                    call.is(0, 0);
                    made += free != 0;
                    break;
                case 1:
                    for (std::uint32_t i = 0; i != size; ++i)
                        many[i] = numbered<D>(made + i);
                    that(driver.post_burst({many, size}) == (size < free ? size : free));
                    call.is(0, 0);
                    made += size < free ? size : free;
                    break;
                case 2: {
                    std::uint32_t rung = 77;
                    driver.publish(heard{&rung});
                    call.is(0, made != published ? 1 : 0);
                    that(rung == (made != published ? start + made : 77));
                    published = made;
                    break;
                }
                case 3: {
                    const std::uint32_t there = published - fetched;
                    const std::uint32_t done = device.fetch({many, size});
                    that(done == (size < there ? size : there));
                    for (std::uint32_t i = 0; i != done; ++i)
                        that(same(many[i], numbered<D>(fetched + i)));
                    fetched += done;
                    call = cost{};
                    break;
                }
                case 4:
                    if (completed != fetched) {
                        device.complete(answered<D>(completed));
                        const bool due = completed + 1 - reported == Every;
                        written[completed++ % 64] = due;
                        call.is(0, due ? 1 : 0);
                        reported = due ? completed : reported;
                    }
                    break;
                case 5:
                    if (random.below(4) == 0) {
                        device.report();
                        call.is(0, completed != reported ? 1 : 0);
                        if (completed != reported)
                            written[(completed - 1) % 64] = true;
                        reported = completed;
                    }
                    break;
                case 6: {
                    for (D& out : many)
                        out = numbered<D>(99);
                    const std::uint32_t there = reported - taken;
                    const std::uint32_t done = driver.reap({many, size});
                    that(done == (size < there ? size : there));
                    for (std::uint32_t i = 0; i != size; ++i)
                        that(same(many[i], i >= done                   ? numbered<D>(99)
                                           : written[(taken + i) % 64] ? answered<D>(taken + i)
                                                                       : numbered<D>(taken + i)));
                    that(writes == call.writes_before);
                    taken += done;
                    break;
                }
                }
            }
        }
        published = made;     // with the driver's end
        reported = completed; // with the device's end
        fetched = completed;  // what was fetched and not completed is fetched again
        D many[32];
        taken += ring.split().driver.reap(many);
        that(taken == reported);
    }
}

template <class D, noria::device_ring_options Options>
void inside(std::uint32_t start) {
    dice random;
    basic_device_ring<D, Options, counting_sync> ring(start);
    drive<D, Options.report_every>(ring, Options.capacity, start, random);
}

void outside() {
    using ring_type = basic_device_ring<two_words, {.capacity = noria::dynamic}, counting_sync>;
    dice random;
    lent<ring_type::slot_type, 16> memory;
    for (const std::uint32_t capacity : {1u, 2u, 3u, 8u, 9u, 16u}) {
        ring_type ring({memory.slots, noria::slots_for(capacity)}, capacity, 0xffff'ffff - capacity);
        that(ring.slots() == memory.slots);
        drive<two_words, 1>(ring, capacity, 0xffff'ffff - capacity, random);
    }
}

// What each poll has to look at.
void costs() {
    basic_device_ring<done_last, {.capacity = 8, .report_every = 3}, counting_sync> ring(0xffff'fffd);
    auto [driver, device] = ring.split();
    done_last many[8];
    cost call;
    that(driver.reap(many) == 0 && device.fetch(many) == 0);
    call.is(1, 0); // the tail
    for (std::uint32_t i = 0; i != 8; ++i)
        that(driver.post(numbered<done_last>(i)));
    that(driver.reap(many) == 0);
    call.is(0, 0); // not published: no bit is worth a look
    driver.publish();
    call.is(0, 1);
    that(driver.reap(many) == 0);
    call.is(3, 0); // as many as one report may be on
    that(device.fetch({many, 5}) == 5);
    call.is(1, 0);
    that(device.fetch({many, 4}) == 3);
    call.is(1, 0);
    for (std::uint32_t i = 0; i != 8; ++i)
        device.complete(numbered<done_last>(i));
    call.is(0, 2);
    that(driver.reap({many, 2}) == 2);
    call.is(1, 0);
    that(driver.reap(many) == 4); // the rest of the first report, the second, and nothing
    call.is(1 + 2, 0);
    device.report();
    call.is(0, 1);
    that(driver.reap(many) == 2);
    call.is(1, 0);
}

} // namespace

int main() {
    inside<four_words, {.capacity = 4}>(0xffff'fff1);
    inside<done_last, {.capacity = 7, .report_every = 3}>(0xffff'fff0);
    inside<done_last, {.capacity = 5, .report_every = 2}>(0xffff'fff0);
    inside<done_last, {.capacity = 9}>(0xffff'fff0);
    outside();
    costs();
}
