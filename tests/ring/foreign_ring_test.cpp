// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/foreign_ring.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <deque>
#include <thread>
#include <type_traits>
#include <vector>

#include "noria/ring/burst.hpp"
#include "support/random.hpp"
#include "support/strict_sync.hpp"

namespace {

using namespace noria;

struct frame {
    std::uint64_t address = 0;
    std::uint32_t length = 0, options = 0;
    friend bool operator==(const frame&, const frame&) = default;
};
frame numbered(std::uint32_t n) {
    return {(std::uint64_t{n} << 32) + ~n, n * 7, n ^ 0x5555'5555};
}

static_assert(burst_producer<foreign_producer<frame>> && burst_consumer<foreign_consumer<frame>>);
static_assert(std::is_nothrow_move_constructible_v<foreign_producer<frame>> &&
              !std::is_copy_constructible_v<foreign_producer<frame>>);
static_assert(std::is_nothrow_move_constructible_v<foreign_consumer<frame>> &&
              !std::is_copy_constructible_v<foreign_consumer<frame>>);
static_assert(alignof(foreign_producer<frame>) == thread_gap &&
              alignof(foreign_consumer<frame>) == thread_gap);

// Memory as a kernel hands it out: the slots end where it ends, so that the sanitizers see who runs past
// them.
class kernel_memory {
  public:
    explicit kernel_memory(std::uint32_t capacity, std::uint32_t start = 0)
        : layout{.producer = 0, .consumer = 128, .flags = 196, .slots = 256, .capacity = capacity},
          words_(32 + capacity * sizeof(frame) / 8) {
        set(layout.producer, start);
        set(layout.consumer, start);
    }
    std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(words_)); }
    std::uint32_t get(std::size_t offset) {
        std::uint32_t value;
        std::memcpy(&value, &bytes()[offset], sizeof value);
        return value;
    }
    void set(std::size_t offset, std::uint32_t value) { std::memcpy(&bytes()[offset], &value, sizeof value); }
    frame slot(std::uint32_t index) {
        frame value;
        std::memcpy(&value, &bytes()[layout.slots + (index % layout.capacity) * sizeof(frame)], sizeof value);
        return value;
    }
    void set_slot(std::uint32_t index, const frame& value) {
        std::memcpy(&bytes()[layout.slots + (index % layout.capacity) * sizeof(frame)], &value, sizeof value);
    }

    foreign_layout layout;

  private:
    std::vector<std::uint64_t> words_;
};

const std::vector<std::uint32_t> starts = {0, 0x7fff'fffe, 0xffff'ffff - 70, 0xffff'fffe, 0xffff'ffff};
const std::vector<std::uint32_t> capacities = {1, 2, 4, 32};

// The test is the kernel. Every index and every slot is compared with a deque's.
TEST(foreign_producer, behaves_like_a_deque) {
    EXPECT_TRUE(rc::check([] {
        const auto capacity = *rc::gen::elementOf(capacities);
        const auto start = *rc::gen::elementOf(starts);
        kernel_memory memory(capacity, start);
        foreign_producer<frame> producer(memory.bytes(), memory.layout);
        std::deque<frame> model;
        std::uint32_t put = start, taken = start;
        for (int step = 0; step < 100; ++step) {
            const auto size = *rc::gen::inRange<std::uint32_t>(0, capacity + 2);
            const auto free = static_cast<std::uint32_t>(capacity - model.size());
            std::vector<frame> items(size);
            for (std::uint32_t i = 0; i < size; ++i)
                items[i] = numbered(put + i);
            std::uint32_t done = 0;
            switch (*rc::gen::inRange(0, 4)) {
            case 0:
                done = push_burst(producer, std::span<const frame>(items));
                RC_ASSERT(done == std::min(size, free));
                break;
            case 1:
                done = push_bulk(producer, std::span<const frame>(items)) ? size : 0;
                RC_ASSERT(done == (size <= free ? size : 0));
                break;
            case 2: {
                auto token = producer.reserve(size);
                RC_ASSERT(token.size() == std::min(size, free));
                std::size_t at = 0;
                for (auto& slot : token.first())
                    slot = items[at++];
                for (auto& slot : token.second())
                    slot = items[at++];
                done = *rc::gen::inRange<std::uint32_t>(0, token.size() + 1);
                token.commit(done);
                break;
            }
            default:
                for (std::uint32_t i =
                         std::min<std::uint32_t>(size, static_cast<std::uint32_t>(model.size()));
                     i != 0; --i) {
                    RC_ASSERT(memory.slot(taken) == model.front());
                    model.pop_front();
                    ++taken;
                }
                memory.set(memory.layout.consumer, taken);
            }
            model.insert(model.end(), items.begin(), items.begin() + done);
            put += done;
            RC_ASSERT(memory.get(memory.layout.producer) == put);
            RC_ASSERT(memory.get(memory.layout.consumer) == taken);
        }
        RC_ASSERT(producer.faults() == 0u);
    }));
}

