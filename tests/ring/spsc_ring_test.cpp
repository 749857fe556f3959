// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/burst.hpp"
#include "noria/ring/spsc_ring.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace noria;

// 16 bytes whose halves must stay together.
struct item {
    std::uint64_t number = 0;
    std::uint64_t check = 0;

    static item of(std::uint64_t n) { return {n, ~n * 0x9e37'79b9}; }
    friend bool operator==(const item&, const item&) = default;
};

// A policy that behaves as the machine's own and takes notes; its cells are a type of their own, as a model
// checker's are.
struct noting_sync {
    static inline int stores = 0;
    static inline std::vector<const void*> prefetched;

    template <class T>
    class atomic {
      public:
        explicit atomic(T value) noexcept : value_(value) {}
        T load(std::memory_order order) const noexcept { return value_.load(order); }
        void store(T value, std::memory_order order) noexcept {
            ++stores;
            value_.store(value, order);
        }
        T exchange(T value, std::memory_order order) noexcept { return value_.exchange(value, order); }
        T fetch_add(T value, std::memory_order order) noexcept { return value_.fetch_add(value, order); }
        T fetch_sub(T value, std::memory_order order) noexcept { return value_.fetch_sub(value, order); }
        T fetch_or(T bits, std::memory_order order) noexcept { return value_.fetch_or(bits, order); }
        T fetch_and(T bits, std::memory_order order) noexcept { return value_.fetch_and(bits, order); }

      private:
        std::atomic<T> value_;
    };
    template <class T>
    class cell {
      private:
        friend noting_sync;
        T value_{};
    };
    template <class T>
    static void read(const cell<T>& from, T& to) noexcept {
        to = from.value_;
    }
    template <class T>
    static void write(cell<T>& to, const T& from) noexcept {
        to.value_ = from;
    }
    static void prefetch_read(const void*) noexcept {}
    static void prefetch_write(const void* address) noexcept { prefetched.push_back(address); }
};

const std::vector<std::uint32_t> starts = {0, 0x7fff'fffe, 0xffff'ffff - 70, 0xffff'fffe, 0xffff'ffff};

// Random calls on both sides, one after another, compared with a deque. `chunk` is what the consumer may hold
// back.
template <class Ring>
void behaves_like_a_deque(Ring& ring, std::uint32_t chunk) {
    using sync = typename Ring::producer::sync_type;
    auto [producer, consumer] = ring.split();
    const std::uint32_t capacity = ring.capacity();
    const std::uint32_t held_back = chunk > 1 ? chunk - 1 : 0;
    std::deque<item> model;
    std::uint64_t next = 0;

    const auto sizes = rc::gen::weightedOneOf<std::uint32_t>({
        {3, rc::gen::inRange<std::uint32_t>(0, 6)},
        {2, rc::gen::inRange<std::uint32_t>(0, capacity + 2)},
        {1, rc::gen::elementOf(std::vector<std::uint32_t>{capacity, 0xffff'ffff})},
    });
    const auto calls = *rc::gen::container<std::vector<std::pair<int, std::uint32_t>>>(
        200, rc::gen::pair(rc::gen::inRange(0, 5), sizes));
    for (const auto& [call, size] : calls) {
        const auto free = static_cast<std::uint32_t>(capacity - model.size());
        const std::uint32_t sure = free > held_back ? free - held_back : 0;
        if (call == 0) {
            const item pushed = item::of(next);
            const bool done = producer.try_push(pushed);
            RC_ASSERT((done ? free > 0 : sure == 0));
            if (done)
                model.push_back(item::of(next++));
        } else if (call == 1 || call == 2) {
            auto token = call == 1 ? producer.reserve(size) : producer.reserve_exact(size);
            RC_ASSERT(token.size() <= std::min(size, free));
            if (call == 1)
                RC_ASSERT(token.size() >= std::min(size, sure));
            else
                RC_ASSERT((token.size() == size || (token.size() == 0 && size > sure)));
            std::uint64_t number = next;
            for (auto& slot : token.first())
                sync::write(slot, item::of(number++));
            for (auto& slot : token.second())
                sync::write(slot, item::of(number++));
            const auto committed = *rc::gen::inRange<std::uint32_t>(0, token.size() + 1);
            token.commit(committed);
            for (std::uint32_t i = 0; i < committed; ++i)
                model.push_back(item::of(next++));
        } else if (call == 3) {
            item out = item::of(~0u);
            const bool done = consumer.try_pop(out);
            RC_ASSERT(done == !model.empty());
            RC_ASSERT((out == (done ? model.front() : item::of(~0u))));
            if (done)
                model.pop_front();
        } else {
            auto token = consumer.peek(size);
            RC_ASSERT(token.size() == std::min<std::size_t>(size, model.size()));
            std::size_t at = 0;
            item seen;
            for (auto& slot : token.first()) {
                sync::read(slot, seen);
                RC_ASSERT(seen == model[at++]);
            }
            for (auto& slot : token.second()) {
                sync::read(slot, seen);
                RC_ASSERT(seen == model[at++]);
            }
            const auto released = *rc::gen::inRange<std::uint32_t>(0, token.size() + 1);
            token.release(released);
            model.erase(model.begin(), model.begin() + released);
        }
    }
}

template <std::uint32_t Capacity>
void static_ring_behaves() {
    EXPECT_TRUE(rc::check([] {
        basic_spsc_ring<item, {.capacity = Capacity}> ring(*rc::gen::elementOf(starts));
        behaves_like_a_deque(ring, Capacity / 8);
    }));
    EXPECT_TRUE(rc::check([] {
        basic_spsc_ring<item, {.capacity = Capacity, .return_chunk = 1, .same_core = true}, noting_sync> ring(
            *rc::gen::elementOf(starts));
        behaves_like_a_deque(ring, 1);
    }));
}

TEST(spsc_ring, behaves_like_a_deque) {
    static_ring_behaves<1>();
    static_ring_behaves<2>();
    static_ring_behaves<3>();
    static_ring_behaves<64>();
    static_ring_behaves<1000>();
}

TEST(spsc_ring, behaves_like_a_deque_in_lent_slots) {
    EXPECT_TRUE(rc::check([] {
        const auto capacity = *rc::gen::inRange<std::uint32_t>(1, 200);
        std::vector<item> slots(slots_for(capacity));
        spsc_ring<item, {.capacity = dynamic}> ring(slots, capacity, *rc::gen::elementOf(starts));
        RC_ASSERT(ring.capacity() == capacity);
        behaves_like_a_deque(ring, capacity / 8);
    }));
}

// Not by refusing everything: an empty ring takes exactly its capacity, lap after lap, one by one and at
// once.
template <std::uint32_t Capacity>
void holds_exactly(std::uint32_t start) {
    spsc_ring<item, {.capacity = Capacity}> ring(start);
    ASSERT_EQ(ring.capacity(), Capacity);
    auto [producer, consumer] = ring.split();
    std::uint64_t in = 0, out = 0;
    for (int lap = 0; lap < 5; ++lap) {
        if (lap % 2 == 0) {
            for (std::uint32_t i = 0; i < Capacity; ++i)
                ASSERT_TRUE(producer.try_push(item::of(in++)));
        } else {
            auto token = producer.reserve_exact(Capacity);
            ASSERT_EQ(token.size(), Capacity);
            for (auto& slot : token.first())
                slot = item::of(in++);
            for (auto& slot : token.second())
                slot = item::of(in++);
            token.commit(Capacity);
        }
        ASSERT_FALSE(producer.try_push(item::of(0)));
        ASSERT_EQ(producer.reserve(1).size(), 0u);
        item popped;
        for (std::uint32_t i = 0; i < Capacity; ++i) {
            ASSERT_TRUE(consumer.try_pop(popped));
            ASSERT_EQ(popped, item::of(out++));
        }
        ASSERT_FALSE(consumer.try_pop(popped));
        ASSERT_EQ(consumer.peek(1).size(), 0u);
    }
}

TEST(spsc_ring, holds_exactly_its_capacity) {
    for (const std::uint32_t start : starts) {
        holds_exactly<1>(start);
        holds_exactly<2>(start);
        holds_exactly<3>(start);
        holds_exactly<64>(start);
        holds_exactly<1000>(start);
    }
}

TEST(spsc_ring, a_token_dropped_changes_nothing) {
    spsc_ring<int, {.capacity = 4}> ring;
    auto [producer, consumer] = ring.split();
    {
        auto token = producer.reserve(3);
        token.first()[0] = 9;
    }
    EXPECT_EQ(consumer.peek(4).size(), 0u);
    ASSERT_TRUE(producer.try_push(7));
    {
        auto token = consumer.peek(4);
    }
    int out = 0;
    ASSERT_TRUE(consumer.try_pop(out));
    EXPECT_EQ(out, 7);
}

TEST(spsc_ring, carries_on_after_a_new_split) {
    spsc_ring<int, {.capacity = 16}> ring(0xffff'fff0);
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
    EXPECT_EQ(next_in,
              next_out + 11); // full after every push loop: what a consumer held back came home with it
}

TEST(spsc_ring, handles_move_with_what_they_know) {
    spsc_ring<int, {.capacity = 2}> ring;
    auto [producer, consumer] = ring.split();
    ASSERT_TRUE(producer.try_push(1));
    auto other_producer = std::move(producer);
    ASSERT_TRUE(other_producer.try_push(2));
    ASSERT_FALSE(other_producer.try_push(3));
    auto other_consumer = std::move(consumer);
    int out = 0;
    ASSERT_TRUE(other_consumer.try_pop(out));
    EXPECT_EQ(out, 1);
}

TEST(spsc_ring, publishes_once_a_burst_and_a_failed_poll_stores_nothing_shared) {
    basic_spsc_ring<item, {.capacity = 64}, noting_sync> ring;
    auto [producer, consumer] = ring.split();
    // The watch of checked mode stores its own state: twice at most a token, once a one-item call.
    const int watch = checked_mode ? 1 : 0;
    item out;
    noting_sync::stores = 0;
    ASSERT_FALSE(consumer.try_pop(out));
    EXPECT_EQ(noting_sync::stores, watch);
    {
        noting_sync::stores = 0;
        auto token = producer.reserve(64);
        token.commit(64);
        EXPECT_EQ(noting_sync::stores, 1 + 2 * watch);
    }
    noting_sync::stores = 0;
    ASSERT_FALSE(producer.try_push(item{}));
    EXPECT_EQ(noting_sync::stores, watch);

    // 64 items go home in chunks of 8, and none at all are held back after the last.
    noting_sync::stores = 0;
    for (int i = 0; i < 64; ++i)
        ASSERT_TRUE(consumer.try_pop(out));
    EXPECT_EQ(noting_sync::stores, 8 + 64 * watch);
    noting_sync::stores = 0;
    ASSERT_TRUE(producer.try_push(item{}));
    ASSERT_TRUE(consumer.try_pop(out));
    EXPECT_EQ(noting_sync::stores, 2 + 2 * watch);
}

// A consumer that waits for more than there is must not wait for slots that it holds back itself.
TEST(spsc_ring, two_sides_that_move_only_in_bulk_never_block_each_other) {
    for (const std::uint32_t taking : {2u, 3u, 61u, 64u})
        for (const std::uint32_t giving : {1u, 5u, 60u}) {
            spsc_ring<int, {.capacity = 64}> ring;
            auto [producer, consumer] = ring.split();
            std::vector<int> in(giving), out(taking);
            int given = 0, taken = 0;
            for (int round = 0; round != 1000; ++round) {
                for (int& number : in)
                    number = given + static_cast<int>(&number - in.data());
                given += push_bulk(producer, std::span<const int>(in)) ? static_cast<int>(giving) : 0;
                if (pop_bulk(consumer, std::span(out))) {
                    for (const int number : out)
                        ASSERT_EQ(number, taken++);
                } else {
                    // All that is not in the ring is free.
                    auto room = producer.reserve(64);
                    ASSERT_EQ(room.size(), 64u - static_cast<std::uint32_t>(given - taken));
                }
            }
            ASSERT_GE(taken + 64, given);
            if (taking + giving <= 64) {
                EXPECT_GE(taken, 900) << taking << " out, " << giving << " in";
            }
        }
}

TEST(spsc_ring, asks_ahead_only_for_lines_the_consumer_is_done_with) {
    EXPECT_TRUE(rc::check([] {
        using ring_type = basic_spsc_ring<item, {.capacity = 100, .write_prefetch_lines = 6}, noting_sync>;
        alignas(thread_gap) std::array<ring_type::slot_type, 128> slots;
        basic_spsc_ring<item, {.capacity = dynamic, .write_prefetch_lines = 6}, noting_sync> ring(slots, 100);
        auto [producer, consumer] = ring.split();
        std::uint32_t head = 0, tail = 0;
        for (int step = 0; step < 300; ++step) {
            noting_sync::prefetched.clear();
            const auto size = *rc::gen::inRange<std::uint32_t>(1, 20);
            const std::uint32_t before = tail;
            if (size < 4) {
                tail += producer.try_push(item{}) ? 1u : 0u;
            } else {
                auto token = producer.reserve(size);
                tail += token.size();
                token.commit(token.size());
            }
            for (const void* address : noting_sync::prefetched) {
                const auto slot = static_cast<std::uint32_t>(
                    static_cast<const ring_type::slot_type*>(address) - slots.data());
                RC_ASSERT(((slot - head) & 127) >= before - head); // not one of those that are full
            }
            auto token = consumer.peek(*rc::gen::inRange<std::uint32_t>(0, 20));
            head += token.size();
            token.release(token.size());
        }
    }));
}

TEST(spsc_ring, asks_once_for_every_line_where_there_is_room) {
    basic_spsc_ring<item, {.capacity = 1024, .write_prefetch_lines = 6}, noting_sync> ring;
    auto [producer, consumer] = ring.split();
    noting_sync::prefetched.clear();
    item out;
    for (int i = 0; i < 2000; ++i) {
        ASSERT_TRUE(producer.try_push(item{}));
        ASSERT_TRUE(consumer.try_pop(out));
        auto token = producer.reserve(2);
        token.commit(2);
        consumer.peek(2).release(2);
    }
    // 6000 items, four to a line, and the window of six lines beyond them.
    EXPECT_GE(noting_sync::prefetched.size(), 1500u + 6u);
    EXPECT_LE(noting_sync::prefetched.size(), 1500u + 6u + 1u);
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

TEST(spsc_ring, keeps_a_move_only_element_that_does_not_fit) {
    spsc_ring<counted, {.capacity = 3}> ring;
    auto [producer, consumer] = ring.split();
    for (int i = 0; i < 3; ++i)
        ASSERT_TRUE(producer.try_push(counted(i)));
    counted fourth(3);
    EXPECT_FALSE(producer.try_push(std::move(fourth)));
    ASSERT_NE(fourth.value, nullptr);
    EXPECT_EQ(*fourth.value, 3);
    counted out(-1);
    ASSERT_TRUE(consumer.try_pop(out));
    EXPECT_EQ(*out.value, 0);
    EXPECT_TRUE(producer.try_push(std::move(fourth)));
    EXPECT_EQ(fourth.value, nullptr);
}

TEST(spsc_ring, destroys_every_element_once) {
    counted::alive = 0;
    {
        spsc_ring<counted, {.capacity = 100}> ring(0xffff'fff0);
        {
            auto [producer, consumer] = ring.split();
            auto room = producer.reserve(100);
            int next = 0;
            for (auto& slot : room.first())
                slot.construct(next++);
            for (auto& slot : room.second())
                slot.construct(next++);
            room.commit(100);
            EXPECT_EQ(counted::alive, 100);
            {
                counted out(-1);
                ASSERT_TRUE(consumer.try_pop(out));
                EXPECT_EQ(*out.value, 0);
            }
            EXPECT_EQ(counted::alive, 99);
            auto seen = consumer.peek(30);
            EXPECT_EQ(*seen.first()[0].value.value, 1);
            seen.release(4);
            EXPECT_EQ(counted::alive, 95);
        }
        auto [producer, consumer] = ring.split();
        auto seen = consumer.peek(1); // the five gone before are not seen again
        EXPECT_EQ(*seen.first()[0].value.value, 5);
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

TEST(spsc_ring, carries_the_archetype) {
    spsc_ring<element_archetype, {.capacity = 2}> ring;
    auto [producer, consumer] = ring.split();
    ASSERT_TRUE(producer.try_push(element_archetype(1)));
    auto room = producer.reserve_exact(1);
    room.first()[0].construct(2);
    room.commit(1);
    auto seen = consumer.peek(2);
    EXPECT_EQ(seen.size(), 2u);
    seen.release(2);
}

using plain_ring = spsc_ring<item, {.capacity = 8}>;
using archetype_ring = spsc_ring<element_archetype, {.capacity = 8}>;
static_assert(burst_producer<plain_ring::producer> && burst_consumer<plain_ring::consumer>);
static_assert(burst_producer<archetype_ring::producer> && burst_consumer<archetype_ring::consumer>);
static_assert(!burst_producer<plain_ring::consumer> && !burst_consumer<plain_ring::producer>);
static_assert(std::is_nothrow_move_constructible_v<plain_ring::producer> &&
              !std::is_copy_constructible_v<plain_ring::producer>);
static_assert(std::is_nothrow_move_constructible_v<plain_ring::consumer> &&
              !std::is_copy_constructible_v<plain_ring::consumer>);
static_assert(!std::is_copy_constructible_v<plain_ring> && !std::is_move_constructible_v<plain_ring>);
static_assert(!std::is_constructible_v<plain_ring, std::span<item>, std::uint32_t>);
static_assert(!std::is_default_constructible_v<spsc_ring<item, {.capacity = dynamic}>>);
// In production span<cell<T>> is span<T>.
static_assert(
    std::is_same_v<decltype(std::declval<plain_ring::producer&>().reserve(1).first()), std::span<item>>);
template <class Consumer, class T>
concept pops_into = requires(Consumer& consumer, T& out) { consumer.try_pop(out); };
static_assert(pops_into<plain_ring::consumer, item> &&
              !pops_into<archetype_ring::consumer, element_archetype>);
// The two indices and the slots keep their distance, and so do two handles side by side.
static_assert(sizeof(plain_ring) == 8 * sizeof(item) + 2 * thread_gap); // slots, tail, head
static_assert(alignof(plain_ring::producer) == thread_gap && sizeof(plain_ring::producer) == thread_gap);
static_assert(alignof(plain_ring::consumer) == thread_gap && sizeof(plain_ring::consumer) == thread_gap);

// Two threads, every content checked. Not a proof of the orders (x86 hides most mistakes): the explorer is
// for that.
template <std::uint32_t Capacity>
void crosses_threads() {
    constexpr std::uint64_t total = 100'000;
    spsc_ring<item, {.capacity = Capacity}> ring(0xffff'ffff - 1000);
    auto roles = ring.split();
    std::thread other([producer = std::move(roles.producer)]() mutable {
        std::uint64_t next = 0;
        while (next < total) {
            if (next % 7 < 3) {
                if (producer.try_push(item::of(next)))
                    ++next;
                else
                    std::this_thread::yield();
            } else {
                auto token = producer.reserve(static_cast<std::uint32_t>(next % 40 + 1));
                std::uint64_t number = next;
                for (auto& slot : token.first())
                    slot = item::of(number++);
                for (auto& slot : token.second())
                    slot = item::of(number++);
                const std::uint32_t count = token.size() - (token.size() > 3 ? 1 : 0);
                token.commit(count);
                next += count;
                if (count == 0)
                    std::this_thread::yield();
            }
        }
    });
    std::uint64_t seen = 0, wrong = 0;
    while (seen < total) {
        item out;
        if (seen % 5 < 2 && roles.consumer.try_pop(out))
            wrong += out != item::of(seen++) ? 1u : 0u;
        auto token = roles.consumer.peek(static_cast<std::uint32_t>(seen % 33 + 1));
        const std::uint32_t count = token.size() - (token.size() > 3 ? 1 : 0);
        for (std::uint32_t i = 0; i < count; ++i) {
            const auto first = token.first();
            const item& here = i < first.size() ? first[i] : token.second()[i - first.size()];
            wrong += here != item::of(seen++) ? 1u : 0u;
        }
        token.release(count);
        if (count == 0)
            std::this_thread::yield();
    }
    other.join();
    EXPECT_EQ(wrong, 0u);
}

TEST(spsc_ring, crosses_threads) {
    crosses_threads<1>();
    crosses_threads<3>();
    crosses_threads<64>();
    crosses_threads<1000>();
}

// Calls back into the side that is just moving it in.
struct overlapping {
    static inline void (*on_move)() = nullptr;
    overlapping() noexcept {}
    overlapping(overlapping&&) noexcept {
        if (on_move)
            on_move();
    }
};
using overlapping_ring = spsc_ring<overlapping, {.capacity = 8}>;
overlapping_ring::producer* overlapped = nullptr;

TEST(spsc_ring_contract, is_watched_in_checked_mode) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "death tests fork, which the thread sanitizer does not like";
#endif
    if (!checked_mode)
        GTEST_SKIP() << "contracts are not checked in this build";
    plain_ring ring;
    {
        auto [producer, consumer] = ring.split();
        EXPECT_DEATH((void)ring.split(), "one producer and one consumer");
        {
            auto token = producer.reserve(1);
            EXPECT_DEATH((void)producer.try_push(item{}), "token of this role is open");
            EXPECT_DEATH(auto second = producer.reserve(1), "token of this role is open");
            EXPECT_EQ(consumer.peek(1).size(), 0u); // the other side is free to go on
        }
        auto token = consumer.peek(1);
        EXPECT_DEATH(auto second = consumer.peek(1), "token of this role is open");
        EXPECT_DEATH(token.release(2), "no more can be finished");
    }
    EXPECT_DEATH(
        {
            auto* early = new plain_ring;
            auto roles = early->split();
            delete early;
        },
        "outlives");
    overlapping_ring own;
    auto [producer, consumer] = own.split();
    overlapped = &producer;
    overlapping::on_move = [] { (void)overlapped->try_push(overlapping()); };
    EXPECT_DEATH((void)producer.try_push(overlapping()), "two calls of one role overlap");
    overlapping::on_move = nullptr;
}

} // namespace
