// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/device_ring.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <thread>
#include <type_traits>
#include <vector>

#include "support/random.hpp"
#include "support/strict_sync.hpp"

namespace {

// As a network card has it: the status, with the done bit, overlays the second address of the posted format.
struct card_descriptor {
    std::uint64_t address;
    std::uint32_t status;
    std::uint32_t length;
    friend bool operator==(const card_descriptor&, const card_descriptor&) = default;
};
// The same with a phase in a bit that is not the top one.
struct phased_descriptor {
    std::uint64_t address;
    std::uint32_t length;
    std::uint32_t status;
    friend bool operator==(const phased_descriptor&, const phased_descriptor&) = default;
};
// Four do not fit in a line.
struct wide_descriptor {
    std::uint32_t status;
    std::uint32_t length;
    std::uint64_t address;
    std::uint64_t rest[5];
    friend bool operator==(const wide_descriptor&, const wide_descriptor&) = default;
};

} // namespace

template <>
struct noria::descriptor_traits<card_descriptor> {
    static constexpr std::size_t word_offset = offsetof(card_descriptor, status);
    static constexpr std::uint32_t owner_bit = 1;
    static constexpr noria::ownership kind = noria::ownership::done_bit;
};
template <>
struct noria::descriptor_traits<phased_descriptor> {
    static constexpr std::size_t word_offset = offsetof(phased_descriptor, status);
    static constexpr std::uint32_t owner_bit = 1u << 4;
};
template <>
struct noria::descriptor_traits<wide_descriptor> {
    static constexpr std::size_t word_offset = offsetof(wide_descriptor, status);
};