TEST(foreign_consumer, behaves_like_a_deque) {
    EXPECT_TRUE(rc::check([] {
        const auto capacity = *rc::gen::elementOf(capacities);
        const auto start = *rc::gen::elementOf(starts);
        kernel_memory memory(capacity, start);
        foreign_consumer<frame> consumer(memory.bytes(), memory.layout);
        std::deque<frame> model;
        std::uint32_t put = start, taken = start;
        for (int step = 0; step < 100; ++step) {
            const auto size = *rc::gen::inRange<std::uint32_t>(0, capacity + 2);
            std::vector<frame> items(size, numbered(~0u));
            std::uint32_t done = 0;
            switch (*rc::gen::inRange(0, 4)) {
            case 0:
                done = pop_burst(consumer, std::span(items));
                RC_ASSERT(done == std::min<std::size_t>(size, model.size()));
                break;
            case 1:
                done = pop_bulk(consumer, std::span(items)) ? size : 0;
                RC_ASSERT(done == (size <= model.size() ? size : 0));
                break;
            case 2: {
                auto token = consumer.peek(size);
                RC_ASSERT(token.size() == std::min<std::size_t>(size, model.size()));
                auto out = std::copy(token.first().begin(), token.first().end(), items.begin());
                std::copy(token.second().begin(), token.second().end(), out);
                done = *rc::gen::inRange<std::uint32_t>(0, token.size() + 1);
                token.release(done);
                break;
            }
            default:
                for (std::uint32_t i = std::min(size, static_cast<std::uint32_t>(capacity - model.size()));
                     i != 0; --i) {
                    model.push_back(numbered(put));
                    memory.set_slot(put, numbered(put));
                    ++put;
                }
                memory.set(memory.layout.producer, put);
            }
            RC_ASSERT(std::equal(items.begin(), items.begin() + done, model.begin()));
            model.erase(model.begin(), model.begin() + done);
            taken += done;
            RC_ASSERT(memory.get(memory.layout.producer) == put);
            RC_ASSERT(memory.get(memory.layout.consumer) == taken);
        }
        RC_ASSERT(consumer.faults() == 0u);
    }));
}

