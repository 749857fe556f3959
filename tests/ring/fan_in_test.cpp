// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/fan_in.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "noria/ring/burst.hpp"
#include "support/one_core.hpp"
#include "support/random.hpp"

namespace {

using namespace noria;

// 16 bytes whose halves must stay together: who made it, and its number.
struct item {
    std::uint64_t number = 0;
    std::uint64_t check = 0;

    static item of(std::uint64_t n, std::uint64_t producer) {
        n |= producer << 56;
        return {n, ~n * 0x9e37'79b9};
    }
    [[nodiscard]] std::uint64_t producer() const { return number >> 56; }
    friend bool operator==(const item&, const item&) = default;
};

// The machine's own policy, but every bell is missed: the worst that the race between a push and a rest can
// do, all the time. Counts how often one was rung.
struct deaf_sync {
    static inline int rung = 0;

    template <class T>
    class atomic {
      public:
        atomic() noexcept : value_{} {}
        explicit atomic(T value) noexcept : value_(value) {}
        T load(std::memory_order order) const noexcept { return value_.load(order); }
        void store(T value, std::memory_order order) noexcept { value_.store(value, order); }
        T exchange(T value, std::memory_order order) noexcept { return value_.exchange(value, order); }
        T fetch_add(T value, std::memory_order order) noexcept { return value_.fetch_add(value, order); }
        T fetch_sub(T value, std::memory_order order) noexcept { return value_.fetch_sub(value, order); }
        T fetch_and(T value, std::memory_order order) noexcept { return value_.fetch_and(value, order); }
        T fetch_or(T value, std::memory_order order) noexcept {
            if constexpr (sizeof(T) == 8) { // the bells
                ++rung;
                return 0;
            } else {
                return value_.fetch_or(value, order);
            }
        }

