// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/burst.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <numeric>
#include <vector>

#include "noria/ring/spsc_ring.hpp"

namespace {

using namespace noria;

// A ring of plain int in an array, with exactly the two calls that the concepts ask for: no sync_type, no
// bool, no handle. Its spans meet at slot 3, so that every longer burst is cut there.
class model_ring {
  public:
    using value_type = int;
    static constexpr std::uint32_t capacity = 8, cut = 3;

    struct writing {
        model_ring& ring;
        std::uint32_t count;
        std::uint32_t size() const noexcept { return count; }
        std::span<int> first() const noexcept { return std::span(ring.scratch_).first(std::min(count, cut)); }
        std::span<int> second() const noexcept {
            return std::span(ring.scratch_).subspan(cut, count - std::min(count, cut));
        }
        void commit(std::uint32_t k) noexcept {
            ring.items_.insert(ring.items_.end(), ring.scratch_.begin(), ring.scratch_.begin() + k);
        }
    };
    struct reading {
        model_ring& ring;
        std::uint32_t count;
        std::uint32_t size() const noexcept { return count; }
        std::span<const int> first() const noexcept {
            return std::span(ring.scratch_).first(std::min(count, cut));
        }
        std::span<const int> second() const noexcept {
            return std::span(ring.scratch_).subspan(cut, count - std::min(count, cut));
        }
        void release(std::uint32_t k) noexcept {
            ring.items_.erase(ring.items_.begin(), ring.items_.begin() + k);
        }
    };

    writing reserve(std::uint32_t n) noexcept {
        return {*this, std::min(n, capacity - static_cast<std::uint32_t>(items_.size()))};
    }
    reading peek(std::uint32_t n) noexcept {
        std::copy(items_.begin(), items_.end(), scratch_.begin());
        return {*this, std::min(n, static_cast<std::uint32_t>(items_.size()))};
    }

