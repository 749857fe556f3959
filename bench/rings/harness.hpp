// SPDX-License-Identifier: BSL-1.0
#pragma once

// The timed loops, the same for every ring. A ring comes as a class with
//
//   item_type                            descriptor or word
//   Ring(unsigned producers)
//   producer(i)  with push(item)         false where there is no room
//                     push(span)         as many as fit; optional
//                     place(n, fill)     fill(slot, i) in the ring for at most n slots, then published;
//                     optional
//   consumer()   with pop(item&)         false where there is nothing
//                     pop(span)          as many as there are; optional
//                     look(n, see)       see(slot, i) in the ring for at most n items, then released;
//                     optional
//
// The consumer runs on the first core and holds the clock; producers run on the second. A repetition is a
// stretch of time out of a running stream: the ring has been round several times when the clock starts, and
// the producer goes on until it has stopped.

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "common/machine.hpp"
#include "noria/core/cacheline.hpp"
#include "noria/core/clock.hpp"
#include "noria/core/sync.hpp"
#include "rings/item.hpp"
#include "rings/subject.hpp"

namespace bench {

// What the threads of one repetition tell each other, apart from what goes through the ring.
struct rendezvous {
    alignas(noria::thread_gap) std::atomic<bool> stop{false};
    alignas(noria::thread_gap) std::atomic<unsigned> ready{0};
    std::atomic<unsigned> finished{0};
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> preempted{0};

    [[nodiscard]] bool stopped() const noexcept { return stop.load(std::memory_order_relaxed); }
};

// The compiler may not know who else looks at a ring and its handles: without this they would live in
// registers, as they do in no program.
template <class T>
inline void escape(T& object) noexcept {
    asm volatile("" : : "r"(&object) : "memory");
}

inline void wait_a_little(bool pause) noexcept {
    if (pause)
        noria::std_sync::relax();
}

// What has come, checked. With one producer its number lives in a register.
template <class Item, bool Shared>
class ledger {
  public:
    void see(const Item& item) noexcept {
        if constexpr (Shared) {
            const std::uint32_t from = item.from() & 1;
            wrong_ |= item.differs(next_[from]++, from);
        } else {
            wrong_ |= item.differs(next_[0]++, 0);
        }
    }
    [[nodiscard]] std::uint64_t seen() const noexcept { return next_[0] + next_[1]; }
    [[nodiscard]] bool sound() const noexcept { return wrong_ == 0; }

  private:
    std::uint64_t next_[2] = {0, 0};
    std::uint64_t wrong_ = 0;
};

// ---- one step of a producer or a consumer: how many items moved, 0 where the ring said no ----

template <class Item>
struct one_at_a_time {
    static constexpr unsigned rounds = 64; // between two looks at the clock

    template <class Side>
    std::uint32_t put(Side& side, std::uint64_t next, std::uint32_t from) noexcept {
        return side.push(Item::make(next, from)) ? 1 : 0;
    }
    template <class Side>
    std::uint32_t get(Side& side, auto& book) noexcept {
        Item item;
        if (!side.pop(item))
            return 0;
        book.see(item);
        return 1;
    }
};

template <class Side, class Item>
concept pushes_bursts = requires(Side& side, std::span<const Item> items) {
    { side.push(items) } -> std::same_as<std::uint32_t>;
};

template <class Item>
struct bursts_copied {
    static constexpr unsigned rounds = 4;

    template <class Side>
    std::uint32_t put(Side& side, std::uint64_t next, std::uint32_t from) noexcept {
        if (sent_ == burst_size) {
            for (std::uint32_t i = 0; i != burst_size; ++i)
                batch_[i] = Item::make(next + i, from);
            sent_ = 0;
        }
        std::uint32_t count = 0;
        if constexpr (pushes_bursts<Side, Item>)
            count = side.push(std::span<const Item>(batch_ + sent_, burst_size - sent_));
        else
            while (sent_ + count != burst_size && side.push(batch_[sent_ + count]))
                ++count;
        sent_ += count;
        return count;
    }
    template <class Side>
    std::uint32_t get(Side& side, auto& book) noexcept {
        Item items[burst_size];
        std::uint32_t count = 0;
        if constexpr (pushes_bursts<Side, Item> || requires { side.pop(std::span<Item>(items)); })
            count = side.pop(std::span<Item>(items));
        else
            while (count != burst_size && side.pop(items[count]))
                ++count;
        for (std::uint32_t i = 0; i != count; ++i)
            book.see(items[i]);
        return count;
    }

