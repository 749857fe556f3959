// SPDX-License-Identifier: BSL-1.0
#include "noria/ring/shared.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "noria/ring/burst.hpp"
#include "noria/ring/notifier.hpp"
#include "noria/ring/wait.hpp"

namespace {

using namespace noria;

struct item {
    std::uint64_t number = 0;
    std::uint64_t check = 0;
    static item of(std::uint64_t n) { return {n, ~n * 0x9e37'79b9}; }
    friend bool operator==(const item&, const item&) = default;
};
constexpr std::uint32_t capacity = 61; // return chunk: 7
using ring = shared_ring<item, {.capacity = capacity}>;
constexpr std::uint32_t start = 0xffff'ffff - 30;

static_assert(ring::bytes == sizeof(ring::ring_type) + thread_gap, "one header in front of the ring");
static_assert(std::is_trivially_copyable_v<ring>, "a view");

// What the processes of a test share: the ring, and beside it bells and a count for the test's own use.
struct shared_area {
    alignas(ring::alignment) std::byte memory[ring::bytes];
    shared_notifier items, room;
    std::atomic<std::uint64_t> count{0};
};

class shared_file {
  public:
    shared_file() : fd_(::memfd_create("shared_test", MFD_CLOEXEC)) {
        if (::ftruncate(fd_, sizeof(shared_area)) == 0)
            ::new (static_cast<void*>(&map())) shared_area;
    }
    shared_file(const shared_file&) = delete;
    shared_file& operator=(const shared_file&) = delete;
    ~shared_file() { ::close(fd_); }

    // Another mapping at each call; they go with the process.
    [[nodiscard]] shared_area& map() const {
        void* at = ::mmap(nullptr, sizeof(shared_area), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
        return *static_cast<shared_area*>(at);
    }

  private:
    int fd_;
};

// A child process that runs `work` and leaves with what it returns.
template <class Work>
pid_t in_child(Work&& work) {
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(work());
    return child;
}

int exit_code_of(pid_t child) {
    int status = 0;
    if (::waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

void kill_and_bury(pid_t child) {
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "it was still at work";
}

// The ring of a mapping, which must be there.
ring attached(shared_area& area) {
    return ring::attach(area.memory).value();
}

// Exactly the capacity fits, and comes out in order.
void expect_not_vacuous(ring& here) {
    auto producer = here->open_producer();
    auto consumer = here->open_consumer();
    ASSERT_TRUE(producer && consumer);
    item out;
    ASSERT_FALSE(consumer->try_pop(out));
    for (std::uint64_t i = 0; i != capacity; ++i)
        ASSERT_TRUE(producer->try_push(item::of(i)));
    ASSERT_FALSE(producer->try_push(item()));
    for (std::uint64_t i = 0; i != capacity; ++i) {
        ASSERT_TRUE(consumer->try_pop(out));
        ASSERT_EQ(out, item::of(i));
    }
}

TEST(shared_ring, crosses_processes_that_map_it_at_different_addresses) {
    constexpr std::uint64_t total = 30'000;
    shared_file file;
    shared_area& ours = file.map();
    auto made = ring::create(ours.memory, start);
    ASSERT_TRUE(made) << made.error().advice;

    const pid_t child = in_child([&] {
        shared_area& theirs = file.map();
        if (&theirs == &ours)
            return 1;
        auto seen = ring::attach(theirs.memory);
        if (!seen || &**seen == &**made)
            return 2;
        auto producer = (*seen)->open_producer();
        if (!producer)
            return 3;
        for (std::uint64_t next = 0; next < total;) {
            if (next % 5 == 0) {
                theirs.room.wait([&]() noexcept { return producer->try_push(item::of(next)); });
                ++next;
            } else {
                item burst[40];
                const std::uint64_t left = total - next;
                const std::size_t count = left < next % 40 + 1 ? left : next % 40 + 1;
                for (std::size_t i = 0; i != count; ++i)
                    burst[i] = item::of(next + i);
                const std::span<const item> items(burst, count);
                next += theirs.room.wait([&]() noexcept { return push_burst(*producer, items); });
            }
            theirs.items.notify();
        }
        return 0;
    });
    std::uint64_t seen = 0, wrong = 0;
    {
        auto consumer = (*made)->open_consumer();
        ASSERT_TRUE(consumer) << consumer.error().advice;
        while (seen != total) {
            item burst[33];
            const std::span<item> room(burst, seen % 33 + 1);
            const std::uint32_t count =
                ours.items.wait([&]() noexcept { return pop_burst(*consumer, room); });
            for (std::uint32_t i = 0; i != count; ++i)
                wrong += burst[i] != item::of(seen++) ? 1u : 0u;
            ours.room.notify();
        }
    }
    EXPECT_EQ(exit_code_of(child), 0);
    EXPECT_EQ(wrong, 0u);
    expect_not_vacuous(*made);
}

TEST(shared_ring, gives_each_role_to_one_holder_at_a_time) {
    shared_file file;
    auto made = ring::create(file.map().memory, start);
    ASSERT_TRUE(made) << made.error().advice;
    ring other = attached(file.map());
    {
        auto producer = (*made)->open_producer();
        ASSERT_TRUE(producer) << producer.error().advice;
        auto refused = other->open_producer();
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, std::errc::device_or_resource_busy);
        EXPECT_NE(std::string(refused.error().advice).find("has a producer"), std::string::npos);
        EXPECT_TRUE(producer->try_push(item::of(1)));

        auto consumer = other->open_consumer();
        ASSERT_TRUE(consumer) << "the other role is free";
        auto second = (*made)->open_consumer();
        ASSERT_FALSE(second);
        EXPECT_NE(std::string(second.error().advice).find("has a consumer"), std::string::npos);
    }
    auto producer = other->open_producer();
    auto consumer = (*made)->open_consumer();
    ASSERT_TRUE(producer && consumer);
    EXPECT_TRUE(producer->try_push(item::of(2)));
    for (const std::uint64_t number : {1u, 2u}) {
        item out;
        ASSERT_TRUE(consumer->try_pop(out));
        EXPECT_EQ(out, item::of(number));
    }
}

TEST(shared_ring, goes_on_after_its_producer_was_killed) {
    shared_file file;
    shared_area& ours = file.map();
    auto made = ring::create(ours.memory, start);
    ASSERT_TRUE(made) << made.error().advice;
    auto consumer = (*made)->open_consumer();
    ASSERT_TRUE(consumer) << consumer.error().advice;

    const pid_t child = in_child([&] {
        shared_area& theirs = file.map();
        ring here = attached(theirs);
        auto producer = here->open_producer();
        for (std::uint64_t i = 0; i != 3; ++i)
            (void)producer->try_push(item::of(i));
        auto half_done = producer->reserve(5);
        half_done.first()[0] = item::of(3);
        theirs.count.store(1, std::memory_order_release);
        for (;;)
            ::pause();
        return 0;
    });
    wait_until(yield_wait(), [&]() noexcept { return ours.count.load(std::memory_order_acquire); });
    kill_and_bury(child);

    EXPECT_FALSE((*made)->open_producer()) << "nobody has let go of the role";
    (*made)->reclaim_producer();
    auto producer = (*made)->open_producer();
    ASSERT_TRUE(producer) << producer.error().advice;
    for (std::uint64_t i = 3; i != capacity; ++i)
        ASSERT_TRUE(producer->try_push(item::of(i))) << "what was only reserved takes no room";
    EXPECT_FALSE(producer->try_push(item()));
    for (std::uint64_t i = 0; i != capacity; ++i) {
        item out;
        ASSERT_TRUE(consumer->try_pop(out));
        ASSERT_EQ(out, item::of(i));
    }
}

// Killed at any moment: what a producer has published is in the ring, whole and in order.
TEST(shared_ring, survives_producers_killed_in_mid_work) {
    shared_file file;
    shared_area& ours = file.map();
    auto made = ring::create(ours.memory, start);
    ASSERT_TRUE(made) << made.error().advice;
    auto consumer = (*made)->open_consumer();
    ASSERT_TRUE(consumer) << consumer.error().advice;
    std::uint64_t next = 0;
    const auto take = [&]() noexcept {
        item out;
        if (!consumer->try_pop(out))
            return false;
        EXPECT_EQ(out, item::of(next));
        ++next;
        return true;
    };
    for (std::uint64_t round = 0; round != 30; ++round) {
        const pid_t child = in_child([&] {
            ring here = attached(file.map());
            auto producer = here->open_producer();
            if (!producer)
                return 1;
            for (std::uint64_t number = next;;) {
                auto token = producer->reserve(7);
                if (token.size() == 0)
                    yield_wait::wait();
                for (auto slots : {token.first(), token.second()})
                    for (item& slot : slots)
                        slot = item::of(number++);
                token.commit(token.size());
            }
        });
        const std::uint64_t enough = next + 1 + 37 * round;
        while (next != enough)
            wait_until(yield_wait(), take);
        kill_and_bury(child);
        (*made)->reclaim_producer();
        while (take()) {
        }
        ASSERT_FALSE(HasFailure());
    }
}

// Killed at any moment: of what a consumer took, less than a return chunk is seen again, and nothing is lost.
TEST(shared_ring, survives_consumers_killed_in_mid_work) {
    shared_file file;
    shared_area& ours = file.map();
    auto made = ring::create(ours.memory, start);
    ASSERT_TRUE(made) << made.error().advice;
    auto producer = (*made)->open_producer();
    ASSERT_TRUE(producer) << producer.error().advice;
    std::uint64_t next_in = 0, known = 0;
    for (std::uint64_t round = 0; round != 30; ++round) {
        ours.count.store(known, std::memory_order_relaxed);
        const pid_t child = in_child([&] {
            shared_area& theirs = file.map();
            ring here = attached(theirs);
            auto consumer = here->open_consumer();
            if (!consumer)
                return 1;
            for (std::uint64_t number = known;;) {
                item out;
                wait_until(yield_wait(), [&]() noexcept { return consumer->try_pop(out); });
                if (out != item::of(number))
                    return 2;
                theirs.count.store(++number, std::memory_order_relaxed);
            }
        });
        const std::uint64_t enough = next_in + 10 + 37 * round;
        while (next_in != enough)
            next_in +=
                wait_until(yield_wait(), [&]() noexcept { return producer->try_push(item::of(next_in)); });
        kill_and_bury(child);
        const std::uint64_t taken = ours.count.load(std::memory_order_relaxed);
        (*made)->reclaim_consumer();
        auto consumer = (*made)->open_consumer();
        ASSERT_TRUE(consumer) << consumer.error().advice;
        known = next_in;
        if (item out; consumer->try_pop(out)) {
            ASSERT_EQ(out, item::of(out.number));
            ASSERT_LE(out.number, taken + 1) << "an item was lost"; // one may be taken and not yet counted
            ASSERT_GE(out.number + capacity / 8 - 1, taken) << "more came again than was held back";
            for (std::uint64_t number = out.number + 1; consumer->try_pop(out); ++number)
                ASSERT_EQ(out, item::of(number));
            ASSERT_EQ(out, item::of(next_in - 1));
        }
    }
}

// Memory on the heap, exactly as large as the ring: the address sanitizer sees what lies beside it.
struct block {
    explicit block(std::size_t bytes = ring::bytes)
        : memory(static_cast<std::byte*>(::operator new(bytes, std::align_val_t(ring::alignment))), bytes) {
        std::memset(memory.data(), 0, bytes);
    }
    block(const block&) = delete;
    block& operator=(const block&) = delete;
    ~block() { ::operator delete(memory.data(), std::align_val_t(ring::alignment)); }
    std::span<std::byte> memory;
};

std::string refusal(const auto& result) {
    return result ? "it was accepted" : result.error().advice;
}

TEST(shared_ring, refuses_memory_that_does_not_fit) {
    block here(ring::bytes + ring::alignment);
    for (const bool create : {false, true}) {
        const auto tried = [&](std::span<std::byte> memory) {
            return refusal(create ? ring::create(memory) : ring::attach(memory));
        };
        EXPECT_NE(tried(here.memory.first(ring::bytes - 1)).find("too small"), std::string::npos);
        EXPECT_NE(tried({}).find("too small"), std::string::npos);
        EXPECT_NE(tried(here.memory.subspan(cache_line)).find("multiple of"), std::string::npos);
    }
}

TEST(shared_ring, attaches_only_to_what_was_created_and_says_what_is_different) {
    block here;
    auto early = ring::attach(here.memory);
    EXPECT_NE(refusal(early).find("no ring in this memory yet"), std::string::npos);
    EXPECT_EQ(early.error().code, std::errc::resource_unavailable_try_again);
    here.memory[3] = std::byte{1};
    EXPECT_NE(refusal(ring::attach(here.memory)).find("not a shared ring"), std::string::npos);

    ASSERT_TRUE(ring::create(here.memory)) << "whatever was there";
    ASSERT_TRUE(ring::attach(here.memory));
    using narrow = shared_ring<std::uint64_t, {.capacity = capacity}>;
    EXPECT_NE(refusal(narrow::attach(here.memory)).find("items of another size"), std::string::npos);
    using shorter = shared_ring<item, {.capacity = capacity - 1}>;
    EXPECT_NE(refusal(shorter::attach(here.memory)).find("another capacity"), std::string::npos);

    // The words behind the mark: each is looked at, and each has a sentence of its own.
    std::set<std::string> sentences;
    for (std::size_t word = 0; word != 5; ++word) {
        std::byte& changed = here.memory[8 + 4 * word];
        changed ^= std::byte{0x40};
        auto refused = ring::attach(here.memory);
        ASSERT_FALSE(refused) << word;
        EXPECT_EQ(refused.error().code, std::errc::protocol_error);
        sentences.insert(refused.error().advice);
        changed ^= std::byte{0x40};
        ASSERT_TRUE(ring::attach(here.memory)) << word;
    }
    EXPECT_EQ(sentences.size(), 5u);
}

// The other process may write what it likes: the two indices are found by their value, and set.
class shared_ring_beside_nonsense : public testing::Test {
  protected:
    shared_ring_beside_nonsense() {
        constexpr std::uint32_t conspicuous = 0x5eed'5eed;
        EXPECT_TRUE(ring::create(here.memory, conspicuous));
        for (std::size_t at = 0; at != ring::bytes; at += 4)
            if (word(at) == conspicuous)
                (tail == 0 ? tail : head) = at;
        EXPECT_TRUE(tail != 0 && head == tail + thread_gap);
    }

    std::uint32_t word(std::size_t at) const {
        std::uint32_t value;
        std::memcpy(&value, here.memory.data() + at, 4);
        return value;
    }
    void set(std::size_t at, std::uint32_t value) { std::memcpy(here.memory.data() + at, &value, 4); }

    // Touches every slot of a token, which the address sanitizer watches.
    template <class Token>
    static bool within(std::span<std::byte> memory, Token& token) {
        std::uint64_t sum = 0;
        for (auto slots : {token.first(), token.second()}) {
            const auto bytes = std::as_bytes(slots);
            if (!bytes.empty() &&
                (bytes.data() < memory.data() || bytes.data() + bytes.size() > memory.data() + memory.size()))
                return false;
            for (auto& slot : slots)
                sum += slot.number;
        }
        volatile std::uint64_t used = sum;
        (void)used;
        return true;
    }

    block here;
    std::size_t tail = 0, head = 0;
};

TEST_F(shared_ring_beside_nonsense, stays_within_its_memory) {
    EXPECT_TRUE(rc::check([this] {
        const auto anything = rc::gen::oneOf(rc::gen::arbitrary<std::uint32_t>(),
                                             rc::gen::map(rc::gen::inRange(-70, 70), [this](int by) {
                                                 return word(tail) + static_cast<unsigned>(by);
                                             }));
        const auto setting = rc::gen::pair(rc::gen::element(0, 1, 2), anything);
        set(tail, *anything);
        set(head, *anything);
        ring seen = ring::attach(here.memory).value();
        auto [producer, consumer] = seen->split();
        for (const auto& [which, value] :
             *rc::gen::container<std::vector<std::pair<int, std::uint32_t>>>(20, setting)) {
            if (which < 2)
                set(which == 0 ? tail : head, value);
            for (auto singles = *rc::gen::inRange<std::uint32_t>(0, capacity + 2); singles != 0; --singles) {
                item out;
                (void)producer.try_push(out);
            }
            {
                auto room = producer.reserve(~0u);
                RC_ASSERT(room.size() <= capacity);
                RC_ASSERT(within(here.memory, room));
                room.commit(*rc::gen::arbitrary<bool>() ? room.size() / 2 : 0);
            }
            {
                auto items = consumer.peek(~0u);
                RC_ASSERT(items.size() <= capacity);
                RC_ASSERT(within(here.memory, items));
                items.release(items.size() / 2);
            }
            item out;
            (void)producer.try_push(out);
            (void)consumer.try_pop(out);
        }
    }));
}

TEST_F(shared_ring_beside_nonsense, counts_it_as_full_or_empty_and_says_so) {
    ring seen = ring::attach(here.memory).value();
    auto [producer, consumer] = seen->split();
    EXPECT_TRUE(producer.sound() && consumer.sound());
    const std::uint32_t good = word(tail);
    item out = item::of(9);
    for (const std::uint32_t bad : {good - capacity - 1, good + 1, good + 0x8000'0000}) {
        set(head, bad);
        EXPECT_FALSE(producer.sound());
        EXPECT_FALSE(producer.try_push(item()));
        EXPECT_EQ(producer.reserve(~0u).size(), 0u);
    }
    set(head, good);
    for (const std::uint32_t bad : {good - 1, good + capacity + 1, good + 0x8000'0000}) {
        set(tail, bad);
        EXPECT_FALSE(consumer.sound());
        EXPECT_FALSE(consumer.try_pop(out));
        EXPECT_EQ(consumer.peek(~0u).size(), 0u);
    }
    set(tail, good);
    EXPECT_TRUE(producer.sound() && consumer.sound());
    EXPECT_TRUE(producer.try_push(item::of(1)));
    EXPECT_TRUE(consumer.try_pop(out));
    EXPECT_EQ(out, item::of(1));
}

} // namespace