namespace {

using namespace noria;

// The descriptor that is posted n-th, and what the device makes of it.
template <class D>
D posted(std::uint32_t n) {
    D d{};
    d.address = (std::uint64_t{n} << 32) + ~n;
    d.status = (n * 2654435761u) & ~detail::owner_bit_of<D>();
    d.length = n * 7;
    return d;
}
template <class D>
D completed(std::uint32_t n) {
    D d = posted<D>(n);
    d.address = ~d.address;
    d.status = ~d.status & ~detail::owner_bit_of<D>();
    d.length += 1;
    return d;
}

using card_ring = device_ring<card_descriptor, {.capacity = 4}>;
static_assert(sizeof(card_ring::slot_type) == 16);
static_assert(std::is_nothrow_move_constructible_v<card_ring::driver> &&
              !std::is_copy_constructible_v<card_ring::driver>);
static_assert(std::is_nothrow_move_constructible_v<card_ring::device> &&
              !std::is_copy_constructible_v<card_ring::device>);
static_assert(!std::is_constructible_v<card_ring, std::span<card_ring::slot_type>, std::uint32_t>);
static_assert(alignof(card_ring::driver) == thread_gap && alignof(card_ring::device) == thread_gap);

const std::vector<std::uint32_t> starts = {0, 0x7fff'fffe, 0xffff'ffff - 70, 0xffff'fffe, 0xffff'ffff};

struct counting_bell {
    std::vector<std::uint32_t>& rung;
    void ring(std::uint32_t tail) const noexcept { rung.push_back(tail); }
};

// Random calls, one after another, compared with queues of numbers.
template <class Ring>
void behaves_like_its_model(Ring& ring, std::uint32_t report_every, std::uint32_t start) {
    using D = typename Ring::value_type;
    const std::uint32_t capacity = ring.capacity();
    struct entry {
        std::uint32_t number;
        bool written_back;
    };
    std::deque<std::uint32_t> written, with_device, fetched;
    std::deque<entry> unreported, reported;
    std::uint32_t next = 0;
    const auto report = [&] {
        if (unreported.empty())
            return;
        unreported.back().written_back = true;
        reported.insert(reported.end(), unreported.begin(), unreported.end());
        unreported.clear();
    };
    const auto burst = [&] { return *rc::gen::inRange<std::uint32_t>(0, capacity + 2); };

    for (int round = 0; round < 3; ++round) {
        auto [driver, device] = ring.split();
        for (int step = 0; step < 80; ++step) {
            const auto in_ring = static_cast<std::uint32_t>(
                written.size() + with_device.size() + fetched.size() + unreported.size() + reported.size());
            RC_ASSERT(driver.space() == capacity - in_ring);
            switch (*rc::gen::inRange(0, 7)) {
            case 0: {
                const bool done = driver.post(posted<D>(next));
                RC_ASSERT(done == (in_ring < capacity));
                if (done)
                    written.push_back(next++);
                break;
            }
            case 1: {
                std::vector<D> wanted(burst());
                for (std::uint32_t i = 0; i < wanted.size(); ++i)
                    wanted[i] = posted<D>(next + i);
                const std::uint32_t done = driver.post_burst(wanted);
                RC_ASSERT(done == std::min<std::size_t>(wanted.size(), capacity - in_ring));
                for (std::uint32_t i = 0; i < done; ++i)
                    written.push_back(next++);
                break;
            }
            case 2: {
                std::vector<std::uint32_t> rung;
                driver.publish(counting_bell{rung});
                RC_ASSERT(rung ==
                          (written.empty() ? std::vector<std::uint32_t>{} : std::vector{start + next}));
                with_device.insert(with_device.end(), written.begin(), written.end());
                written.clear();
                break;
            }
            case 3: {
                std::vector<D> out(burst());
                const std::uint32_t done = device.fetch(out);
                RC_ASSERT(done == std::min(out.size(), with_device.size()));
                for (std::uint32_t i = 0; i < done; ++i) {
                    RC_ASSERT(out[i] == posted<D>(with_device.front()));
                    fetched.push_back(with_device.front());
                    with_device.pop_front();
                }
                break;
            }
            case 4:
                for (std::uint32_t i = burst(); i != 0 && !fetched.empty(); --i) {
                    device.complete(completed<D>(fetched.front()));
                    unreported.push_back({fetched.front(), false});
                    fetched.pop_front();
                    if (unreported.size() == report_every)
                        report();
                }
                break;
            case 5:
                device.report();
                report();
                break;
            default: {
                std::vector<D> out(burst());
                const std::uint32_t done = driver.reap(out);
                RC_ASSERT(done == std::min(out.size(), reported.size()));
                for (std::uint32_t i = 0; i < done; ++i) {
                    const auto [number, written_back] = reported.front();
                    RC_ASSERT((out[i] == (written_back ? completed<D>(number) : posted<D>(number))));
                    reported.pop_front();
                }
            }
            }
        }
        // A driver that goes publishes, a device that goes reports, and the next one fetches again what this
        // one did not complete.
        with_device.insert(with_device.end(), written.begin(), written.end());
        written.clear();
        with_device.insert(with_device.begin(), fetched.begin(), fetched.end());
        fetched.clear();
        report();
    }
}

template <class D, device_ring_options Options, class Sync = std_sync>
void static_ring_behaves() {
    EXPECT_TRUE(rc::check([] {
        const auto start = *rc::gen::elementOf(starts);
        basic_device_ring<D, Options, Sync> ring(start);
        behaves_like_its_model(ring, Options.report_every, start);
    }));
}

TEST(device_ring, behaves_like_its_model_by_done_bit) {
    static_ring_behaves<card_descriptor, {.capacity = 1}>();
    static_ring_behaves<card_descriptor, {.capacity = 2}>();
    static_ring_behaves<card_descriptor, {.capacity = 3}>();
    static_ring_behaves<card_descriptor, {.capacity = 31}>();
    static_ring_behaves<wide_descriptor, {.capacity = 5}>();
}
TEST(device_ring, behaves_like_its_model_by_phase) {
    static_ring_behaves<phased_descriptor, {.capacity = 1}>();
    static_ring_behaves<phased_descriptor, {.capacity = 3}>();
    static_ring_behaves<phased_descriptor, {.capacity = 32}>();
}
TEST(device_ring, behaves_like_its_model_with_few_reports) {
    static_ring_behaves<card_descriptor, {.capacity = 8, .report_every = 2}>();
    static_ring_behaves<card_descriptor, {.capacity = 7, .report_every = 4}>();
    static_ring_behaves<card_descriptor, {.capacity = 3, .report_every = 4}>();
    static_ring_behaves<phased_descriptor, {.capacity = 8, .report_every = 2}>();
    static_ring_behaves<phased_descriptor, {.capacity = 13, .report_every = 4}>();
}
TEST(device_ring, behaves_like_its_model_over_the_archetype_of_a_policy) {
    static_ring_behaves<card_descriptor, {.capacity = 6}, strict_sync>();
    static_ring_behaves<phased_descriptor, {.capacity = 6, .report_every = 3}, strict_sync>();
}
TEST(device_ring, behaves_like_its_model_in_lent_slots_that_hold_rubbish) {
    EXPECT_TRUE(rc::check([] {
        using ring_type = device_ring<card_descriptor, {.capacity = dynamic, .report_every = 2}>;
        const auto capacity = *rc::gen::inRange<std::uint32_t>(1, 40);
        const auto start = *rc::gen::arbitrary<std::uint32_t>();
        std::vector<ring_type::slot_type> slots(slots_for(capacity));
        for (auto& slot : slots)
            slot.word.store(*rc::gen::arbitrary<std::uint32_t>(), std::memory_order_relaxed);
        ring_type ring(slots, capacity, start);
        RC_ASSERT(ring.capacity() == capacity);
        RC_ASSERT(ring.slots() == slots.data());
        behaves_like_its_model(ring, 2, start);
    }));
}

// A policy that counts the stores which another thread's cache has to hear of.
struct counting_sync : std_sync {
    static inline int releases = 0;