TEST(foreign_ring, carries_on_from_the_indices_it_finds) {
    kernel_memory memory(4, 0xffff'fffe);
    {
        foreign_producer<frame> producer(memory.bytes(), memory.layout);
        EXPECT_TRUE(
            push_bulk(producer, std::span<const frame>(std::vector{numbered(1), numbered(2), numbered(3)})));
    }
    foreign_producer<frame> producer(memory.bytes(), memory.layout);
    EXPECT_EQ(push_burst(producer, std::span<const frame>(std::vector{numbered(4), numbered(5)})), 1u);
    std::vector<frame> out(2);
    {
        foreign_consumer<frame> consumer(memory.bytes(), memory.layout);
        EXPECT_TRUE(pop_bulk(consumer, std::span(out)));
        EXPECT_EQ(out, (std::vector{numbered(1), numbered(2)}));
    }
    foreign_consumer<frame> consumer(memory.bytes(), memory.layout);
    EXPECT_TRUE(pop_bulk(consumer, std::span(out)));
    EXPECT_EQ(out, (std::vector{numbered(3), numbered(4)}));
    EXPECT_FALSE(pop_bulk(consumer, std::span(out)));
}

TEST(foreign_ring, tells_whether_the_other_side_sleeps) {
    kernel_memory memory(4);
    foreign_producer<frame> producer(memory.bytes(), memory.layout);
    foreign_consumer<frame> consumer(memory.bytes(), memory.layout);
    for (const std::uint32_t flags : {0u, 1u, 2u, 0xffff'ffffu}) {
        memory.set(memory.layout.flags, flags);
        EXPECT_EQ(producer.needs_wakeup(), (flags & 1) != 0);
        EXPECT_EQ(consumer.needs_wakeup(), (flags & 1) != 0);
    }
}

// The other side's index is anything at all. What cannot be true is counted, and the ring goes on with what
// was last believed.
TEST(foreign_producer, believes_no_index_that_cannot_be_true) {
    random_steps random;
    for (const std::uint32_t start : starts) {
        for (const std::uint32_t capacity : capacities) {
            kernel_memory memory(capacity, start);
            foreign_producer<frame> producer(memory.bytes(), memory.layout);
            std::uint32_t put = start, believed = start - capacity; // nothing is known to be free
            std::uint64_t faults = 0;
            const std::vector<frame> items(capacity + 3, numbered(1));
            for (std::uint64_t step = 0; step < random_steps::count(400); ++step) {
                const std::uint32_t claimed =
                    random.one_in(4) ? random.below(0xffff'ffff) : believed - 2 + random.below(capacity + 5);
                memory.set(memory.layout.consumer, claimed);
                const std::uint32_t wanted = random.below(capacity + 3) + 1;
                // The index is looked at only where the room known of does not suffice.
                if (believed + capacity - put < wanted) {
                    if (claimed - believed > put - believed)
                        ++faults;
                    else
                        believed = claimed;
                }
                const std::uint32_t done = push_burst(producer, std::span(items).first(wanted));
                ASSERT_EQ(done, std::min(wanted, believed + capacity - put));
                put += done;
                ASSERT_EQ(memory.get(memory.layout.producer), put);
                ASSERT_EQ(producer.faults(), faults);
            }
            ASSERT_GT(faults, 0u);
        }
    }
}

TEST(foreign_consumer, believes_no_index_that_cannot_be_true) {
    random_steps random;
    for (const std::uint32_t start : starts) {
        for (const std::uint32_t capacity : capacities) {
            kernel_memory memory(capacity, start);
            foreign_consumer<frame> consumer(memory.bytes(), memory.layout);
            std::uint32_t taken = start, believed = start;
            std::uint64_t faults = 0;
            std::vector<frame> out(capacity + 3);
            for (std::uint64_t step = 0; step < random_steps::count(400); ++step) {
                const std::uint32_t claimed =
                    random.one_in(4) ? random.below(0xffff'ffff) : believed - 2 + random.below(capacity + 5);
                memory.set(memory.layout.producer, claimed);
                const std::uint32_t wanted = random.below(capacity + 3) + 1;
                if (believed - taken < wanted) {
                    if (claimed - believed > taken + capacity - believed)
                        ++faults;
                    else
                        believed = claimed;
                }
                const std::uint32_t done = pop_burst(consumer, std::span(out).first(wanted));
                ASSERT_EQ(done, std::min(wanted, believed - taken));
                taken += done;
                ASSERT_EQ(memory.get(memory.layout.consumer), taken);
                ASSERT_EQ(consumer.faults(), faults);
            }
            ASSERT_GT(faults, 0u);
        }
    }
}

// Both halves, each the other's foreigner.
template <class Sync>
void halves_meet(std::uint32_t total, bool threads) {
    using slot = typename Sync::template cell<frame>;
    const foreign_layout layout{.producer = 0, .consumer = 128, .flags = 192, .slots = 256, .capacity = 16};
    struct {
        alignas(thread_gap) std::byte head[256];
        slot slots[16];
    } memory{};
    const std::span bytes(reinterpret_cast<std::byte*>(&memory), sizeof memory);
    basic_foreign_producer<frame, Sync> producer(bytes, layout);
    basic_foreign_consumer<frame, Sync> consumer(bytes, layout);
    std::uint32_t next = 0;
    const auto produce = [&] {
        std::vector<frame> items(std::min(5u, total - next));
        for (std::uint32_t i = 0; i < items.size(); ++i)
            items[i] = numbered(next + i);
        const std::uint32_t done = push_burst(producer, std::span<const frame>(items));
        next += done;
        if (done == 0)
            std::this_thread::yield();
        return next != total;
    };
    std::uint32_t seen = 0, wrong = 0;
    const auto take = [&] {
        const std::uint32_t done =
            consume(consumer, 7, [&](const frame& f) noexcept { wrong += f != numbered(seen++) ? 1u : 0u; });
        if (done == 0)
            std::this_thread::yield();
    };
    if (threads) {
        std::thread other([&] {
            while (produce()) {
            }
        });
        while (seen < total)
            take();
        other.join();
    } else {
        while (seen < total) {
            produce();
            take();
        }
    }
    EXPECT_EQ(wrong, 0u);
    EXPECT_EQ(producer.faults() + consumer.faults(), 0u);
    EXPECT_FALSE(producer.needs_wakeup() || consumer.needs_wakeup());
}

TEST(foreign_ring, crosses_threads) {
    halves_meet<std_sync>(50'000, true);
}
TEST(foreign_ring, asks_no_more_of_its_policy_than_the_archetype_offers) {
    halves_meet<strict_sync>(100, false);
}

TEST(foreign_ring_contract, is_watched) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "death tests fork, which the thread sanitizer does not like";
#endif
    if (!checked_mode)
        GTEST_SKIP() << "contracts are not checked in this build";
    kernel_memory memory(4);
    const auto make = [&](foreign_layout layout) { foreign_producer<frame> half(memory.bytes(), layout); };
    make(memory.layout);
    const auto with = [&](auto change) {
        foreign_layout layout = memory.layout;
        change(layout);
        return layout;
    };
    EXPECT_DEATH(make(with([](auto& l) { l.capacity = 3; })), "power of two");
    EXPECT_DEATH(make(with([](auto& l) { l.capacity = 0; })), "power of two");
    EXPECT_DEATH(make(with([](auto& l) { l.capacity = 8; })), "map as much");
    EXPECT_DEATH(make(with([](auto& l) { l.slots = 1000; })), "map as much");
    EXPECT_DEATH(make(with([](auto& l) { l.flags = 318; })), "map as much");
    EXPECT_DEATH(make(with([](auto& l) { l.producer = 2; })), "aligned");
    EXPECT_DEATH(make(with([](auto& l) { l.slots = 252; })), "aligned");
    foreign_consumer<frame> consumer(memory.bytes(), memory.layout);
    auto token = consumer.peek(1);
    EXPECT_DEATH((void)consumer.peek(1), "a token of this role is open");
}

} // namespace
