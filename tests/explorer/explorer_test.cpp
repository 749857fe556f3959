// SPDX-License-Identifier: BSL-1.0
#include "explorer/explorer.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "noria/core/contract.hpp"

// The explorer finds each kind of fault, says where it is, and leaves what is right alone.

namespace {

using explorer::sync;
using word = sync::atomic<std::uint32_t>;

// What is said of a body that must fail.
template <class Body>
std::string story_of() {
    const explorer::verdict found = explorer::explore<Body>();
    EXPECT_FALSE(found.held);
    return found.story;
}
template <class Body>
void expect_held() {
    const explorer::verdict found = explorer::explore<Body>();
    EXPECT_TRUE(found.held && found.exhaustive) << found.story;
    const explorer::verdict at_random = explorer::explore_at_random<Body>(1'000, 3);
    EXPECT_TRUE(at_random.held) << at_random.story;
}

bool has(const std::string& story, const std::string& words) {
    return story.find(words) != std::string::npos;
}

// [body]
// A message and a flag that says that it is there.
template <std::memory_order Store, std::memory_order Load>
struct message {
    static constexpr unsigned threads = 2;

    void thread(unsigned index) {
        if (index == 0) {
            sync::write(text, 42u);
            there.store(1, Store);
        } else if (there.load(Load) == 1) {
            std::uint32_t seen = 0;
            sync::read(text, seen);
            explorer::check(seen == 42, "the message is read as it was written");
        }
    }
    void finish() {}

    sync::cell<std::uint32_t> text;
    sync::atomic<std::uint32_t> there{0};
};
// [/body]

TEST(explorer, a_data_race_is_found_whichever_side_lacks_its_order) {
    expect_held<message<std::memory_order_release, std::memory_order_acquire>>();
    for (const std::string& story :
         {story_of<message<std::memory_order_relaxed, std::memory_order_acquire>>(),
          story_of<message<std::memory_order_release, std::memory_order_relaxed>>()})
        EXPECT_TRUE(has(story, "data race: the last access reads a cell that thread 0 wrote")) << story;
}

TEST(explorer, the_story_tells_each_access_with_its_place) {
    const std::string story = story_of<message<std::memory_order_relaxed, std::memory_order_acquire>>();
    EXPECT_TRUE(has(story, "explorer_test.cpp:")) << story;
    EXPECT_TRUE(has(story, "A = 42  (cell)")) << story;
    EXPECT_TRUE(has(story, "B = 1  relaxed")) << story;
    EXPECT_TRUE(has(story, "B -> 1  acquire")) << story;
    EXPECT_LT(story.find("B = 1"), story.find("B -> 1"));
}

// A cell that is written while others read it, and only then.
struct written_while_read {
    static constexpr unsigned threads = 2;
    void thread(unsigned index) {
        std::uint32_t seen = 0;
        if (index == 0)
            sync::read(text, seen);
        else
            sync::write(text, 1u);
    }
    void finish() {}
    sync::cell<std::uint32_t> text;
};

TEST(explorer, a_race_needs_no_atomic) {
    EXPECT_TRUE(has(story_of<written_while_read>(), "data race"));
}

// [lost]
// Each of two threads adds one, by a load and a store.
struct lost_update {
    static constexpr unsigned threads = 2;
    void thread(unsigned) { sum.store(sum.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
    void finish() { explorer::check(sum.load(std::memory_order_relaxed) == 2, "both have counted"); }
    sync::atomic<std::uint32_t> sum{0};
};
// [/lost]

TEST(explorer, a_check_that_fails_names_itself) {
    EXPECT_TRUE(has(story_of<lost_update>(), "check failed: both have counted"));
    const explorer::verdict at_random = explorer::explore_at_random<lost_update>(1'000, 7);
    EXPECT_FALSE(at_random.held);
    EXPECT_TRUE(has(at_random.story, "check failed: both have counted"));
}

TEST(explorer, bounds_bound) {
    // Without an interruption and a stale look one thread counts behind the other.
    const explorer::verdict plain = explorer::explore<lost_update>({.preemptions = 0, .stale_reads = 0});
    EXPECT_TRUE(plain.held && plain.exhaustive);
    EXPECT_FALSE(explorer::explore<lost_update>({.preemptions = 1, .stale_reads = 0}).held);
    EXPECT_FALSE(explorer::explore<lost_update>({.preemptions = 0, .stale_reads = 1}).held);
    using right = message<std::memory_order_release, std::memory_order_acquire>;
    const explorer::verdict cut = explorer::explore<right>({.executions = 2});
    EXPECT_TRUE(cut.held);
    EXPECT_FALSE(cut.exhaustive);
    EXPECT_EQ(cut.executions, 2u);
}

// A sleeper and what may wake it. The flag is set either before a wake or without one.
template <bool Wakes>
struct sleeper {
    static constexpr unsigned threads = 2;
    void thread(unsigned index) {
        if (index == 0) {
            explorer::sleep_while(flag, 0);
            return;
        }
        flag.store(1, std::memory_order_relaxed);
        if (Wakes)
            explorer::wake(flag);
    }
    void finish() {}
    word flag{0};
};

TEST(explorer, who_sleeps_for_ever_is_found) {
    expect_held<sleeper<true>>();
    EXPECT_TRUE(has(story_of<sleeper<false>>(), "asleep for ever"));
}

// Waits for what never comes, or for what comes if others may run.
template <bool Comes>
struct waiter {
    static constexpr unsigned threads = 2;
    void thread(unsigned index) {
        if (index == 1) {
            if (Comes)
                flag.store(1, std::memory_order_relaxed);
            return;
        }
        while (flag.load(std::memory_order_relaxed) == 0)
            sync::relax();
    }
    void finish() {}
    word flag{0};
};

TEST(explorer, an_execution_that_does_not_end_is_found) {
    EXPECT_TRUE(has(story_of<waiter<false>>(), "does not end"));
    EXPECT_TRUE(explorer::explore<waiter<true>>().held);
}

struct broken_contract {
    static constexpr unsigned threads = 2;
    void thread(unsigned) {
        [[maybe_unused]] const std::uint32_t before = count.fetch_add(1, std::memory_order_relaxed);
        NORIA_EXPECTS(before == 0, "nothing: this contract is broken on purpose");
    }
    void finish() {}
    word count{0};
};
struct wild_pointer {
    static constexpr unsigned threads = 1;
    void thread(unsigned) { *reinterpret_cast<volatile char*>(std::uintptr_t{8}) = 1; }
    void finish() {}
};

TEST(explorer, a_broken_contract_and_a_crash_are_failures_like_others) {
    if (noria::checked_mode) {
        EXPECT_TRUE(has(story_of<broken_contract>(), "a contract is broken"));
    }
    EXPECT_TRUE(has(story_of<wild_pointer>(), "a wild pointer"));
}

// An atomic over bytes of the body: what it holds is in the bytes, and the bytes begin as they were set.
struct over_bytes {
    static constexpr unsigned threads = 2;
    over_bytes() {
        explorer::check(sync::at<std::uint32_t>(bytes).load(std::memory_order_relaxed) == 0, "a fresh body");
        explorer::check(&sync::at<std::uint32_t>(bytes) == &sync::at<std::uint32_t>(bytes), "one atomic");
        (void)sync::at<std::uint32_t>(bytes + 4);
    }
    void thread(unsigned index) {
        if (index == 0) {
            sync::at<std::uint32_t>(bytes).store(7, std::memory_order_relaxed);
            sync::at<std::uint32_t>(bytes + 4).store(1, std::memory_order_release);
        } else if (sync::at<std::uint32_t>(bytes + 4).load(std::memory_order_acquire) == 1) {
            explorer::check(sync::at<std::uint32_t>(bytes).load(std::memory_order_relaxed) == 7,
                            "the message is there");
        }
    }
    void finish() { explorer::check(bytes[0] == std::byte{7}, "what was stored is in the bytes"); }
    alignas(8) std::byte bytes[8]{};
};

TEST(explorer, atomics_lie_over_bytes) {
    expect_held<over_bytes>();
}

// An atomic that one thread makes and another uses, with nothing between.
struct made_late {
    static constexpr unsigned threads = 2;
    void thread(unsigned index) {
        if (index == 0)
            ::new (static_cast<void*>(memory)) word(1);
        made |= index == 0;
        if (index == 1 && made)
            (void)reinterpret_cast<word*>(memory)->load(std::memory_order_relaxed);
    }
    void finish() {}
    bool made = false;
    alignas(word) std::byte memory[sizeof(word)];
};

TEST(explorer, an_atomic_is_made_before_it_is_used) {
    EXPECT_TRUE(has(story_of<made_late>(), "its construction does not happen before"));
}

// A body whose course depends on what no execution decides.
struct unrepeatable {
    static constexpr unsigned threads = 2;
    static inline unsigned runs = 0;
    void thread(unsigned) {
        if (++runs % 3 != 0)
            (void)flag.fetch_add(1, std::memory_order_relaxed);
        (void)flag.load(std::memory_order_relaxed);
    }
    void finish() {}
    word flag{0};
};

TEST(explorer, a_body_that_does_not_repeat_itself_is_found) {
    EXPECT_TRUE(has(story_of<unrepeatable>(), "does not repeat itself"));
}

// What only one thread uses costs no executions, and tells nothing in a story.
template <unsigned Private>
struct with_private_words {
    static constexpr unsigned threads = 2;
    void thread(unsigned index) {
        for (unsigned i = 0; i != Private; ++i)
            (void)own[index].fetch_add(1, std::memory_order_relaxed);
        (void)shared.fetch_add(1, std::memory_order_relaxed);
    }
    void finish() {}
    word own[2];
    word shared{0};
};

TEST(explorer, private_atomics_are_free) {
    const std::uint64_t without = explorer::explore<with_private_words<0>>().executions;
    EXPECT_EQ(explorer::explore<with_private_words<50>>().executions, without);
}

} // namespace