    template <class T>
    class atomic : public std::atomic<T> {
      public:
        using std::atomic<T>::atomic;
        void store(T value, std::memory_order order) noexcept {
            releases += order == std::memory_order_release;
            std::atomic<T>::store(value, order);
        }
    };
};

template <std::uint32_t ReportEvery>
int write_backs_of_14_descriptors() {
    basic_device_ring<card_descriptor, {.capacity = 16, .report_every = ReportEvery}, counting_sync> ring(
        ~0u);
    auto [driver, device] = ring.split();
    std::vector<card_descriptor> some(14);
    EXPECT_EQ(driver.post_burst(some), 14u);
    driver.publish();
    EXPECT_EQ(device.fetch(some), 14u);
    counting_sync::releases = 0;
    for (const auto& one : some)
        device.complete(one);
    device.report();
    EXPECT_EQ(driver.reap(some), 14u);
    return counting_sync::releases;
}

TEST(device_ring, writes_back_as_often_as_it_reports) {
    EXPECT_EQ(write_backs_of_14_descriptors<1>(), 14);
    EXPECT_EQ(write_backs_of_14_descriptors<2>(), 7);
    EXPECT_EQ(write_backs_of_14_descriptors<4>(), 4); // the last on two
}

// What a device in software would do by mistake, and one in hardware out of malice.

template <class Ring>
void set_done(typename Ring::slot_type* slots, std::uint32_t index, std::uint32_t mask) {
    slots[index & mask].word.fetch_or(owner_at<typename Ring::value_type>(index, mask));
    slots[index & mask].word.fetch_and(owner_at<typename Ring::value_type>(index, mask) |
                                       ~Ring::slot_type::owner_bit);
}

TEST(device_ring, a_completion_out_of_turn_waits_for_its_turn) {
    using ring_type = device_ring<card_descriptor, {.capacity = dynamic}>;
    std::vector<ring_type::slot_type> slots(8);
    ring_type ring(slots, 8);
    auto [driver, device] = ring.split();
    std::vector<card_descriptor> some(8);
    for (std::uint32_t i = 0; i < 6; ++i)
        ASSERT_TRUE(driver.post(posted<card_descriptor>(i)));
    driver.publish();
    for (const std::uint32_t early : {1u, 2u, 4u})
        set_done<ring_type>(slots.data(), early, 7);
    EXPECT_EQ(driver.reap(some), 0u);
    set_done<ring_type>(slots.data(), 0, 7);
    EXPECT_EQ(driver.reap(some), 3u);
    EXPECT_EQ(some[2], posted<card_descriptor>(2));
    set_done<ring_type>(slots.data(), 3, 7);
    EXPECT_EQ(driver.reap(some), 2u);
    EXPECT_EQ(driver.reap(some), 0u);
}

TEST(device_ring, a_completion_of_the_lap_before_is_none_of_this_lap) {
    using ring_type = device_ring<phased_descriptor, {.capacity = dynamic}>;
    for (const std::uint32_t start : starts) {
        std::vector<ring_type::slot_type> slots(2);
        ring_type ring(slots, 2, start);
        auto [driver, device] = ring.split();
        std::vector<phased_descriptor> some(2);
        for (std::uint32_t lap = 0; lap < 5; ++lap) {
            ASSERT_EQ(driver.post_burst(
                          std::vector{posted<phased_descriptor>(lap), posted<phased_descriptor>(~lap)}),
                      2u);
            driver.publish();
            if (lap != 0) {
                set_done<ring_type>(slots.data(), start + 2 * lap - 2, 1); // again
                ASSERT_EQ(driver.reap(some), 0u);
            }
            set_done<ring_type>(slots.data(), start + 2 * lap + 1, 1);
            set_done<ring_type>(slots.data(), start + 2 * lap, 1);
            ASSERT_EQ(driver.reap(some), 2u);
            ASSERT_EQ(some[0], posted<phased_descriptor>(lap));
            ASSERT_EQ(some[1], posted<phased_descriptor>(~lap));
        }
    }
}

// It flips ownership bits everywhere and at any time. The driver hands back each post once, in order, and
// never one that it has not published; the sanitizers watch the borders of the slots.
template <class D, std::uint32_t ReportEvery>
void survives_a_device_that_flips_bits() {
    using ring_type = device_ring<D, {.capacity = dynamic, .report_every = ReportEvery}>;
    random_steps random;
    for (const std::uint32_t capacity : {1u, 2u, 5u, 8u, 30u}) {
        std::vector<typename ring_type::slot_type> slots(slots_for(capacity));
        ring_type ring(slots, capacity, 0u - 100);
        auto [driver, device] = ring.split();
        std::uint32_t next = 0, published = 0, reaped = 0;
        for (std::uint64_t step = 0; step < random_steps::count(4000, 1500); ++step) {
            for (std::uint32_t flips = random.below(4); flips != 0; --flips)
                random.pick(slots).word.fetch_xor(detail::owner_bit_of<D>());
            switch (random.below(3)) {
            case 0:
                next += driver.post(posted<D>(next)) ? 1u : 0u;
                break;
            case 1:
                driver.publish();
                published = next;
                break;
            default: {
                std::vector<D> out(random.below(capacity + 3));
                const std::uint32_t count = driver.reap(out);
                ASSERT_LE(count, out.size());
                for (std::uint32_t i = 0; i < count; ++i)
                    ASSERT_EQ(out[i], posted<D>(reaped + i));
                reaped += count;
                ASSERT_LE(reaped, published);
            }
            }
            ASSERT_EQ(driver.space(), capacity - (next - reaped));
        }
        ASSERT_GT(reaped, capacity) << "not one lap: too few steps to test anything";
    }
}

TEST(device_ring, survives_a_device_that_flips_bits) {
    survives_a_device_that_flips_bits<card_descriptor, 1>();
    survives_a_device_that_flips_bits<card_descriptor, 4>();
    survives_a_device_that_flips_bits<phased_descriptor, 1>();
    survives_a_device_that_flips_bits<phased_descriptor, 2>();
}

// (Not a proof of the orders, which x86 hides: the explorer is for that.)
template <std::uint32_t ReportEvery>
void crosses_threads_and_back() {
    constexpr std::uint32_t total = 50'000;
    device_ring<card_descriptor, {.capacity = 60, .report_every = ReportEvery}> ring(0xffff'ffff - 1000);
    auto roles = ring.split();
    std::uint32_t wrong_posts = 0;
    std::thread other([&wrong_posts, device = std::move(roles.device)]() mutable {
        std::vector<card_descriptor> out(9);
        for (std::uint32_t seen = 0; seen < total;) {
            const std::uint32_t count = device.fetch(out);
            for (std::uint32_t i = 0; i < count; ++i, ++seen) {
                wrong_posts += out[i] != posted<card_descriptor>(seen) ? 1u : 0u;
                device.complete(completed<card_descriptor>(seen));
            }
            if (count == 0) {
                device.report();
                std::this_thread::yield();
            }
        }
    });
    std::uint32_t next = 0, back = 0, wrong = 0;
    std::vector<card_descriptor> out(23);
    while (back < total) {
        while (next < total && roles.driver.post(posted<card_descriptor>(next)))
            ++next;
        roles.driver.publish();
        const std::uint32_t count = roles.driver.reap(out);
        for (std::uint32_t i = 0; i < count; ++i, ++back)
            wrong += out[i] != completed<card_descriptor>(back) &&
                             (ReportEvery == 1 || out[i] != posted<card_descriptor>(back))
                         ? 1u
                         : 0u;
        if (count == 0)
            std::this_thread::yield();
    }
    other.join();
    EXPECT_EQ(wrong_posts, 0u);
    EXPECT_EQ(wrong, 0u);
}

TEST(device_ring, crosses_threads_and_back) {
    crosses_threads_and_back<1>();
    crosses_threads_and_back<4>();
}

TEST(device_ring_contract, is_watched) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "death tests fork, which the thread sanitizer does not like";
#endif
    if (!checked_mode)
        GTEST_SKIP() << "contracts are not checked in this build";
    card_ring ring;
    auto [driver, device] = ring.split();
    EXPECT_DEATH((void)ring.split(), "one driver and one device");
    EXPECT_DEATH((void)driver.post({0, 1, 0}), "belongs to the ring");
    EXPECT_DEATH(device.complete({}), "fetch a descriptor");
    card_descriptor one{};
    ASSERT_TRUE(driver.post(one));
    driver.publish();
    ASSERT_EQ(device.fetch({&one, 1}), 1u);
    EXPECT_DEATH(device.complete({0, 1, 0}), "belongs to the ring");
    auto moved = std::move(driver);
    EXPECT_DEATH((void)driver.post({}), "moved away");
    EXPECT_TRUE(moved.post({}));
}

} // namespace