  private:
    std::deque<int> items_;
    std::array<int, capacity> scratch_{};
};

// Random calls of all six functions, compared with a deque. `sure` says how many of the free slots a push may
// rely on.
template <class Producer, class Consumer>
void behave_like_a_deque(Producer& producer, Consumer& consumer, std::uint32_t capacity,
                         std::uint32_t held_back) {
    std::deque<int> model;
    int next = 0;
    for (int step = 0; step < 100; ++step) {
        const auto call = *rc::gen::inRange(0, 6);
        const auto size = *rc::gen::inRange<std::uint32_t>(0, capacity + 3);
        const auto free = static_cast<std::uint32_t>(capacity - model.size());
        const std::uint32_t sure = free > held_back ? free - held_back : 0;
        const auto there = static_cast<std::uint32_t>(model.size());
        std::vector<int> items(size, -1);
        std::uint32_t moved = 0;
        if (call < 2) {
            std::iota(items.begin(), items.end(), next);
            if (call == 0) {
                moved = push_burst(producer, std::span<const int>(items));
                RC_ASSERT(moved <= std::min(size, free));
                RC_ASSERT(moved >= std::min(size, sure));
            } else {
                const bool all = push_bulk(producer, items);
                RC_ASSERT((all ? size <= free : size > sure));
                moved = all ? size : 0;
            }
            for (std::uint32_t i = 0; i < moved; ++i)
                model.push_back(next++);
            continue;
        }
        std::vector<int> seen;
        const auto note = [&seen](int& item) noexcept { seen.push_back(item); };
        if (call < 4) {
            if (call == 2)
                moved = pop_burst(consumer, items);
            else
                moved = pop_bulk(consumer, items) ? size : 0;
            RC_ASSERT(moved == (call == 2 || size <= there ? std::min(size, there) : 0));
            RC_ASSERT(std::count(items.begin() + moved, items.end(), -1) ==
                      static_cast<std::ptrdiff_t>(size - moved));
            seen.assign(items.begin(), items.begin() + moved);
        } else {
            moved = call == 4 ? consume(consumer, size, note) : drain(consumer, note, size);
            RC_ASSERT(moved == std::min(size, there));
        }
        RC_ASSERT(seen.size() == moved);
        RC_ASSERT(std::equal(seen.begin(), seen.end(), model.begin()));
        model.erase(model.begin(), model.begin() + moved);
    }
}

TEST(burst, behaves_like_a_deque_over_the_archetypes) {
    static_assert(burst_producer<model_ring> && burst_consumer<model_ring>);
    EXPECT_TRUE(rc::check([] {
        model_ring ring;
        behave_like_a_deque(ring, ring, model_ring::capacity, 0);
    }));
}

template <std::uint32_t Capacity>
void spsc_behaves() {
    EXPECT_TRUE(rc::check([] {
        const auto start = *rc::gen::elementOf(std::vector<std::uint32_t>{0, 0x7fff'fffc, 0xffff'fffd});
        spsc_ring<int, {.capacity = Capacity}> ring(start);
        auto [producer, consumer] = ring.split();
        behave_like_a_deque(producer, consumer, Capacity, Capacity / 8 > 1 ? Capacity / 8 - 1 : 0);
    }));
}

TEST(burst, behaves_like_a_deque_over_spsc) {
    spsc_behaves<1>();
    spsc_behaves<2>();
    spsc_behaves<3>();
    spsc_behaves<64>();
    spsc_behaves<100>();
}

TEST(burst, moves_what_cannot_be_copied_and_leaves_what_does_not_fit) {
    spsc_ring<std::unique_ptr<int>, {.capacity = 3}> ring(0xffff'fffe);
    auto [producer, consumer] = ring.split();
    std::array<std::unique_ptr<int>, 5> items;
    for (int i = 0; i < 5; ++i)
        items[static_cast<std::size_t>(i)].reset(new int(i));
    EXPECT_FALSE(push_bulk(producer, items));
    EXPECT_TRUE(std::all_of(items.begin(), items.end(), [](auto& item) { return item != nullptr; }));
    EXPECT_EQ(push_burst(producer, items), 3u);
    EXPECT_EQ(items[2], nullptr);
    ASSERT_NE(items[3], nullptr);
    EXPECT_EQ(*items[3], 3);

    std::array<std::unique_ptr<int>, 4> out;
    EXPECT_FALSE(pop_bulk(consumer, out));
    EXPECT_EQ(pop_burst(consumer, std::span(out).first(2)), 2u);
    EXPECT_EQ(*out[0], 0);
    EXPECT_EQ(*out[1], 1);
    int kept = -1;
    EXPECT_EQ(consume(consumer, 5, [&kept](std::unique_ptr<int>& item) noexcept { kept = *std::move(item); }),
              1u);
    EXPECT_EQ(kept, 2);
    EXPECT_EQ(push_burst(producer, std::span(items).subspan(3)), 2u);
}

TEST(burst, drain_takes_what_comes_meanwhile) {
    spsc_ring<int, {.capacity = 4}> ring;
    auto [producer, consumer] = ring.split();
    ASSERT_TRUE(producer.try_push(0));
    const auto echo = [&again = producer](int& item) noexcept {
        if (item < 9) {
            EXPECT_TRUE(again.try_push(item + 1));
        }
    };
    EXPECT_EQ(drain(consumer, echo, 6), 6u);
    EXPECT_EQ(drain(consumer, echo, 100), 4u);
}

template <class R, class Items>
concept pushes = requires(R& ring, Items items) { push_burst(ring, items); };
using int_producer = spsc_ring<int, {.capacity = 4}>::producer;
using pointer_producer = spsc_ring<std::unique_ptr<int>, {.capacity = 4}>::producer;
static_assert(pushes<int_producer, std::span<const int>> && pushes<int_producer, std::span<int>>);
static_assert(pushes<pointer_producer, std::span<std::unique_ptr<int>>>);
static_assert(!pushes<pointer_producer, std::span<const std::unique_ptr<int>>>); // nothing to move from
static_assert(!pushes<int, std::span<const int>>);

template <class R, class F>
concept consumes = requires(R& ring, F f) { consume(ring, 1, f); };
using int_consumer = spsc_ring<int, {.capacity = 4}>::consumer;
static_assert(consumes<int_consumer, void (*)(int&) noexcept> &&
              consumes<int_consumer, void (*)(int) noexcept>);
static_assert(!consumes<int_consumer, void (*)(int&)>); // might throw in the middle of a burst

} // namespace
