// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/mpsc_ring.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "mutants/check.hpp"
#include "noria/ring/burst.hpp"
#include "support/one_core.hpp"

namespace {

using namespace noria;

// 16 bytes whose halves must stay together: who made it, and its number.
struct item {
    std::uint64_t number = 0;
    std::uint64_t check = 0;

    static item of(std::uint64_t n, std::uint64_t producer = 0) {
        n |= producer << 56;
        return {n, ~n * 0x9e37'79b9};
    }
    [[nodiscard]] std::uint64_t producer() const { return number >> 56; }
    friend bool operator==(const item&, const item&) = default;
};

const std::vector<std::uint64_t> starts = {0, 0x7fff'fffe, 0xffff'ffff - 70, 0xffff'fffe,
                                           ~std::uint64_t{0} - 5};

// Random calls, up to three reservations open at once, compared with a deque: of an item, of a slot that is
// skipped, or of one that is not published yet.
template <class Ring>
void behaves_like_a_deque(Ring& ring, std::uint32_t chunk) {
    using reservation = typename Ring::producer::reservation;
    struct place {
        enum { open, filled, skipped } state;
        std::uint64_t number;
    };
    constexpr std::size_t producers = 3;
    auto roles = ring.split();
    auto& consumer = roles.consumer;
    std::deque<typename Ring::producer> producer;
    for (std::size_t i = 0; i < producers; ++i)
        producer.push_back(roles.producer);
    std::optional<reservation> token[producers];
    std::uint64_t base[producers] = {};
    const std::uint32_t capacity = ring.capacity();
    std::deque<place> model; // front: what the consumer sees next
    std::uint64_t gone = 0;  // places taken off the front
    std::uint64_t number = 0;

    const auto drop_skipped = [&] {
        while (!model.empty() && model.front().state == place::skipped) {
            model.pop_front();
            ++gone;
        }
    };
    const std::uint32_t held_back = chunk > 1 ? chunk - 1 : 0;
    const auto free_at_least = [&] {
        const auto free = static_cast<std::uint32_t>(capacity - model.size());
        return free > held_back ? free - held_back : 0;
    };
    const auto calls = *rc::gen::container<std::vector<std::pair<int, std::uint32_t>>>(
        250, rc::gen::pair(rc::gen::inRange(0, 6), rc::gen::inRange<std::uint32_t>(0, capacity + 2)));
    for (const auto& [call, size] : calls) {
        const std::size_t who = size % producers;
        const auto free = static_cast<std::uint32_t>(capacity - model.size());
        if (call == 0 && !token[who]) {
            const item pushed = item::of(number);
            const bool done = producer[who].try_push(pushed);
            RC_ASSERT(!done || free > 0);
            RC_ASSERT(done || free_at_least() == 0);
            if (done)
                model.push_back({place::filled, number++});
        } else if (call == 1 && !token[who]) {
            token[who].emplace(size % 2 == 0 ? producer[who].reserve(size)
                                             : producer[who].reserve_exact(size));
            const std::uint32_t got = token[who]->size();
            RC_ASSERT(got <= size && got <= free);
            RC_ASSERT(got == size || got == 0 || size % 2 == 0);
            RC_ASSERT(got >= (size % 2 == 0             ? std::min(size, free_at_least())
                              : size <= free_at_least() ? size
                                                        : 0));
            base[who] = gone + model.size();
            for (std::uint32_t i = 0; i < got; ++i)
                model.push_back({place::open, number + i});
            std::uint64_t n = number;
            for (auto& slot : token[who]->first())
                slot.item = item::of(n++);
            for (auto& slot : token[who]->second())
                slot.item = item::of(n++);
            number += got;
        } else if (call == 2 && token[who]) {
            const auto count = *rc::gen::inRange<std::uint32_t>(0, token[who]->size() + 1);
            for (std::uint32_t i = 0; i < token[who]->size(); ++i)
                model[base[who] + i - gone].state = i < count ? place::filled : place::skipped;
            if (count != 0)
                token[who]->commit(count);
            else if (size % 2 == 0)
                token[who]->abandon();
            token[who].reset();
        } else if (call == 3) {
            item out = item::of(~0u);
            const bool done = consumer.try_pop(out);
            drop_skipped();
            RC_ASSERT(done == (!model.empty() && model.front().state == place::filled));
            RC_ASSERT((out == (done ? item::of(model.front().number) : item::of(~0u))));
            if (done) {
                model.pop_front();
                ++gone;
            }
        } else if (call == 4 && size != 0) {
            auto seen = consumer.peek(size);
            drop_skipped();
            std::uint32_t expected = 0;
            while (expected < size && expected < model.size() && model[expected].state == place::filled)
                ++expected;
            RC_ASSERT(seen.size() == expected);
            std::size_t at = 0;
            for (auto& slot : seen.first())
                RC_ASSERT(slot.item == item::of(model[at++].number));
            for (auto& slot : seen.second())
                RC_ASSERT(slot.item == item::of(model[at++].number));
            const auto released = *rc::gen::inRange<std::uint32_t>(0, expected + 1);
            seen.release(released);
            model.erase(model.begin(), model.begin() + released);
            gone += released;
        }
    }
}

template <std::uint32_t Capacity>
void ring_behaves() {
    EXPECT_TRUE(rc::check([] {
        mpsc_ring<item, {.capacity = Capacity}> ring(*rc::gen::elementOf(starts));
        behaves_like_a_deque(ring, Capacity / 8);
    }));
}

TEST(mpsc_ring, behaves_like_a_deque_with_holes) {
    ring_behaves<1>();
    ring_behaves<2>();
    ring_behaves<3>();
    ring_behaves<64>();
    ring_behaves<100>();
}

TEST(mpsc_ring, behaves_like_a_deque_in_lent_slots) {
    EXPECT_TRUE(rc::check([] {
        using ring_type = mpsc_ring<item, {.capacity = dynamic, .return_chunk = 1}>;
        const auto capacity = *rc::gen::inRange<std::uint32_t>(1, 100);
        std::vector<ring_type::slot_type> slots(slots_for(capacity));
        ring_type ring(slots, capacity, *rc::gen::elementOf(starts));
        RC_ASSERT(ring.capacity() == capacity);
        behaves_like_a_deque(ring, 1);
    }));
}

// Not by refusing everything: an empty ring takes exactly its capacity, lap after lap, one by one and at
// once.
template <std::uint32_t Capacity>
void holds_exactly(std::uint64_t start) {
    mpsc_ring<item, {.capacity = Capacity}> ring(start);
    auto [first, consumer] = ring.split();
    auto second = first;
    std::uint64_t in = 0, out = 0;
    for (int lap = 0; lap < 5; ++lap) {
        if (lap % 2 == 0) {
            for (std::uint32_t i = 0; i < Capacity; ++i)
                ASSERT_TRUE((i % 2 == 0 ? first : second).try_push(item::of(in++)));
        } else {
            std::vector<item> all;
            for (std::uint32_t i = 0; i < Capacity; ++i)
                all.push_back(item::of(in++));
            ASSERT_TRUE(push_bulk(second, std::span<const item>(all)));
        }
        ASSERT_FALSE(first.try_push(item::of(0)));
        ASSERT_EQ(second.reserve(1).size(), 0u);
        item popped;
        for (std::uint32_t i = 0; i < Capacity; ++i) {
            ASSERT_TRUE(consumer.try_pop(popped));
            ASSERT_EQ(popped, item::of(out++));
        }
        ASSERT_FALSE(consumer.try_pop(popped)); // with which all of the room is home
    }
}

TEST(mpsc_ring, holds_exactly_its_capacity) {
    for (const std::uint64_t start : starts) {
        holds_exactly<1>(start);
        holds_exactly<2>(start);
        holds_exactly<3>(start);
        holds_exactly<64>(start);
        holds_exactly<1000>(start);
    }
}

// Nor does it touch the line that all producers fight for.
// What does not fit as a whole claims nothing: no slot is lost to it.
TEST(mpsc_ring, a_bulk_that_does_not_fit_costs_no_room) {
    mpsc_ring<item, {.capacity = 8}> ring;
    auto [producer, consumer] = ring.split();
    std::vector<item> items(6);
    ASSERT_TRUE(push_bulk(producer, std::span<const item>(items.data(), 4)));
    for (int again = 0; again != 3; ++again)
        ASSERT_FALSE(push_bulk(producer, std::span<const item>(items)));
    ASSERT_TRUE(push_bulk(producer, std::span<const item>(items.data(), 4)));
    item out;
    for (int i = 0; i != 8; ++i)
        ASSERT_TRUE(consumer.try_pop(out));
    ASSERT_FALSE(consumer.try_pop(out));
}

// A consumer that asks for more than there is gives back all that it has taken.
TEST(mpsc_ring, a_short_peek_holds_nothing_back) {
    mpsc_ring<item, {.capacity = 64}> ring;
    auto [producer, consumer] = ring.split();
    std::vector<item> items(63);
    ASSERT_TRUE(push_bulk(producer, std::span<const item>(items)));
    for (int i = 0; i != 6; ++i)
        consumer.peek(1).release(1);
    {
        auto rest = consumer.peek(64);
        ASSERT_EQ(rest.size(), 57u);
    }
    ASSERT_TRUE(push_bulk(producer, std::span<const item>(items.data(), 7)));
}

TEST(mpsc_ring, a_reservation_that_finds_nothing_writes_nothing) {
    basic_mpsc_ring<item, {.capacity = 2}, check::counting_sync> ring(0xffff'ffff);
    auto [producer, consumer] = ring.split();
    ASSERT_TRUE(producer.try_push(item::of(0)) && producer.try_push(item::of(1)));
    const std::uint64_t before = check::writes;
    EXPECT_EQ(producer.reserve(2).size(), 0u);
    EXPECT_EQ(producer.reserve_exact(1).size(), 0u);
    EXPECT_FALSE(producer.try_push(item::of(2)));
    EXPECT_EQ(check::writes, before);
}

TEST(mpsc_ring, a_hole_holds_up_only_what_lies_behind_it) {
    mpsc_ring<item, {.capacity = 8}> ring(0xffff'fffc);
    auto [slow, consumer] = ring.split();
    auto fast = slow;
    for (std::uint64_t lap = 0; lap < 6; ++lap) {
        ASSERT_TRUE(fast.try_push(item::of(0, 1)));
        ASSERT_TRUE(fast.try_push(item::of(1, 1)));
        auto hole = slow.reserve(2);
        ASSERT_EQ(hole.size(), 2u);
        for (std::uint64_t i = 2; i < 6; ++i)
            ASSERT_TRUE(fast.try_push(item::of(i, 1)));
        ASSERT_FALSE(fast.try_push(item::of(6, 1))); // the ring is full behind the hole
        item out;
        for (std::uint64_t i = 0; i < 2; ++i) {
            ASSERT_TRUE(consumer.try_pop(out));
            ASSERT_EQ(out, item::of(i, 1));
        }
        ASSERT_FALSE(consumer.try_pop(out));
        ASSERT_TRUE(fast.try_push(item::of(6, 1))); // what lay before it is free again
        if (lap % 3 == 0) {
            hole.abandon();
        } else {
            hole.first()[0].item = item::of(lap, 2);
            hole.commit(1);
            ASSERT_TRUE(consumer.try_pop(out));
            ASSERT_EQ(out, item::of(lap, 2));
        }
        for (std::uint64_t i = 2; i < 7; ++i) {
            ASSERT_TRUE(consumer.try_pop(out));
            ASSERT_EQ(out, item::of(i, 1));
        }
        ASSERT_FALSE(consumer.try_pop(out));
    }
}

TEST(mpsc_ring, a_burst_is_seen_whole_or_not_at_all) {
    mpsc_ring<item, {.capacity = 4}> ring(0xffff'ffff);
    auto [producer, consumer] = ring.split();
    for (std::uint64_t round = 0; round < 5; ++round) {
        auto token = producer.reserve(3);
        for (auto& slot : token.first())
            slot.item = item::of(round);
        for (auto& slot : token.second())
            slot.item = item::of(round);
        ASSERT_EQ(consumer.peek(4).size(), 0u);
        token.commit(3);
        auto seen = consumer.peek(4);
        ASSERT_EQ(seen.size(), 3u);
        seen.release(3);
    }
}

TEST(mpsc_ring, bursts_carry_contents) {
    mpsc_ring<item, {.capacity = 10}> ring(0xffff'fffa);
    auto [producer, consumer] = ring.split();
    std::uint64_t in = 0, out = 0;
    for (int round = 0; round < 20; ++round) {
        std::vector<item> items(static_cast<std::size_t>(round % 7 + 1));
        for (auto& i : items)
            i = item::of(in++);
        ASSERT_EQ(push_burst(producer, std::span<const item>(items)), items.size());
        if (round % 2 == 0) {
            std::vector<item> popped(12);
            const std::uint32_t count = pop_burst(consumer, std::span<item>(popped));
            ASSERT_EQ(count, items.size());
            for (std::uint32_t i = 0; i < count; ++i)
                ASSERT_EQ(popped[i], item::of(out++));
        } else {
            const std::uint32_t count =
                drain(consumer, [&](item& i) noexcept { EXPECT_EQ(i, item::of(out++)); }, 12);
            ASSERT_EQ(count, items.size());
        }
    }
}

TEST(mpsc_ring, carries_on_after_a_new_split) {
    mpsc_ring<int, {.capacity = 16}> ring(0xffff'fff0);
    int next_in = 0, next_out = 0;
    for (int round = 0; round < 20; ++round) {
        auto [producer, consumer] = ring.split();
        while (producer.try_push(next_in))
            ++next_in;
        for (int i = 0; i < 5; ++i) {
            int out = -1;
            ASSERT_TRUE(consumer.try_pop(out));
            ASSERT_EQ(out, next_out++);
        }
    }
    EXPECT_EQ(next_in, next_out + 11); // what a consumer held back came home with it
}

// Counts its own lives; can be moved, not copied, and cannot be made from nothing.
struct counted {
    static inline int alive = 0;
    std::unique_ptr<int> value;

    explicit counted(int v) noexcept : value(new int(v)) { ++alive; }
    counted(counted&& other) noexcept : value(std::move(other.value)) { ++alive; }
    counted& operator=(counted&&) noexcept = default;
    ~counted() { --alive; }
};

TEST(mpsc_ring, keeps_a_move_only_element_that_does_not_fit) {
    mpsc_ring<counted, {.capacity = 2}> ring;
    auto [producer, consumer] = ring.split();
    ASSERT_TRUE(producer.try_push(counted(0)));
    ASSERT_TRUE(producer.try_push(counted(1)));
    counted third(2);
    EXPECT_FALSE(producer.try_push(std::move(third)));
    ASSERT_NE(third.value, nullptr);
    EXPECT_EQ(*third.value, 2);
    counted out(-1);
    ASSERT_TRUE(consumer.try_pop(out));
    EXPECT_EQ(*out.value, 0);
    EXPECT_TRUE(producer.try_push(std::move(third)));
    EXPECT_EQ(third.value, nullptr);
}

TEST(mpsc_ring, destroys_every_element_once) {
    counted::alive = 0;
    {
        mpsc_ring<counted, {.capacity = 10}> ring(0xffff'fffb);
        auto [producer, consumer] = ring.split();
        auto room = producer.reserve(8);
        ASSERT_EQ(room.size(), 8u);
        for (int i = 0; i < 5; ++i)
            room.first()[static_cast<std::size_t>(i)].item.construct(i);
        room.commit(5);
        EXPECT_EQ(counted::alive, 5);
        int expected = 0;
        EXPECT_EQ(consume(consumer, 2, [&](counted& c) noexcept { EXPECT_EQ(*c.value, expected++); }), 2u);
        EXPECT_EQ(counted::alive, 3);
        ASSERT_TRUE(producer.try_push(counted(5)));
        EXPECT_EQ(counted::alive, 4);
    }
    EXPECT_EQ(counted::alive, 0);
}

// What ring_element asks for, and nothing more: no assignment, so it is taken out in place.
struct element_archetype {
    explicit element_archetype(int) noexcept {}
    element_archetype(element_archetype&&) noexcept {}
    element_archetype& operator=(element_archetype&&) = delete;
    ~element_archetype() {}
};

TEST(mpsc_ring, carries_the_archetype) {
    mpsc_ring<element_archetype, {.capacity = 2}> ring;
    auto [producer, consumer] = ring.split();
    ASSERT_TRUE(producer.try_push(element_archetype(1)));
    auto room = producer.reserve_exact(1);
    room.first()[0].item.construct(2);
    room.commit(1);
    auto seen = consumer.peek(2);
    EXPECT_EQ(seen.size(), 2u);
    seen.release(2);
}

using plain_ring = mpsc_ring<item, {.capacity = 8}>;
using archetype_ring = mpsc_ring<element_archetype, {.capacity = 8}>;
static_assert(burst_producer<plain_ring::producer> && burst_consumer<plain_ring::consumer>);
static_assert(burst_producer<archetype_ring::producer> && burst_consumer<archetype_ring::consumer>);
static_assert(std::is_nothrow_copy_constructible_v<plain_ring::producer>);
static_assert(std::is_nothrow_move_constructible_v<plain_ring::consumer> &&
              !std::is_copy_constructible_v<plain_ring::consumer>);
static_assert(!std::is_copy_constructible_v<plain_ring> && !std::is_move_constructible_v<plain_ring>);
// An item and its mark lie in one line.
static_assert(sizeof(plain_ring::slot_type) == 32 && alignof(plain_ring::slot_type) == 32);
static_assert(sizeof(mpsc_ring<std::uint64_t, {.capacity = 8}>::slot_type) == 16);

// Producers on threads, every content checked, the order of each as well. One abandons now and then. Not a
// proof of the orders (x86 hides most mistakes): the explorer is for that.
template <std::uint32_t Capacity>
void crosses_threads() {
    constexpr std::uint64_t producers = 3, each = 20'000;
    mpsc_ring<item, {.capacity = Capacity}> ring(0xffff'ffff - 1000);
    auto roles = ring.split();
    std::vector<std::thread> threads;
    for (std::uint64_t me = 0; me < producers; ++me)
        threads.emplace_back([producer = roles.producer, me]() mutable {
            for (std::uint64_t next = 0; next < each;) {
                std::uint32_t count = 0;
                if (next % 7 < 3) {
                    count = producer.try_push(item::of(next, me)) ? 1 : 0;
                } else {
                    auto token = producer.reserve(
                        static_cast<std::uint32_t>(std::min<std::uint64_t>(next % 20 + 1, each - next)));
                    std::uint64_t number = next;
                    for (auto& slot : token.first())
                        slot.item = item::of(number++, me);
                    for (auto& slot : token.second())
                        slot.item = item::of(number++, me);
                    count = token.size() - (token.size() > 3 ? 1 : 0);
                    token.commit(count);
                }
                next += count;
                if (count == 0)
                    std::this_thread::yield();
            }
        });
    std::uint64_t next[producers] = {}, wrong = 0;
    const auto check = [&](const item& seen) noexcept {
        const std::uint64_t who = seen.producer();
        wrong += who >= producers || seen != item::of(next[who]++, who) ? 1u : 0u;
    };
    for (std::uint64_t seen = 0; seen < producers * each;) {
        item out;
        std::uint32_t count = 0;
        if (seen % 5 < 2) {
            count = roles.consumer.try_pop(out) ? 1 : 0;
            if (count != 0)
                check(out);
        } else {
            count = consume(roles.consumer, static_cast<std::uint32_t>(seen % 33 + 1),
                            [&](item& i) noexcept { check(i); });
        }
        seen += count;
        if (count == 0)
            std::this_thread::yield();
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(wrong, 0u);
    item out;
    EXPECT_FALSE(roles.consumer.try_pop(out));
}

TEST(mpsc_ring, crosses_threads) {
    crosses_threads<1>();
    crosses_threads<3>();
    crosses_threads<64>();
    crosses_threads<1000>();
}

// A producer stopped between claim and publication, as by a scheduler: others go on until the ring is full.
TEST(mpsc_ring, others_go_on_while_a_producer_is_preempted) {
    mpsc_ring<item, {.capacity = 64}> ring(0xffff'ffe0);
    auto roles = ring.split();
    for (int round = 0; round < 20; ++round) {
        std::atomic<int> step{0};
        std::thread preempted([&, producer = roles.producer]() mutable {
            ASSERT_TRUE(producer.try_push(item::of(0, 1)));
            auto token = producer.reserve(1);
            step.store(1, std::memory_order_release);
            while (step.load(std::memory_order_acquire) != 2)
                std::this_thread::yield();
            token.first()[0].item = item::of(1, 1);
            token.commit(1);
        });
        while (step.load(std::memory_order_acquire) != 1)
            std::this_thread::yield();
        std::uint64_t pushed = 0;
        while (roles.producer.try_push(item::of(pushed, 2)))
            ++pushed;
        EXPECT_EQ(pushed, 62u);
        item out;
        EXPECT_TRUE(roles.consumer.try_pop(out) && out == item::of(0, 1));
        EXPECT_FALSE(roles.consumer.try_pop(out));
        step.store(2, std::memory_order_release);
        preempted.join();
        EXPECT_TRUE(roles.consumer.try_pop(out) && out == item::of(1, 1));
        for (std::uint64_t i = 0; i < pushed; ++i)
            EXPECT_TRUE(roles.consumer.try_pop(out) && out == item::of(i, 2));
        EXPECT_FALSE(roles.consumer.try_pop(out));
    }
}

// The same with the scheduler's own hand: producers on one core, one of which is stopped anywhere at all.
TEST(mpsc_ring, producers_on_one_core_form_no_convoy) {
    const auto cores = two_cores();
    if (!cores)
        GTEST_SKIP() << "needs two cores";
    const auto ring = std::make_unique<mpsc_ring<item, {.capacity = one_core::room}>>(0xffff'ffff);
    auto [producer, consumer] = ring->split();
    auto another = producer;
    one_core::expect_no_convoy<item>(*cores, producer, another, consumer);
}

// A reservation stays open until the other producer, who has to share the core with one that never yields,
// has pushed all that the ring holds beside it.
TEST(mpsc_ring, a_reservation_on_the_same_core_stops_nobody) {
    const auto cores = two_cores();
    if (!cores)
        GTEST_SKIP() << "needs two cores";
    constexpr std::uint64_t capacity = 64, rounds = 5;
    mpsc_ring<item, {.capacity = capacity}> ring(0xffff'ffc0);
    auto roles = ring.split();
    std::atomic<std::uint64_t> opened{0}, refused{0}, tried{0}, taken{0}, wrong{0};
    std::thread holder([&, producer = roles.producer]() mutable {
        stay_on(cores->first);
        for (std::uint64_t round = 0; round < rounds; ++round) {
            while (taken.load(std::memory_order_acquire) < round * capacity) {
            }
            auto token = producer.reserve(1);
            wrong += token.size() != 1;
            opened.store(round + 1, std::memory_order_release);
            while (tried.load(std::memory_order_acquire) < (round + 1) * (capacity - 1)) {
            }
            if (token.size() != 0)
                token.first()[0].item = item::of(round, 1);
            token.commit(token.size());
        }
    });
    std::thread other([&, producer = roles.producer]() mutable {
        stay_on(cores->first);
        for (std::uint64_t round = 0; round < rounds; ++round) {
            while (opened.load(std::memory_order_acquire) <= round) {
            }
            for (std::uint64_t i = 1; i < capacity; ++i) {
                refused += !producer.try_push(item::of(round * capacity + i, 2));
                tried.fetch_add(1, std::memory_order_release);
            }
        }
    });
    std::thread consumer([&] {
        stay_on(cores->second);
        for (std::uint64_t seen = 0; seen < rounds * capacity - refused.load(std::memory_order_relaxed);) {
            item out;
            if (!roles.consumer.try_pop(out)) {
                taken.store(seen, std::memory_order_release); // the slots are home, too
                std::this_thread::yield();
                continue;
            }
            wrong += out != (seen % capacity == 0 ? item::of(seen / capacity, 1) : item::of(seen, 2));
            ++seen;
        }
    });
    holder.join();
    other.join();
    consumer.join();
    EXPECT_EQ(refused.load(), 0u);
    EXPECT_EQ(wrong.load(), 0u);
}

TEST(mpsc_ring_contract, is_watched_in_checked_mode) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "death tests fork, which the thread sanitizer does not like";
#endif
    if (!checked_mode)
        GTEST_SKIP() << "contracts are not checked in this build";
    plain_ring ring;
    {
        auto [producer, consumer] = ring.split();
        EXPECT_DEATH((void)ring.split(), "one consumer, and producers copied from one");
        auto other = producer;
        {
            auto token = producer.reserve(1);
            EXPECT_DEATH((void)producer.try_push(item{}), "token of this role is open");
            EXPECT_DEATH(auto second = producer.reserve(1), "token of this role is open");
            EXPECT_DEATH(token.commit(2), "no more can be finished");
            EXPECT_TRUE(other.try_push(item{})); // another producer is free to go on
            EXPECT_EQ(consumer.peek(1).size(), 0u);
        }
        auto token = consumer.peek(1);
        EXPECT_DEATH(auto second = consumer.peek(1), "token of this role is open");
    }
    EXPECT_DEATH(
        {
            auto* early = new plain_ring;
            auto roles = early->split();
            delete early;
        },
        "outlives");
}

} // namespace