  private:
    Item batch_[burst_size];
    std::uint32_t sent_ = burst_size;
};

template <class Item>
struct bursts_in_place {
    static constexpr unsigned rounds = 4;

    template <class Side>
    std::uint32_t put(Side& side, std::uint64_t next, std::uint32_t from) noexcept {
        return side.place(burst_size,
                          [&](Item& slot, std::uint32_t i) { slot = Item::make(next + i, from); });
    }
    template <class Side>
    std::uint32_t get(Side& side, auto& book) noexcept {
        return side.look(burst_size, [&](const Item& slot, std::uint32_t) { book.see(slot); });
    }
};

// ---- a stream from producers to the consumer ----

// Until told to stop; says how many went in.
template <class Step, class Side>
std::uint64_t produce(Side& side, const rendezvous& meet, std::uint32_t from, bool pause) {
    Step step;
    std::uint64_t next = 0;
    while (!meet.stopped())
        for (unsigned i = 0; i != Step::rounds; ++i) {
            std::uint32_t count;
            while ((count = step.put(side, next, from)) == 0) {
                if (meet.stopped())
                    return next;
                wait_a_little(pause);
            }
            next += count;
        }
    return next;
}

struct window {
    std::uint64_t ticks = 0;
    std::uint64_t items = 0;
    std::uint64_t longest_silence = 0; // ticks
};

// Takes items for so many ticks. (Not inline: it is called twice, and compiles once.)
template <bool Listen, class Step, class Side, class Book>
[[gnu::noinline]] window consume(Side& side, Step& step, Book& book, std::uint64_t ticks, bool pause) {
    constexpr unsigned polls_to_a_look = 256;
    const noria::tick_counter clock;
    window result;
    const std::uint64_t before = book.seen();
    const std::uint64_t began = clock.now();
    std::uint64_t now = began;
    unsigned polls = 0;
    while (now - began < ticks) {
        for (unsigned i = 0; i != Step::rounds; ++i) {
            std::uint64_t silent_since = 0;
            while (step.get(side, book) == 0) {
                if constexpr (Listen)
                    if (silent_since == 0)
                        silent_since = clock.now();
                if (++polls % polls_to_a_look == 0 &&
                    clock.now() - began >= ticks) { // stuck: it must not keep us
                    if constexpr (Listen)
                        result.longest_silence = std::max(result.longest_silence, clock.now() - silent_since);
                    goto over;
                }
                wait_a_little(pause);
            }
            if constexpr (Listen)
                if (silent_since != 0 && clock.now() - silent_since > result.longest_silence)
                    result.longest_silence = clock.now() - silent_since;
        }
        now = clock.now();
    }
over:
    result.ticks = clock.now() - began;
    result.items = book.seen() - before;
    return result;
}

// What is still under way after the clock has stopped. False when it does not come.
template <class Step, class Side, class Book>
[[nodiscard]] bool take_the_rest(Side& side, Step& step, Book& book, const rendezvous& meet,
                                 unsigned producers) {
    const noria::tick_counter clock;
    const std::uint64_t patience = ticks_for(2);
    for (std::uint64_t last = clock.now(); clock.now() - last < patience;) {
        if (step.get(side, book) != 0)
            last = clock.now();
        else if (meet.finished.load(std::memory_order_acquire) == producers && // partner: finish()
                 book.seen() >= meet.sent.load(std::memory_order_relaxed))
            return book.seen() == meet.sent.load(std::memory_order_relaxed);
        else
            std::this_thread::yield(); // the producers' core may be this one
    }
    return false;
}

inline void finish(rendezvous& meet, std::uint64_t sent, std::uint64_t preempted) {
    meet.sent.fetch_add(sent, std::memory_order_relaxed);
    meet.preempted.fetch_add(preempted, std::memory_order_relaxed);
    meet.finished.fetch_add(1, std::memory_order_release); // partner: take_the_rest()
}

template <class Ring, template <class> class How, bool Shared, bool Listen = false>
sample stream(const request& asked) {
    using item = typename Ring::item_type;
    using step_type = How<item>;
    constexpr unsigned producers = Shared ? 2 : 1;
    const auto ring = std::make_unique<Ring>(producers);
    const auto meet = std::make_unique<rendezvous>();

    std::vector<std::thread> threads;
    for (unsigned i = 0; i != producers; ++i)
        threads.emplace_back([&, i] {
            pin(1);
            auto&& side = ring->producer(i);
            meet->ready.fetch_add(1, std::memory_order_release); // partner: the load below
            if constexpr (Shared) {
                // Priority would let the first run until the second is not needed any more. And producers on
                // one core are preempted: that is what they are there for.
                finish(*meet, produce<step_type>(side, *meet, i, asked.pause), 0);
            } else {
                const real_time now;
                const std::uint64_t before = preemptions();
                const std::uint64_t sent = produce<step_type>(side, *meet, i, asked.pause);
                finish(*meet, sent, preemptions() - before);
            }
        });

    escape(*ring);
    auto&& side = ring->consumer();
    step_type step;
    ledger<item, Shared> book;
    while (meet->ready.load(std::memory_order_acquire) != producers) // partner: the addition above
        std::this_thread::yield();
    window timed;
    std::uint64_t preempted = 0;
    {
        const real_time now;
        consume<false>(side, step, book, ticks_for(asked.seconds / 4), asked.pause);
        preempted = preemptions();
        timed = consume<Listen>(side, step, book, ticks_for(asked.seconds), asked.pause);
        preempted = preemptions() - preempted;
    }
    meet->stop.store(true, std::memory_order_relaxed);
    const bool all = take_the_rest(side, step, book, *meet, producers);
    for (std::thread& thread : threads)
        thread.join();
    if (!all || !book.sound())
        throw broken_transfer(all ? "items were damaged or out of order" : "items were lost or repeated");
    const double per_tick = nanoseconds_per_tick();
    const double value = Listen ? static_cast<double>(timed.longest_silence) * per_tick / 1000
                                : static_cast<double>(timed.ticks) * per_tick /
                                      static_cast<double>(timed.items == 0 ? 1 : timed.items);
    return {value, preempted + meet->preempted.load(std::memory_order_relaxed) != 0};
}

// ---- there and back ----

template <class Ring>
sample there_and_back(const request& asked) {
    using item = typename Ring::item_type;
    const auto there = std::make_unique<Ring>(1);
    const auto back = std::make_unique<Ring>(1);
    const auto meet = std::make_unique<rendezvous>();
    escape(*there);
    escape(*back);
    std::thread echo([&] {
        pin(1);
        auto&& in = there->consumer();
        auto&& out = back->producer(0);
        meet->ready.fetch_add(1, std::memory_order_release); // partner: the load below
        const real_time now;
        const std::uint64_t before = preemptions();
        item passing;
        while (!meet->stopped()) {
            if (!in.pop(passing)) {
                wait_a_little(asked.pause);
                continue;
            }
            while (!out.push(passing))
                wait_a_little(asked.pause);
        }
        finish(*meet, 0, preemptions() - before);
    });

    auto&& out = there->producer(0);
    auto&& in = back->consumer();
    ledger<item, false> book;
    const auto trip = [&] {
        while (!out.push(item::make(book.seen(), 0)))
            wait_a_little(asked.pause);
        item returned;
        while (!in.pop(returned))
            wait_a_little(asked.pause);
        book.see(returned);
    };
    while (meet->ready.load(std::memory_order_acquire) != 1) // partner: the addition above
        std::this_thread::yield();
    const noria::tick_counter clock;
    std::uint64_t ticks = 0;
    std::uint64_t trips = 0;
    std::uint64_t preempted = 0;
    {
        const real_time now;
        for (const double share : {0.25, 1.0}) { // warms up, then counts
            const std::uint64_t before = book.seen();
            preempted = preemptions();
            const std::uint64_t began = clock.now();
            do {
                for (int i = 0; i != 16; ++i)
                    trip();
                ticks = clock.now() - began;
            } while (ticks < ticks_for(asked.seconds * share));
            preempted = preemptions() - preempted;
            trips = book.seen() - before;
        }
    }
    meet->stop.store(true, std::memory_order_relaxed);
    echo.join();
    if (!book.sound())
        throw broken_transfer("items were damaged or out of order");
    return {static_cast<double>(ticks) * nanoseconds_per_tick() / static_cast<double>(trips),
            preempted + meet->preempted.load(std::memory_order_relaxed) != 0};
}

// ---- one thread ----

template <class Ring, template <class> class How>
sample alone(const request& asked) {
    using item = typename Ring::item_type;
    const auto ring = std::make_unique<Ring>(1);
    escape(*ring);
    auto&& in = ring->producer(0);
    auto&& out = ring->consumer();
    How<item> putting;
    How<item> getting;
    ledger<item, false> book;
    std::uint64_t next = 0;
    const noria::tick_counter clock;
    std::uint64_t ticks = 0;
    std::uint64_t items = 0;
    std::uint64_t preempted = 0;
    const real_time now;
    for (const double share : {0.25, 1.0}) { // warms up, then counts
        const std::uint64_t before = book.seen();
        preempted = preemptions();
        const std::uint64_t began = clock.now();
        do {
            for (unsigned i = 0; i != 4 * How<item>::rounds; ++i) {
                next += putting.put(in, next, 0);
                getting.get(out, book);
            }
            ticks = clock.now() - began;
        } while (ticks < ticks_for(asked.seconds * share));
        preempted = preemptions() - preempted;
        items = book.seen() - before;
    }
    while (book.seen() < next && getting.get(out, book) != 0) {
    }
    if (!book.sound() || book.seen() != next)
        throw broken_transfer("items were damaged, lost, repeated or out of order");
    return {static_cast<double>(ticks) * nanoseconds_per_tick() / static_cast<double>(items), preempted != 0};
}

// ---- a subject out of a ring ----

template <class Ring>
struct abilities {
    using item = typename Ring::item_type;
    static constexpr bool bursts =
        requires(Ring ring, std::span<const item> items) { ring.producer(0).push(items); };
    static constexpr bool in_place =
        requires(Ring ring) { ring.producer(0).place(burst_size, [](item&, std::uint32_t) {}); };
    static constexpr bool shared = requires { requires Ring::many_producers; };
};

template <class Ring>
sample run_ring(const request& asked) {
    switch (asked.what) {
    case work::one:
        return stream<Ring, one_at_a_time, false>(asked);
    case work::burst:
        return stream<Ring, bursts_copied, false>(asked);
    case work::in_place:
        if constexpr (abilities<Ring>::in_place)
            return stream<Ring, bursts_in_place, false>(asked);
        break;
    case work::round_trip:
        return there_and_back<Ring>(asked);
    case work::thread_one:
        return alone<Ring, one_at_a_time>(asked);
    case work::thread_burst:
        return alone<Ring, bursts_copied>(asked);
    case work::shared_one:
        if constexpr (abilities<Ring>::shared)
            return stream<Ring, one_at_a_time, true>(asked);
        break;
    case work::shared_burst:
        if constexpr (abilities<Ring>::shared)
            return stream<Ring, bursts_copied, true>(asked);
        break;
    case work::progress:
        if constexpr (abilities<Ring>::shared)
            return stream<Ring, one_at_a_time, true, true>(asked);
        break;
    }
    throw std::logic_error("this ring does not offer that");
}

template <class Ring>
[[nodiscard]] constexpr bool can(work what) {
    return what == work::in_place ? abilities<Ring>::in_place
                                  : !two_producers(what) || abilities<Ring>::shared;
}

// Fills in what the class itself says of the ring.
template <template <std::uint32_t> class Ring>
[[nodiscard]] subject subject_of(subject about) {
    using ring = Ring<64>;
    about.item_bytes = sizeof(typename ring::item_type);
    about.shared = abilities<ring>::shared;
    about.burst_is_loop = !abilities<ring>::bursts;
    for (const work what : all_works)
        if (can<ring>(what))
            about.works.push_back(what);
    about.run = [](std::uint32_t capacity, const request& asked) {
        switch (capacity) {
        case 64:
            return run_ring<Ring<64>>(asked);
        case 256:
            return run_ring<Ring<256>>(asked);
        case 1024:
            return run_ring<Ring<1024>>(asked);
        case 4096:
            return run_ring<Ring<4096>>(asked);
        default:
            throw std::logic_error("there is no ring of that capacity");
        }
    };
    return about;
}

// Rings whose two sides are one object.
template <class Self>
struct one_object {
    Self& producer(unsigned) noexcept { return static_cast<Self&>(*this); }
    Self& consumer() noexcept { return static_cast<Self&>(*this); }
};

} // namespace bench