      private:
        std::atomic<T> value_;
    };
    template <class T>
    using cell = T;
    template <class T>
    static void read(const T& from, std::type_identity_t<T>& to) noexcept {
        to = from;
    }
    template <class T>
    static void write(T& to, const std::type_identity_t<T>& from) noexcept {
        to = from;
    }
    static void prefetch_read(const void*) noexcept {}
    static void prefetch_write(const void*) noexcept {}
};

const std::vector<std::uint32_t> starts = {0, 0x7fff'fffe, 0xffff'ffff - 70, 0xffff'fffe, 0xffff'ffff};

// Random calls on all sides, one after another, compared with a deque for each producer. No item depends on a
// bell, so this holds for any policy.
template <class Wheel, std::size_t Producers>
void behaves_like_deques(Wheel& wheel) {
    auto [producers, consumer] = wheel.split();
    const std::uint32_t capacity = wheel.capacity();
    const std::uint32_t held_back = capacity / 8 > 1 ? capacity / 8 - 1 : 0;
    std::deque<item> model[Producers];
    std::uint64_t number = 0;
    const auto none_left = [&] {
        for (const auto& ring : model)
            if (!ring.empty())
                return false;
        return true;
    };
    const auto is_next = [&](const item& seen) {
        RC_ASSERT(seen.producer() < Producers);
        auto& ring = model[seen.producer()];
        RC_ASSERT(!ring.empty());
        RC_ASSERT(seen == ring.front());
        ring.pop_front();
    };
    const auto calls = *rc::gen::container<std::vector<std::tuple<int, std::size_t, std::uint32_t>>>(
        300, rc::gen::tuple(rc::gen::inRange(0, 4), rc::gen::inRange<std::size_t>(0, Producers),
                            rc::gen::inRange<std::uint32_t>(1, capacity + 2)));
    for (const auto& [call, who, size] : calls) {
        const auto free = static_cast<std::uint32_t>(capacity - model[who].size());
        if (call == 0) {
            const item pushed = item::of(number++, who);
            const bool done = producers[who].try_push(pushed);
            RC_ASSERT((done ? free > 0 : free <= held_back));
            if (done)
                model[who].push_back(pushed);
        } else if (call == 1) {
            auto token = size % 2 == 0 ? producers[who].reserve(size) : producers[who].reserve_exact(size);
            RC_ASSERT(token.size() <= std::min(size, free));
            const auto count = *rc::gen::inRange<std::uint32_t>(0, token.size() + 1);
            std::uint32_t place = 0;
            for (auto slots : {token.first(), token.second()})
                for (auto& slot : slots) {
                    slot = item::of(number++, who);
                    if (place++ < count)
                        model[who].push_back(slot);
                }
            token.commit(count);
        } else if (call == 2) {
            item out = item::of(~0u, 99);
            const bool done = consumer.try_pop(out);
            RC_ASSERT(done != none_left());
            if (done)
                is_next(out);
            else
                RC_ASSERT((out == item::of(~0u, 99)));
        } else {
            auto seen = consumer.peek(size);
            RC_ASSERT((seen.size() == 0) == none_left());
            const auto released = *rc::gen::inRange<std::uint32_t>(0, seen.size() + 1);
            std::uint32_t place = 0;
            for (auto slots : {seen.first(), seen.second()})
                for (auto& slot : slots)
                    if (place++ < released)
                        is_next(slot);
            seen.release(released);
        }
    }
    item out;
    while (consumer.try_pop(out))
        is_next(out);
    RC_ASSERT(none_left());
}

template <std::size_t Producers, std::uint32_t Capacity, class Sync>
void wheel_behaves() {
    EXPECT_TRUE(rc::check([] {
        using wheel_type = basic_fan_in<
            item, {.producers = Producers, .ring = {.capacity = Capacity}, .budget = 3, .turns_to_rest = 2},
            Sync>;
        const auto wheel = std::make_unique<wheel_type>(*rc::gen::elementOf(starts));
        behaves_like_deques<wheel_type, Producers>(*wheel);
    }));
}

TEST(fan_in, behaves_like_a_deque_for_each_producer) {
    wheel_behaves<1, 1, std_sync>();
    wheel_behaves<2, 2, std_sync>();
    wheel_behaves<3, 3, std_sync>();
    wheel_behaves<5, 30, std_sync>();
    wheel_behaves<70, 4, std_sync>(); // more than a word of bells
}

TEST(fan_in, loses_nothing_where_every_bell_is_missed) {
    wheel_behaves<2, 2, deaf_sync>();
    wheel_behaves<5, 30, deaf_sync>();
    wheel_behaves<70, 4, deaf_sync>();
}

// Not by refusing everything: each empty ring takes exactly its capacity, lap after lap.
TEST(fan_in, holds_exactly_its_capacity_in_each_ring) {
    fan_in<item, {.producers = 3, .ring = {.capacity = 5}}> wheel(0xffff'fffe);
    EXPECT_EQ(wheel.capacity(), 5u);
    auto [producers, consumer] = wheel.split();
    for (std::uint64_t lap = 0; lap < 5; ++lap) {
        for (std::uint64_t who = 0; who < 3; ++who) {
            for (std::uint64_t i = 0; i < 5; ++i)
                ASSERT_TRUE(producers[who].try_push(item::of(5 * lap + i, who)));
            ASSERT_FALSE(producers[who].try_push(item::of(0, who)));
        }
        std::uint64_t next[3] = {5 * lap, 5 * lap, 5 * lap};
        item out;
        for (int i = 0; i < 15; ++i) {
            ASSERT_TRUE(consumer.try_pop(out));
            ASSERT_LT(out.producer(), 3u);
            ASSERT_EQ(out, item::of(next[out.producer()]++, out.producer()));
        }
        ASSERT_FALSE(consumer.try_pop(out));
    }
}

TEST(fan_in, passes_the_turn_on_when_the_budget_is_spent) {
    fan_in<item, {.producers = 3, .ring = {.capacity = 16}, .budget = 4}> wheel;
    auto [producers, consumer] = wheel.split();
    for (std::uint64_t i = 0; i < 10; ++i)
        for (std::uint64_t who = 0; who < 3; ++who)
            ASSERT_TRUE(producers[who].try_push(item::of(i, who)));
    std::vector<std::uint64_t> order;
    item out;
    while (consumer.try_pop(out))
        order.push_back(out.producer());
    ASSERT_EQ(order.size(), 30u);
    for (std::size_t i = 0; i < 24; ++i)
        EXPECT_EQ(order[i], (order[0] + i / 4) % 3) << i;
    for (std::size_t i = 24; i < 30; ++i)
        EXPECT_EQ(order[i], (order[0] + (i - 24) / 2) % 3) << i;
}

TEST(fan_in, offers_no_more_than_the_budget) {
    fan_in<item, {.producers = 3, .ring = {.capacity = 16}, .budget = 4}> wheel;
    auto [producers, consumer] = wheel.split();
    for (std::uint64_t i = 0; i < 10; ++i)
        for (std::uint64_t who = 0; who < 2; ++who)
            ASSERT_TRUE(producers[who].try_push(item::of(i, who)));
    std::uint64_t before = 99;
    for (int turn = 0; turn < 4; ++turn) { // an offer of the whole budget ends the turn
        auto seen = consumer.peek(10);
        ASSERT_EQ(seen.size(), 4u);
        EXPECT_NE(seen.first()[0].producer(), before);
        before = seen.first()[0].producer();
        seen.release(4);
    }
}

// While one ring is always busy, how many of its items go by before the first item of a ring at rest comes?
template <class Sync>
int items_before_the_sleeper(std::uint32_t turns_to_rest_run) {
    basic_fan_in<item, {.producers = 2, .ring = {.capacity = 8}, .budget = 2, .turns_to_rest = 16}, Sync>
        wheel;
    auto [producers, consumer] = wheel.split();
    item out;
    const auto serve_the_busy = [&] {
        (void)producers[0].try_push(item::of(0, 0));
        (void)producers[0].try_push(item::of(0, 0));
        return consumer.try_pop(out) ? out.producer() : 99;
    };
    EXPECT_TRUE(producers[1].try_push(item::of(0, 1)));
    for (std::uint32_t i = 0; i < turns_to_rest_run; ++i) // long enough for ring 1 to be put to rest
        (void)serve_the_busy();
    EXPECT_TRUE(producers[1].try_push(item::of(1, 1)));
    int between = 0;
    while (serve_the_busy() == 0 && between < 1000)
        ++between;
    return between;
}

TEST(fan_in, a_bell_is_heard_in_the_next_turn) {
    EXPECT_LE(items_before_the_sleeper<std_sync>(200), 2);
}

TEST(fan_in, a_missed_bell_costs_no_more_than_the_turns_to_rest) {
    deaf_sync::rung = 0;
    const int waited = items_before_the_sleeper<deaf_sync>(200);
    EXPECT_LE(waited, 2 * 17);
    EXPECT_GT(waited, 2);          // the ring was at rest indeed
    EXPECT_EQ(deaf_sync::rung, 3); // the first push of each, and the one into the ring at rest
}

TEST(fan_in, steady_traffic_rings_no_bell) {
    basic_fan_in<item, {.producers = 2, .ring = {.capacity = 8}, .turns_to_rest = 4}, deaf_sync> wheel;
    auto [producers, consumer] = wheel.split();
    deaf_sync::rung = 0;
    item out;
    for (std::uint64_t i = 0; i < 1000; ++i) {
        ASSERT_TRUE(producers[i % 2].try_push(item::of(i, i % 2)));
        ASSERT_TRUE(consumer.try_pop(out));
        ASSERT_EQ(out, item::of(i, i % 2));
        ASSERT_FALSE(consumer.try_pop(out)); // nor do the polls of an idle consumer put anything to rest
    }
    EXPECT_EQ(deaf_sync::rung, 2);
}

TEST(fan_in, bursts_and_drain_visit_every_ring) {
    fan_in<item, {.producers = 3, .ring = {.capacity = 8}, .budget = 4}> wheel(0xffff'fffd);
    auto [producers, consumer] = wheel.split();
    std::uint64_t in[3] = {}, out[3] = {};
    for (int round = 0; round < 10; ++round) {
        for (std::uint64_t who = 0; who < 3; ++who) {
            std::vector<item> items(static_cast<std::size_t>(who + 3));
            for (auto& i : items)
                i = item::of(in[who]++, who);
            ASSERT_EQ(push_burst(producers[who], std::span<const item>(items)), items.size());
        }
        const auto check = [&](item& i) noexcept {
            ASSERT_LT(i.producer(), 3u);
            EXPECT_EQ(i, item::of(out[i.producer()]++, i.producer()));
        };
        item some[5];
        const std::uint32_t popped = pop_burst(consumer, std::span<item>(some));
        ASSERT_GT(popped, 0u);
        for (std::uint32_t i = 0; i < popped; ++i)
            check(some[i]);
        ASSERT_EQ(drain(consumer, check, 100), 12 - popped);
    }
}

TEST(fan_in, carries_on_after_a_new_split) {
    fan_in<item, {.producers = 2, .ring = {.capacity = 4}}> wheel;
    {
        auto [producers, consumer] = wheel.split();
        ASSERT_TRUE(producers[1].try_push(item::of(7, 1)));
    }
    auto [producers, consumer] = wheel.split();
    auto moved = std::move(consumer);
    item out;
    ASSERT_TRUE(moved.try_pop(out));
    EXPECT_EQ(out, item::of(7, 1));
}

TEST(fan_in, keeps_a_move_only_element_that_does_not_fit) {
    fan_in<std::unique_ptr<int>, {.producers = 2, .ring = {.capacity = 1}}> wheel;
    auto [producers, consumer] = wheel.split();
    ASSERT_TRUE(producers[0].try_push(std::make_unique<int>(1)));
    auto second = std::make_unique<int>(2);
    EXPECT_FALSE(producers[0].try_push(std::move(second)));
    ASSERT_NE(second, nullptr);
    EXPECT_TRUE(producers[1].try_push(std::move(second)));
    std::unique_ptr<int> out;
    int sum = 0;
    while (consumer.try_pop(out))
        sum += *out;
    EXPECT_EQ(sum, 3);
}

using wheel_of_two = fan_in<item, {.producers = 2, .ring = {.capacity = 8}}>;
static_assert(burst_producer<wheel_of_two::producer> && burst_consumer<wheel_of_two::consumer>);
static_assert(!burst_producer<wheel_of_two::consumer> && !burst_consumer<wheel_of_two::producer>);
static_assert(std::is_nothrow_move_constructible_v<wheel_of_two::producer> &&
              !std::is_copy_constructible_v<wheel_of_two::producer>);
static_assert(std::is_nothrow_move_constructible_v<wheel_of_two::consumer> &&
              !std::is_copy_constructible_v<wheel_of_two::consumer>);

// Producers on threads, every content checked, the order of each as well. Not a proof of the orders (x86
// hides most mistakes): the explorer is for that.
template <std::uint32_t Capacity>
void crosses_threads() {
    constexpr std::uint64_t producers = 3;
    const std::uint64_t each = random_steps::count(20'000);
    fan_in<item, {.producers = producers, .ring = {.capacity = Capacity}, .budget = 5, .turns_to_rest = 3}>
        wheel(0xffff'ffff - 1000);
    auto roles = wheel.split();
    std::vector<std::thread> threads;
    for (std::uint64_t me = 0; me < producers; ++me)
        threads.emplace_back([producer = std::move(roles.producers[me]), me, each]() mutable {
            for (std::uint64_t next = 0; next < each;) {
                std::uint32_t count = 0;
                if (next % 7 < 3) {
                    count = producer.try_push(item::of(next, me)) ? 1 : 0;
                } else {
                    auto token = producer.reserve(
                        static_cast<std::uint32_t>(std::min<std::uint64_t>(next % 20 + 1, each - next)));
                    std::uint64_t number = next;
                    for (auto slots : {token.first(), token.second()})
                        for (auto& slot : slots)
                            slot = item::of(number++, me);
                    count = token.size();
                    token.commit(count);
                }
                next += count;
                if (count == 0)
                    std::this_thread::yield();
            }
        });
    std::uint64_t next[producers] = {}, wrong = 0;
    const auto check = [&](item& seen) noexcept {
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
            count = drain(roles.consumer, check, static_cast<std::uint32_t>(seen % 33 + 1));
        }
        seen += count;
        if (count == 0)
            std::this_thread::yield();
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(wrong, 0u);
}

TEST(fan_in, crosses_threads) {
    crosses_threads<1>();
    crosses_threads<3>();
    crosses_threads<64>();
}

// Producers that share a core, one of which is stopped anywhere at all: the other goes on.
TEST(fan_in, producers_on_one_core_form_no_convoy) {
    const auto cores = two_cores();
    if (!cores)
        GTEST_SKIP() << "needs two cores";
    using wheel_type = fan_in<item, {.producers = 2, .ring = {.capacity = one_core::room}}>;
    const auto wheel = std::make_unique<wheel_type>(0xffff'ffff);
    auto roles = wheel->split();
    one_core::expect_no_convoy<item>(*cores, roles.producers[0], roles.producers[1], roles.consumer);
}

// A reservation stays open while the other producer, who has to share the core with one that never yields,
// goes round its own ring many times.
TEST(fan_in, a_reservation_on_the_same_core_stops_nobody) {
    const auto cores = two_cores();
    if (!cores)
        GTEST_SKIP() << "needs two cores";
    constexpr std::uint64_t laps = 10, capacity = 64;
    fan_in<item, {.producers = 2, .ring = {.capacity = capacity}}> wheel(0xffff'ffc0);
    auto roles = wheel.split();
    std::atomic<bool> open{false};
    std::atomic<std::uint64_t> pushed{0};
    std::uint64_t seen = 0, wrong = 0;
    std::thread holder([&] {
        stay_on(cores->first);
        auto token = roles.producers[0].reserve(1);
        open.store(true, std::memory_order_release);
        while (pushed.load(std::memory_order_acquire) < laps * capacity) {
        }
        token.first()[0] = item::of(0, 0);
        token.commit(1);
    });
    std::thread other([&] {
        stay_on(cores->first);
        while (!open.load(std::memory_order_acquire)) {
        }
        for (std::uint64_t i = 0; i < laps * capacity;)
            if (roles.producers[1].try_push(item::of(i, 1)))
                pushed.store(++i, std::memory_order_release);
    });
    std::thread taker([&] {
        stay_on(cores->second);
        for (item out; seen <= laps * capacity;)
            if (!roles.consumer.try_pop(out)) {
                std::this_thread::yield();
            } else if (out.producer() == 1) {
                wrong += out != item::of(seen++, 1);
            } else {
                wrong += out != item::of(0, 0) || pushed.load(std::memory_order_acquire) < laps * capacity;
                ++seen;
                break;
            }
    });
    holder.join();
    other.join();
    taker.join();
    item out;
    while (roles.consumer.try_pop(out))
        wrong += out != item::of(seen++ - 1, 1);
    EXPECT_EQ(seen, laps * capacity + 1);
    EXPECT_EQ(wrong, 0u);
}

TEST(fan_in_contract, is_watched_in_checked_mode) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "death tests fork, which the thread sanitizer does not like";
#endif
    if (!checked_mode)
        GTEST_SKIP() << "contracts are not checked in this build";
    wheel_of_two wheel;
    auto [producers, consumer] = wheel.split();
    EXPECT_DEATH((void)wheel.split(), "drop the old pair");
    ASSERT_TRUE(producers[0].try_push(item::of(0, 0)));
    auto room = producers[0].reserve(1);
    EXPECT_DEATH((void)producers[0].try_push(item{}), "token of this role is open");
    EXPECT_TRUE(producers[1].try_push(item::of(0, 1)));
    auto token = consumer.peek(8);
    ASSERT_EQ(token.size(), 1u);
    EXPECT_DEATH(auto second = consumer.peek(1), "token of this role is open");
    item out;
    EXPECT_DEATH((void)consumer.try_pop(out), "token of this role is open");
}

} // namespace
